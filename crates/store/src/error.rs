//! What can go wrong between an operation and its data.

use ctxpin_model::access::Refusal;

use crate::fault::{Cause, Fault};

/// A failure of the store. Its kind tells the operation what to do; the causes of the last two are
/// for whoever operates the server, not for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token is missing from the store, revoked, expired, or its owner is disabled.
    #[error("the token is unknown, expired or revoked")]
    Unauthenticated,
    /// The caller may know of the object, but not do this.
    #[error("{0}")]
    Forbidden(Refusal),
    /// There is no such object, or the caller may not know of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A unique or foreign key was hit: somebody else wrote at the same time.
    #[error("somebody else changed the same thing at the same time")]
    Conflict,
    /// The transaction lost against another one and may be tried again from nothing.
    #[error("the transaction lost against another one")]
    Contended(#[source] Cause),
    /// A newer release has migrated the schema, so that this one no longer writes.
    #[error(
        "the database's schema ({found}) is newer than this release knows ({known}); upgrade ctxpin"
    )]
    SchemaNewer {
        /// The schema's version.
        found: i64,
        /// The newest version that this release knows.
        known: i64,
    },
    /// The database cannot be reached or cannot do it now (a full disk, say); the same may succeed later.
    #[error("the database is not available")]
    Unavailable(#[source] Cause),
    /// The database refuses what it should do, or what is in it is not as this release writes it; the
    /// same fails again.
    #[error("the database does what is not expected: {0}")]
    Unexpected(String),
}

impl Error {
    /// Whether trying the whole transaction again may succeed.
    pub fn is_contended(&self) -> bool {
        matches!(self, Self::Contended(_) | Self::Conflict)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let cause = Cause::from(&error);
        match Fault::of(&error) {
            Fault::Contended => Self::Contended(cause),
            Fault::Conflict => Self::Conflict,
            Fault::Lost | Fault::Passing => Self::Unavailable(cause),
            Fault::Permanent => Self::Unexpected(cause.to_string()),
        }
    }
}

/// The result of a query.
pub type Result<T> = std::result::Result<T, Error>;
