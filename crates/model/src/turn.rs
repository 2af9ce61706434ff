//! Turns: generations by the model, stamped with what was in force.

use crate::delivery::Delivery;
use crate::hash::{BlobHash, SnapshotId};
use crate::moment::Moment;
use crate::resource::Resource;
use crate::tool::Tools;

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

/// A turn with what is in force for it.
#[derive(Debug, Clone)]
pub struct TurnBegun {
    /// The row that says what was in force.
    pub turn: TurnRecord,
    /// Whether it began just now.
    pub is_new: bool,
    /// What the model is to be given; `None` for a token that may not read.
    pub given: Option<TurnContext>,
    /// What the caller should know: why there is no prompt, or that its beginning has changed.
    pub notice: Option<String>,
}

/// What a model is to be given for a turn.
#[derive(Debug, Clone)]
pub struct TurnContext {
    /// The prompt; empty without a pin.
    pub prompt: String,
    /// About how many tokens that is.
    pub prompt_tokens: u64,
    /// The pin's `ok` skills.
    pub skills: Vec<Resource>,
    /// The tools.
    pub tools: Tools,
}

/// What is asked of a turn.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    /// The caller's own name for the turn: asking again with it answers the same turn.
    pub reference: Option<String>,
    /// How the context reaches the model.
    pub delivery: Delivery,
}
