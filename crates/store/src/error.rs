//! The errors of the store.

use ctxpin_model::access::Refusal;

use crate::fault::{Cause, Fault};

/// An error of the store. Its variant decides what the operation does next. Only the server's operator
/// may see the cause of [`Error::Contended`] and [`Error::Unavailable`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token does not exist, is revoked or expired, or its user is disabled.
    #[error("the token is unknown, expired or revoked")]
    Unauthenticated,
    /// The caller may know that the object exists, but not do this.
    #[error("{0}")]
    Forbidden(Refusal),
    /// The object does not exist, or the caller may not know that it does.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A statement violated a unique or foreign key, because another transaction wrote at the same time.
    #[error("somebody else changed the same thing at the same time")]
    Conflict,
    /// The transaction lost against another one. The whole transaction can be retried.
    #[error("the transaction lost against another one")]
    Contended(#[source] Cause),
    /// A newer release migrated the schema, so this release no longer writes.
    #[error(
        "the database's schema ({found}) is newer than this release knows ({known}); upgrade ctxpin"
    )]
    SchemaNewer { found: i64, known: i64 },
    /// The database cannot be reached, or cannot do it now, for instance because its disk is full. A retry
    /// may succeed later.
    #[error("{}", .0.told())]
    Unavailable(#[source] Cause),
    /// The database refused a valid statement, or holds something that this release does not write. A retry
    /// fails again.
    #[error("unexpected result from the database: {0}")]
    Unexpected(String),
}

impl Error {
    /// Returns whether a retry of the whole transaction may succeed without a wait, because the transaction only
    /// lost against another one.
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

/// The reason why a database could not be opened, for the operator of the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be parsed.
    #[error("the database URL is not valid: {0}")]
    Url(String),
    /// The database cannot be reached.
    #[error("cannot open the database {location}: {cause}")]
    Connect {
        /// The file, or the URL without its password.
        location: String,
        cause: Cause,
    },
    /// The version of the database is not supported.
    #[error("{name} {found} is too old: ctxpin needs {needed} or later")]
    TooOld {
        /// `SQLite` or `PostgreSQL`.
        name: &'static str,
        found: String,
        /// The oldest supported version.
        needed: String,
    },
    /// The encoding of the database cannot hold every text.
    #[error(
        "the database {database} has the encoding {found}, which does not hold every text: create another one with `create database NAME encoding 'UTF8' template template0`"
    )]
    Encoding { database: String, found: String },
    /// The search path leads to no schema.
    #[error(
        "the search_path of the database's user {user} leads to no schema: create one, for example with `create schema ctxpin authorization {user}`, then run `alter role {user} set search_path = ctxpin`"
    )]
    NoSchema { user: String },
    /// A newer release has migrated the schema.
    #[error(
        "the database's schema ({found}) is newer than this release knows ({known}); start a newer ctxpin"
    )]
    SchemaNewer {
        found: i64,
        /// The newest version that this release knows.
        known: i64,
    },
    /// A migration of the schema failed.
    #[error("cannot migrate the database: {0}")]
    Migrate(Cause),
}
