//! What an error of a database means: to whoever asked, and to whoever operates the server.

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// What an error of a database means to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The transaction lost against another one.
    Contended,
    /// A unique or foreign key was hit.
    Conflict,
    /// The connection is of no further use. Another one may be.
    Lost,
    /// The same may succeed in a while: others let go, or somebody makes room.
    Passing,
    /// The same fails again.
    Permanent,
}

impl Fault {
    /// Judges an error.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Self::Lost,
                sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::BeginFailed => Self::Passing,
                _ => Self::Permanent,
            };
        };
        if matches!(
            database.kind(),
            ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation
        ) {
            return Self::Conflict;
        }
        if let Some(error) = database.try_downcast_ref::<PgDatabaseError>() {
            return Self::of_postgres(error.code());
        }
        if is_passing_in_sqlite(sqlite_code(database)) {
            return Self::Passing;
        }
        Self::Permanent
    }

    /// Judges a SQLSTATE (appendix A of PostgreSQL's manual).
    fn of_postgres(code: &str) -> Self {
        match code {
            // A serialisation failure and a deadlock.
            "40001" | "40P01" => Self::Contended,
            // Too long without a statement in a transaction.
            "25P03" => Self::Lost,
            // It cannot write: a standby, or a primary that has become one. To a standby that is asked
            // for a transaction that writes this is a feature that it lacks.
            "25006" | "0A000" => Self::Lost,
            // Too long a wait for a lock, and for a statement.
            "55P03" | "57014" => Self::Passing,
            // Connections that break, and a server that stops or starts.
            _ if code.starts_with("08") || code.starts_with("57P") => Self::Lost,
            // Too little of something, and errors of the system, such as a disk's.
            _ if code.starts_with("53") || code.starts_with("58") => Self::Passing,
            _ => Self::Permanent,
        }
    }
}

/// The primary code of an error of SQLite.
fn sqlite_code(error: &dyn DatabaseError) -> Option<u32> {
    let error = error.try_downcast_ref::<SqliteError>()?;
    let code: u32 = error.code()?.parse().ok()?;
    // Further bytes tell more exactly which.
    Some(code & 0xff)
}

/// The codes of SQLite for a full disk, and for a file that cannot be written.
const SQLITE_FULL: u32 = 13;
const SQLITE_READONLY: u32 = 8;

/// Whether a primary code of SQLite tells of what may pass: others who hold the file (5, 6, 15), too
/// little memory (7), an interruption (9), and what the disk or the file's mode refuses (10, 14).
fn is_passing_in_sqlite(code: Option<u32>) -> bool {
    code.is_some_and(|code| {
        matches!(
            code,
            5 | 6 | 7 | SQLITE_READONLY | 9 | 10 | SQLITE_FULL | 14 | 15
        )
    })
}

/// Why a database did not do what it was asked, for whoever operates the server: what it says, and what
/// to do if that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    /// A cause that no database tells.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<&sqlx::Error> for Cause {
    fn from(error: &sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return Self(error.to_string());
        };
        // As it is displayed, it ends in a line of PostgreSQL's own source.
        let message = database.message();
        let (told, advice) = match database.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => {
                let code = error.code();
                let told = format!("{message} (SQLSTATE {code})");
                (told, advice_postgres(code))
            }
            None => (
                message.to_owned(),
                sqlite_code(database).and_then(advice_sqlite),
            ),
        };
        Self(match advice {
            Some(advice) => format!("{told}; {advice}"),
            None => told,
        })
    }
}

/// What whoever operates the server does about a SQLSTATE.
fn advice_postgres(code: &str) -> Option<&'static str> {
    Some(match code {
        "25006" | "0A000" => {
            "this is a standby, or a session that may not write: let the database's address lead to the primary"
        }
        "28000" | "28P01" => {
            "PostgreSQL does not take this user: correct the database's address, the user's password or pg_hba.conf"
        }
        "3D000" => {
            "make it first, for instance with `create database ctxpin owner ctxpin encoding 'UTF8'`"
        }
        "3F000" | "42501" => {
            "let the user own the database, or the schema that its search_path begins with"
        }
        "42P05" | "26000" => {
            "something before PostgreSQL gives each statement another connection: connect directly, or by a pooler in session mode"
        }
        "53100" => "free space on the disk of PostgreSQL",
        "53200" => "give PostgreSQL more memory, or this server fewer connections",
        "53300" => {
            "raise max_connections or the user's connection limit, or give this server fewer with --database-connections"
        }
        _ => return None,
    })
}

/// The same for a primary code of SQLite.
fn advice_sqlite(code: u32) -> Option<&'static str> {
    Some(match code {
        SQLITE_FULL => "free space on the disk of the data directory",
        SQLITE_READONLY => "let the server's user write to the data directory and what is in it",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What may pass is told apart from what does not.
    #[test]
    fn case_b4_codes_of_postgres_are_judged() {
        let check = |codes: &[&str], fault: Fault| {
            for code in codes {
                assert_eq!(Fault::of_postgres(code), fault, "{code}");
            }
        };
        check(&["40001", "40P01"], Fault::Contended);
        check(&["08006", "57P01", "57P03", "25P03"], Fault::Lost);
        check(&["25006", "0A000"], Fault::Lost);
        check(&["53100", "53200", "53300", "58030"], Fault::Passing);
        check(&["55P03", "57014"], Fault::Passing);
        let wrong = [
            "22021", "22P05", "42501", "42703", "42P01", "3F000", "XX001",
        ];
        check(&wrong, Fault::Permanent);
    }

    #[test]
    fn codes_of_sqlite_are_judged() {
        for code in [5, 6, 8, 10, 13, 14] {
            assert!(is_passing_in_sqlite(Some(code)), "{code}");
        }
        // An error in a statement, a broken file, no database at all.
        for code in [1, 11, 26] {
            assert!(!is_passing_in_sqlite(Some(code)), "{code}");
        }
        assert!(!is_passing_in_sqlite(None));
    }
}
