//! Moves of one chat's pin: refresh, rebind, rollback, beside a copy of the same and a bare commit.

use ctxpin_model::chat::ChatChange;
use ctxpin_model::pin_move::PinMove;
use ctxpin_operations::chats;

use crate::baseline::Baseline;
use crate::database::Kind;
use crate::figures::{Design, Of, Unit};
use crate::limits;
use crate::measure::{Samples, timed};
use crate::repository::Repository;
use crate::scene::Scene;

use super::Run;

/// The figures' group of refreshes, over the number of resources.
pub const REFRESH: &str = "refresh of one chat, by files";

/// The figures' group of first refreshes to a head, over the number of resources.
pub const REFRESH_FIRST: &str = "first refresh to a head, by files";

const OTHER_MOVES: &str = "other moves of one chat";

/// The name of the lower limit of a write.
pub const COMMIT: &str = "bare commit of one row";

/// Returns the name of the measurement: a refresh to a head whose prompt is stored.
pub fn refresh_of(files: usize) -> String {
    format!("refresh, {files} files, prompt kept")
}

/// Returns the name of the measurement: the first refresh to a head, which renders its prompt.
pub fn refresh_first_of(files: usize) -> String {
    format!("refresh, {files} files, prompt rendered")
}

/// Measures moves of chats' pins.
pub async fn run(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let scene = Scene::open(kind).await?;
    let baseline = Baseline::open(kind).await?;
    limits::prepare(&scene.pool, &[]).await?;
    let mut commits = Samples::default();
    for (files, rounds) in [(1, 30), (10, 30), (50, 100), (500, 15)] {
        let rounds = run.count(rounds);
        refreshes(run, kind, &scene, &baseline, files, rounds, &mut commits).await?;
    }
    let of = Of::new(REFRESH, kind, Unit::Milliseconds, COMMIT);
    run.figures.note(&of, Design::Limit, &commits);
    others(run, kind, &scene, &baseline).await?;
    scene.finish().await?;
    baseline.finish().await
}

async fn refreshes(
    run: &mut Run,
    kind: &Kind,
    scene: &Scene,
    baseline: &Baseline,
    files: usize,
    rounds: usize,
    commits: &mut Samples,
) -> anyhow::Result<()> {
    let mut repository = Repository::new(&format!("/w/refresh-{files}"), files);
    let mut agent = scene.agent("refreshes").await?;
    agent.push(&scene.service, &repository).await?;
    let first_chat = scene.chat(agent.id).await?;
    let chat = scene.chat(agent.id).await?;
    let copying = baseline.agent().await?;
    let copying_chat = baseline.chats(copying, 1).await?[0];
    baseline.push(copying, &repository).await?;
    let (mut first, mut ours, mut copied) =
        (Samples::default(), Samples::default(), Samples::default());
    for round in 0..rounds {
        repository.change(round % files);
        agent.push(&scene.service, &repository).await?;
        baseline.push(copying, &repository).await?;
        let refresh = PinMove::Refresh { head: None };
        let (_, time) = timed(scene.pin_move(first_chat, &refresh)).await?;
        first.add_time(time);
        let (_, time) = timed(baseline.refresh(copying_chat, copying)).await?;
        copied.add_time(time);
        let (_, time) = timed(scene.pin_move(chat, &refresh)).await?;
        ours.add_time(time);
        let (_, time) = timed(limits::commit(&scene.pool)).await?;
        commits.add_time(time);
    }
    let of = Of::new(REFRESH, kind, Unit::Milliseconds, &refresh_of(files)).at(files);
    run.figures.note(&of, Design::Ctxpin, &ours);
    run.figures.note(&of, Design::Copying, &copied);
    let of = Of::new(
        REFRESH_FIRST,
        kind,
        Unit::Milliseconds,
        &refresh_first_of(files),
    )
    .at(files);
    run.figures.note(&of, Design::Ctxpin, &first);
    run.figures.note(&of, Design::Copying, &copied);
    Ok(())
}

async fn others(
    run: &mut Run,
    kind: &Kind,
    scene: &Scene,
    baseline: &Baseline,
) -> anyhow::Result<()> {
    let mut agents = Vec::new();
    for place in ["/w/one", "/w/other"] {
        let repository = Repository::new(place, 50);
        let mut agent = scene.agent("rebinds").await?;
        let pushed = agent.push(&scene.service, &repository).await?;
        let head = pushed.head.map(|head| head.snapshot);
        let copying = baseline.agent().await?;
        baseline.push(copying, &repository).await?;
        agents.push((agent.id, head, copying));
    }
    let chat = scene.chat(agents[0].0).await?;
    let copying_chat = baseline.chats(agents[0].2, 1).await?[0];
    let (mut rebinds, mut copied, mut rollbacks) =
        (Samples::default(), Samples::default(), Samples::default());
    for round in 1..=run.count(50) {
        let (agent, _, copying) = agents[round % 2];
        let change = ChatChange {
            agent: Some(Some(agent)),
            ..ChatChange::default()
        };
        let change =
            async { Ok(chats::change(&scene.service, scene.owner(), chat, &change).await?) };
        let (_, time) = timed(change).await?;
        rebinds.add_time(time);
        let (_, time) = timed(baseline.refresh(copying_chat, copying)).await?;
        copied.add_time(time);
    }
    for round in 1..=run.count(50) {
        let Some(snapshot) = agents[round % 2].1 else {
            anyhow::bail!("an agent has no head");
        };
        let (_, time) = timed(scene.pin_move(chat, &PinMove::Rollback(snapshot))).await?;
        rollbacks.add_time(time);
    }
    let of = Of::new(OTHER_MOVES, kind, Unit::Milliseconds, "rebind, 50 files");
    run.figures.note(&of, Design::Ctxpin, &rebinds);
    run.figures.note(&of, Design::Copying, &copied);
    let of = Of::new(OTHER_MOVES, kind, Unit::Milliseconds, "rollback, 50 files");
    run.figures.note(&of, Design::Ctxpin, &rollbacks);
    Ok(())
}
