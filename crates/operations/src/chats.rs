//! Chats: a user creates, reads, changes and deletes them. How pins move on request is in [`crate::pins`].

use std::collections::BTreeMap;

use ctxpin_model::access::Operation;
use ctxpin_model::agent::AgentRecord;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::chat::{
    ChatChange, ChatCounts, ChatCreate, ChatFilter, ChatNames, ChatPlace, ChatRecord, ChatSummary,
    ChatsPart,
};
use ctxpin_model::drift::Hashes;
use ctxpin_model::id::{AgentId, ChatId, UserId};
use ctxpin_model::mode::Mode;
use ctxpin_model::page::{IdCursor, ListPart, Page, PageRequest};
use ctxpin_model::pin::{Reason, Rendered, Step, Target, step};
use ctxpin_model::policy::Policy;
use ctxpin_model::quota::{Rate, Stock};
use ctxpin_model::token::Credential;
use ctxpin_store::database::Transaction;
use ctxpin_store::deed::Deed;
use ctxpin_store::grant::{Caller, Granted, Sighting, object, right};

use crate::error::{Error, Result};
use crate::frame::{ATTEMPT_UNDER_LOCKS, commit, read_account, read_chat, write};
use crate::ground::Ground;
use crate::moves::{Cause, write_move};
use crate::prompts::{Prompt, RENDERING_TIME_MAX, Source};
use crate::pushes::require_not_replaced;
use crate::quotas::require_room;
use crate::service::Service;

/// Creates a chat, or finds the caller's chat of the same client and reference. Returns whether it is new.
///
/// # Errors
///
/// Returns [`Error::Invalid`] for a reference without a client, or an agent that is not the parent's;
/// [`Error::ObservedChat`] for an observed chat with a policy that moves its pin; [`Error::QuotaExceeded`] if the caller has too many chats; [`Error::AgentReplaced`] if the agent was replaced;
/// and [`Error::Store`] if the caller is no member, or does not own the agent or the parent.
pub async fn create(
    service: &Service,
    credential: Credential,
    request: &ChatCreate,
) -> Result<(ChatRecord, bool)> {
    if request.reference.is_some() && request.client.is_none() {
        return Err(Error::Invalid(
            "a `reference` is a client's own name for the chat, so it needs `client` too".into(),
        ));
    }
    write(
        service,
        credential,
        Operation::ChatCreate,
        None,
        |attempt| create_once(service, credential, request, attempt),
    )
    .await
}

/// The parent and the agent of a new chat, read before the writing transaction.
#[derive(Default)]
struct Origin {
    parent: Option<Sighting<ChatId>>,
    agent: Option<AgentOrigin>,
}

/// The agent of a binding, with the prompt of its head.
struct AgentOrigin {
    sighting: Sighting<AgentId>,
    /// `None` if the agent has no head, or the chat's pin has its context already.
    head: Option<(Hashes, Prompt)>,
}

/// The agent of a binding, before the prompt of its head is rendered.
struct AgentSource {
    sighting: Sighting<AgentId>,
    user: UserId,
    head: Option<(Hashes, Source)>,
}

impl AgentSource {
    /// Renders the prompt unless it is kept. No transaction may be open meanwhile.
    async fn prepare(self, service: &Service) -> Result<AgentOrigin> {
        let head = match self.head {
            Some((hashes, source)) => {
                let (workshop, bytes) = (&service.workshop, source.weight());
                let render = move |_: &_| source.rendered();
                let rendered = workshop.work(self.user, bytes, RENDERING_TIME_MAX, render);
                Some((hashes, rendered.await?))
            }
            None => None,
        };
        Ok(AgentOrigin {
            sighting: self.sighting,
            head,
        })
    }
}

