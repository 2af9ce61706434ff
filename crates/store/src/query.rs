//! The builder of statements, which runs them on the open database and returns rows. Only `'static` text
//! becomes SQL, so every statement's text is in this crate. Values are bound.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Executor as _};

use crate::connections::{Connections, Lease};
use crate::counts::Counters;
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::pools::{Connection, Pools};
use crate::values::{Arguments, Plain, Row, RowSource, Value};

/// The connection or pool that a statement runs on.
enum Target<'c> {
    SqliteConnection(&'c mut sqlx::SqliteConnection),
    PostgresLease(&'c mut Lease),
    SqlitePool(&'c SqlitePool),
    PostgresConnections(&'c Connections),
}

/// A statement, within a transaction or outside any.
///
/// A statement that is always the same is one text with `$1`, `$2` and so on, and [`bind`](Self::bind)
/// binds the values in that order. A statement that is assembled uses [`push`](Self::push) and
/// [`value`](Self::value), which numbers the parameters.
pub(crate) struct Query<'c> {
    target: Target<'c>,
    counters: &'c Counters,
    sql: String,
    arguments: Result<Arguments>,
    /// The number of values.
    count: usize,
    /// The bytes of all values together.
    bytes: u64,
}

impl<'c> Query<'c> {
    /// Begins a statement within a transaction.
    pub(crate) fn within(connection: &'c mut Connection, counters: &'c Counters) -> Self {
        match connection {
            Connection::Sqlite(transaction) => {
                Self::new(Target::SqliteConnection(transaction), counters)
            }
            Connection::Postgres(lease) => Self::new(Target::PostgresLease(lease), counters),
        }
    }

    /// Begins a statement that reads outside any transaction.
    pub(crate) fn outside(pools: &'c Pools, counters: &'c Counters) -> Self {
        match pools {
            Pools::Sqlite { readers, .. } => Self::new(Target::SqlitePool(readers), counters),
            Pools::Postgres(connections) => {
                Self::new(Target::PostgresConnections(connections), counters)
            }
        }
    }

    fn new(target: Target<'c>, counters: &'c Counters) -> Self {
        let arguments = match target {
            Target::SqliteConnection(_) | Target::SqlitePool(_) => {
                Arguments::Sqlite(Default::default())
            }
            Target::PostgresLease(_) | Target::PostgresConnections(_) => {
                Arguments::Postgres(Default::default())
            }
        };
        Self {
            target,
            counters,
            sql: String::new(),
            arguments: Ok(arguments),
            count: 0,
            bytes: 0,
        }
    }

    /// Adds text to the statement.
    pub(crate) fn push(mut self, sql: &'static str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds several texts.
    pub(crate) fn push_all(self, parts: impl IntoIterator<Item = &'static str>) -> Self {
        parts.into_iter().fold(self, Self::push)
    }

    /// Adds a number that is the same for every caller.
    pub(crate) fn number(mut self, number: i64) -> Self {
        self.sql.push_str(&number.to_string());
        self
    }

    /// Adds a statement whose parameters count on from the number of values that are bound before it. Our
    /// statements have a `$` before a number and nowhere else.
    pub(crate) fn push_renumbered(self, sql: &'static str, values_before: usize) -> Self {
        let mut parts = sql.split('$');
        let query = self.push(parts.next().unwrap_or_default());
        parts.fold(query, |query, part| {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = part.split_at(digits);
            let number: usize = number.parse().unwrap_or_default();
            let number = i64::try_from(number + values_before).unwrap_or(i64::MAX);
            query.push("$").number(number).push(rest)
        })
    }

    /// Adds a parameter and its value.
    pub(crate) fn value<V: Value>(self, value: &V) -> Self {
        self.value_optional(Some(value))
    }

    /// Adds a parameter and its value, which may be null.
    pub(crate) fn value_optional<V: Value>(mut self, value: Option<&V>) -> Self {
        self.sql.push_str(&format!("${}", self.count + 1));
        self.add(value);
        self
    }

    /// Adds `($1, $2)`, a list of values.
    pub(crate) fn list<'v, V: Value + 'v>(self, values: impl IntoIterator<Item = &'v V>) -> Self {
        let tuple = Tuple::begin(self);
        values.into_iter().fold(tuple, Tuple::value).end()
    }

    /// Adds `($1, $2), ($3, $4)`, a row for each item. `row` adds the values of one.
    pub(crate) fn rows<T>(
        self,
        items: impl IntoIterator<Item = T>,
        row: impl Fn(Tuple<'c>, T) -> Tuple<'c>,
    ) -> Self {
        let row_of = |query: Self, (index, item)| {
            let query = if index == 0 { query } else { query.push(", ") };
            row(Tuple::begin(query), item).end()
        };
        items.into_iter().enumerate().fold(self, row_of)
    }

    /// Locks the rows that the statement reads. Has no effect on SQLite, where only one transaction writes
    /// at a time.
    pub(crate) fn locking(self, lock: Lock) -> Self {
        match self.target {
            Target::SqliteConnection(_) | Target::SqlitePool(_) => self,
            Target::PostgresLease(_) | Target::PostgresConnections(_) => self.push(lock.suffix()),
        }
    }

    /// Binds the value of the next numbered parameter.
    pub(crate) fn bind<V: Value>(mut self, value: &V) -> Self {
        self.add(Some(value));
        self
    }

    /// Binds the value of the next numbered parameter, which may be null.
    pub(crate) fn bind_optional<V: Value>(mut self, value: Option<&V>) -> Self {
        self.add(value);
        self
    }

    fn add<V: Value>(&mut self, value: Option<&V>) {
        let plain = value.map(V::to_plain);
        self.count += 1;
        self.bytes += plain.as_ref().map_or(0, Plain::bytes);
        if let Ok(arguments) = &mut self.arguments
            && let Err(error) = arguments.add(plain)
        {
            self.arguments = Err(error);
        }
    }

    /// Runs the statement and reads every row.
    pub(crate) async fn all<T>(self, read: impl Fn(&mut Row) -> Result<T>) -> Result<Vec<T>> {
        self.counters.statement(self.bytes);
        let rows = self.fetch_all().await?;
        rows.into_iter().map(|mut row| read(&mut row)).collect()
    }

    async fn fetch_all(self) -> Result<Vec<Row>> {
        let sqlite = |rows: Vec<sqlx::sqlite::SqliteRow>| {
            rows.into_iter()
                .map(|row| Row::new(RowSource::Sqlite(row)))
                .collect()
        };
        let postgres = |rows: Vec<sqlx::postgres::PgRow>| {
            rows.into_iter()
                .map(|row| Row::new(RowSource::Postgres(row)))
                .collect()
        };
        let sql = self.sql;
        Ok(match (self.target, self.arguments?) {
            (Target::SqliteConnection(connection), Arguments::Sqlite(arguments)) => {
                let query = sqlx::query_with(safe(for_sqlite(sql)), arguments);
                sqlite(connection.fetch_all(query).await?)
            }
            (Target::SqlitePool(pool), Arguments::Sqlite(arguments)) => {
                let query = sqlx::query_with(safe(for_sqlite(sql)), arguments);
                sqlite(pool.fetch_all(query).await?)
            }
            (Target::PostgresLease(lease), Arguments::Postgres(arguments)) => {
                postgres(lease.fetch_all(safe(sql), arguments).await?)
            }
            (Target::PostgresConnections(connections), Arguments::Postgres(arguments)) => {
                postgres(fetch_all_postgres(connections, safe(sql), arguments).await?)
            }
            _ => return Err(Error::Unexpected("arguments of the other database".into())),
        })
    }

    /// Runs the statement and reads the first row, if there is one.
    pub(crate) async fn optional<T>(
        self,
        read: impl Fn(&mut Row) -> Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.all(read).await?.into_iter().next())
    }

    /// Runs the statement and reads the first row. Fails if there is none.
    pub(crate) async fn one<T>(self, read: impl Fn(&mut Row) -> Result<T>) -> Result<T> {
        self.optional(read)
            .await?
            .ok_or_else(|| Error::Unexpected("a row is missing".into()))
    }

    /// Runs a statement that writes and returns rows, counts these as written, and reads them.
    pub(crate) async fn all_written<T>(
        self,
        read: impl Fn(&mut Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let counters = self.counters;
        let rows = self.all(read).await?;
        counters.rows_written(rows.len() as u64);
        Ok(rows)
    }

    /// Runs `count` writes that were assembled into one statement, and returns how many rows they wrote.
    pub(crate) async fn written_together(self, count: u64) -> Result<u64> {
        let counters = self.counters;
        let written = self.one(|row| row.take()).await?;
        // `all` has counted one statement and the round trip.
        counters.further_statements(count - 1);
        counters.rows_written(written);
        Ok(written)
    }

    /// Runs the statement within a transaction and returns how many rows it wrote.
    pub(crate) async fn execute(self) -> Result<u64> {
        self.counters.statement(self.bytes);
        let sql = self.sql;
        let written = match (self.target, self.arguments?) {
            (Target::SqliteConnection(connection), Arguments::Sqlite(arguments)) => {
                let query = sqlx::query_with(safe(for_sqlite(sql)), arguments);
                connection.execute(query).await?.rows_affected()
            }
            (Target::PostgresLease(lease), Arguments::Postgres(arguments)) => {
                lease.execute(safe(sql), arguments).await?
            }
            _ => return Err(Error::Unexpected("a write outside a transaction".into())),
        };
        self.counters.rows_written(written);
        Ok(written)
    }
}

/// A lock on rows until the end of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Other transactions may lock the rows for share, and none may change them.
    Share,
    /// No other transaction may lock or change the rows.
    Update,
    /// Like `Update`, but other transactions may insert rows that refer to them.
    UpdateNoKey,
}

impl Lock {
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Share => " for share",
            Self::Update => " for update",
            Self::UpdateNoKey => " for no key update",
        }
    }
}

/// A list of values in parentheses.
pub(crate) struct Tuple<'c> {
    query: Query<'c>,
    is_empty: bool,
}

