//! The people of an invented company, their server, and its clock.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ctxpin_client::Client;
use ctxpin_model::id::{ChatId, UserId};
use ctxpin_protocol::http::bulk_moves::{BulkMove, SeenChat};
use ctxpin_protocol::http::chats::{ChatCreate, ChatQuery, ChatStart};
use ctxpin_protocol::http::context::{ContextMove, Selector};
use ctxpin_protocol::http::people::{Secret, TokenCreate, UserCreate};
use ctxpin_protocol::http::quotas::QuotaChange;
use ctxpin_protocol::http::turns::TurnBegin;
use tempfile::TempDir;
use uuid::Uuid;

use super::workspace::Workspace;
use crate::clock::Clock;
use crate::server::Server;

/// A minute, for the times of a story.
pub const MINUTE: Duration = Duration::from_secs(60);

/// An hour, for the times of a story.
pub const HOUR: Duration = MINUTE.saturating_mul(60);

/// A day, for the times of a story.
pub const DAY: Duration = HOUR.saturating_mul(24);

/// A company: a server, and the directory of its workspaces.
pub struct Company {
    pub server: Server,
    clock: Clock,
    directory: TempDir,
    pub admin: Person,
    workspaces: Vec<Workspace>,
}

/// A user with a token.
pub struct Person {
    pub token: Secret,
    pub client: Client,
}

impl Company {
    /// Starts the program as the company's server.
    pub async fn found(program: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("ctxpin-pages-").tempdir()?;
        let clock = Clock::new(directory.path())?;
        let server = Server::start(program, Some(&clock)).await?;
        let token = server.token.clone();
        let client = server.client(&token)?;
        Ok(Self {
            server,
            clock,
            directory,
            admin: Person { token, client },
            workspaces: Vec::new(),
        })
    }

    /// Lets what follows happen a while ago. A scene tells its story forwards, because the ids of objects
    /// sort by time.
    pub fn happens(&self, ago: Duration) -> anyhow::Result<()> {
        self.clock.set_back(ago)
    }

    /// Creates a user with a role and a token.
    pub async fn employ(&self, name: &str, role: &str) -> anyhow::Result<Person> {
        let user = UserCreate {
            name: name.to_owned(),
            roles: vec![role.to_owned()],
        };
        let user = self.admin.client.user_create(&user).await?;
        let request = TokenCreate {
            label: Some("laptop".to_owned()),
            scopes: None,
            expires_at: None,
            user: Some(user.id),
        };
        let token = self.admin.client.token_create(&request).await?.secret;
        let client = self.server.client(&token)?;
        Ok(Person { token, client })
    }

    /// Creates a workspace of a person, which readers see in `/work`.
    pub async fn workspace(&self, owner: &Person, name: &str) -> anyhow::Result<Workspace> {
        let (server, above) = (&self.server.url, self.directory.path());
        Workspace::create(&owner.client, server, above, "/work", name).await
    }

    /// Lets the server refuse what a workspace of a person pushes: no room is left for more content.
    pub async fn refuse(&self, owner: &Person, workspace: &mut Workspace) -> anyhow::Result<()> {
        let owner = UserId::from(owner.client.me().await?.user.id);
        let content = |bytes| QuotaChange {
            content_bytes: Some(bytes),
            ..QuotaChange::default()
        };
        let admin = &self.admin.client;
        admin.quota_change(owner, &content(Some(1))).await?;
        let pushed = workspace.push().await;
        admin.quota_change(owner, &content(None)).await?;
        ensure!(pushed.is_err(), "a push had room");
        Ok(())
    }

    /// Keeps workspaces whose agents go on running.
    pub fn keep(&mut self, workspaces: Vec<Workspace>) {
        self.workspaces.extend(workspaces);
    }

    /// Lets the agents that go on running connect.
    pub async fn connect(&self) -> anyhow::Result<()> {
        for workspace in &self.workspaces {
            workspace.connect().await?;
        }
        Ok(())
    }
}

impl Person {
    /// Creates a chat.
    pub async fn chat(
        &self,
        agent: Option<Uuid>,
        client: &str,
        title: &str,
        policy: &str,
    ) -> anyhow::Result<ChatId> {
        let request = ChatCreate {
            agent_id: agent,
            client: Some(client.to_owned()),
            title: Some(title.to_owned()),
            policy: Some(policy.to_owned()),
            ..ChatCreate::default()
        };
        Ok(self.client.chat_create(&request).await?.chat.id.into())
    }

