//! Requests to move pins.

use crate::compose::Selector;
use crate::hash::{BlobHash, SnapshotId};
use crate::id::AgentId;

/// A request to move a chat's pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinMove {
    /// To the agent's head.
    Refresh {
        /// The head that the caller has seen; the move fails if the agent has another one.
        head: Option<SnapshotId>,
    },
    /// To the pin with the selected parts of the agent's head.
    Sources {
        /// At least one selector of what to take.
        selectors: Vec<Selector>,
        /// The head that the caller has seen; the move fails if the agent has another one.
        head: Option<SnapshotId>,
    },
    /// Keep the pin. The caller has seen this head and declines it.
    Decline(SnapshotId),
    /// Back to a snapshot of the chat's history.
    Rollback(SnapshotId),
    /// Keep the snapshot, and render its prompt with the latest renderer if an older one made it.
    Render,
}

/// A filter of the drifted, unarchived chats that an admin refreshes. A chat must meet every condition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefreshFilter {
    /// The chat is bound to this agent.
    pub agent: Option<AgentId>,
    /// The chat's pin or its agent's head contains this content.
    pub content: Option<BlobHash>,
}
