//! The answer to "who read the poisoned file?".

use ctxpin_model::access::Operation;
use ctxpin_model::exposure::Exposure;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::token::Credential;
use ctxpin_store::grant::{Granted, object, right};

use crate::error::{Error, Result};
use crate::service::Service;

/// Which chats and turns, of those whose metadata the caller may read, had a content in force, a skill's files and tools included. It asks much of the
/// database, so each caller's questions are answered in turn.
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
