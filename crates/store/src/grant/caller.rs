//! Callers, and the statement that checks a caller together with an object.

use std::time::Duration;

use subtle::ConstantTimeEq;

use ctxpin_model::access::{Actor, Decision, Object, Operation, Reach, Roles, Scopes, decide};
use ctxpin_model::door::Door;
use ctxpin_model::id::{AgentId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::token::Credential;

use super::{Grantable, Owned};
use crate::error::{Error, Result};
use crate::last_used::LastUsed;
use crate::migrations::SCHEMA_VERSION;
use crate::query::Query;
use crate::values::Row;

/// The least age of the last use of a token at which a new use is recorded.
const USE_RECORDED_EVERY: Duration = Duration::from_secs(60);

/// The token that a request presents, and the time of the request.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    pub credential: Credential,
    /// The time of the request. Expiry is judged by it.
    pub now: Moment,
}

/// The columns of the caller, which come first in the statement of a check.
pub(crate) const PRINCIPAL_COLUMNS: &str = "t.secret_hash, t.expires_at, t.revoked_at, t.last_used_at, t.scopes, \
     t.agent_id, u.id, u.roles, u.disabled, coalesce(ta.may_refresh, false)";

/// The version of the schema, which follows them.
const SCHEMA: &str = ", (select max(version) from _sqlx_migrations)";

/// The tables of [`PRINCIPAL_COLUMNS`]. `$1` is the id of the token.
pub(crate) const PRINCIPAL_TABLES: &str = "tokens t \
     left join agents ta on ta.id = t.agent_id \
     join users u on u.id = coalesce(t.user_id, ta.owner_id)";

/// Reads [`PRINCIPAL_COLUMNS`] and returns the actor that they identify, or [`Error::Unauthenticated`].
pub(crate) fn principal(row: &mut Row, caller: &Caller, last_used: &LastUsed) -> Result<Actor> {
    let secret_hash: [u8; 32] = row.take()?;
    let expires_at: Option<Moment> = row.take()?;
    let revoked_at: Option<Moment> = row.take()?;
    let last_used_at: Option<Moment> = row.take()?;
    let scopes: Scopes = row.take()?;
    let agent: Option<AgentId> = row.take()?;
    let user: UserId = row.take()?;
    let roles: Roles = row.take()?;
    let disabled: bool = row.take()?;
    let may_refresh: bool = row.take()?;
    let matches = secret_hash.ct_eq(&caller.credential.secret_hash);
    let expired = expires_at.is_some_and(|at| at <= caller.now);
    if !bool::from(matches) || expired || revoked_at.is_some() || disabled {
        return Err(Error::Unauthenticated);
    }
    let token = caller.credential.id;
    if last_used_at.is_none_or(|at| at.is_due(USE_RECORDED_EVERY, caller.now)) {
        last_used.token_used(token);
    }
    Ok(match agent {
        Some(id) => Actor::Agent {
            id,
            owner: user,
            may_refresh,
            token,
        },
        None => Actor::User {
            id: user,
            roles,
            token,
            scopes,
        },
    })
}

/// Returns how much the actor may read in an operation, or the refusal as an error.
pub(crate) fn require(
    actor: &Actor,
    operation: Operation,
    object: Object,
    noun: &'static str,
) -> Result<Reach> {
    match decide(actor, operation, object) {
        Decision::Allow(reach) => Ok(reach),
        Decision::Forbidden(refusal) => Err(Error::Forbidden(refusal)),
        Decision::NotFound => Err(Error::NotFound(noun)),
    }
}

/// An authenticated caller, and the object if it exists.
pub(super) struct Checked<O: Grantable> {
    pub(super) actor: Actor,
    pub(super) record: Option<O::Record>,
    door: Door,
    at: Moment,
}

impl<O: Grantable> Checked<O> {
    /// Returns the access that the actor has.
    pub(super) fn access(&self, operation: Operation, reach: Reach) -> Access {
        Access {
            actor: self.actor,
            operation,
            reach,
            door: self.door,
            at: self.at,
        }
    }
}

