//! A chat's pin history: its rows, and the request for a page of them.

use crate::access::ActorRef;
use crate::diff::lines::LineCounts;
use crate::diff::{Change, Subject};
use crate::door::Door;
use crate::hash::{ContextHash, SnapshotId};
use crate::id::{AgentId, ChatId};
use crate::moment::Moment;
use crate::page::PageRequest;
use crate::pending_change::path;
use crate::pin::{Reason, Rendered};

/// A request for a page of a chat's pin history, newest first.
#[derive(Debug, Clone, Copy)]
pub struct HistoryRequest {
    /// The cursor is the number of a move.
    pub page: PageRequest<i64>,
}

impl HistoryRequest {
    /// Requests the newest `limit` moves.
    pub fn newest(limit: i64) -> Self {
        Self {
            page: PageRequest::newest(limit),
        }
    }
}

/// A move of a chat's pin, as the map of a workspace shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinStep {
    pub chat: ChatId,
    pub at: Moment,
    pub stand: StepStand,
}

/// Where a chat stands after a move, on the timeline of its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepStand {
    Unpinned,
    /// At a snapshot that no head of the agent has: a composed one, or one of another agent.
    Elsewhere,
    /// At the head of this number.
    Head(i64),
}

/// Which moves a map shows. Both numbers are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepRequest {
    pub agent: AgentId,
    /// The most chats, the newest first.
    pub chats_max: i64,
    /// The most moves of each chat, the newest first.
    pub moves_max: i64,
}

/// The most resources that [`PinChanges`] names.
const NAMED_MAX: usize = 3;

/// What a move changed, compared with the pin before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PinChanges {
    pub count: usize,
    /// The first few.
    pub named: Vec<ChangedResource>,
    /// The number of lines that differ. `None` if the caller may not read the texts, or if there is too much to
    /// compare at once.
    pub lines: Option<LineCounts>,
}

/// A resource that differs between two pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedResource {
    pub subject: Subject,
    /// The path below the root, or the name of an MCP server. It is empty for the facts.
    pub path: String,
}

impl PinChanges {
    /// Names some changes, without their lines.
    pub fn of(changes: &[Change<'_>]) -> Self {
        let named = changes
            .iter()
            .take(NAMED_MAX)
            .map(|change| ChangedResource {
                subject: change.subject,
                path: path(change).to_owned(),
            });
        Self {
            count: changes.len(),
            named: named.collect(),
            lines: None,
        }
    }
}

/// One of the newest moves of a user's chats.
#[derive(Debug, Clone)]
pub struct RecentMove {
    pub chat: ChatId,
    pub title: Option<String>,
    pub record: PinRecord,
}

/// A row of a chat's pin history.
#[derive(Debug, Clone)]
pub struct PinRecord {
    /// The number of the move in the chat's history, counted from 1.
    pub seq: i64,
    /// The pinned snapshot. `None` if the pin was cleared.
    pub snapshot: Option<SnapshotId>,
    pub context_hash: Option<ContextHash>,
    /// `None` if the pin was cleared.
    pub rendered: Option<Rendered>,
    /// The agent that the snapshot came from.
    pub agent: Option<AgentId>,
    pub reason: Reason,
    /// Whether the agent's MCP servers had settled.
    pub mcp_settled: bool,
    /// Whether the client of an observed chat may have read files that are newer than the snapshot, because no scan
    /// was awaited.
    pub unconfirmed: bool,
    pub actor: ActorRef,
    /// The present name of the user or agent. `None` if it is deleted.
    pub actor_name: Option<String>,
    pub door: Door,
    pub at: Moment,
}
