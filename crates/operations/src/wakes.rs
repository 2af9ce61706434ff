//! Wakes: hints that something was written, for whoever watches. They follow the commit, carry no
//! content, and may be lost: a watcher reads the state, and reads it again from time to time.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ctxpin_store::wake::Topic;
use tokio::sync::{Notify, broadcast};

use crate::service::Service;

/// Hints that a slow watcher may fall behind before it is told to read everything anew; past a page
/// of chats that is cheaper than reading them one by one.
const HINTS_KEPT: usize = 512;

/// Most topics of one notification to the other replicas.
const TOPICS_AT_ONCE: usize = 64;

/// Pause before the listener is made anew after it failed.
const LISTENER_PAUSE: Duration = Duration::from_secs(1);

/// How often signs of life are written.
const SIGNS_WRITTEN_EVERY: Duration = Duration::from_secs(30);

/// The hints of this process, and those that wait to be told to the others.
pub(crate) struct Wakes {
    local: broadcast::Sender<Topic>,
    outgoing: Mutex<BTreeSet<Topic>>,
    outgoing_grew: Notify,
}

impl Wakes {
    pub(crate) fn new() -> Self {
        Self {
            local: broadcast::Sender::new(HINTS_KEPT),
            outgoing: Mutex::default(),
            outgoing_grew: Notify::new(),
        }
    }

    /// Tells everybody who watches, here and elsewhere. Called after a commit.
    pub(crate) fn publish(&self, topic: Topic) {
        self.tell_here(topic);
        self.lock_outgoing().insert(topic);
        self.outgoing_grew.notify_one();
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Topic> {
        self.local.subscribe()
    }

    fn tell_here(&self, topic: Topic) {
        // Nobody may be watching, which is no failure.
        let _ = self.local.send(topic);
    }

    fn take_outgoing(&self) -> Vec<Topic> {
        let mut outgoing = self.lock_outgoing();
        if outgoing.len() > TOPICS_AT_ONCE {
            outgoing.clear();
            return vec![Topic::Everything];
        }
        std::mem::take(&mut *outgoing).into_iter().collect()
    }

    fn lock_outgoing(&self) -> std::sync::MutexGuard<'_, BTreeSet<Topic>> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The background work of a server: tells and hears the other replicas, and writes signs
/// of life. Runs until it is dropped.
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
    transaction.signs_write(&signs, service.clock.now()).await?;
    Ok(transaction.commit().await?)
}
