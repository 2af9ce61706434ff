//! Chats: created, listed, changed, deleted.

use ctxpin_model::access::Operation;
use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::{ChatFilter, ChatRecord};
use ctxpin_model::drift::Hashes;
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{IdCursor, Page, PageRequest};
use ctxpin_model::pin::{Policy, Reason, Rendered, Step, Target, ToolsMode, step};
use ctxpin_model::token::Credential;
use ctxpin_store::chats::{ChatUpdate, NewChat};
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Caller, Granted, Sighting, object, right};
use ctxpin_store::wake::Topic;

use crate::contexts;
use crate::error::{Error, Result, attempt};
use crate::moves::{Cause, write_move};
use crate::prompts::Prompt;
use crate::pushes::demand_in_force;
use crate::service::Service;

/// What a chat is created from.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The client that holds it, and the client's own id for it: unique per owner.
    pub client: Option<String>,
    /// Goes with `client` only.
    pub reference: Option<String>,
    /// The agent to bind it to.
    pub agent: Option<AgentId>,
    /// The chat whose pin and agent it inherits.
    pub parent: Option<ChatId>,
    /// Its title.
    pub title: Option<String>,
    /// What it does at a turn when the head differs.
    pub policy: Policy,
    /// Where its tools come from.
    pub tools: ToolsMode,
}

/// Creates a chat, or answers the one that is there of the same client and reference. The flag
/// tells whether it is new.
pub async fn create(
    service: &Service,
    credential: Credential,
    request: &ChatRequest,
) -> Result<(ChatRecord, bool)> {
    if request.reference.is_some() && request.client.is_none() {
        return Err(Error::Invalid(
            "a `reference` is a client's own name for the chat, so it needs `client` too".into(),
        ));
    }
    let outcome = attempt!(create_once(service, credential, request));
    service
        .audited(credential, Operation::ChatCreate, None, outcome)
        .await
}

/// What was seen before the writing transaction of a creation.
#[derive(Default)]
struct Origin {
    parent: Option<Sighting<ChatId>>,
    agent: Option<AgentOrigin>,
}

/// An agent that a chat is about to be bound to.
struct AgentOrigin {
    sighting: Sighting<AgentId>,
    /// The hashes of its head and the prompt for it.
    head: Option<(Hashes, Prompt)>,
}

async fn create_once(
    service: &Service,
    credential: Credential,
    request: &ChatRequest,
) -> Result<(ChatRecord, bool)> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = reading
        .grant_account(&caller, Operation::ChatCreate)
        .await?;
    if let Some(there) = of_reference(&account, &mut reading, request).await? {
        return Ok((there, false));
    }
    let origin = see_origin(&mut reading, &caller, request).await?;
    drop(reading);
    let mut transaction = service.database.write().await?;
    let locked = lock_origin(&mut transaction, &caller, &origin).await?;
    let account: Granted<object::Account, right::Write> = transaction
        .grant_account(&caller, Operation::ChatCreate)
        .await?;
    if let Some(there) = of_reference(&account, &mut transaction, request).await? {
        return Ok((there, false));
    }
    let chat = NewChat {
        id: ChatId::generate(caller.now),
        client: request.client.clone(),
        reference: request.reference.clone(),
        title: request.title.clone(),
        agent: locked.agent.as_ref().map(|agent| agent.id),
        parent: request.parent,
        policy: request.policy,
        tools: request.tools,
        created_at: caller.now,
    };
    let granted = account.chat_insert(&mut transaction, &chat).await?;
    let mut chat = granted.chat(&mut transaction).await?;
    if let Some((to, cause)) = locked.inherited {
        let cause = Cause {
            at: caller.now,
            ..cause
        };
        write_move(&mut transaction, &granted, &mut chat, Some(to), &cause).await?;
    } else if let Some(agent) = &locked.agent {
        // The parent's pin may have been cleared since the look before.
        let origin = origin.agent.as_ref().ok_or_else(Error::overtaken)?;
        let cause = Cause::of(Reason::Create, &chat, caller.now);
        pin_to_head(&mut transaction, &granted, &mut chat, agent, origin, &cause).await?;
    }
    let object = Some(("chat", chat.id.uuid()));
    transaction
        .audit(granted.actor(), Operation::ChatCreate, object, caller.now)
        .await?;
    let created = granted.chat(&mut transaction).await?;
    transaction.commit().await?;
    service.wakes.publish(Topic::Chat {
        owner: created.owner,
        chat: created.id,
    });
    Ok((created, true))
}

