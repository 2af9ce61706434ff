//! The attacks: the objects that each needs, and its requests.

mod bodies;
mod connections;
mod contexts;
mod floods;
mod requests;
mod storage;
mod watches;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::api::{Agent, Caller, instruction_file};

/// A pause before what failed is tried again, so that an attacker who is refused does not only connect.
const AGAIN_PAUSE: Duration = Duration::from_millis(10);

/// An attack on the server, with a module of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Attack {
    /// Two diffs at once of skills with 240 files of 260 KB that all differ.
    DiffsTwo,
    /// Ten of them.
    DiffsTen,
    /// Ten large diffs whose responses are not read.
    DiffsUnread,
    /// Turns of two chats with the policy `additive`, which have 500 resources and room for hardly one
    /// more.
    Additive,
    /// Bodies without end of a stranger on 18,000 streams of HTTP/2.
    StrangersBodies,
    /// Bodies of 12 MiB that stop just before their end, of those who may not push and of an agent.
    Bodies,
    /// An agent that pushes new content and sends forbidden requests, as fast as possible.
    Pushes,
    /// Three hundred watches of a member with 4,000 chats.
    Watches,
    /// More silent sockets than the server takes connections.
    Sockets,
    /// The API's document, compressed, as fast as it goes.
    Document,
    /// Requests over HTTP/2 that the client cancels at once (CVE-2023-44487).
    RapidReset,
    /// Heads over HTTP/2 that never end.
    Continuation,
    /// Pings over HTTP/2.
    Ping,
    /// Settings over HTTP/2.
    Settings,
    /// Requests with unknown tokens.
    Tokens,
    /// Bodies that become a GiB when they are unpacked.
    Bombs,
    /// Requests for `/readyz`, which reads the database.
    Readiness,
    /// Sixteen concurrent requests for the exposure of a content of 10,000 turns.
    Exposure,
}

/// Everything that an attacker has. It travels to its process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Means {
    attack: Attack,
    address: SocketAddr,
    seconds: u64,
    /// A member's token that reads and writes.
    token: String,
    /// A token of the same member that only reads.
    reading_token: String,
    agent_token: String,
    agent: String,
    epoch: i64,
    version: i64,
    /// The member's chats that the attack is about.
    chats: Vec<String>,
    /// The paths of its requests, or the hash of a content.
    asked: Vec<String>,
}

/// The result of an attack: counts of its responses, and further figures.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    counts: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds `count` to the counter called `what`.
    pub fn add(&mut self, what: &str, count: u64) {
        *self.counts.entry(what.to_owned()).or_default() += count;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.iter();
        let told: Vec<_> = counts
            .map(|(what, count)| format!("{what}: {count}"))
            .collect();
        f.write_str(&told.join(", "))
    }
}

/// The count that the tasks of an attack share, and until when they go on.
#[derive(Clone)]
struct Siege {
    means: Arc<Means>,
    tally: Arc<Mutex<Tally>>,
    until: Instant,
}

impl Siege {
    fn add(&self, what: &str, count: u64) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.add(what, count);
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Repeats `work` on `count` tasks. It counts failures by their messages, and retries after a
    /// pause.
    fn again<F: Future<Output = anyhow::Result<()>> + Send>(
        &self,
        tasks: &mut JoinSet<()>,
        count: usize,
        work: impl Fn(Siege, usize) -> F + Clone + Send + 'static,
    ) {
        for number in 0..count {
            let (siege, work) = (self.clone(), work.clone());
            tasks.spawn(async move {
                while !siege.is_over() {
                    if work(siege.clone(), number).await.is_err() {
                        siege.add("cut", 1);
                        sleep(AGAIN_PAUSE).await;
                    }
                }
            });
        }
    }
}

impl Attack {
    /// Returns the name on the command line and for readers.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns the server's options for the objects that must exist before the attack.
    pub fn server_options(self) -> &'static [&'static str] {
        match self {
            Self::Exposure => &["--turns-per-minute", "1000000"],
            _ => &[],
        }
    }
}

/// Creates the objects that an attack needs.
pub async fn prepare(attack: Attack, admin: &Caller, time: Duration) -> anyhow::Result<Means> {
    let member = admin.member("attacker").await?;
    let caller = member.token(&["read", "write"]).await?;
    let reading = member.token(&["read"]).await?;
    let mut agent = caller.agent("attacker").await?;
    let mut scene = Scene::default();
    match attack {
        Attack::DiffsTwo | Attack::DiffsTen => {
            scene = contexts::prepare_diffs(&caller, &mut agent).await?;
        }
        Attack::DiffsUnread => {
            scene = contexts::prepare_large_diffs(&caller, &mut agent).await?;
        }
        Attack::Additive => scene = contexts::prepare_additive(&caller, &mut agent).await?,
        Attack::Watches => watches::prepare(&caller).await?,
        Attack::Exposure => scene = contexts::prepare_exposure(&caller, &mut agent).await?,
        _ => {
            let text = b"An attacker's.\n".to_vec();
            let found = [instruction_file("/w/AGENTS.md", &text)];
            agent.push(&found, &[text]).await?;
            scene.chats = vec![caller.chat(&json!({"agent_id": agent.id})).await?];
        }
    }
    Ok(means(attack, time, caller, reading, agent, scene))
}

/// The objects that a preparation created.
#[derive(Default)]
struct Scene {
    chats: Vec<String>,
    asked: Vec<String>,
}

fn means(
    attack: Attack,
    time: Duration,
    caller: Caller,
    reading: Caller,
    agent: Agent,
    scene: Scene,
) -> Means {
    Means {
        attack,
        address: caller.address,
        seconds: time.as_secs(),
        token: caller.token,
        reading_token: reading.token,
        agent_token: agent.caller.token,
        agent: agent.id,
        epoch: agent.epoch,
        version: agent.version,
        chats: scene.chats,
        asked: scene.asked,
    }
}

/// Attacks for the time in `means`, and returns the result.
pub async fn run(means: &Means) -> Tally {
    let siege = Siege {
        means: Arc::new(means.clone()),
        tally: Arc::default(),
        until: Instant::now() + Duration::from_secs(means.seconds),
    };
    let mut tasks = JoinSet::new();
    match means.attack {
        Attack::DiffsTwo => contexts::read_diffs(&siege, &mut tasks, 2),
        Attack::DiffsTen => contexts::read_diffs(&siege, &mut tasks, 10),
        Attack::DiffsUnread => contexts::leave_diffs(&siege, &mut tasks),
        Attack::Additive => contexts::begin_turns(&siege, &mut tasks),
        Attack::StrangersBodies => bodies::of_strangers(&siege, &mut tasks),
        Attack::Bodies => bodies::unended(&siege, &mut tasks),
        Attack::Pushes => storage::fill(&siege, &mut tasks),
        Attack::Watches => watches::open(&siege, &mut tasks),
        Attack::Sockets => connections::hold(&siege, &mut tasks),
        Attack::Document => requests::document(&siege, &mut tasks),
        Attack::RapidReset | Attack::Continuation | Attack::Ping | Attack::Settings => {
            floods::send(&siege, &mut tasks, means.attack);
        }
        Attack::Tokens => requests::tokens(&siege, &mut tasks),
        Attack::Bombs => bodies::bombs(&siege, &mut tasks),
        Attack::Readiness => requests::readiness(&siege, &mut tasks),
        Attack::Exposure => requests::exposure(&siege, &mut tasks),
    }
    sleep(Duration::from_secs(means.seconds)).await;
    tasks.shutdown().await;
    let mut tally = siege.tally.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut tally)
}