    /// Creates a chat whose client reads its files itself, and lets a session of it start.
    pub async fn observed(
        &self,
        agent: Uuid,
        session: &str,
        title: &str,
    ) -> anyhow::Result<ChatId> {
        let request = ChatCreate {
            agent_id: Some(agent),
            client: Some("claude-code".to_owned()),
            reference: Some(session.to_owned()),
            title: Some(title.to_owned()),
            mode: Some("observed".to_owned()),
            ..ChatCreate::default()
        };
        let chat = self.client.chat_create(&request).await?.chat.id.into();
        let start = ChatStart {
            source: "startup".to_owned(),
            head: None,
        };
        self.client.chat_start(chat, &start).await?;
        Ok(chat)
    }

    /// Lets the session of an observed chat go on in a new process.
    pub async fn resume(&self, chat: ChatId) -> anyhow::Result<()> {
        let start = ChatStart {
            source: "resume".to_owned(),
            head: None,
        };
        self.client.chat_start(chat, &start).await?;
        Ok(())
    }

    /// Moves the pins of chats to the heads of their agents.
    pub async fn take(&self, chats: &[ChatId]) -> anyhow::Result<()> {
        for chat in chats {
            let whole = ContextMove::default();
            self.client.context_move(*chat, &whole, None).await?;
        }
        Ok(())
    }

    /// Takes the changes of one source.
    pub async fn take_source(&self, chat: ChatId, source: &str) -> anyhow::Result<()> {
        let part = ContextMove {
            sources: Some(vec![Selector::Source(source.to_owned())]),
            ..ContextMove::default()
        };
        self.client.context_move(chat, &part, None).await?;
        Ok(())
    }

    /// Moves the pins of many chats of one agent at once.
    pub async fn take_together(&self, agent: Uuid, chats: &[ChatId]) -> anyhow::Result<()> {
        let head = self.client.agent(agent.into()).await?.head;
        let head = head.context("no head")?.snapshot;
        let wanted: HashSet<_> = chats.iter().map(|chat| chat.uuid()).collect();
        let mut seen = Vec::new();
        let mut query = ChatQuery {
            agent: Some(agent),
            dirty: Some(true),
            limit: Some(500),
            ..ChatQuery::default()
        };
        loop {
            let page = self.client.chats(&query).await?;
            for chat in page.items {
                if let Some(pin) = chat.context.snapshot.filter(|_| wanted.contains(&chat.id)) {
                    seen.push(SeenChat {
                        chat_id: chat.id,
                        pin,
                        head: head.clone(),
                    });
                }
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        let request = BulkMove {
            chats: seen,
            changes: None,
            decline: None,
            undecline: None,
        };
        let moved = self.client.bulk_move(&request).await?;
        ensure!(moved.failed_count == 0, "a bulk move failed: {moved:?}");
        Ok(())
    }

    /// Keeps the pin of a chat, and declines its head.
    pub async fn keep(&self, chat: ChatId) -> anyhow::Result<()> {
        let context = self.client.context(chat).await?;
        let decline = ContextMove {
            decline: context.head.map(|head| head.snapshot),
            ..ContextMove::default()
        };
        self.client.context_move(chat, &decline, None).await?;
        Ok(())
    }

    /// Moves a pin back to an earlier pin of the chat's history, counted from 1.
    pub async fn roll_back(&self, chat: ChatId, pin: i64) -> anyhow::Result<()> {
        let history = self.client.history(chat, &Default::default()).await?;
        let earlier = history.items.into_iter().find(|entry| entry.seq == pin);
        let back = ContextMove {
            snapshot: earlier.and_then(|entry| entry.snapshot),
            ..ContextMove::default()
        };
        self.client.context_move(chat, &back, None).await?;
        Ok(())
    }

    /// Begins turns with these references, one after the other.
    pub async fn turns(&self, chat: ChatId, references: &[&str]) -> anyhow::Result<()> {
        for reference in references {
            let turn = TurnBegin {
                reference: Some((*reference).to_owned()),
                delivery: None,
            };
            self.client.turn_begin(chat, &turn).await?;
        }
        Ok(())
    }
}
