//! The frame that all operations share: retries, refusals in the audit log, and the commit with its wakes.

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::token::Credential;
use ctxpin_store::database::{Attempts, Transaction};
use ctxpin_store::deed::Deed;

use crate::error::{Error, Result};
use crate::service::Service;

/// The attempt at which an operation works under its locks, where nothing can move. So an agent that pushes
/// without a pause starves nobody.
pub(crate) const ATTEMPT_UNDER_LOCKS: u32 = 3;

/// Runs an operation, and retries it from the beginning while its transaction loses against others. `once`
/// receives the number of the attempt, counted from 1.
///
/// # Errors
///
/// Returns the first error that a retry would repeat, or the last error after too many attempts.
pub(crate) async fn retry<T, Once>(mut once: impl FnMut(u32) -> Once) -> Result<T>
where
    Once: Future<Output = Result<T>>,
{
    let mut attempts = Attempts::default();
    let mut attempt = 1;
    loop {
        match once(attempt).await {
            Err(error) => match Error::contended(&error) {
                Some(contention) if attempts.again(contention).await => attempt += 1,
                _ => return Err(error),
            },
            done => return done,
        }
    }
}

/// Runs a writing operation like [`retry`], and records a refusal in the audit log.
///
/// # Errors
///
/// Returns the errors of `once`.
pub(crate) async fn write<T, Once>(
    service: &Service,
    credential: Credential,
    operation: Operation,
    object: Option<AuditObject>,
    once: impl FnMut(u32) -> Once,
) -> Result<T>
where
    Once: Future<Output = Result<T>>,
{
    let outcome = retry(once).await;
    service
        .audited(credential, operation, object, outcome)
        .await
}

/// Commits a transaction with its deed, and then wakes the watchers.
///
/// # Errors
///
/// Fails if the database does. The transaction may or may not be committed then, and nobody is woken.
pub(crate) async fn commit(service: &Service, transaction: Transaction, deed: Deed) -> Result<()> {
    for topic in transaction.commit(deed).await?.wakes() {
        service.wakes.publish(topic);
    }
    Ok(())
}
