//! Signing in to the web page, and one-time codes. A session stands for a token: its requests act with the
//! token's scopes, and it ends with the token.

use ctxpin_model::access::{Operation, require_no_wider};
use ctxpin_model::audit::AuditObject;
use ctxpin_model::moment::Moment;
use ctxpin_model::pass::{Pass, PassKind, SessionRecord};
use ctxpin_model::quota::Rate;
use ctxpin_model::token::Credential;
use ctxpin_model::user::UserRecord;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Caller, Granted, object, right, task};
use ctxpin_store::passes::{NewPass, PassHolder};

use crate::error::{Error, Result};
use crate::frame::{audited, commit, read_account, retry, write, write_account};
use crate::people;
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
/// Returns [`Error::QuotaExceeded`] if the token makes too many sessions and codes, and [`Error::Store`] if it is not
/// a user's.
pub async fn sign_in_code(service: &Service, credential: Credential) -> Result<IssuedPass> {
    let (operation, kind) = (Operation::SignInCodeCreate, PassKind::SignInCode);
    issue(service, credential, operation, kind, None).await
}

/// Starts a session of the caller's token.
///
/// # Errors
///
/// Returns [`Error::QuotaExceeded`] if the token makes too many sessions and codes, and [`Error::Store`] if it is not
/// a user's.
pub async fn with_token(
    service: &Service,
    credential: Credential,
    browser: Option<&str>,
) -> Result<IssuedPass> {
    // Only the web page asks for sessions.
    let by_page = Credential {
        is_session: true,
        ..credential
    };
    let (operation, kind) = (Operation::SignIn, PassKind::Session);
    issue(service, by_page, operation, kind, browser).await
}

/// Takes a one-time code and starts a session of its token.
///
/// # Errors
///
/// Returns [`Error::UnknownCode`] if the code was used, has expired, has ended with its token or never existed.
pub async fn with_code(
    service: &Service,
    code: &Pass,
    browser: Option<&str>,
) -> Result<IssuedPass> {
    retry(|_| with_code_once(service, code, browser)).await
}

/// Returns the user whom a one-time code signs in. The code stays valid.
///
/// # Errors
///
/// Returns [`Error::UnknownCode`] if the code was used, has expired, has ended with its token or never existed.
pub async fn code_user(service: &Service, code: &Pass) -> Result<UserRecord> {
    let found = holder(service, PassKind::SignInCode, code).await?;
    let found = found.ok_or(Error::UnknownCode)?;
    Ok(people::me(service, found.credential).await?.0)
}

async fn with_code_once(
    service: &Service,
    code: &Pass,
    browser: Option<&str>,
) -> Result<IssuedPass> {
    // What a stranger made up must not wait for the only transaction that writes.
    let found = holder(service, PassKind::SignInCode, code).await?;
    let caller = service.caller(found.ok_or(Error::UnknownCode)?.credential);
    let (mut transaction, account) = write_account(service, &caller, Operation::SignIn).await?;
    let taken = take(service, &mut transaction, PassKind::SignInCode, code).await?;
    taken.ok_or(Error::UnknownCode)?;
    let made = (PassKind::Session, browser);
    insert(service, transaction, &account, &caller, made).await
}

/// Returns the token that a session stands for. Each operation checks whether that token is valid.
///
/// # Errors
///
/// Returns [`Error::SessionEnded`] if there is no such session or it has expired.
pub async fn session_credential(service: &Service, session: &Pass) -> Result<Credential> {
    let lookup = service.wakes.sessions.look_up();
    let found = holder(service, PassKind::Session, session).await?;
    let found = found.ok_or(Error::SessionEnded)?;
    let hash = session.hash(service.pass_binding.as_ref());
    let now = service.clock.now();
    service.wakes.sessions.keep(&lookup, hash, found, now);
    Ok(found.credential)
}

/// Returns the token that a session stands for, if the session was looked up within the last seconds and has not
/// ended since.
pub fn known_session(service: &Service, session: &Pass) -> Option<Credential> {
    let hash = session.hash(service.pass_binding.as_ref());
    let known = service.wakes.sessions.get(&hash, service.clock.now())?;
    Some(known.credential)
}

async fn holder(service: &Service, kind: PassKind, pass: &Pass) -> Result<Option<PassHolder>> {
    let hash = pass.hash(service.pass_binding.as_ref());
    let now = service.clock.now();
    Ok(service.database.pass_holder(kind, &hash, now).await?)
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
    if holder(service, PassKind::Session, session).await?.is_none() {
        return Ok(());
    }
    let mut transaction = service.database.write().await?;
    match take(service, &mut transaction, PassKind::Session, session).await? {
        Some(ended) => {
            let deed = service.database.upkeep(task::Passes);
            commit(service, transaction, deed.session_ended(ended.user)).await
        }
        None => Ok(()),
    }
}

