//! Wakes: hints between the replicas of one PostgreSQL that something was written. They carry no
//! content, may be lost and may come twice; whoever gets one reads the state.
//!
//! A transaction never notifies by itself, since PostgreSQL takes one lock for the whole instance
//! when a transaction that did commits.

use sqlx::Arguments as _;
use sqlx::postgres::{PgArguments, PgListener, PgPoolOptions};
use uuid::Uuid;

use ctxpin_model::id::{AgentId, ChatId, UserId};

use crate::connections::TAKE_TIME_MAX;
use crate::database::Database;
use crate::error::{Error, Result};

/// The channel of PostgreSQL's notifications.
const CHANNEL: &str = "ctxpin_wake";

/// Longest payload of a notification, in bytes; PostgreSQL refuses 8,000.
const PAYLOAD_BYTES_MAX: usize = 7_900;

/// What a wake is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// An agent's head, session or settling, and so the drift of its chats.
    Agent {
        /// Whose it is.
        owner: UserId,
        /// Which.
        agent: AgentId,
    },
    /// A chat's pin, fields or turns.
    Chat {
        /// Whose it is.
        owner: UserId,
        /// Which.
        chat: ChatId,
    },
    /// Who may call on a user's behalf: whether the user is let in, the user's roles and tokens.
    Account {
        /// Whose it is.
        owner: UserId,
    },
    /// Anything: hints may have been lost.
    Everything,
}

impl Topic {
    /// Whose it is; `None` if it may be anybody's.
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
    /// Tells the other replicas, in one notification. Does nothing on SQLite, which has one server.
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

    /// Listens to what the other replicas tell (and this one). `None` on SQLite.
    pub async fn listen(&self) -> Result<Option<Listener>> {
        let Some(connections) = self.postgres() else {
            return Ok(None);
        };
        let options = connections.sessions().options().clone();
        // It is needed by the listener for connecting anew.
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

/// An open ear for notifications, on a connection of its own.
pub struct Listener {
    listener: PgListener,
}

impl Listener {
    /// Waits for the next topics. After an error, or an answer of [`Topic::Everything`], hints may
    /// have been lost; after an error the listener is of no further use.
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
            // The connection was lost and made anew.
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
