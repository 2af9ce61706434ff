//! Pushes: of one changed file while many chats are pinned, and of everything into chats that wait.

use crate::baseline::Baseline;
use crate::database::Kind;
use crate::figures::{Design, Of, Unit};
use crate::measure::{Samples, timed};
use crate::repository::Repository;
use crate::scene::{Agent, Scene};

use super::Run;

/// The figures' group for pushes to pinned chats, over the number of chats.
pub const PUSH_PINNED: &str = "push of one changed file of 50, by pinned chats";

/// The figures' group for first pushes, over the number of chats that they hydrate.
pub const PUSH_HYDRATING: &str = "first push of 50 files, by chats that it hydrates";

const PUSH_OTHER: &str = "other pushes";

/// Files of most repositories.
const FILES: usize = 50;

/// Files of a large one: as many as a snapshot may hold.
const FILES_MANY: usize = 500;

/// Returns the name of the measurement: a push of one changed file.
pub fn one_changed(chats: usize) -> String {
    format!("push, one of 50 files changed, {chats} chats pinned")
}

/// Returns the name of the measurement: a push that hydrates chats.
pub fn hydrating(chats: usize) -> String {
    format!("first push of 50 files, hydrates {chats} chats")
}

/// An agent in both designs, with the same chats and the same files.
struct Pair {
    ours: Agent,
    copying: uuid::Uuid,
    repository: Repository,
}

/// The times of both designs.
#[derive(Default)]
struct Times {
    ours: Samples,
    copying: Samples,
}

impl Pair {
    /// Pushes a repository, with chats that the push pins. The baseline's chats have no copies,
    /// because a push does not read them and 10,000 chats would have two gigabytes of them.
    async fn pinned(
        scene: &Scene,
        baseline: &Baseline,
        files: usize,
        chats: usize,
    ) -> anyhow::Result<Self> {
        let repository = Repository::new(&format!("/w/{files}-{chats}"), files);
        let mut ours = scene.agent("pushes").await?;
        scene.chats_unpinned(ours.id, chats).await?;
        ours.push(&scene.service, &repository).await?;
        let copying = baseline.agent().await?;
        baseline.chats(copying, chats).await?;
        baseline.clean(copying, &repository).await?;
        baseline.push(copying, &repository).await?;
        Ok(Self {
            ours,
            copying,
            repository,
        })
    }

    async fn push(
        &mut self,
        scene: &Scene,
        baseline: &Baseline,
        times: &mut Times,
    ) -> anyhow::Result<()> {
        let (_, time) = timed(self.ours.push(&scene.service, &self.repository)).await?;
        times.ours.add_time(time);
        let (_, time) = timed(baseline.push(self.copying, &self.repository)).await?;
        times.copying.add_time(time);
        Ok(())
    }
}

/// Measures pushes to pinned and to unpinned chats.
pub async fn run(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    to_pinned(run, kind).await?;
    hydrating_chats(run, kind).await
}

async fn to_pinned(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let counts = [10, 100, 1_000, run.count(10_000)];
    let scene = Scene::open(kind).await?;
    let baseline = Baseline::open(kind).await?;
    let mut pairs = Vec::new();
    for chats in counts {
        let pair = Pair::pinned(&scene, &baseline, FILES, chats).await?;
        pairs.push((chats, pair, Times::default(), Times::default()));
    }
    let mut many = Pair::pinned(&scene, &baseline, FILES_MANY, 10).await?;
    let mut many_times = Times::default();
    scene.pool.settle().await?;
    baseline.pool.settle().await?;
    for round in 0..run.count(20) {
        for (_, pair, changed, unchanged) in &mut pairs {
            pair.repository.change(round % FILES);
            pair.push(&scene, &baseline, changed).await?;
            pair.push(&scene, &baseline, unchanged).await?;
            baseline.clean(pair.copying, &pair.repository).await?;
        }
        many.repository.change(round % FILES_MANY);
        many.push(&scene, &baseline, &mut many_times).await?;
        baseline.clean(many.copying, &many.repository).await?;
        // Autovacuum would do this later.
        baseline.vacuum_chats().await?;
    }
    let mut note = |of: Of, times: &Times| {
        run.figures.note(&of, Design::Ctxpin, &times.ours);
        run.figures.note(&of, Design::Copying, &times.copying);
    };
    let time = |subject, measured: &str| Of::new(subject, kind, Unit::Milliseconds, measured);
    for (chats, _, changed, unchanged) in &pairs {
        note(time(PUSH_PINNED, &one_changed(*chats)).at(*chats), changed);
        if *chats == 10 || *chats == counts[3] {
            let measured = format!("push, nothing changed, {chats} chats pinned");
            note(time(PUSH_OTHER, &measured), unchanged);
        }
    }
    let measured = "push, one of 500 files changed, 10 chats pinned";
    note(time(PUSH_OTHER, measured), &many_times);
    scene.finish().await?;
    baseline.finish().await
}

async fn hydrating_chats(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let scene = Scene::open(kind).await?;
    let baseline = Baseline::open(kind).await?;
    let counts = [(0, 10), (10, 7), (100, 5), (run.count(1_000), 3)];
    for (chats, rounds) in counts {
        let mut times = Times::default();
        for round in 0..rounds {
            let repository = Repository::new(&format!("/w/hydrate-{chats}-{round}"), FILES);
            let mut ours = scene.agent("hydrates").await?;
            scene.chats_unpinned(ours.id, chats).await?;
            let copying = baseline.agent().await?;
            baseline.chats(copying, chats).await?;
            scene.pool.settle().await?;
            baseline.pool.settle().await?;
            let (pushed, time) = timed(ours.push(&scene.service, &repository)).await?;
            anyhow::ensure!(pushed.hydrated == chats as u64, "{pushed:?}");
            times.ours.add_time(time);
            let (_, time) = timed(baseline.push(copying, &repository)).await?;
            times.copying.add_time(time);
            baseline.forget_copies().await?;
        }
        let measured = match chats {
            0 => "first push of 50 files, no chats".to_owned(),
            chats => hydrating(chats),
        };
        let subject = if chats == 0 {
            PUSH_OTHER
        } else {
            PUSH_HYDRATING
        };
        let of = Of::new(subject, kind, Unit::Milliseconds, &measured).at(chats);
        run.figures.note(&of, Design::Ctxpin, &times.ours);
        run.figures.note(&of, Design::Copying, &times.copying);
    }
    scene.finish().await?;
    baseline.finish().await
}
