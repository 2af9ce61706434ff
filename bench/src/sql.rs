//! Plain statements on either database: for the baseline, the limits, and rows that a set-up writes
//! faster than the product would. Pools have the options that the product's have.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use uuid::Uuid;

/// Longest wait for a connection and for another process's lock, as in the product.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Rows in one statement that inserts many, as in the product.
pub const CHUNK: usize = 500;

/// Most connections that read SQLite at a time, as in the product.
const SQLITE_READERS_MAX: u32 = 8;

/// Most connections of a pool of PostgreSQL.
pub const POSTGRES_CONNECTIONS_MAX: u32 = 8;

/// A pool of connections.
#[derive(Clone)]
pub enum Pool {
    /// One connection, because SQLite has one writer.
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A transaction that writes.
pub enum Work {
    /// Begun with `begin immediate`.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    /// At read committed.
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// A value for a parameter.
#[derive(Clone)]
pub enum Value {
    Id(Uuid),
    Bytes(Vec<u8>),
    Text(String),
    /// A whole number.
    Number(i64),
    Time(DateTime<Utc>),
}

macro_rules! query {
    ($database:ty, $sql:expr, $values:expr) => {{
        let mut query = sqlx::query::<$database>(vouched($sql));
        for value in $values {
            query = match value {
                Value::Id(id) => query.bind(*id),
                Value::Bytes(bytes) => query.bind(bytes.clone()),
                Value::Text(text) => query.bind(text.clone()),
                Value::Number(number) => query.bind(*number),
                Value::Time(time) => query.bind(*time),
            };
        }
        query
    }};
}

/// Marks a statement as safe. Every statement here is a constant of this program, or repeats a
/// constant for each row.
#[expect(
    clippy::disallowed_methods,
    reason = "statements for many rows are composed, and none holds what comes from outside"
)]
fn vouched(sql: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(sql.to_owned())
}

