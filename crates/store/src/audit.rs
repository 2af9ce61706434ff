//! The audit log: who did what. Rows are only ever added; a refusal's counts on for a minute.

use ctxpin_model::audit::{AuditRecord, NewTokenRecord};
use uuid::Uuid;

use ctxpin_model::access::{Actor, Operation};
use ctxpin_model::id::{AuditId, TokenId};
use ctxpin_model::moment::Moment;

use crate::database::{CHUNK, Transaction, placeholders};
use crate::error::Result;
use crate::grant::{Granted, object::Account};
use crate::together::Together;
use crate::tokens::{Holder, NewToken};
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

/// With which token.
fn token_of(actor: &Actor) -> Option<TokenId> {
    match actor {
        Actor::User { token, .. } | Actor::Agent { token, .. } => Some(*token),
        Actor::System => None,
    }
}

const COLUMNS: &str = "id, actor_kind, actor_id, token_id, action, object_kind, object_id, outcome, at, count, \
     new_token_id, new_token_user, new_token_scopes, new_token_expires_at";

fn read(row: &mut Row) -> Result<AuditRecord> {
    Ok(AuditRecord {
        id: row.take()?,
        actor_kind: row.take()?,
        actor_id: row.take_optional()?,
        token: row.take_optional()?,
        action: row.take()?,
        object_kind: row.take_optional()?,
        object_id: row.take_optional()?,
        outcome: row.take()?,
        at: row.take()?,
        count: row.take()?,
        new_token: read_new_token(row)?,
    })
}

fn read_new_token(row: &mut Row) -> Result<Option<NewTokenRecord>> {
    let id = row.take_optional()?;
    let user = row.take_optional()?;
    let scopes = row.take_optional()?;
    let expires_at = row.take_optional()?;
    Ok(id.zip(scopes).map(|(id, scopes)| NewTokenRecord {
        id,
        user,
        scopes,
        expires_at,
    }))
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
            "insert into audit_log (id, actor_kind, actor_id, token_id, action, object_kind, object_id, outcome, at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&row)
        .bind(&kind.to_owned())
        .bind_optional(id.as_ref())
        .bind_optional(token_of(actor).as_ref())
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

    /// Notes that `actor`, who was granted it in this transaction, made a token.
    pub async fn audit_new_token(
        &mut self,
        actor: &Actor,
        operation: Operation,
        object: (&str, Uuid),
        token: &NewToken,
    ) -> Result<()> {
        let (kind, id) = actor_words(actor);
        let user = match token.holder {
            Holder::User(user) => Some(user),
            Holder::Agent(_) => None,
        };
        self.query(
            "insert into audit_log (id, actor_kind, actor_id, token_id, action, object_kind, object_id, outcome, at, \
             new_token_id, new_token_user, new_token_scopes, new_token_expires_at) \
             values ($1, $2, $3, $4, $5, $6, $7, 'done', $8, $9, $10, $11, $12)",
        )
        .bind(&AuditId::generate(token.created_at))
        .bind(&kind.to_owned())
        .bind_optional(id.as_ref())
        .bind_optional(token_of(actor).as_ref())
        .bind(&operation.to_string())
        .bind(&object.0.to_owned())
        .bind(&object.1)
        .bind(&token.created_at)
        .bind(&token.credential.id)
        .bind_optional(user.as_ref())
        .bind(&token.scopes)
        .bind_optional(token.expires_at.as_ref())
        .execute()
        .await?;
        Ok(())
    }

    /// Notes that `actor`, who was granted it in this transaction, did the same to several things of a kind.
    pub async fn audit_each(
        &mut self,
        actor: &Actor,
        operation: Operation,
        object_kind: &str,
        objects: impl Iterator<Item = Uuid>,
        at: Moment,
    ) -> Result<()> {
        let (kind, id) = actor_words(actor);
        let (kind, operation) = (kind.to_owned(), operation.to_string());
        let (object_kind, token) = (object_kind.to_owned(), token_of(actor));
        let rows: Vec<_> = objects.map(|id| (AuditId::generate(at), id)).collect();
        for chunk in rows.chunks(CHUNK) {
            let list = placeholders(chunk.len(), 9, 1);
            let mut query = self.query(format!(
                "insert into audit_log (id, object_id, actor_kind, actor_id, token_id, action, object_kind, outcome, at) \
                 values {list}"
            ));
            for (row, object) in chunk {
                query = query
                    .bind(row)
                    .bind(object)
                    .bind(&kind)
                    .bind_optional(id.as_ref())
                    .bind_optional(token.as_ref())
                    .bind(&operation)
                    .bind(&object_kind)
                    .bind(&"done".to_owned())
                    .bind(&at);
            }
            query.execute().await?;
        }
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
