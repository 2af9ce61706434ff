//! A server in use by many: ten thousand chats, an agent whose pushes differ in every resource, a long chat.

use std::fmt;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctxpin_client::Client;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::agents::{AgentCreate, SessionOpen};
use ctxpin_protocol::http::chats::ChatCreate;
use ctxpin_protocol::http::push::{Facts, ManifestResource, Push};
use ctxpin_protocol::http::turns::TurnBegin;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use crate::server::Server;

/// Lines of each file, of which every second push changes two.
const LINES: usize = 40;
const CHANGED_LINES: [usize; 2] = [7, 23];

/// The words of the files. Text of few words compresses as prose does.
const WORDS: [&str; 48] = [
    "a",
    "always",
    "and",
    "api",
    "before",
    "branch",
    "build",
    "change",
    "check",
    "commit",
    "database",
    "deploy",
    "error",
    "every",
    "file",
    "for",
    "function",
    "handler",
    "if",
    "in",
    "interface",
    "keep",
    "limit",
    "log",
    "migration",
    "module",
    "must",
    "name",
    "never",
    "of",
    "or",
    "payment",
    "query",
    "release",
    "request",
    "retry",
    "review",
    "rule",
    "service",
    "short",
    "test",
    "the",
    "timeout",
    "type",
    "use",
    "when",
    "with",
    "write",
];

/// How many of each there are.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    chats: usize,
    drifted: usize,
    resources: usize,
    turns: usize,
}

/// A page to measure.
pub struct LargePage {
    pub name: &'static str,
    pub path: String,
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            chats,
            drifted,
            resources,
            turns,
        } = self;
        write!(
            f,
            "{chats} chats, {drifted} of which have drifted, a chat whose {resources} resources have all changed, and a \
             chat with {turns} turns"
        )
    }
}

impl Scene {
    /// The counts of a report.
    pub const FULL: Self = Self {
        chats: 10_000,
        drifted: 2_000,
        resources: 500,
        turns: 5_000,
    };

    /// Counts that show that everything runs.
    pub const QUICK: Self = Self {
        chats: 100,
        drifted: 20,
        resources: 50,
        turns: 60,
    };

    /// Creates everything through the API, and returns the largest pages.
    pub async fn set_up(&self, server: &Server) -> anyhow::Result<Vec<LargePage>> {
        let client = server.client(&server.token)?;
        let mut random = StdRng::seed_from_u64(1);
        let calm = Agent::create(server, &client, "shop").await?;
        calm.push(&files(&mut random, 3), 1).await?;
        let moved = Agent::create(server, &client, "payments").await?;
        let mut rules = files(&mut random, 3);
        moved.push(&rules, 1).await?;
        let large = Agent::create(server, &client, "platform").await?;
        let mut many = files(&mut random, self.resources);
        large.push(&many, 1).await?;
        let changed = create_chat(&client, large.id, "Bring all rules up to date").await?;
        let long = create_chat(&client, calm.id, "Migrate the orders, step by step").await?;
        for number in 0..self.drifted {
            create_chat(&client, moved.id, &format!("Refund {number}")).await?;
        }
        for number in 0..self.chats - self.drifted {
            create_chat(&client, calm.id, &format!("Order {number}")).await?;
        }
        for _ in 0..self.turns {
            client.turn_begin(long, &TurnBegin::default()).await?;
        }
        change(&mut random, &mut rules);
        moved.push(&rules, 2).await?;
        change(&mut random, &mut many);
        large.push(&many, 2).await?;
        let page = |name, path: String| LargePage { name, path };
        Ok(vec![
            page("Changes", "/".to_owned()),
            page("Chats", "/chats".to_owned()),
            page("Chats, drifted", "/chats?show=drifted".to_owned()),
            page("Diff", format!("/chats/{changed}?view=unified")),
            page("Diff, side by side", format!("/chats/{changed}?view=split")),
            page("Context", format!("/chats/{changed}/context")),
            page("Prompt", format!("/chats/{changed}/prompt")),
            page("Turns", format!("/chats/{long}/turns")),
            page("History", format!("/chats/{long}/history")),
            page("Workspaces", "/workspaces".to_owned()),
            page("Workspace", format!("/workspaces/{}", moved.id)),
        ])
    }
}

