//! Turns.

use ctxpin_model::turn::{self, Offer, TurnRecord, TurnRequest, TurnView};

use super::evidence::{findings, turn_evidence};
use super::members::{InvalidMember, chosen_name, word};
use super::skills::entry;
use super::tools::tool_offer;
use crate::http::skills::SkillEntry;
use crate::http::turns::{ToolOffer, Turn, TurnBegin, TurnBegun, TurnGiven};

/// Returns the wire shape of a turn.
pub fn turn(turn: &TurnRecord) -> Turn {
    Turn {
        number: turn.number,
        snapshot: turn.snapshot.map(|snapshot| snapshot.to_string()),
        believed_snapshot: turn.believed.map(|snapshot| snapshot.to_string()),
        pin_seq: turn.pin_seq,
        prompt_hash: turn.prompt.map(|prompt| prompt.to_string()),
        tools_snapshot: turn.tools_snapshot.map(|snapshot| snapshot.to_string()),
        delivery: turn.delivery.to_string(),
        reference: turn.reference.clone(),
        started_at: turn.started_at.utc(),
        evidence: turn.evidence.as_ref().map(turn_evidence),
    }
}

/// Returns the wire shape of a turn that has begun, with the context that its caller may read.
pub fn turn_begun(view: turn::TurnBegun) -> TurnBegun {
    let begun = TurnBegun {
        turn: turn(&view.turn),
        prompt: None,
        prompt_tokens: None,
        notices: None,
        skills: None,
        tools: None,
        notice: view.notice,
    };
    let Some(given) = view.given else {
        return begun;
    };
    let (skills, tools) = offer(given.offer);
    TurnBegun {
        prompt: Some(given.prompt),
        prompt_tokens: Some(given.prompt_tokens),
        skills: Some(skills),
        tools: Some(tools),
        ..begun
    }
}

/// Returns the wire shape of a turn with what it gave to the model.
pub fn turn_given(view: TurnView) -> TurnGiven {
    let (skills, tools) = view.offer.map(offer).unzip();
    TurnGiven {
        turn: turn(&view.turn),
        prompt_size_bytes: view.prompt.map(|prompt| prompt.size_bytes),
        prompt_tokens: view.prompt.map(|prompt| prompt.tokens),
        renderer: view.prompt.map(|prompt| prompt.renderer),
        skills,
        tools,
        findings: view.evidence.as_ref().map(findings),
    }
}

fn offer(offer: Offer) -> (Vec<SkillEntry>, Vec<ToolOffer>) {
    let tools = offer.tools.offered.into_iter().map(tool_offer);
    (offer.skills.iter().map(entry).collect(), tools.collect())
}

/// Reads a request to begin a turn.
///
/// # Errors
///
/// Fails if the reference is not valid, or the delivery is unknown.
pub fn turn_request(begin: TurnBegin) -> Result<TurnRequest, InvalidMember> {
    let reference = begin.reference.map(|text| chosen_name("reference", text));
    let delivery = begin.delivery.map(|text| word("delivery", &text));
    Ok(TurnRequest {
        reference: reference.transpose()?,
        delivery: delivery.transpose()?,
    })
}
