//! Who calls, as far as it was found out lately: before a large body is kept, and before a large answer
//! is. What a caller may do is checked by the operation itself, each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::id::{TokenId, UserId};
use ctxpin_model::proof::{Challenge, Proof};
use ctxpin_model::token::Credential;
use ctxpin_operations::people;
use ctxpin_operations::service::Service;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::api_error::ApiResult;

/// How long a token counts as known. One that was revoked meanwhile has its body read, and is refused
/// then.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// Most tokens that are known at a time.
const KNOWN_MAX: usize = 10_000;

/// Most tokens that are looked up at a time: strangers leave room in the database for those who work.
const LOOKED_UP_MAX: usize = 2;

/// Somebody whose token was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownCaller {
    /// By which token.
    pub token: TokenId,
    /// Who, or the owner of the agent.
    pub user: UserId,
}

/// The tokens that were looked up lately. Cloning it shares everything.
#[derive(Debug, Clone)]
pub(crate) struct Callers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    entries: Mutex<HashMap<Key, Entry>>,
    /// Places of those that are looked up.
    room: Semaphore,
}

type Key = (TokenId, Option<Operation>);

#[derive(Debug)]
struct Entry {
    credential: Credential,
    known: KnownCaller,
    until: Instant,
}

impl Default for Callers {
    fn default() -> Self {
        Self(Arc::new(Shared {
            entries: Mutex::default(),
            room: Semaphore::new(LOOKED_UP_MAX),
        }))
    }
}

impl Callers {
    /// Looks a token up, unless that was done just now.
    ///
    /// # Errors
    ///
    /// If it opens nothing, or not the operation.
    pub async fn known(
        &self,
        service: &Service,
        credential: Credential,
        operation: Option<Operation>,
    ) -> ApiResult<KnownCaller> {
        let key = (credential.id, operation);
        if let Some(known) = self.cached(key, credential) {
            return Ok(known);
        }
        // It is never closed.
        let _place = self.0.room.acquire().await.ok();
        let user = people::identify(service, credential, operation).await?;
        let token = credential.id;
        let known = KnownCaller { token, user };
        self.insert(key, credential, known);
        Ok(known)
    }

    /// Proves that the server knows a token, to whoever asks: as many at a time as there are tokens looked
    /// up, and behind the same.
    pub async fn prove(
        &self,
        service: &Service,
        token: TokenId,
        challenge: &Challenge,
    ) -> ApiResult<Proof> {
        // It is never closed.
        let _place = self.0.room.acquire().await.ok();
        Ok(people::token_proof(service, token, challenge).await?)
    }

    fn cached(&self, key: Key, credential: Credential) -> Option<KnownCaller> {
        let entries = self.lock();
        let entry = entries.get(&key)?;
        let is_good = entry.credential == credential && Instant::now() < entry.until;
        is_good.then_some(entry.known)
    }

    fn insert(&self, key: Key, credential: Credential, known: KnownCaller) {
        let now = Instant::now();
        let mut entries = self.lock();
        if entries.len() >= KNOWN_MAX {
            entries.retain(|_, entry| now < entry.until);
        }
        if entries.len() < KNOWN_MAX {
            let until = now + KNOWN_FOR;
            let entry = Entry {
                credential,
                known,
                until,
            };
            entries.insert(key, entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        // Nothing is half-done behind a panic.
        let entries = self.0.entries.lock();
        entries.unwrap_or_else(PoisonError::into_inner)
    }
}
