//! The audit log. A row is never removed or changed, except that the count of a refusal grows for a minute.

use std::time::Duration;

use ctxpin_model::audit::{AuditFilter, AuditObject, AuditOutcome, AuditRecord, NewTokenRecord};
use uuid::Uuid;

use ctxpin_model::access::{Actor, ActorRef, Operation, Scopes};
use ctxpin_model::door::Door;
use ctxpin_model::id::{AuditId, TokenId};
use ctxpin_model::moment::Moment;

use crate::database::{CHUNK, Transaction};
use crate::error::{Error, Result};
use crate::grant::{Caller, Granted, Upkeep, object::Account, task};
use crate::pages::Sieve;
use crate::query::{Query, Tuple};
use crate::together::Together;
use crate::values::{Columns, Row, Value, columns};
use ctxpin_model::page::{IdCursor, Page, PageRequest};

/// The most rows that one page of a filtered log reads. The next page continues there.
const READ_MAX: i64 = 10_000;

/// The rows that a statement reads, if the first rows of the page were not enough.
const READ_AT_ONCE: i64 = 1_000;

/// Returns the actor's token.
fn token_of(actor: &Actor) -> Option<TokenId> {
    match actor {
        Actor::User { token, .. } | Actor::Agent { token, .. } => Some(*token),
        Actor::System => None,
    }
}

columns! {
    COLUMNS of AuditRecord {
        id: "l.id",
        actor: "l.actor_kind, l.actor_id",
        actor_name: "coalesce(u.name, a.workspace)",
        token: "l.token_id",
        door: "l.door",
        action: "l.action",
        object: "l.object_kind, l.object_id",
        object_name: "coalesce(ou.name, oa.workspace, oc.title)",
        outcome: "l.outcome",
        at: "l.at",
        count: "l.count",
        new_token: "l.new_token_id, l.new_token_user, l.new_token_scopes, l.new_token_expires_at",
    }
}

/// The joins that [`COLUMNS`] need: the row is `l`, its actor `u` or `a`, and its object `ou`, `oa` or `oc`.
const JOINS: &str = " left join users u on u.id = l.actor_id left join agents a on a.id = l.actor_id \
     left join users ou on ou.id = l.object_id left join agents oa on oa.id = l.object_id \
     left join chats oc on oc.id = l.object_id";

impl Columns for ActorRef {
    fn take(row: &mut Row) -> Result<Self> {
        let kind: String = row.take()?;
        let id = row.take()?;
        Self::from_parts(&kind, id)
            .ok_or_else(|| Error::Unexpected(format!("there is no actor `{kind}` with id {id:?}")))
    }
}

impl Columns for Option<AuditObject> {
    fn take(row: &mut Row) -> Result<Self> {
        let kind: Option<String> = row.take()?;
        let id: Option<Uuid> = row.take()?;
        let read = |(kind, id): (String, Uuid)| {
            AuditObject::from_parts(&kind, id)
                .ok_or_else(|| Error::Unexpected(format!("there is no object `{kind}`")))
        };
        kind.zip(id).map(read).transpose()
    }
}

impl Columns for Option<NewTokenRecord> {
    fn take(row: &mut Row) -> Result<Self> {
        let id: Option<TokenId> = row.take()?;
        let user = row.take()?;
        let scopes: Option<Scopes> = row.take()?;
        let expires_at = row.take()?;
        Ok(id.zip(scopes).map(|(id, scopes)| NewTokenRecord {
            id,
            user,
            scopes,
            expires_at,
        }))
    }
}

/// An operation of an actor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Act {
    pub by: Actor,
    /// The door by which the actor came.
    pub door: Door,
    pub operation: Operation,
    pub at: Moment,
}

/// A line to insert.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub id: AuditId,
    pub act: Act,
    pub object: Option<AuditObject>,
    pub outcome: AuditOutcome,
    pub new_token: Option<NewTokenRecord>,
}

impl Line {
    /// Returns the line of an operation that was done, without an object.
    pub fn done(act: Act) -> Self {
        Self {
            id: AuditId::generate(act.at),
            act,
            object: None,
            outcome: AuditOutcome::Done,
            new_token: None,
        }
    }

    fn bind<B: Bind>(&self, values: B) -> B {
        let act = &self.act;
        let actor = ActorRef::of(&act.by);
        let new_token = self.new_token.as_ref();
        values
            .bind(Some(&self.id))
            .bind(Some(&actor.kind().to_owned()))
            .bind(actor.uuid().as_ref())
            .bind(token_of(&act.by).as_ref())
            .bind(Some(&act.door))
            .bind(Some(&act.operation))
            .bind(self.object.map(|object| object.kind().to_owned()).as_ref())
            .bind(self.object.map(AuditObject::uuid).as_ref())
            .bind(Some(&self.outcome))
            .bind(Some(&act.at))
            .bind(new_token.map(|token| &token.id))
            .bind(new_token.and_then(|token| token.user.as_ref()))
            .bind(new_token.map(|token| &token.scopes))
            .bind(new_token.and_then(|token| token.expires_at.as_ref()))
    }
}

