//! A chat's pin history.

use ctxpin_model::history::{HistoryRequest, PinRecord};
use ctxpin_model::id::AgentId;

use super::members::InvalidMember;
use super::pages::page_request;
use crate::http::history::{Actor, HistoryQuery, Pin};

/// Reads the request for a page of a chat's history.
///
/// # Errors
///
/// Fails if the cursor or the limit is not valid.
pub fn history_request(query: &HistoryQuery) -> Result<HistoryRequest, InvalidMember> {
    Ok(HistoryRequest {
        page: page_request(query.cursor.as_deref(), query.limit)?,
    })
}

/// Returns the wire shape of a move in a pin's history.
pub fn pin(pin: PinRecord) -> Pin {
    Pin {
        seq: pin.seq,
        snapshot: pin.snapshot.map(|snapshot| snapshot.to_string()),
        context_hash: pin.context_hash.map(|hash| hash.to_string()),
        agent_id: pin.agent.map(AgentId::uuid),
        reason: pin.reason.to_string(),
        renderer: pin.rendered.map(|rendered| rendered.renderer),
        mcp_settled: pin.mcp_settled,
        unconfirmed: pin.unconfirmed,
        actor: Actor {
            kind: pin.actor.kind().to_owned(),
            id: pin.actor.uuid(),
            name: pin.actor_name.filter(|name| !name.is_empty()),
            door: pin.door.to_string(),
        },
        at: pin.at.utc(),
    }
}