async fn create_once(
    service: &Service,
    credential: Credential,
    request: &ChatCreate,
    attempt: u32,
) -> Result<(ChatRecord, bool)> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let account = reading
        .grant_account(&caller, Operation::ChatCreate)
        .await?;
    if let Some(found) = find_by_reference(&account, &mut reading, request).await? {
        return Ok((found, false));
    }
    let (parent, agent) = read_origin(&mut reading, &caller, request).await?;
    let sighting = account.account_sighting();
    drop(reading);
    let origin = Origin {
        parent,
        agent: prepare_agent(service, agent).await?,
    };
    let mut transaction = service.database.write().await?;
    let locked = lock_origin(&mut transaction, &caller, &origin).await?;
    let account = transaction
        .grant_account_sighted(&caller, &sighting)
        .await?;
    if let Some(found) = find_by_reference(&account, &mut transaction, request).await? {
        return Ok((found, false));
    }
    let id = ChatId::generate(caller.now);
    let mode = request.mode.or(locked.mode).unwrap_or_default();
    require_allowed(mode, request.policy)?;
    let bound = ChatCreate {
        agent: locked.agent.as_ref().map(|agent| agent.id),
        mode: Some(mode),
        ..request.clone()
    };
    let quota_default = service.quotas.amounts.chats;
    let inserted = account.chat_insert(&mut transaction, id, &bound, caller.now, quota_default);
    let Some(granted) = inserted.await? else {
        let (stock, owner, now) = (Stock::Chats, account.owner(), caller.now);
        require_room(service, &mut transaction, &account, owner, stock, now).await?;
        // There was no room for the insert, but now there is.
        return Err(Error::overtaken());
    };
    let mut chat = granted.chat(&mut transaction).await?;
    let mut deed = granted.deed();
    if let Some((to, cause)) = locked.inherited {
        let cause = Cause {
            at: caller.now,
            unconfirmed: cause.unconfirmed && mode.is_observed(),
            ..cause
        };
        let to = Some(to);
        write_move(&mut transaction, &granted, &mut chat, to, &cause, &mut deed).await?;
    } else if let Some(agent) = &locked.agent {
        // The agent was not read if the parent had a pin then. The pin has been cleared since.
        let origin = origin.agent.as_ref().ok_or_else(Error::overtaken)?;
        let cause = Cause::of(Reason::Create, &chat, caller.now);
        let to = HeadMove {
            service,
            agent,
            origin,
            attempt,
        };
        to.pin(&mut transaction, &granted, &mut chat, &cause, &mut deed)
            .await?;
    }
    let created = granted.chat(&mut transaction).await?;
    commit(service, transaction, deed).await?;
    Ok((created, true))
}

async fn find_by_reference<R>(
    account: &Granted<object::Account, R>,
    transaction: &mut Transaction,
    request: &ChatCreate,
) -> Result<Option<ChatRecord>> {
    match (&request.client, &request.reference) {
        (Some(client), Some(reference)) => Ok(account
            .chat_of_reference(transaction, client, reference)
            .await?),
        _ => Ok(None),
    }
}

async fn read_origin(
    reading: &mut Transaction,
    caller: &Caller,
    request: &ChatCreate,
) -> Result<(Option<Sighting<ChatId>>, Option<AgentSource>)> {
    let Some(parent) = request.parent else {
        let agent = match request.agent {
            Some(agent) => Some(read_agent(reading, caller, agent, None).await?),
            None => None,
        };
        return Ok((None, agent));
    };
    let granted = reading
        .grant_chat_within(caller, Operation::ChatInherit, parent)
        .await?;
    let parent = granted.record()?;
    if request.agent.is_some() && request.agent != parent.agent {
        return Err(Error::Invalid(
            "a child chat has its parent's agent; leave `agent_id` out, or create the chat without a parent".into(),
        ));
    }
    let agent = match parent.agent.filter(|_| parent.pin.is_none()) {
        Some(agent) => Some(read_agent(reading, caller, agent, None).await?),
        None => None,
    };
    Ok((Some(granted.sighting()), agent))
}

async fn prepare_agent(
    service: &Service,
    seen: Option<AgentSource>,
) -> Result<Option<AgentOrigin>> {
    match seen {
        Some(seen) => Ok(Some(seen.prepare(service).await?)),
        None => Ok(None),
    }
}