/// A target for the values of a line.
trait Bind: Sized {
    fn bind<V: Value + Clone + Send + 'static>(self, value: Option<&V>) -> Self;
}

impl Bind for Together<'_> {
    fn bind<V: Value + Clone + Send + 'static>(self, value: Option<&V>) -> Self {
        self.bind_optional(value)
    }
}

impl Bind for Tuple<'_> {
    fn bind<V: Value + Clone + Send + 'static>(self, value: Option<&V>) -> Self {
        self.value_optional(value)
    }
}

impl Together<'_> {
    /// Adds the insertion of a line.
    pub(crate) fn line_insert(self, line: &Line) -> Self {
        let writes = self.write(
            "insert into audit_log (id, actor_kind, actor_id, token_id, door, action, object_kind, object_id, outcome, \
             at, new_token_id, new_token_user, new_token_scopes, new_token_expires_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        );
        line.bind(writes)
    }
}

impl Transaction {
    /// Inserts the lines, in chunks.
    pub(crate) async fn lines_insert(&mut self, lines: &[Line]) -> Result<()> {
        for chunk in lines.chunks(CHUNK) {
            self.query(
                "insert into audit_log (id, actor_kind, actor_id, token_id, door, action, object_kind, object_id, \
                 outcome, at, new_token_id, new_token_user, new_token_scopes, new_token_expires_at) values ",
            )
            .rows(chunk, |values, line| line.bind(values))
            .execute()
            .await?;
        }
        Ok(())
    }
}

impl Upkeep<'_, task::Refusals> {
    /// Inserts the row `row`, which says that the caller, who is `actor`, was refused an operation.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn refusal_insert(
        &self,
        transaction: &mut Transaction,
        row: AuditId,
        (caller, actor): (&Caller, &Actor),
        operation: Operation,
        object: Option<AuditObject>,
    ) -> Result<()> {
        let act = Act {
            by: *actor,
            door: caller.door(actor),
            operation,
            at: caller.now,
        };
        let line = Line {
            id: row,
            object,
            outcome: AuditOutcome::Forbidden,
            ..Line::done(act)
        };
        transaction.lines_insert(&[line]).await
    }

    /// Adds to the count of a refusal.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn refusals_add(
        &self,
        transaction: &mut Transaction,
        row: AuditId,
        more: u64,
    ) -> Result<()> {
        transaction
            .query("update audit_log set count = count + $2 where id = $1")
            .bind(&row)
            .bind(&more)
            .execute()
            .await?;
        Ok(())
    }
}

impl<R> Granted<Account, R> {
    /// Returns a page of the rows of the audit log that a filter accepts, newest first. A page may have fewer rows than
    /// its limit, or none, and be followed by another: a page reads at most `READ_MAX` rows.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn audit_log(
        &self,
        transaction: &mut Transaction,
        filter: &AuditFilter,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<AuditRecord, IdCursor>> {
        let transaction = self.within(transaction)?;
        let mut found = Sieve::new(page);
        let (mut read, mut at_once) = (0, page.limit + 1);
        while read < READ_MAX {
            let query = transaction.query("select ").push(COLUMNS).push_all([
                " from audit_log l",
                JOINS,
                " where ",
            ]);
            let query = by_index(query, filter);
            let part = PageRequest {
                part: found.rest(),
                limit: at_once - 1,
            };
            let query = in_time(query, filter).page("l.id", &part);
            let rows: Vec<AuditRecord> = query.all(Row::take).await?;
            let is_last = (rows.len() as i64) < at_once;
            (read, at_once) = (read + at_once, READ_AT_ONCE);
            for row in rows {
                let id = row.id.uuid();
                let accepted = Some(row).filter(|row| filter.accepts(row));
                if found.take(id, accepted) {
                    return Ok(found.page(true));
                }
            }
            if is_last {
                return Ok(found.page(false));
            }
        }
        Ok(found.page(true))
    }
}

/// Adds the condition of the filter that fewest rows meet, of those that have an index. The caller checks the others.
fn by_index<'q>(query: Query<'q>, filter: &AuditFilter) -> Query<'q> {
    if let Some(object) = &filter.object {
        return query.push("l.object_id = ").value(object);
    }
    if let Some(actor) = &filter.actor {
        return query.push("l.actor_id = ").value(actor);
    }
    if filter.outcome == Some(AuditOutcome::Forbidden) {
        // The index holds only these rows, so the word must stand in the text of the statement.
        return query.push("l.outcome = 'forbidden'");
    }
    match &filter.action {
        Some(action) => query.push("l.action = ").value(action),
        None => query.push("true"),
    }
}

/// Adds the conditions of the time, by the ids, whose beginning is the time in milliseconds.
fn in_time<'q>(query: Query<'q>, filter: &AuditFilter) -> Query<'q> {
    let mut query = query;
    if let Some(since) = filter.since {
        query = query
            .push(" and l.id >= ")
            .value(&AuditId::least(since).uuid());
    }
    if let Some(until) = filter.until {
        // Rows of the same millisecond may be earlier.
        let until = until.after(Duration::from_millis(1));
        query = query
            .push(" and l.id < ")
            .value(&AuditId::least(until).uuid());
    }
    query
}
