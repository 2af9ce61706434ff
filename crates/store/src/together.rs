//! Sends several writes in one round trip.

use crate::database::Transaction;
use crate::error::Result;
use crate::query::Query;
use crate::values::Value;

/// Statements that write and do not depend on each other: none sees what another one writes. On
/// PostgreSQL they are sent as one, as the parts of a `with`; SQLite, which is in this process,
/// runs one after the other.
pub(crate) struct Together<'t> {
    transaction: &'t mut Transaction,
    writes: Vec<Write>,
}

/// An `insert`, `update` or `delete` without `returning`.
struct Write {
    sql: &'static str,
    values: Vec<Box<dyn Bindable>>,
}

/// A value of any type that can be bound.
trait Bindable: Send {
    fn bind<'t>(&self, query: Query<'t>) -> Query<'t>;
}

impl<V: Value + Send> Bindable for Option<V> {
    fn bind<'t>(&self, query: Query<'t>) -> Query<'t> {
        query.bind_optional(self.as_ref())
    }
}

impl Transaction {
    /// Returns an empty list of writes, which run in this transaction.
    pub(crate) fn together(&mut self) -> Together<'_> {
        Together {
            transaction: self,
            writes: Vec::new(),
        }
    }
}

impl Together<'_> {
    /// Adds a statement with the parameters `$1`, `$2` and so on. The values that are bound next belong to it.
    pub(crate) fn write(mut self, sql: &'static str) -> Self {
        let values = Vec::new();
        self.writes.push(Write { sql, values });
        self
    }

    pub(crate) fn bind<V: Value + Clone + Send + 'static>(self, value: &V) -> Self {
        self.bind_optional(Some(value))
    }

    pub(crate) fn bind_optional<V: Value + Clone + Send + 'static>(
        mut self,
        value: Option<&V>,
    ) -> Self {
        if let Some(write) = self.writes.last_mut() {
            write.values.push(Box::new(value.cloned()));
        }
        self
    }

    /// Executes the statements and returns how many rows they wrote in total.
    pub(crate) async fn execute(self) -> Result<u64> {
        if !self.transaction.is_postgres() {
            let mut written = 0;
            for write in self.writes {
                let query = self.transaction.query(write.sql);
                written += bind_all(query, &write.values).execute().await?;
            }
            return Ok(written);
        }
        let counted = self.writes.len() as u64;
        let mut query = compose(self.transaction.query(""), &self.writes);
        for write in &self.writes {
            query = bind_all(query, &write.values);
        }
        query.written_together(counted).await
    }
}

fn bind_all<'t>(query: Query<'t>, values: &[Box<dyn Bindable>]) -> Query<'t> {
    values.iter().fold(query, |query, value| value.bind(query))
}

/// Composes one statement of several, without their values. It returns how many rows they wrote in total.
fn compose<'t>(mut query: Query<'t>, writes: &[Write]) -> Query<'t> {
    let mut values_before = 0;
    for (number, write) in (0..).zip(writes) {
        query = query
            .push(if number == 0 { "with w" } else { ", w" })
            .number(number)
            .push(" as (")
            .push_renumbered(write.sql, values_before)
            .push(" returning 1)");
        values_before += write.values.len();
    }
    query = query.push(" select cast(");
    for (number, _) in (0..).zip(writes) {
        query = query
            .push(if number == 0 { "" } else { " + " })
            .push("(select count(*) from w")
            .number(number)
            .push(")");
    }
    query.push(" as bigint)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::tests::text;

    #[tokio::test]
    async fn writes_become_one_statement() {
        let write = |sql, count: i64| Write {
            sql,
            values: (0..count).map(|n| Box::new(Some(n)) as _).collect(),
        };
        let writes = [
            write("insert into t values ($1, $2)", 2),
            write("delete from u where id = $1", 1),
        ];
        assert_eq!(
            text(|query| compose(query, &writes)),
            "with w0 as (insert into t values ($1, $2) returning 1), \
             w1 as (delete from u where id = $3 returning 1) \
             select cast((select count(*) from w0) + (select count(*) from w1) as bigint)"
        );
    }
}
