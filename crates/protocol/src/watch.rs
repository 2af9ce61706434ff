//! The events of a watch, as Server-Sent Events carry them (HTML standard, section 9.2).
//!
//! A watch first sends the state of every object, then `ready`, then changes. An event has the
//! whole object, never a difference, so a watcher that missed events is up to date after the next
//! one.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::agents::Agent;
use crate::http::chats::Chat;
use crate::http::turns::Turn;
use crate::problem::Problem;

/// An event that a watcher gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The present state of a chat.
    Chat(Box<Chat>),
    /// A turn has begun.
    Turn(ChatTurn),
    /// The present state of an agent.
    Agent(Agent),
    /// A chat or an agent was deleted, or the watcher may no longer see it.
    Deleted(Deleted),
    /// An object may have changed. A watch with `state=false` sends this in place of the object.
    Changed(Changed),
    /// The whole state has been sent, and the following events are changes.
    Ready,
    /// The server ends the stream for this reason.
    Closed(Problem),
}

/// A turn with its chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatTurn {
    pub chat_id: Uuid,
    pub turn: Turn,
}

/// An object that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// The id of the chat or agent.
    pub id: Uuid,
}

/// An object that may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Changed {
    Chat(Uuid),
    /// An agent, and with it the drift of its chats.
    Agent(Uuid),
    /// Any watched object.
    Everything,
}

/// The detail of a watch's events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WatchQuery {
    /// `false`: the watch sends no state at first, and of a changed object only the kind and id
    /// (`changed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<bool>,
}

impl Event {
    /// Returns the value of the `event` field.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Chat(_) => "chat",
            Self::Turn(_) => "turn",
            Self::Agent(_) => "agent",
            Self::Deleted(_) => "deleted",
            Self::Changed(_) => "changed",
            Self::Ready => "ready",
            Self::Closed(_) => "closed",
        }
    }

    /// Returns the value of the `data` field: one line of JSON.
    ///
    /// # Errors
    ///
    /// Returns the error of `serde_json`, which no value of these types causes.
    pub fn data(&self) -> serde_json::Result<String> {
        match self {
            Self::Chat(chat) => serde_json::to_string(chat),
            Self::Turn(turn) => serde_json::to_string(turn),
            Self::Agent(agent) => serde_json::to_string(agent),
            Self::Deleted(deleted) => serde_json::to_string(deleted),
            Self::Changed(changed) => serde_json::to_string(changed),
            Self::Ready => Ok("{}".to_owned()),
            Self::Closed(problem) => serde_json::to_string(problem),
        }
    }

    /// Reads an event. Returns `None` for a name that this version does not know, because a newer
    /// server may send more.
    ///
    /// # Errors
    ///
    /// Fails if `data` is not what an event of this name carries.
    pub fn parse(name: &str, data: &str) -> serde_json::Result<Option<Self>> {
        Ok(Some(match name {
            "chat" => Self::Chat(serde_json::from_str(data)?),
            "turn" => Self::Turn(serde_json::from_str(data)?),
            "agent" => Self::Agent(serde_json::from_str(data)?),
            "deleted" => Self::Deleted(serde_json::from_str(data)?),
            "changed" => Self::Changed(serde_json::from_str(data)?),
            "ready" => Self::Ready,
            "closed" => Self::Closed(serde_json::from_str(data)?),
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ProblemName;

    #[test]
    fn events_read_back() {
        let id = Uuid::from_u128(7);
        for (event, name, data) in [
            (Event::Ready, "ready", "{}".to_owned()),
            (
                Event::Changed(Changed::Chat(id)),
                "changed",
                format!(r#"{{"kind":"chat","id":"{id}"}}"#),
            ),
            (
                Event::Changed(Changed::Everything),
                "changed",
                r#"{"kind":"everything"}"#.to_owned(),
            ),
            (
                Event::Deleted(Deleted { id }),
                "deleted",
                format!(r#"{{"id":"{id}"}}"#),
            ),
            (
                Event::Closed(Problem::new(ProblemName::Unavailable, "It is stopping.")),
                "closed",
                r#"{"type":"urn:ctxpin:problem:unavailable","title":"The server cannot answer now","status":503,"detail":"It is stopping."}"#.to_owned(),
            ),
        ] {
            assert_eq!(event.name(), name);
            assert_eq!(event.data().unwrap(), data);
            assert_eq!(Event::parse(name, &data).unwrap(), Some(event));
        }
        assert_eq!(Event::parse("weather", "{}").unwrap(), None);
        assert!(Event::parse("chat", "{}").is_err());
    }
}
