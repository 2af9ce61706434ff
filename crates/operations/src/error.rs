//! What an operation answers when it cannot do what was asked.

use std::error::Error as _;

use ctxpin_model::compose::UnknownSources;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::AgentId;
use ctxpin_model::quota::QuotaExceeded;

/// A refusal or a failure. Its text is for whoever asked and says what to do; what only the
/// operator may see is told by [`Error::cause`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] ctxpin_store::error::Error),
    /// There is no such thing in what the caller may see.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A newer process of the agent has taken over.
    #[error(
        "a newer process of this agent has taken over (epoch {current}, yours is {offered}); stop this one"
    )]
    Fenced {
        /// The epoch in force.
        current: i64,
        /// The caller's.
        offered: i64,
    },
    /// Another agent, or one that has been deleted since, has replaced this one for good.
    #[error("{}", match .0 {
        Some(successor) => format!("this agent was replaced by agent {successor}; use that one"),
        None => "this agent was replaced by one that has been deleted; create a new one".into(),
    })]
    AgentReplaced(Option<AgentId>),
    /// A manifest names bytes that the agent has not proved to have.
    #[error("the manifest names {} blobs that this agent has not sent; send them and push again", .0.len())]
    MissingBlobs(Vec<BlobHash>),
    /// Bytes that do not have the hash that they were sent under.
    #[error("bytes sent as {claimed} have the hash {computed}")]
    HashMismatch {
        /// What the sender says.
        claimed: BlobHash,
        /// What it is.
        computed: BlobHash,
    },
    /// Something asked for does not make sense.
    #[error("{0}")]
    Invalid(String),
    /// A token that would open more than the one that makes it, or for longer.
    #[error("a token cannot make one {0}")]
    WiderToken(String),
    /// The chat has no agent, or its agent has no head.
    #[error("{0}; its pin stays as it is")]
    NoHead(&'static str),
    /// The chat is archived.
    #[error("the chat is archived; unarchive it first")]
    Archived,
    /// The pin or the head is not the one that the caller has seen.
    #[error("{0}")]
    PreconditionFailed(String),
    /// More than the server takes.
    #[error("{0}")]
    TooLarge(String),
    /// Something of that name is there already.
    #[error("{0}")]
    Conflict(String),
    /// Too much of the caller is under way already.
    #[error("{0}")]
    Busy(&'static str),
    /// The caller has, or does, as much as is allowed.
    #[error(transparent)]
    QuotaExceeded(#[from] QuotaExceeded),
    /// Pushes are paused by whoever operates the server.
    #[error("pushes are paused; try again later")]
    SyncPaused,
}

/// What kind of refusal or failure of the store it is, for whoever does not know the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFailure {
    /// The caller's token opens nothing.
    Unauthenticated,
    /// The caller may know of the object, but not do this.
    Forbidden,
    /// The caller may not know of the object, or there is none.
    NotFound,
    /// Others were quicker at every attempt, or the database does not answer.
    Unavailable,
    /// A newer release has migrated the schema.
    SchemaNewer,
    /// The database holds what this release does not write.
    Unexpected,
}

impl From<&ctxpin_store::error::Error> for StoreFailure {
    fn from(error: &ctxpin_store::error::Error) -> Self {
        use ctxpin_store::error::Error as Store;
        match error {
            Store::Unauthenticated => Self::Unauthenticated,
            Store::Forbidden(_) => Self::Forbidden,
            Store::NotFound(_) => Self::NotFound,
            Store::Conflict | Store::Contended(_) | Store::Unavailable(_) => Self::Unavailable,
            Store::SchemaNewer { .. } => Self::SchemaNewer,
            Store::Unexpected(_) => Self::Unexpected,
        }
    }
}

impl From<UnknownSources> for Error {
    fn from(error: UnknownSources) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl Error {
    /// The cause that only whoever operates the server may see.
    pub fn cause(&self) -> Option<String> {
        let Self::Store(error) = self else {
            return None;
        };
        error.source().map(ToString::to_string)
    }

    /// Whether trying the whole operation again may succeed at once.
    pub(crate) fn contended(&self) -> Option<&ctxpin_store::error::Error> {
        let Self::Store(error) = self else {
            return None;
        };
        error.is_contended().then_some(error)
    }

    /// Another request got in between: the operation starts over.
    pub(crate) fn overtaken() -> Self {
        Self::Store(ctxpin_store::error::Error::Conflict)
    }
}

/// What comes of an operation.
pub type Result<T> = std::result::Result<T, Error>;
