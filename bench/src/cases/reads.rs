//! Reads in process: a chat's context, a long list of chats, large diffs.

use ctxpin_model::chat::ChatFilter;
use ctxpin_model::page::PageRequest;
use ctxpin_operations::contexts;
use ctxpin_operations::diffs::{self, DiffRequest};
use ctxpin_operations::{chats, prompts};

use crate::database::Kind;
use crate::figures::{Design, Of, Unit};
use crate::limits;
use crate::measure::{Samples, timed};
use crate::repository::{BODY_BYTES, Repository};
use crate::scene::Scene;

use super::Run;

const READS: &str = "reads in process";

/// Items on a page of the list.
const PAGE: i64 = 100;

/// Measures reads of one chat, and of lists of chats.
pub async fn run(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    of_one_chat(run, kind).await?;
    lists(run, kind).await?;
    diffs(run, kind).await
}

async fn of_one_chat(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let scene = Scene::open(kind).await?;
    let mut repository = Repository::new("/w/reads", 50);
    let mut agent = scene.agent("reads").await?;
    agent.push(&scene.service, &repository).await?;
    let chat = scene.chat(agent.id).await?;
    repository.change(7);
    agent.push(&scene.service, &repository).await?;
    limits::prepare(&scene.pool, &vec![b'x'; 50 * BODY_BYTES]).await?;
    let mut times = [(); 4].map(|()| Samples::default());
    let (service, owner) = (&scene.service, scene.owner());
    for _ in 0..run.count(200) {
        let (_, time) = timed(async { Ok(contexts::read(service, owner, chat).await?) }).await?;
        times[0].add_time(time);
        let whole = async { Ok(prompts::prompt(service, owner, chat, None).await?) };
        let (prompt, time) = timed(whole).await?;
        times[1].add_time(time);
        let known = async { Ok(prompts::prompt(service, owner, chat, prompt.hash).await?) };
        let (_, time) = timed(known).await?;
        times[2].add_time(time);
        let sql = "select body from bench_limits where number = $1";
        let (_, time) = timed(scene.pool.bytes(sql, 1)).await?;
        times[3].add_time(time);
    }
    let mut note = |measured: &str, design, samples: &Samples| {
        let of = Of::new(READS, kind, Unit::Milliseconds, measured);
        run.figures.note(&of, design, samples);
    };
    note(
        "context of a drifted chat, 50 files",
        Design::Ctxpin,
        &times[0],
    );
    note("prompt, 200 KiB", Design::Ctxpin, &times[1]);
    note("prompt that the caller knows", Design::Ctxpin, &times[2]);
    note("row of 200 KiB by its key", Design::Limit, &times[3]);
    scene.finish().await
}

async fn lists(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let count = run.count(10_000);
    let scene = Scene::open(kind).await?;
    let mut agent = scene.agent("lists").await?;
    scene.chats_unpinned(agent.id, count).await?;
    agent
        .push(&scene.service, &Repository::new("/w/lists", 50))
        .await?;
    scene.pool.settle().await?;
    let (mut pages, mut walks) = (Samples::default(), Samples::default());
    for _ in 0..3 {
        let mut page = PageRequest::newest(PAGE);
        let mut listed = 0;
        let walk = async {
            loop {
                let filter = ChatFilter::default();
                let list = chats::list(&scene.service, scene.owner(), &filter, &page);
                let (list, time) = timed(async { Ok(list.await?) }).await?;
                pages.add_time(time);
                listed += list.items.len();
                match list.next {
                    Some(next) => page = page.on(next),
                    None => return Ok(listed),
                }
            }
        };
        let (listed, time) = timed(walk).await?;
        anyhow::ensure!(listed == count, "{listed} of {count} chats were listed");
        walks.add_time(time);
    }
    let of = Of::new(
        READS,
        kind,
        Unit::Milliseconds,
        "list, a page of 100 of 10,000 chats",
    );
    run.figures.note(&of, Design::Ctxpin, &pages);
    let of = Of::new(
        READS,
        kind,
        Unit::Milliseconds,
        "list, all 10,000 chats page by page",
    );
    run.figures.note(&of, Design::Ctxpin, &walks);
    scene.finish().await
}

async fn diffs(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let scene = Scene::open(kind).await?;
    let mut repository = Repository::new("/w/diffs", 500);
    let mut agent = scene.agent("diffs").await?;
    agent.push(&scene.service, &repository).await?;
    let chat = scene.chat(agent.id).await?;
    repository.change(250);
    agent.push(&scene.service, &repository).await?;
    for measured in [
        "diff of 500 files, one changed",
        "diff of 500 files, all changed",
    ] {
        let mut times = Samples::default();
        for _ in 0..run.count(10) {
            let request = DiffRequest::default();
            let diff = async {
                let view = diffs::diff(&scene.service, scene.owner(), chat, request).await?;
                let changes = view.changes();
                let told = changes
                    .iter()
                    .filter_map(|(_, told)| told.map(|difference| difference.text()));
                Ok((changes.len(), told.count()))
            };
            let ((changes, told), time) = timed(diff).await?;
            anyhow::ensure!(changes == 1 || changes == 500, "{changes} changes");
            // A diff has a limit.
            anyhow::ensure!(told >= changes.min(100), "{told} of them are told");
            times.add_time(time);
        }
        let of = Of::new(READS, kind, Unit::Milliseconds, measured);
        run.figures.note(&of, Design::Ctxpin, &times);
        (0..500).for_each(|index| repository.change(index));
        agent.push(&scene.service, &repository).await?;
    }
    scene.finish().await
}