/// Reads the agent of a binding, and the source of its head's prompt unless the chat's pin has that context
/// already.
async fn read_agent(
    reading: &mut Transaction,
    caller: &Caller,
    agent: AgentId,
    pinned: Option<&Hashes>,
) -> Result<AgentSource> {
    let granted = reading
        .grant_agent_within(caller, Operation::AgentUse, agent)
        .await?;
    let record = granted.record()?;
    require_not_replaced(record)?;
    let head = match record.head {
        Some(head) if pinned.is_none_or(|pinned| pinned.context != head.hashes.context) => {
            let source = Source::of_head(reading, &granted, head.hashes.context).await?;
            Some((head.hashes, source))
        }
        _ => None,
    };
    Ok(AgentSource {
        sighting: granted.sighting(),
        user: granted.works_for(),
        head,
    })
}

/// Checks that a chat of this mode may have the policy.
fn require_allowed(mode: Mode, policy: Policy) -> Result<()> {
    match mode.allows(policy) {
        true => Ok(()),
        false => Err(Error::ObservedChat),
    }
}

/// The agent, the mode and the inherited pin of a new chat, read under the locks.
#[derive(Default)]
struct LockedOrigin {
    agent: Option<AgentRecord>,
    /// The mode of the parent.
    mode: Option<Mode>,
    inherited: Option<((Target, Rendered), Cause)>,
}

async fn lock_origin(
    transaction: &mut Transaction,
    caller: &Caller,
    origin: &Origin,
) -> Result<LockedOrigin> {
    let Some(parent) = &origin.parent else {
        return match &origin.agent {
            Some(agent) => {
                let granted = transaction
                    .grant_agent_shared(caller, &agent.sighting)
                    .await?;
                let record = granted.record()?.clone();
                require_not_replaced(&record)?;
                Ok(LockedOrigin {
                    agent: Some(record),
                    ..LockedOrigin::default()
                })
            }
            None => Ok(LockedOrigin::default()),
        };
    };
    // This locks the parent's agent too, before the parent.
    let granted = transaction.grant_chat_shared(caller, parent, &[]).await?;
    let parent = granted.record()?.clone();
    let agent = match parent.agent {
        Some(agent) => {
            let granted = transaction
                .grant_agent(caller, Operation::AgentUse, agent)
                .await?;
            Some(granted.record()?.clone())
        }
        None => None,
    };
    let Some(pin) = &parent.pin else {
        return Ok(LockedOrigin {
            agent,
            mode: Some(parent.mode),
            inherited: None,
        });
    };
    let row = granted
        .history_at(transaction, parent.pin_seq)
        .await?
        .ok_or_else(Error::overtaken)?;
    let cause = Cause {
        agent: row.agent,
        mcp_settled: row.mcp_settled,
        unconfirmed: row.unconfirmed,
        ..Cause::of(Reason::Inherit, &parent, caller.now)
    };
    let target = Target {
        snapshot: pin.pin.snapshot,
        hashes: pin.pin.hashes,
    };
    Ok(LockedOrigin {
        agent,
        mode: Some(parent.mode),
        inherited: Some(((target, pin.pin.prompt), cause)),
    })
}

/// The move of a locked chat's pin to the head of a locked agent.
struct HeadMove<'t> {
    service: &'t Service,
    agent: &'t AgentRecord,
    /// The agent as it was read before the lock.
    origin: &'t AgentOrigin,
    /// The number of the attempt, counted from 1.
    attempt: u32,
}

impl HeadMove<'_> {
    /// Moves the pin if the agent has a head. A pin from another agent that is at the same snapshot already
    /// gets a row of the history with this agent.
    async fn pin(
        &self,
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, right::Write>,
        chat: &mut ChatRecord,
        cause: &Cause,
        deed: &mut Deed,
    ) -> Result<()> {
        let Some(head) = self.agent.head else {
            return Ok(());
        };
        let cause = Cause {
            agent: Some(self.agent.id),
            mcp_settled: self.agent.mcp_settled,
            ..*cause
        };
        let target = head.target();
        let context = head.hashes.context;
        let pin = chat.pin.as_ref().map(|pin| pin.pin);
        let prompt = match (step(pin.as_ref(), &target), pin) {
            (Step::Stay, Some(pin)) => pin.prompt,
            (Step::Keep(prompt), _) => prompt,
            _ => match &self.origin.head {
                Some((hashes, prompt)) if hashes.context == context => {
                    prompt.keep(transaction, granted, context).await?
                }
                // The agent has pushed since it was read.
                _ if self.attempt < ATTEMPT_UNDER_LOCKS => return Err(Error::overtaken()),
                // Render under the locks, where the agent cannot push.
                _ => {
                    let mut ground = Ground::Locked {
                        service: self.service,
                        transaction: &mut *transaction,
                        granted,
                    };
                    let snapshot = ground.snapshot(head.snapshot).await?;
                    let prompt = ground.prompt(context, &snapshot).await?;
                    prompt.keep(transaction, granted, context).await?
                }
            },
        };
        let to = Some((target, prompt));
        write_move(transaction, granted, chat, to, &cause, deed).await
    }
}

