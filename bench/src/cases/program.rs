//! The program itself: its size, and the memory of a server with many chats.

use crate::database::Kind;
use crate::figures::{Design, Of, Unit};
use crate::measure::Samples;
use crate::program::Server;
use crate::repository::Repository;
use crate::scene::Scene;
use crate::wire::{self, Connection, load};

use super::Run;

const MEMORY: &str = "memory";

/// How long requests for pages run before the memory is measured.
const LOAD: std::time::Duration = std::time::Duration::from_secs(1);

/// Measures memory and size.
pub async fn run(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    if kind.name == run.kinds[0].name {
        let size = std::fs::metadata(&run.program)?.len() as f64;
        let of = Of::of_machine("program", Unit::Bytes, "size of the program");
        run.figures
            .note(&of, Design::Ctxpin, &Samples::from_iter([size]));
    }
    let scene = Scene::open(kind).await?;
    let mut agent = scene.agent("memory").await?;
    scene.chats_unpinned(agent.id, run.count(100_000)).await?;
    agent
        .push(&scene.service, &Repository::new("/w/memory", 50))
        .await?;
    let chat = scene.newest_chat().await?;
    scene.pool.settle().await?;
    let (fresh, token) = scene.leave().await;
    let token = token.reveal();
    let server = Server::start(&run.program, &fresh, 0).await?;
    let ready = Samples::from_iter([server.ready_after.as_secs_f64() * 1_000.0]);
    let started = server.resident_bytes()? as f64;
    let mut connection = Connection::open(server.address).await?;
    let list = wire::get("/api/v1/chats?limit=100", &token);
    let answer = connection.ask(&list).await?;
    anyhow::ensure!(answer.status == 200, "a list was answered: {}", answer.head);
    let prompt = wire::get(&format!("/api/v1/chats/{}/prompt", chat.uuid()), &token);
    load(&[server.address], &[list, prompt], 200, LOAD).await?;
    let loaded = server.resident_bytes()? as f64;
    server.stop().await?;
    fresh.remove().await?;
    for (measured, bytes) in [
        (
            "memory of a server with 100,000 chats, just started",
            started,
        ),
        (
            "memory of a server with 100,000 chats, after a load",
            loaded,
        ),
    ] {
        let of = Of::new(MEMORY, kind, Unit::Bytes, measured);
        run.figures
            .note(&of, Design::Ctxpin, &Samples::from_iter([bytes]));
    }
    let of = Of::new(
        MEMORY,
        kind,
        Unit::Milliseconds,
        "start until ready with 100,000 chats",
    );
    run.figures.note(&of, Design::Ctxpin, &ready);
    Ok(())
}
