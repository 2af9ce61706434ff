//! Wakes: hints between the replicas of one PostgreSQL that something was written. A hint carries no
//! content, may be lost and may arrive twice. Its receiver reads the state.
//!
//! A hint is sent after the transaction and never in it. When a transaction that notifies commits,
//! PostgreSQL takes one lock for the whole instance.

use sqlx::Arguments as _;
use sqlx::postgres::{PgArguments, PgListener, PgPoolOptions};

use crate::connections::TAKE_TIME_MAX;
use crate::database::Database;
use crate::error::{Error, Result};
use crate::topic::Topic;

/// The channel of PostgreSQL's notifications.
const CHANNEL: &str = "ctxpin_wake";

/// The longest payload of a notification, in bytes. PostgreSQL refuses 8,000.
const PAYLOAD_BYTES_MAX: usize = 7_900;

impl Database {
    /// Notifies the other replicas of all topics at once. Has no effect on SQLite, which has no other
    /// replicas.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unavailable`] if PostgreSQL cannot be reached.
    pub async fn notify(&self, topics: &[Topic]) -> Result<()> {
        let Some(connections) = self.postgres() else {
            return Ok(());
        };
        let mut payload = topics
            .iter()
            .map(|topic| topic.encode())
            .collect::<Vec<_>>()
            .join(" ");
        if payload.len() > PAYLOAD_BYTES_MAX {
            payload = Topic::Everything.encode();
        }
        let mut arguments = PgArguments::default();
        for argument in [CHANNEL, &payload] {
            let added = arguments.add(argument);
            added.map_err(|error| Error::Unexpected(error.to_string()))?;
        }
        let mut lease = connections.take().await?;
        lease.execute("select pg_notify($1, $2)", arguments).await?;
        Ok(())
    }

    /// Begins to listen to the notifications of all replicas, this one included. Returns `None` on SQLite.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unavailable`] if PostgreSQL cannot be reached.
    pub async fn listen(&self) -> Result<Option<Listener>> {
        let Some(connections) = self.postgres() else {
            return Ok(None);
        };
        let options = connections.sessions().options().clone();
        // The listener reconnects through a pool.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(TAKE_TIME_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(Listener { listener }))
    }
}

/// A listener for notifications, on a connection of its own.
pub struct Listener {
    listener: PgListener,
}

impl Listener {
    /// Waits for the next notification and returns its topics. [`Topic::Everything`] means that hints may
    /// have been lost.
    ///
    /// # Errors
    ///
    /// Fails if the connection was lost and cannot be established again. Hints may have been lost, and the
    /// listener can no longer be used.
    pub async fn next(&mut self) -> Result<Vec<Topic>> {
        match self.listener.try_recv().await.map_err(Error::from)? {
            Some(notification) => {
                let topics = notification
                    .payload()
                    .split_ascii_whitespace()
                    .map(Topic::decode);
                Ok(topics
                    .map(|topic| topic.unwrap_or(Topic::Everything))
                    .collect())
            }
            // The connection was lost and established again.
            None => Ok(vec![Topic::Everything]),
        }
    }
}
