//! A service on a fresh database of each kind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ctxpin_model::moment::Moment;
use ctxpin_operations::clock::Clock;
use ctxpin_operations::service::{Service, Storage};
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// Names the PostgreSQL server whose databases tests make.
pub const POSTGRES_VARIABLE: &str = "CTXPIN_TEST_POSTGRES";

/// Connections of one test's service: enough for its concurrency, few enough for many tests at once.
const CONNECTIONS_MAX: u32 = 8;

/// Returns the moment at which the clocks of tests begin.
pub fn test_start() -> Moment {
    Moment::from_unix_micros(1_800_000_000_000_000).expect("a calendar holds it")
}

/// A service on a database of its own. Its clock stands still until the test moves it.
pub struct TestService {
    pub service: Service,
    pub clock: Clock,
    /// The storage of its data, to open it a second time.
    pub storage: Storage,
    directory: Option<TempDir>,
}

impl TestService {
    /// Returns a service on a new SQLite file.
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let storage = Storage::Sqlite(directory.path().join("ctxpin.sqlite"));
        Self::open(storage, Some(directory)).await
    }

    /// Returns a service on a new PostgreSQL database.
    ///
    /// # Panics
    /// Panics if [`POSTGRES_VARIABLE`] names no server.
    pub async fn postgres() -> Self {
        Self::postgres_at(create_postgres_database().await).await
    }

    /// Returns a service on a PostgreSQL database that was created for it.
    pub async fn postgres_at(url: String) -> Self {
        let connections_max = CONNECTIONS_MAX;
        let storage = Storage::Postgres {
            url,
            connections_max,
        };
        Self::open(storage, None).await
    }

    /// Returns a service on the SQLite file of an earlier release. `dump` holds the statements that
    /// create it.
    pub async fn sqlite_left(dump: &'static str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("ctxpin.sqlite");
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let mut connection = SqliteConnection::connect(&url).await.expect("the file");
        let made = connection.execute(sqlx::raw_sql(dump)).await;
        made.expect("a sound dump");
        connection.close().await.expect("nothing is lost");
        Self::open(Storage::Sqlite(path), Some(directory)).await
    }

    /// Returns a service on the PostgreSQL database of an earlier release. `dump` holds the
    /// statements that create it.
    ///
    /// # Panics
    /// Panics if [`POSTGRES_VARIABLE`] names no server.
    pub async fn postgres_left(dump: &'static str) -> Self {
        let url = create_postgres_database().await;
        let mut connection = PgConnection::connect(&url).await.expect("PostgreSQL");
        let made = connection.execute(sqlx::raw_sql(dump)).await;
        made.expect("a sound dump");
        connection.close().await.expect("nothing is lost");
        Self::postgres_at(url).await
    }

    async fn open(storage: Storage, directory: Option<TempDir>) -> Self {
        let clock = Clock::standing_at(test_start());
        let service = Service::open(&storage, clock.clone())
            .await
            .expect("the database opens");
        Self {
            service,
            clock,
            storage,
            directory,
        }
    }

    /// Returns a second service on the same data: another replica, or the same server started
    /// again.
    pub async fn replica(&self) -> Service {
        Service::open(&self.storage, self.clock.clone())
            .await
            .expect("the database opens again")
    }

    /// Returns the file of a SQLite database.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        match &self.storage {
            Storage::Sqlite(path) => Some(path.clone()),
            Storage::Postgres { .. } => None,
        }
    }

    /// Runs a statement without the service, to leave what another release or a fault would leave.
    /// Returns how many rows it changed.
    pub async fn tamper(&self, sql: &'static str) -> u64 {
        match &self.storage {
            Storage::Sqlite(path) => {
                let url = format!("sqlite://{}", path.display());
                let mut connection = SqliteConnection::connect(&url).await.expect("the file");
                let done = connection.execute(sql).await.expect("a sound statement");
                connection.close().await.expect("nothing is lost");
                done.rows_affected()
            }
            Storage::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.expect("PostgreSQL");
                let done = connection.execute(sql).await.expect("a sound statement");
                connection.close().await.expect("nothing is lost");
                done.rows_affected()
            }
        }
    }

    /// Returns the result of a `select count(*) ..`, without the service.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let counted = match &self.storage {
            Storage::Sqlite(path) => {
                let url = format!("sqlite://{}", path.display());
                let mut connection = SqliteConnection::connect(&url).await.expect("the file");
                let counted = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
                connection.close().await.expect("nothing is lost");
                counted
            }
            Storage::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.expect("PostgreSQL");
                let counted = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
                connection.close().await.expect("nothing is lost");
                counted
            }
        };
        counted.expect("a sound statement")
    }

    /// Holds the locks of a statement, as another client of PostgreSQL would.
    ///
    /// # Panics
    /// On SQLite, which locks no rows.
    pub async fn hold(&self, sql: &'static str) -> Held {
        let Storage::Postgres { url, .. } = &self.storage else {
            panic!("only PostgreSQL locks rows");
        };
        let mut connection = PgConnection::connect(url).await.expect("PostgreSQL");
        connection.execute("begin").await.expect("a transaction");
        connection.execute(sql).await.expect("a sound statement");
        Held { connection }
    }

    /// Moves the clock.
    pub fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Closes the database and removes it.
    pub async fn finish(self) {
        self.service.close().await;
        drop(self.directory);
        if let Storage::Postgres { url, .. } = &self.storage {
            drop_postgres_database(url).await;
        }
    }
}

