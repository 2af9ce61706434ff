//! Requests to move pins.

use crate::compose::Selector;
use crate::hash::{BlobHash, SnapshotId};
use crate::id::AgentId;

/// How somebody asks a chat's pin to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinMove {
    /// To the agent's head.
    Refresh {
        /// The head that the caller has seen; the move fails if the head is another one by now.
        head: Option<SnapshotId>,
    },
    /// To the pin with some sources taken from the agent's head.
    Sources {
        /// What to take, at least one.
        selectors: Vec<Selector>,
        /// The head that the caller has seen; the move fails if the head is another one by now.
        head: Option<SnapshotId>,
    },
    /// Nowhere: the caller has seen this head and keeps the pin.
    Decline(SnapshotId),
    /// Back to a snapshot of the chat's own history.
    Rollback(SnapshotId),
    /// Nowhere: the present renderer renders the prompt, if an older one made it.
    Render,
}

/// Which drifted, unarchived chats an admin refreshes. Conditions add up; without any, all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefreshFilter {
    /// The chat is bound to this agent.
    pub agent: Option<AgentId>,
    /// The chat's pin, or its agent's head, holds this content.
    pub content: Option<BlobHash>,
}
