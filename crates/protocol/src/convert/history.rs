//! A chat's pin history.

use ctxpin_model::access::ActorRef;
use ctxpin_model::door::Door;
use ctxpin_model::history::{self, Decision, HistoryRequest};
use ctxpin_model::id::AgentId;

use super::members::InvalidMember;
use super::pages::page_request;
use crate::http::history::{Actor, HistoryEntry, HistoryQuery, MOVE};

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

/// Returns the wire shape of an entry of a chat's history.
pub fn entry(entry: history::HistoryEntry) -> HistoryEntry {
    match entry {
        history::HistoryEntry::Move(pin) => HistoryEntry {
            kind: MOVE.to_owned(),
            head: None,
            seq: pin.seq,
            snapshot: pin.snapshot.map(|snapshot| snapshot.to_string()),
            context_hash: pin.context_hash.map(|hash| hash.to_string()),
            agent_id: pin.agent.map(AgentId::uuid),
            reason: pin.reason.to_string(),
            renderer: pin.rendered.map(|rendered| rendered.renderer),
            mcp_settled: pin.mcp_settled,
            unconfirmed: pin.unconfirmed,
            evidence_turn: pin.evidence_turn,
            actor: actor(pin.actor, pin.actor_name, pin.door),
            at: pin.at.utc(),
        },
        history::HistoryEntry::Decision(decided) => {
            let kind = match decided.decision {
                Decision::Decline => "decline",
                Decision::Undecline => "undecline",
            };
            HistoryEntry {
                kind: kind.to_owned(),
                head: Some(decided.head.to_string()),
                reason: kind.to_owned(),
                actor: actor(decided.actor, decided.actor_name, decided.door),
                at: decided.at.utc(),
                ..self::entry(history::HistoryEntry::Move(decided.kept))
            }
        }
    }
}

fn actor(actor: ActorRef, name: Option<String>, door: Door) -> Actor {
    Actor {
        kind: actor.kind().to_owned(),
        id: actor.uuid(),
        name: name.filter(|name| !name.is_empty()),
        door: door.to_string(),
    }
}
