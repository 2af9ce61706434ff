//! Turns: generations by the model, stamped with what was in force.

use crate::delivery::Delivery;
use crate::hash::{BlobHash, SnapshotId};
use crate::moment::Moment;

/// A row of `turns`.
#[derive(Debug, Clone)]
pub struct TurnRecord {
    /// Its number in the chat, from 1.
    pub number: i64,
    /// What was pinned; `None` without a pin.
    pub snapshot: Option<SnapshotId>,
    /// The prompt that was in force.
    pub prompt: Option<BlobHash>,
    /// Where the tools came from.
    pub tools_snapshot: Option<SnapshotId>,
    /// How the context reached the model.
    pub delivery: Delivery,
    /// The caller's own name for the turn; unique in the chat.
    pub reference: Option<String>,
    /// When it began.
    pub started_at: Moment,
}
