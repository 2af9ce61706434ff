//! Exposure: the chats and turns that had a content in force. It answers "who read the poisoned file?".

use ctxpin_model::access::Operation;
use ctxpin_model::exposure::{ChatExposure, Exposure, KnownHash};
use ctxpin_model::hash::{AnyHash, BlobHash, HashBeginning};
use ctxpin_model::page::{IdCursor, Page, PageRequest};
use ctxpin_model::token::Credential;
use ctxpin_store::database::Transaction;
use ctxpin_store::exposed_chats::KNOWN_HASHES_MAX;
use ctxpin_store::grant::{Granted, object, right};

use crate::error::{Error, Result};
use crate::service::Service;
use crate::workshop::Slot;

/// The hashes that begin as somebody searched for.
#[derive(Debug, Clone)]
pub struct KnownHashes {
    pub items: Vec<KnownHash>,
    /// Whether these are all. More digits find fewer.
    pub is_complete: bool,
}

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
    let Search {
        account,
        mut transaction,
        _slot,
    } = Search::begin(service, credential).await?;
    let chats = account.pinned_exposures(&mut transaction, content).await?;
    let turns = account.turn_exposures(&mut transaction, content).await?;
    Ok(Exposure { chats, turns })
}

/// Returns a page of the chats that had a content, a context or a snapshot in force, or whose requests had the content by
/// their evidence, newest chat first, each with its periods and turns. A text that no snapshot has is found in requests
/// of the caller's own chats, because only there its name is under the caller's key. It concerns the chats whose metadata the caller may read. Each user runs one search at a time.
///
/// # Errors
///
/// Returns [`Error::Busy`] if too many of the user's requests wait already.
pub async fn chats(
    service: &Service,
    credential: Credential,
    hash: AnyHash,
    page: &PageRequest<IdCursor>,
) -> Result<Page<ChatExposure, IdCursor>> {
    let Search {
        account,
        mut transaction,
        _slot,
    } = Search::begin(service, credential).await?;
    let key = account.evidence_key(&mut transaction).await?;
    let content = BlobHash::from(*hash.bytes());
    let foreign = key.map(|key| key.name_of_foreign(content));
    let found = account.exposed_chats(&mut transaction, hash, foreign, page);
    Ok(found.await?)
}

/// Returns the contents, contexts and snapshots whose hashes begin so, among those of chats whose metadata the caller
/// may read. Each user runs one search at a time.
///
/// # Errors
///
/// Returns [`Error::Busy`] if too many of the user's requests wait already.
pub async fn hashes(
    service: &Service,
    credential: Credential,
    beginning: &HashBeginning,
) -> Result<KnownHashes> {
    let Search {
        account,
        mut transaction,
        _slot,
    } = Search::begin(service, credential).await?;
    let mut items = account.known_hashes(&mut transaction, beginning).await?;
    let most = usize::try_from(KNOWN_HASHES_MAX).unwrap_or(usize::MAX);
    let is_complete = items.len() <= most;
    items.truncate(most);
    Ok(KnownHashes { items, is_complete })
}

/// A search among the chats of a caller, while no other one of the same user runs.
struct Search {
    account: Granted<object::Account, right::Metadata>,
    transaction: Transaction,
    _slot: Slot,
}

impl Search {
    async fn begin(service: &Service, credential: Credential) -> Result<Self> {
        let caller = service.caller(credential);
        let actor = service
            .database
            .identify(&caller, Some(Operation::ExposureRead))
            .await?;
        let user = actor.user().ok_or(Error::NotFound("account"))?;
        let slot = service.workshop.enter(user).await?;
        let mut transaction = service.database.read().await?;
        let account = transaction
            .grant_account(&caller, Operation::ExposureRead)
            .await?;
        Ok(Self {
            account,
            transaction,
            _slot: slot,
        })
    }
}
