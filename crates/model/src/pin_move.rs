//! Requests to move pins.

use crate::compose::Selector;
use crate::hash::{BlobHash, SnapshotId};
use crate::id::{AgentId, ChatId};
use crate::pending_change::PendingChangeId;
use crate::policy::Policy;

/// The most chats of one [`BulkMove`].
pub const BULK_CHATS_MAX: usize = 1_000;

/// The most pending changes that one [`BulkMove`] takes.
pub const BULK_CHANGES_MAX: usize = 1_000;

/// A request to move a chat's pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinMove {
    /// To the agent's head.
    Refresh {
        /// The head that the caller has seen. The move fails if the agent has one that is another to the chat.
        head: Option<SnapshotId>,
    },
    /// To the pin with the selected parts of the agent's head.
    Sources {
        /// At least one selector of what to take.
        selectors: Vec<Selector>,
        /// The head that the caller has seen. The move fails if the agent has one that is another to the chat.
        head: Option<SnapshotId>,
    },
    /// To the pin with these pending changes taken from the agent's head. The pin stays if the chat has none
    /// of them.
    Changes {
        /// The ids of the changes, sorted.
        changes: Vec<PendingChangeId>,
        /// The head that the caller has seen. The move fails if the agent has one that is another to the chat.
        head: SnapshotId,
    },
    /// Keep the pin. The caller has seen this head and declines it.
    Decline(SnapshotId),
    /// Keep the pin, and let this head that was declined wait for a decision again.
    Undecline(SnapshotId),
    /// Back to a snapshot of the chat's history. The policy becomes [`Policy::Manual`].
    Rollback(SnapshotId),
    /// Back to the pin before the last move, with the policy that the chat had then.
    Undo {
        /// A snapshot of the chat's history.
        to: SnapshotId,
        policy: Policy,
    },
    /// Keep the snapshot, and render its prompt with the latest renderer if an older one made it.
    Render,
}

impl PinMove {
    /// Returns whether the move chooses the pinned snapshot, which only a delivered chat allows.
    pub fn chooses_snapshot(&self) -> bool {
        match self {
            Self::Refresh { .. }
            | Self::Sources { .. }
            | Self::Changes { .. }
            | Self::Rollback(_)
            | Self::Undo { .. } => true,
            Self::Decline(_) | Self::Undecline(_) | Self::Render => false,
        }
    }
}

/// A filter of the drifted, unarchived chats that an admin refreshes. A chat must meet every condition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefreshFilter {
    /// The chat is bound to this agent.
    pub agent: Option<AgentId>,
    /// The chat's pin or its agent's head contains this content.
    pub content: Option<BlobHash>,
}

/// A decision about the drift of several chats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkMove {
    /// At most [`BULK_CHATS_MAX`] chats.
    pub chats: Vec<SeenChat>,
    pub decision: Decision,
}

/// A chat as the caller has seen it. The chat does not move if its pin has changed since, or its agent's head in what
/// the chat compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenChat {
    pub chat: ChatId,
    pub pin: SnapshotId,
    pub head: SnapshotId,
}

/// A chat whose pin is to move back. The chat does not move if its pin has changed since the caller has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveBack {
    pub chat: ChatId,
    /// The pin that the caller has seen.
    pub pin: SnapshotId,
    /// A snapshot of the chat's history.
    pub to: SnapshotId,
    /// The policy that the chat had there.
    pub policy: Policy,
}

/// What to do about the drift of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Move the pin to the head.
    TakeAll,
    /// Take these pending changes, whose ids are sorted.
    Take(Vec<PendingChangeId>),
    /// Keep the pin and decline the head.
    Decline,
    /// Keep the pin and take back that the head was declined.
    Undecline,
}

impl Decision {
    /// Returns the move of a chat whose agent has this head.
    pub fn to_move(&self, head: SnapshotId) -> PinMove {
        match self {
            Self::TakeAll => PinMove::Refresh { head: Some(head) },
            Self::Take(changes) => PinMove::Changes {
                changes: changes.clone(),
                head,
            },
            Self::Decline => PinMove::Decline(head),
            Self::Undecline => PinMove::Undecline(head),
        }
    }
}

/// What a bulk move did to one chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkOutcome {
    /// The pin moved, and the policy stayed.
    Moved {
        /// The pin now.
        pin: SnapshotId,
        policy: Policy,
    },
    /// The chat declined the head.
    Declined,
    /// The declined head waits for a decision again.
    Undeclined,
    /// The pin is where it was, because there was nothing to take or to decline.
    Unchanged,
}
