//! Chats, as they are stored.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;

use crate::access::Operation;
use crate::agent::{Head, PushRefused};
use crate::chat_search::ChatSearch;
use crate::delivery::Delivery;
use crate::drift::{Drift, DriftFacts, Hashes, drift};
use crate::evidence::{LastVerdict, Verdict};
use crate::hash::{BlobHash, SnapshotId};
use crate::id::{AgentId, ChatId, UserId};
use crate::mode::Mode;
use crate::moment::Moment;
use crate::pin::Pin;
use crate::policy::{Policy, Uptake};
use crate::resource::spelled;
use crate::tools_mode::ToolsMode;

/// A chat with its pin, its agent's head and the facts that its drift is derived from.
#[derive(Debug, Clone)]
pub struct ChatRecord {
    pub id: ChatId,
    pub owner: UserId,
    /// The name of the client that the chat belongs to.
    pub client: Option<String>,
    /// The client's id for the chat, unique for each owner and client.
    pub reference: Option<String>,
    pub title: Option<String>,
    /// The agent that the chat is bound to.
    pub agent: Option<AgentId>,
    /// The chat from which this one was forked, or for which it works.
    pub parent: Option<ChatId>,
    /// `None` if the chat is not archived.
    pub archived_at: Option<Moment>,
    pub mode: Mode,
    pub policy: Policy,
    pub tools: ToolsMode,
    /// The hashes of the head that was declined last.
    pub declined: Option<Hashes>,
    /// The number of the last move of the pin, or 0.
    pub pin_seq: i64,
    pub pin: Option<PinState>,
    pub turn_count: i64,
    /// `None` if no turn has evidence.
    pub last_verdict: Option<LastVerdict>,
    pub created_at: Moment,
    /// The time of the last turn, or of the last [`ChatChange`].
    pub updated_at: Moment,
    /// The head of the chat's agent.
    pub head: Option<Head>,
    /// Whether the agent's MCP servers had settled at its last push.
    pub head_settled: bool,
    /// The same as [`DriftFacts::first_other_at`].
    pub first_other_at: Option<Moment>,
    /// The same as [`DriftFacts::made_at`], if the chat has a pin.
    pub made_at: Option<Moment>,
    /// The prompt of the head, if it has been rendered.
    pub head_prompt: Option<BlobHash>,
    /// The refusal of the agent's last push. If there is one, the head may be older than the workspace.
    pub agent_refused: Option<PushRefused>,
}

impl ChatRecord {
    /// Returns whether the pin and the head are where they are in another reading of the chat.
    pub fn stands_as(&self, other: &Self) -> bool {
        let head = |chat: &Self| chat.head.map(|head| head.snapshot);
        self.pin_seq == other.pin_seq && head(self) == head(other)
    }

    /// Returns the drift. `None` if pin and head are the same, or if one is missing.
    pub fn drift(&self) -> Option<Drift> {
        let (pin, head) = (self.pin.as_ref()?, self.head?);
        drift(&DriftFacts {
            pinned: pin.pin.hashes,
            made_at: self.made_at.unwrap_or(pin.pinned_at),
            head: head.hashes,
            declined: self.declined,
            first_other_at: self.first_other_at,
            tools: self.tools,
        })
    }

    /// Returns the part of the head that the chat takes when a turn begins. `None` if the pin stays, as
    /// it does for a declined head.
    pub fn uptake(&self) -> Option<Uptake> {
        let drift = self.drift().filter(|drift| !drift.declined);
        drift.and_then(|_| self.policy.uptake())
    }

    /// Returns the snapshot that the chat's tools come from. Without a head, live tools come from the
    /// pin.
    pub fn tools_source(&self) -> Option<SnapshotId> {
        let pin = self.pin.as_ref().map(|pin| pin.pin.snapshot);
        match self.tools {
            ToolsMode::Live => self.head.map(|head| head.snapshot).or(pin),
            ToolsMode::Pinned => pin,
        }
    }

