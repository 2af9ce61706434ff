//! The errors of operations.

use std::error::Error as _;

use ctxpin_model::access::Refusal;
use ctxpin_model::compose::{Inseparable, OtherProfile};
use ctxpin_model::file_path::InvalidPath;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::AgentId;
use ctxpin_model::profile::Profile;
use ctxpin_model::quota::QuotaExceeded;

/// A refusal or a failure. Its text is for the caller and says what to do. [`Error::cause`] returns what only
/// the server's operator may see.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused the request or failed.
    #[error(transparent)]
    Store(#[from] ctxpin_store::error::Error),
    /// There is no such object among those that the caller may see.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A newer process of the agent has taken over.
    #[error(
        "a newer process of this agent has taken over (epoch {current}, yours is {offered}); stop this one"
    )]
    Fenced { current: i64, offered: i64 },
    /// Another agent has replaced this one for good. `None` if the other agent was deleted since.
    #[error("{}", match .0 {
        Some(successor) => format!("this agent was replaced by agent {successor}; use that one"),
        None => "this agent was replaced by one that has been deleted; create a new one".into(),
    })]
    AgentReplaced(Option<AgentId>),
    /// The manifest names bytes that the agent has not proved to have.
    #[error("the manifest names {} blobs that this agent has not sent; send them and push again", .0.len())]
    MissingBlobs(Vec<BlobHash>),
    /// The bytes do not have the hash under which they were sent.
    #[error("bytes sent as {claimed} have the hash {computed}")]
    HashMismatch {
        claimed: BlobHash,
        computed: BlobHash,
    },
    /// The push is not under the agent's profile, which never changes.
    #[error(
        "this agent is of the profile `{agent}`, and the push of `{pushed}`; run `ctxpin agent run --profile {agent}`, or create an agent of the profile `{pushed}`"
    )]
    WrongProfile { agent: Profile, pushed: Profile },
    /// Other rules have made the head than the pin, so no part of the head can be taken.
    #[error(transparent)]
    OtherProfile(OtherProfile),
    /// The request makes no sense for this object.
    #[error("{0}")]
    Invalid(String),
    /// The path of the request names no file that the pin is about.
    #[error("`path`: {0}")]
    InvalidPath(#[from] InvalidPath),
    /// The new token would allow more than the one that creates it, or be valid for longer.
    #[error("a token cannot make one {0}")]
    WiderToken(String),
    /// There is no such one-time code any more.
    #[error("this one-time code was used or has expired; make another one with `ctxpin open`")]
    UnknownCode,
    /// There is no such enrolment code any more.
    #[error(
        "this enrolment code is unknown: it is mistyped, older than ten minutes, or another server's; make another one where you got it"
    )]
    UnknownEnrolmentCode,
    /// The enrolment code has made an agent, and the caller does not hold the agent's token.
    #[error("this enrolment code was used already; make another one where you got it")]
    EnrolmentCodeUsed,
    /// The enrolment code was made for an agent of another profile.
    #[error(
        "this enrolment code makes an agent of the profile `{made_for}`, and not of `{asked}`; start the agent with `--profile {made_for}`, or make another code where you got it"
    )]
    WrongCode { made_for: Profile, asked: Profile },
    /// The session of the web page has ended.
    #[error("the session has ended; sign in again")]
    SessionEnded,
    /// The chat has no agent, or its agent has no head.
    #[error("{0}; its pin stays as it is")]
    NoHead(&'static str),
    /// The chat is archived.
    #[error("the chat is archived; unarchive it first")]
    Archived,
    /// The pin of an observed chat records what its client read, so no request chooses it.
    #[error(
        "its client reads the files itself, and the pin records what it read; it moves when the client reads them anew: when the session is resumed, or with its next prompt"
    )]
    ObservedChat,
    /// The pin or the head is not the one that the caller expects.
    #[error("{0}")]
    PreconditionFailed(String),
    /// The request exceeds a limit of the server.
    #[error("{0}")]
    TooLarge(String),
    /// An object of that name exists already.
    #[error("{0}")]
    Conflict(String),
    /// Too many requests of the caller are in progress.
    #[error("{0}")]
    Busy(&'static str),
    /// The caller has reached a quota or a rate limit.
    #[error(transparent)]
    QuotaExceeded(#[from] QuotaExceeded),
    /// The server's operator has paused pushes.
    #[error("pushes are paused; try again later")]
    SyncPaused,
}

/// The kind of a store error, for crates that do not know the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFailure {
    /// The caller's token is not valid.
    Unauthenticated,
    /// The caller may know that the object exists, but not do this.
    Forbidden,
    /// The object does not exist, or the caller may not know that it does.
    NotFound,
    /// Other transactions won at each attempt, or the database does not respond.
    Unavailable,
    /// A newer release has migrated the schema, so this one does not write.
    SchemaNewer,
    /// The database failed permanently, or holds something that this release does not write.
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

impl From<Inseparable> for Error {
    fn from(error: Inseparable) -> Self {
        match error {
            Inseparable::Unknown(unknown) => Self::Invalid(unknown.to_string()),
            Inseparable::OtherProfile(other) => Self::OtherProfile(other),
        }
    }
}

impl Error {
    /// Returns the cause, which only the server's operator may see.
    pub fn cause(&self) -> Option<String> {
        let Self::Store(error) = self else {
            return None;
        };
        error.source().map(ToString::to_string)
    }

    /// Returns why the caller may not do this, if that is the error.
    pub fn refusal(&self) -> Option<Refusal> {
        let Self::Store(ctxpin_store::error::Error::Forbidden(refusal)) = self else {
            return None;
        };
        Some(*refusal)
    }

    /// Returns the store's error if a retry of the whole operation may succeed at once.
    pub(crate) fn contended(&self) -> Option<&ctxpin_store::error::Error> {
        let Self::Store(error) = self else {
            return None;
        };
        error.is_contended().then_some(error)
    }

    /// Returns the error for an operation that another request overtook. The operation is retried.
    pub(crate) fn overtaken() -> Self {
        Self::Store(ctxpin_store::error::Error::Conflict)
    }
}

/// The result of an operation.
pub type Result<T> = std::result::Result<T, Error>;
