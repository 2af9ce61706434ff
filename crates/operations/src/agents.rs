//! Agents: an owner creates, reads and deletes them, and rotates their tokens. What an agent does itself is in
//! [`crate::pushes`].

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use ctxpin_model::access::{Actor, Operation, Scope, Scopes};
use ctxpin_model::agent::{AgentCounts, AgentRecord, AgentState, Head};
use ctxpin_model::agent::{AgentRequest, Replaces};
use ctxpin_model::audit::AuditObject;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::{AgentId, TokenId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{IdCursor, Page, PageRequest};
use ctxpin_model::quota::Stock;
use ctxpin_model::token::{Credential, Token};
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_model::warning::Note;
use ctxpin_store::agents::NewAgent;
use ctxpin_store::database::Transaction;
use ctxpin_store::deed::Deed;
use ctxpin_store::grant::{Caller, Granted, object, right};
use ctxpin_store::tokens::{Holder, NewToken};

use crate::error::{Error, Result};
use crate::frame::{commit, read_account, read_agent_bodies, write, write_account};
use crate::pushes::{lock_agent, require_not_replaced};
use crate::quotas::require_room;
use crate::service::Service;

/// Creates an agent of the caller, and returns it with its token. The server does not keep the token.
///
/// # Errors
///
/// Returns [`Error::QuotaExceeded`](crate::error::Error::QuotaExceeded) if the caller has too many agents,
/// [`Error::AgentReplaced`](crate::error::Error::AgentReplaced) if the agent to replace was replaced already, and
/// [`Error::Store`](crate::error::Error::Store) if the caller is no member or does not own the agent to replace.
pub async fn create(
    service: &Service,
    credential: Credential,
    request: &AgentRequest,
) -> Result<(AgentRecord, Token)> {
    write(service, credential, Operation::AgentCreate, None, |_| {
        create_once(service, credential, request)
    })
    .await
}

async fn create_once(
    service: &Service,
    credential: Credential,
    request: &AgentRequest,
) -> Result<(AgentRecord, Token)> {
    let caller = service.caller(credential);
    let (mut transaction, account) =
        write_account(service, &caller, Operation::AgentCreate).await?;
    let token = Token::new(TokenId::generate(caller.now), rand::random());
    let new = token.credential();
    let (granted, deed) =
        insert(service, &mut transaction, &caller, &account, request, new).await?;
    let created = granted.agent(&mut transaction).await?;
    commit(service, transaction, deed).await?;
    Ok((created, token))
}

/// Inserts an agent of the caller with its token.
///
/// # Errors
///
/// Returns the errors of [`create`].
pub(crate) async fn insert(
    service: &Service,
    transaction: &mut Transaction,
    caller: &Caller,
    account: &Granted<object::Account, right::Write>,
    request: &AgentRequest,
    token: Credential,
) -> Result<(Granted<object::Agent, right::Write>, Deed)> {
    let replaces = replaced(transaction, caller, account, request).await?;
    let owner = account.owner();
    let longest = account.own_token_lock(transaction).await?;
    let (stock, now) = (Stock::Agents, caller.now);
    require_room(service, transaction, account, owner, stock, now).await?;
    let agent = NewAgent {
        id: AgentId::generate(caller.now),
        workspace: request.workspace.clone(),
        name: request.name.clone(),
        may_refresh: request.may_refresh,
        replaces,
        profile: request.profile,
        home: request.home.clone(),
        created_at: caller.now,
    };
    let granted = account.agent_insert(transaction, &agent).await?;
    let deed = replace_token(transaction, &granted, token, longest, now).await?;
    Ok((granted, deed))
}

/// Returns the agent that a new one replaces, if there is one.
///
/// # Errors
///
/// Returns [`Error::AgentReplaced`](crate::error::Error::AgentReplaced) if it was replaced already, and
/// [`Error::Store`](crate::error::Error::Store) if the caller does not own it.
pub(crate) async fn replaced(
    transaction: &mut Transaction,
    caller: &Caller,
    account: &Granted<object::Account, right::Write>,
    request: &AgentRequest,
) -> Result<Option<AgentId>> {
    match request.replaces {
        None => Ok(None),
        Some(Replaces::Same) => Ok(account.agent_same(transaction, request).await?),
        Some(Replaces::Agent(agent)) => {
            let old = transaction
                .grant_agent(caller, Operation::AgentUse, agent)
                .await?;
            require_not_replaced(old.record()?)?;
            Ok(Some(agent))
        }
    }
}

/// Returns whether the actor's token may create tokens that outlive it.
fn may_provision(actor: &Actor) -> bool {
    matches!(actor, Actor::User { scopes, .. } if scopes.has(Scope::Provision))
}

/// Inserts a token for an agent and deletes the previous one. The new token expires at `longest`, the expiry of
/// the caller's token, unless the caller's token has the scope `provision`.
async fn replace_token(
    transaction: &mut Transaction,
    granted: &Granted<object::Agent, right::Write>,
    token: Credential,
    longest: Option<Moment>,
    now: Moment,
) -> Result<Deed> {
    let new_token = NewToken {
        credential: token,
        holder: Holder::Agent(granted.id()),
        label: None,
        scopes: Scopes::default(),
        created_at: now,
        expires_at: longest.filter(|_| !may_provision(granted.actor())),
    };
    Ok(granted.agent_token_set(transaction, &new_token).await?)
}

/// Replaces the token of an agent, and returns the agent with the new token, which the server does not keep.
/// The agent's timeline and its chats stay.
///
/// # Errors
///
/// Returns [`Error::AgentReplaced`](crate::error::Error::AgentReplaced) if another agent has replaced this one, and
/// [`Error::Store`](crate::error::Error::Store) if the caller does not own the agent.
pub async fn token_rotate(
    service: &Service,
    credential: Credential,
    agent: AgentId,
) -> Result<(AgentRecord, Token)> {
    let object = Some(AuditObject::Agent(agent));
    write(
        service,
        credential,
        Operation::AgentTokenRotate,
        object,
        |_| token_rotate_once(service, credential, agent),
    )
    .await
}

async fn token_rotate_once(
    service: &Service,
    credential: Credential,
    agent: AgentId,
) -> Result<(AgentRecord, Token)> {
    let caller = service.caller(credential);
    let sighting = service
        .database
        .sight_agent(&caller, Operation::AgentTokenRotate, agent)
        .await?;
    let mut transaction = service.database.write().await?;
    let granted = lock_agent(&mut transaction, &caller, sighting).await?;
    require_not_replaced(granted.record()?)?;
    let longest = granted.own_token_lock(&mut transaction).await?;
    let now = caller.now;
    let token = Token::new(TokenId::generate(now), rand::random());
    let new = token.credential();
    let deed = replace_token(&mut transaction, &granted, new, longest, now).await?;
    let rotated = granted.agent(&mut transaction).await?;
    commit(service, transaction, deed).await?;
    Ok((rotated, token))
}

/// Returns a page of the agents that the caller may read, newest first.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the token may not read.
pub async fn list(
    service: &Service,
    credential: Credential,
    page: &PageRequest<IdCursor>,
) -> Result<Page<AgentRecord, IdCursor>> {
    let (mut transaction, account) =
        read_account(service, credential, Operation::AgentList).await?;
    Ok(account.agents(&mut transaction, None, page).await?)
}

/// Returns a page of the agents that the caller may read and that are in a state, or in any for `None`, newest first,
/// with the numbers of agents in each state.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the token may not read.
pub async fn list_by_state(
    service: &Service,
    credential: Credential,
    state: Option<AgentState>,
    page: &PageRequest<IdCursor>,
) -> Result<(Page<AgentRecord, IdCursor>, AgentCounts)> {
    let (mut transaction, account) =
        read_account(service, credential, Operation::AgentList).await?;
    let agents = account.agents(&mut transaction, state, page).await?;
    Ok((agents, account.agent_counts(&mut transaction).await?))
}

/// Returns how many resources of these agents' heads are too large, unreadable or invalid. Leaves out heads without any.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the token may not read.
pub async fn unusable_counts(
    service: &Service,
    credential: Credential,
    agents: &[AgentRecord],
) -> Result<BTreeMap<SnapshotId, u64>> {
    let (mut transaction, account) =
        read_account(service, credential, Operation::AgentList).await?;
    Ok(account.unusable_counts(&mut transaction, agents).await?)
}

/// An agent with the notes on its workspace.
#[derive(Debug, Clone)]
pub struct AgentView {
    pub agent: AgentRecord,
    /// The notes that concern no single resource. Empty if the caller may not read bodies.
    pub notes: Vec<Note>,
}

impl Deref for AgentView {
    type Target = AgentRecord;

    fn deref(&self) -> &AgentRecord {
        &self.agent
    }
}

/// Returns an agent.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the caller may not see the agent.
pub async fn read(service: &Service, credential: Credential, agent: AgentId) -> Result<AgentView> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let granted = transaction
        .grant_agent(&caller, Operation::AgentRead, agent)
        .await?;
    let notes = granted.notes(&mut transaction).await?;
    let agent = granted.record()?.clone();
    Ok(AgentView { agent, notes })
}