/// Returns a page of the chats that the caller may read, newest first.
///
/// # Errors
///
/// Returns [`Error::Store`] if the token may not read.
pub async fn list(
    service: &Service,
    credential: Credential,
    filter: &ChatFilter,
    page: &PageRequest<IdCursor>,
) -> Result<Page<ChatRecord, IdCursor>> {
    let (mut transaction, account) = read_account(service, credential, Operation::ChatList).await?;
    Ok(account.chats(&mut transaction, filter, page).await?)
}

/// Returns a page of summaries of the chats that the caller may read, newest first.
///
/// # Errors
///
/// Returns [`Error::Store`] if the token may not read.
pub async fn summaries(
    service: &Service,
    credential: Credential,
    filter: &ChatFilter,
    page: &PageRequest<IdCursor>,
) -> Result<Page<ChatSummary, IdCursor>> {
    let (mut transaction, account) = read_account(service, credential, Operation::ChatList).await?;
    Ok(account
        .chat_summaries(&mut transaction, filter, page)
        .await?)
}

/// Returns a part of the chats that the caller may read, in the order of [`ChatPlace`]: at most `limit`.
///
/// # Errors
///
/// Returns [`Error::Store`] if the token may not read.
pub async fn part(
    service: &Service,
    credential: Credential,
    filter: &ChatFilter,
    part: ListPart<ChatPlace>,
    limit: usize,
) -> Result<ChatsPart> {
    let (mut transaction, account) = read_account(service, credential, Operation::ChatList).await?;
    let found = account
        .chats_part(&mut transaction, filter, part, limit)
        .await?;
    if matches!(part, ListPart::Before(_)) && found.chats.len() < limit {
        // The first part is full, if there are so many.
        return Ok(account
            .chats_part(&mut transaction, filter, ListPart::First, limit)
            .await?);
    }
    Ok(found)
}

/// Returns how many chats of an agent, of an owner or of both the caller may read, by state.
///
/// # Errors
///
/// Returns [`Error::Store`] if the token may not read.
pub async fn counts(
    service: &Service,
    credential: Credential,
    agent: Option<AgentId>,
    owner: Option<UserId>,
) -> Result<ChatCounts> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::ChatList)
        .await?;
    Ok(account.chat_counts(&mut transaction, agent, owner).await?)
}

/// Returns the summaries of these chats. Leaves out chats that the caller may not read.
///
/// # Errors
///
/// Returns [`Error::Store`] if the token may not read.
pub async fn summaries_of(
    service: &Service,
    credential: Credential,
    chats: &[ChatId],
) -> Result<Vec<ChatSummary>> {
    let (mut transaction, account) = read_account(service, credential, Operation::ChatList).await?;
    Ok(account.chat_summaries_of(&mut transaction, chats).await?)
}

/// Returns the titles of these chats, and the names of their clients. Leaves out chats that the caller may not read.
///
/// # Errors
///
/// Returns [`Error::Store`] if the token may not read.
pub async fn names(
    service: &Service,
    credential: Credential,
    chats: &[ChatId],
) -> Result<BTreeMap<ChatId, ChatNames>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::ChatList)
        .await?;
    Ok(account.chat_names(&mut transaction, chats).await?)
}

/// Returns a chat with the facts that a list shows beside it.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not see the chat.
pub async fn summary(
    service: &Service,
    credential: Credential,
    chat: ChatId,
) -> Result<ChatSummary> {
    let (mut transaction, granted) =
        read_chat(service, credential, Operation::ChatRead, chat).await?;
    Ok(granted.summary(&mut transaction).await?)
}

