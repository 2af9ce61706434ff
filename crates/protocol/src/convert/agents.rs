//! Agents and their heads.

use ctxpin_model::agent::{AgentRecord, Head as HeadRecord};
use ctxpin_model::id::AgentId;
use ctxpin_model::moment::Moment;

use super::quotas::refused;
use crate::http::agents::{Agent, Head, TimelineHead};

/// Returns the wire shape of an agent, without its notes. `now` decides whether it counts as connected.
pub fn agent(agent: &AgentRecord, now: Moment) -> Agent {
    Agent {
        id: agent.id.uuid(),
        workspace: agent.workspace.clone(),
        name: Some(agent.name.clone()).filter(|name| !name.is_empty()),
        epoch: agent.epoch,
        head: agent.head.map(head),
        mcp_settled: agent.mcp_settled,
        connected: agent.is_connected(now),
        last_push_at: agent.last_push_at.map(Moment::utc),
        created_at: agent.created_at.utc(),
        notes: Vec::new(),
        refused: agent.refused.map(refused),
        token_expires_at: agent.token_expires_at.map(Moment::utc),
        token_revoked_at: agent.token_revoked_at.map(Moment::utc),
    }
}

/// Returns the wire shape of a head.
pub fn head(head: HeadRecord) -> Head {
    Head {
        snapshot: head.snapshot.to_string(),
        seq: head.seq,
        received_at: head.received_at.utc(),
    }
}

/// Returns the wire shape of a head in the timeline of `agent`.
pub fn timeline_head(agent: AgentId, head: HeadRecord) -> TimelineHead {
    TimelineHead {
        agent: agent.uuid(),
        seq: head.seq,
        snapshot: head.snapshot.to_string(),
        context_hash: head.hashes.context.to_string(),
        tools_hash: head.hashes.tools.to_string(),
        received_at: head.received_at.utc(),
    }
}
