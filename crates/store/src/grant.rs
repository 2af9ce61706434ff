//! The only door to the queries: authorization is something that an operation holds.
//!
//! A [`Granted`] value says that its actor may do its operation on its object, within one
//! transaction, and carries the queries that the operation may use. It is made here and nowhere
//! else. Whoever writes goes three steps: a [`Sighting`] checks without locking, so that a stranger
//! locks nothing; then the locks are taken, agents before chats before users; then the permission is
//! checked again in a statement of its own, since a caller may have been revoked while waiting.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;

use ctxpin_model::access::{
    Actor, Decision, Object, Operation, Refusal, Roles, Scopes, decide, reads_all, reads_bodies,
};
use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::id::{AgentId, ChatId, TokenId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::token::Credential;

use crate::database::{Database, Lock, Transaction, placeholders};
use crate::error::{Error, Result};
use crate::migrations::SCHEMA_VERSION;
use crate::values::Row;

/// How old the last noted use of a token must be for its use to be noted again.
const USE_NOTED_EVERY: Duration = Duration::from_secs(60);

/// Who calls, and when.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// What they presented.
    pub credential: Credential,
    /// The time of the call; an expiry is compared with it.
    pub now: Moment,
}

/// The objects that can be granted.
pub mod object {
    /// A list, something new, or the caller's own account.
    #[derive(Debug)]
    pub struct Account;
    /// An agent.
    #[derive(Debug)]
    pub struct Agent;
    /// A chat.
    #[derive(Debug)]
    pub struct Chat;
}

/// What a grant allows.
pub mod right {
    /// Reading what describes an object: no bodies.
    #[derive(Debug)]
    pub struct Metadata;
    /// Reading bodies too.
    #[derive(Debug)]
    pub struct Body;
    /// Writing; reading too.
    #[derive(Debug)]
    pub struct Write;

    /// A right that reads bodies.
    pub trait ReadsBodies {}
    impl ReadsBodies for Body {}
    impl ReadsBodies for Write {}
}

/// Something that can be granted, by its id.
pub trait Grantable {
    /// What names it.
    type Id: Copy + std::fmt::Debug + Send + Sync;
    /// What is told of it.
    type Record: Clone + std::fmt::Debug + Send + Sync;
}

impl Grantable for object::Account {
    type Id = ();
    type Record = ();
}

impl Grantable for object::Agent {
    type Id = AgentId;
    type Record = AgentRecord;
}

impl Grantable for object::Chat {
    type Id = ChatId;
    type Record = ChatRecord;
}

/// An object that has an owner, and how the statement that checks reads it along.
pub(crate) trait Owned: Grantable<Id: crate::values::Value> {
    /// What people call it.
    const NOUN: &str;
    /// The column that tells whether it is there.
    const ID: &str;
    /// What [`Self::read`] reads.
    fn columns(renderer: i64) -> String;
    /// Joined to the caller's tables: it and what it refers to. `id` is a parameter or a column.
    fn joins(id: &str) -> String;
    fn read(row: &mut Row) -> Result<Self::Record>;
    fn owner(record: &Self::Record) -> UserId;
    /// The agent that it is, or is bound to.
    fn binding(record: &Self::Record) -> Option<AgentId>;
}

/// Proof that an actor may use an object, within one transaction.
#[derive(Debug)]
pub struct Granted<O: Grantable, R> {
    id: O::Id,
    actor: Actor,
    operation: Operation,
    at: Moment,
    owner: UserId,
    binding: Option<AgentId>,
    /// What the check read; nothing of an object that was made in this transaction.
    record: Option<Arc<O::Record>>,
    brand: u64,
    right: PhantomData<fn() -> (O, R)>,
}

impl<O: Grantable, R> Granted<O, R> {
    /// What is granted.
    pub fn id(&self) -> O::Id {
        self.id
    }

    /// To whom.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Returns the operation that it was granted for.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns when the caller asked for it.
    pub fn at(&self) -> Moment {
        self.at
    }

    /// Whose the object is; for an account, the caller.
    pub fn owner(&self) -> UserId {
        self.owner
    }

    /// The object as it was when this was granted: for a locked one, after it was locked.
    pub fn record(&self) -> Result<&O::Record> {
        self.record
            .as_deref()
            .ok_or_else(|| Error::Unexpected("a grant of something new was not read yet".into()))
    }

