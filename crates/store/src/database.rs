//! The open database and its transactions. SQLite and PostgreSQL execute the same statements. Only `pools`
//! and `query` know which one is open.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::connections::Connections;
use crate::counts::{Counters, Counts};
use crate::error::{Error, OpenError, Result};
use crate::kept::{LineCountCache, PromptCache, SnapshotCache};
use crate::last_used::LastUsed;
use crate::pools::{Connection, Pools};
use crate::query::Query;

/// The most values in one `in (...)` list, and the most rows in one `insert`. SQLite plans long lists
/// badly, and PostgreSQL takes at most 65,535 parameters.
pub(crate) const CHUNK: usize = 500;

/// The most attempts at a transaction that loses against others, and the base of the pauses between them.
const ATTEMPTS_MAX: u32 = 20;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(2);

/// The place of the data.
#[derive(Debug, Clone)]
pub enum Storage {
    /// A SQLite file, which is created if it is missing.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres {
        /// `postgres://user:password@host:port/database`, as libpq accepts it.
        url: String,
        /// The most connections of this process, apart from the one that listens to the other replicas.
        connections_max: u32,
    },
}

/// An open database. Clones share the connections.
#[derive(Clone)]
pub struct Database {
    pools: Pools,
    shared: Shared,
}

/// The state that all transactions of a database share.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    pub last_used: LastUsed,
    pub counters: Arc<Counters>,
    pub snapshots: Arc<SnapshotCache>,
    pub prompts: Arc<PromptCache>,
    pub line_counts: Arc<LineCountCache>,
    /// The renderer whose prompts the records of chats contain.
    pub renderer: i64,
    /// The key of the proofs for unknown tokens.
    pub proof_key: ProofKey,
}

/// A random key that is generated when the database is opened.
#[derive(Clone)]
pub(crate) struct ProofKey(pub [u8; 32]);

impl Default for ProofKey {
    fn default() -> Self {
        Self(rand::random())
    }
}

impl Database {
    /// Opens the database, checks that its version is supported, and migrates its schema.
    ///
    /// # Errors
    ///
    /// Fails with a text for the operator of the server.
    pub async fn open(storage: &Storage) -> std::result::Result<Self, OpenError> {
        let pools = match storage {
            Storage::Sqlite(path) => Pools::open_sqlite(path).await?,
            Storage::Postgres {
                url,
                connections_max,
            } => Pools::open_postgres(url, *connections_max).await?,
        };
        Ok(Self {
            pools,
            shared: Shared::default(),
        })
    }

    /// Returns the same database, whose records of chats contain the prompts of that renderer.
    pub fn with_renderer(mut self, renderer: i64) -> Self {
        self.shared.renderer = renderer;
        self
    }

    /// Begins a transaction that reads. All its statements see one state.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unavailable`] if no connection becomes free or the database cannot be reached.
    pub async fn read(&self) -> Result<Transaction> {
        let connection = self.pools.begin_read().await?;
        Ok(Transaction::new(connection, false, self.shared.clone()))
    }

    /// Begins a transaction that writes. On SQLite there is one at a time. On PostgreSQL it locks the rows
    /// that it is granted.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unavailable`] if no connection becomes free or the database cannot be reached.
    pub async fn write(&self) -> Result<Transaction> {
        let connection = self.pools.begin_write().await?;
        Ok(Transaction::new(connection, true, self.shared.clone()))
    }