impl<'c> Tuple<'c> {
    fn begin(query: Query<'c>) -> Self {
        Self {
            query: query.push("("),
            is_empty: true,
        }
    }

    /// Adds a value.
    pub(crate) fn value<V: Value>(self, value: &V) -> Self {
        self.value_optional(Some(value))
    }

    /// Adds a value that may be null.
    pub(crate) fn value_optional<V: Value>(self, value: Option<&V>) -> Self {
        let query = match self.is_empty {
            true => self.query,
            false => self.query.push(", "),
        };
        Self {
            query: query.value_optional(value),
            is_empty: false,
        }
    }

    fn end(self) -> Query<'c> {
        self.query.push(")")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "every text comes from this crate, where values go through `bind` and `value` alone"
)]
fn safe(sql: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql)
}

/// Returns the statement in the form that SQLite handles fastest. SQLite takes `$1` for a name and compares
/// each name with all names before it. A list of 500 resources would take 20 million comparisons to
/// prepare, and as many to bind. If every parameter occurs once and in order, as in lists, a bare `?` means
/// the same. In our statements `$` stands only before a number.
fn for_sqlite(sql: String) -> String {
    let mut parts = sql.split('$');
    let mut bare = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        let Some(rest) = part.strip_prefix(&(index + 1).to_string()) else {
            return sql;
        };
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return sql;
        }
        bare.push('?');
        bare.push_str(rest);
    }
    bare
}

