//! Checks without a lock.

use ctxpin_model::access::{Actor, Object, Operation};
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::id::{AgentId, ChatId, UserId};

use super::caller::{Caller, Checked, check, read_check, require_owned};
use super::{Owned, object};
use crate::database::Database;
use crate::error::{Error, Result};

/// An object that a check found without a lock, and what the caller may do to it. It is needed to lock the
/// object.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<I> {
    pub(super) id: I,
    pub(super) operation: Operation,
    pub(super) binding: Option<AgentId>,
    pub(super) actor: Actor,
    pub(super) owner: UserId,
}

impl<I: Copy> Sighting<I> {
    /// Returns the id of the object.
    pub fn id(&self) -> I {
        self.id
    }

    /// Returns the agent that the chat was bound to, or the id of an agent.
    pub fn binding(&self) -> Option<AgentId> {
        self.binding
    }

    /// Returns the actor that the check identified.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Returns the owner of the object.
    pub fn owner(&self) -> UserId {
        self.owner
    }
}

/// A check of a caller that comes before a transaction which writes without an object.
#[derive(Debug, Clone, Copy)]
pub struct AccountSighting {
    pub(super) operation: Operation,
}

impl Database {
    /// Checks the caller without a lock, in one round trip.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
    pub async fn sight_account(
        &self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<AccountSighting> {
        let actor = self.identify(caller, None).await?;
        caller.access(actor, operation, Object::Collection, "account")?;
        Ok(AccountSighting { operation })
    }

    /// Checks the caller and an agent without a lock.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
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

    /// Checks the caller and a chat without a lock, in one round trip. Returns the chat as it was then.
    ///
    /// # Errors
    ///
    /// Returns the refusal if the caller may not do the operation.
    pub async fn sight_chat(
        &self,
        caller: &Caller,
        operation: Operation,
        chat: ChatId,
    ) -> Result<(Sighting<ChatId>, ChatRecord)> {
        self.sight::<object::Chat>(caller, operation, chat).await
    }

    /// Checks outside any transaction.
    async fn sight<O: Owned>(
        &self,
        caller: &Caller,
        operation: Operation,
        id: O::Id,
    ) -> Result<(Sighting<O::Id>, O::Record)> {
        let statement = self.single("");
        let checked: Checked<O> = check::<O>(statement, "$2", self.shared().renderer)
            .bind(&caller.credential.id)
            .bind(&id)
            .optional(|row| read_check(row, caller, self.last_used(), false))
            .await?
            .ok_or(Error::Unauthenticated)?;
        require_owned(&checked, operation)?;
        let record = checked.record.as_ref().ok_or(Error::NotFound(O::NOUN))?;
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
