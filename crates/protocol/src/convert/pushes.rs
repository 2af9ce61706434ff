//! The result of a push.

use ctxpin_model::push::{PushOutcome, Verdict};

use crate::http::push::PushAnswer;

/// Returns the wire shape of a push's outcome. Its `reason` is the verdict's word, unless the push
/// became the head.
pub fn push_answer(outcome: &PushOutcome) -> PushAnswer {
    let PushOutcome {
        verdict,
        head,
        hydrated,
    } = *outcome;
    PushAnswer {
        accepted: verdict.is_head(),
        reason: (verdict != Verdict::Accepted).then(|| verdict.as_str().to_owned()),
        snapshot: head.map(|head| head.snapshot.to_string()),
        seq: head.map(|head| head.seq),
        hydrated,
    }
}
