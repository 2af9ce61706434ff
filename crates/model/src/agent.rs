//! Agents and their heads, as they are stored.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::drift::Hashes;
use crate::hash::SnapshotId;
use crate::id::{AgentId, ProcessId, UserId};
use crate::moment::{CLOCKS_DIFFER_MAX, Moment};
use crate::pin::Target;
use crate::profile::Profile;
use crate::quota::{Limit, QuotaWarning};
use crate::resource::spelled;

/// The time after its last request for which an agent counts as connected. Agents send one at least
/// every 30 seconds.
const CONNECTED_FOR: Duration = Duration::from_secs(90);

/// The time for which a stored refusal also stands for later ones of the same limit.
const REFUSED_NOTED_EVERY: Duration = Duration::from_secs(60);

/// An agent as the server stores it: one that scans a workspace and pushes snapshots.
#[derive(Debug, Clone)]
pub struct AgentRecord {
    pub id: AgentId,
    pub owner: UserId,
    /// The workspace's name.
    pub workspace: String,
    /// The agent's name within the workspace.
    pub name: String,
    /// Whether the agent may refresh its owner's chats.
    pub may_refresh: bool,
    /// The tool whose rules the agent follows. It never changes.
    pub profile: Profile,
    /// The directory of the tool's settings, if it is not the usual one. It never changes.
    pub home: Option<String>,
    /// The agent that this one replaces at its first accepted push.
    pub replaces: Option<AgentId>,
    /// The agent that has replaced this agent, or this agent's own id if its successor was deleted.
    pub replaced_by: Option<AgentId>,
    /// The epoch of the newest process.
    pub epoch: i64,
    /// The version of the last accepted push of that process.
    pub version: i64,
    pub head: Option<Head>,
    /// Whether every MCP server had answered or failed at the last push.
    pub mcp_settled: bool,
    pub last_push_at: Option<Moment>,
    /// The time of the last request.
    pub last_seen_at: Option<Moment>,
    /// Why the agent polls files, as it said at its last contact. `None` if it watches them.
    pub polling: Option<String>,
    pub created_at: Moment,
    /// The refusal of the last push or upload, if it was refused.
    pub refused: Option<PushRefused>,
    pub token_expires_at: Option<Moment>,
    pub token_revoked_at: Option<Moment>,
}

/// The refusal of a push or upload that exceeds a limit. It stays until the server accepts one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushRefused {
    pub limit: Limit,
    /// The time of the refusal. While refusals continue, it is updated once a minute.
    pub at: Moment,
}

impl PushRefused {
    /// Returns whether this refusal is recent enough to stand for another one for `limit`.
    pub fn is_recorded(&self, limit: Limit, now: Moment) -> bool {
        self.limit == limit && !self.at.is_due(REFUSED_NOTED_EVERY, now)
    }
}

spelled! {
    /// The state of an agent, in which lists can be filtered.
    AgentState {
        /// It has sent a request in the last 90 seconds.
        Connected = "connected",
        /// It is connected, and polls files because it cannot watch them or was asked to.
        Polling = "polling",
        /// The server refused its last push or upload, whether it is connected or not.
        Refused = "refused",
        /// Its last request is longer ago.
        Gone = "gone",
        /// It has sent no request yet.
        New = "new",
    }
}

/// The numbers of agents by their state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentCounts {
    pub connected: u64,
    pub polling: u64,
    pub refused: u64,
    pub gone: u64,
    pub new: u64,
}

impl AgentCounts {
    /// Returns the number of agents in a state.
    pub fn of(&self, state: AgentState) -> u64 {
        match state {
            AgentState::Connected => self.connected,
            AgentState::Polling => self.polling,
            AgentState::Refused => self.refused,
            AgentState::Gone => self.gone,
            AgentState::New => self.new,
        }
    }

    /// Returns the number of all agents.
    pub fn all(&self) -> u64 {
        AgentState::ALL.iter().map(|state| self.of(*state)).sum()
    }
}

