//! The audit log: who did what. Rows are only ever added; a refusal's counts on for a minute.

use ctxpin_model::audit::AuditRecord;
use uuid::Uuid;

use ctxpin_model::access::{Actor, Operation};
use ctxpin_model::id::AuditId;
use ctxpin_model::moment::Moment;

use crate::database::Transaction;
use crate::error::Result;
use crate::grant::{Granted, object::Account};
use crate::together::Together;
use crate::values::Row;
use ctxpin_model::page::{IdCursor, Page, PageRequest};

/// What an actor is called in a row, and its id.
pub(crate) fn actor_words(actor: &Actor) -> (&'static str, Option<Uuid>) {
    match actor {
        Actor::User { id, .. } => ("user", Some(id.uuid())),
        Actor::Agent { id, .. } => ("agent", Some(id.uuid())),
        Actor::System => ("system", None),
    }
}

const COLUMNS: &str =
    "id, actor_kind, actor_id, action, object_kind, object_id, outcome, at, count";

fn read(row: &mut Row) -> Result<AuditRecord> {
    Ok(AuditRecord {
        id: row.take()?,
        actor_kind: row.take()?,
        actor_id: row.take_optional()?,
        action: row.take()?,
        object_kind: row.take_optional()?,
        object_id: row.take_optional()?,
        outcome: row.take()?,
        at: row.take()?,
        count: row.take()?,
    })
}

/// Adds the row to what is written together.
fn add<'t>(
    writes: Together<'t>,
    row: AuditId,
    actor: &Actor,
    operation: Operation,
    object: Option<(&str, Uuid)>,
    outcome: &str,
    at: Moment,
) -> Together<'t> {
    let (kind, id) = actor_words(actor);
    let (object_kind, object_id) = object.unzip();
    writes
        .write(
            "insert into audit_log (id, actor_kind, actor_id, action, object_kind, object_id, outcome, at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&row)
        .bind(&kind.to_owned())
        .bind_optional(id.as_ref())
        .bind(&operation.to_string())
        .bind_optional(object_kind.map(str::to_owned).as_ref())
        .bind_optional(object_id.as_ref())
        .bind(&outcome.to_owned())
        .bind(&at)
}

impl<'t> Together<'t> {
    /// Notes along with the rest that `actor`, who was granted it in this transaction, did
    /// something.
    pub(crate) fn audit(
        self,
        actor: &Actor,
        operation: Operation,
        object: Option<(&str, Uuid)>,
        at: Moment,
    ) -> Self {
        let row = AuditId::generate(at);
        add(self, row, actor, operation, object, "done", at)
    }
}

impl Transaction {
    /// Notes that `actor`, who was granted it in this transaction, did something.
    pub async fn audit(
        &mut self,
        actor: &Actor,
        operation: Operation,
        object: Option<(&str, Uuid)>,
        at: Moment,
    ) -> Result<()> {
        let writes = self.together().audit(actor, operation, object, at);
        writes.execute().await?;
        Ok(())
    }

    /// Notes that `actor` was refused something, as the row of that id.
    pub async fn audit_forbidden(
        &mut self,
        row: AuditId,
        actor: &Actor,
        operation: Operation,
        object: Option<(&str, Uuid)>,
        at: Moment,
    ) -> Result<()> {
        let writes = self.together();
        let writes = add(writes, row, actor, operation, object, "forbidden", at);
        writes.execute().await?;
        Ok(())
    }

    /// Adds to how often what a row tells of was refused.
    pub async fn audit_add(&mut self, row: AuditId, more: u64) -> Result<()> {
        self.query("update audit_log set count = count + $2 where id = $1")
            .bind(&row)
            .bind(&more)
            .execute()
            .await?;
        Ok(())
    }
}

impl<R> Granted<Account, R> {
    /// Lists the audit log, newest first.
    pub async fn audit_log(
        &self,
        transaction: &mut Transaction,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<AuditRecord, IdCursor>> {
        let transaction = self.within(transaction)?;
        let after = if page.after.is_some() {
            "where id < $2"
        } else {
            ""
        };
        let sql = format!("select {COLUMNS} from audit_log {after} order by id desc limit $1");
        let mut query = transaction.query(sql).bind(&(page.limit + 1));
        if let Some(after) = &page.after {
            query = query.bind(after);
        }
        let rows = query.all(read).await?;
        Ok(Page::of(rows, page.limit, |row| row.id.uuid()))
    }
}