impl Caller {
    /// Returns the door by which this caller came, who is `actor`.
    pub(crate) fn door(&self, actor: &Actor) -> Door {
        Door::of(actor, self.credential.is_session)
    }

    /// Returns the access of this caller as `actor`, after checking what the actor may do to `object`.
    pub(super) fn access(
        &self,
        actor: Actor,
        operation: Operation,
        object: Object,
        noun: &'static str,
    ) -> Result<Access> {
        Ok(Access {
            reach: require(&actor, operation, object, noun)?,
            door: self.door(&actor),
            actor,
            operation,
            at: self.now,
        })
    }
}

/// The operation that an actor may do, and how much of the object the response may contain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access {
    pub(super) actor: Actor,
    pub(super) operation: Operation,
    pub(super) reach: Reach,
    pub(super) door: Door,
    pub(super) at: Moment,
}

/// Adds the statement of a check: the caller, the version of the schema, and the object whose id is `of`,
/// which is a parameter or a column.
pub(super) fn check<'q, O: Owned>(query: Query<'q>, of: &'static str, renderer: i64) -> Query<'q> {
    let query = query.push_all([
        "select ",
        PRINCIPAL_COLUMNS,
        SCHEMA,
        ", ",
        O::ID,
        " is not null, ",
    ]);
    O::columns(query, renderer)
        .push_all([
            " from ",
            PRINCIPAL_TABLES,
            " left join ",
            O::TABLE,
            " on ",
            O::ID,
            " = ",
            of,
        ])
        .push_all([O::JOINS, " where t.id = $1"])
}

/// Adds the statement of a check without an object.
pub(crate) fn check_caller(query: Query<'_>) -> Query<'_> {
    query.push_all([
        "select ",
        PRINCIPAL_COLUMNS,
        SCHEMA,
        " from ",
        PRINCIPAL_TABLES,
        " where t.id = $1",
    ])
}

/// Returns the actor, or [`Error::SchemaNewer`] if a transaction writes and a newer release has migrated
/// the schema.
pub(crate) fn read_caller(
    row: &mut Row,
    caller: &Caller,
    last_used: &LastUsed,
    writes: bool,
) -> Result<Actor> {
    let actor = principal(row, caller, last_used)?;
    let found: i64 = row.take()?;
    if writes && found > SCHEMA_VERSION {
        return Err(Error::SchemaNewer {
            found,
            known: SCHEMA_VERSION,
        });
    }
    Ok(actor)
}

pub(super) fn read_check<O: Owned>(
    row: &mut Row,
    caller: &Caller,
    last_used: &LastUsed,
    writes: bool,
) -> Result<Checked<O>> {
    let actor = read_caller(row, caller, last_used, writes)?;
    let is_there: bool = row.take()?;
    let record = match is_there {
        true => Some(row.take()?),
        false => None,
    };
    Ok(Checked {
        door: caller.door(&actor),
        actor,
        record,
        at: caller.now,
    })
}

/// Checks what the actor may do to the object. A token of the wrong kind is refused before the response
/// depends on whether the object exists.
pub(super) fn require_owned<O: Owned>(
    checked: &Checked<O>,
    operation: Operation,
) -> Result<Access> {
    let (actor, noun) = (&checked.actor, O::NOUN);
    let Some(record) = &checked.record else {
        let is_agent = matches!(actor, Actor::Agent { .. });
        if is_agent != operation.is_for_agents() {
            require(actor, operation, Object::Collection, noun)?;
        }
        return Err(Error::NotFound(noun));
    };
    let reach = require(actor, operation, Object::Owned(O::owner(record)), noun)?;
    match actor {
        // An agent may reach only itself and the chats that are bound to it.
        Actor::Agent { id, .. } if O::binding(record) != Some(*id) => Err(Error::NotFound(noun)),
        _ => Ok(checked.access(operation, reach)),
    }
}
