//! Moves of a chat's pin on request.

use ctxpin_model::access::Operation;
use ctxpin_model::agent::Head;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::chat::{ChatChange, ChatRecord};
use ctxpin_model::compose::{Inseparable, Selector, partial};
use ctxpin_model::context::ContextView;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::history::Decision;
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::pending_change;
use ctxpin_model::pin::{Reason, Rendered, Target};
use ctxpin_model::pin_move::{PinMove, RefreshFilter};
use ctxpin_model::policy::Policy;
use ctxpin_model::quota::Rate;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::token::Credential;
use ctxpin_render::renderer::Renderer;
use ctxpin_store::database::Transaction;
use ctxpin_store::deed::Deed;
use ctxpin_store::grant::{Granted, object, right};

use crate::contexts;
use crate::error::{Error, Result};
use crate::frame::{ATTEMPT_UNDER_LOCKS, audited, commit, retry, write};
use crate::ground::Ground;
use crate::moves::{Cause, Composed, Prepared, no_head, write_move};
use crate::prompts::{Prompt, sealed_weight};
use crate::pushes::require_epoch;
use crate::service::Service;

/// Moves a chat's pin, and returns the chat's context after the move. With `only_from`, the pin must be that
/// snapshot.
///
/// # Errors
///
/// Returns [`Error::PreconditionFailed`] if the pin is not the expected one, or if the head differs from the expected
/// one in what the chat compares; [`Error::NoHead`] if a
/// move needs a head and there is none; [`Error::ObservedChat`] if the move chooses the pin of an observed chat;
/// [`Error::OtherProfile`] if a part of a head is asked for that other rules
/// have made; [`Error::Invalid`] if the request does not fit the chat, such as a rollback
/// to a snapshot that is not in its history; [`Error::QuotaExceeded`] if the token moves too many pins; and
/// [`Error::Store`] if the caller may not move it.
pub async fn pin_move(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    request: &PinMove,
    only_from: Option<SnapshotId>,
) -> Result<ContextView> {
    let operation = Operation::PinMove;
    let chat_move = ChatMove {
        operation,
        chat,
        request,
        only_from,
        is_counted: true,
    };
    let object = Some(AuditObject::Chat(chat));
    write(service, credential, operation, object, |attempt| {
        move_once(service, credential, &chat_move, attempt)
    })
    .await
}

/// The steps of a request, prepared before the chat is locked.
enum Plan {
    Move {
        prepared: Box<Prepared>,
        /// Whether the MCP servers had settled when the pinned tools were read. `None` if the tools are those
        /// of the head.
        mcp_settled: Option<bool>,
    },
    /// Records a decision about the head.
    Decide(Decision, Target),
    Rollback {
        target: Target,
        rendered: Rendered,
        agent: Option<AgentId>,
        mcp_settled: bool,
        /// The policy from then on.
        policy: Policy,
    },
    /// Renders the prompt of the pin again.
    Render { target: Target, prompt: Prompt },
    /// The pin is as the caller wants it.
    Stay,
}

/// Returns whether a plan for the chat as it was `before` is valid for the chat as it is `now`.
fn is_still_valid(before: &ChatRecord, now: &ChatRecord) -> bool {
    before.stands_as(now) && before.tools == now.tools
}

