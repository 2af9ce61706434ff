//! A chat's pin history.

use ctxpin_model::access::Operation;
use ctxpin_model::history::{HistoryRequest, PinRecord};
use ctxpin_model::id::ChatId;
use ctxpin_model::page::Page;
use ctxpin_model::token::Credential;

use crate::error::Result;
use crate::service::Service;

/// Returns a page of a chat's pin history, newest first.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not see the chat.
pub async fn list(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    request: HistoryRequest,
) -> Result<Page<PinRecord, i64>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let granted = transaction
        .grant_chat(&caller, Operation::HistoryRead, chat)
        .await?;
    Ok(granted.history(&mut transaction, request).await?)
}

/// Returns the move of that number in a chat's pin history.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not see the chat.
pub async fn read(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    seq: i64,
) -> Result<Option<PinRecord>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let granted = transaction
        .grant_chat(&caller, Operation::HistoryRead, chat)
        .await?;
    Ok(granted.history_at(&mut transaction, seq).await?)
}
