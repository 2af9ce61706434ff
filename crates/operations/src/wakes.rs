//! Wakes: hints to watchers that something was written. A hint is sent after the commit, carries no
//! content and may be lost. A watcher reads the state after a hint, and periodically without one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ctxpin_model::id::UserId;
use ctxpin_store::topic::Topic;
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;

use crate::known_sessions::KnownSessions;
use crate::news::News;

/// How many hints of one owner are kept for a slow watcher. A watcher that missed more reads everything
/// again. If more chats have changed than a page holds, reading everything is cheaper than reading them one
/// by one.
const HINTS_KEPT: usize = 64;

/// The most topics in one notification to the other replicas.
const TOPICS_AT_ONCE: usize = 64;

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
    /// A hint about their user ends them, because they may have ended in the database.
    pub sessions: KnownSessions,
    /// By owner, so a write wakes only the watchers of its owner. Owners without watchers are not kept.
    local: Mutex<HashMap<UserId, broadcast::Sender<Hint>>>,
    pub news: News,
    outgoing: Mutex<BTreeSet<Topic>>,
    outgoing_grew: Notify,
}

impl Wakes {
    pub(crate) fn new() -> Self {
        Self {
            sessions: KnownSessions::default(),
            local: Mutex::default(),
            news: News::new(),
            outgoing: Mutex::default(),
            outgoing_grew: Notify::new(),
        }
    }

    /// Wakes the watchers of a topic, here and at the other replicas. Only
    /// [`crate::frame::commit`] calls this.
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

    /// Wakes the watchers of a topic at this replica alone.
    pub(crate) fn wake_here(&self, topic: Topic) {
        self.sessions.forget(topic);
        self.news.note(topic);
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

    /// Waits until there are topics for the other replicas, and takes them. All topics that came during the
    /// previous notification are taken together.
    pub(crate) async fn outgoing(&self) -> Vec<Topic> {
        loop {
            self.outgoing_grew.notified().await;
            let topics = self.take_outgoing();
            if !topics.is_empty() {
                return topics;
            }
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