impl Plan {
    /// Carries out the plan on the locked chat, and updates the fields of `chat` that do not describe a drift.
    async fn carry_out(
        &self,
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, right::Write>,
        chat: &mut ChatRecord,
        deed: &mut Deed,
    ) -> Result<()> {
        let at = granted.at();
        match self {
            Self::Move {
                prepared,
                mcp_settled,
                ..
            } => {
                let cause = Cause {
                    mcp_settled: mcp_settled.unwrap_or(chat.head_settled),
                    ..Cause::of(Reason::Refresh, chat, at)
                };
                prepared
                    .carry_out(transaction, granted, chat, &cause, deed)
                    .await
            }
            Self::Decide(decision, head) => {
                let pin = chat.pin_seq;
                granted
                    .decide(transaction, *decision, head, pin, deed)
                    .await?;
                chat.declined = match decision {
                    Decision::Decline => Some(head.hashes),
                    Decision::Undecline => None,
                };
                Ok(())
            }
            Self::Stay => Ok(()),
            Self::Render { target, prompt } => {
                let context = target.hashes.context;
                let rendered = prompt.keep(transaction, granted, context).await?;
                let row = granted.history_at(transaction, chat.pin_seq).await?;
                let row = row.ok_or_else(Error::overtaken)?;
                let cause = Cause {
                    agent: row.agent,
                    mcp_settled: row.mcp_settled,
                    ..Cause::of(Reason::Render, chat, at)
                };
                let to = Some((*target, rendered));
                write_move(transaction, granted, chat, to, &cause, deed).await
            }
            Self::Rollback {
                target,
                rendered,
                agent,
                mcp_settled,
                policy,
            } => {
                let is_there = chat.pin.as_ref().is_some_and(|pin| {
                    pin.pin.snapshot == target.snapshot && pin.pin.prompt == *rendered
                });
                if !is_there {
                    let cause = Cause {
                        agent: *agent,
                        mcp_settled: *mcp_settled,
                        ..Cause::of(Reason::Rollback, chat, at)
                    };
                    let to = Some((*target, *rendered));
                    write_move(transaction, granted, chat, to, &cause, deed).await?;
                }
                if chat.policy != *policy {
                    let change = ChatChange {
                        policy: Some(*policy),
                        ..ChatChange::default()
                    };
                    granted.update(transaction, &change, at).await?;
                    (chat.policy, chat.updated_at) = (*policy, at);
                }
                Ok(())
            }
        }
    }
}

/// A request to move one chat's pin.
pub(crate) struct ChatMove<'r> {
    pub operation: Operation,
    pub chat: ChatId,
    pub request: &'r PinMove,
    pub only_from: Option<SnapshotId>,
    /// Whether the move counts for the rate limit. A request that moves many chats counts once, where it
    /// begins.
    pub is_counted: bool,
}

pub(crate) async fn move_once(
    service: &Service,
    credential: Credential,
    chat_move: &ChatMove<'_>,
    attempt: u32,
) -> Result<ContextView> {
    let caller = service.caller(credential);
    let ChatMove {
        operation,
        chat,
        request,
        only_from,
        is_counted,
    } = *chat_move;
    let (mut sighting, mut before) = service
        .database
        .sight_chat(&caller, operation, chat)
        .await?;
    if attempt == 1 && is_counted {
        service.require_rate(Rate::Moves, credential.id.uuid(), 1, caller.now)?;
    }
    require_chosen(&before, request)?;
    require_pin(&before, only_from)?;
    let mut planned = match plan_from_record(&before, request)? {
        Some(planned) => planned,
        None => {
            let mut reading = service.database.read().await?;
            let seen = reading.grant_chat_within(&caller, operation, chat).await?;
            before = seen.record()?.clone();
            require_chosen(&before, request)?;
            require_pin(&before, only_from)?;
            sighting = seen.sighting();
            let mut ground = Ground::reading(service, &caller, operation, reading, seen);
            plan(&mut ground, &before, request).await?
        }
    };
    let mut transaction = service.database.write().await?;
    let granted = transaction
        .grant_chat_locked(&caller, &sighting, &[])
        .await?;
    let mut now = granted.record()?.clone();
    require_chosen(&now, request)?;
    require_pin(&now, only_from)?;
    if !is_still_valid(&before, &now) {
        if attempt < ATTEMPT_UNDER_LOCKS && plan_from_record(&now, request)?.is_none() {
            return Err(Error::overtaken());
        }
        let mut ground = Ground::Locked {
            service,
            transaction: &mut transaction,
            granted: &granted,
        };
        planned = plan(&mut ground, &now, request).await?;
    }
    let mut deed = granted.deed();
    planned
        .carry_out(&mut transaction, &granted, &mut now, &mut deed)
        .await?;
    // `carry_out` does not update the fields that describe a drift.
    let after = if now.drift().is_some() {
        granted.chat(&mut transaction).await?
    } else {
        now
    };
    let view = contexts::view(&mut transaction, &granted, after).await?;
    commit(service, transaction, deed).await?;
    Ok(view)
}

