//! The frame that all operations share: retries, refusals in the audit log, and the commit with its wakes.

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::token::Credential;
use ctxpin_store::database::{Attempts, Transaction};
use ctxpin_store::deed::Deed;
use ctxpin_store::grant::{Caller, Granted, object, right, task};

use crate::error::{Error, Result};
use crate::refusals::Entered;
use crate::service::Service;

/// The attempt at which an operation works under its locks, where no other request can move the pin or the
/// head. So an agent that pushes without a pause starves nobody.
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
                Some(contention) if attempts.pause_before_retry(contention).await => attempt += 1,
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
    audited(service, credential, operation, object, outcome).await
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

/// Begins a transaction that reads what the caller may list.
///
/// # Errors
///
/// Returns the refusal.
pub(crate) async fn read_account(
    service: &Service,
    credential: Credential,
    operation: Operation,
) -> Result<(Transaction, Granted<object::Account, right::Metadata>)> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account = transaction.grant_account(&caller, operation).await?;
    Ok((transaction, account))
}

/// Begins a transaction that writes for the caller, without an object. Checks the caller before, because a stranger
/// must not wait for the only transaction that writes, or keep others waiting.
///
/// # Errors
///
/// Returns the refusal.
pub(crate) async fn write_account(
    service: &Service,
    caller: &Caller,
    operation: Operation,
) -> Result<(Transaction, Granted<object::Account, right::Write>)> {
    let sighting = service.database.sight_account(caller, operation).await?;
    let mut transaction = service.database.write().await?;
    let account = transaction.grant_account_sighted(caller, &sighting).await?;
    Ok((transaction, account))
}

/// Begins a transaction that reads the metadata of a chat.
///
/// # Errors
///
/// Returns the refusal.
pub(crate) async fn read_chat(
    service: &Service,
    credential: Credential,
    operation: Operation,
    chat: ChatId,
) -> Result<(Transaction, Granted<object::Chat, right::Metadata>)> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let granted = transaction.grant_chat(&caller, operation, chat).await?;
    Ok((transaction, granted))
}

/// Begins a transaction that reads a chat's bodies. Records a refusal in the audit log, if the caller may
/// see the chat but not read its bodies.
///
/// # Errors
///
/// Returns the refusal.
pub(crate) async fn read_bodies(
    service: &Service,
    credential: Credential,
    operation: Operation,
    chat: ChatId,
) -> Result<(Transaction, Granted<object::Chat, right::Body>)> {
    let caller = service.caller(credential);
    let granted = async {
        let mut transaction = service.database.read().await?;
        let granted = transaction
            .grant_chat_body(&caller, operation, chat)
            .await?;
        Ok((transaction, granted))
    };
    let object = Some(AuditObject::Chat(chat));
    audited(service, credential, operation, object, granted.await).await
}

/// Begins a transaction that reads the bodies of an agent's heads. Records a refusal in the audit log, like
/// [`read_bodies`].
///
/// # Errors
///
/// Returns the refusal.
pub(crate) async fn read_agent_bodies(
    service: &Service,
    credential: Credential,
    operation: Operation,
    agent: AgentId,
) -> Result<(Transaction, Granted<object::Agent, right::Body>)> {
    let caller = service.caller(credential);
    let granted = async {
        let mut transaction = service.database.read().await?;
        let granted = transaction
            .grant_agent_body(&caller, operation, agent)
            .await?;
        Ok((transaction, granted))
    };
    let object = Some(AuditObject::Agent(agent));
    audited(service, credential, operation, object, granted.await).await
}

/// Returns `outcome`, and records it in the audit log if it is a refusal.
///
/// # Errors
///
/// Returns the error of `outcome`.
pub(crate) async fn audited<T>(
    service: &Service,
    credential: Credential,
    operation: Operation,
    object: Option<AuditObject>,
    outcome: Result<T>,
) -> Result<T> {
    let is_refused = matches!(
        outcome,
        Err(Error::Store(ctxpin_store::error::Error::Forbidden(_)) | Error::WiderToken(_))
    );
    if is_refused && let Err(error) = refused(service, credential, operation, object).await {
        tracing::warn!(%error, "could not write a refusal to the audit log");
    }
    outcome
}

/// Records a refusal in the audit log: at once if it is the first within a minute, else later.
///
/// # Errors
///
/// Fails if the database does, or if the token is no longer valid.
async fn refused(
    service: &Service,
    credential: Credential,
    operation: Operation,
    object: Option<AuditObject>,
) -> Result<()> {
    let caller = service.caller(credential);
    let actor = service.database.identify(&caller, None).await?;
    let key = (credential.id, operation);
    let first = match service.refusals.enter(key, caller.now) {
        Entered::Added => return Ok(()),
        Entered::First(first) => first,
    };
    let mut transaction = service.database.write().await?;
    let upkeep = service.database.upkeep(task::Refusals);
    let by = (&caller, &actor);
    upkeep
        .refusal_insert(&mut transaction, first.row, by, operation, object)
        .await?;
    for (row, more) in &first.left {
        upkeep.refusals_add(&mut transaction, *row, *more).await?;
    }
    commit(service, transaction, upkeep.unaudited()).await?;
    first.written();
    Ok(())
}