/// Returns a chat.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not see the chat.
pub async fn read(service: &Service, credential: Credential, chat: ChatId) -> Result<ChatRecord> {
    let caller = service.caller(credential);
    let sighted = service
        .database
        .sight_chat(&caller, Operation::ChatRead, chat)
        .await;
    Ok(sighted?.1)
}

/// Changes a chat. Moves its pin too if it is bound to another agent, or unarchived without a pin.
///
/// # Errors
///
/// Returns [`Error::AgentReplaced`] if the new agent was replaced, [`Error::ObservedChat`] for a policy that moves the
/// pin of an observed chat, [`Error::Conflict`] for a parent of a chat that is not observed or has one,
/// [`Error::Invalid`] for a parent that is not older, [`Error::QuotaExceeded`] if the token moves too many pins, and
/// [`Error::Store`] if the caller does not own the chat, the parent or the new agent.
pub async fn change(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    change: &ChatChange,
) -> Result<ChatRecord> {
    change_one(service, credential, chat, change, true).await
}

/// Changes a chat like [`change`]. A request that changes many chats counts once for the rate limit, where it begins.
pub(crate) async fn change_one(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    change: &ChatChange,
    is_counted: bool,
) -> Result<ChatRecord> {
    let (operation, object) = (change.operation(), Some(AuditObject::Chat(chat)));
    write(service, credential, operation, object, |attempt| {
        let is_counted = is_counted && attempt == 1;
        change_once(service, credential, chat, change, attempt, is_counted)
    })
    .await
}

async fn change_once(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    change: &ChatChange,
    attempt: u32,
    is_counted: bool,
) -> Result<ChatRecord> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let seen = reading
        .grant_chat(&caller, change.operation(), chat)
        .await?;
    if is_counted {
        service.require_rate(Rate::Moves, credential.id.uuid(), 1, caller.now)?;
    }
    let before = seen.record()?;
    // Only a new binding or unarchiving can move the pin.
    let agent_needed = match change.agent.filter(|agent| *agent != before.agent) {
        Some(agent) => agent,
        None => before
            .agent
            .filter(|_| before.pin.is_none() && change.archived == Some(false)),
    };
    let pinned = before.pin.as_ref().map(|pin| pin.pin.hashes);
    let agent = match agent_needed {
        Some(agent) => Some(read_agent(&mut reading, &caller, agent, pinned.as_ref()).await?),
        None => None,
    };
    let sighting = seen.sighting();
    drop(reading);
    let origin = prepare_agent(service, agent).await?;
    let mut transaction = service.database.write().await?;
    let others: Vec<_> = origin.iter().map(|origin| origin.sighting).collect();
    let granted = transaction
        .grant_chat_locked(&caller, &sighting, &others)
        .await?;
    let mut now = granted.record()?.clone();
    let mut deed = granted.deed();
    let change = allowed(&now, change.differing(&now))?;
    if let Some(parent) = change.parent {
        require_fork(&now, parent)?;
        // The row of the parent must stay until the commit, which the reference to it ensures.
        transaction
            .grant_chat(&caller, Operation::ChatInherit, parent)
            .await?;
    }
    let bound_before = now.agent;
    if change != ChatChange::default() {
        granted
            .update(&mut transaction, &change, caller.now)
            .await?;
    }
    if let Some(archived) = change.archived {
        now.archived_at = archived.then_some(caller.now);
    }
    now.agent = change.agent.unwrap_or(now.agent);
    if let Some(Some(agent)) = change.agent {
        let origin = origin.as_ref().ok_or_else(Error::overtaken)?;
        let target = transaction
            .grant_agent(&caller, Operation::AgentUse, agent)
            .await?;
        let target = target.record()?;
        require_not_replaced(target)?;
        let to = HeadMove {
            service,
            agent: target,
            origin,
            attempt,
        };
        let rebind = Rebind { bound_before, to };
        rebind
            .carry_out(&mut transaction, &granted, &mut now, &mut deed)
            .await?;
    } else if now.agent.is_some() && now.pin.is_none() && change.archived == Some(false) {
        let origin = origin.as_ref().ok_or_else(Error::overtaken)?;
        let agent = transaction
            .grant_agent(&caller, Operation::AgentUse, origin.sighting.id())
            .await?;
        let to = HeadMove {
            service,
            agent: agent.record()?,
            origin,
            attempt,
        };
        let cause = Cause::of(Reason::Hydrate, &now, caller.now);
        to.pin(&mut transaction, &granted, &mut now, &cause, &mut deed)
            .await?;
    }
    let after = granted.chat(&mut transaction).await?;
    commit(service, transaction, deed).await?;
    Ok(after)
}