async fn of_reference<R>(
    account: &Granted<object::Account, R>,
    transaction: &mut Transaction,
    request: &ChatRequest,
) -> Result<Option<ChatRecord>> {
    match (&request.client, &request.reference) {
        (Some(client), Some(reference)) => Ok(account
            .chat_of_reference(transaction, client, reference)
            .await?),
        _ => Ok(None),
    }
}

async fn see_origin(
    reading: &mut Transaction,
    caller: &Caller,
    request: &ChatRequest,
) -> Result<Origin> {
    let Some(parent) = request.parent else {
        let agent = match request.agent {
            Some(agent) => Some(see_agent(reading, caller, agent, None).await?),
            None => None,
        };
        return Ok(Origin {
            parent: None,
            agent,
        });
    };
    let granted = reading
        .grant_chat_body(caller, Operation::ChatInherit, parent)
        .await?;
    let parent = granted.record()?;
    if request.agent.is_some() && request.agent != parent.agent {
        return Err(Error::Invalid(
            "a child chat has its parent's agent; leave `agent_id` out, or create the chat without a parent".into(),
        ));
    }
    let agent = match parent.agent.filter(|_| parent.pin.is_none()) {
        Some(agent) => Some(see_agent(reading, caller, agent, None).await?),
        None => None,
    };
    Ok(Origin {
        parent: Some(granted.sighting(Operation::ChatInherit)),
        agent,
    })
}

/// Looks at an agent that a chat is about to be bound to. Its prompt is prepared unless the chat's
/// pin has that context already.
async fn see_agent(
    reading: &mut Transaction,
    caller: &Caller,
    agent: AgentId,
    pinned: Option<&Hashes>,
) -> Result<AgentOrigin> {
    let granted = reading
        .grant_agent_body(caller, Operation::AgentUse, agent)
        .await?;
    let record = granted.record()?;
    demand_in_force(record)?;
    let head = match record.head {
        Some(head) if pinned.is_none_or(|pinned| pinned.context != head.hashes.context) => {
            let prompt = Prompt::of_head(reading, &granted, head.hashes.context).await?;
            Some((head.hashes, prompt))
        }
        _ => None,
    };
    Ok(AgentOrigin {
        sighting: granted.sighting(Operation::AgentUse),
        head,
    })
}

/// What a creation found once it held the locks.
#[derive(Default)]
struct LockedOrigin {
    agent: Option<AgentRecord>,
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
                demand_in_force(&record)?;
                Ok(LockedOrigin {
                    agent: Some(record),
                    inherited: None,
                })
            }
            None => Ok(LockedOrigin::default()),
        };
    };
    // The parent's agent is locked with it, before it.
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
        ..Cause::of(Reason::Inherit, &parent, caller.now)
    };
    let target = Target {
        snapshot: pin.pin.snapshot,
        hashes: pin.pin.hashes,
    };
    Ok(LockedOrigin {
        agent,
        inherited: Some(((target, pin.pin.prompt), cause)),
    })
}

