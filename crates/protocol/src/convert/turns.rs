//! Turns.

use ctxpin_model::turn::TurnRecord;

use crate::http::turns::Turn;

/// Returns the wire shape of a turn.
pub fn turn(turn: &TurnRecord) -> Turn {
    Turn {
        number: turn.number,
        snapshot: turn.snapshot.map(|snapshot| snapshot.to_string()),
        prompt_hash: turn.prompt.map(|prompt| prompt.to_string()),
        tools_snapshot: turn.tools_snapshot.map(|snapshot| snapshot.to_string()),
        delivery: turn.delivery.to_string(),
        reference: turn.reference.clone(),
        started_at: turn.started_at.utc(),
    }
}
