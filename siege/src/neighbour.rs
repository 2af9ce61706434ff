//! The neighbour: a member who works with the server as people do, and records the time of each response.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rand::RngExt as _;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::api::{Agent, Caller, Connection, instruction_file, request};

/// The time from one request to the next, whether the response to the first has come or not.
const PACE: Duration = Duration::from_millis(50);

/// One of this many requests is a push of a change.
const PUSH_EVERY: usize = 40;

/// The longest wait for a response. A person has left by then.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A connection that was not used for so long may be closed by the server.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// Files of the workspace, of a few KiB.
const FILES: usize = 10;

/// The neighbour's measurements.
#[derive(Debug, Default, Clone)]
pub struct Work {
    /// How long each response took from the moment at which its request was due, in milliseconds.
    pub latencies: Vec<f64>,
    /// The errors of the requests that failed.
    pub failures: Vec<String>,
}

/// A member with an agent, and a chat that is pinned to the agent's push.
pub struct Neighbour {
    caller: Caller,
    chat: String,
    agent: tokio::sync::Mutex<Agent>,
    /// The idle connections, and when each was last used.
    connections: Mutex<Vec<(Connection, Instant)>>,
}

impl Neighbour {
    /// Creates the member and its objects.
    pub async fn move_in(admin: &Caller) -> anyhow::Result<Arc<Self>> {
        let caller = admin.member("neighbour").await?;
        let caller = caller.token(&["read", "write"]).await?;
        let mut agent = caller.agent("neighbour").await?;
        let (found, bytes) = workspace();
        agent.push(&found, &bytes).await?;
        let chat = caller.chat(&json!({"agent_id": agent.id})).await?;
        Ok(Arc::new(Self {
            caller,
            chat,
            agent: tokio::sync::Mutex::new(agent),
            connections: Mutex::default(),
        }))
    }

    /// Sends requests at an even pace for `time`, and waits for the last responses.
    pub async fn work(self: &Arc<Self>, time: Duration) -> Work {
        let begun = Instant::now();
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut asked = JoinSet::new();
        for number in 0.. {
            let due = pace.tick().await.into_std();
            if begun.elapsed() >= time {
                break;
            }
            let neighbour = Arc::clone(self);
            asked.spawn(async move {
                let answered = timeout(WAIT_MAX, neighbour.ask(number)).await;
                let answered = answered.context("no answer came").flatten();
                (answered, due.elapsed())
            });
        }
        let mut work = Work::default();
        for (answered, took) in asked.join_all().await {
            work.latencies.push(took.as_secs_f64() * 1_000.0);
            if let Err(error) = answered {
                work.failures.push(format!("{error:#}"));
            }
        }
        work
    }

    /// Sends one request. `number` selects its kind, in turns.
    async fn ask(&self, number: usize) -> anyhow::Result<()> {
        if number % PUSH_EVERY == PUSH_EVERY - 1 {
            // One push after the other, as an agent does it.
            let mut agent = self.agent.lock().await;
            let (found, bytes) = workspace();
            let push = agent.push_of(&found, &bytes);
            return self.answered(&push, true).await;
        }
        let of_chat = |what: &str| format!("/api/v1/chats/{}/{what}", self.chat);
        let token = Some(self.caller.token.as_str());
        match number % 4 {
            // A new connection must succeed too.
            0 => {
                self.answered(&request("GET", "/api/v1/me", token, None), true)
                    .await
            }
            1 => {
                let read = request("GET", &of_chat("context"), token, None);
                self.answered(&read, false).await
            }
            2 => {
                let read = request("GET", &of_chat("prompt"), token, None);
                self.answered(&read, false).await
            }
            _ => {
                let refresh = request("PUT", &of_chat("context"), token, Some(&json!({})));
                self.answered(&refresh, false).await
            }
        }
    }

    async fn answered(&self, request: &[u8], is_new: bool) -> anyhow::Result<()> {
        let kept = match is_new {
            true => None,
            false => self.kept(),
        };
        let mut answer = None;
        if let Some(mut connection) = kept {
            // The server may have just closed it. Then the request is repeated, as every client does.
            if let Ok(answered) = connection.ask(request).await {
                answer = Some((answered, connection));
            }
        }
        let (answer, connection) = match answer {
            Some(answer) => answer,
            None => {
                let mut connection = Connection::open(self.caller.address).await?;
                (connection.ask(request).await?, connection)
            }
        };
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "{} {said}", answer.status);
        if !is_new {
            self.lock().push((connection, Instant::now()));
        }
        Ok(())
    }

    fn kept(&self) -> Option<Connection> {
        let mut connections = self.lock();
        connections.retain(|(_, used)| used.elapsed() < IDLE_MAX);
        connections.pop().map(|(connection, _)| connection)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a workspace of files with new random texts.
fn workspace() -> (Vec<serde_json::Value>, Vec<Vec<u8>>) {
    let mut random = rand::rng();
    let files = (0..FILES).map(|number| {
        let bytes: [u8; 1024] = random.random();
        let text = hex::encode(bytes).into_bytes();
        (
            instruction_file(&format!("/w/{number}/AGENTS.md"), &text),
            text,
        )
    });
    files.unzip()
}
