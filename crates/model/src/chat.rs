//! Chats, as they are stored.

use crate::agent::{Head, PushRefused};
use crate::drift::{Drift, Hashes, Standing, drift};
use crate::hash::{BlobHash, SnapshotId};
use crate::id::{AgentId, ChatId, UserId};
use crate::moment::Moment;
use crate::pin::Pin;
use crate::policy::{Policy, Uptake};
use crate::tools_mode::ToolsMode;

/// A chat with its pin, its agent's head and what its drift is derived from.
#[derive(Debug, Clone)]
pub struct ChatRecord {
    /// Its id.
    pub id: ChatId,
    /// Whose it is.
    pub owner: UserId,
    /// The client that holds it.
    pub client: Option<String>,
    /// The client's own id for it; unique per owner and client.
    pub reference: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// The agent that it is bound to.
    pub agent: Option<AgentId>,
    /// The chat whose pin it inherited.
    pub parent: Option<ChatId>,
    /// Since when it is archived.
    pub archived_at: Option<Moment>,
    /// What it does at a turn when the head differs.
    pub policy: Policy,
    /// Where its tools come from.
    pub tools: ToolsMode,
    /// The hashes of the head that was declined last.
    pub declined: Option<Hashes>,
    /// The number of the last move of its pin; 0 before the first.
    pub pin_seq: i64,
    /// Its pin.
    pub pin: Option<PinState>,
    /// How many turns it has had.
    pub turn_count: i64,
    /// When it was created.
    pub created_at: Moment,
    /// When its title, policy, tools, binding or archive changed last, or its last turn began.
    pub updated_at: Moment,
    /// The head of the agent that it is bound to.
    pub head: Option<Head>,
    /// Whether that agent's MCP servers had settled at its last push.
    pub head_settled: bool,
    /// What [`Standing::first_other_at`] is.
    pub first_other_at: Option<Moment>,
    /// The prompt of that head, if it has been rendered.
    pub head_prompt: Option<BlobHash>,
    /// That what its agent sent last was refused, if it was: the head may not be what the workspace has.
    pub agent_refused: Option<PushRefused>,
}

impl ChatRecord {
    /// How the pin stands to the head; `None` if they are the same, or one is missing.
    pub fn drift(&self) -> Option<Drift> {
        let (pin, head) = (self.pin.as_ref()?, self.head?);
        drift(&Standing {
            pinned: pin.pin.hashes,
            pinned_at: pin.pinned_at,
            head: head.hashes,
            declined: self.declined,
            first_other_at: self.first_other_at,
            tools: self.tools,
        })
    }

    /// Returns how much of the head the chat takes by itself when a turn begins; `None` if its pin
    /// stays. A head that somebody declined is not taken.
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

    /// Returns whether a turn would offer other tools than the pin's.
    pub fn tools_differ(&self) -> bool {
        let (Some(pin), Some(head)) = (&self.pin, &self.head) else {
            return false;
        };
        !self.tools.pins_tools() && pin.pin.hashes.tools != head.hashes.tools
    }
}

/// The pin of a chat.
#[derive(Debug, Clone)]
pub struct PinState {
    /// What is pinned.
    pub pin: Pin,
    /// When.
    pub pinned_at: Moment,
    /// The error of the snapshot.
    pub error: Option<String>,
}

/// A request for a new chat, or for the caller's chat of the same client and reference.
#[derive(Debug, Clone, Default)]
pub struct ChatCreate {
    /// The client that holds it.
    pub client: Option<String>,
    /// The client's own id for it; unique per owner and client, and goes with `client` only.
    pub reference: Option<String>,
    /// The agent to bind it to.
    pub agent: Option<AgentId>,
    /// The chat whose pin and agent it inherits.
    pub parent: Option<ChatId>,
    pub title: Option<String>,
    pub policy: Policy,
    pub tools: ToolsMode,
}

/// What is to change of a chat apart from its pin. What is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatChange {
    /// A new title; `Some(None)` takes it away.
    pub title: Option<Option<String>>,
    pub archived: Option<bool>,
    /// The agent to bind it to; `Some(None)` unbinds it.
    pub agent: Option<Option<AgentId>>,
    pub policy: Option<Policy>,
    pub tools: Option<ToolsMode>,
}

impl ChatChange {
    /// Returns what of the change differs from the chat as it is. Asking again for what is there
    /// changes nothing.
    pub fn differing(&self, now: &ChatRecord) -> Self {
        Self {
            title: self.title.clone().filter(|title| *title != now.title),
            archived: self
                .archived
                .filter(|archived| *archived != now.archived_at.is_some()),
            agent: self.agent.filter(|agent| *agent != now.agent),
            policy: self.policy.filter(|policy| *policy != now.policy),
            tools: self.tools.filter(|tools| *tools != now.tools),
        }
    }
}

/// Which chats a list tells.
#[derive(Debug, Clone, Default)]
pub struct ChatFilter {
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// Drifted, or not.
    pub dirty: Option<bool>,
    /// Archived, or not.
    pub archived: Option<bool>,
    /// Of this client.
    pub client: Option<String>,
    /// With this reference.
    pub reference: Option<String>,
    /// Of the caller alone, also for those who read everybody's.
    pub own: bool,
}
