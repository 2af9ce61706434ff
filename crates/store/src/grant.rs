//! The only door to the queries: authorization is something that an operation holds.
//!
//! A [`Granted`] value says that its actor may do its operation on its object, within one
//! transaction, and carries the queries that the operation may use. It is made here and nowhere
//! else. Whoever writes goes three steps: a [`Sighting`] checks without locking, so that a stranger
//! locks nothing; then the locks are taken, agents by id before chats; then the permission is
//! checked again in a statement of its own, since a caller may have been revoked while waiting.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;

use ctxpin_model::access::{
    Actor, Decision, Object, Operation, Refusal, Roles, Scopes, decide, reads_all, reads_bodies,
};
use ctxpin_model::id::{AgentId, ChatId, TokenId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::token::Credential;

use crate::database::{Database, Lock, Transaction};
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
}

impl Grantable for object::Account {
    type Id = ();
}

impl Grantable for object::Agent {
    type Id = AgentId;
}

impl Grantable for object::Chat {
    type Id = ChatId;
}

/// Proof that an actor may use an object, within one transaction.
#[derive(Debug)]
pub struct Granted<O: Grantable, R> {
    id: O::Id,
    actor: Actor,
    owner: UserId,
    binding: Option<AgentId>,
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

    /// Whose the object is; for an account, the caller.
    pub fn owner(&self) -> UserId {
        self.owner
    }

    /// What was granted without a lock, as the ticket to locking it for `operation`, which is the
    /// one that it was granted for.
    pub fn sighting(&self, operation: Operation) -> Sighting<O::Id> {
        Sighting {
            id: self.id,
            operation,
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

/// Tokens whose use is to be noted, off the requests' path.
#[derive(Debug, Default, Clone)]
pub struct UsedTokens(Arc<Mutex<BTreeSet<TokenId>>>);

impl UsedTokens {
    fn note(&self, token: TokenId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token);
    }

    /// Takes out what was noted.
    pub fn take(&self) -> Vec<TokenId> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *used).into_iter().collect()
    }
}