impl AgentRecord {
    /// Returns the state of the agent. An agent is in one state at a time.
    pub fn state(&self, now: Moment) -> AgentState {
        match (self.refused, self.last_seen_at) {
            (Some(_), _) => AgentState::Refused,
            (None, None) => AgentState::New,
            (None, Some(_)) if self.is_connected(now) => match self.polling {
                Some(_) => AgentState::Polling,
                None => AgentState::Connected,
            },
            (None, Some(_)) => AgentState::Gone,
        }
    }

    /// Returns whether the agent has sent a request in the last 90 seconds.
    pub fn is_connected(&self, now: Moment) -> bool {
        is_connected(self.last_seen_at, now)
    }
}

/// Returns whether an agent whose last request came at `last_seen_at` counts as connected.
pub fn is_connected(last_seen_at: Option<Moment>, now: Moment) -> bool {
    last_seen_at.is_some_and(|at| connected_within(now).contains(&at))
}

/// Returns the earliest and the latest moment of the last request of an agent that counts as connected. A later one
/// says nothing: it is from before a clock was set back, and the next request takes its place.
pub fn connected_within(now: Moment) -> RangeInclusive<Moment> {
    now.before(CONNECTED_FOR)..=now.after(CLOCKS_DIFFER_MAX)
}

/// A head of an agent: a snapshot that it pushed and that the server accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the head in the agent's timeline, counted from 1.
    pub seq: i64,
    pub snapshot: SnapshotId,
    pub hashes: Hashes,
    /// The time at which the server accepted the push.
    pub received_at: Moment,
}

impl Head {
    /// Returns the target of a move to this head.
    pub fn target(&self) -> Target {
        Target {
            snapshot: self.snapshot,
            hashes: self.hashes,
        }
    }
}

/// A request to open the session of a process, or to repeat that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRequest {
    pub process: ProcessId,
    /// Why the process polls files, in at most [`POLLING_BYTES_MAX`](crate::limits::POLLING_BYTES_MAX) bytes. `None`
    /// if it watches them.
    pub polling: Option<String>,
}

impl From<ProcessId> for SessionRequest {
    fn from(process: ProcessId) -> Self {
        Self {
            process,
            polling: None,
        }
    }
}

/// The open session of an agent's process.
#[derive(Debug, Clone)]
pub struct Session {
    pub agent: AgentId,
    /// The number of the process, which it sends with every request.
    pub epoch: i64,
    pub head: Option<Head>,
    /// The profile of the agent.
    pub profile: Profile,
    /// The quotas that the agent's owner has nearly used up.
    pub warnings: Vec<QuotaWarning>,
    pub token_expires_at: Option<Moment>,
}

/// A request to create an agent.
#[derive(Debug, Clone, Default)]
pub struct AgentRequest {
    /// The workspace's name, in its owner's words.
    pub workspace: String,
    /// The agent's name within the workspace.
    pub name: String,
    /// Whether it may refresh the chats of its owner.
    pub may_refresh: bool,
    /// Which agent it replaces at its first accepted push.
    pub replaces: Option<Replaces>,
    /// The tool whose rules it follows.
    pub profile: Profile,
    /// The directory of the tool's settings, if it is not the usual one.
    pub home: Option<String>,
}

/// Which agent a new one replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaces {
    Agent(AgentId),
    /// The newest one of the same workspace, name, profile and home, if there is one.
    Same,
}

/// The text of [`Replaces::Same`].
const SAME: &str = "same";

/// The error of a text that is neither the id of an agent nor `same`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be the id of one of your agents, or `{SAME}`")]
pub struct UnknownReplaces;

impl FromStr for Replaces {
    type Err = UnknownReplaces;

    fn from_str(text: &str) -> Result<Self, UnknownReplaces> {
        match text {
            SAME => Ok(Self::Same),
            id => id.parse().map(Self::Agent).map_err(|_| UnknownReplaces),
        }
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(agent) => agent.fmt(f),
            Self::Same => f.write_str(SAME),
        }
    }
}