/// Returns the plan of a request if it can be made from the chat's record alone.
fn plan_from_record(chat: &ChatRecord, request: &PinMove) -> Result<Option<Plan>> {
    match request {
        PinMove::Refresh { head } => {
            let present = chat.head.ok_or_else(|| no_head(chat))?.snapshot;
            if head.is_some_and(|seen| seen != present) {
                return Ok(None);
            }
            let prepared = Prepared::head_from_record(chat)?;
            Ok(prepared.map(|prepared| Plan::Move {
                prepared: Box::new(prepared),
                mcp_settled: None,
            }))
        }
        PinMove::Sources { .. }
        | PinMove::Changes { .. }
        | PinMove::Decline(_)
        | PinMove::Undecline(_)
        | PinMove::Rollback(_)
        | PinMove::Undo { .. }
        | PinMove::Render => Ok(None),
    }
}

/// Checks that a request may choose the pin, if it does.
fn require_chosen(chat: &ChatRecord, request: &PinMove) -> Result<()> {
    match chat.mode.is_observed() && request.chooses_snapshot() {
        true => Err(Error::ObservedChat),
        false => Ok(()),
    }
}

/// Checks that the pin is the one that the caller has seen.
fn require_pin(chat: &ChatRecord, only_from: Option<SnapshotId>) -> Result<()> {
    let pin = chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    match (only_from, pin) {
        (None, _) => Ok(()),
        (Some(expected), Some(pin)) if expected == pin => Ok(()),
        (Some(_), Some(pin)) => Err(Error::PreconditionFailed(format!(
            "the pin is now {pin}; read the chat again"
        ))),
        (Some(_), None) => Err(Error::PreconditionFailed(
            "the chat now has no pin; read the chat again".into(),
        )),
    }
}

/// Returns the head, if its diff is the one that the caller has seen: that of this head, or that of another head of
/// the agent which is the same to the chat.
async fn seen_head(
    ground: &mut Ground<'_>,
    chat: &ChatRecord,
    seen: Option<SnapshotId>,
) -> Result<Head> {
    let head = chat.head.ok_or_else(|| no_head(chat))?;
    let Some(seen) = seen.filter(|seen| *seen != head.snapshot) else {
        return Ok(head);
    };
    let seen = ground.agent_head(seen).await?;
    match seen.is_some_and(|seen| seen.hashes.same(head.hashes, chat.tools)) {
        true => Ok(head),
        false => Err(Error::PreconditionFailed(format!(
            "the head is now {}, which differs; read the diff again",
            head.snapshot
        ))),
    }
}

async fn plan(ground: &mut Ground<'_>, chat: &ChatRecord, request: &PinMove) -> Result<Plan> {
    let pin = chat.pin.as_ref().map(|pin| pin.pin);
    match request {
        PinMove::Refresh { head } => {
            seen_head(ground, chat, *head).await?;
            let prepared = Prepared::head(ground, chat).await?;
            Ok(Plan::Move {
                prepared: Box::new(prepared),
                mcp_settled: None,
            })
        }
        PinMove::Sources { selectors, head } => {
            seen_head(ground, chat, *head).await?;
            let selectors = selectors.clone();
            plan_partial(ground, chat, |_, _| selectors).await
        }
        PinMove::Changes { changes, head } => {
            seen_head(ground, chat, Some(*head)).await?;
            let (changes, with_tools) = (changes.clone(), chat.tools.pins_tools());
            let choose = move |pinned: &Snapshot, head: &Snapshot| {
                pending_change::selectors(pinned, head, with_tools, &changes)
            };
            plan_partial(ground, chat, choose).await
        }
        PinMove::Decline(head) => {
            let head = seen_head(ground, chat, Some(*head)).await?;
            if pin.is_none() {
                return Err(Error::Invalid("the chat has no pin to keep".into()));
            }
            Ok(match chat.declined == Some(head.hashes) {
                true => Plan::Stay,
                false => Plan::Decide(Decision::Decline, head.target()),
            })
        }
        PinMove::Undecline(head) => {
            let head = seen_head(ground, chat, Some(*head)).await?;
            Ok(match chat.drift() {
                Some(drift) if drift.declined => Plan::Decide(Decision::Undecline, head.target()),
                _ => Plan::Stay,
            })
        }
        PinMove::Rollback(to) => plan_back(ground, *to, chat.policy.after_rollback()).await,
        PinMove::Undo { to, policy } => plan_back(ground, *to, *policy).await,
        PinMove::Render => {
            let Some(pin) = pin else {
                return Err(Error::Invalid(
                    "the chat has no pin whose prompt could be rendered".into(),
                ));
            };
            if pin.prompt.renderer >= Renderer::CURRENT.number() {
                return Ok(Plan::Stay);
            }
            let target = Target {
                snapshot: pin.snapshot,
                hashes: pin.hashes,
            };
            let pinned = ground.snapshot(pin.snapshot).await?;
            let prompt = ground.prompt(pin.hashes.context, &pinned).await?;
            Ok(Plan::Render { target, prompt })
        }
    }
}

