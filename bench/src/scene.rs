//! The product in process: a service on a fresh database, people, agents and chats.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail};
use ctxpin_model::agent::AgentRequest;
use ctxpin_model::chat::ChatCreate;
use ctxpin_model::context::ContextView;
use ctxpin_model::id::{AgentId, ChatId, ProcessId};
use ctxpin_model::manifest::{Claims, Manifest};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::PageRequest;
use ctxpin_model::pin_move::PinMove;
use ctxpin_model::policy::Policy;
use ctxpin_model::profile::Profile;
use ctxpin_model::push::{Position, Push, PushOutcome};
use ctxpin_model::quota::{Amounts, Quotas, Rates};
use ctxpin_model::token::{Credential, Token};
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_operations::agents;
use ctxpin_operations::chats;
use ctxpin_operations::clock::Clock;
use ctxpin_operations::people::{self, FirstToken};
use ctxpin_operations::pins;
use ctxpin_operations::pushes;
use ctxpin_operations::service::Service;
use uuid::Uuid;

use crate::database::{Fresh, Kind};
use crate::repository::Repository;
use crate::sql::{Pool, Value};

/// The product on a database of its own.
pub struct Scene {
    pub service: Service,
    /// Plain connections to the same database.
    pub pool: Pool,
    /// The token of the first user, who owns everything.
    pub token: Token,
    owner: Uuid,
    fresh: Fresh,
}

/// An agent with an open session.
pub struct Agent {
    pub id: AgentId,
    pub token: Token,
    epoch: i64,
    version: i64,
    head: Option<Repository>,
}

/// Quotas above the need of every case, so that no case reaches one.
const BOUNDLESS: Quotas = Quotas {
    amounts: Amounts {
        content_bytes: MORE_THAN_ENOUGH,
        agents: MORE_THAN_ENOUGH,
        chats: MORE_THAN_ENOUGH,
        tokens: MORE_THAN_ENOUGH,
    },
    rates: Rates {
        pushes: MORE_THAN_ENOUGH,
        upload_bytes: MORE_THAN_ENOUGH,
        turns: MORE_THAN_ENOUGH,
        moves: MORE_THAN_ENOUGH,
        sign_ins: MORE_THAN_ENOUGH,
    },
};

/// More than any case takes.
const MORE_THAN_ENOUGH: u64 = 1_000_000_000_000;

impl Scene {
    /// Opens a service on a fresh database.
    pub async fn open(kind: &Kind) -> anyhow::Result<Self> {
        let fresh = kind.fresh().await?;
        let service = Service::open(&fresh.storage(), Clock::system())
            .await?
            .with_quotas(BOUNDLESS);
        let kept = Mutex::new(None);
        let keep = |token: &Token| {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
            Ok::<(), std::convert::Infallible>(())
        };
        match people::first_user(&service, FirstToken::OnlyWithUser, keep).await? {
            Ok(true) => {}
            Ok(false) => bail!("a new database has a user"),
        }
        let token = kept
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .context("no token was handed out")?;
        let (owner, _) = people::me(&service, token.credential()).await?;
        let pool = fresh.pool().await?;
        Ok(Self {
            service,
            pool,
            token,
            owner: owner.id.uuid(),
            fresh,
        })
    }

    /// Returns the token of the requests.
    pub fn owner(&self) -> Credential {
        self.token.credential()
    }

    /// Closes the service and keeps the data, for servers that take its place.
    pub async fn leave(self) -> (Fresh, Token) {
        self.service.close().await;
        self.pool.close().await;
        (self.fresh, self.token)
    }

    /// Closes and removes everything.
    pub async fn finish(self) -> anyhow::Result<()> {
        let (fresh, _) = self.leave().await;
        fresh.remove().await
    }

    /// Creates a new agent.
    pub async fn agent(&self, workspace: &str) -> anyhow::Result<Agent> {
        self.agent_of(workspace, Profile::Neutral).await
    }

    /// Creates a new agent that follows the rules of a tool.
    pub async fn agent_of(&self, workspace: &str, profile: Profile) -> anyhow::Result<Agent> {
        let request = AgentRequest {
            workspace: workspace.to_owned(),
            name: "main".to_owned(),
            may_refresh: false,
            replaces: None,
            profile,
            ..AgentRequest::default()
        };
        let (agent, token) = agents::create(&self.service, self.owner(), &request).await?;
        let process = ProcessId::from(Uuid::new_v4());
        let session = pushes::session_open(&self.service, token.credential(), process).await?;
        Ok(Agent {
            id: agent.id,
            token,
            epoch: session.epoch,
            version: 0,
            head: None,
        })
    }

    /// Creates a new chat, bound to an agent and pinned to its head.
    pub async fn chat(&self, agent: AgentId) -> anyhow::Result<ChatId> {
        let request = ChatCreate {
            agent: Some(agent),
            ..ChatCreate::default()
        };
        let (chat, _) = chats::create(&self.service, self.owner(), &request).await?;
        Ok(chat.id)
    }

    /// Creates many unpinned chats that are bound to an agent without a head. It writes the rows
    /// that the product would write, but in one transaction, and without the rows of the audit log,
    /// which no measurement reads. The agent's first push pins all of these chats.
    pub async fn chats_unpinned(&self, agent: AgentId, count: usize) -> anyhow::Result<Vec<Uuid>> {
        let now = now();
        let ids: Vec<Uuid> = (0..count).map(|_| ChatId::generate(now).uuid()).collect();
        let row = |id: &Uuid| {
            vec![
                Value::Id(*id),
                Value::Id(self.owner),
                Value::Id(agent.uuid()),
                Value::Text(Policy::Manual.as_str().to_owned()),
                Value::Text(ToolsMode::Live.as_str().to_owned()),
                Value::Time(now.utc()),
                Value::Time(now.utc()),
            ]
        };
        let rows: Vec<_> = ids.iter().map(row).collect();
        let head =
            "insert into chats (id, owner_id, agent_id, policy, tools, created_at, updated_at)";
        self.pool.insert(head, &rows).await?;
        Ok(ids)
    }

    /// Moves a pin.
    pub async fn pin_move(&self, chat: ChatId, request: &PinMove) -> anyhow::Result<ContextView> {
        Ok(pins::pin_move(&self.service, self.owner(), chat, request, None).await?)
    }

    /// Returns the newest chat, for example one of those from [`Self::chats_unpinned`].
    pub async fn newest_chat(&self) -> anyhow::Result<ChatId> {
        let page = PageRequest::newest(1);
        let filter = ctxpin_model::chat::ChatFilter::default();
        let page = chats::list(&self.service, self.owner(), &filter, &page).await?;
        Ok(page.items.first().context("there is no chat")?.id)
    }
}

impl Agent {
    /// Returns the next push of a repository.
    pub fn push_of(&mut self, repository: &Repository) -> Push {
        self.version += 1;
        let inline = repository.bodies_since(self.head.as_ref());
        self.head = Some(repository.clone());
        let claims = Claims::of(&repository.found(), inline);
        Push {
            position: Position {
                epoch: self.epoch,
                version: self.version,
            },
            mcp_settled: true,
            manifest: Manifest::new(claims).expect("a repository's claims are well formed"),
            notes: Vec::new(),
        }
    }

    /// Pushes a repository.
    pub async fn push(
        &mut self,
        service: &Service,
        repository: &Repository,
    ) -> anyhow::Result<PushOutcome> {
        let push = self.push_of(repository);
        Ok(pushes::push(service, self.token.credential(), push).await?)
    }
}

/// Returns the present moment.
pub fn now() -> Moment {
    Clock::system().now()
}