/// Locks that are held until they are released.
pub struct Held {
    connection: PgConnection,
}

/// How often a waiting session is looked for, at most. A look takes a good part of a millisecond.
const LOOKS_MAX: usize = 100_000;

impl Held {
    /// Waits until a session of the same database waits for a lock.
    pub async fn awaited(&mut self) {
        let waiting = "select count(*) from pg_stat_activity \
                       where datname = current_database() and wait_event_type = 'Lock'";
        for _ in 0..LOOKS_MAX {
            // Within a transaction, PostgreSQL returns the activity that it read first, until it is
            // told to discard it.
            let forget = "select pg_stat_clear_snapshot()";
            self.connection.execute(forget).await.expect("an answer");
            let found: i64 = sqlx::query_scalar(waiting)
                .fetch_one(&mut self.connection)
                .await
                .expect("an answer");
            if found > 0 {
                return;
            }
        }
        panic!("nobody waits for what is held");
    }

    /// Runs a statement, commits, and so releases the locks.
    pub async fn change(mut self, sql: &'static str) {
        let changed = self.connection.execute(sql).await;
        changed.expect("a sound statement");
        self.connection.execute("commit").await.expect("an end");
        self.connection.close().await.expect("a closed connection");
    }

    /// Rolls the transaction back, which releases its locks.
    pub async fn release(mut self) {
        self.connection.execute("rollback").await.expect("an end");
        self.connection.close().await.expect("a closed connection");
    }
}

/// The only transaction of a SQLite file that writes, in another process's hands until it is dropped.
pub struct HeldWriter {
    _connection: SqliteConnection,
}

impl HeldWriter {
    /// Begins the transaction.
    pub async fn hold(path: &Path) -> Self {
        let url = format!("sqlite://{}", path.display());
        let connection = SqliteConnection::connect(&url).await;
        let mut connection = connection.expect("the file");
        let begun = connection.execute("begin immediate").await;
        begun.expect("a transaction that writes");
        Self {
            _connection: connection,
        }
    }
}

/// Returns the URL of the PostgreSQL server for the tests' databases.
pub fn postgres_url() -> String {
    std::env::var(POSTGRES_VARIABLE).unwrap_or_else(|_| {
        panic!(
            "{POSTGRES_VARIABLE} is not set: run `cargo xtask test`, or run `cargo xtask postgres` \
             beside and take over the variable that it prints"
        )
    })
}

/// Creates a database of a new name, and returns its URL.
pub async fn create_postgres_database() -> String {
    create_postgres_database_with("").await
}