/// Plans the move back to a snapshot of the chat's history, with this policy from then on.
async fn plan_back(ground: &mut Ground<'_>, snapshot: SnapshotId, policy: Policy) -> Result<Plan> {
    let unknown = || {
        Error::Invalid(format!(
            "{snapshot} is not in the chat's history; choose a snapshot from the history"
        ))
    };
    let row = ground.history_of(snapshot).await?.ok_or_else(unknown)?;
    let rendered = row.rendered.ok_or_else(unknown)?;
    let hashes = ground.snapshot_hashes(snapshot).await?;
    let hashes = hashes.ok_or_else(unknown)?;
    Ok(Plan::Rollback {
        target: Target { snapshot, hashes },
        rendered,
        agent: row.agent,
        mcp_settled: row.mcp_settled,
        policy,
    })
}

/// Plans the move to the pin with the parts of the head that `choose` selects from both. The pin stays if it
/// selects nothing.
async fn plan_partial(
    ground: &mut Ground<'_>,
    chat: &ChatRecord,
    choose: impl FnOnce(&Snapshot, &Snapshot) -> Vec<Selector> + Send + 'static,
) -> Result<Plan> {
    let Some(pin) = chat.pin.as_ref().map(|pin| pin.pin) else {
        return Err(Error::Invalid(
            "the chat has no pin into which sources could be taken; refresh the whole chat".into(),
        ));
    };
    let head = chat.head.ok_or_else(|| no_head(chat))?;
    let pinned = ground.snapshot(pin.snapshot).await?;
    let head_snapshot = ground.snapshot(head.snapshot).await?;
    let was_settled = was_settled(ground, chat).await?;
    let bytes = sealed_weight(&pinned) + sealed_weight(&head_snapshot);
    let tools = chat.tools;
    let compose = move || {
        let composed = pinned.zip(head_snapshot).map(|(pinned, head)| {
            let selectors = choose(&pinned, &head);
            match selectors.is_empty() {
                true => Ok(None),
                false => partial(&pinned, &head, &selectors, tools).map(Some),
            }
        });
        let composed = composed.transpose()?.transpose();
        Ok::<_, Inseparable>(composed.map(Composed::of))
    };
    let Some(composed) = ground.work(bytes, compose).await?? else {
        return Ok(Plan::Stay);
    };
    let prepared = Prepared::composed(ground, composed, Some(&pin)).await?;
    let is_of_head = prepared.target.hashes.tools == head.hashes.tools;
    let mcp_settled = (!is_of_head).then_some(was_settled);
    Ok(Plan::Move {
        prepared: Box::new(prepared),
        mcp_settled,
    })
}

/// Returns whether the MCP servers had settled when the pinned tools were read.
pub(crate) async fn was_settled(ground: &mut Ground<'_>, chat: &ChatRecord) -> Result<bool> {
    let row = ground.history_at(chat.pin_seq).await?;
    Ok(row.is_none_or(|row| row.mcp_settled))
}

/// Clears a chat's pin, and returns the chat's context. The next head, unarchiving or a turn pins the chat again.
///
/// # Errors
///
/// Returns [`Error::ObservedChat`] if the chat is observed, [`Error::PreconditionFailed`] if the pin is not
/// `only_from`, [`Error::QuotaExceeded`] if the token moves too many pins, and [`Error::Store`] if the caller may not
/// move it.
pub async fn pin_clear(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    only_from: Option<SnapshotId>,
) -> Result<ContextView> {
    let object = Some(AuditObject::Chat(chat));
    write(
        service,
        credential,
        Operation::PinClear,
        object,
        |attempt| clear_once(service, credential, chat, only_from, attempt),
    )
    .await
}

