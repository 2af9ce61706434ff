//! One to four servers on one PostgreSQL.

use std::time::Duration;

use ctxpin_operations::prompts;

use crate::database::{Fresh, Kind};
use crate::figures::{Design, Of, Unit};
use crate::measure::Samples;
use crate::program::Server;
use crate::repository::Repository;
use crate::scene::Scene;
use crate::wire::{self, CONNECTIONS, load};

use super::Run;

/// The figures' group of prompts, over the number of servers.
pub const REPLICAS_PROMPT: &str = "GET prompt (200 KiB), by servers on one database";
/// The figures' group of prompts that callers have.
pub const REPLICAS_KNOWN: &str = "GET prompt (304), by servers on one database";
/// The figures' group of turns, each of which is a commit.
pub const REPLICAS_TURN: &str = "POST turn (one commit), by servers on one database";

/// The largest number of servers on one database.
const SERVERS_MAX: usize = 4;

/// How long one load is kept up.
const SLICE: Duration = Duration::from_millis(500);

/// One kind of request, by connection.
struct Load {
    subject: &'static str,
    status: u16,
    requests: Vec<Vec<u8>>,
    /// Requests in a second, by the number of servers less one.
    rates: [Samples; SERVERS_MAX],
}

/// Measures throughput over the number of servers. SQLite has one server, and is left out.
pub async fn run(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    if !kind.has_replicas() {
        return Ok(());
    }
    let (fresh, mut loads) = prepare(kind).await?;
    let mut servers = Vec::new();
    for replica in 0..SERVERS_MAX {
        servers.push(Server::start(&run.program, &fresh, replica).await?);
    }
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    for round in 0..=run.count(3) {
        for count in 1..=SERVERS_MAX {
            for part in &mut loads {
                let found = load(&addresses[..count], &part.requests, part.status, SLICE).await?;
                // The first round warms everything up.
                if round > 0 {
                    part.rates[count - 1].add(found.per_second);
                }
            }
        }
    }
    for server in servers {
        server.stop().await?;
    }
    fresh.remove().await?;
    for part in &loads {
        for (rates, count) in part.rates.iter().zip(1..) {
            let measured = format!("servers: {count}");
            let of = Of::new(part.subject, kind, Unit::RequestsPerSecond, &measured);
            run.figures.note(&of.at(count), Design::Ctxpin, rates);
        }
    }
    Ok(())
}

/// Creates a chat for each connection, because turns of one chat wait for each other.
async fn prepare(kind: &Kind) -> anyhow::Result<(Fresh, [Load; 3])> {
    let scene = Scene::open(kind).await?;
    let mut agent = scene.agent("replicas").await?;
    let repository = Repository::new("/w/replicas", 50);
    agent.push(&scene.service, &repository).await?;
    let mut chats = Vec::new();
    for _ in 0..CONNECTIONS {
        chats.push(scene.chat(agent.id).await?);
    }
    let prompt = prompts::prompt(&scene.service, scene.owner(), chats[0], None).await?;
    let tag = prompt.hash.map(|hash| hash.to_string()).unwrap_or_default();
    let (fresh, token) = scene.leave().await;
    let token = token.reveal();
    let load = |subject, status, request: &dyn Fn(String) -> Vec<u8>| Load {
        subject,
        status,
        requests: chats
            .iter()
            .map(|chat| request(format!("/api/v1/chats/{}", chat.uuid())))
            .collect(),
        rates: [(); SERVERS_MAX].map(|()| Samples::default()),
    };
    let loads = [
        load(REPLICAS_PROMPT, 200, &|chat| {
            wire::get(&format!("{chat}/prompt"), &token)
        }),
        load(REPLICAS_KNOWN, 304, &|chat| {
            wire::get_known(&format!("{chat}/prompt"), &token, &tag)
        }),
        load(REPLICAS_TURN, 201, &|chat| {
            wire::send("POST", &format!("{chat}/turns"), &token, "{}")
        }),
    ];
    Ok((fresh, loads))
}
