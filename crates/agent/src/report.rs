//! Reports of the events in an agent, for a person who watches it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ctxpin_model::hash::SnapshotId;
use uuid::Uuid;

use crate::standing::StandingPlace;

/// Receives reports. It must return at once.
pub type Reporter<'r> = &'r (dyn Fn(Report) + Send + Sync);

/// A report, and the agent that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The place of the agent. `None` if the report is about the whole process.
    pub place: Option<StandingPlace>,
    pub report: Report,
}

/// Something that happened in an agent. Its text is one sentence for people, without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The agent accepts requests through its control socket.
    Started { socket: PathBuf },
    /// The first scan still waits. Reported at the start, and whenever the reason changes.
    NotReady { reason: String },
    /// The first scan begins.
    Ready,
    /// The server has opened a session for this process.
    SessionOpened {
        /// The agent, if the server's release says it.
        agent: Option<Uuid>,
        epoch: i64,
        /// The head's snapshot, if the agent has a head.
        head: Option<String>,
    },
    /// A scan differs from the one before.
    Scanned {
        /// The snapshot's id, as the agent computes it.
        snapshot: SnapshotId,
        resources: usize,
        /// How many of the resources cannot be used.
        unusable: usize,
    },
    /// A scan failed, other than the one before. The snapshot of the last successful scan stays.
    ScanFailed { reason: String },
    /// The server has a new head.
    Pushed {
        /// The head's snapshot.
        snapshot: String,
        /// The head's number in the agent's timeline.
        seq: i64,
        /// How many chats got their first pin.
        hydrated: u64,
    },
    /// The server had the pushed snapshot as its head already.
    Unchanged {
        /// The head's snapshot.
        snapshot: String,
        /// The head's number in the agent's timeline.
        seq: i64,
    },
    /// A request failed transiently, and is retried after the pause.
    Waiting { reason: String, pause: Duration },
    /// The server refused the snapshot. The session sends it again only after something has changed.
    Refused { reason: String },
    /// The server has no room for the snapshot. The session sends it again after the pause, or when
    /// something changes.
    NoRoom { reason: String, pause: Duration },
    /// The agent polls files, because it cannot watch them or was asked to poll.
    Polling { reason: String },
    /// The agent watches files again.
    Watching,
    /// A newer process of the same agent has taken over. The session ends.
    Fenced,
    /// The agent has ended, and others of the process go on.
    Ended {
        /// Why, and what to do.
        reason: String,
        /// Whether the server no longer accepts the agent's token.
        is_unauthenticated: bool,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { socket } => {
                write!(f, "started; the control socket is {}", socket.display())
            }
            Self::NotReady { reason } => write!(f, "not ready yet: {reason}"),
            Self::Ready => f.write_str("ready"),
            Self::SessionOpened {
                epoch, head: None, ..
            } => {
                write!(f, "session {epoch} is open; the server has no snapshot yet")
            }
            Self::SessionOpened {
                epoch,
                head: Some(head),
                ..
            } => write!(f, "session {epoch} is open; the server has {head}"),
            Self::Scanned {
                snapshot,
                resources,
                unusable: 0,
            } => write!(
                f,
                "scanned {}: {snapshot}",
                count(*resources as u64, "resource")
            ),
            Self::Scanned {
                snapshot,
                resources,
                unusable,
            } => write!(
                f,
                "scanned {}, {unusable} of them not usable: {snapshot}",
                count(*resources as u64, "resource")
            ),
            Self::ScanFailed { reason } => write!(f, "the scan failed: {reason}"),
            Self::Pushed {
                snapshot,
                seq,
                hydrated: 0,
            } => write!(f, "pushed {snapshot} as number {seq}"),
            Self::Pushed {
                snapshot,
                seq,
                hydrated,
            } => write!(
                f,
                "pushed {snapshot} as number {seq}, which hydrated {}",
                count(*hydrated, "chat")
            ),
            Self::Unchanged { snapshot, seq } => {
                write!(f, "the server already has {snapshot} as number {seq}")
            }
            Self::Waiting { reason, pause } => {
                write!(f, "trying again in {:.1} s: {reason}", pause.as_secs_f64())
            }
            Self::Refused { reason } => {
                write!(f, "refused, not sent again until it changes: {reason}")
            }
            Self::NoRoom { reason, pause } => write!(
                f,
                "refused, trying again in {} min or when it changes: {reason}",
                pause.as_secs() / 60
            ),
            Self::Polling { reason } => write!(f, "polling instead of watching: {reason}"),
            Self::Watching => f.write_str("watching again"),
            Self::Fenced => f.write_str("a newer process has taken over"),
            Self::Ended { reason, .. } => write!(f, "ended: {reason}"),
        }
    }
}

fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
