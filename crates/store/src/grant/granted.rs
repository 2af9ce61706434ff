//! Grants, and the locks that come before some of them.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;

use ctxpin_model::access::{Actor, Object, Operation, Reach, Refusal, reads_all};
use ctxpin_model::door::Door;
use ctxpin_model::id::{AgentId, ChatId, UserId};
use ctxpin_model::moment::Moment;

use super::caller::{
    Access, Caller, Checked, check, check_caller, read_caller, read_check, require, require_owned,
};
use super::sighting::{AccountSighting, Sighting};
use super::{Grantable, Owned, object, right};
use crate::database::Transaction;
use crate::error::{Error, Result};
use crate::kept::LineCountCache;
use crate::query::Lock;

/// Proof that an actor may do an operation on an object within one transaction.
#[derive(Debug)]
pub struct Granted<O: Grantable, R> {
    id: O::Id,
    access: Access,
    owner: UserId,
    binding: Option<AgentId>,
    /// The record that the check read, or `None` if the object was created in this transaction.
    record: Option<Arc<O::Record>>,
    brand: u64,
    right: PhantomData<fn() -> (O, R)>,
}

impl<O: Grantable, R> Granted<O, R> {
    /// Returns the id of the object.
    pub fn id(&self) -> O::Id {
        self.id
    }

    /// Returns the actor that holds the grant.
    pub fn actor(&self) -> &Actor {
        &self.access.actor
    }

    /// Returns the door by which the actor came.
    pub(crate) fn door(&self) -> Door {
        self.access.door
    }

    /// Returns the operation that the grant is for.
    pub fn operation(&self) -> Operation {
        self.access.operation
    }

    /// Returns the time of the request.
    pub fn at(&self) -> Moment {
        self.access.at
    }

    /// Returns the owner of the object, or the user of an account.
    pub fn owner(&self) -> UserId {
        self.owner
    }

    /// Returns the user for whom the operation works: the caller, or the owner if the caller is an agent.
    pub fn works_for(&self) -> UserId {
        self.actor().user().unwrap_or(self.owner())
    }

    /// Returns the object as the check read it, which for a locked object was after it was locked.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unexpected`] if the object was created in this transaction.
    pub fn record(&self) -> Result<&O::Record> {
        self.record
            .as_deref()
            .ok_or_else(|| Error::Unexpected("a grant of a new object has no record".into()))
    }

    /// Returns the same grant with another right.
    fn with_right<S>(self) -> Granted<O, S> {
        Granted {
            id: self.id,
            access: self.access,
            owner: self.owner,
            binding: self.binding,
            record: self.record,
            brand: self.brand,
            right: PhantomData,
        }
    }

    /// Returns whether the operation may return the object's bodies to the caller.
    pub(crate) fn tells_bodies(&self) -> bool {
        self.access.reach == Reach::Bodies
    }

    /// Returns the sighting that is needed to lock the object for the same operation.
    pub fn sighting(&self) -> Sighting<O::Id> {
        Sighting {
            id: self.id,
            operation: self.access.operation,
            binding: self.binding,
            actor: self.access.actor,
            owner: self.owner,
        }
    }