/// Returns the sessions of the caller's user, the newest first.
///
/// # Errors
///
/// Returns [`Error::Store`] if the token may not read.
pub async fn sessions(service: &Service, credential: Credential) -> Result<Vec<SessionRecord>> {
    let (mut transaction, account) =
        read_account(service, credential, Operation::TokenList).await?;
    let process = service.process();
    Ok(account
        .own_sessions(&mut transaction, process.as_ref())
        .await?)
}

/// The sessions that an operation ends.
#[derive(Debug, Clone)]
pub enum Ended<'s> {
    /// The one with this key ([`SessionRecord::key`]).
    Keyed(&'s str),
    /// All but this one, as far as their tokens have no more scopes than the caller's.
    Others(&'s Pass),
}

/// Ends sessions of the caller's user, and returns how many. Their open pages notice it at once.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if the user has no session with the key, and [`Error::Store`] if the caller's token may
/// not revoke tokens, or not one with the scopes of the session's.
pub async fn sessions_end(
    service: &Service,
    credential: Credential,
    ended: Ended<'_>,
) -> Result<u64> {
    // To end a session takes what a token gives, as its revocation does.
    let operation = Operation::TokenRevoke;
    write(service, credential, operation, None, |_| {
        sessions_end_once(service, credential, &ended)
    })
    .await
}

async fn sessions_end_once(
    service: &Service,
    credential: Credential,
    ended: &Ended<'_>,
) -> Result<u64> {
    let caller = service.caller(credential);
    let (mut transaction, account) =
        write_account(service, &caller, Operation::TokenRevoke).await?;
    let own = people::scopes_of(account.actor());
    let process = service.process();
    let mut sessions = account
        .own_sessions(&mut transaction, process.as_ref())
        .await?;
    match ended {
        Ended::Keyed(key) => {
            sessions.retain(|session| session.key() == **key);
            let session = sessions.first().ok_or(Error::NotFound("session"))?;
            require_no_wider(own, session.scopes).map_err(ctxpin_store::error::Error::Forbidden)?;
        }
        Ended::Others(kept) => {
            let kept = kept.hash(service.pass_binding.as_ref());
            sessions
                .retain(|session| session.hash != kept && own.lacking(session.scopes).is_none());
        }
    }
    if sessions.is_empty() {
        return Ok(0);
    }
    let hashes: Vec<_> = sessions.iter().map(|session| session.hash).collect();
    let count = account.sessions_end(&mut transaction, &hashes).await?;
    commit(service, transaction, account.sessions_ended()).await?;
    Ok(count)
}

/// Returns whether a record is that of a session.
pub fn is_of(service: &Service, record: &SessionRecord, session: &Pass) -> bool {
    record.hash == session.hash(service.pass_binding.as_ref())
}

async fn take(
    service: &Service,
    transaction: &mut Transaction,
    kind: PassKind,
    pass: &Pass,
) -> Result<Option<PassHolder>> {
    let upkeep = service.database.upkeep(task::Passes);
    let hash = pass.hash(service.pass_binding.as_ref());
    let now = service.clock.now();
    Ok(upkeep.pass_take(transaction, kind, &hash, now).await?)
}

/// Checks the caller and the rate, and then makes a pass. A caller who fails a check causes no transaction that
/// writes.
async fn issue(
    service: &Service,
    credential: Credential,
    operation: Operation,
    kind: PassKind,
    browser: Option<&str>,
) -> Result<IssuedPass> {
    require_may_issue(service, credential, operation).await?;
    write(service, credential, operation, None, |_| async move {
        let caller = service.caller(credential);
        let (transaction, account) = write_account(service, &caller, operation).await?;
        insert(service, transaction, &account, &caller, (kind, browser)).await
    })
    .await
}

/// Checks the caller and the rate of passes, without a transaction that writes.
///
/// # Errors
///
/// Returns [`Error::QuotaExceeded`] if the token makes too many passes, and the refusal if it may not make this one.
pub(crate) async fn require_may_issue(
    service: &Service,
    credential: Credential,
    operation: Operation,
) -> Result<()> {
    let caller = service.caller(credential);
    let identified = service.database.identify(&caller, Some(operation)).await;
    let identified = identified.map_err(Error::from);
    audited(service, credential, operation, None, identified).await?;
    service.require_rate(Rate::SignIns, credential.id.uuid(), 1, caller.now)
}

/// Inserts a pass and commits.
async fn insert(
    service: &Service,
    mut transaction: Transaction,
    account: &Granted<object::Account, right::Write>,
    caller: &Caller,
    (kind, browser): (PassKind, Option<&str>),
) -> Result<IssuedPass> {
    let pass = Pass::new(rand::random());
    let new = NewPass {
        kind,
        browser: browser.map(str::to_owned),
        process: service.process(),
        secret_hash: pass.hash(service.pass_binding.as_ref()),
        created_at: caller.now,
        expires_at: caller.now.after(kind.lifetime()),
    };
    let inserted = account.pass_insert(&mut transaction, &new).await?;
    let deed = account.deed([AuditObject::Token(caller.credential.id)], inserted.wakes);
    commit(service, transaction, deed).await?;
    let expires_at = inserted.expires_at;
    Ok(IssuedPass { pass, expires_at })
}