    /// Begins a statement that reads outside any transaction, in one round trip.
    pub(crate) fn single(&self, sql: &'static str) -> Query<'_> {
        Query::outside(&self.pools, &self.shared.counters).push(sql)
    }

    /// Checks whether the database takes writes, without writing.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unavailable`] if no writing transaction can begin.
    pub async fn require_writable(&self) -> Result<()> {
        self.write().await.map(drop)
    }

    /// Closes every connection once its current use is over.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    /// Returns the uses that have not been written yet.
    pub fn last_used(&self) -> &LastUsed {
        &self.shared.last_used
    }

    /// Returns the counts of statements and rows since the database was opened.
    pub fn counts(&self) -> Counts {
        self.shared.counters.read()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Returns `sqlite` or `postgres`, for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self.pools.postgres() {
            Some(_) => "postgres",
            None => "sqlite",
        }
    }

    /// Returns the connections to PostgreSQL, for its notifications, or `None` on SQLite.
    pub(crate) fn postgres(&self) -> Option<&Connections> {
        self.pools.postgres()
    }
}

/// The brand of the next transaction. Brands let a transaction refuse the grants of another.
static NEXT_BRAND: AtomicU64 = AtomicU64::new(1);

/// A transaction. Dropping it without [`Transaction::commit`] rolls it back.
pub struct Transaction {
    connection: Connection,
    brand: u64,
    writes: bool,
    shared: Shared,
}

impl Transaction {
    fn new(connection: Connection, writes: bool, shared: Shared) -> Self {
        let brand = NEXT_BRAND.fetch_add(1, Ordering::Relaxed);
        shared.counters.round_trip();
        Self {
            connection,
            brand,
            writes,
            shared,
        }
    }

    /// Commits the transaction. An operation commits with a [deed](crate::deed), which calls this.
    pub(crate) async fn end(self) -> Result<()> {
        self.shared.counters.round_trip();
        self.connection.commit().await
    }

    /// Returns the number that the grants of this transaction carry.
    pub(crate) fn brand(&self) -> u64 {
        self.brand
    }

    pub(crate) fn writes(&self) -> bool {
        self.writes
    }

    pub(crate) fn last_used(&self) -> &LastUsed {
        &self.shared.last_used
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Begins a statement with the parameters `$1`, `$2` and so on.
    pub(crate) fn query(&mut self, sql: &'static str) -> Query<'_> {
        Query::within(&mut self.connection, &self.shared.counters).push(sql)
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.connection.is_postgres()
    }

    /// Returns whether rows can be locked. A transaction that writes to SQLite is the only one.
    pub(crate) fn has_row_locks(&self) -> bool {
        self.is_postgres()
    }
}

/// A count of the attempts at a transaction that may lose against others.
#[derive(Debug, Default)]
pub struct Attempts(u32);

impl Attempts {
    /// Returns whether to retry the transaction after `error`. If so, it first pauses for a random time
    /// whose limit grows with each attempt.
    pub async fn pause_before_retry(&mut self, error: &Error) -> bool {
        self.0 += 1;
        if !error.is_contended() || self.0 >= ATTEMPTS_MAX {
            return false;
        }
        let ceiling = ATTEMPT_PAUSE * (1 << self.0.min(6));
        tokio::time::sleep(ceiling.mul_f64(rand::random::<f64>())).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Executor as _;

    use super::*;
    use crate::deed::Deed;

    /// A full disk makes SQLite end the transaction by itself. The connection must still serve the next
    /// writer.
    #[tokio::test]
    async fn writing_goes_on_after_the_disk_was_full() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::Sqlite(directory.path().join("ctxpin.sqlite"));
        let database = Database::open(&storage).await.unwrap();
        let write = async |number: u8| {
            let mut transaction = database.write().await?;
            transaction
                .query("insert into blobs (hash, size, bytes) values ($1, $2, $3)")
                .bind(&[number; 32])
                .bind(&100_000_u64)
                .bind(&vec![number; 100_000])
                .execute()
                .await?;
            transaction
                .commit(Deed::unaudited("a test"))
                .await
                .map(drop)
        };
        write(1).await.unwrap();
        // The limit belongs to the connection, so a new one has room again.
        let Pools::Sqlite { writer, .. } = &database.pools else {
            unreachable!("the storage is a file");
        };
        writer.execute("pragma max_page_count = 1").await.unwrap();
        let full = write(2).await.unwrap_err();
        assert!(matches!(full, Error::Unavailable(_)));
        let told = full.to_string();
        assert!(
            told.contains("disk of the server's database is full"),
            "{told}"
        );
        write(3).await.unwrap();
        let count = database
            .single("select count(*) from blobs")
            .optional(|row| row.take::<i64>());
        assert_eq!(
            count.await.unwrap(),
            Some(2),
            "the acknowledged writes, and no others"
        );
    }
}
