//! The connections of the open database, to SQLite or to PostgreSQL.

use std::path::Path;
use std::time::Duration;

use ctxpin_private_files::file;
use sqlx::Connection as _;
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use crate::connections::{Connections, Lease, TAKE_TIME_MAX};
use crate::error::{OpenError, Result};
use crate::fault::{Cause, Fault};
use crate::migrations;
use crate::session::Sessions;

/// The oldest supported version of SQLite. In earlier ones a checkpoint could lose committed writes of a
/// database in WAL mode (fixed in 3.51.3).
const SQLITE_VERSION_MIN: (u32, u32, u32) = (3, 51, 3);

/// The longest wait of a SQLite connection for the lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The statements that begin a transaction on PostgreSQL. They set what it relies on, whatever the server's
/// defaults are.
const POSTGRES_READ: &str = "begin isolation level repeatable read read only";
const POSTGRES_WRITE: &str = "begin isolation level read committed read write";

/// The most connections that read SQLite. Each has a thread.
const SQLITE_READERS_MAX: u32 = 8;

/// The pools of the open database. Clones share the connections.
#[derive(Clone)]
pub(crate) enum Pools {
    /// SQLite has one writer at a time, so there is one connection that writes.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(Connections),
}

impl Pools {
    /// Opens a SQLite file, which is created if it is missing, and migrates its schema.
    pub(crate) async fn open_sqlite(path: &Path) -> std::result::Result<Self, OpenError> {
        let failed = |error: sqlx::Error| OpenError::Connect {
            location: path.display().to_string(),
            cause: Cause::from(&error),
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        // Only the owner may read the file. SQLite gives its other files the same mode.
        file::open_to_write(path).map_err(|error| failed(sqlx::Error::Io(error)))?;
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(TAKE_TIME_MAX)
            // When a disk is full or fails, SQLite ends the transaction by itself, but the connection still
            // counts it as open. The ping waits for a rollback that has been sent.
            .test_before_acquire(true)
            .before_acquire(|connection, _| {
                let is_fit = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_fit) })
            })
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        let version: String = sqlx::query_scalar("select sqlite_version()")
            .fetch_one(&writer)
            .await
            .map_err(failed)?;
        if !is_at_least(&version, SQLITE_VERSION_MIN) {
            let (major, minor, patch) = SQLITE_VERSION_MIN;
            return Err(OpenError::TooOld {
                name: "SQLite",
                found: version,
                needed: format!("{major}.{minor}.{patch}"),
            });
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS_MAX)
            .acquire_timeout(TAKE_TIME_MAX)
            .test_before_acquire(false)
            .connect_lazy_with(options.read_only(true).create_if_missing(false));
        migrations::apply_to_sqlite(&writer).await?;
        Ok(Self::Sqlite { writer, readers })
    }

    /// Connects to a PostgreSQL database and migrates its schema.
    pub(crate) async fn open_postgres(
        url: &str,
        connections_max: u32,
    ) -> std::result::Result<Self, OpenError> {
        let (sessions, first) = Sessions::find(url).await?;
        migrations::apply_to_postgres(first).await?;
        Ok(Self::Postgres(Connections::new(sessions, connections_max)))
    }

    /// Begins a transaction that reads.
    pub(crate) async fn begin_read(&self) -> Result<Connection> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Connection::Sqlite(readers.begin().await?),
            Self::Postgres(connections) => {
                Connection::Postgres(begin_postgres(connections, POSTGRES_READ).await?)
            }
        })
    }

    /// Begins a transaction that writes.
    pub(crate) async fn begin_write(&self) -> Result<Connection> {
        Ok(match self {
            Self::Sqlite { writer, .. } => {
                Connection::Sqlite(writer.begin_with("begin immediate").await?)
            }
            Self::Postgres(connections) => {
                Connection::Postgres(begin_postgres(connections, POSTGRES_WRITE).await?)
            }
        })
    }

    /// Closes every connection once its current use is over.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(connections) => connections.close().await,
        }
    }

    /// Returns the connections to PostgreSQL, or `None` on SQLite.
    pub(crate) fn postgres(&self) -> Option<&Connections> {
        match self {
            Self::Sqlite { .. } => None,
            Self::Postgres(connections) => Some(connections),
        }
    }
}

/// A connection in a transaction. Dropping it rolls the transaction back.
pub(crate) enum Connection {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(Lease),
}

impl Connection {
    /// Commits the transaction.
    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(lease) => lease.commit().await?,
        }
        Ok(())
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

fn is_at_least(version: &str, (major, minor, patch): (u32, u32, u32)) -> bool {
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= (major, minor, patch)
}

/// Begins a transaction on a live connection. A connection that was cut while it was idle has done nothing
/// yet, so another one is tried.
async fn begin_postgres(connections: &Connections, statement: &'static str) -> Result<Lease> {
    let mut others = connections.count();
    loop {
        let mut lease = connections.take().await?;
        match lease.begin(statement).await {
            Ok(()) => return Ok(lease),
            Err(error) if others > 0 && Fault::of(&error) == Fault::Lost => others -= 1,
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(is_at_least("3.51.3", SQLITE_VERSION_MIN));
        assert!(is_at_least("3.100.0", SQLITE_VERSION_MIN));
        assert!(!is_at_least("3.51.2", SQLITE_VERSION_MIN));
        assert!(!is_at_least("3.9.9", SQLITE_VERSION_MIN));
    }
}
