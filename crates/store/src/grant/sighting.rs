//! Seeing an object without a lock.

use ctxpin_model::access::{Actor, Operation};
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::id::{AgentId, ChatId, UserId};

use super::caller::{Caller, Checked, check, demand_owned, read_check};
use super::{Owned, object};
use crate::database::Database;
use crate::error::{Error, Result};

/// An object seen without a lock by a caller who may do something to it: the ticket to locking it.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<I> {
    pub(super) id: I,
    pub(super) operation: Operation,
    pub(super) binding: Option<AgentId>,
    pub(super) actor: Actor,
    pub(super) owner: UserId,
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
        let statement = self.single("");
        let checked: Checked<O> = check::<O>(statement, "$2", self.shared().renderer)
            .bind(&caller.credential.id)
            .bind(&id)
            .optional(|row| read_check(row, caller, self.last_used(), false))
            .await?
            .ok_or(Error::Unauthenticated)?;
        demand_owned(&checked, operation)?;
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
