//! Agents, as their owners see them.

use std::ops::Deref;

use ctxpin_model::access::{Actor, Operation, Scope, Scopes};
use ctxpin_model::agent::{AgentRecord, Head};
use ctxpin_model::agent::{AgentRequest, Replaces};
use ctxpin_model::audit::AuditObject;
use ctxpin_model::id::{AgentId, TokenId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{IdCursor, Page, PageRequest};
use ctxpin_model::quota::Stock;
use ctxpin_model::token::{Credential, Token};
use ctxpin_model::warning::Note;
use ctxpin_store::agents::NewAgent;
use ctxpin_store::database::Transaction;
use ctxpin_store::deed::Deed;
use ctxpin_store::grant::{Granted, object, right};
use ctxpin_store::tokens::{Holder, NewToken};

use crate::error::Result;
use crate::frame::{commit, write};
use crate::pushes::{demand_in_force, lock_one};
use crate::quotas::demand_room;
use crate::service::Service;

/// Creates an agent of the caller. The token is in the answer and nowhere else.
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
    let mut transaction = service.database.write().await?;
    let account: Granted<object::Account, right::Write> = transaction
        .grant_account(&caller, Operation::AgentCreate)
        .await?;
    let replaces = match request.replaces {
        None => None,
        Some(Replaces::Same) => {
            account
                .agent_same(&mut transaction, &request.workspace, &request.name)
                .await?
        }
        Some(Replaces::Agent(agent)) => {
            let old = transaction
                .grant_agent(&caller, Operation::AgentUse, agent)
                .await?;
            demand_in_force(old.record()?)?;
            Some(agent)
        }
    };
    let owner = account.owner();
    let longest = account.own_token_hold(&mut transaction).await?;
    let (stock, now) = (Stock::Agents, caller.now);
    demand_room(service, &mut transaction, &account, owner, stock, now).await?;
    let agent = NewAgent {
        id: AgentId::generate(caller.now),
        workspace: request.workspace.clone(),
        name: request.name.clone(),
        may_refresh: request.may_refresh,
        replaces,
        created_at: caller.now,
    };
    let granted = account.agent_insert(&mut transaction, &agent).await?;
    let (token, deed) = token_set(&mut transaction, &granted, longest, caller.now).await?;
    let created = granted.agent(&mut transaction).await?;
    commit(service, transaction, deed).await?;
    Ok((created, token))
}

/// Whether an actor's token is there to set up what stays.
fn provisions(actor: &Actor) -> bool {
    matches!(actor, Actor::User { scopes, .. } if scopes.has(Scope::Provision))
}

/// Makes a token for an agent; the one that it had ends at once. It expires with the caller's own, at
/// `longest`, unless that one may provision: whoever has a token for a while has no agent for longer.
async fn token_set(
    transaction: &mut Transaction,
    granted: &Granted<object::Agent, right::Write>,
    longest: Option<Moment>,
    now: Moment,
) -> Result<(Token, Deed)> {
    let token = Token::new(TokenId::generate(now), rand::random());
    let new_token = NewToken {
        credential: token.credential(),
        holder: Holder::Agent(granted.id()),
        label: None,
        scopes: Scopes::default(),
        created_at: now,
        expires_at: longest.filter(|_| !provisions(granted.actor())),
    };
    let deed = granted.agent_token_set(transaction, &new_token).await?;
    Ok((token, deed))
}

/// Gives an agent of the caller another token, and ends the one that it had. The agent, its timeline and its
/// chats stay. The token is in the answer and nowhere else.
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
    let granted = lock_one(&mut transaction, &caller, sighting).await?;
    demand_in_force(granted.record()?)?;
    let longest = granted.own_token_hold(&mut transaction).await?;
    let (token, deed) = token_set(&mut transaction, &granted, longest, caller.now).await?;
    let rotated = granted.agent(&mut transaction).await?;
    commit(service, transaction, deed).await?;
    Ok((rotated, token))
}

/// Lists the agents that the caller may read, newest first.
pub async fn list(
    service: &Service,
    credential: Credential,
    page: &PageRequest<IdCursor>,
) -> Result<Page<AgentRecord, IdCursor>> {
    let mut transaction = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&service.caller(credential), Operation::AgentList)
        .await?;
    Ok(account.agents(&mut transaction, page).await?)
}

/// An agent with what there is to know of its workspace.
#[derive(Debug, Clone)]
pub struct AgentView {
    /// The agent.
    pub agent: AgentRecord,
    /// What no resource tells; empty for whoever is not its owner.
    pub notes: Vec<Note>,
}

impl Deref for AgentView {
    type Target = AgentRecord;

    fn deref(&self) -> &AgentRecord {
        &self.agent
    }
}

/// Reads an agent.
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

/// Reads an agent's timeline, newest first.
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

/// Deletes an agent with its timeline and its token. Its chats keep their pins and their history.
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
    let granted = lock_one(&mut transaction, &caller, sighting).await?;
    granted.lock_chats(&mut transaction).await?;
    granted.delete(&mut transaction, caller.now).await?;
    commit(service, transaction, granted.deed()).await?;
    Ok(())
}
