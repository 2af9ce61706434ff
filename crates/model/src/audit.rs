//! The audit log, as it is stored.

use uuid::Uuid;

use crate::access::Scopes;
use crate::id::{AgentId, AuditId, ChatId, TokenId, UserId};
use crate::moment::Moment;

/// A row of the audit log.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    pub id: AuditId,
    /// `user`, `agent` or `system`.
    pub actor_kind: String,
    /// The id of the user or agent.
    pub actor_id: Option<Uuid>,
    /// `None` for the system, and in rows of an earlier release.
    pub token: Option<TokenId>,
    /// The name of the operation.
    pub action: String,
    pub object_kind: Option<String>,
    /// The object, which is the first one's for several refusals.
    pub object_id: Option<Uuid>,
    /// `done` or `forbidden`.
    pub outcome: String,
    /// The time, which is the first one's for several refusals.
    pub at: Moment,
    /// More than 1 only for refusals of one token and action within one minute.
    pub count: u64,
    /// The token that the operation made, if any.
    pub new_token: Option<NewTokenRecord>,
}

/// A new token, as it was when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTokenRecord {
    pub id: TokenId,
    /// The user that the token belongs to. `None` for an agent's token.
    pub user: Option<UserId>,
    pub scopes: Scopes,
    /// The time from which on the server rejects the token.
    pub expires_at: Option<Moment>,
}

/// The object of an operation in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditObject {
    User(UserId),
    Agent(AgentId),
    Chat(ChatId),
    Token(TokenId),
}

impl AuditObject {
    /// Returns the word for the object's kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Agent(_) => "agent",
            Self::Chat(_) => "chat",
            Self::Token(_) => "token",
        }
    }

    /// Returns the object's id as a plain UUID.
    pub fn uuid(self) -> Uuid {
        match self {
            Self::User(id) => id.uuid(),
            Self::Agent(id) => id.uuid(),
            Self::Chat(id) => id.uuid(),
            Self::Token(id) => id.uuid(),
        }
    }
}
