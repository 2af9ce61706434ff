//! A chat's pin history.

use ctxpin_model::access::Operation;
use ctxpin_model::history::{HistoryRequest, PinRecord, PinStep, StepRequest};
use ctxpin_model::id::ChatId;
use ctxpin_model::page::Page;
use ctxpin_model::token::Credential;

use crate::error::Result;
use crate::frame::{read_account, read_chat};
use crate::service::Service;

/// Returns a page of a chat's pin history, newest first.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the caller may not see the chat.
pub async fn list(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    request: HistoryRequest,
) -> Result<Page<PinRecord, i64>> {
    let (mut transaction, granted) =
        read_chat(service, credential, Operation::HistoryRead, chat).await?;
    Ok(granted.history(&mut transaction, request).await?)
}

/// Returns the move of that number in a chat's pin history.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the caller may not see the chat.
pub async fn read(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    seq: i64,
) -> Result<Option<PinRecord>> {
    let (mut transaction, granted) =
        read_chat(service, credential, Operation::HistoryRead, chat).await?;
    Ok(granted.history_at(&mut transaction, seq).await?)
}

/// Returns the newest moves of the pins of an agent's unarchived chats, by chat and then oldest first. Leaves out
/// chats that the caller may not read.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the token may not read.
pub async fn steps(
    service: &Service,
    credential: Credential,
    request: StepRequest,
) -> Result<Vec<PinStep>> {
    let (mut transaction, account) = read_account(service, credential, Operation::ChatList).await?;
    Ok(account.pin_steps(&mut transaction, request).await?)
}
