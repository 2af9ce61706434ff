//! The size of pins on disk, and the size of one repository in a thousand workspaces.

use crate::baseline::Baseline;
use crate::database::Kind;
use crate::figures::{Design, Of, Unit};
use crate::measure::Samples;
use crate::repository::Repository;
use crate::scene::Scene;
use crate::sql::Pool;

use super::Run;

const STORAGE: &str = "storage";

/// The name of the measurement of pins.
pub const PINS: &str = "storage that 1,000 pins of 50 files add";

/// Measures storage. The size of a thousand workspaces does not depend on settings and takes long
/// to measure, so it is measured once for SQLite and once for PostgreSQL.
pub async fn run(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    pins(run, kind).await?;
    let is_same_program = |other: &&Kind| other.has_replicas() == kind.has_replicas();
    match run.kinds.iter().find(is_same_program) {
        Some(first) if first.name == kind.name => workspaces(run, kind).await,
        _ => Ok(()),
    }
}

/// Returns how many bytes `grow` adds, without dead rows.
async fn added(pool: &Pool, grow: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<f64> {
    let before = pool.compact_size().await?;
    grow.await?;
    Ok((pool.compact_size().await? - before) as f64)
}

/// Measures what a pin adds. In both designs the rows of the chats exist before, and so does the
/// agent's push, because another agent has pushed the same content.
async fn pins(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let chats = run.count(1_000);
    let repository = Repository::new("/w/storage", 50);
    let scene = Scene::open(kind).await?;
    let mut first = scene.agent("first").await?;
    first.push(&scene.service, &repository).await?;
    scene.chat(first.id).await?;
    let mut agent = scene.agent("second").await?;
    scene.chats_unpinned(agent.id, chats).await?;
    let ours = added(&scene.pool, async {
        agent.push(&scene.service, &repository).await?;
        Ok(())
    })
    .await?;
    scene.finish().await?;

    let baseline = Baseline::open(kind).await?;
    let copying = baseline.agent().await?;
    baseline.push(copying, &repository).await?;
    baseline.chats(copying, chats).await?;
    let copied = added(&baseline.pool, baseline.push(copying, &repository)).await?;
    baseline.finish().await?;

    let mut note = |measured: &str, design, bytes: f64| {
        let of = Of::new(STORAGE, kind, Unit::Bytes, measured);
        run.figures.note(&of, design, &Samples::from_iter([bytes]));
    };
    note(PINS, Design::Ctxpin, ours);
    note(PINS, Design::Copying, copied);
    let each = "storage that one of them adds";
    note(each, Design::Ctxpin, ours / chats as f64);
    note(each, Design::Copying, copied / chats as f64);
    Ok(())
}

/// Measures what a thousand workspaces of one repository add. The baseline's size does not depend
/// on the paths, and is measured once.
async fn workspaces(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let count = run.count(1_000);
    let repository = Repository::new("/w/same", 50);
    let baseline = Baseline::open(kind).await?;
    let copied = added(&baseline.pool, async {
        for _ in 0..count {
            let copying = baseline.agent().await?;
            baseline.push(copying, &repository).await?;
        }
        Ok(())
    });
    let copied = copied.await?;
    baseline.finish().await?;
    for (paths, is_one_path) in [("at one path", true), ("at 1,000 paths", false)] {
        let scene = Scene::open(kind).await?;
        let mut first = scene.agent("first").await?;
        first.push(&scene.service, &repository).await?;
        let ours = added(&scene.pool, async {
            for index in 0..count {
                let place = match is_one_path {
                    true => repository.clone(),
                    false => repository.at(&format!("/w/{index}")),
                };
                let mut agent = scene.agent("same").await?;
                agent.push(&scene.service, &place).await?;
            }
            Ok(())
        });
        let ours = ours.await?;
        let measured = format!("storage that 1,000 workspaces of one repository add, {paths}");
        let of = Of::new(STORAGE, kind, Unit::Bytes, &measured);
        run.figures
            .note(&of, Design::Ctxpin, &Samples::from_iter([ours]));
        run.figures
            .note(&of, Design::Copying, &Samples::from_iter([copied]));
        scene.finish().await?;
    }
    Ok(())
}
