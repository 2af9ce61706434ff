//! The events of a watch, as they travel in Server-Sent Events (HTML standard, section 9.2).
//!
//! A watch first tells the state, thing by thing, then `ready`, then changes. An event carries the
//! whole thing as it is, never a difference: whoever missed some is right again at the next.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::agents::Agent;
use crate::http::chats::Chat;
use crate::http::turns::Turn;
use crate::problem::Problem;

/// Something that a watcher is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A chat as it is now.
    Chat(Box<Chat>),
    /// A turn has begun.
    Turn(ChatTurn),
    /// An agent as it is now.
    Agent(Agent),
    /// A chat or an agent is gone, or may no longer be seen.
    Deleted(Deleted),
    /// Something may have changed: all that is told with `state=false`.
    Changed(Changed),
    /// The state has been told; what follows are changes.
    Ready,
    /// The server ends the stream, and why.
    Closed(Problem),
}

/// A turn and its chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatTurn {
    /// The chat.
    pub chat_id: Uuid,
    /// The turn.
    pub turn: Turn,
}

/// The id of something that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// The id of the chat or the agent.
    pub id: Uuid,
}

/// What may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Changed {
    /// A chat.
    Chat(Uuid),
    /// An agent, and so the drift of its chats.
    Agent(Uuid),
    /// Anything that is watched.
    Everything,
}

/// How much a watch tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WatchQuery {
    /// `false`: no state first, and of what may have changed its kind and id alone (`changed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<bool>,
}

impl Event {
    /// The name in the `event` field.
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

    /// The text of the `data` field: one line of JSON.
    ///
    /// # Errors
    ///
    /// None for any value of these types; what `serde_json` may answer is passed on.
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

    /// Reads an event. `None` for a name that this version does not know: a newer server may tell
    /// more.
    ///
    /// # Errors
    ///
    /// If `data` is not what an event of that name carries.
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
