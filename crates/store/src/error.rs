//! What can go wrong between an operation and its data.

use ctxpin_model::access::Refusal;

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
    Contended(#[source] sqlx::Error),
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
    /// The database cannot be reached or cannot write (a full disk, say).
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// Something in the database is not as this release writes it.
    #[error("the database holds something unexpected: {0}")]
    Unexpected(String),
}

impl Error {
    /// Whether trying the whole transaction again may succeed.
    pub fn is_contended(&self) -> bool {
        matches!(self, Self::Contended(_) | Self::Conflict)
    }
}

/// PostgreSQL's codes for a serialisation failure and for a deadlock.
const CONTENDED_CODES: [&str; 2] = ["40001", "40P01"];

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::Encode(_)
                | sqlx::Error::ColumnIndexOutOfBounds { .. }
                | sqlx::Error::RowNotFound => Self::Unexpected(error.to_string()),
                other => Self::Unavailable(other),
            };
        };
        if database
            .code()
            .is_some_and(|code| CONTENDED_CODES.contains(&code.as_ref()))
        {
            return Self::Contended(error);
        }
        match database.kind() {
            ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation => Self::Conflict,
            ErrorKind::CheckViolation | ErrorKind::NotNullViolation => {
                Self::Unexpected(database.to_string())
            }
            _ => Self::Unavailable(error),
        }
    }
}

/// The result of a query.
pub type Result<T> = std::result::Result<T, Error>;