impl Pool {
    /// Opens a SQLite file, and creates it if it is missing.
    pub async fn sqlite(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT_MAX);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WAIT_MAX)
            .test_before_acquire(true)
            .before_acquire(|connection, _| {
                let is_fit = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_fit) })
            })
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options);
        Ok(Self::Sqlite(pool.await.context("opening SQLite")?))
    }

    /// Opens an existing SQLite file, for reading on several connections.
    pub async fn sqlite_readers(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT_MAX)
            .read_only(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS_MAX)
            .acquire_timeout(WAIT_MAX)
            .test_before_acquire(false)
            .connect_with(options);
        Ok(Self::Sqlite(pool.await.context("opening SQLite")?))
    }

    /// Opens a PostgreSQL database.
    pub async fn postgres(url: &str) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS_MAX)
            .acquire_timeout(WAIT_MAX)
            .test_before_acquire(false)
            .connect_with(PgConnectOptions::from_str(url)?);
        Ok(Self::Postgres(pool.await.context("opening PostgreSQL")?))
    }

    /// Returns whether the database is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Runs one statement in a transaction of its own, and returns how many rows it changed.
    pub async fn run(&self, sql: &str, values: &[Value]) -> anyhow::Result<u64> {
        Ok(match self {
            Self::Sqlite(pool) => query!(Sqlite, sql, values)
                .execute(pool)
                .await?
                .rows_affected(),
            Self::Postgres(pool) => query!(Postgres, sql, values)
                .execute(pool)
                .await?
                .rows_affected(),
        })
    }

    /// Runs several statements without parameters.
    pub async fn script(&self, sql: &str) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(pool) => {
                sqlx::raw_sql(vouched(sql)).execute(pool).await?;
            }
            Self::Postgres(pool) => {
                sqlx::raw_sql(vouched(sql)).execute(pool).await?;
            }
        }
        Ok(())
    }

    /// Inserts many rows: `head` up to the word `values`, then each row's values.
    pub async fn insert(&self, head: &str, rows: &[Vec<Value>]) -> anyhow::Result<()> {
        let mut work = self.begin().await?;
        work.insert(head, rows, "").await?;
        work.commit().await
    }

    /// Returns the only number in the result of a statement.
    pub async fn number(&self, sql: &str) -> anyhow::Result<i64> {
        Ok(match self {
            Self::Sqlite(pool) => sqlx::query_scalar(vouched(sql)).fetch_one(pool).await?,
            Self::Postgres(pool) => sqlx::query_scalar(vouched(sql)).fetch_one(pool).await?,
        })
    }

    /// Returns the only text in the result of a statement.
    pub async fn text(&self, sql: &str) -> anyhow::Result<String> {
        Ok(match self {
            Self::Sqlite(pool) => sqlx::query_scalar(vouched(sql)).fetch_one(pool).await?,
            Self::Postgres(pool) => sqlx::query_scalar(vouched(sql)).fetch_one(pool).await?,
        })
    }

    /// Returns the bytes of the row with that number.
    pub async fn bytes(&self, sql: &str, number: i64) -> anyhow::Result<Vec<u8>> {
        let values = [Value::Number(number)];
        Ok(match self {
            Self::Sqlite(pool) => {
                let row = query!(Sqlite, sql, &values).fetch_one(pool).await?;
                sqlx::Row::try_get(&row, 0)?
            }
            Self::Postgres(pool) => {
                let row = query!(Postgres, sql, &values).fetch_one(pool).await?;
                sqlx::Row::try_get(&row, 0)?
            }
        })
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> anyhow::Result<Work> {
        Ok(match self {
            Self::Sqlite(pool) => Work::Sqlite(pool.begin_with("begin immediate").await?),
            Self::Postgres(pool) => Work::Postgres(pool.begin().await?),
        })
    }

    /// Returns the size of the tables and their indexes in bytes, after it has removed dead rows.
    pub async fn compact_size(&self) -> anyhow::Result<i64> {
        if self.is_postgres() {
            self.script("vacuum (full, analyze)").await?;
            let sizes = "select cast(sum(pg_total_relation_size(oid)) as bigint) from pg_class \
                 where relkind = 'r' and relnamespace = 'public'::regnamespace";
            return self.number(sizes).await;
        }
        self.script("vacuum").await?;
        let pages = self
            .number("select page_count from pragma_page_count")
            .await?;
        let page = self
            .number("select page_size from pragma_page_size")
            .await?;
        Ok(pages * page)
    }

    /// Updates the planner's statistics and writes the log back, as in a database that has been in
    /// use for a while.
    pub async fn settle(&self) -> anyhow::Result<()> {
        if self.is_postgres() {
            self.script("vacuum (analyze)").await?;
            return self.script("checkpoint").await;
        }
        self.script("pragma wal_checkpoint(truncate)").await
    }

    /// Ends every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Work {
    /// Runs a statement, and returns how many rows it changed.
    pub async fn run(&mut self, sql: &str, values: &[Value]) -> anyhow::Result<u64> {
        Ok(match self {
            Self::Sqlite(work) => query!(Sqlite, sql, values)
                .execute(&mut **work)
                .await?
                .rows_affected(),
            Self::Postgres(work) => query!(Postgres, sql, values)
                .execute(&mut **work)
                .await?
                .rows_affected(),
        })
    }

    /// Returns the rows of a statement with one id, each a text and bytes.
    pub async fn pairs(&mut self, sql: &str, id: Uuid) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        Ok(match self {
            Self::Sqlite(work) => {
                let query = sqlx::query_as(vouched(sql)).bind(id);
                query.fetch_all(&mut **work).await?
            }
            Self::Postgres(work) => {
                let query = sqlx::query_as(vouched(sql)).bind(id);
                query.fetch_all(&mut **work).await?
            }
        })
    }

    /// Inserts many rows: `head` up to the word `values`, then each row's values, then `tail`.
    pub async fn insert(
        &mut self,
        head: &str,
        rows: &[Vec<Value>],
        tail: &str,
    ) -> anyhow::Result<()> {
        for chunk in rows.chunks(CHUNK) {
            let mut next = 0;
            let tuples: Vec<String> = chunk
                .iter()
                .map(|row| {
                    let places = row.iter().map(|_| {
                        next += 1;
                        format!("${next}")
                    });
                    format!("({})", places.collect::<Vec<_>>().join(", "))
                })
                .collect();
            let sql = format!("{head} values {} {tail}", tuples.join(", "));
            self.run(&sql, &chunk.concat()).await?;
        }
        Ok(())
    }

    /// Commits the transaction durably.
    pub async fn commit(self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(work) => work.commit().await?,
            Self::Postgres(work) => work.commit().await?,
        }
        Ok(())
    }
}