/// Reads [`PRINCIPAL_COLUMNS`] and finds who the caller is.
pub(crate) fn principal(row: &mut Row, caller: &Caller, used: &UsedTokens) -> Result<Actor> {
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
        used.note(token);
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

/// A caller and, if there is one, the owner and binding of the object.
struct Checked {
    actor: Actor,
    owner: Option<UserId>,
    binding: Option<AgentId>,
}

/// The statement of a check. `object` adds the object's owner and binding, and its table with `$2`
/// for its id.
fn check_sql(object: Option<(&str, &str)>) -> String {
    let (columns, join) = object.unwrap_or(("u.id, null", ""));
    format!(
        "select {PRINCIPAL_COLUMNS}, {columns}, (select max(version) from _sqlx_migrations) \
         from {PRINCIPAL_TABLES} {join} where t.id = $1"
    )
}

const AGENT_OBJECT: (&str, &str) = ("o.owner_id, o.id", "left join agents o on o.id = $2");
const CHAT_OBJECT: (&str, &str) = ("o.owner_id, o.agent_id", "left join chats o on o.id = $2");

fn read_check(row: &mut Row, caller: &Caller, used: &UsedTokens, writes: bool) -> Result<Checked> {
    let actor = principal(row, caller, used)?;
    let owner = row.take_optional()?;
    let binding = row.take_optional()?;
    let found: i64 = row.take()?;
    if writes && found > SCHEMA_VERSION {
        return Err(Error::SchemaNewer {
            found,
            known: SCHEMA_VERSION,
        });
    }
    Ok(Checked {
        actor,
        owner,
        binding,
    })
}

/// Puts the two halves of an owned object's check together: a wrong kind of token is told before
/// anything about the object is.
fn demand_owned(checked: &Checked, operation: Operation, noun: &'static str) -> Result<UserId> {
    let Some(owner) = checked.owner else {
        let is_agent = matches!(checked.actor, Actor::Agent { .. });
        if is_agent != operation.is_for_agents() {
            demand(&checked.actor, operation, Object::Collection, noun)?;
        }
        return Err(Error::NotFound(noun));
    };
    demand(&checked.actor, operation, Object::Owned(owner), noun)?;
    match checked.actor {
        // An agent reaches itself and the chats that are bound to it.
        Actor::Agent { id, .. } if checked.binding != Some(id) => Err(Error::NotFound(noun)),
        _ => Ok(owner),
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
        let checked = self.check(caller, &agent, AGENT_OBJECT).await?;
        let owner = demand_owned(&checked, operation, "agent")?;
        Ok(Sighting {
            id: agent,
            operation,
            binding: Some(agent),
            actor: checked.actor,
            owner,
        })
    }

    /// Sees a chat without locking it.
    pub async fn sight_chat(
        &self,
        caller: &Caller,
        operation: Operation,
        chat: ChatId,
    ) -> Result<Sighting<ChatId>> {
        let checked = self.check(caller, &chat, CHAT_OBJECT).await?;
        let owner = demand_owned(&checked, operation, "chat")?;
        Ok(Sighting {
            id: chat,
            operation,
            binding: checked.binding,
            actor: checked.actor,
            owner,
        })
    }

    /// Checks outside any transaction, which locks nothing and writes nothing.
    async fn check<V: crate::values::Value>(
        &self,
        caller: &Caller,
        id: &V,
        object: (&str, &str),
    ) -> Result<Checked> {
        self.single(check_sql(Some(object)))
            .bind(&caller.credential.id)
            .bind(id)
            .optional(|row| read_check(row, caller, self.used_tokens(), false))
            .await?
            .ok_or(Error::Unauthenticated)
    }
}

impl Transaction {
    /// Grants what needs no object: a list, something new, the caller's own account.
    pub async fn grant_account<R>(
        &mut self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Granted<object::Account, R>> {
        let checked = self.check(caller, None::<&ChatId>, None).await?;
        demand(&checked.actor, operation, Object::Collection, "account")?;
        let owner = match checked.actor {
            Actor::User { id, .. } => id,
            Actor::Agent { owner, .. } => owner,
            Actor::System => return Err(Error::Unauthenticated),
        };
        Ok(self.granted((), &checked.actor, owner))
    }

    /// Grants reading an agent.
    pub async fn grant_agent(
        &mut self,
        caller: &Caller,
        operation: Operation,
        agent: AgentId,
    ) -> Result<Granted<object::Agent, right::Metadata>> {
        let checked = self.check(caller, Some(&agent), Some(AGENT_OBJECT)).await?;
        let owner = demand_owned(&checked, operation, "agent")?;
        Ok(self.granted(agent, &checked.actor, owner))
    }

    /// Grants reading an agent with its bodies, to whoever may use it.
    pub async fn grant_agent_body(
        &mut self,
        caller: &Caller,
        operation: Operation,
        agent: AgentId,
    ) -> Result<Granted<object::Agent, right::Body>> {
        let granted = self.grant_agent(caller, operation, agent).await?;
        if !reads_bodies(&granted.actor, granted.owner) {
            return Err(Error::NotFound("agent"));
        }
        Ok(self.granted(agent, &granted.actor, granted.owner))
    }

    /// Grants reading to the agent whose token the caller presents.
    pub async fn grant_own_agent(
        &mut self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Granted<object::Agent, right::Body>> {
        let checked = self.check(caller, None::<&AgentId>, None).await?;
        demand(&checked.actor, operation, Object::Collection, "agent")?;
        match checked.actor {
            Actor::Agent { id, owner, .. } => Ok(self.granted(id, &checked.actor, owner)),
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
        let checked = self.check(caller, Some(&chat), Some(CHAT_OBJECT)).await?;
        let owner = demand_owned(&checked, operation, "chat")?;
        let granted = self.granted(chat, &checked.actor, owner);
        Ok(Granted {
            binding: checked.binding,
            ..granted
        })
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
        Ok(Granted {
            id: granted.id,
            actor: granted.actor,
            owner: granted.owner,
            binding: granted.binding,
            brand: granted.brand,
            right: PhantomData,
        })
    }

    /// Locks the sighted agents for update and grants writing them, in the order of `sighted`.
    /// Contended if one of them has been deleted since.
    pub async fn grant_agents_locked(
        &mut self,
        caller: &Caller,
        sighted: &[Sighting<AgentId>],
    ) -> Result<Vec<Granted<object::Agent, right::Write>>> {
        let agents: Vec<_> = sighted
            .iter()
            .map(|sighting| (sighting.id, Lock::Update))
            .collect();
        self.lock_agents(&agents).await?;
        let mut grants = Vec::with_capacity(sighted.len());
        for sighting in sighted {
            let checked = self
                .check(caller, Some(&sighting.id), Some(AGENT_OBJECT))
                .await?;
            let owner = if sighting.operation.is_for_agents() {
                // Also an agent that this one replaces, which was its owner's to name.
                demand(
                    &checked.actor,
                    sighting.operation,
                    Object::Collection,
                    "agent",
                )?;
                checked.owner.ok_or(Error::Conflict)?
            } else {
                demand_owned(&checked, sighting.operation, "agent")?
            };
            grants.push(self.granted(sighting.id, &checked.actor, owner));
        }
        Ok(grants)
    }

    /// Locks the sighted agent for share and grants reading it with its bodies.
    pub async fn grant_agent_shared(
        &mut self,
        caller: &Caller,
        sighted: &Sighting<AgentId>,
    ) -> Result<Granted<object::Agent, right::Body>> {
        self.lock_agents(&[(sighted.id, Lock::Share)]).await?;
        self.grant_agent_body(caller, sighted.operation, sighted.id)
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
        let granted = self
            .lock_and_check_chat(caller, sighted, others, Lock::Update)
            .await?;
        Ok(self.granted(sighted.id, &granted.0, granted.1))
    }

    /// As [`Self::grant_chat_locked`], but locks the chat for share and grants reading it: for a
    /// parent.
    pub async fn grant_chat_shared(
        &mut self,
        caller: &Caller,
        sighted: &Sighting<ChatId>,
        others: &[Sighting<AgentId>],
    ) -> Result<Granted<object::Chat, right::Body>> {
        let granted = self
            .lock_and_check_chat(caller, sighted, others, Lock::Share)
            .await?;
        Ok(self.granted(sighted.id, &granted.0, granted.1))
    }

    async fn lock_and_check_chat(
        &mut self,
        caller: &Caller,
        sighted: &Sighting<ChatId>,
        others: &[Sighting<AgentId>],
        lock: Lock,
    ) -> Result<(Actor, UserId)> {
        let bound = sighted
            .binding
            .into_iter()
            .chain(others.iter().map(|other| other.id));
        let agents: Vec<_> = bound.map(|agent| (agent, Lock::Share)).collect();
        self.lock_agents(&agents).await?;
        self.query_locking("select id from chats where id = $1", lock)
            .bind(&sighted.id)
            .optional(|row| row.take::<ChatId>())
            .await?;
        let checked = self
            .check(caller, Some(&sighted.id), Some(CHAT_OBJECT))
            .await?;
        let owner = demand_owned(&checked, sighted.operation, "chat")?;
        if checked.binding != sighted.binding {
            return Err(Error::Conflict);
        }
        Ok((checked.actor, owner))
    }

    /// Locks agents in the order of their ids, each as strongly as asked.
    async fn lock_agents(&mut self, agents: &[(AgentId, Lock)]) -> Result<()> {
        let mut agents = agents.to_vec();
        agents.sort_by_key(|(agent, lock)| (*agent, *lock == Lock::Share));
        agents.dedup_by_key(|(agent, _)| *agent);
        for (agent, lock) in agents {
            self.query_locking("select id from agents where id = $1", lock)
                .bind(&agent)
                .optional(|row| row.take::<AgentId>())
                .await?;
        }
        Ok(())
    }

    async fn check<V: crate::values::Value>(
        &mut self,
        caller: &Caller,
        id: Option<&V>,
        object: Option<(&str, &str)>,
    ) -> Result<Checked> {
        let used = self.used_tokens().clone();
        let writes = self.writes();
        let mut query = self.query(check_sql(object)).bind(&caller.credential.id);
        if let Some(id) = id {
            query = query.bind(id);
        }
        let checked = query
            .optional(|row| read_check(row, caller, &used, writes))
            .await?;
        checked.ok_or(Error::Unauthenticated)
    }

    fn granted<O: Grantable, R>(&self, id: O::Id, actor: &Actor, owner: UserId) -> Granted<O, R> {
        Granted {
            id,
            actor: *actor,
            owner,
            binding: None,
            brand: self.brand(),
            right: PhantomData,
        }
    }
}

impl<R> Granted<object::Agent, R> {
    /// A sighting of another agent of the same owner, which this one was created to replace.
    pub(crate) fn sighting_of(&self, agent: AgentId, operation: Operation) -> Sighting<AgentId> {
        Sighting {
            id: agent,
            ..self.sighting(operation)
        }
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
            owner: self.owner,
            binding: self.binding,
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
            owner: self.owner,
            binding: None,
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
