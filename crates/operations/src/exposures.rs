//! Exposure: the chats and turns that had a content in force. It answers "who read the poisoned file?".

use ctxpin_model::access::Operation;
use ctxpin_model::exposure::Exposure;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::token::Credential;
use ctxpin_store::grant::{Granted, object, right};

use crate::error::{Error, Result};
use crate::service::Service;

/// Returns the chats and turns that had a content in force, among those whose metadata the caller may read.
/// Files of skills and tools count too. The query is expensive, so each user runs one at a time.
///
/// # Errors
///
/// Returns [`Error::Busy`] if too many of the user's requests wait already.
pub async fn read(
    service: &Service,
    credential: Credential,
    content: BlobHash,
) -> Result<Exposure> {
    let caller = service.caller(credential);
    let actor = service
        .database
        .identify(&caller, Some(Operation::ExposureRead))
        .await?;
    let user = actor.user().ok_or(Error::NotFound("account"))?;
    let _slot = service.workshop.enter(user).await?;
    let mut transaction = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::ExposureRead)
        .await?;
    let chats = account.pinned_exposures(&mut transaction, content).await?;
    let turns = account.turn_exposures(&mut transaction, content).await?;
    Ok(Exposure { chats, turns })
}
