//! Wakes: hints between the replicas of one PostgreSQL that something was written. A hint carries no
//! content, may be lost and may arrive twice. Its receiver reads the state.
//!
//! A hint is sent after the transaction and never in it. When a transaction that notifies commits,
//! PostgreSQL takes one lock for the whole instance.

use sqlx::Arguments as _;
use sqlx::postgres::{PgArguments, PgListener, PgPoolOptions};
use uuid::Uuid;

use ctxpin_model::id::{AgentId, ChatId, UserId};

use crate::connections::TAKE_TIME_MAX;
use crate::database::Database;
use crate::error::{Error, Result};

/// The channel of PostgreSQL's notifications.
const CHANNEL: &str = "ctxpin_wake";

/// The longest payload of a notification, in bytes. PostgreSQL refuses 8,000.
const PAYLOAD_BYTES_MAX: usize = 7_900;

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// An agent's head, its session or whether its MCP servers have settled. Each can change the drift of
    /// its chats.
    Agent { owner: UserId, agent: AgentId },
    /// A chat's pin, fields or turns.
    Chat { owner: UserId, chat: ChatId },
    /// A user's roles or tokens, or whether the user is disabled.
    Account { owner: UserId },
    /// Anything, because hints may have been lost.
    Everything,
}

impl Topic {
    /// Returns the owner of what changed, or `None` if it may belong to any user.
    pub fn owner(self) -> Option<UserId> {
        match self {
            Self::Agent { owner, .. } | Self::Chat { owner, .. } | Self::Account { owner } => {
                Some(owner)
            }
            Self::Everything => None,
        }
    }

    fn encode(self) -> String {
        match self {
            Self::Agent { owner, agent } => {
                format!("a{}{}", owner.uuid().simple(), agent.uuid().simple())
            }
            Self::Chat { owner, chat } => {
                format!("c{}{}", owner.uuid().simple(), chat.uuid().simple())
            }
            Self::Account { owner } => format!("u{}", owner.uuid().simple()),
            Self::Everything => "*".into(),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everything);
        }
        let (kind, ids) = text.split_at_checked(1)?;
        let (owner, id) = ids.split_at_checked(32)?;
        let owner = Uuid::try_parse(owner).ok()?.into();
        if (kind, id) == ("u", "") {
            return Some(Self::Account { owner });
        }
        let id = Uuid::try_parse(id).ok()?;
        match kind {
            "a" => Some(Self::Agent {
                owner,
                agent: id.into(),
            }),
            "c" => Some(Self::Chat {
                owner,
                chat: id.into(),
            }),
            _ => None,
        }
    }
}

impl Database {
    /// Notifies the other replicas of all topics at once. Does nothing on SQLite, which has one server.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_read_back() {
        let owner = Uuid::from_u128(1).into();
        for topic in [
            Topic::Agent {
                owner,
                agent: Uuid::from_u128(2).into(),
            },
            Topic::Chat {
                owner,
                chat: Uuid::from_u128(3).into(),
            },
            Topic::Account { owner },
            Topic::Everything,
        ] {
            assert_eq!(Topic::decode(&topic.encode()), Some(topic));
        }
        for text in ["", "a", "x00", "a00000000000000000000000000000001"] {
            assert_eq!(Topic::decode(text), None);
        }
    }
}