/// Returns a page of an agent's timeline, newest first.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the caller may not see the agent.
pub async fn heads(
    service: &Service,
    credential: Credential,
    agent: AgentId,
    page: &PageRequest<i64>,
) -> Result<Page<Head, i64>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let granted = transaction
        .grant_agent(&caller, Operation::HeadList, agent)
        .await?;
    Ok(granted.heads(&mut transaction, page).await?)
}

/// Returns the snapshot of the agent's head, without its texts. `None` before the first accepted push.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the caller may not read the bodies of the agent's heads.
pub async fn head_snapshot(
    service: &Service,
    credential: Credential,
    agent: AgentId,
) -> Result<Option<Arc<TreatedSnapshot>>> {
    let (mut transaction, granted) =
        read_agent_bodies(service, credential, Operation::DiffRead, agent).await?;
    let Some(head) = granted.record()?.head else {
        return Ok(None);
    };
    let snapshot = granted.snapshot(&mut transaction, head.snapshot).await?;
    snapshot.map(Some).ok_or(Error::NotFound("snapshot"))
}

/// Deletes an agent with its timeline and its token. Its chats keep their pins and their history.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the caller does not own the agent.
pub async fn delete(service: &Service, credential: Credential, agent: AgentId) -> Result<()> {
    let object = Some(AuditObject::Agent(agent));
    write(service, credential, Operation::AgentDelete, object, |_| {
        delete_once(service, credential, agent)
    })
    .await
}

async fn delete_once(service: &Service, credential: Credential, agent: AgentId) -> Result<()> {
    let caller = service.caller(credential);
    let sighting = service
        .database
        .sight_agent(&caller, Operation::AgentDelete, agent)
        .await?;
    let mut transaction = service.database.write().await?;
    let granted = lock_agent(&mut transaction, &caller, sighting).await?;
    granted.lock_chats(&mut transaction).await?;
    granted.delete(&mut transaction, caller.now).await?;
    commit(service, transaction, granted.deed()).await?;
    Ok(())
}