    /// Returns the values that callers see and that can change, to compare two states of the chat. They
    /// are more than `updated_at`, because after the clock was set back, two changes can have the same
    /// time. Every field is named here, so that a new one is either compared or left out on purpose.
    pub fn visible(&self) -> impl Hash + '_ {
        let Self {
            // These never change.
            id: _,
            owner: _,
            client: _,
            reference: _,
            created_at: _,
            // A move of the pin changes `pin_seq`.
            pin: _,
            // The drift says what these mean for the chat.
            declined: _,
            first_other_at: _,
            made_at: _,
            // It only says how dear a move is.
            head_prompt: _,
            title,
            agent,
            parent,
            archived_at,
            mode,
            policy,
            tools,
            pin_seq,
            turn_count,
            last_verdict,
            updated_at,
            head,
            head_settled,
            agent_refused,
        } = self;
        let head = head.map(|head| (head.snapshot, *head_settled));
        let drift = self.drift().map(|drift| (drift.since, drift.declined));
        let fields = (updated_at, title, archived_at.is_some());
        let choices = (mode, policy, tools, parent, agent);
        let refused = agent_refused.map(|refused| refused.limit);
        let counts = (pin_seq, turn_count, last_verdict);
        (fields, choices, counts, head, drift, refused)
    }

    /// Returns whether the tools of a turn would differ from the pin's.
    pub fn tools_differ(&self) -> bool {
        let (Some(pin), Some(head)) = (&self.pin, &self.head) else {
            return false;
        };
        !self.tools.pins_tools() && pin.pin.hashes.tools != head.hashes.tools
    }
}

/// The pin of a chat, with what is known of it.
#[derive(Debug, Clone)]
pub struct PinState {
    pub pin: Pin,
    pub pinned_at: Moment,
    /// Whether the chat's client may have read other files than the pinned ones.
    pub unconfirmed: bool,
    /// The error of the pinned snapshot.
    pub error: Option<String>,
}

/// A request for a new chat, or for the caller's chat of the same client and reference.
#[derive(Debug, Clone, Default)]
pub struct ChatCreate {
    /// The name of the client that the chat belongs to.
    pub client: Option<String>,
    /// The client's id for the chat, unique for each owner and client. It requires `client`.
    pub reference: Option<String>,
    /// The agent to bind the chat to.
    pub agent: Option<AgentId>,
    /// The chat whose pin and agent the new one inherits.
    pub parent: Option<ChatId>,
    pub title: Option<String>,
    /// `None` is the parent's mode, or the default without a parent.
    pub mode: Option<Mode>,
    pub policy: Policy,
    pub tools: ToolsMode,
}

/// What people call a chat and its client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatNames {
    pub title: Option<String>,
    pub client: Option<String>,
}

/// A change of a chat, except of its pin. `None` keeps the present value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatChange {
    /// `Some(None)` removes the title.
    pub title: Option<Option<String>>,
    pub archived: Option<bool>,
    /// The agent to bind the chat to. `Some(None)` unbinds it.
    pub agent: Option<Option<AgentId>>,
    /// The chat from which this one was forked. The pin stays.
    pub parent: Option<ChatId>,
    pub mode: Option<Mode>,
    pub policy: Option<Policy>,
    pub tools: Option<ToolsMode>,
}

impl ChatChange {
    /// Returns the operation that the change is. A client's hook may tell the parent of a fork, and change nothing else.
    pub fn operation(&self) -> Operation {
        let parent_alone = Self {
            parent: self.parent,
            ..Self::default()
        };
        match self.parent.is_some() && *self == parent_alone {
            true => Operation::ChatInherit,
            false => Operation::ChatChange,
        }
    }

    /// Returns the change without those values that the chat already has.
    pub fn differing(&self, now: &ChatRecord) -> Self {
        Self {
            title: self.title.clone().filter(|title| *title != now.title),
            archived: self
                .archived
                .filter(|archived| *archived != now.archived_at.is_some()),
            agent: self.agent.filter(|agent| *agent != now.agent),
            parent: self.parent.filter(|parent| Some(*parent) != now.parent),
            mode: self.mode.filter(|mode| *mode != now.mode),
            policy: self.policy.filter(|policy| *policy != now.policy),
            tools: self.tools.filter(|tools| *tools != now.tools),
        }
    }
}

spelled! {
    /// A state of a chat that needs a person's attention, or has had it.
    ChatState {
        /// The chat has drifted, and nobody has declined the head.
        Drifted = "drifted",
        /// The chat has drifted, and its owner has kept the pin.
        Declined = "declined",
        Unpinned = "unpinned",
        /// The chat has a pin and no agent, so that nobody knows of drift.
        Unbound = "unbound",
        /// The pinned snapshot has an error.
        Error = "error",
    }
}

/// A chat with the facts that a list shows beside it.
#[derive(Debug, Clone)]
pub struct ChatSummary {
    pub chat: ChatRecord,
    /// The name of the chat's owner.
    pub owner_name: String,
    /// The name of the agent's workspace. `None` if the chat is bound to no agent.
    pub workspace: Option<String>,
    /// The time of the agent's last request.
    pub agent_seen_at: Option<Moment>,
    /// The number of the agent's last head that equals the pin. `None` if no head does.
    pub pinned_seq: Option<i64>,
    pub last_turn_at: Option<Moment>,
    /// How the last turn's context reached the model.
    pub last_delivery: Option<Delivery>,
}

