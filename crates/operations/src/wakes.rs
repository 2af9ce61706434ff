//! Wakes: hints that something was written, for whoever watches. They follow the commit, carry no
//! content, and may be lost: a watcher reads the state, and reads it again from time to time.

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

/// Hints of one owner that a slow watcher may fall behind before it is told to read everything anew;
/// past a page of chats that is cheaper than reading them one by one.
const HINTS_KEPT: usize = 64;

/// Most topics of one notification to the other replicas.
const TOPICS_AT_ONCE: usize = 64;

/// Pause before the listener is made anew after it failed.
const LISTENER_PAUSE: Duration = Duration::from_secs(1);

/// How often signs of life are written, and how often something was refused.
const SIGNS_WRITTEN_EVERY: Duration = Duration::from_secs(30);

/// A hint, and when it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hint {
    /// What it is about.
    pub topic: Topic,
    /// What was read later has seen what it is about.
    pub at: Instant,
}

impl Hint {
    /// Anything may have been written until now.
    pub fn everything() -> Self {
        let (topic, at) = (Topic::Everything, Instant::now());
        Self { topic, at }
    }
}

/// The hints of this process, and those that wait to be told to the others.
pub(crate) struct Wakes {
    /// By whose things are watched, so that a write wakes nobody whom it does not concern. Owners
    /// whom nobody watches are not kept.
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

    /// Tells everybody who watches, here and elsewhere. [`commit`] alone calls it.
    pub(crate) fn publish(&self, topic: Topic) {
        self.tell_here(topic);
        self.lock_outgoing().insert(topic);
        self.outgoing_grew.notify_one();
    }

    /// The hints about what belongs to `owner`, and those that may concern anybody.
    pub(crate) fn subscribe(&self, owner: UserId) -> broadcast::Receiver<Hint> {
        let mut local = self.lock_local();
        let sender = local.entry(owner);
        sender
            .or_insert_with(|| broadcast::Sender::new(HINTS_KEPT))
            .subscribe()
    }

    fn tell_here(&self, topic: Topic) {
        let at = Instant::now();
        let hint = Hint { topic, at };
        let mut local = self.lock_local();
        // Whom nobody watches any more is forgotten at the next hint.
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

/// The background work of a server: tells and hears the other replicas, and writes signs
/// of life and sums of refusals. Runs until it is dropped.
pub async fn run(service: &Service) {
    tokio::join!(
        tell_others(service),
        hear_others(service),
        write_signs(service)
    );
}

async fn tell_others(service: &Service) {
    loop {
        service.wakes.outgoing_grew.notified().await;
        // One notification for all that came while the last was on its way.
        let topics = service.wakes.take_outgoing();
        if topics.is_empty() {
            continue;
        }
        if let Err(error) = service.database.notify(&topics).await {
            tracing::warn!(%error, "the other replicas could not be told; they will look by themselves");
        }
    }
}

async fn hear_others(service: &Service) {
    loop {
        match service.database.listen().await {
            Ok(None) => return,
            Ok(Some(mut listener)) => {
                // Whatever was told before this moment was missed.
                service.wakes.tell_here(Topic::Everything);
                while let Ok(topics) = listener.next().await {
                    topics
                        .into_iter()
                        .for_each(|topic| service.wakes.tell_here(topic));
                }
                tracing::warn!("the connection that hears the other replicas was lost");
            }
            Err(error) => tracing::warn!(%error, "the other replicas cannot be heard"),
        }
        tokio::time::sleep(LISTENER_PAUSE).await;
    }
}

async fn write_signs(service: &Service) {
    loop {
        tokio::time::sleep(SIGNS_WRITTEN_EVERY).await;
        if let Err(error) = signs_write(service).await {
            tracing::warn!(%error, "signs of life could not be written");
        }
        if let Err(error) = refusals::write(service).await {
            tracing::warn!(%error, "it could not be noted how often something was refused");
        }
    }
}

/// Writes which tokens were used and which agents were seen since the last time, all of them in one
/// transaction: thousands of idle agents cost no commit of their own. [`run`] does so every now and
/// then.
///
/// # Errors
/// If the data cannot be written; what was to be noted is lost then.
pub async fn signs_write(service: &Service) -> crate::error::Result<()> {
    let signs = service.database.signs().take();
    if signs.tokens.is_empty() && signs.agents.is_empty() {
        return Ok(());
    }
    let mut transaction = service.database.write().await?;
    let upkeep = service.database.upkeep(task::SignsOfLife);
    let now = service.clock.now();
    upkeep.signs_write(&mut transaction, &signs, now).await?;
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
        assert!(others.try_recv().is_err(), "it is not theirs");
        wakes.tell_here(Topic::Everything);
        for receiver in ones.iter_mut().chain([&mut others]) {
            assert_eq!(receiver.try_recv().unwrap().topic, Topic::Everything);
        }
        drop(ones);
        wakes.publish(of(one));
        drop(others);
        wakes.tell_here(Topic::Everything);
        assert!(wakes.lock_local().is_empty(), "nobody watches any more");
    }
}
