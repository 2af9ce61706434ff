//! Wakes: hints to watchers that something was written. A hint is sent after the commit, carries no
//! content and may be lost. A watcher reads the state after a hint, and periodically without one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctxpin_model::id::UserId;
use ctxpin_store::grant::task;
use ctxpin_store::wake::Topic;
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;

use crate::frame::commit;
use crate::refusals;
use crate::service::Service;

/// How many hints of one owner are kept for a slow watcher. A watcher that missed more reads everything
/// again. With more changes than a page of chats that is cheaper than reading them one by one.
const HINTS_KEPT: usize = 64;

/// The most topics in one notification to the other replicas.
const TOPICS_AT_ONCE: usize = 64;

/// The pause before a failed listener is replaced.
const LISTENER_PAUSE: Duration = Duration::from_secs(1);

/// How often the last uses of tokens and agents, and the counts of refusals, are written.
const LAST_USED_WRITTEN_EVERY: Duration = Duration::from_secs(30);

/// A hint and the time at which it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hint {
    pub topic: Topic,
    /// Everything that was read later includes the change.
    pub at: Instant,
}

impl Hint {
    /// Returns a hint that anything may have changed until now.
    pub fn everything() -> Self {
        let (topic, at) = (Topic::Everything, Instant::now());
        Self { topic, at }
    }
}

/// The hints of this process, and the topics that the other replicas have not been notified of yet.
pub(crate) struct Wakes {
    /// By owner, so a write wakes only the watchers of its owner. Owners without watchers are not kept.
    local: Mutex<HashMap<UserId, broadcast::Sender<Hint>>>,
    outgoing: Mutex<BTreeSet<Topic>>,
    outgoing_grew: Notify,
}

impl Wakes {
    pub(crate) fn new() -> Self {
        Self {
            local: Mutex::default(),
            outgoing: Mutex::default(),
            outgoing_grew: Notify::new(),
        }
    }

    /// Wakes the watchers of a topic, here and at the other replicas. Only [`commit`] calls this.
    pub(crate) fn publish(&self, topic: Topic) {
        self.wake_here(topic);
        self.lock_outgoing().insert(topic);
        self.outgoing_grew.notify_one();
    }

    /// Returns the hints about what belongs to `owner`, and those about everything.
    pub(crate) fn subscribe(&self, owner: UserId) -> broadcast::Receiver<Hint> {
        let mut local = self.lock_local();
        let sender = local.entry(owner);
        sender
            .or_insert_with(|| broadcast::Sender::new(HINTS_KEPT))
            .subscribe()
    }

    fn wake_here(&self, topic: Topic) {
        let at = Instant::now();
        let hint = Hint { topic, at };
        let mut local = self.lock_local();
        // An owner without watchers is removed at the next hint.
        match topic.owner() {
            Some(owner) => {
                let is_watched = local.get(&owner).map(|sender| sender.send(hint).is_ok());
                if is_watched == Some(false) {
                    local.remove(&owner);
                }
            }
            None => local.retain(|_, sender| sender.send(hint).is_ok()),
        }
    }

    fn take_outgoing(&self) -> Vec<Topic> {
        let mut outgoing = self.lock_outgoing();
        if outgoing.len() > TOPICS_AT_ONCE {
            outgoing.clear();
            return vec![Topic::Everything];
        }
        std::mem::take(&mut *outgoing).into_iter().collect()
    }

    fn lock_local(&self) -> MutexGuard<'_, HashMap<UserId, broadcast::Sender<Hint>>> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_outgoing(&self) -> MutexGuard<'_, BTreeSet<Topic>> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the background work of a server until it is dropped: it notifies the other replicas, listens to
/// them, and writes last uses and counts of refusals.
pub async fn run(service: &Service) {
    tokio::join!(
        notify_others(service),
        listen_to_others(service),
        write_last_used(service)
    );
}

async fn notify_others(service: &Service) {
    loop {
        service.wakes.outgoing_grew.notified().await;
        // One notification for all topics that came during the previous one.
        let topics = service.wakes.take_outgoing();
        if topics.is_empty() {
            continue;
        }
        if let Err(error) = service.database.notify(&topics).await {
            tracing::warn!(%error, "could not notify the other replicas; they will find the change within 30 seconds");
        }
    }
}

async fn listen_to_others(service: &Service) {
    loop {
        match service.database.listen().await {
            Ok(None) => return,
            Ok(Some(mut listener)) => {
                // Earlier notifications were missed.
                service.wakes.wake_here(Topic::Everything);
                while let Ok(topics) = listener.next().await {
                    topics
                        .into_iter()
                        .for_each(|topic| service.wakes.wake_here(topic));
                }
                tracing::warn!("lost the connection that listens to the other replicas");
            }
            Err(error) => tracing::warn!(%error, "cannot listen to the other replicas"),
        }
        tokio::time::sleep(LISTENER_PAUSE).await;
    }
}

async fn write_last_used(service: &Service) {
    loop {
        tokio::time::sleep(LAST_USED_WRITTEN_EVERY).await;
        if let Err(error) = last_used_write(service).await {
            tracing::warn!(%error, "could not write when tokens and agents were last used");
        }
        if let Err(error) = refusals::write(service).await {
            tracing::warn!(%error, "could not write how often requests were refused");
        }
    }
}

/// Writes which tokens were used and which agents were seen since the last time, all of them in one
/// transaction: thousands of idle agents cost no commit of their own. [`run`] does so every now and
/// then.
///
/// # Errors
/// Fails if the database does. The uses are lost then.
pub async fn last_used_write(service: &Service) -> crate::error::Result<()> {
    let uses = service.database.last_used().take();
    if uses.tokens.is_empty() && uses.agents.is_empty() {
        return Ok(());
    }
    let mut transaction = service.database.write().await?;
    let upkeep = service.database.upkeep(task::LastUsed);
    let now = service.clock.now();
    upkeep.last_used_write(&mut transaction, &uses, now).await?;
    commit(service, transaction, upkeep.unnoted()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_hint_wakes_whom_it_concerns() {
        let wakes = Wakes::new();
        let (one, other) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
        let of = |owner| Topic::Chat {
            owner,
            chat: Uuid::from_u128(3).into(),
        };
        let mut ones = [wakes.subscribe(one), wakes.subscribe(one)];
        let mut others = wakes.subscribe(other);
        wakes.publish(of(one));
        for receiver in &mut ones {
            assert_eq!(receiver.try_recv().unwrap().topic, of(one));
        }
        assert!(others.try_recv().is_err(), "it belongs to another owner");
        wakes.wake_here(Topic::Everything);
        for receiver in ones.iter_mut().chain([&mut others]) {
            assert_eq!(receiver.try_recv().unwrap().topic, Topic::Everything);
        }
        drop(ones);
        wakes.publish(of(one));
        drop(others);
        wakes.wake_here(Topic::Everything);
        assert!(wakes.lock_local().is_empty(), "no watcher is left");
    }
}