impl ChatSummary {
    /// Returns how many heads the pin is behind: 0 without a drift, and otherwise at least 1. Returns `None` if
    /// the chat is behind, and no head of the agent equals the pin, as when it took some of the changes.
    pub fn heads_behind(&self) -> Option<u64> {
        let (Some(_), Some(head)) = (self.chat.drift(), self.chat.head) else {
            return Some(0);
        };
        let behind = head.seq - self.pinned_seq?;
        Some(u64::try_from(behind).unwrap_or(1).max(1))
    }
}

/// The place of a chat in a list for a person: by its id, the newest first, or in a list of drifted chats by when the
/// drift began, the longest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatPlace {
    /// `None` if the list is in the order of the ids.
    pub drifted_since: Option<Moment>,
    pub chat: ChatId,
}

impl ChatPlace {
    /// Returns the place of a chat in a list of chats in a state.
    pub fn of(chat: &ChatRecord, state: Option<ChatState>) -> Self {
        let drift = chat.drift().filter(|_| Self::is_by_drift(state));
        Self {
            drifted_since: drift.map(|drift| drift.since),
            chat: chat.id,
        }
    }

    /// Returns whether a list of chats in a state is in the order of their drifts.
    pub fn is_by_drift(state: Option<ChatState>) -> bool {
        state == Some(ChatState::Drifted)
    }
}

impl fmt::Display for ChatPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(since) = self.drifted_since {
            write!(f, "{}_", since.utc().timestamp_micros())?;
        }
        write!(f, "{}", self.chat)
    }
}

/// A text is no place in a list of chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPlace;

impl FromStr for ChatPlace {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (since, chat) = match text.split_once('_') {
            Some((since, chat)) => (Some(since), chat),
            None => (None, text),
        };
        let since = since.map(|since| {
            let micros = since.parse().ok();
            micros.and_then(Moment::from_unix_micros).ok_or(NoPlace)
        });
        Ok(Self {
            drifted_since: since.transpose()?,
            chat: chat.parse().map_err(|_| NoPlace)?,
        })
    }
}

/// A part of a list of chats.
#[derive(Debug, Clone)]
pub struct ChatsPart {
    pub chats: Vec<ChatSummary>,
    /// The number of chats before it.
    pub before: u64,
    /// Whether chats may follow it.
    pub has_more: bool,
    /// How many chats of the whole list are bound to each agent of the part, and how many to none. Empty in a list by
    /// drift, which nobody groups.
    pub by_agent: BTreeMap<Option<AgentId>, u64>,
}

/// The number of chats that a caller may read, by state, and of their agents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChatCounts {
    /// The chats that are not archived. The numbers by state count these alone.
    pub all: u64,
    pub drifted: u64,
    pub declined: u64,
    pub unpinned: u64,
    /// The pinned chats without an agent.
    pub unbound: u64,
    pub error: u64,
    pub archived: u64,
    /// The observed chats that are not archived.
    pub observed: u64,
    /// The chats that are not archived and whose last verdict is that the turn deviates or is disputed.
    pub deviating: u64,
    /// The drifted chats of the caller alone, about which the caller may decide.
    pub own_drifted: u64,
    pub agents: u64,
}

/// A filter of chats. `None` accepts every value.
#[derive(Debug, Clone, Default)]
pub struct ChatFilter {
    pub agent: Option<AgentId>,
    pub owner: Option<UserId>,
    /// Whether the chats have drifted.
    pub dirty: Option<bool>,
    pub state: Option<ChatState>,
    pub mode: Option<Mode>,
    /// The verdict of the newest turn that has evidence, with those that it [selects](Verdict::selected).
    pub verdict: Option<Verdict>,
    pub archived: Option<bool>,
    pub client: Option<String>,
    pub reference: Option<String>,
    pub search: Option<ChatSearch>,
    /// Whether to list only the caller's chats, even if the caller may read those of others.
    pub own: bool,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn places_in_lists_of_chats() {
        let chat = Uuid::from_u128(7).into();
        let at = Moment::from_unix_micros(1_795_788_000_000_001);
        for drifted_since in [None, at] {
            let place = ChatPlace {
                drifted_since,
                chat,
            };
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in ["", "_", "x", "1_", "_00000000-0000-0000-0000-000000000007"] {
            assert_eq!(text.parse::<ChatPlace>(), Err(NoPlace), "{text}");
        }
    }
}
