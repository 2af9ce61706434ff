//! Bulk moves: one decision about the drift of several chats.

use std::time::{Duration, Instant};

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::context::ContextView;
use ctxpin_model::id::ChatId;
use ctxpin_model::pin_move::{BulkMove, BulkOutcome, Decision, SeenChat};
use ctxpin_model::quota::Rate;
use ctxpin_model::token::Credential;

use crate::error::{Error, Result};
use crate::frame::{audited, write};
use crate::pins::{ChatMove, move_once};
use crate::service::Service;

/// The time after which a bulk move leaves the remaining chats alone, so that its results are not lost with the
/// request.
const MOVING_TIME_MAX: Duration = Duration::from_secs(30);

/// Carries out a decision on each chat, in order, and returns what it did to each. A chat whose pin or head is not
/// the one that the caller has seen stays as it is, and so does the rest after 30 seconds. Each move is a
/// transaction with an audit line of its own. A user has one bulk move at a time, which counts as one move for the
/// rate limit.
///
/// # Errors
///
/// Returns [`Error::Busy`] if a bulk move of the user is in progress, [`Error::QuotaExceeded`] if the token moves
/// too many pins, and [`Error::Store`] if the caller may move no pins. Everything else is the result of a chat.
pub async fn bulk_move(
    service: &Service,
    credential: Credential,
    request: &BulkMove,
) -> Result<Vec<(ChatId, Result<BulkOutcome>)>> {
    let operation = Operation::PinMove;
    let caller = service.caller(credential);
    let identified = service.database.identify(&caller, Some(operation)).await;
    let identified = identified.map_err(Error::from);
    let actor = audited(service, credential, operation, None, identified).await?;
    let user = actor.user().ok_or(Error::NotFound("account"))?;
    let _turn = service.bulk_movers.begin(user)?;
    service.require_rate(Rate::Moves, credential.id.uuid(), 1, caller.now)?;
    let deadline = Instant::now() + MOVING_TIME_MAX;
    let mut results = Vec::with_capacity(request.chats.len());
    for seen in &request.chats {
        let result = match Instant::now() < deadline {
            true => move_one(service, credential, seen, &request.decision).await,
            false => Err(Error::Busy(
                "the bulk move took too long and did not reach this chat; repeat it",
            )),
        };
        results.push((seen.chat, result));
    }
    Ok(results)
}

async fn move_one(
    service: &Service,
    credential: Credential,
    seen: &SeenChat,
    decision: &Decision,
) -> Result<BulkOutcome> {
    let operation = Operation::PinMove;
    let request = decision.to_move(seen.head);
    let chat_move = ChatMove {
        operation,
        chat: seen.chat,
        request: &request,
        only_from: Some(seen.pin),
        is_counted: false,
    };
    let object = Some(AuditObject::Chat(seen.chat));
    let moved = write(service, credential, operation, object, |attempt| {
        move_once(service, credential, &chat_move, attempt)
    });
    Ok(outcome(&moved.await?, seen, decision))
}

fn outcome(after: &ContextView, seen: &SeenChat, decision: &Decision) -> BulkOutcome {
    let chat = &after.chat;
    let pin = chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    match (decision, pin) {
        (Decision::Decline, _) if chat.drift().is_some() => BulkOutcome::Declined,
        (Decision::Undecline, _) if chat.drift().is_some() => BulkOutcome::Undeclined,
        (Decision::TakeAll | Decision::Take(_), Some(pin)) if pin != seen.pin => {
            BulkOutcome::Moved(pin)
        }
        _ => BulkOutcome::Unchanged,
    }
}
