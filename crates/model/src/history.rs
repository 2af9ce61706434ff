//! A chat's pin history, as it is stored.

use uuid::Uuid;

use crate::door::Door;
use crate::hash::{ContextHash, SnapshotId};
use crate::id::AgentId;
use crate::moment::Moment;
use crate::pin::{Reason, Rendered};

/// A row of a chat's pin history.
#[derive(Debug, Clone)]
pub struct PinRecord {
    /// Its number in the chat's history, from 1.
    pub seq: i64,
    /// What was pinned; `None` if the pin was cleared.
    pub snapshot: Option<SnapshotId>,
    /// What of it reaches a model.
    pub context_hash: Option<ContextHash>,
    /// The prompt; `None` if the pin was cleared.
    pub rendered: Option<Rendered>,
    /// The agent that it came from.
    pub agent: Option<AgentId>,
    /// Why.
    pub reason: Reason,
    /// Whether that agent's MCP servers had settled.
    pub mcp_settled: bool,
    /// `user`, `agent` or `system`.
    pub actor_kind: String,
    /// Which user or agent.
    pub actor_id: Option<Uuid>,
    /// The user's name, or the agent's, while they exist.
    pub actor_name: Option<String>,
    /// By which door.
    pub door: Door,
    /// When.
    pub at: Moment,
}
