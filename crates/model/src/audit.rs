//! The audit log, as it is stored.

use uuid::Uuid;

use crate::access::{ActorRef, Operation, Scopes};
use crate::door::Door;
use crate::id::{AgentId, AuditId, ChatId, TokenId, UserId};
use crate::moment::Moment;
use crate::resource::spelled;

/// A row of the audit log.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    pub id: AuditId,
    pub actor: ActorRef,
    /// The present name of the user, or of the agent's workspace. `None` if it is deleted, and for the system.
    pub actor_name: Option<String>,
    /// `None` for the system, and in rows of an earlier release.
    pub token: Option<TokenId>,
    /// The door by which the actor came. `None` in rows of an earlier release.
    pub door: Option<Door>,
    pub action: Operation,
    /// For several refusals, the object of the first one.
    pub object: Option<AuditObject>,
    /// The present name of the object: of a user, a workspace or a chat. `None` if it has none, or is deleted.
    pub object_name: Option<String>,
    pub outcome: AuditOutcome,
    /// For several refusals, the time of the first one.
    pub at: Moment,
    /// More than 1 only for refusals of one token and action within one minute.
    pub count: u64,
    /// The token that the operation made, if any.
    pub new_token: Option<NewTokenRecord>,
}

/// A filter of the audit log. `None` accepts every value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The id of the user or the agent that did it.
    pub actor: Option<Uuid>,
    pub action: Option<Operation>,
    /// The id of the object.
    pub object: Option<Uuid>,
    pub outcome: Option<AuditOutcome>,
    /// The earliest time.
    pub since: Option<Moment>,
    /// The time before which it happened.
    pub until: Option<Moment>,
}

impl AuditFilter {
    /// Returns whether the filter accepts a row.
    pub fn accepts(&self, row: &AuditRecord) -> bool {
        let object = row.object.map(AuditObject::uuid);
        self.actor
            .is_none_or(|actor| row.actor.uuid() == Some(actor))
            && self.action.is_none_or(|action| row.action == action)
            && self.object.is_none_or(|wanted| object == Some(wanted))
            && self.outcome.is_none_or(|outcome| row.outcome == outcome)
            && self.since.is_none_or(|since| row.at >= since)
            && self.until.is_none_or(|until| row.at < until)
    }
}

spelled! {
    /// The result of an operation in the audit log.
    AuditOutcome {
        Done = "done",
        Forbidden = "forbidden",
    }
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
    /// Returns the object of a kind and an id, as [`AuditObject::kind`] and [`AuditObject::uuid`] give
    /// them. `None` if the kind is unknown.
    pub fn from_parts(kind: &str, id: Uuid) -> Option<Self> {
        match kind {
            "user" => Some(Self::User(id.into())),
            "agent" => Some(Self::Agent(id.into())),
            "chat" => Some(Self::Chat(id.into())),
            "token" => Some(Self::Token(id.into())),
            _ => None,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_and_objects_are_made_of_their_parts() {
        let id = Uuid::from_u128(7);
        let actors = [
            ActorRef::User(id.into()),
            ActorRef::Agent(id.into()),
            ActorRef::System,
        ];
        for actor in actors {
            let parts = ActorRef::from_parts(actor.kind(), actor.uuid());
            assert_eq!(parts, Some(actor));
        }
        let objects = [
            AuditObject::User(id.into()),
            AuditObject::Agent(id.into()),
            AuditObject::Chat(id.into()),
            AuditObject::Token(id.into()),
        ];
        for object in objects {
            let parts = AuditObject::from_parts(object.kind(), object.uuid());
            assert_eq!(parts, Some(object));
        }
    }

    #[test]
    fn parts_of_nothing_are_refused() {
        let id = Uuid::from_u128(7);
        for (kind, id) in [
            ("user", None),
            ("agent", None),
            ("system", Some(id)),
            ("chat", Some(id)),
            ("", None),
        ] {
            assert_eq!(ActorRef::from_parts(kind, id), None, "{kind} {id:?}");
        }
        for kind in ["system", "users", ""] {
            assert_eq!(AuditObject::from_parts(kind, id), None, "{kind}");
        }
    }
}
