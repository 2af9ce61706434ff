//! What an agent tells a person who watches it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ctxpin_model::hash::SnapshotId;
use uuid::Uuid;

/// Receives reports. It must return at once.
pub type Reporter<'r> = &'r (dyn Fn(Report) + Send + Sync);

/// Something that happened in an agent. Its text is one sentence for people, without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The agent is there: it can be asked through its control socket from now on.
    Started {
        /// The control socket.
        socket: PathBuf,
    },
    /// Nothing is scanned yet. Told at the beginning and when the reason changes.
    NotReady {
        /// What is waited for.
        reason: String,
    },
    /// What was waited for has come.
    Ready,
    /// The server has given this process a session.
    SessionOpened {
        /// The agent, if the server tells it.
        agent: Option<Uuid>,
        /// Its number.
        epoch: i64,
        /// The head's snapshot, if the agent has one.
        head: Option<String>,
    },
    /// A scan found something else than the one before.
    Scanned {
        /// The snapshot's id, as the agent computes it.
        snapshot: SnapshotId,
        /// How many resources there are.
        resources: usize,
        /// How many of them cannot be used.
        unusable: usize,
    },
    /// The directory could not be scanned. What was found before stays.
    ScanFailed {
        /// Why.
        reason: String,
    },
    /// The server has a new head.
    Pushed {
        /// The head's snapshot.
        snapshot: String,
        /// Its place in the agent's timeline.
        seq: i64,
        /// How many chats were given their first pin.
        hydrated: u64,
    },
    /// The server had what was found.
    Unchanged {
        /// The head's snapshot.
        snapshot: String,
        /// Its place in the agent's timeline.
        seq: i64,
    },
    /// The server could not answer or take it for the moment.
    Waiting {
        /// Why.
        reason: String,
        /// How long until it is asked again.
        pause: Duration,
    },
    /// The server refused what was found. It is not sent again until something changes.
    Refused {
        /// Why.
        reason: String,
    },
    /// The server has no room for what was found. It is not sent again for long, unless something changes.
    NoRoom {
        /// Why.
        reason: String,
        /// How long until it is tried again.
        pause: Duration,
    },
    /// Files cannot be watched and are polled.
    Polling {
        /// Why.
        reason: String,
    },
    /// Files are watched again.
    Watching,
    /// A newer process has taken over. The agent ends.
    Fenced,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { socket } => {
                write!(f, "started; it can be asked at {}", socket.display())
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
        }
    }
}

fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