/// A file of a workspace.
struct File {
    path: String,
    lines: Vec<String>,
}

impl File {
    fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

/// Returns that many files of random rules.
fn files(random: &mut StdRng, count: usize) -> Vec<File> {
    let mut files = Vec::new();
    for number in 0..count {
        files.push(File {
            path: format!("/srv/work/team-{}/rule-{number:03}/AGENTS.md", number / 20),
            lines: (0..LINES).map(|_| line(random)).collect(),
        });
    }
    files
}

/// Changes some lines of each file.
fn change(random: &mut StdRng, files: &mut [File]) {
    for file in files {
        for number in CHANGED_LINES {
            file.lines[number] = line(random);
        }
    }
}

fn line(random: &mut StdRng) -> String {
    let words: Vec<_> = (0..9)
        .map(|_| WORDS[random.random_range(0..WORDS.len())])
        .collect();
    words.join(" ")
}

async fn create_chat(client: &Client, agent: Uuid, title: &str) -> anyhow::Result<ChatId> {
    let chat = ChatCreate {
        client: Some("claude-code".to_owned()),
        agent_id: Some(agent),
        title: Some(title.to_owned()),
        ..ChatCreate::default()
    };
    Ok(client.chat_create(&chat).await?.chat.id.into())
}

/// An agent with an open session.
struct Agent {
    id: Uuid,
    client: Client,
    epoch: i64,
}

impl Agent {
    async fn create(server: &Server, client: &Client, workspace: &str) -> anyhow::Result<Self> {
        let create = AgentCreate {
            workspace: workspace.to_owned(),
            name: None,
            may_refresh: false,
            replaces: None,
            ..AgentCreate::default()
        };
        let created = client.agent_create(&create).await?;
        let client = server.client(&created.token)?;
        let process = SessionOpen {
            process: Uuid::new_v4(),
            polling: None,
        };
        let session = client.session_open(&process).await?;
        Ok(Self {
            id: created.agent.id,
            client,
            epoch: session.epoch,
        })
    }

    /// Pushes files, all with their bytes.
    async fn push(&self, files: &[File], version: i64) -> anyhow::Result<()> {
        let resources = files.iter().map(resource);
        let blobs = files.iter().map(|file| {
            let text = file.text();
            let hash = BlobHash::of(text.as_bytes()).to_string();
            (hash, STANDARD.encode(text))
        });
        let push = Push {
            epoch: self.epoch,
            version,
            error: None,
            mcp_settled: None,
            facts: Facts {
                os: Some("linux".to_owned()),
                directory: Some("/srv/work".to_owned()),
                ..Facts::default()
            },
            resources: resources.collect(),
            notes: Vec::new(),
            blobs: blobs.collect(),
        };
        let answer = self.client.push(&push).await?;
        anyhow::ensure!(answer.accepted, "a push was refused: {:?}", answer.reason);
        answer.snapshot.context("the push made no head")?;
        Ok(())
    }
}

fn resource(file: &File) -> ManifestResource {
    let text = file.text();
    ManifestResource {
        kind: "instruction_file".to_owned(),
        source: file.path.clone(),
        status: "ok".to_owned(),
        error: None,
        content_hash: Some(BlobHash::of(text.as_bytes()).to_string()),
        size_bytes: text.len() as u64,
        root: Some("/srv/work".to_owned()),
        name: None,
        description: None,
        files: Vec::new(),
        tools: Vec::new(),
        shape: None,
        applies: None,
        imported_by: None,
    }
}
