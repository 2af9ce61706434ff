//! The pins and turns in which a content was in force.

use crate::id::ChatId;
use crate::moment::Moment;
use crate::resource::Kind;

/// The pins and turns in which a content was in force, both newest first.
#[derive(Debug, Clone)]
pub struct Exposure {
    pub chats: Vec<PinnedExposure>,
    pub turns: Vec<TurnExposure>,
}

/// A period in which a chat's pin contained a content.
#[derive(Debug, Clone)]
pub struct PinnedExposure {
    pub chat: ChatId,
    /// The kind of the resource that had the content.
    pub kind: Kind,
    pub source: String,
    /// The path of the skill's file that had the content. `None` for the resource's own body.
    pub path: Option<String>,
    /// The number of the move that pinned it.
    pub from_seq: i64,
    pub from: Moment,
    /// The time of the move that removed it. `None` while it is pinned.
    pub until: Option<Moment>,
}

/// A turn for which a content was in force.
#[derive(Debug, Clone)]
pub struct TurnExposure {
    pub chat: ChatId,
    /// The turn's number in the chat.
    pub number: i64,
    pub started_at: Moment,
    /// Whether the content was part of the tools. Otherwise it was part of the pin.
    pub by_tools: bool,
}