    /// Returns the transaction if it is the one of this grant.
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

impl Transaction {
    /// Grants reading without an object: a list, or the caller's own account.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
    pub async fn grant_account(
        &mut self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Granted<object::Account, right::Metadata>> {
        self.grant_account_as(caller, operation).await
    }

    /// Grants computing with the bodies of all objects that the caller may list.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
    pub async fn grant_account_within(
        &mut self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Granted<object::Account, right::Within>> {
        self.grant_account_as(caller, operation).await
    }

    /// Grants writing without an object: a new object, or the caller's own account. The sighting shows that the caller
    /// was checked before this transaction began, so a stranger never waits for it.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation any more.
    pub async fn grant_account_sighted(
        &mut self,
        caller: &Caller,
        sighting: &AccountSighting,
    ) -> Result<Granted<object::Account, right::Write>> {
        self.grant_account_as(caller, sighting.operation).await
    }

    async fn grant_account_as<R>(
        &mut self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Granted<object::Account, R>> {
        let actor = self.check_caller(caller).await?;
        let access = caller.access(actor, operation, Object::Collection, "account")?;
        let owner = match actor {
            Actor::User { id, .. } => id,
            Actor::Agent { owner, .. } => owner,
            Actor::System => return Err(Error::Unauthenticated),
        };
        Ok(self.granted(access, (), owner))
    }

    /// Grants reading the bodies of all objects of the caller.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation to their own objects, and [`Error::NotFound`] if
    /// it tells no bodies.
    pub async fn grant_own_bodies(
        &mut self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Granted<object::Account, right::Body>> {
        let granted = self.grant_account_of(caller, operation, None).await?;
        match granted.tells_bodies() {
            true => Ok(granted.with_right()),
            false => Err(Error::NotFound("account")),
        }
    }

    /// Grants the operation on the account of `user`, or on the caller's own for `None`. The grant does not say
    /// that the user exists.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
    pub async fn grant_account_of(
        &mut self,
        caller: &Caller,
        operation: Operation,
        user: Option<UserId>,
    ) -> Result<Granted<object::Account, right::Metadata>> {
        let actor = self.check_caller(caller).await?;
        let user = user.or(actor.user()).ok_or(Error::NotFound("user"))?;
        let access = caller.access(actor, operation, Object::Owned(user), "user")?;
        Ok(self.granted(access, (), user))
    }

    /// Grants reading an agent.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
    pub async fn grant_agent(
        &mut self,
        caller: &Caller,
        operation: Operation,
        agent: AgentId,
    ) -> Result<Granted<object::Agent, right::Metadata>> {
        let checked = self.check(caller, agent).await?;
        let access = require_owned(&checked, operation)?;
        self.granted_checked(access, agent, checked)
    }

    /// Grants reading the bodies of an agent's heads.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation, which is [`Error::NotFound`] if the caller may
    /// not read the bodies.
    pub async fn grant_agent_body(
        &mut self,
        caller: &Caller,
        operation: Operation,
        agent: AgentId,
    ) -> Result<Granted<object::Agent, right::Body>> {
        let granted = self.grant_agent(caller, operation, agent).await?;
        granted.bodies().ok_or(Error::NotFound("agent"))
    }

    /// Grants using the bodies of an agent inside an operation, such as to render its head for a chat.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
    pub async fn grant_agent_within(
        &mut self,
        caller: &Caller,
        operation: Operation,
        agent: AgentId,
    ) -> Result<Granted<object::Agent, right::Within>> {
        let granted = self.grant_agent(caller, operation, agent).await?;
        Ok(granted.with_right())
    }

    /// Grants reading the agent of the caller's token.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation, which is [`Error::Forbidden`] if the token is
    /// not an agent's.
    pub async fn grant_own_agent(
        &mut self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Granted<object::Agent, right::Within>> {
        let (last_used, writes) = (self.last_used().clone(), self.writes());
        let renderer = self.shared().renderer;
        let statement = self.query("");
        let checked = check::<object::Agent>(statement, "t.agent_id", renderer)
            .bind(&caller.credential.id)
            .optional(|row| read_check(row, caller, &last_used, writes))
            .await?
            .ok_or(Error::Unauthenticated)?;
        let reach = require(&checked.actor, operation, Object::Collection, "agent")?;
        match checked.actor {
            Actor::Agent { id, .. } => {
                self.granted_checked(checked.access(operation, reach), id, checked)
            }
            _ => Err(Error::Forbidden(Refusal::AgentNeeded)),
        }
    }

    /// Grants reading a chat's metadata.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
    pub async fn grant_chat(
        &mut self,
        caller: &Caller,
        operation: Operation,
        chat: ChatId,
    ) -> Result<Granted<object::Chat, right::Metadata>> {
        let checked = self.check(caller, chat).await?;
        let access = require_owned(&checked, operation)?;
        self.granted_checked(access, chat, checked)
    }

    /// Grants reading a chat's bodies.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation, which is [`Error::NotFound`] if the caller may
    /// not read the bodies.
    pub async fn grant_chat_body(
        &mut self,
        caller: &Caller,
        operation: Operation,
        chat: ChatId,
    ) -> Result<Granted<object::Chat, right::Body>> {
        let granted = self.grant_chat(caller, operation, chat).await?;
        granted.bodies().ok_or(Error::NotFound("chat"))
    }

    /// Grants using the bodies of a chat inside an operation, such as to render them for a move of its pin
    /// or to compare them.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
    pub async fn grant_chat_within(
        &mut self,
        caller: &Caller,
        operation: Operation,
        chat: ChatId,
    ) -> Result<Granted<object::Chat, right::Within>> {
        let granted = self.grant_chat(caller, operation, chat).await?;
        Ok(granted.with_right())
    }

    /// Locks the sighted agents for update and grants writing them, in the order of `sighted`.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation. In an operation of an agent, returns
    /// [`Error::Conflict`] if one of them was deleted since its sighting.
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
            let operation = sighting.operation;
            let access = if operation.is_for_agents() {
                // The agent may also be one that the caller replaces, as its owner decided.
                let reach = require(&checked.actor, operation, Object::Collection, "agent")?;
                checked.record.as_ref().ok_or(Error::Conflict)?;
                checked.access(operation, reach)
            } else {
                require_owned(&checked, operation)?
            };
            grants.push(self.granted_checked(access, sighting.id, checked)?);
        }
        Ok(grants)
    }

    /// Locks the sighted agent for share and grants using its bodies inside an operation.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
    pub async fn grant_agent_shared(
        &mut self,
        caller: &Caller,
        sighted: &Sighting<AgentId>,
    ) -> Result<Granted<object::Agent, right::Within>> {
        self.lock_agents(&[sighted.id].into(), Lock::Share).await?;
        self.grant_agent_within(caller, sighted.operation, sighted.id)
            .await
    }

    /// Locks the agent that the chat is bound to and `others` for share, then the chat for update, and
    /// grants writing the chat.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation, and [`Error::Conflict`] if the binding has
    /// changed since the sighting.
    pub async fn grant_chat_locked(
        &mut self,
        caller: &Caller,
        sighted: &Sighting<ChatId>,
        others: &[Sighting<AgentId>],
    ) -> Result<Granted<object::Chat, right::Write>> {
        self.lock_and_check_chat(caller, sighted, others, Lock::Update)
            .await
    }

    /// Locks as [`Self::grant_chat_locked`] does, but the chat for share, and grants reading it. It is for
    /// the parent of a new chat.
    ///
    /// # Errors
    ///
    /// Fails as [`Self::grant_chat_locked`] does.
    pub async fn grant_chat_shared(
        &mut self,
        caller: &Caller,
        sighted: &Sighting<ChatId>,
        others: &[Sighting<AgentId>],
    ) -> Result<Granted<object::Chat, right::Within>> {
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
        let access = require_owned(&checked, sighted.operation)?;
        let granted = self.granted_checked(access, sighted.id, checked)?;
        match granted.binding == sighted.binding {
            true => Ok(granted),
            false => Err(Error::Conflict),
        }
    }

    /// Locks agents in the order of their ids.
    async fn lock_agents(&mut self, agents: &BTreeSet<AgentId>, lock: Lock) -> Result<()> {
        if agents.is_empty() || !self.has_row_locks() {
            return Ok(());
        }
        self.query("select id from agents where id in ")
            .list(agents)
            .push(" order by id")
            .locking(lock)
            .all(|row| row.take::<AgentId>())
            .await?;
        Ok(())
    }

    /// Locks agents for share in the order of their ids, then the chat, in one round trip. PostgreSQL
    /// evaluates the condition on the agents once, before it looks for the chat. The statement may have
    /// waited, so nothing that it reads is used.
    async fn lock_chat(
        &mut self,
        agents: &BTreeSet<AgentId>,
        chat: ChatId,
        lock: Lock,
    ) -> Result<()> {
        if !self.has_row_locks() {
            return Ok(());
        }
        let query = if agents.is_empty() {
            self.query("select c.id from chats c where c.id = ")
                .value(&chat)
        } else {
            self.query("with locked as materialized (select id from agents where id in ")
                .list(agents)
                .push(" order by id for share) select c.id from chats c where c.id = ")
                .value(&chat)
                .push(" and (select count(*) from locked) >= 0")
        };
        query
            .locking(lock)
            .optional(|row| row.take::<ChatId>())
            .await?;
        Ok(())
    }

    async fn check<O: Owned>(&mut self, caller: &Caller, id: O::Id) -> Result<Checked<O>> {
        let last_used = self.last_used().clone();
        let writes = self.writes();
        let renderer = self.shared().renderer;
        let checked = check::<O>(self.query(""), "$2", renderer)
            .bind(&caller.credential.id)
            .bind(&id)
            .optional(|row| read_check(row, caller, &last_used, writes))
            .await?;
        checked.ok_or(Error::Unauthenticated)
    }

    async fn check_caller(&mut self, caller: &Caller) -> Result<Actor> {
        let last_used = self.last_used().clone();
        let writes = self.writes();
        let actor = check_caller(self.query(""))
            .bind(&caller.credential.id)
            .optional(|row| read_caller(row, caller, &last_used, writes))
            .await?;
        actor.ok_or(Error::Unauthenticated)
    }

    /// Returns the grant of an object that the check has read.
    fn granted_checked<O: Owned, R>(
        &self,
        access: Access,
        id: O::Id,
        checked: Checked<O>,
    ) -> Result<Granted<O, R>> {
        let record = checked.record.ok_or(Error::NotFound(O::NOUN))?;
        let granted = self.granted(access, id, O::owner(&record));
        Ok(Granted {
            binding: O::binding(&record),
            record: Some(Arc::new(record)),
            ..granted
        })
    }

    fn granted<O: Grantable, R>(&self, access: Access, id: O::Id, owner: UserId) -> Granted<O, R> {
        Granted {
            id,
            access,
            owner,
            binding: None,
            record: None,
            brand: self.brand(),
            right: PhantomData,
        }
    }
}

impl<O: Grantable> Granted<O, right::Body> {
    /// Returns the line counts that are kept. Only a caller who may read bodies may know how many lines of them
    /// differ.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unexpected`] in another transaction.
    pub fn line_counts(&self, transaction: &mut Transaction) -> Result<Arc<LineCountCache>> {
        Ok(Arc::clone(&self.within(transaction)?.shared().line_counts))
    }
}

impl<R> Granted<object::Agent, R> {
    /// Returns a sighting of an agent of the same owner, which this agent replaces.
    pub(crate) fn sighting_of(&self, agent: AgentId) -> Sighting<AgentId> {
        Sighting {
            id: agent,
            ..self.sighting()
        }
    }
}

impl<O: Grantable, R> Granted<O, R> {
    /// Returns the grant for reading the object's bodies, if the operation may return them to the caller.
    pub fn bodies(&self) -> Option<Granted<O, right::Body>> {
        self.tells_bodies().then(|| Granted {
            id: self.id,
            access: self.access,
            owner: self.owner,
            binding: self.binding,
            record: self.record.clone(),
            brand: self.brand,
            right: PhantomData,
        })
    }
}

impl Granted<object::Account, right::Metadata> {
    /// Returns the sighting that is needed to write for the same operation.
    pub fn account_sighting(&self) -> AccountSighting {
        AccountSighting {
            operation: self.operation(),
        }
    }
}

impl Granted<object::Account, right::Write> {
    /// Returns the grant of an agent that this account has just created.
    pub(crate) fn new_agent(&self, agent: AgentId) -> Granted<object::Agent, right::Write> {
        self.onto(agent)
    }

    /// Returns the grant of a chat that this account has just created.
    pub(crate) fn new_chat(&self, chat: ChatId) -> Granted<object::Chat, right::Write> {
        self.onto(chat)
    }

    fn onto<O: Grantable>(&self, id: O::Id) -> Granted<O, right::Write> {
        Granted {
            id,
            access: self.access,
            owner: self.owner,
            binding: None,
            record: None,
            brand: self.brand,
            right: PhantomData,
        }
    }
}

impl<R> Granted<object::Account, R> {
    /// Returns the user whose objects a list contains, or `None` if the actor may read those of all users.
    pub fn reads_of(&self) -> Option<UserId> {
        (!reads_all(self.actor())).then_some(self.owner)
    }
}
