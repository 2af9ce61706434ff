//! Topics: the changes of a transaction, for watchers.

use uuid::Uuid;

use ctxpin_model::id::{AgentId, ChatId, UserId};

/// A change that watchers may want to know.
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

    pub(crate) fn encode(self) -> String {
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

    pub(crate) fn decode(text: &str) -> Option<Self> {
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
