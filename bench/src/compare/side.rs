//! One of the two servers: its content, and the timed requests.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ctxpin_model::resource::Bodies;
use ctxpin_protocol::convert::manifest;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::database::{Fresh, Kind};
use crate::measure::Samples;
use crate::program::Server;
use crate::repository::Repository;
use crate::wire::{self, Answer, Connection, load};

/// Files of the workspace.
const FILES: usize = 50;

/// Chats beside the one that is moved, so that a list has a page.
const CHATS: usize = 100;

/// How long a load of several connections is kept up.
const SLICE: Duration = Duration::from_millis(200);

/// The measured figures. All are times, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Me,
    Context,
    Prompt,
    PromptKnown,
    PromptAtOnce,
    Chats,
    Diff,
    PushSame,
    PushChanged,
    Refresh,
    Turn,
    ChatCreate,
}

impl Figure {
    /// Each of them.
    pub const ALL: [Self; 12] = [
        Self::Me,
        Self::Context,
        Self::Prompt,
        Self::PromptKnown,
        Self::PromptAtOnce,
        Self::Chats,
        Self::Diff,
        Self::PushSame,
        Self::PushChanged,
        Self::Refresh,
        Self::Turn,
        Self::ChatCreate,
    ];

    /// Returns the name for readers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Me => "GET me",
            Self::Context => "GET context, 50 files",
            Self::Prompt => "GET prompt, 200 KiB",
            Self::PromptKnown => "GET prompt, 304",
            Self::PromptAtOnce => "GET prompt, 200 KiB, a request of 8 connections",
            Self::Chats => "GET a page of 100 chats",
            Self::Diff => "GET diff, 1 of 50 files changed",
            Self::PushSame => "push that changes nothing",
            Self::PushChanged => "push of 1 of 50 files changed",
            Self::Refresh => "refresh",
            Self::Turn => "turn",
            Self::ChatCreate => "create a chat",
        }
    }

    /// Returns the number of requests in a round, so that a round takes a few tenths of a second.
    fn repetitions(self) -> usize {
        match self {
            Self::Me | Self::PromptKnown => 300,
            Self::Context | Self::Prompt | Self::Diff => 100,
            Self::Chats | Self::PushSame | Self::Turn | Self::ChatCreate => 50,
            Self::PushChanged | Self::Refresh => 30,
            Self::PromptAtOnce => 1,
        }
    }
}

/// A server of one program, on a database of its own.
pub struct Side {
    server: Server,
    fresh: Fresh,
    connection: Connection,
    token: String,
    agent_token: String,
    epoch: i64,
    version: i64,
    repository: Repository,
    pushed: Option<Repository>,
    chat: String,
    agent: String,
    prompt_tag: String,
}

impl Side {
    /// Starts a server and creates the objects of the requests: a workspace, chats that are pinned
    /// to it, and a change of it.
    pub async fn start(program: &Path, kind: &Kind) -> anyhow::Result<Self> {
        let fresh = kind.fresh().await?;
        let server = Server::start(program, &fresh, 0).await?;
        let directory = match fresh.url() {
            None => fresh.directory().to_owned(),
            Some(_) => fresh.directory().join("server-0"),
        };
        let token = std::fs::read_to_string(directory.join("admin-token"))
            .context("reading the first user's token")?;
        let mut side = Self {
            connection: Connection::open(server.address).await?,
            server,
            fresh,
            token: token.trim().to_owned(),
            agent_token: String::new(),
            epoch: 0,
            version: 0,
            repository: Repository::new("/w/compare", FILES),
            pushed: None,
            chat: String::new(),
            agent: String::new(),
            prompt_tag: String::new(),
        };
        side.prepare().await?;
        Ok(side)
    }

