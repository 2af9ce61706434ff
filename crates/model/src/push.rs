//! A push, and whether it is accepted: by the epoch of its process and its version.

use crate::agent::Head;
use crate::manifest::Manifest;
use crate::warning::Note;

/// An agent's push.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// The epoch and the version of the push.
    pub position: Position,
    /// Whether every MCP server has answered or failed.
    pub mcp_settled: bool,
    /// The agent's claims about the workspace.
    pub manifest: Manifest,
    /// Notes on the workspace that belong to no resource.
    pub notes: Vec<Note>,
}

/// A place in the order of an agent's pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The number that the server gave to the agent's process, not negative.
    pub epoch: i64,
    /// The number of the push within the epoch, from 1 upwards; 0 before the first.
    pub version: i64,
}

/// The server's decision about a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The epoch is another process's, and nothing is written.
    Fenced,
    /// The version is not newer, and nothing is written.
    NotNewer,
    /// The push is a retry of the last accepted one, and gets the same response.
    Repeated,
    /// The version is newer and the content the same, so only the version advances.
    Unchanged,
    /// The version is newer and the content differs, so the push becomes the head.
    Accepted,
}

impl Verdict {
    /// Returns the word for this verdict in responses and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::NotNewer => "not-newer",
            Self::Repeated => "repeated",
            Self::Unchanged => "unchanged",
            Self::Accepted => "accepted",
        }
    }

    /// Returns whether the agent's head now has the content of the push.
    pub fn is_head(self) -> bool {
        match self {
            Self::Fenced | Self::NotNewer => false,
            Self::Repeated | Self::Unchanged | Self::Accepted => true,
        }
    }
}

/// The result of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushOutcome {
    /// The verdict, never [`Verdict::Fenced`]: a fenced push fails.
    pub verdict: Verdict,
    /// The agent's head after the push.
    pub head: Option<Head>,
    /// The number of chats that the push pinned.
    pub hydrated: u64,
}

/// Returns what to do with a push at the position `offered`, when the agent's last accepted push is at
/// `current`. `is_head` says whether its snapshot is the head.
pub fn verdict(current: Position, offered: Position, is_head: bool) -> Verdict {
    if offered.epoch != current.epoch {
        return Verdict::Fenced;
    }
    match (offered.version.cmp(&current.version), is_head) {
        (std::cmp::Ordering::Less, _) | (std::cmp::Ordering::Equal, false) => Verdict::NotNewer,
        (std::cmp::Ordering::Equal, true) => Verdict::Repeated,
        (std::cmp::Ordering::Greater, true) => Verdict::Unchanged,
        (std::cmp::Ordering::Greater, false) => Verdict::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let current = Position {
            epoch: 2,
            version: 5,
        };
        let check = |epoch, version, is_head, expected| {
            let offered = Position { epoch, version };
            assert_eq!(verdict(current, offered, is_head), expected);
        };
        check(1, 9, false, Verdict::Fenced);
        check(3, 9, false, Verdict::Fenced);
        check(2, 4, true, Verdict::NotNewer);
        check(2, 5, false, Verdict::NotNewer);
        check(2, 5, true, Verdict::Repeated);
        check(2, 6, true, Verdict::Unchanged);
        check(2, 6, false, Verdict::Accepted);
    }
}
