//! Signing in to the web page, and one-time codes. A session stands for a token: its requests act with the
//! token's scopes, and it ends with the token.

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::moment::Moment;
use ctxpin_model::pass::{Pass, PassKind};
use ctxpin_model::token::Credential;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Caller, Granted, object, right, task};
use ctxpin_store::passes::NewPass;

use crate::error::{Error, Result};
use crate::frame::{commit, retry, write};
use crate::service::Service;

/// A new pass. This is the only time that its secret is known.
#[derive(Debug, Clone)]
pub struct IssuedPass {
    pub pass: Pass,
    pub expires_at: Moment,
}

/// Makes a one-time code that starts a session of the caller's token.
///
/// # Errors
///
/// Returns [`Error::Busy`] if there are too many passes.
pub async fn sign_in_code(service: &Service, credential: Credential) -> Result<IssuedPass> {
    let (operation, kind) = (Operation::SignInCodeCreate, PassKind::SignInCode);
    write(service, credential, operation, None, |_| {
        issue_once(service, credential, operation, kind)
    })
    .await
}

/// Starts a session of the caller's token.
///
/// # Errors
///
/// Returns [`Error::Busy`] if there are too many passes, and [`Error::Store`] if the token is not a user's.
pub async fn with_token(service: &Service, credential: Credential) -> Result<IssuedPass> {
    let (operation, kind) = (Operation::SignIn, PassKind::Session);
    write(service, credential, operation, None, |_| {
        issue_once(service, credential, operation, kind)
    })
    .await
}

/// Takes a one-time code and starts a session of its token.
///
/// # Errors
///
/// Returns [`Error::UnknownCode`] if the code was used, has expired or never existed; [`Error::Busy`] if there are
/// too many passes; and [`Error::Store`] if its token is not valid any more.
pub async fn with_code(service: &Service, code: &Pass) -> Result<IssuedPass> {
    retry(|_| with_code_once(service, code)).await
}

async fn with_code_once(service: &Service, code: &Pass) -> Result<IssuedPass> {
    let mut transaction = service.database.write().await?;
    let credential = take(service, &mut transaction, PassKind::SignInCode, code).await?;
    let caller = service.caller(credential);
    issue(
        service,
        transaction,
        &caller,
        Operation::SignIn,
        PassKind::Session,
    )
    .await
}

/// Returns the token that a session stands for. Each operation checks whether that token is valid.
///
/// # Errors
///
/// Returns [`Error::SessionEnded`] if there is no such session or it has expired.
pub async fn session_credential(service: &Service, session: &Pass) -> Result<Credential> {
    let hash = session.hash(service.pass_binding.as_ref());
    let now = service.clock.now();
    let found = service.database.session_credential(&hash, now).await?;
    found.ok_or(Error::SessionEnded)
}

/// Ends a session. A session that has ended already stays so.
///
/// # Errors
///
/// Fails if the database does.
pub async fn sign_out(service: &Service, session: &Pass) -> Result<()> {
    retry(|_| sign_out_once(service, session)).await
}

async fn sign_out_once(service: &Service, session: &Pass) -> Result<()> {
    let mut transaction = service.database.write().await?;
    match take(service, &mut transaction, PassKind::Session, session).await {
        Ok(_) => {
            let deed = service.database.upkeep(task::Passes).unaudited();
            commit(service, transaction, deed).await
        }
        Err(Error::UnknownCode) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn take(
    service: &Service,
    transaction: &mut Transaction,
    kind: PassKind,
    pass: &Pass,
) -> Result<Credential> {
    let upkeep = service.database.upkeep(task::Passes);
    let (hash, now) = (
        pass.hash(service.pass_binding.as_ref()),
        service.clock.now(),
    );
    let taken = upkeep.pass_take(transaction, kind, &hash, now).await?;
    taken.ok_or(Error::UnknownCode)
}

async fn issue_once(
    service: &Service,
    credential: Credential,
    operation: Operation,
    kind: PassKind,
) -> Result<IssuedPass> {
    let transaction = service.database.write().await?;
    let caller = service.caller(credential);
    issue(service, transaction, &caller, operation, kind).await
}

/// Checks the caller, inserts a pass and commits.
async fn issue(
    service: &Service,
    mut transaction: Transaction,
    caller: &Caller,
    operation: Operation,
    kind: PassKind,
) -> Result<IssuedPass> {
    let account: Granted<object::Account, right::Write> =
        transaction.grant_account(caller, operation).await?;
    let pass = Pass::new(rand::random());
    let expires_at = caller.now.after(kind.lifetime());
    let new = NewPass {
        kind,
        secret_hash: pass.hash(service.pass_binding.as_ref()),
        created_at: caller.now,
        expires_at,
    };
    if !account.pass_insert(&mut transaction, &new).await? {
        return Err(Error::Busy(
            "too many people are signed in at this server; try again later",
        ));
    }
    let deed = account.deed([AuditObject::Token(caller.credential.id)], []);
    commit(service, transaction, deed).await?;
    Ok(IssuedPass { pass, expires_at })
}
