//! A cache of recent token lookups. The server looks a token up before it holds a large body or a large
//! response for its caller. The operation itself checks the caller's permissions each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::id::{TokenId, UserId};
use ctxpin_model::pass::Pass;
use ctxpin_model::proof::{Challenge, Proof};
use ctxpin_model::token::Credential;
use ctxpin_operations::people;
use ctxpin_operations::service::Service;
use ctxpin_operations::sign_in;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::api_error::ApiResult;

/// How long a lookup is valid. A request with a token that was revoked meanwhile is refused after its body
/// was read.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// The most lookups in the cache.
const KNOWN_MAX: usize = 10_000;

/// The most lookups at a time, so that unknown callers do not fill the database's connections.
const LOOKED_UP_MAX: usize = 2;

/// A caller whose token was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownCaller {
    pub token: TokenId,
    /// The user, or the owner of the agent.
    pub user: UserId,
}

/// The cache of token lookups. A clone shares it.
#[derive(Debug, Clone)]
pub(crate) struct Callers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    entries: Mutex<HashMap<Key, Entry>>,
    /// Limits the lookups at a time.
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
    /// Looks a token up, unless the cache has it.
    ///
    /// # Errors
    ///
    /// Fails if the token is not valid, or does not allow the operation.
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
        let _turn = self.turn().await;
        let user = people::identify(service, credential, operation).await?;
        let token = credential.id;
        let known = KnownCaller { token, user };
        self.insert(key, credential, known);
        Ok(known)
    }

    /// Returns a proof that the server knows a token. Proofs share the limit of lookups, because anyone
    /// may ask for one.
    pub async fn prove(
        &self,
        service: &Service,
        token: TokenId,
        challenge: &Challenge,
    ) -> ApiResult<Proof> {
        let _turn = self.turn().await;
        Ok(people::token_proof(service, token, challenge).await?)
    }

    /// Returns the token that a session of the web page stands for. Lookups share the limit of tokens, and a session
    /// that was looked up recently needs none.
    ///
    /// # Errors
    ///
    /// Fails if the session has ended.
    pub async fn session(&self, service: &Service, session: &Pass) -> ApiResult<Credential> {
        if let Some(known) = sign_in::known_session(service, session) {
            return Ok(known);
        }
        let _turn = self.turn().await;
        Ok(sign_in::session_credential(service, session).await?)
    }

    /// Waits for a turn to look up what a stranger sent.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.0.room.acquire().await.ok()
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
        // No panic leaves the map inconsistent.
        let entries = self.0.entries.lock();
        entries.unwrap_or_else(PoisonError::into_inner)
    }
}
