//! The frame of an operation: what is the same whatever is asked for.

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::token::Credential;
use ctxpin_store::database::{Attempts, Transaction};
use ctxpin_store::deed::Deed;

use crate::error::{Error, Result};
use crate::service::Service;

/// The attempt at which an operation works things out under its locks, where nothing moves any more: so
/// whoever pushes without a pause starves nobody.
pub(crate) const ATTEMPT_UNDER_LOCKS: u32 = 3;

/// Runs an operation, and runs it again from nothing as long as its transaction loses against others.
/// `once` is given the number of the attempt, from 1.
///
/// # Errors
///
/// The first error that another attempt would only repeat, or the last one when there were too many.
pub(crate) async fn retry<T, Once>(mut once: impl FnMut(u32) -> Once) -> Result<T>
where
    Once: Future<Output = Result<T>>,
{
    let mut attempts = Attempts::default();
    let mut nth = 1;
    loop {
        match once(nth).await {
            Err(error) => match Error::contended(&error) {
                Some(contention) if attempts.again(contention).await => nth += 1,
                _ => return Err(error),
            },
            done => return done,
        }
    }
}

/// Runs an operation that writes, as often as [`retry`] does. That its caller was forbidden it, is noted in
/// the audit log.
///
/// # Errors
///
/// Those of `once`.
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

/// Commits a transaction with what it did, and then wakes those who watch that.
///
/// # Errors
///
/// An error leaves open whether it was committed. Nobody is woken then.
pub(crate) async fn commit(service: &Service, transaction: Transaction, deed: Deed) -> Result<()> {
    for topic in transaction.commit(deed).await?.wakes() {
        service.wakes.publish(topic);
    }
    Ok(())
}
