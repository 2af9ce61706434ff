//! People and agents, as callers of operations.

use ctxpin_model::access::Roles;
use ctxpin_model::agent::AgentRecord;
use ctxpin_model::agent::{AgentRequest, Replaces};
use ctxpin_model::chat::ChatCreate;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::id::{AgentId, ProcessId, UserId};
use ctxpin_model::push::{Position, Push, PushOutcome};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::token::Credential;
use ctxpin_model::token::TokenRequest;
use ctxpin_operations::agents;
use ctxpin_operations::chats;
use ctxpin_operations::error::Error;
use ctxpin_operations::people::{self, FirstToken};
use ctxpin_operations::pushes;
use ctxpin_operations::service::Service;
use std::cell::RefCell;
use uuid::Uuid;

use crate::workspace::{Workspace, claimed};

/// Creates the first user of a new service: member and admin, with a token of every scope.
pub async fn first_admin(service: &Service) -> Credential {
    let kept = RefCell::new(None);
    let keep = |token: &ctxpin_model::token::Token| {
        *kept.borrow_mut() = Some(token.credential());
        Ok::<(), std::convert::Infallible>(())
    };
    let made = people::first_user(service, FirstToken::OnlyWithUser, keep).await;
    assert!(matches!(made, Ok(Ok(true))), "a new service has no user");
    kept.into_inner().expect("the token was handed out")
}

/// Creates a new user with these roles (`"member auditor"`), and a token with these scopes.
pub async fn user(
    service: &Service,
    admin: Credential,
    name: &str,
    roles: &str,
    scopes: &str,
) -> (UserId, Credential) {
    let roles: Roles = roles.parse().expect("known roles");
    let user = people::user_create(service, admin, name, roles)
        .await
        .expect("a new user");
    let request = TokenRequest {
        user: Some(user.id),
        ..token_request(scopes)
    };
    let (_, token) = people::token_create(service, admin, &request)
        .await
        .expect("a token");
    (user.id, token.credential())
}

/// Returns the request of a caller for a token with these scopes, which does not expire.
pub fn token_request(scopes: &str) -> TokenRequest {
    TokenRequest {
        label: None,
        scopes: scopes.parse().expect("known scopes"),
        expires_at: None,
        user: None,
    }
}

/// Creates a member with a token that reads and writes.
pub async fn member(service: &Service, admin: Credential, name: &str) -> Credential {
    user(service, admin, name, "member", "read write").await.1
}

/// Creates a new chat of `owner`, bound to this agent or to none.
pub async fn chat(service: &Service, owner: Credential, agent: Option<AgentId>) -> ChatRecord {
    let request = ChatCreate {
        agent,
        ..ChatCreate::default()
    };
    let (chat, is_new) = chats::create(service, owner, &request)
        .await
        .expect("a new chat");
    assert!(is_new, "a chat without a reference is always new");
    chat
}

/// An agent with an open session.
pub struct TestAgent {
    pub id: AgentId,
    /// Its own token.
    pub credential: Credential,
    /// Its process's epoch.
    pub epoch: i64,
    /// The version of its last push.
    pub version: i64,
}

impl TestAgent {
    /// Creates an agent of `owner` in a workspace of that name, with an open session.
    pub async fn create(service: &Service, owner: Credential, workspace: &str) -> Self {
        Self::create_from(
            service,
            owner,
            &AgentRequest {
                workspace: workspace.into(),
                name: "main".into(),
                may_refresh: false,
                replaces: None,
                ..AgentRequest::default()
            },
        )
        .await
    }

    /// Creates an agent like [`Self::create`] that replaces another one.
    pub async fn create_replacing(
        service: &Service,
        owner: Credential,
        workspace: &str,
        replaces: Replaces,
    ) -> Self {
        Self::create_from(
            service,
            owner,
            &AgentRequest {
                workspace: workspace.into(),
                name: "main".into(),
                may_refresh: false,
                replaces: Some(replaces),
                ..AgentRequest::default()
            },
        )
        .await
    }

    /// Creates an agent by a request, with an open session.
    pub async fn create_from(service: &Service, owner: Credential, request: &AgentRequest) -> Self {
        let (agent, token): (AgentRecord, _) = agents::create(service, owner, request)
            .await
            .expect("a new agent");
        let credential = token.credential();
        let mut agent = Self {
            id: agent.id,
            credential,
            epoch: 0,
            version: 0,
        };
        agent.restart(service).await;
        agent
    }

    /// Opens a session as a new process.
    pub async fn restart(&mut self, service: &Service) {
        let process = ProcessId::from(Uuid::new_v4());
        let session = pushes::session_open(service, self.credential, process)
            .await
            .expect("a session");
        self.epoch = session.epoch;
        self.version = 0;
    }

    /// Pushes a workspace with all its bytes inline.
    pub async fn push(
        &mut self,
        service: &Service,
        workspace: &Workspace,
    ) -> Result<PushOutcome, Error> {
        let (manifest, inline) = workspace.manifest();
        self.push_as(service, manifest, inline).await
    }

    /// Pushes a manifest unchanged, with the next version.
    pub async fn push_as(
        &mut self,
        service: &Service,
        manifest: Snapshot,
        inline: ctxpin_model::resource::Bodies,
    ) -> Result<PushOutcome, Error> {
        let push = self.next_push(manifest, inline);
        pushes::push(service, self.credential, push).await
    }

    /// Pushes a workspace whose MCP servers have not all answered yet.
    pub async fn push_unsettled(
        &mut self,
        service: &Service,
        workspace: &Workspace,
    ) -> Result<PushOutcome, Error> {
        let (manifest, inline) = workspace.manifest();
        let push = Push {
            mcp_settled: false,
            ..self.next_push(manifest, inline)
        };
        pushes::push(service, self.credential, push).await
    }

    fn next_push(&mut self, manifest: Snapshot, inline: ctxpin_model::resource::Bodies) -> Push {
        self.version += 1;
        Push {
            position: Position {
                epoch: self.epoch,
                version: self.version,
            },
            mcp_settled: true,
            manifest: claimed(&manifest, inline),
            notes: Vec::new(),
        }
    }
}