    /// The same with another right.
    fn with_right<S>(self) -> Granted<O, S> {
        Granted {
            id: self.id,
            actor: self.actor,
            operation: self.operation,
            at: self.at,
            owner: self.owner,
            binding: self.binding,
            record: self.record,
            brand: self.brand,
            right: PhantomData,
        }
    }

    /// Returns the ticket to locking what was granted without a lock, for the same operation.
    pub fn sighting(&self) -> Sighting<O::Id> {
        Sighting {
            id: self.id,
            operation: self.operation,
            binding: self.binding,
            actor: self.actor,
            owner: self.owner,
        }
    }

    /// Refuses a transaction that this was not granted in.
    pub(crate) fn within<'t>(
        &self,
        transaction: &'t mut Transaction,
    ) -> Result<&'t mut Transaction> {
        if transaction.brand() == self.brand {
            Ok(transaction)
        } else {
            Err(Error::Unexpected(
                "a grant was used in another transaction".into(),
            ))
        }
    }
}

/// An object seen without a lock by a caller who may do something to it: the ticket to locking it.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<I> {
    id: I,
    operation: Operation,
    binding: Option<AgentId>,
    actor: Actor,
    owner: UserId,
}

impl<I: Copy> Sighting<I> {
    /// What was seen.
    pub fn id(&self) -> I {
        self.id
    }

    /// The agent that the chat was bound to when it was seen.
    pub fn binding(&self) -> Option<AgentId> {
        self.binding
    }

    /// Who saw it.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whose it is.
    pub fn owner(&self) -> UserId {
        self.owner
    }
}

/// What every check reads of the caller, the first columns of its statement.
pub(crate) const PRINCIPAL_COLUMNS: &str = "t.secret_hash, t.expires_at, t.revoked_at, t.last_used_at, t.scopes, \
     t.agent_id, u.id, u.roles, u.disabled, coalesce(ta.may_refresh, false)";

/// Where it reads it from. `$1` is the token.
pub(crate) const PRINCIPAL_TABLES: &str = "tokens t \
     left join agents ta on ta.id = t.agent_id \
     join users u on u.id = coalesce(t.user_id, ta.owner_id)";

/// Who has given a sign of life that is to be written, off the requests' path.
#[derive(Debug, Default, Clone)]
pub struct Signs(Arc<Mutex<SignsOfLife>>);

/// What was noted since the last time.
#[derive(Debug, Default)]
pub struct SignsOfLife {
    /// Tokens that were used.
    pub tokens: BTreeSet<TokenId>,
    /// Agents that told that they live.
    pub agents: BTreeSet<AgentId>,
}

impl Signs {
    fn token(&self, token: TokenId) {
        self.lock().tokens.insert(token);
    }

    /// Notes that an agent told that it lives.
    pub fn agent(&self, agent: AgentId) {
        self.lock().agents.insert(agent);
    }

