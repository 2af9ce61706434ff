//! A statement on its way to whichever database is open, and the rows that come back.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Executor as _};

use crate::connections::{Connections, Lease};
use crate::counts::Counters;
use crate::database::{Connection, Pools};
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::values::{Arguments, Plain, Row, RowSource, Value};

pub(crate) struct Statement {
    sql: String,
    arguments: Result<Arguments>,
    /// Of the values, together.
    bytes: u64,
}

impl Statement {
    pub(crate) fn new(sql: String, is_postgres: bool) -> Self {
        let (sql, arguments) = if is_postgres {
            (sql, Arguments::Postgres(Default::default()))
        } else {
            (for_sqlite(sql), Arguments::Sqlite(Default::default()))
        };
        Self {
            sql,
            arguments: Ok(arguments),
            bytes: 0,
        }
    }

    fn bind<V: Value>(&mut self, value: Option<&V>) {
        let plain = value.map(V::to_plain);
        self.bytes += plain.as_ref().map_or(0, Plain::bytes);
        if let Ok(arguments) = &mut self.arguments
            && let Err(error) = arguments.add(plain)
        {
            self.arguments = Err(error);
        }
    }
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

/// Which database a statement goes to, and through what.
enum Target<'c> {
    SqliteConnection(&'c mut sqlx::SqliteConnection),
    PostgresLease(&'c mut Lease),
    SqlitePool(&'c SqlitePool),
    PostgresConnections(&'c Connections),
}

#[expect(
    clippy::disallowed_methods,
    reason = "every text comes from this crate, where values go through `bind` alone"
)]
fn safe(sql: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql)
}

async fn fetch_all(target: Target<'_>, statement: Statement) -> Result<Vec<Row>> {
    let sql = safe(statement.sql);
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
    Ok(match (target, statement.arguments?) {
        (Target::SqliteConnection(connection), Arguments::Sqlite(arguments)) => sqlite(
            connection
                .fetch_all(sqlx::query_with(sql, arguments))
                .await?,
        ),
        (Target::SqlitePool(pool), Arguments::Sqlite(arguments)) => {
            sqlite(pool.fetch_all(sqlx::query_with(sql, arguments)).await?)
        }
        (Target::PostgresLease(lease), Arguments::Postgres(arguments)) => {
            postgres(lease.fetch_all(sql, arguments).await?)
        }
        (Target::PostgresConnections(connections), Arguments::Postgres(arguments)) => {
            postgres(fetch_all_postgres(connections, sql, arguments).await?)
        }
        _ => return Err(Error::Unexpected("arguments of the other database".into())),
    })
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

/// A statement within a transaction.
pub(crate) struct Query<'t> {
    pub(crate) connection: &'t mut Connection,
    pub(crate) counters: &'t Counters,
    pub(crate) statement: Statement,
}

impl Query<'_> {
    pub(crate) fn bind<V: Value>(mut self, value: &V) -> Self {
        self.statement.bind(Some(value));
        self
    }

    pub(crate) fn bind_optional<V: Value>(mut self, value: Option<&V>) -> Self {
        self.statement.bind(value);
        self
    }

    pub(crate) fn bind_all<'v, V: Value + 'v>(
        mut self,
        values: impl IntoIterator<Item = &'v V>,
    ) -> Self {
        values
            .into_iter()
            .for_each(|value| self.statement.bind(Some(value)));
        self
    }

    /// Runs it and reads every row.
    pub(crate) async fn all<T>(self, read: impl Fn(&mut Row) -> Result<T>) -> Result<Vec<T>> {
        let target = match self.connection {
            Connection::Sqlite(transaction) => Target::SqliteConnection(transaction),
            Connection::Postgres(lease) => Target::PostgresLease(lease),
        };
        self.counters.statement(self.statement.bytes);
        let rows = fetch_all(target, self.statement).await?;
        rows.into_iter().map(|mut row| read(&mut row)).collect()
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

    /// Runs it and tells how many rows it wrote.
    pub(crate) async fn execute(self) -> Result<u64> {
        self.counters.statement(self.statement.bytes);
        let sql = safe(self.statement.sql);
        let written = match (self.connection, self.statement.arguments?) {
            (Connection::Sqlite(transaction), Arguments::Sqlite(arguments)) => {
                let done = transaction
                    .execute(sqlx::query_with(sql, arguments))
                    .await?;
                done.rows_affected()
            }
            (Connection::Postgres(lease), Arguments::Postgres(arguments)) => {
                lease.execute(sql, arguments).await?
            }
            _ => return Err(Error::Unexpected("arguments of the other database".into())),
        };
        self.counters.rows_written(written);
        Ok(written)
    }
}

/// A statement outside any transaction.
pub(crate) struct Single<'d> {
    pub(crate) pools: &'d Pools,
    pub(crate) counters: &'d Counters,
    pub(crate) statement: Statement,
}

impl Single<'_> {
    pub(crate) fn bind<V: Value>(mut self, value: &V) -> Self {
        self.statement.bind(Some(value));
        self
    }

    pub(crate) fn bind_optional<V: Value>(mut self, value: Option<&V>) -> Self {
        self.statement.bind(value);
        self
    }

    pub(crate) async fn optional<T>(
        self,
        read: impl Fn(&mut Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let target = match self.pools {
            Pools::Sqlite { readers, .. } => Target::SqlitePool(readers),
            Pools::Postgres(connections) => Target::PostgresConnections(connections),
        };
        self.counters.statement(self.statement.bytes);
        let rows = fetch_all(target, self.statement).await?;
        rows.into_iter()
            .next()
            .map(|mut row| read(&mut row))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::placeholders;

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
        let many = placeholders(3, 5, 1);
        assert_eq!(for_sqlite(many).matches('?').count(), 15);
    }
}