/// Returns the change of a chat as it is carried out: a chat that becomes observed loses a policy that moves its pin.
fn allowed(chat: &ChatRecord, change: ChatChange) -> Result<ChatChange> {
    let mode = change.mode.unwrap_or(chat.mode);
    if let Some(policy) = change.policy {
        require_allowed(mode, policy)?;
        return Ok(change);
    }
    let policy = (!mode.allows(chat.policy)).then_some(Policy::Manual);
    Ok(ChatChange { policy, ..change })
}

/// Checks that a chat may be told its parent.
fn require_fork(chat: &ChatRecord, parent: ChatId) -> Result<()> {
    if !chat.mode.is_observed() {
        return Err(Error::Conflict(
            "only an observed chat can be told its parent later; create the chat with `parent_id`"
                .into(),
        ));
    }
    if let Some(present) = chat.parent {
        return Err(Error::Conflict(format!(
            "the chat has the parent {present} already, and it stays"
        )));
    }
    // So no chat is its own ancestor.
    if parent >= chat.id {
        return Err(Error::Invalid(
            "`parent_id`: a parent is an older chat".into(),
        ));
    }
    Ok(())
}

/// A new binding of a chat to an agent.
struct Rebind<'r> {
    bound_before: Option<AgentId>,
    to: HeadMove<'r>,
}

impl Rebind<'_> {
    /// Moves the pin to the new agent's head, or clears it if there is none. The pin stays if it came from the
    /// same agent before the chat was unbound.
    async fn carry_out(
        &self,
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, right::Write>,
        chat: &mut ChatRecord,
        deed: &mut Deed,
    ) -> Result<()> {
        let target = self.to.agent;
        let cause = |reason| Cause {
            agent: Some(target.id),
            mcp_settled: target.mcp_settled,
            ..Cause::of(reason, chat, granted.at())
        };
        if chat.pin.is_none() {
            if chat.archived_at.is_none() {
                let reason = if chat.pin_seq == 0 {
                    Reason::Hydrate
                } else {
                    Reason::Rebind
                };
                let cause = cause(reason);
                self.to
                    .pin(transaction, granted, chat, &cause, deed)
                    .await?;
            }
            return Ok(());
        }
        let came_from = match self.bound_before {
            Some(bound) => Some(bound),
            None => granted
                .history_at(transaction, chat.pin_seq)
                .await?
                .and_then(|row| row.agent),
        };
        if came_from == Some(target.id) {
            return Ok(());
        }
        let cause = cause(Reason::Rebind);
        if target.head.is_some() {
            self.to.pin(transaction, granted, chat, &cause, deed).await
        } else {
            write_move(transaction, granted, chat, None, &cause, deed).await
        }
    }
}

/// Deletes a chat with its history and its turns. Its children keep their pins.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller does not own the chat.
pub async fn delete(service: &Service, credential: Credential, chat: ChatId) -> Result<()> {
    let object = Some(AuditObject::Chat(chat));
    write(service, credential, Operation::ChatDelete, object, |_| {
        delete_once(service, credential, chat)
    })
    .await
}

async fn delete_once(service: &Service, credential: Credential, chat: ChatId) -> Result<()> {
    let caller = service.caller(credential);
    let (sighting, _) = service
        .database
        .sight_chat(&caller, Operation::ChatDelete, chat)
        .await?;
    let mut transaction = service.database.write().await?;
    let granted = transaction
        .grant_chat_locked(&caller, &sighting, &[])
        .await?;
    granted.delete(&mut transaction).await?;
    commit(service, transaction, granted.deed()).await
}
