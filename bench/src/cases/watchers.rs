//! Thousands of watches of chats on one agent, and one push: how long until the last one knows.

use std::net::SocketAddr;
use std::time::Instant;

use ctxpin_model::push::Position;
use ctxpin_protocol::convert::manifest;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::database::Kind;
use crate::figures::{Design, Of, Unit};
use crate::measure::Samples;
use crate::program::Server;
use crate::repository::Repository;
use crate::scene::Scene;
use crate::wire::{self, Connection, Events};

use super::Run;

const WATCHERS: &str = "watches";

/// Watches that are opened at a time.
const OPENING: usize = 32;

/// Measures how soon the watchers of many chats wake.
pub async fn run(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let count = run.count(5_000);
    let scene = Scene::open(kind).await?;
    let mut repository = Repository::new("/w/watchers", 50);
    let mut agent = scene.agent("watchers").await?;
    let chats = scene.chats_unpinned(agent.id, count).await?;
    agent.push(&scene.service, &repository).await?;
    scene.pool.settle().await?;
    let (fresh, token) = scene.leave().await;
    let server = Server::start(&run.program, &fresh, 0).await?;
    let idle = server.resident_bytes()?;
    let begun = Instant::now();
    let mut open = open_all(server.address, &chats, &token.reveal()).await?;
    let opened = Samples::from_iter([begun.elapsed().as_secs_f64() * 1_000.0]);
    let held = server.resident_bytes()?;
    let mut connection = Connection::open(server.address).await?;
    let (mut last, mut middle) = (Samples::default(), Samples::default());
    for round in 0..3 {
        repository.change(round);
        let push = agent.push_of(&repository);
        let Position { epoch, version } = push.position;
        let body = manifest::push(
            epoch,
            version,
            true,
            &repository.found(),
            &[],
            push.manifest.blobs(),
        );
        let body = serde_json::to_string(&body)?;
        let request = wire::send("PUT", "/api/v1/agent/context", &agent.token.reveal(), &body);
        let begun = Instant::now();
        let mut told = JoinSet::new();
        for events in open.drain(..) {
            told.spawn(told_of_chat(events, begun));
        }
        let answer = connection.ask(&request).await?;
        anyhow::ensure!(answer.status == 200, "a push was answered: {}", answer.head);
        let mut times = Vec::new();
        for told in told.join_all().await {
            let (events, time) = told?;
            open.push(events);
            times.push(time);
        }
        times.sort_by(f64::total_cmp);
        last.add(times[times.len() - 1]);
        middle.add(times[times.len() / 2]);
    }
    drop(open);
    server.stop().await?;
    fresh.remove().await?;
    let time = |measured| Of::new(WATCHERS, kind, Unit::Milliseconds, measured);
    let figures = &mut run.figures;
    figures.note(
        &time("5,000 watches, from a push until the last one knows"),
        Design::Ctxpin,
        &last,
    );
    figures.note(
        &time("5,000 watches, from a push until half of them know"),
        Design::Ctxpin,
        &middle,
    );
    figures.note(&time("5,000 watches, opening all"), Design::Ctxpin, &opened);
    let of = Of::new(
        WATCHERS,
        kind,
        Unit::Bytes,
        "memory of the server that one watch takes",
    );
    let each = held.saturating_sub(idle) as f64 / count as f64;
    figures.note(&of, Design::Ctxpin, &Samples::from_iter([each]));
    Ok(())
}

/// Watches every chat.
async fn open_all(address: SocketAddr, chats: &[Uuid], token: &str) -> anyhow::Result<Vec<Events>> {
    let mut open = Vec::new();
    for chats in chats.chunks(OPENING) {
        let mut opening = JoinSet::new();
        for chat in chats {
            let request = wire::get(&format!("/api/v1/chats/{chat}/watch"), token);
            opening.spawn(async move { Connection::open(address).await?.watch(&request).await });
        }
        for opened in opening.join_all().await {
            open.push(opened?);
        }
    }
    Ok(open)
}

/// Waits for an event of the chat. Returns when it came, in milliseconds.
async fn told_of_chat(mut events: Events, begun: Instant) -> anyhow::Result<(Events, f64)> {
    events.until("event: chat").await?;
    Ok((events, begun.elapsed().as_secs_f64() * 1_000.0))
}
