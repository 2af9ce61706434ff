//! The audit log, as it is stored.

use uuid::Uuid;

use crate::access::Scopes;
use crate::id::{AgentId, AuditId, ChatId, TokenId, UserId};
use crate::moment::Moment;

/// A row of the audit log.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    /// Its id.
    pub id: AuditId,
    /// `user`, `agent` or `system`.
    pub actor_kind: String,
    /// Which user or agent.
    pub actor_id: Option<Uuid>,
    /// With which token; `None` for the system, and in rows of an earlier release.
    pub token: Option<TokenId>,
    /// The operation's name.
    pub action: String,
    /// What kind of thing it was done to.
    pub object_kind: Option<String>,
    /// To which; of several refusals to the first.
    pub object_id: Option<Uuid>,
    /// `done` or `forbidden`.
    pub outcome: String,
    /// When; of several refusals when the first was.
    pub at: Moment,
    /// How often. More than once only for refusals of one token and action within one minute.
    pub count: u64,
    /// The token that came of it, if one did.
    pub new_token: Option<NewTokenRecord>,
}

/// A token that was made, as it was then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTokenRecord {
    /// The public part of its text, by which its row is found.
    pub id: TokenId,
    /// The user whose it is, unless it is an agent's.
    pub user: Option<UserId>,
    /// What it may be used for.
    pub scopes: Scopes,
    /// From when on it opens nothing.
    pub expires_at: Option<Moment>,
}

/// What something is done to, as the audit log names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditObject {
    /// A user.
    User(UserId),
    /// An agent.
    Agent(AgentId),
    /// A chat.
    Chat(ChatId),
    /// A token.
    Token(TokenId),
}

impl AuditObject {
    /// Returns the word for its kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Agent(_) => "agent",
            Self::Chat(_) => "chat",
            Self::Token(_) => "token",
        }
    }

    /// Returns its id, whatever it is.
    pub fn uuid(self) -> Uuid {
        match self {
            Self::User(id) => id.uuid(),
            Self::Agent(id) => id.uuid(),
            Self::Chat(id) => id.uuid(),
            Self::Token(id) => id.uuid(),
        }
    }
}
