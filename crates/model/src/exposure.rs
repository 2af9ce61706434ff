//! Where a content was in force.

use crate::id::ChatId;
use crate::moment::Moment;
use crate::resource::Kind;

/// Where a content was in force.
#[derive(Debug, Clone)]
pub struct Exposure {
    /// In pins, newest first.
    pub chats: Vec<PinnedExposure>,
    /// At turns, newest first.
    pub turns: Vec<TurnExposure>,
}

/// A stay of a content in a chat's pin.
#[derive(Debug, Clone)]
pub struct PinnedExposure {
    /// In which chat.
    pub chat: ChatId,
    /// As what.
    pub kind: Kind,
    /// Where.
    pub source: String,
    /// The skill's file, if it was one.
    pub path: Option<String>,
    /// The number of the move that brought it.
    pub from_seq: i64,
    /// When it came.
    pub from: Moment,
    /// When another move took it away; `None` while it is pinned.
    pub until: Option<Moment>,
}

/// A turn that had a content in force.
#[derive(Debug, Clone)]
pub struct TurnExposure {
    /// In which chat.
    pub chat: ChatId,
    /// Its number.
    pub number: i64,
    /// When it began.
    pub started_at: Moment,
    /// Whether the content came through the tools rather than the pin.
    pub by_tools: bool,
}
