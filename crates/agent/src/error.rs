//! Why an agent ends, or never starts.

use std::io;
use std::path::PathBuf;

use ctxpin_client::error::ClientError;
use ctxpin_scan::ScanError;

/// Why an agent ends, or never starts. Its texts say what to do.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A newer process has the session of this agent.
    #[error(
        "a newer process has taken over this agent, so this one ends ({reason}); give each workspace an agent of its own with `ctxpin agent create`"
    )]
    Fenced {
        /// What the server says of it.
        reason: String,
    },
    /// Another agent took the place of this one.
    #[error("another agent has replaced this one for good, so it ends ({reason})")]
    Replaced {
        /// What the server says of it.
        reason: String,
    },
    /// The server does not take the token.
    #[error(
        "the server no longer takes the agent's token ({reason}): if it was revoked or has expired, `ctxpin agent rotate-token` gives the agent another; if the agent was deleted, `ctxpin agent create` makes one"
    )]
    Unauthenticated {
        /// What the server says of it.
        reason: String,
    },
    /// The server refuses what cannot change while the process runs, or, where a push is made only
    /// once, the push.
    #[error("the server refuses: {reason}")]
    Refused {
        /// What the server says of it.
        reason: String,
    },
    /// A push that is made only once did not succeed in its time.
    #[error("nothing was pushed within {seconds} s: {reason}")]
    TimedOut {
        /// How long was tried.
        seconds: u64,
        /// Why the last attempt failed.
        reason: String,
    },
    /// No request to the server can be put together from the settings.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The directory cannot be scanned.
    #[error(transparent)]
    Directory(#[from] ScanError),
    /// Another agent holds the state directory.
    #[error(
        "an agent already runs for this directory ({} is locked); `ctxpin agent status` shows it",
        .lock.display()
    )]
    AlreadyRuns {
        /// The file that it has locked.
        lock: PathBuf,
    },
    /// The state directory, or something in it, cannot be used.
    #[error("{}: {reason}", .path.display())]
    State {
        /// What cannot be used.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A file of ours holds something else than it should. It was left as it is.
    #[error("{} is not {what} ({reason}); {remedy}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it, without quoting it.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
}

impl AgentError {
    /// Something that the system did not do with a path.
    pub(crate) fn state(path: impl Into<PathBuf>, error: &io::Error) -> Self {
        Self::State {
            path: path.into(),
            reason: error.to_string(),
        }
    }
}