async fn clear_once(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    only_from: Option<SnapshotId>,
    attempt: u32,
) -> Result<ContextView> {
    let caller = service.caller(credential);
    let (sighting, _) = service
        .database
        .sight_chat(&caller, Operation::PinClear, chat)
        .await?;
    if attempt == 1 {
        service.require_rate(Rate::Moves, credential.id.uuid(), 1, caller.now)?;
    }
    let mut transaction = service.database.write().await?;
    let granted = transaction
        .grant_chat_locked(&caller, &sighting, &[])
        .await?;
    let mut now = granted.record()?.clone();
    if now.mode.is_observed() {
        return Err(Error::ObservedChat);
    }
    require_pin(&now, only_from)?;
    let mut deed = match now.pin {
        Some(_) => granted.deed(),
        None => granted.unaudited("there was no pin to clear"),
    };
    if now.pin.is_some() {
        let cause = Cause::of(Reason::Clear, &now, caller.now);
        write_move(
            &mut transaction,
            &granted,
            &mut now,
            None,
            &cause,
            &mut deed,
        )
        .await?;
    }
    let after = granted.chat(&mut transaction).await?;
    let view = contexts::view(&mut transaction, &granted, after).await?;
    commit(service, transaction, deed).await?;
    Ok(view)
}

/// The result of refreshing many chats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// The number of chats whose pin moved.
    pub moved: u64,
    /// The number of observed chats, whose pins no request moves.
    pub observed: u64,
}

/// Refreshes the drifted, unarchived chats of the calling agent that belong to its owner, except those that
/// declined the head and observed ones.
///
/// # Errors
///
/// Returns [`Error::Fenced`] if a newer process of the agent has taken over, [`Error::AgentReplaced`] if another
/// agent has replaced it, [`Error::QuotaExceeded`] if it refreshes too often, and [`Error::Store`] if the agent
/// may not refresh.
pub async fn refresh_of_agent(
    service: &Service,
    credential: Credential,
    epoch: i64,
) -> Result<Refreshed> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let own = reading
        .grant_own_agent(&caller, Operation::AgentRefresh)
        .await;
    let own = audited(
        service,
        credential,
        Operation::AgentRefresh,
        None,
        own.map_err(Error::from),
    )
    .await?;
    require_epoch(own.record()?, epoch)?;
    service.require_rate(Rate::Moves, credential.id.uuid(), 1, caller.now)?;
    let chats = own.dirty_chats(&mut reading).await?;
    drop(reading);
    refresh_each(service, credential, Operation::AgentRefresh, &chats).await
}

/// Refreshes the drifted, unarchived chats of all users that a filter selects, except observed ones.
///
/// # Errors
///
/// Returns [`Error::QuotaExceeded`] if the token moves too many pins, and [`Error::Store`] if the caller is no
/// admin. The chats that moved before an error stay moved.
pub async fn refresh_many(
    service: &Service,
    credential: Credential,
    filter: RefreshFilter,
) -> Result<Refreshed> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let account: Result<Granted<object::Account, right::Metadata>> = reading
        .grant_account(&caller, Operation::PinMoveMany)
        .await
        .map_err(Error::from);
    let account = audited(service, credential, Operation::PinMoveMany, None, account).await?;
    service.require_rate(Rate::Moves, credential.id.uuid(), 1, caller.now)?;
    let chats = account.chats_to_refresh(&mut reading, filter).await?;
    drop(reading);
    refresh_each(service, credential, Operation::PinMoveMany, &chats).await
}

/// Refreshes each chat in a transaction of its own, so that no lock is held for long.
async fn refresh_each(
    service: &Service,
    credential: Credential,
    operation: Operation,
    chats: &[ChatId],
) -> Result<Refreshed> {
    let request = PinMove::Refresh { head: None };
    let mut refreshed = Refreshed::default();
    for chat in chats {
        let chat_move = ChatMove {
            operation,
            chat: *chat,
            request: &request,
            only_from: None,
            is_counted: false,
        };
        match retry(|attempt| move_once(service, credential, &chat_move, attempt)).await {
            Ok(_) => refreshed.moved += 1,
            Err(Error::ObservedChat) => refreshed.observed += 1,
            // The chat was deleted, rebound or unbound since it was listed.
            Err(Error::NoHead(_) | Error::Store(ctxpin_store::error::Error::NotFound(_))) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(refreshed)
}