    /// Takes out what was noted.
    pub fn take(&self) -> SignsOfLife {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, SignsOfLife> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads [`PRINCIPAL_COLUMNS`] and finds who the caller is.
pub(crate) fn principal(row: &mut Row, caller: &Caller, used: &Signs) -> Result<Actor> {
    let secret_hash: [u8; 32] = row.take()?;
    let expires_at: Option<Moment> = row.take_optional()?;
    let revoked_at: Option<Moment> = row.take_optional()?;
    let last_used_at: Option<Moment> = row.take_optional()?;
    let scopes: Scopes = row.take()?;
    let agent: Option<AgentId> = row.take_optional()?;
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
    if last_used_at.is_none_or(|at| at.after(USE_NOTED_EVERY) <= caller.now) {
        used.token(token);
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

/// Turns the decision of the table into an error, if it is one.
pub(crate) fn demand(
    actor: &Actor,
    operation: Operation,
    object: Object,
    noun: &'static str,
) -> Result<()> {
    match decide(actor, operation, object) {
        Decision::Allow => Ok(()),
        Decision::Forbidden(refusal) => Err(Error::Forbidden(refusal)),
        Decision::NotFound => Err(Error::NotFound(noun)),
    }
}

/// A caller and the object, if it is there.
struct Checked<O: Grantable> {
    actor: Actor,
    record: Option<O::Record>,
}

/// The statement of a check: of the caller, the schema's version and the object of that id.
fn check_sql<O: Owned>(of: &str, renderer: i64) -> String {
    let (id, columns, joins) = (O::ID, O::columns(renderer), O::joins(of));
    format!(
        "select {PRINCIPAL_COLUMNS}, (select max(version) from _sqlx_migrations), \
         {id} is not null, {columns} from {PRINCIPAL_TABLES} {joins} where t.id = $1"
    )
}

/// The statement of a check that needs no object.
pub(crate) fn check_caller_sql() -> String {
    format!(
        "select {PRINCIPAL_COLUMNS}, (select max(version) from _sqlx_migrations) \
         from {PRINCIPAL_TABLES} where t.id = $1"
    )
}

/// Reads who calls, and refuses to write under a schema that a newer release has migrated.
pub(crate) fn read_caller(
    row: &mut Row,
    caller: &Caller,
    used: &Signs,
    writes: bool,
) -> Result<Actor> {
    let actor = principal(row, caller, used)?;
    let found: i64 = row.take()?;
    if writes && found > SCHEMA_VERSION {
        return Err(Error::SchemaNewer {
            found,
            known: SCHEMA_VERSION,
        });
    }
    Ok(actor)
}

fn read_check<O: Owned>(
    row: &mut Row,
    caller: &Caller,
    used: &Signs,
    writes: bool,
) -> Result<Checked<O>> {
    let actor = read_caller(row, caller, used, writes)?;
    let is_there: bool = row.take()?;
    let record = match is_there {
        true => Some(O::read(row)?),
        false => None,
    };
    Ok(Checked { actor, record })
}

/// Puts the two halves of an owned object's check together: a wrong kind of token is told before
/// anything about the object is.
fn demand_owned<O: Owned>(checked: &Checked<O>, operation: Operation) -> Result<&O::Record> {
    let (actor, noun) = (&checked.actor, O::NOUN);
    let Some(record) = &checked.record else {
        let is_agent = matches!(actor, Actor::Agent { .. });
        if is_agent != operation.is_for_agents() {
            demand(actor, operation, Object::Collection, noun)?;
        }
        return Err(Error::NotFound(noun));
    };
    demand(actor, operation, Object::Owned(O::owner(record)), noun)?;
    match actor {
        // An agent reaches itself and the chats that are bound to it.
        Actor::Agent { id, .. } if O::binding(record) != Some(*id) => Err(Error::NotFound(noun)),
        _ => Ok(record),
    }
}

impl Database {
    /// Sees an agent without locking it.
    pub async fn sight_agent(
        &self,
        caller: &Caller,
        operation: Operation,
        agent: AgentId,
    ) -> Result<Sighting<AgentId>> {
        let (sighting, _) = self
            .sight::<object::Agent>(caller, operation, agent)
            .await?;
        Ok(sighting)
    }

    /// Sees a chat without locking it, in one round trip.
    pub async fn sight_chat(
        &self,
        caller: &Caller,
        operation: Operation,
        chat: ChatId,
    ) -> Result<(Sighting<ChatId>, ChatRecord)> {
        self.sight::<object::Chat>(caller, operation, chat).await
    }

    /// Checks outside any transaction, which locks nothing and writes nothing.
    async fn sight<O: Owned>(
        &self,
        caller: &Caller,
        operation: Operation,
        id: O::Id,
    ) -> Result<(Sighting<O::Id>, O::Record)> {
        let checked: Checked<O> = self
            .single(check_sql::<O>("$2", self.shared().renderer))
            .bind(&caller.credential.id)
            .bind(&id)
            .optional(|row| read_check(row, caller, self.signs(), false))
            .await?
            .ok_or(Error::Unauthenticated)?;
        let record = demand_owned(&checked, operation)?;
        let sighting = Sighting {
            id,
            operation,
            binding: O::binding(record),
            actor: checked.actor,
            owner: O::owner(record),
        };
        checked
            .record
            .map(|record| (sighting, record))
            .ok_or(Error::NotFound(O::NOUN))
    }
}

impl Transaction {
    /// Grants what needs no object: a list, something new, the caller's own account.
    pub async fn grant_account<R>(
        &mut self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Granted<object::Account, R>> {
        let actor = self.check_caller(caller).await?;
        demand(&actor, operation, Object::Collection, "account")?;
        let owner = match actor {
            Actor::User { id, .. } => id,
            Actor::Agent { owner, .. } => owner,
            Actor::System => return Err(Error::Unauthenticated),
        };
        Ok(self.granted(caller, operation, (), &actor, owner))
    }

    /// Grants reading an account, the caller's own for `None`, to whoever may do `operation` on it.
    /// Whether there is such a user shows when it is read.
    pub async fn grant_account_of(
        &mut self,
        caller: &Caller,
        operation: Operation,
        user: Option<UserId>,
    ) -> Result<Granted<object::Account, right::Metadata>> {
        let actor = self.check_caller(caller).await?;
        let user = user.or(actor.user()).ok_or(Error::NotFound("user"))?;
        demand(&actor, operation, Object::Owned(user), "user")?;
        Ok(self.granted(caller, operation, (), &actor, user))
    }

    /// Grants reading an agent.
    pub async fn grant_agent(
        &mut self,
        caller: &Caller,
        operation: Operation,
        agent: AgentId,
    ) -> Result<Granted<object::Agent, right::Metadata>> {
        let checked = self.check(caller, agent).await?;
        demand_owned(&checked, operation)?;
        self.granted_checked(caller, operation, agent, checked)
    }

    /// Grants the operation itself the bodies that an agent pushes: to render its head for a chat. What it
    /// answers must not tell them, unless [`Granted::tells_bodies`].
    pub async fn grant_agent_within(
        &mut self,
        caller: &Caller,
        operation: Operation,
        agent: AgentId,
    ) -> Result<Granted<object::Agent, right::Body>> {
        let granted = self.grant_agent(caller, operation, agent).await?;
        Ok(granted.with_right())
    }

    /// Grants reading to the agent whose token the caller presents.
    pub async fn grant_own_agent(
        &mut self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Granted<object::Agent, right::Body>> {
        let (used, writes) = (self.signs().clone(), self.writes());
        let sql = check_sql::<object::Agent>("t.agent_id", self.shared().renderer);
        let checked: Checked<object::Agent> = self
            .query(sql)
            .bind(&caller.credential.id)
            .optional(|row| read_check(row, caller, &used, writes))
            .await?
            .ok_or(Error::Unauthenticated)?;
        demand(&checked.actor, operation, Object::Collection, "agent")?;
        match checked.actor {
            Actor::Agent { id, .. } => self.granted_checked(caller, operation, id, checked),
            _ => Err(Error::Forbidden(Refusal::AgentNeeded)),
        }
    }

    /// Grants reading a chat's metadata.
    pub async fn grant_chat(
        &mut self,
        caller: &Caller,
        operation: Operation,
        chat: ChatId,
    ) -> Result<Granted<object::Chat, right::Metadata>> {
        let checked = self.check(caller, chat).await?;
        demand_owned(&checked, operation)?;
        self.granted_checked(caller, operation, chat, checked)
    }

    /// Grants reading a chat's bodies.
    pub async fn grant_chat_body(
        &mut self,
        caller: &Caller,
        operation: Operation,
        chat: ChatId,
    ) -> Result<Granted<object::Chat, right::Body>> {
        let granted = self.grant_chat(caller, operation, chat).await?;
        granted.bodies().ok_or(Error::NotFound("chat"))
    }

    /// Grants the operation itself a chat's bodies: to render them for a move of its pin, or to
    /// find what differs. What it answers must not tell them, unless [`Granted::tells_bodies`].
    pub async fn grant_chat_within(
        &mut self,
        caller: &Caller,
        operation: Operation,
        chat: ChatId,
    ) -> Result<Granted<object::Chat, right::Body>> {
        let granted = self.grant_chat(caller, operation, chat).await?;
        Ok(granted.with_right())
    }

    /// Locks the sighted agents for update and grants writing them, in the order of `sighted`.
    /// Contended if one of them has been deleted since.
    pub async fn grant_agents_locked(
        &mut self,
        caller: &Caller,
        sighted: &[Sighting<AgentId>],
    ) -> Result<Vec<Granted<object::Agent, right::Write>>> {
        let agents = sighted.iter().map(|sighting| sighting.id).collect();
        self.lock_agents(&agents, Lock::Update).await?;
        let mut grants = Vec::with_capacity(sighted.len());
        for sighting in sighted {
            let checked = self.check(caller, sighting.id).await?;
            if sighting.operation.is_for_agents() {
                // Also an agent that this one replaces, which was its owner's to name.
                demand(
                    &checked.actor,
                    sighting.operation,
                    Object::Collection,
                    "agent",
                )?;
                checked.record.as_ref().ok_or(Error::Conflict)?;
            } else {
                demand_owned(&checked, sighting.operation)?;
            }
            grants.push(self.granted_checked(caller, sighting.operation, sighting.id, checked)?);
        }
        Ok(grants)
    }

    /// Locks the sighted agent for share and grants the operation itself its bodies.
    pub async fn grant_agent_shared(
        &mut self,
        caller: &Caller,
        sighted: &Sighting<AgentId>,
    ) -> Result<Granted<object::Agent, right::Body>> {
        self.lock_agents(&[sighted.id].into(), Lock::Share).await?;
        self.grant_agent_within(caller, sighted.operation, sighted.id)
            .await
    }

    /// Locks for share the agent that the sighted chat is bound to and `others` (agents that were
    /// sighted for the same request), then the chat, then grants writing it. Contended if the
    /// binding has changed since the sighting.
    pub async fn grant_chat_locked(
        &mut self,
        caller: &Caller,
        sighted: &Sighting<ChatId>,
        others: &[Sighting<AgentId>],
    ) -> Result<Granted<object::Chat, right::Write>> {
        self.lock_and_check_chat(caller, sighted, others, Lock::Update)
            .await
    }

    /// As [`Self::grant_chat_locked`], but locks the chat for share and grants reading it: for a
    /// parent.
    pub async fn grant_chat_shared(
        &mut self,
        caller: &Caller,
        sighted: &Sighting<ChatId>,
        others: &[Sighting<AgentId>],
    ) -> Result<Granted<object::Chat, right::Body>> {
        self.lock_and_check_chat(caller, sighted, others, Lock::Share)
            .await
    }

    async fn lock_and_check_chat<R>(
        &mut self,
        caller: &Caller,
        sighted: &Sighting<ChatId>,
        others: &[Sighting<AgentId>],
        lock: Lock,
    ) -> Result<Granted<object::Chat, R>> {
        let bound = sighted.binding.into_iter();
        let agents: BTreeSet<_> = bound.chain(others.iter().map(|other| other.id)).collect();
        self.lock_chat(&agents, sighted.id, lock).await?;
        let checked: Checked<object::Chat> = self.check(caller, sighted.id).await?;
        if demand_owned(&checked, sighted.operation)?.agent != sighted.binding {
            return Err(Error::Conflict);
        }
        self.granted_checked(caller, sighted.operation, sighted.id, checked)
    }

    /// Locks agents in the order of their ids.
    async fn lock_agents(&mut self, agents: &BTreeSet<AgentId>, lock: Lock) -> Result<()> {
        if agents.is_empty() || !self.has_row_locks() {
            return Ok(());
        }
        let list = placeholders(1, agents.len(), 1);
        let sql = format!("select id from agents where id in {list} order by id");
        self.query_locking(&sql, lock)
            .bind_all(agents)
            .all(|row| row.take::<AgentId>())
            .await?;
        Ok(())
    }

    /// Locks agents for share in the order of their ids, then the chat, in one round trip. The
    /// condition on the agents is judged once, before the chat is looked at. Of what the statement
    /// sees nothing is used: it may have waited, and what holds then is read by the next one.
    async fn lock_chat(
        &mut self,
        agents: &BTreeSet<AgentId>,
        chat: ChatId,
        lock: Lock,
    ) -> Result<()> {
        if !self.has_row_locks() {
            return Ok(());
        }
        let sql = if agents.is_empty() {
            "select c.id from chats c where c.id = $1".to_owned()
        } else {
            let list = placeholders(1, agents.len(), 2);
            format!(
                "with locked as materialized (\
                 select id from agents where id in {list} order by id for share) \
                 select c.id from chats c where c.id = $1 and (select count(*) from locked) >= 0"
            )
        };
        self.query_locking(&sql, lock)
            .bind(&chat)
            .bind_all(agents)
            .optional(|row| row.take::<ChatId>())
            .await?;
        Ok(())
    }

    async fn check<O: Owned>(&mut self, caller: &Caller, id: O::Id) -> Result<Checked<O>> {
        let used = self.signs().clone();
        let writes = self.writes();
        let sql = check_sql::<O>("$2", self.shared().renderer);
        let checked = self
            .query(sql)
            .bind(&caller.credential.id)
            .bind(&id)
            .optional(|row| read_check(row, caller, &used, writes))
            .await?;
        checked.ok_or(Error::Unauthenticated)
    }

    async fn check_caller(&mut self, caller: &Caller) -> Result<Actor> {
        let used = self.signs().clone();
        let writes = self.writes();
        let actor = self
            .query(check_caller_sql())
            .bind(&caller.credential.id)
            .optional(|row| read_caller(row, caller, &used, writes))
            .await?;
        actor.ok_or(Error::Unauthenticated)
    }

    /// The grant of an object that was read by the check.
    fn granted_checked<O: Owned, R>(
        &self,
        caller: &Caller,
        operation: Operation,
        id: O::Id,
        checked: Checked<O>,
    ) -> Result<Granted<O, R>> {
        let record = checked.record.ok_or(Error::NotFound(O::NOUN))?;
        let granted = self.granted(caller, operation, id, &checked.actor, O::owner(&record));
        Ok(Granted {
            binding: O::binding(&record),
            record: Some(Arc::new(record)),
            ..granted
        })
    }

    fn granted<O: Grantable, R>(
        &self,
        caller: &Caller,
        operation: Operation,
        id: O::Id,
        actor: &Actor,
        owner: UserId,
    ) -> Granted<O, R> {
        Granted {
            id,
            actor: *actor,
            operation,
            at: caller.now,
            owner,
            binding: None,
            record: None,
            brand: self.brand(),
            right: PhantomData,
        }
    }
}

impl<R> Granted<object::Agent, R> {
    /// A sighting of another agent of the same owner, which this one was created to replace.
    pub(crate) fn sighting_of(&self, agent: AgentId) -> Sighting<AgentId> {
        Sighting {
            id: agent,
            ..self.sighting()
        }
    }

    /// Whether the actor may read the bodies that this agent pushes.
    pub fn tells_bodies(&self) -> bool {
        reads_bodies(&self.actor, self.owner)
    }
}

impl<R> Granted<object::Chat, R> {
    /// Whether the actor may read this chat's bodies.
    pub fn tells_bodies(&self) -> bool {
        reads_bodies(&self.actor, self.owner)
    }

    /// The same grant for reading bodies, if the actor may read this chat's.
    pub fn bodies(&self) -> Option<Granted<object::Chat, right::Body>> {
        reads_bodies(&self.actor, self.owner).then_some(Granted {
            id: self.id,
            actor: self.actor,
            operation: self.operation,
            at: self.at,
            owner: self.owner,
            binding: self.binding,
            record: self.record.clone(),
            brand: self.brand,
            right: PhantomData,
        })
    }
}

impl Granted<object::Account, right::Write> {
    /// The grant of an agent that was just written on behalf of this account.
    pub(crate) fn new_agent(&self, agent: AgentId) -> Granted<object::Agent, right::Write> {
        self.onto(agent)
    }

    /// The grant of a chat that was just written on behalf of this account.
    pub(crate) fn new_chat(&self, chat: ChatId) -> Granted<object::Chat, right::Write> {
        self.onto(chat)
    }

    fn onto<O: Grantable>(&self, id: O::Id) -> Granted<O, right::Write> {
        Granted {
            id,
            actor: self.actor,
            operation: self.operation,
            at: self.at,
            owner: self.owner,
            binding: None,
            record: None,
            brand: self.brand,
            right: PhantomData,
        }
    }
}

impl<R> Granted<object::Account, R> {
    /// The user whose objects a list tells; `None` if the actor reads everybody's.
    pub fn reads_of(&self) -> Option<UserId> {
        (!reads_all(&self.actor)).then_some(self.owner)
    }
}
