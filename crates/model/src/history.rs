//! A chat's pin history: its entries, and the request for a page of them.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

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
    pub page: PageRequest<HistoryPlace>,
}

impl HistoryRequest {
    /// Requests the newest `limit` entries.
    pub fn newest(limit: i64) -> Self {
        Self {
            page: PageRequest::newest(limit),
        }
    }
}

/// The place of an entry in a chat's history. It is written as `7`, the number of a move, or `7.2`, with the number
/// of a decision that was made while this pin was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryPlace {
    /// The number of the pin.
    pub pin: i64,
    /// The number of the decision. 0 is the move to the pin.
    pub decision: i64,
}

impl fmt::Display for HistoryPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decision {
            0 => write!(f, "{}", self.pin),
            decision => write!(f, "{}.{decision}", self.pin),
        }
    }
}

impl FromStr for HistoryPlace {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pin, decision) = text.split_once('.').unwrap_or((text, "0"));
        Ok(Self {
            pin: pin.parse()?,
            decision: decision.parse()?,
        })
    }
}

/// An entry of a chat's history: a move of the pin, or a decision to leave it where it is.
#[derive(Debug, Clone)]
pub enum HistoryEntry {
    Move(PinRecord),
    Decision(DecisionRecord),
}

impl HistoryEntry {
    /// Returns the place of the entry.
    pub fn place(&self) -> HistoryPlace {
        match self {
            Self::Move(record) => HistoryPlace {
                pin: record.seq,
                decision: 0,
            },
            Self::Decision(record) => HistoryPlace {
                pin: record.kept.seq,
                decision: record.number,
            },
        }
    }

    /// Returns the pin that was in force after the entry.
    pub fn pin(&self) -> &PinRecord {
        match self {
            Self::Move(record) => record,
            Self::Decision(record) => &record.kept,
        }
    }

    /// Returns the move, if the entry is one.
    pub fn into_move(self) -> Option<PinRecord> {
        match self {
            Self::Move(record) => Some(record),
            Self::Decision(_) => None,
        }
    }
}

/// A decision about a head that leaves the pin where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The head is declined.
    Decline,
    /// The decline is taken back, and the head waits for a decision again.
    Undecline,
}

/// A decision in a chat's history.
#[derive(Debug, Clone)]
pub struct DecisionRecord {
    /// The number of the decision, counted from 1 over all pins of the chat.
    pub number: i64,
    pub decision: Decision,
    /// The move to the pin that was kept.
    pub kept: PinRecord,
    /// The head that the decision was about.
    pub head: SnapshotId,
    pub actor: ActorRef,
    /// The present name of the user or agent. `None` if it is deleted.
    pub actor_name: Option<String>,
    pub door: Door,
    pub at: Moment,
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

/// What a move changed, compared with the pin before, or what a decision was about, compared with the pin that was
/// kept.
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

/// A move in a chat's history.
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
    /// The number of the turn whose evidence has shown that the client read the snapshot.
    pub evidence_turn: Option<i64>,
    pub actor: ActorRef,
    /// The present name of the user or agent. `None` if it is deleted.
    pub actor_name: Option<String>,
    pub door: Door,
    pub at: Moment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_and_read() {
        let check = |text: &str, expected: Option<(i64, i64)>| {
            let place = text.parse::<HistoryPlace>().ok();
            let found = place.map(|place| (place.pin, place.decision));
            assert_eq!(found, expected, "{text}");
            if let Some(place) = place {
                assert_eq!(place.to_string(), text);
            }
        };
        check("7", Some((7, 0)));
        check("7.2", Some((7, 2)));
        check("", None);
        check("7.", None);
        check("x", None);
        check("7.2.1", None);
    }
}
