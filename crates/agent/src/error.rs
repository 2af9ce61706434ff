//! The errors that keep an agent from starting or end it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ctxpin_client::error::ClientError;
use ctxpin_private_files::remedy::with_remedy;
use ctxpin_scan::ScanError;

/// The reason why an agent cannot start or must end. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A newer process of this agent has taken over.
    #[error(
        "a newer process has taken over this agent, so this one ends ({reason}); give each workspace an agent of its own with `ctxpin agent create`"
    )]
    Fenced {
        /// The server's message.
        reason: String,
    },
    /// Another agent has replaced this one.
    #[error("another agent has replaced this one for good, so it ends ({reason})")]
    Replaced {
        /// The server's message.
        reason: String,
    },
    /// The server does not accept the token.
    #[error(
        "the server no longer accepts the agent's token ({reason}): if it was revoked or has expired, `ctxpin agent rotate-token` gives the agent another; if its workspace was deleted, `ctxpin agent create` makes a new one"
    )]
    Unauthenticated {
        /// The server's message.
        reason: String,
    },
    /// The agent has another profile than this process, or the server knows other rules of it.
    #[error("{reason}")]
    Profile {
        /// The problem, and what to change or to upgrade.
        reason: String,
    },
    /// The server refuses something that cannot change while the process runs, or a single push.
    #[error("the server refuses: {reason}")]
    Refused {
        /// The server's message.
        reason: String,
    },
    /// A single push did not succeed in time.
    #[error("nothing was pushed within {} s: {reason}", .after.as_secs_f64())]
    TimedOut {
        after: Duration,
        /// Why the last attempt failed.
        reason: String,
    },
    /// The settings make no valid request to a server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The directory cannot be scanned.
    #[error(transparent)]
    Directory(#[from] ScanError),
    /// Another agent has locked the state directory.
    #[error(
        "an agent already runs for this directory ({} is locked); `ctxpin agent status` shows it",
        .lock.display()
    )]
    AlreadyRuns { lock: PathBuf },
    /// The state directory, or something in it, cannot be used.
    #[error("{}: {reason}", .path.display())]
    State {
        path: PathBuf,
        /// The problem, and what to do.
        reason: String,
    },
    /// A file of the agent does not contain what it should. The agent leaves it as it is.
    #[error("{} is not {what} ({reason}); {remedy}", .path.display())]
    Corrupt {
        path: PathBuf,
        /// The expected content of the file.
        what: &'static str,
        /// The problem with the content, without a quote from it.
        reason: String,
        /// The remedy for the user.
        remedy: &'static str,
    },
}

impl AgentError {
    /// Returns the error of a system call on a path.
    pub(crate) fn state(path: impl Into<PathBuf>, error: &io::Error) -> Self {
        Self::State {
            path: path.into(),
            reason: with_remedy(error),
        }
    }
}