/// Creates a database with options, as in `create database name encoding 'LATIN1'`, and returns its
/// URL.
pub async fn create_postgres_database_with(options: &'static str) -> String {
    let name = new_name();
    let statement = format!("create database {name} {options}");
    run_on_server(&[statement]).await;
    database_url(&postgres_url(), &name)
}

/// Creates a database of a new user, who has no special rights and at most `connections_max`
/// connections. Returns its URL for that user.
pub async fn create_postgres_database_of_user(connections_max: u32) -> String {
    let name = new_name();
    run_on_server(&[
        format!("create role {name} login connection limit {connections_max}"),
        format!("create database {name} owner {name}"),
    ])
    .await;
    let url = database_url(&postgres_url(), &name);
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}user={name}")
}

fn new_name() -> String {
    format!("test_{}", Uuid::new_v4().simple())
}

/// Runs statements on the server's own database.
async fn run_on_server(statements: &[String]) {
    let mut connection = PgConnection::connect(&postgres_url())
        .await
        .expect("PostgreSQL answers");
    for statement in statements {
        let ran = connection.execute(sqlx::raw_sql(safe(statement.clone())));
        ran.await.expect("the server takes it");
    }
    connection.close().await.expect("a closed connection");
}

/// Returns every row of every table of a database as text, with bytes in hexadecimal digits.
pub async fn postgres_rows(url: &str) -> String {
    let mut connection = PgConnection::connect(url).await.expect("it answers");
    let tables = "select tablename::text from pg_tables where schemaname = 'public' order by 1";
    let tables: Vec<String> = sqlx::query_scalar(tables)
        .fetch_all(&mut connection)
        .await
        .expect("the tables are listed");
    let mut text = String::new();
    for table in tables {
        let rows = format!("select row::text from {table} row");
        let rows: Vec<String> = sqlx::query_scalar(safe(rows))
            .fetch_all(&mut connection)
            .await
            .expect("a table is read");
        text.push_str(&rows.join("\n"));
    }
    connection.close().await.expect("a closed connection");
    text
}

/// Waits until a standby has every write of its primary, whose URL is `primary`.
pub async fn await_replication(primary: &str) {
    let mut connection = PgConnection::connect(primary).await.expect("it answers");
    let caught_up =
        "select count(*) from pg_stat_replication where replay_lsn = pg_current_wal_lsn()";
    for _ in 0..LOOKS_MAX {
        let found: i64 = sqlx::query_scalar(caught_up)
            .fetch_one(&mut connection)
            .await
            .expect("an answer");
        if found == 1 {
            return;
        }
    }
    panic!("the standby does not follow");
}

async fn drop_postgres_database(url: &str) {
    let server = postgres_url();
    let name = url.split(['/', '?']).find(|part| part.starts_with("test_"));
    let Some(name) = name else { return };
    let Ok(mut connection) = PgConnection::connect(&server).await else {
        return;
    };
    // Another test may still hold it; it goes with the cluster then.
    for statement in [
        format!("drop database if exists {name} with (force)"),
        format!("drop role if exists {name}"),
    ] {
        let _ = connection.execute(sqlx::raw_sql(safe(statement))).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the names are made here or are those of our tables"
)]
fn safe(sql: String) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(sql)
}

/// Returns the URL of another database of the same server.
fn database_url(server: &str, name: &str) -> String {
    let (base, query) = match server.split_once('?') {
        Some((base, query)) => (base, format!("?{query}")),
        None => (server, String::new()),
    };
    let host = base.rsplit_once('/').map_or(base, |(host, _)| host);
    format!("{host}/{name}{query}")
}

/// Makes two tests of one body, one for each database. The body is an `async fn` that takes a
/// [`TestService`].
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                $(#[$meta])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let test = $crate::databases::TestService::sqlite().await;
                    super::$name(&test).await;
                    test.finish().await;
                }
            )+
        }
        mod postgres {
            $(
                $(#[$meta])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let test = $crate::databases::TestService::postgres().await;
                    super::$name(&test).await;
                    test.finish().await;
                }
            )+
        }
    };
}
