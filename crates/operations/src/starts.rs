//! Starts: what the client of a chat does when a session begins or goes on. In an observed chat, the pin then moves to
//! what the client reads.

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::chat::{ChatChange, ChatRecord};
use ctxpin_model::client_event::ClientMessage;
use ctxpin_model::id::ChatId;
use ctxpin_model::pin::Reason;
use ctxpin_model::quota::Rate;
use ctxpin_model::token::Credential;
use ctxpin_store::database::Transaction;
use ctxpin_store::deed::Deed;
use ctxpin_store::grant::{Granted, object, right};

use crate::error::{Error, Result};
use crate::frame::{commit, write};
use crate::ground::Ground;
use crate::moves::{Cause, Prepared};
use crate::service::Service;

/// Takes a message of a chat's client, and returns the chat afterwards. Unarchives the chat. If the chat is observed and
/// the client reads its files at this event, the pin moves to the head of the message, or to the agent's head as it
/// is. A chat without a pin is pinned like at a turn. Without a head, the pin stays.
///
/// # Errors
///
/// Returns [`Error::Invalid`] if the head of the message is not in the timeline of the chat's agent,
/// [`Error::QuotaExceeded`] if the token sends too many messages, and [`Error::Store`] if the caller does not own the
/// chat.
pub async fn start(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    message: ClientMessage,
) -> Result<ChatRecord> {
    let (operation, object) = (Operation::ChatStart, Some(AuditObject::Chat(chat)));
    write(service, credential, operation, object, |attempt| {
        start_once(service, credential, chat, message, attempt)
    })
    .await
}

async fn start_once(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    message: ClientMessage,
    attempt: u32,
) -> Result<ChatRecord> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let seen = reading
        .grant_chat_within(&caller, Operation::ChatStart, chat)
        .await?;
    let before = seen.record()?.clone();
    if attempt == 1 {
        service.require_rate(Rate::Moves, credential.id.uuid(), 1, caller.now)?;
    }
    let sighting = seen.sighting();
    let mut ground = Ground::reading(service, &caller, Operation::ChatStart, reading, seen);
    let mut planned = plan(&mut ground, &before, message).await?;
    drop(ground);
    let mut transaction = service.database.write().await?;
    let granted = transaction
        .grant_chat_locked(&caller, &sighting, &[])
        .await?;
    let mut now = granted.record()?.clone();
    if !is_as_planned(&before, &now) {
        let mut ground = Ground::locked(attempt, service, &mut transaction, &granted)?;
        planned = plan(&mut ground, &now, message).await?;
    }
    let mut deed = match (now.archived_at, &planned) {
        (Some(_), _) => unarchive(&mut transaction, &granted).await?,
        (None, Some(_)) => granted.deed(),
        (None, None) => granted.unaudited("the chat stays as it is"),
    };
    if let Some(planned) = planned {
        planned
            .carry_out(&mut transaction, &granted, &mut now, &mut deed)
            .await?;
    }
    let after = granted.chat(&mut transaction).await?;
    commit(service, transaction, deed).await?;
    Ok(after)
}

/// Unarchives a locked chat because its client goes on with it, and returns the deed that says so. A chat without a pin
/// must be pinned in the same transaction, if its agent has a head.
pub(crate) async fn unarchive(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, right::Write>,
) -> Result<Deed> {
    let change = ChatChange {
        archived: Some(false),
        ..ChatChange::default()
    };
    granted.update(transaction, &change, granted.at()).await?;
    Ok(granted.deed())
}

/// The move that a message causes.
struct Plan {
    prepared: Prepared,
    reason: Reason,
    unconfirmed: bool,
}

/// Returns whether the chat is still as the plan expects.
fn is_as_planned(before: &ChatRecord, now: &ChatRecord) -> bool {
    before.stands_as(now) && before.mode == now.mode
}

async fn plan(
    ground: &mut Ground<'_>,
    chat: &ChatRecord,
    message: ClientMessage,
) -> Result<Option<Plan>> {
    let head = match message.head {
        Some(snapshot) => {
            let head = ground.agent_head(snapshot).await?;
            Some(head.ok_or_else(|| unknown_head(snapshot))?)
        }
        None => chat.head,
    };
    let is_read = chat.mode.is_observed() && message.event.is_read_by(chat.client.as_deref());
    let (Some(head), true) = (head, is_read) else {
        return match (chat.head, &chat.pin) {
            (Some(_), None) => Ok(Some(Plan {
                prepared: Prepared::head(ground, chat).await?,
                reason: Reason::Hydrate,
                unconfirmed: false,
            })),
            _ => Ok(None),
        };
    };
    let unconfirmed = message.head.is_none();
    let pin = chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    if pin == Some(head.snapshot) {
        let row = ground.history_at(chat.pin_seq).await?;
        let is_noted =
            row.is_some_and(|row| row.reason == Reason::Observe && row.unconfirmed == unconfirmed);
        if is_noted {
            return Ok(None);
        }
    }
    Ok(Some(Plan {
        prepared: Prepared::stored(ground, chat, head.target()).await?,
        reason: Reason::Observe,
        unconfirmed,
    }))
}

fn unknown_head(snapshot: impl std::fmt::Display) -> Error {
    Error::Invalid(format!(
        "{snapshot} is not in the timeline of the chat's agent; leave `head` out to take the agent's head as it is"
    ))
}

impl Plan {
    /// Moves the pin of the locked chat.
    async fn carry_out(
        &self,
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, right::Write>,
        chat: &mut ChatRecord,
        deed: &mut Deed,
    ) -> Result<()> {
        let cause = Cause {
            unconfirmed: self.unconfirmed,
            ..Cause::of(self.reason, chat, granted.at())
        };
        self.prepared
            .carry_out(transaction, granted, chat, &cause, deed)
            .await
    }
}