    async fn prepare(&mut self) -> anyhow::Result<()> {
        let made = self
            .send("POST", "/agents", &json!({"workspace": "w"}))
            .await?;
        self.agent = text(&made["agent"]["id"])?;
        self.agent_token = text(&made["token"])?;
        let process = json!({"process": Uuid::new_v4()}).to_string();
        let request = wire::send("POST", "/api/v1/agent/session", &self.agent_token, &process);
        let session: Value = serde_json::from_slice(&self.ask(&request).await?.body)?;
        self.epoch = session["epoch"].as_i64().context("no epoch")?;
        let push = self.push_of();
        self.ask(&push).await?;
        for _ in 0..=CHATS {
            let chat = self.send("POST", "/chats", &self.chat_of()).await?;
            self.chat = text(&chat["id"])?;
        }
        let prompt = self.chat_request("GET", "prompt", None);
        let head = self.ask(&prompt).await?.head;
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: "));
        self.prompt_tag = tag.context("no tag")?.trim_matches('"').to_owned();
        self.repository.change(7);
        let push = self.push_of();
        self.ask(&push).await?;
        Ok(())
    }

    /// Sends the requests of a figure for one round, and returns their median time in milliseconds.
    pub async fn measure(&mut self, figure: Figure) -> anyhow::Result<f64> {
        if figure == Figure::PromptAtOnce {
            let request = self.chat_request("GET", "prompt", None);
            let found = load(&[self.server.address], &[request], 200, SLICE).await?;
            return Ok(1_000.0 / found.per_second);
        }
        let mut times = Samples::default();
        for _ in 0..figure.repetitions() {
            let request = self.request(figure).await?;
            let begun = Instant::now();
            self.ask(&request).await?;
            times.add_time(begun.elapsed());
        }
        let summary = times.summary().context("nothing was measured")?;
        Ok(summary.median)
    }

    /// Returns the next request of a figure, after it has prepared what the request needs.
    async fn request(&mut self, figure: Figure) -> anyhow::Result<Vec<u8>> {
        Ok(match figure {
            Figure::Me => wire::get("/api/v1/me", &self.token),
            Figure::Chats => wire::get("/api/v1/chats?limit=100", &self.token),
            Figure::Context => self.chat_request("GET", "context", None),
            Figure::Prompt | Figure::PromptAtOnce => self.chat_request("GET", "prompt", None),
            Figure::PromptKnown => {
                let path = format!("/api/v1/chats/{}/prompt", self.chat);
                wire::get_known(&path, &self.token, &self.prompt_tag)
            }
            Figure::Diff => self.chat_request("GET", "context/diff", None),
            Figure::PushSame => self.push_of(),
            Figure::PushChanged => {
                self.repository.change(7);
                self.push_of()
            }
            Figure::Refresh => {
                self.repository.change(7);
                let push = self.push_of();
                self.ask(&push).await?;
                self.chat_request("PUT", "context", Some("{}"))
            }
            Figure::Turn => self.chat_request("POST", "turns", Some("{}")),
            Figure::ChatCreate => {
                let body = self.chat_of().to_string();
                wire::send("POST", "/api/v1/chats", &self.token, &body)
            }
        })
    }

    fn chat_of(&self) -> Value {
        json!({"agent_id": self.agent})
    }

    fn chat_request(&self, method: &str, what: &str, body: Option<&str>) -> Vec<u8> {
        let path = format!("/api/v1/chats/{}/{what}", self.chat);
        wire::send(method, &path, &self.token, body.unwrap_or_default())
    }

    /// Returns a push of the repository as it is.
    fn push_of(&mut self) -> Vec<u8> {
        self.version += 1;
        let inline: Bodies = self.repository.bodies_since(self.pushed.as_ref());
        self.pushed = Some(self.repository.clone());
        let found = self.repository.found();
        let push = manifest::push(self.epoch, self.version, true, &found, &[], &inline);
        let body = json!(push).to_string();
        wire::send("PUT", "/api/v1/agent/context", &self.agent_token, &body)
    }

    async fn send(&mut self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let path = format!("/api/v1{path}");
        let request = wire::send(method, &path, &self.token, &body.to_string());
        Ok(serde_json::from_slice(&self.ask(&request).await?.body)?)
    }

    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        let answer = self.connection.ask(request).await?;
        let is_good = matches!(answer.status, 200..300 | 304);
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(is_good, "{} {said}", answer.status);
        Ok(answer)
    }

    /// Ends the server and removes its data.
    pub async fn stop(self) -> anyhow::Result<()> {
        drop(self.connection);
        self.server.stop().await?;
        self.fresh.remove().await
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    let text = value
        .as_str()
        .context("an answer without what was asked for")?;
    Ok(text.to_owned())
}
