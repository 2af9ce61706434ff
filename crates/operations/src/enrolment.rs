//! Enrolment: a person makes a one-time code, and an agent exchanges it for itself. The agent draws the secret of
//! its token, so the secret never travels, and a repeated exchange has the same result.

use ctxpin_model::access::Operation;
use ctxpin_model::agent::{AgentRecord, AgentRequest};
use ctxpin_model::audit::AuditObject;
use ctxpin_model::enrolment::{EnrolRequest, Enrolment, EnrolmentCode, EnrolmentCodeRecord};
use ctxpin_model::id::{AgentId, EnrolmentCodeId, TokenId};
use ctxpin_model::moment::Moment;
use ctxpin_model::pass::PassKind;
use ctxpin_model::token::Credential;
use ctxpin_store::enrolment_codes::NewEnrolmentCode;
use ctxpin_store::grant::{Granted, object, right};
use ctxpin_store::passes::{InsertedPass, NewPass};

use crate::agents;
use crate::error::{Error, Result};
use crate::frame::{commit, write, write_account};
use crate::service::Service;
use crate::sign_in::require_may_issue;

/// A new enrolment code. This is the only time that it is known.
#[derive(Debug, Clone)]
pub struct IssuedEnrolmentCode {
    pub code: EnrolmentCode,
    pub expires_at: Moment,
}

/// Makes a one-time code with which an agent creates itself as this request says.
///
/// # Errors
///
/// Returns [`Error::QuotaExceeded`] if the token makes too many codes and sessions, [`Error::AgentReplaced`] if the agent
/// to replace was replaced already, and [`Error::Store`] if the caller may not create agents or does not own the agent
/// to replace.
pub async fn code_create(
    service: &Service,
    credential: Credential,
    request: &AgentRequest,
) -> Result<IssuedEnrolmentCode> {
    let operation = Operation::EnrolmentCodeCreate;
    require_may_issue(service, credential, operation).await?;
    write(service, credential, operation, None, |_| {
        code_create_once(service, credential, request)
    })
    .await
}

async fn code_create_once(
    service: &Service,
    credential: Credential,
    request: &AgentRequest,
) -> Result<IssuedEnrolmentCode> {
    let caller = service.caller(credential);
    let (mut transaction, account) =
        write_account(service, &caller, Operation::EnrolmentCodeCreate).await?;
    agents::replaced(&mut transaction, &caller, &account, request).await?;
    let code = EnrolmentCode::new(rand::random());
    let secret_hash = code.credential().secret_hash;
    let pass = NewPass {
        kind: PassKind::EnrolmentCode,
        secret_hash,
        browser: None,
        process: None,
        created_at: caller.now,
        expires_at: caller.now.after(PassKind::EnrolmentCode.lifetime()),
    };
    let InsertedPass { expires_at, .. } = account.pass_insert(&mut transaction, &pass).await?;
    let new = NewEnrolmentCode {
        id: code.id(),
        secret_hash,
        request,
    };
    account
        .enrolment_code_insert(&mut transaction, &new)
        .await?;
    let deed = account.deed([AuditObject::Token(credential.id)], []);
    commit(service, transaction, deed).await?;
    Ok(IssuedEnrolmentCode { code, expires_at })
}

/// Returns the caller's code of this id, without its secret.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if there is none or it has expired, and [`Error::Store`] if the token may not read.
pub async fn code_read(
    service: &Service,
    credential: Credential,
    id: EnrolmentCodeId,
) -> Result<EnrolmentCodeRecord> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    // It says no more than the list of the caller's agents.
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::AgentList)
        .await?;
    let code = account
        .enrolment_code(&mut transaction, id, caller.now)
        .await?;
    code.ok_or(Error::NotFound("enrolment code"))
}

/// Exchanges a code for an agent whose token has a secret with the hash of the request. Returns the agent and the id of its
/// token. Until the code expires, a repeated exchange with the same hash returns the same agent.
///
/// # Errors
///
/// Returns [`Error::UnknownEnrolmentCode`] if the code has expired, never existed, or its maker's token is not valid
/// any more; [`Error::WrongCode`] if the code was made for another profile; [`Error::EnrolmentCodeUsed`] if the code has made an agent with another secret; and the errors of
/// [`agents::create`].
pub async fn enrol(service: &Service, request: &EnrolRequest) -> Result<(AgentRecord, TokenId)> {
    // A stranger who guesses gets no further, and takes no lock.
    let found = find(service, &request.code).await?;
    let (made_by, made_for) = (found.made_by, found.request.profile);
    if made_for != request.profile {
        return Err(Error::WrongCode {
            made_for,
            asked: request.profile,
        });
    }
    let operation = Operation::AgentEnrol;
    let enrolled = write(service, made_by, operation, None, |_| {
        enrol_once(service, &request.code, request.secret_hash)
    });
    match enrolled.await {
        Err(Error::Store(ctxpin_store::error::Error::Unauthenticated)) => {
            Err(Error::UnknownEnrolmentCode)
        }
        enrolled => enrolled,
    }
}

async fn find(service: &Service, code: &EnrolmentCode) -> Result<Enrolment> {
    let (hash, now) = (code.credential().secret_hash, service.clock.now());
    let found = service.database.enrolment(&hash, now).await?;
    found.ok_or(Error::UnknownEnrolmentCode)
}

async fn enrol_once(
    service: &Service,
    code: &EnrolmentCode,
    secret_hash: [u8; 32],
) -> Result<(AgentRecord, TokenId)> {
    let found = find(service, code).await?;
    if let Some(agent) = found.agent {
        return repeated(service, found.made_by, agent, secret_hash).await;
    }
    let caller = service.caller(found.made_by);
    let (mut transaction, account) = write_account(service, &caller, Operation::AgentEnrol).await?;
    let token = Credential {
        id: TokenId::generate(caller.now),
        secret_hash,
        is_session: false,
    };
    let (agent, deed) = agents::insert(
        service,
        &mut transaction,
        &caller,
        &account,
        &found.request,
        token,
    )
    .await?;
    if !agent.enrolment_code_use(&mut transaction, found.id).await? {
        return Err(Error::overtaken());
    }
    let enrolled = agent.agent(&mut transaction).await?;
    commit(service, transaction, deed).await?;
    Ok((enrolled, token.id))
}

/// Returns the agent that a code has made, to the holder of the agent's token.
async fn repeated(
    service: &Service,
    made_by: Credential,
    agent: AgentId,
    secret_hash: [u8; 32],
) -> Result<(AgentRecord, TokenId)> {
    let caller = service.caller(made_by);
    let mut transaction = service.database.read().await?;
    let agent = transaction
        .grant_agent(&caller, Operation::AgentUse, agent)
        .await?;
    let token = agent
        .token_with_secret(&mut transaction, &secret_hash)
        .await?;
    let token = token.ok_or(Error::EnrolmentCodeUsed)?;
    Ok((agent.record()?.clone(), token))
}
