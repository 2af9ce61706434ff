//! A statement on its way to whichever database is open, and the rows that come back. Every text of a
//! statement is written in this crate, for only `'static` texts become one; values go beside it.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Executor as _};

use crate::connections::{Connections, Lease};
use crate::counts::Counters;
use crate::database::{Connection, Lock, Pools};
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::values::{Arguments, Plain, Row, RowSource, Value};

/// Which database a statement goes to, and through what.
enum Target<'c> {
    SqliteConnection(&'c mut sqlx::SqliteConnection),
    PostgresLease(&'c mut Lease),
    SqlitePool(&'c SqlitePool),
    PostgresConnections(&'c Connections),
}

/// A statement, within a transaction or outside any.
///
/// A statement that is always the same is one text with `$1`, `$2` and so on, whose values are
/// bound in that order. A statement that is put together goes on with [`push`](Self::push) and
/// [`value`](Self::value), which counts on.
pub(crate) struct Query<'c> {
    target: Target<'c>,
    counters: &'c Counters,
    sql: String,
    arguments: Result<Arguments>,
    /// How many values there are.
    count: usize,
    /// Of the values, together.
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

    /// Begins a statement outside any transaction, which reads.
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

    /// Adds text.
    pub(crate) fn push(mut self, sql: &'static str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds several texts.
    pub(crate) fn push_all(self, parts: impl IntoIterator<Item = &'static str>) -> Self {
        parts.into_iter().fold(self, Self::push)
    }

    /// Adds a number of our own, which is the same for every caller.
    pub(crate) fn number(mut self, number: i64) -> Self {
        self.sql.push_str(&number.to_string());
        self
    }

    /// Adds a text whose parameters were counted on by [`crate::together`].
    pub(crate) fn renumbered(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a value.
    pub(crate) fn value<V: Value>(self, value: &V) -> Self {
        self.value_optional(Some(value))
    }

    /// Adds a value that may be null.
    pub(crate) fn value_optional<V: Value>(mut self, value: Option<&V>) -> Self {
        self.sql.push_str(&format!("${}", self.count + 1));
        self.add(value);
        self
    }

    /// Adds `($1, $2)`: a list of values.
    pub(crate) fn list<'v, V: Value + 'v>(self, values: impl IntoIterator<Item = &'v V>) -> Self {
        let tuple = Tuple::begin(self);
        values.into_iter().fold(tuple, Tuple::value).end()
    }

    /// Adds `($1, $2), ($3, $4)`: a row for each item, whose values `row` adds.
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

    /// Locks the rows that it reads, where the database has such locks: on SQLite a transaction that
    /// writes is alone anyway.
    pub(crate) fn locking(self, lock: Lock) -> Self {
        match self.target {
            Target::SqliteConnection(_) | Target::SqlitePool(_) => self,
            Target::PostgresLease(_) | Target::PostgresConnections(_) => self.push(lock.suffix()),
        }
    }

    /// Gives the value of the next parameter that the text names by its number.
    pub(crate) fn bind<V: Value>(mut self, value: &V) -> Self {
        self.add(Some(value));
        self
    }

    /// Gives the value of the next parameter, which may be null.
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

    /// Runs it and reads every row.
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

    /// Runs it and reads the first row, if there is one.
    pub(crate) async fn optional<T>(
        self,
        read: impl Fn(&mut Row) -> Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.all(read).await?.into_iter().next())
    }

    /// Runs it and reads the first row, which must be there.
    pub(crate) async fn one<T>(self, read: impl Fn(&mut Row) -> Result<T>) -> Result<T> {
        self.optional(read)
            .await?
            .ok_or_else(|| Error::Unexpected("a row is missing".into()))
    }

    /// Runs what writes and tells what it wrote, and reads every row.
    pub(crate) async fn all_written<T>(
        self,
        read: impl Fn(&mut Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let counters = self.counters;
        let rows = self.all(read).await?;
        counters.rows_written(rows.len() as u64);
        Ok(rows)
    }

    /// Runs what was put together of `count` writes and answers how many rows these wrote.
    pub(crate) async fn written_together(self, count: u64) -> Result<u64> {
        let counters = self.counters;
        let written = self.one(|row| row.take()).await?;
        // They are one round trip, which was counted with one statement.
        counters.further_statements(count - 1);
        counters.rows_written(written);
        Ok(written)
    }

    /// Runs it and returns how many rows it wrote. Only a transaction writes.
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

/// Values in parentheses.
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

/// The statement as SQLite takes it best. `$1` is a name there, and each name is compared with all
/// before it: a list of 500 resources would take 20 million comparisons, when it is prepared and
/// again when its values are bound. Where every parameter stands once and in its order, which is so
/// in lists, the bare `?` says the same. Our statements have a `$` before a number and nowhere else.
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

/// Runs one reading statement on a connection that lives: it may be run again.
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
mod tests {
    use super::*;

    #[test]
    fn parameters_in_their_order_need_no_names() {
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
        for (given, expected) in cases {
            assert_eq!(for_sqlite(given.to_owned()), expected);
        }
    }

    #[tokio::test]
    async fn values_count_on() {
        let counters = Counters::default();
        let connections = sqlx::sqlite::SqlitePoolOptions::new();
        let pools = || connections.clone().connect_lazy("sqlite::memory:").unwrap();
        let pools = Pools::Sqlite {
            writer: pools(),
            readers: pools(),
        };
        let query = Query::outside(&pools, &counters)
            .push("insert into t values ")
            .bind(&1_i64)
            .rows([1_i64, 2], |row, item| {
                row.value(&item).value(&"x".to_owned())
            })
            .push(" where a in ")
            .list(&[3_i64, 4]);
        assert_eq!(
            query.sql,
            "insert into t values ($2, $3), ($4, $5) where a in ($6, $7)"
        );
    }
}