/// Runs one statement that reads, on a live connection. It can be repeated on another connection if the
/// first was lost.
async fn fetch_all_postgres(
    connections: &Connections,
    sql: AssertSqlSafe<String>,
    arguments: PgArguments,
) -> Result<Vec<PgRow>> {
    let mut others = connections.count();
    loop {
        let mut lease = connections.take().await?;
        let fetched = lease.fetch_all(safe(sql.0.clone()), arguments.clone());
        match fetched.await {
            Err(error) if others > 0 && Fault::of(&error) == Fault::Lost => others -= 1,
            fetched => return Ok(fetched?),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn parameters_in_order_become_bare() {
        let cases = [
            ("select 1", "select 1"),
            (
                "insert into t values ($1, $2)",
                "insert into t values (?, ?)",
            ),
            ("a = $1 or b = $1", "a = $1 or b = $1"),
            ("b = $2 and a = $1", "b = $2 and a = $1"),
            ("a = $12", "a = $12"),
        ];
        for (sql, expected) in cases {
            assert_eq!(for_sqlite(sql.to_owned()), expected);
        }
    }

    /// Returns the text of a statement. It is never executed.
    pub(crate) fn text(build: impl FnOnce(Query<'_>) -> Query<'_>) -> String {
        let counters = Counters::default();
        let connections = sqlx::sqlite::SqlitePoolOptions::new();
        let pools = || connections.clone().connect_lazy("sqlite::memory:").unwrap();
        let pools = Pools::Sqlite {
            writer: pools(),
            readers: pools(),
        };
        build(Query::outside(&pools, &counters)).sql
    }

    #[tokio::test]
    async fn parameters_count_on() {
        let sql = "update t set a = $2, b = $10 where id = $1";
        let renumbered = |by| text(|query| query.push_renumbered(sql, by));
        assert_eq!(renumbered(0), sql);
        assert_eq!(renumbered(3), "update t set a = $5, b = $13 where id = $4");
    }

    #[tokio::test]
    async fn values_continue_the_numbering() {
        let sql = text(|query| {
            query
                .push("insert into t values ")
                .bind(&1_i64)
                .rows([1_i64, 2], |row, item| {
                    row.value(&item).value(&"x".to_owned())
                })
                .push(" where a in ")
                .list(&[3_i64, 4])
        });
        assert_eq!(
            sql,
            "insert into t values ($2, $3), ($4, $5) where a in ($6, $7)"
        );
    }
}