/// Moves the pin of a locked chat to the head of a locked agent, if it has one. A pin that is there
/// already, which came from another agent, is noted as this one's.
async fn pin_to_head(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, right::Write>,
    chat: &mut ChatRecord,
    agent: &AgentRecord,
    origin: &AgentOrigin,
    cause: &Cause,
) -> Result<()> {
    let Some(head) = agent.head else {
        return Ok(());
    };
    let cause = Cause {
        agent: Some(agent.id),
        mcp_settled: agent.mcp_settled,
        ..*cause
    };
    let target = head.target();
    let pin = chat.pin.as_ref().map(|pin| pin.pin);
    let prompt = match (step(pin.as_ref(), &target), pin) {
        (Step::Stay, Some(pin)) => pin.prompt,
        (Step::Keep(prompt), _) => prompt,
        _ => match &origin.head {
            Some((hashes, prompt)) if hashes.context == head.hashes.context => {
                prompt.keep(transaction, granted, hashes.context).await?
            }
            // A push came in between; no other one can while the agent is locked.
            _ => {
                let snapshot = contexts::snapshot(transaction, granted, head.snapshot).await?;
                let context = head.hashes.context;
                let prompt = Prompt::of_chat(transaction, granted, context, &snapshot).await?;
                prompt.keep(transaction, granted, context).await?
            }
        },
    };
    write_move(transaction, granted, chat, Some((target, prompt)), &cause).await
}

/// Lists the chats that the caller may read, newest first.
pub async fn list(
    service: &Service,
    credential: Credential,
    filter: &ChatFilter,
    page: &PageRequest<IdCursor>,
) -> Result<Page<ChatRecord, IdCursor>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::ChatList)
        .await?;
    Ok(account.chats(&mut transaction, filter, page).await?)
}

/// Reads a chat.
pub async fn read(service: &Service, credential: Credential, chat: ChatId) -> Result<ChatRecord> {
    let caller = service.caller(credential);
    let sighted = service
        .database
        .sight_chat(&caller, Operation::ChatRead, chat)
        .await;
    Ok(sighted?.1)
}

/// What is to be changed of a chat.
#[derive(Debug, Clone, Default)]
pub struct ChatChange {
    /// A new title, or none.
    pub title: Option<Option<String>>,
    /// Archived, or not.
    pub archived: Option<bool>,
    /// Bound to this agent, or to none.
    pub agent: Option<Option<AgentId>>,
    /// A new policy.
    pub policy: Option<Policy>,
    /// A new source of tools.
    pub tools: Option<ToolsMode>,
}

/// Changes a chat, and its pin as far as a new binding or unarchiving moves it.
pub async fn change(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    change: &ChatChange,
) -> Result<ChatRecord> {
    let outcome = attempt!(change_once(service, credential, chat, change));
    let object = Some(("chat", chat.uuid()));
    service
        .audited(credential, Operation::ChatChange, object, outcome)
        .await
}

