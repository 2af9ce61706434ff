//! The time from an edit on disk until a watcher sees drift, with a real agent, a real server and a
//! watch.

use std::path::Path;
use std::time::{Duration, Instant};

use ctxpin_model::profile::Profile;
use rand::RngExt as _;

use crate::database::Kind;
use crate::figures::{Design, Of, Unit};
use crate::measure::Samples;
use crate::program::{Server, agent_start};
use crate::repository::body;
use crate::scene::Scene;
use crate::wire::{self, Connection, Events};

use super::{Run, scan};

/// The name of the measurement.
pub const EDIT: &str = "edit of a file until a watcher sees the drift";

/// Skills beside the file that is edited.
const SKILLS: usize = 49;

/// Longest pause between two edits, in milliseconds: people do not edit in step with the agent.
const PAUSE_MS_MAX: u64 = 120;

/// Edits a file `count` times, after a pause of at most `pause_ms_max` each, and measures the times until the watch of
/// its chat tells the drift.
pub async fn edited(
    events: &mut Events,
    file: &Path,
    count: usize,
    pause_ms_max: u64,
) -> anyhow::Result<Samples> {
    let beside = file.with_extension("md~");
    let mut times = Samples::default();
    for _ in 0..count {
        let pause = Duration::from_millis(rand::rng().random_range(20..pause_ms_max));
        tokio::time::sleep(pause).await;
        // Many editors write beside the file and put it in its place: it is never seen half-written.
        std::fs::write(&beside, body())?;
        let begun = Instant::now();
        std::fs::rename(&beside, file)?;
        events.until("\"dirty\":true").await?;
        times.add_time(begun.elapsed());
    }
    Ok(times)
}

/// Measures how long an edit of a file takes to show as drift.
pub async fn run(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let place = tempfile::Builder::new().prefix("ctxpin-bench-").tempdir()?;
    scan::workspace(place.path(), SKILLS)?;
    let directory = scan::workspace_in(place.path());
    let file = directory.join("AGENTS.md");
    std::fs::write(&file, body())?;
    let scene = Scene::open(kind).await?;
    let agent = scene.agent("edits").await?;
    let chat = scene.chats_unpinned(agent.id, 1).await?[0];
    let (fresh, token) = scene.leave().await;
    let server = Server::start(&run.program, &fresh, 0).await?;
    let request = wire::get(&format!("/api/v1/chats/{chat}/watch"), &token.reveal());
    let mut events = Connection::open(server.address)
        .await?
        .watch(&request)
        .await?;
    let agent_token = agent.token.reveal();
    let agent = agent_start(
        &run.program,
        server.address,
        &agent_token,
        &directory,
        place.path(),
        Profile::Neutral,
    )?;
    // The agent's first push pins the chat.
    events.until("event: chat").await?;
    let times = edited(&mut events, &file, run.count(60), PAUSE_MS_MAX).await?;
    let of = Of::new("edits", kind, Unit::Milliseconds, EDIT);
    run.figures.note(&of, Design::Ctxpin, &times);
    let of = Of::new(
        "memory",
        kind,
        Unit::Bytes,
        "memory of an agent of 50 files",
    );
    let resident = agent.resident_bytes()? as f64;
    run.figures
        .note(&of, Design::Ctxpin, &Samples::from_iter([resident]));
    agent.stop().await?;
    server.stop().await?;
    fresh.remove().await
}
