//! The wakes between replicas: what this one wrote, and what the others wrote.

use std::time::Duration;

use ctxpin_store::topic::Topic;

use crate::service::Service;

/// The pause before a failed listener is replaced.
const LISTENER_PAUSE: Duration = Duration::from_secs(1);

/// Notifies the other replicas of what was written here.
pub(super) async fn notify(service: &Service) {
    loop {
        let topics = service.wakes.outgoing().await;
        if let Err(error) = service.database.notify(&topics).await {
            tracing::warn!(%error, "could not notify the other replicas; they will find the change within 30 seconds");
        }
    }
}

/// Wakes the watchers here for what the other replicas wrote. Returns at once for a database that has no other
/// replicas.
pub(super) async fn listen(service: &Service) {
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
