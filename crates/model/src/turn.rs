//! Turns: generations by a model, each recorded with what was in force for it.

use crate::delivery::Delivery;
use crate::evidence::{EvidenceView, TurnEvidence};
use crate::hash::{BlobHash, SnapshotId};
use crate::moment::Moment;
use crate::offered_tools::Tools;
use crate::resource::Resource;

/// The stamp of a turn: what was in force for one generation of a model.
#[derive(Debug, Clone)]
pub struct TurnRecord {
    /// The turn's number in the chat, counted from 1.
    pub number: i64,
    /// The pinned snapshot. `None` if the chat had no pin.
    pub snapshot: Option<SnapshotId>,
    /// The snapshot with which the turn began, if its pin was not confirmed and evidence has shown another one since. The
    /// stamp names that one.
    pub believed: Option<SnapshotId>,
    /// The number of the pin in the chat's history. `None` if the chat had no pin, or the turn began under an earlier
    /// release.
    pub pin_seq: Option<i64>,
    pub prompt: Option<BlobHash>,
    /// The snapshot that the tools came from.
    pub tools_snapshot: Option<SnapshotId>,
    pub delivery: Delivery,
    /// The caller's name for the turn, unique in the chat.
    pub reference: Option<String>,
    pub started_at: Moment,
    /// What the evidence says. `None` if nobody handed any in.
    pub evidence: Option<TurnEvidence>,
}

/// The result of beginning a turn.
#[derive(Debug, Clone)]
pub struct TurnBegun {
    pub turn: TurnRecord,
    /// False if the turn had already begun, with the same reference.
    pub is_new: bool,
    /// The model's context. `None` if the token lacks the right to read it.
    pub given: Option<TurnContext>,
    /// A message for the caller: why there is no prompt, or that the beginning of the prompt has
    /// changed.
    pub notice: Option<String>,
}

/// The context to give to a model for a turn.
#[derive(Debug, Clone)]
pub struct TurnContext {
    /// The prompt, which is empty without a pin.
    pub prompt: String,
    /// The estimated number of tokens of the prompt.
    pub prompt_tokens: u64,
    pub offer: Offer,
}

/// What a model may ask for in a turn.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// The pin's `ok` skills.
    pub skills: Vec<Resource>,
    pub tools: Tools,
}

/// A turn as it is told afterwards, without the text of its prompt.
#[derive(Debug, Clone)]
pub struct TurnView {
    pub turn: TurnRecord,
    /// `None` if the chat had no pin.
    pub prompt: Option<PromptFacts>,
    /// `None` if the caller may not read bodies.
    pub offer: Option<Offer>,
    /// The rows of evidence. `None` if nobody handed any in.
    pub evidence: Option<EvidenceView>,
}

/// What is known of a prompt besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptFacts {
    pub size_bytes: u64,
    /// The estimated number of tokens.
    pub tokens: u64,
    /// The version of the renderer that made it.
    pub renderer: i64,
}

/// A request for a turn.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    /// The caller's own name for the turn. A repeated request with it returns the same turn.
    pub reference: Option<String>,
    /// How the context reaches the model. `None` is what the chat's mode says.
    pub delivery: Option<Delivery>,
}
