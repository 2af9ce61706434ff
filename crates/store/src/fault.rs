//! The meaning of a database's error, for the code that ran the statement and for the server's operator.

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// The kind of a database's error, for the code that ran the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The transaction lost against another one.
    Contended,
    /// The statement violated a unique or foreign key.
    Conflict,
    /// The connection can no longer be used. Another one may work.
    Lost,
    /// The same statement may succeed later, after others release their locks or somebody frees space.
    Passing,
    /// The same statement fails again.
    Permanent,
}

impl Fault {
    /// Returns what an error means, judged by its code.
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

    /// Returns what a SQLSTATE means (PostgreSQL's manual, appendix A).
    fn of_postgres(code: &str) -> Self {
        match code {
            // A serialisation failure and a deadlock.
            "40001" | "40P01" => Self::Contended,
            // The transaction was idle for too long.
            "25P03" => Self::Lost,
            // The server is a standby, or has become one. A standby answers `feature not supported` to the
            // beginning of a transaction that writes.
            "25006" | "0A000" => Self::Lost,
            // The wait for a lock, or the statement itself, took too long.
            "55P03" | "57014" => Self::Passing,
            // The connection broke, or the server is stopping or starting.
            _ if code.starts_with("08") || code.starts_with("57P") => Self::Lost,
            // The server lacks a resource, or its system reported an error, such as a disk's.
            _ if code.starts_with("53") || code.starts_with("58") => Self::Passing,
            _ => Self::Permanent,
        }
    }
}

/// Returns the primary result code of a SQLite error.
fn sqlite_code(error: &dyn DatabaseError) -> Option<u32> {
    let error = error.try_downcast_ref::<SqliteError>()?;
    let code: u32 = error.code()?.parse().ok()?;
    // The other bytes hold the extended result code.
    Some(code & 0xff)
}

// SQLite's result codes for a full disk, and for a file that cannot be written.
const SQLITE_FULL: u32 = 13;
const SQLITE_READONLY: u32 = 8;

/// SQLite's result code for an error of the system, such as that of a quota.
const SQLITE_IOERR: u32 = 10;

/// Returns whether a condition may pass by itself: another process holds the file (5, 6, 15), memory is
/// short (7), the statement was interrupted (9), or the disk or the file's mode refuses (8, 10, 13, 14).
fn is_passing_in_sqlite(code: Option<u32>) -> bool {
    code.is_some_and(|code| {
        matches!(
            code,
            5 | 6 | 7 | SQLITE_READONLY | 9 | SQLITE_IOERR | SQLITE_FULL | 14 | 15
        )
    })
}

/// The cause of a database's failure, for the server's operator: the database's own message, with advice if
/// there is any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Cause {
    text: String,
    told: &'static str,
}

/// What callers are told of a database's failure. Somebody who may write should learn why nothing can be written, and
/// often has the server on the own machine.
const UNAVAILABLE: &str = "the database is not available";
const FULL: &str =
    "the disk of the server's database is full; free space on it, and the server goes on by itself";
const READ_ONLY: &str = "the server's database cannot be written, because its files or their file system are read-only; \
     give the server's user write access";

impl Cause {
    /// Returns a cause that was found here and not by the database.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            told: UNAVAILABLE,
        }
    }

    /// Returns what callers are told.
    pub fn told(&self) -> &'static str {
        self.told
    }
}

impl From<&sqlx::Error> for Cause {
    fn from(error: &sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return Self::new(error.to_string());
        };
        // `Display` would add the line in PostgreSQL's own source.
        let message = database.message();
        let (text, advice, told) = match database.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => {
                let code = error.code();
                let text = format!("{message} (SQLSTATE {code})");
                (text, advice_postgres(code), told_of_postgres(code))
            }
            None => {
                let code = sqlite_code(database);
                let advice = code.and_then(advice_sqlite);
                (message.to_owned(), advice, told_of_sqlite(code))
            }
        };
        Self {
            text: match advice {
                Some(advice) => format!("{text}; {advice}"),
                None => text,
            },
            told,
        }
    }
}

/// Returns what callers are told of a SQLSTATE.
fn told_of_postgres(code: &str) -> &'static str {
    match code {
        "53100" => FULL,
        _ => UNAVAILABLE,
    }
}

/// Returns what callers are told of a primary result code of SQLite.
fn told_of_sqlite(code: Option<u32>) -> &'static str {
    match code {
        Some(SQLITE_FULL) => FULL,
        Some(SQLITE_READONLY) => READ_ONLY,
        _ => UNAVAILABLE,
    }
}

/// Returns what the operator can do about a SQLSTATE.
fn advice_postgres(code: &str) -> Option<&'static str> {
    Some(match code {
        "25006" | "0A000" => {
            "this is a standby, or a session that may not write: point the database's address at the primary"
        }
        "28000" | "28P01" => {
            "PostgreSQL rejects this user: correct the database's address, the user's password or pg_hba.conf"
        }
        "3D000" => {
            "create it first, for instance with `create database ctxpin owner ctxpin encoding 'UTF8'`"
        }
        "3F000" | "42501" => {
            "make the user the owner of the database, or of the first schema in its search_path"
        }
        "42P05" | "26000" => {
            "a pooler gives each statement another connection: connect directly, or use the pooler's session mode"
        }
        "53100" => "free space on the disk of PostgreSQL",
        "53200" => "give PostgreSQL more memory, or this server fewer connections",
        "53300" => {
            "raise max_connections or the user's connection limit, or lower this server's --database-connections"
        }
        _ => return None,
    })
}

/// Returns what the operator can do about a primary result code of SQLite.
fn advice_sqlite(code: u32) -> Option<&'static str> {
    Some(match code {
        SQLITE_FULL => "free space on the disk of the data directory",
        SQLITE_IOERR => {
            "look whether a quota on the disk of the data directory is used up, or the disk is broken"
        }
        SQLITE_READONLY => {
            "give the server's user write access to the data directory and everything in it"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn callers_learn_why_nothing_can_be_written() {
        assert_eq!(told_of_postgres("53100"), FULL);
        assert_eq!(told_of_postgres("53300"), UNAVAILABLE);
        assert_eq!(told_of_sqlite(Some(SQLITE_FULL)), FULL);
        assert_eq!(told_of_sqlite(Some(SQLITE_READONLY)), READ_ONLY);
        assert_eq!(told_of_sqlite(Some(SQLITE_IOERR)), UNAVAILABLE);
        assert_eq!(told_of_sqlite(None), UNAVAILABLE);
    }

    #[test]
    fn codes_of_sqlite_are_judged() {
        for code in [5, 6, 8, 10, 13, 14] {
            assert!(is_passing_in_sqlite(Some(code)), "{code}");
        }
        // An error in the statement, a corrupt file, and a file that is no database.
        for code in [1, 11, 26] {
            assert!(!is_passing_in_sqlite(Some(code)), "{code}");
        }
        assert!(!is_passing_in_sqlite(None));
    }
}
