//! What is watched, and what a watcher is told.

use crate::agent::AgentRecord;
use crate::chat::ChatRecord;
use crate::id::{AgentId, ChatId};
use crate::turn::TurnRecord;

/// What a watcher is told.
#[derive(Debug, Clone)]
pub enum Event {
    /// A chat as it is now.
    Chat(Box<ChatRecord>),
    /// A turn has begun.
    Turn(ChatId, TurnRecord),
    /// An agent as it is now.
    Agent(Box<AgentRecord>),
    /// A chat is gone.
    Deleted(ChatId),
    /// An agent is gone.
    AgentDeleted(AgentId),
    /// Something may have changed: all that is told where ids are asked for.
    Changed(Changed),
    /// The state was told; what follows is changes.
    Ready,
}

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// One chat.
    Chat(ChatId),
    /// The caller's own unarchived chats, and the caller's agents.
    Own,
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The state first, then each thing as it is whenever it changed.
    Things,
    /// Of what changed its kind and id, and nothing before: for whoever reads it then.
    Ids,
}

/// What may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// A chat.
    Chat(ChatId),
    /// An agent, and so the drift of its chats.
    Agent(AgentId),
    /// Anything that is watched.
    Everything,
}
