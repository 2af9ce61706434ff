//! The subjects of watches, and the events that a watcher gets.

use crate::agent::AgentRecord;
use crate::chat::ChatRecord;
use crate::id::{AgentId, ChatId};
use crate::turn::TurnRecord;

/// An event that a watcher gets.
#[derive(Debug, Clone)]
pub enum Event {
    /// The present state of a chat.
    Chat(Box<ChatRecord>),
    /// A turn has begun.
    Turn(ChatId, Box<TurnRecord>),
    /// The present state of an agent.
    Agent(Box<AgentRecord>),
    /// A chat was deleted.
    Deleted(ChatId),
    /// An agent was deleted.
    AgentDeleted(AgentId),
    /// An object may have changed. With [`Detail::Ids`] there are no other events.
    Changed(Changed),
    /// The whole state has been sent, and the following events are changes.
    Ready,
}

/// The subject of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Chat(ChatId),
    /// The caller's own unarchived chats, and the caller's agents.
    Own,
}

/// The detail of a watch's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// First the state of all objects, then that of each object that changes.
    Full,
    /// Only the kind and id of each object that changes, for watchers that read it themselves.
    Ids,
}

/// An object that may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    Chat(ChatId),
    /// An agent, and with it the drift of its chats.
    Agent(AgentId),
    /// Any watched object.
    Everything,
}
