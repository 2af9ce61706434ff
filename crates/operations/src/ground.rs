//! The transactions from which the plan of a pin's move reads. At first they are short reading transactions,
//! and none is open while the plan is computed. After other requests have won several times, it is the writing
//! transaction with its locks.

use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::agent::Head;
use ctxpin_model::drift::Hashes;
use ctxpin_model::hash::{ContextHash, SnapshotId};
use ctxpin_model::history::PinRecord;
use ctxpin_model::id::{ChatId, UserId};
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Caller, Granted, object, right};
use ctxpin_store::sealed::Sealed;

use crate::error::{Error, Result};
use crate::frame::ATTEMPT_UNDER_LOCKS;
use crate::prompts::{Prompt, Source};
use crate::service::Service;
use crate::workshop::is_light;

/// The longest work on one plan.
const PLANNING_TIME_MAX: Duration = Duration::from_secs(5);

/// The transactions that a plan reads from.
pub(crate) enum Ground<'g> {
    /// Reading transactions, one after another.
    Reading(Box<Reading<'g>>),
    /// The writing transaction that holds the chat's lock.
    Locked {
        service: &'g Service,
        transaction: &'g mut Transaction,
        granted: &'g Granted<object::Chat, right::Write>,
    },
}

/// Reads a chat, in a new transaction if none is open.
pub(crate) struct Reading<'g> {
    service: &'g Service,
    caller: &'g Caller,
    operation: Operation,
    chat: ChatId,
    user: UserId,
    open: Option<(Transaction, Granted<object::Chat, right::Within>)>,
    /// Whether the open transaction is not the first one.
    is_late: bool,
}

impl<'g> Ground<'g> {
    /// Returns a ground that begins with the transaction in which the chat was seen.
    pub fn reading(
        service: &'g Service,
        caller: &'g Caller,
        operation: Operation,
        transaction: Transaction,
        seen: Granted<object::Chat, right::Within>,
    ) -> Self {
        Self::Reading(Box::new(Reading {
            service,
            caller,
            operation,
            chat: seen.id(),
            user: seen.works_for(),
            open: Some((transaction, seen)),
            is_late: false,
        }))
    }

    /// Returns the ground of a locked chat that is not as it was planned for.
    ///
    /// # Errors
    ///
    /// Fails before the last attempts: then the request starts over, so that nothing is planned under locks.
    pub fn locked(
        attempt: u32,
        service: &'g Service,
        transaction: &'g mut Transaction,
        granted: &'g Granted<object::Chat, right::Write>,
    ) -> Result<Self> {
        if attempt < ATTEMPT_UNDER_LOCKS {
            return Err(Error::overtaken());
        }
        Ok(Self::Locked {
            service,
            transaction,
            granted,
        })
    }

    /// Returns a snapshot that the chat can reach.
    pub async fn snapshot(&mut self, id: SnapshotId) -> Result<Sealed<Arc<TreatedSnapshot>>> {
        let found = match self {
            Self::Reading(reading) => {
                let (transaction, seen) = reading.open().await?;
                let found = seen.snapshot_sealed(transaction, id).await?;
                if found.is_none() && reading.is_late {
                    // The chat has moved on since it was seen.
                    return Err(Error::overtaken());
                }
                found
            }
            Self::Locked {
                transaction,
                granted,
                ..
            } => granted.snapshot_sealed(transaction, id).await?,
        };
        found.ok_or(Error::NotFound("snapshot"))
    }

    /// Returns the hashes of a snapshot in the chat's history.
    pub async fn snapshot_hashes(&mut self, id: SnapshotId) -> Result<Option<Hashes>> {
        Ok(match self {
            Self::Reading(reading) => {
                let (transaction, seen) = reading.open().await?;
                seen.snapshot_hashes(transaction, id).await?
            }
            Self::Locked {
                transaction,
                granted,
                ..
            } => granted.snapshot_hashes(transaction, id).await?,
        })
    }

    /// Returns the newest row of the chat's history with that snapshot.
    pub async fn history_of(&mut self, id: SnapshotId) -> Result<Option<PinRecord>> {
        Ok(match self {
            Self::Reading(reading) => {
                let (transaction, seen) = reading.open().await?;
                seen.history_of(transaction, id).await?
            }
            Self::Locked {
                transaction,
                granted,
                ..
            } => granted.history_of(transaction, id).await?,
        })
    }

    /// Returns the newest head of the chat's agent with that snapshot.
    pub async fn agent_head(&mut self, id: SnapshotId) -> Result<Option<Head>> {
        Ok(match self {
            Self::Reading(reading) => {
                let (transaction, seen) = reading.open().await?;
                seen.agent_head(transaction, id).await?
            }
            Self::Locked {
                transaction,
                granted,
                ..
            } => granted.agent_head(transaction, id).await?,
        })
    }

    /// Returns the row with that number in the chat's history.
    pub async fn history_at(&mut self, seq: i64) -> Result<Option<PinRecord>> {
        Ok(match self {
            Self::Reading(reading) => {
                let (transaction, seen) = reading.open().await?;
                seen.history_at(transaction, seq).await?
            }
            Self::Locked {
                transaction,
                granted,
                ..
            } => granted.history_at(transaction, seq).await?,
        })
    }

    /// Returns the prompt of a context. Renders it if it was never rendered before.
    pub async fn prompt(
        &mut self,
        context: ContextHash,
        snapshot: &Sealed<Arc<TreatedSnapshot>>,
    ) -> Result<Prompt> {
        let source = match self {
            Self::Reading(reading) => {
                let (transaction, seen) = reading.open().await?;
                Source::of_chat(transaction, seen, context, snapshot).await?
            }
            Self::Locked {
                transaction,
                granted,
                ..
            } => Source::of_chat(transaction, granted, context, snapshot).await?,
        };
        self.work(source.weight(), || source.rendered()).await
    }

    /// Runs work outside any reading transaction, or under the locks. `bytes` is how much it reads, or work that
    /// takes equally long.
    pub async fn work<T: Send + 'static>(
        &mut self,
        bytes: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        match self {
            Self::Reading(_) if is_light(bytes) => Ok(work()),
            Self::Reading(reading) => {
                // No transaction stays open during the work.
                reading.open = None;
                let workshop = &reading.service.workshop;
                let work = |_: &_| work();
                workshop
                    .work(reading.user, bytes, PLANNING_TIME_MAX, work)
                    .await
            }
            Self::Locked { service, .. } => service.workshop.under_locks(bytes, |_| work()).await,
        }
    }
}

impl Reading<'_> {
    async fn open(&mut self) -> Result<(&mut Transaction, &Granted<object::Chat, right::Within>)> {
        if self.open.is_none() {
            let mut transaction = self.service.database.read().await?;
            let seen = transaction
                .grant_chat_within(self.caller, self.operation, self.chat)
                .await?;
            self.open = Some((transaction, seen));
            self.is_late = true;
        }
        let (transaction, seen) = self.open.as_mut().ok_or_else(Error::overtaken)?;
        Ok((transaction, seen))
    }
}
