//! Requests about several chats: a decision about their drift, moving their pins back, and archiving them. Each is one
//! piece of work with a deadline, and its result is that of every chat.

use std::time::{Duration, Instant};

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::chat::ChatChange;
use ctxpin_model::context::ContextView;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_model::pin_move::{BulkMove, BulkOutcome, Decision, MoveBack, PinMove, SeenChat};
use ctxpin_model::quota::Rate;
use ctxpin_model::token::Credential;

use crate::chats;
use crate::error::{Error, Result};
use crate::frame::{audited, write};
use crate::pins::{ChatMove, move_once};
use crate::service::Service;

/// The time after which the remaining chats are left alone, so that the results are not lost with the request.
const TIME_MAX: Duration = Duration::from_secs(30);

/// Carries out a decision on each chat, in order, and returns what it did to each. A chat stays as it is if its pin is
/// not the one that the caller has seen, or its head differs from that in what the chat compares. So does the rest
/// after 30 seconds. Each move is a
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
    let chats = request.chats.iter().map(|seen| (seen.chat, seen));
    each(service, credential, Operation::PinMove, chats, |seen| {
        decide_one(service, credential, seen, &request.decision)
    })
    .await
}

/// Moves the pins of several chats back to where they were before a move, with the policy that each had there, in
/// order, and returns which moved. Each move is a transaction with an audit
/// line of its own. The limits are those of [`bulk_move`].
///
/// # Errors
///
/// Fails like [`bulk_move`].
pub async fn bulk_rollback(
    service: &Service,
    credential: Credential,
    chats: &[MoveBack],
) -> Result<Vec<(ChatId, Result<()>)>> {
    let chats = chats.iter().map(|back| (back.chat, back));
    each(
        service,
        credential,
        Operation::PinMove,
        chats,
        |back| async move {
            let request = PinMove::Undo {
                to: back.to,
                policy: back.policy,
            };
            let moved = move_one(service, credential, back.chat, &request, back.pin).await;
            moved.map(drop)
        },
    )
    .await
}

/// Archives several chats or unarchives them, in order, and returns which it changed. Each change is a transaction
/// with an audit line of its own. The limits are those of [`bulk_move`].
///
/// # Errors
///
/// Fails like [`bulk_move`].
pub async fn bulk_archive(
    service: &Service,
    credential: Credential,
    chats: &[ChatId],
    archived: bool,
) -> Result<Vec<(ChatId, Result<()>)>> {
    let change = &ChatChange {
        archived: Some(archived),
        ..ChatChange::default()
    };
    let chats = chats.iter().map(|chat| (*chat, *chat));
    each(
        service,
        credential,
        Operation::ChatChange,
        chats,
        |chat| async move {
            let changed = chats::change_one(service, credential, chat, change, false).await;
            changed.map(drop)
        },
    )
    .await
}

/// Does the work of one request, chat by chat.
async fn each<C, T, One>(
    service: &Service,
    credential: Credential,
    operation: Operation,
    chats: impl ExactSizeIterator<Item = (ChatId, C)>,
    one: impl Fn(C) -> One,
) -> Result<Vec<(ChatId, Result<T>)>>
where
    One: Future<Output = Result<T>>,
{
    let caller = service.caller(credential);
    let identified = service.database.identify(&caller, Some(operation)).await;
    let identified = identified.map_err(Error::from);
    let actor = audited(service, credential, operation, None, identified).await?;
    let user = actor.user().ok_or(Error::NotFound("account"))?;
    let _turn = service.bulk_movers.begin(user)?;
    service.require_rate(Rate::Moves, credential.id.uuid(), 1, caller.now)?;
    let deadline = Instant::now() + TIME_MAX;
    let mut results = Vec::with_capacity(chats.len());
    for (id, chat) in chats {
        let result = match Instant::now() < deadline {
            true => one(chat).await,
            false => Err(Error::Busy(
                "the request took too long and did not reach this chat; repeat it",
            )),
        };
        results.push((id, result));
    }
    Ok(results)
}

async fn decide_one(
    service: &Service,
    credential: Credential,
    seen: &SeenChat,
    decision: &Decision,
) -> Result<BulkOutcome> {
    let request = decision.to_move(seen.head);
    let moved = move_one(service, credential, seen.chat, &request, seen.pin).await?;
    Ok(outcome(&moved, seen, decision))
}

/// Moves the pin of a chat, if it is the one that the caller has seen.
async fn move_one(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    request: &PinMove,
    seen: SnapshotId,
) -> Result<ContextView> {
    let operation = Operation::PinMove;
    let chat_move = ChatMove {
        operation,
        chat,
        request,
        only_from: Some(seen),
        is_counted: false,
    };
    let object = Some(AuditObject::Chat(chat));
    write(service, credential, operation, object, |attempt| {
        move_once(service, credential, &chat_move, attempt)
    })
    .await
}

fn outcome(after: &ContextView, seen: &SeenChat, decision: &Decision) -> BulkOutcome {
    let chat = &after.chat;
    let pin = chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    match (decision, pin) {
        (Decision::Decline, _) if chat.drift().is_some() => BulkOutcome::Declined,
        (Decision::Undecline, _) if chat.drift().is_some() => BulkOutcome::Undeclined,
        (Decision::TakeAll | Decision::Take(_), Some(pin)) if pin != seen.pin => {
            BulkOutcome::Moved {
                pin,
                policy: chat.policy,
            }
        }
        _ => BulkOutcome::Unchanged,
    }
}