async fn change_once(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    change: &ChatChange,
) -> Result<ChatRecord> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let seen = reading
        .grant_chat(&caller, Operation::ChatChange, chat)
        .await?;
    let before = seen.record()?;
    // Only a binding and an unarchiving can need a head.
    let agent_needed = match change.agent.filter(|agent| *agent != before.agent) {
        Some(agent) => agent,
        None => before
            .agent
            .filter(|_| before.pin.is_none() && change.archived == Some(false)),
    };
    let pinned = before.pin.as_ref().map(|pin| pin.pin.hashes);
    let origin = match agent_needed {
        Some(agent) => Some(see_agent(&mut reading, &caller, agent, pinned.as_ref()).await?),
        None => None,
    };
    let sighting = seen.sighting(Operation::ChatChange);
    drop(reading);
    let mut transaction = service.database.write().await?;
    let others: Vec<_> = origin.iter().map(|origin| origin.sighting).collect();
    let granted = transaction
        .grant_chat_locked(&caller, &sighting, &others)
        .await?;
    let mut now = granted.record()?.clone();
    let update = what_differs(change, &now, caller.now);
    let bound_before = now.agent;
    if update != ChatUpdate::default() {
        granted
            .update(&mut transaction, &update, caller.now)
            .await?;
    }
    now.archived_at = update.archived_at.unwrap_or(now.archived_at);
    now.agent = update.agent.unwrap_or(now.agent);
    if let Some(Some(agent)) = update.agent {
        let origin = origin.as_ref().ok_or_else(Error::overtaken)?;
        let target = transaction
            .grant_agent(&caller, Operation::AgentUse, agent)
            .await?;
        let target = target.record()?;
        demand_in_force(target)?;
        let rebind = Rebind {
            bound_before,
            target,
            origin,
        };
        rebind
            .carry_out(&mut transaction, &granted, &mut now, &caller)
            .await?;
    } else if now.agent.is_some() && now.pin.is_none() && update.archived_at == Some(None) {
        let origin = origin.as_ref().ok_or_else(Error::overtaken)?;
        let agent = transaction
            .grant_agent(&caller, Operation::AgentUse, origin.sighting.id())
            .await?;
        let agent = agent.record()?;
        let cause = Cause::of(Reason::Hydrate, &now, caller.now);
        pin_to_head(&mut transaction, &granted, &mut now, agent, origin, &cause).await?;
    }
    let object = Some(("chat", chat.uuid()));
    transaction
        .audit(granted.actor(), Operation::ChatChange, object, caller.now)
        .await?;
    let after = granted.chat(&mut transaction).await?;
    transaction.commit().await?;
    service.wakes.publish(Topic::Chat {
        owner: after.owner,
        chat,
    });
    Ok(after)
}

/// What of a change is not so already: asking again for what is there changes nothing.
fn what_differs(change: &ChatChange, now: &ChatRecord, at: Moment) -> ChatUpdate {
    ChatUpdate {
        title: change.title.clone().filter(|title| *title != now.title),
        archived_at: change
            .archived
            .filter(|archived| *archived != now.archived_at.is_some())
            .map(|archived| archived.then_some(at)),
        agent: change.agent.filter(|agent| *agent != now.agent),
        policy: change.policy.filter(|policy| *policy != now.policy),
        tools: change.tools.filter(|tools| *tools != now.tools),
    }
}

/// A binding to an agent that the chat is not bound to.
struct Rebind<'r> {
    bound_before: Option<AgentId>,
    target: &'r AgentRecord,
    origin: &'r AgentOrigin,
}

impl Rebind<'_> {
    /// Moves the pin with the binding. An unbound chat that is bound again to the agent that its
    /// pin came from keeps its pin.
    async fn carry_out(
        &self,
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, right::Write>,
        chat: &mut ChatRecord,
        caller: &Caller,
    ) -> Result<()> {
        let target = self.target;
        let cause = |reason| Cause {
            agent: Some(target.id),
            mcp_settled: target.mcp_settled,
            ..Cause::of(reason, chat, caller.now)
        };
        if chat.pin.is_none() {
            if chat.archived_at.is_none() {
                let reason = if chat.pin_seq == 0 {
                    Reason::Hydrate
                } else {
                    Reason::Rebind
                };
                let cause = cause(reason);
                pin_to_head(transaction, granted, chat, target, self.origin, &cause).await?;
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
            pin_to_head(transaction, granted, chat, target, self.origin, &cause).await
        } else {
            write_move(transaction, granted, chat, None, &cause).await
        }
    }
}

/// Deletes a chat with its history and its turns. Its children keep their pins.
pub async fn delete(service: &Service, credential: Credential, chat: ChatId) -> Result<()> {
    let outcome = attempt!(delete_once(service, credential, chat));
    let object = Some(("chat", chat.uuid()));
    service
        .audited(credential, Operation::ChatDelete, object, outcome)
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
    let object = Some(("chat", chat.uuid()));
    transaction
        .audit(granted.actor(), Operation::ChatDelete, object, caller.now)
        .await?;
    transaction.commit().await?;
    service.wakes.publish(Topic::Chat {
        owner: granted.owner(),
        chat,
    });
    Ok(())
}
