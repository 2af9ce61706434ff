//! Agents and their heads, as they are stored.

use std::time::Duration;

use crate::drift::Hashes;
use crate::hash::SnapshotId;
use crate::id::{AgentId, UserId};
use crate::moment::Moment;
use crate::pin::Target;
use crate::quota::Limit;

/// How long after its last sign of life an agent counts as connected. It gives one at least every
/// 30 seconds.
const CONNECTED_FOR: Duration = Duration::from_secs(90);

/// How old the note of a refusal must be for another one of the same kind to be noted.
const REFUSED_NOTED_EVERY: Duration = Duration::from_secs(60);

/// A row of `agents`.
#[derive(Debug, Clone)]
pub struct AgentRecord {
    /// Its id.
    pub id: AgentId,
    /// Whose it is.
    pub owner: UserId,
    /// The workspace's name.
    pub workspace: String,
    /// The agent's name within the workspace.
    pub name: String,
    /// Whether it may refresh its owner's chats.
    pub may_refresh: bool,
    /// The agent that it replaces at its first accepted push.
    pub replaces: Option<AgentId>,
    /// The agent that has replaced it for good; itself if that one has been deleted.
    pub replaced_by: Option<AgentId>,
    /// The number of its newest process.
    pub epoch: i64,
    /// The last accepted push of that process.
    pub version: i64,
    /// The head, if there is one.
    pub head: Option<Head>,
    /// Whether its MCP servers had all answered or failed at the last push.
    pub mcp_settled: bool,
    /// When it pushed last.
    pub last_push_at: Option<Moment>,
    /// When it gave its last sign of life.
    pub last_seen_at: Option<Moment>,
    /// When it was created.
    pub created_at: Moment,
    /// That what it sent last was refused, if it was.
    pub refused: Option<PushRefused>,
    /// From when on its token opens nothing.
    pub token_expires_at: Option<Moment>,
    /// When its token was revoked.
    pub token_revoked_at: Option<Moment>,
}

/// That an agent sent more than is allowed, and has sent nothing since that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushRefused {
    /// What there was too much of.
    pub limit: Limit,
    /// When. Told anew once a minute while it goes on.
    pub at: Moment,
}

impl PushRefused {
    /// Whether a refusal for `limit` needs no other note than this one.
    pub fn is_noted(&self, limit: Limit, now: Moment) -> bool {
        self.limit == limit && self.at.after(REFUSED_NOTED_EVERY) > now
    }
}

impl AgentRecord {
    /// Whether it has given a sign of life of late.
    pub fn is_connected(&self, now: Moment) -> bool {
        self.last_seen_at
            .is_some_and(|at| at.after(CONNECTED_FOR) >= now)
    }
}

/// A row of `agent_heads`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number in the agent's timeline, from 1.
    pub seq: i64,
    /// What was pushed.
    pub snapshot: SnapshotId,
    /// Its hashes.
    pub hashes: Hashes,
    /// When the server accepted it.
    pub received_at: Moment,
}

impl Head {
    /// Where a pin goes that goes to it.
    pub fn target(&self) -> Target {
        Target {
            snapshot: self.snapshot,
            hashes: self.hashes,
        }
    }
}

/// What an agent is created from.
#[derive(Debug, Clone)]
pub struct AgentRequest {
    /// The workspace's name, in its owner's words.
    pub workspace: String,
    /// The agent's name within the workspace.
    pub name: String,
    /// Whether it may refresh the chats of its owner.
    pub may_refresh: bool,
    /// Which agent it replaces at its first accepted push.
    pub replaces: Option<Replaces>,
}

/// Which agent a new one replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaces {
    /// This one.
    Agent(AgentId),
    /// The newest one of the same workspace and name, if there is one.
    Same,
}
