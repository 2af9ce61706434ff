//! Turns: before a model generates, the server returns the context in force and records it with a stamp.

use std::sync::Arc;

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::compose::{additive, require_same_rules, settle};
use ctxpin_model::diff::changes;
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::ChatId;
use ctxpin_model::offered_tools::Tools;
use ctxpin_model::page::{Page, PageRequest};
use ctxpin_model::pin::{Pin, Reason};
use ctxpin_model::policy::Uptake;
use ctxpin_model::quota::Rate;
use ctxpin_model::token::Credential;
use ctxpin_model::turn::TurnRequest;
use ctxpin_model::turn::{Offer, PromptFacts, TurnBegun, TurnContext, TurnRecord, TurnView};
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Granted, object, right};

use crate::contexts;
use crate::error::{Error, Result};
use crate::evidence;
use crate::frame::{commit, read_bodies, read_chat, write};
use crate::ground::Ground;
use crate::moves::{Cause, Composed, Prepared};
use crate::pins::was_settled;
use crate::prompts::{PinnedPrompt, sealed_weight};
use crate::service::Service;
use crate::starts::unarchive;

/// Begins a turn: pins an unpinned chat whose agent has a head, applies the chat's policy, and records the
/// turn with its stamp. Unarchives an observed chat first.
///
/// # Errors
///
/// Returns [`Error::Archived`] for an archived chat that is delivered, and [`Error::QuotaExceeded`] if the token begins too many
/// turns.
pub async fn begin(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    request: &TurnRequest,
) -> Result<TurnBegun> {
    let object = Some(AuditObject::Chat(chat));
    write(
        service,
        credential,
        Operation::TurnBegin,
        object,
        |attempt| begin_once(service, credential, chat, request, attempt),
    )
    .await
}

/// The moves that a turn begins with, and the state of the chat that they were planned for.
struct Plan {
    /// Each with its reason. The last value says whether the agent's MCP servers had settled, if the pinned
    /// tools are not the head's.
    moves: Vec<(Prepared, Reason, Option<bool>)>,
    notices: Vec<String>,
}

async fn begin_once(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    request: &TurnRequest,
    attempt: u32,
) -> Result<TurnBegun> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let seen = reading
        .grant_chat_within(&caller, Operation::TurnBegin, chat)
        .await?;
    let before = seen.record()?.clone();
    if let Some(turn) = of_reference(&mut reading, &seen, request).await? {
        return deliver(&mut reading, &seen, turn, None).await;
    }
    require_open(&before)?;
    if attempt == 1 {
        service.require_rate(Rate::Turns, credential.id.uuid(), 1, caller.now)?;
    }
    let sighting = seen.sighting();
    let mut ground = Ground::reading(service, &caller, Operation::TurnBegin, reading, seen);
    let mut planned = plan(&mut ground, &before).await?;
    drop(ground);
    let mut transaction = service.database.write().await?;
    let granted = transaction
        .grant_chat_locked(&caller, &sighting, &[])
        .await?;
    if let Some(turn) = of_reference(&mut transaction, &granted, request).await? {
        return deliver(&mut transaction, &granted, turn, None).await;
    }
    let mut now = granted.record()?.clone();
    require_open(&now)?;
    if !is_as_planned(&before, &now) {
        let mut ground = Ground::locked(attempt, service, &mut transaction, &granted)?;
        planned = plan(&mut ground, &now).await?;
    }
    let mut deed = match now.archived_at {
        Some(_) => unarchive(&mut transaction, &granted).await?,
        None => {
            granted.unaudited("the turn is a record of its own, and the history shows its moves")
        }
    };
    for (prepared, reason, mcp_settled) in &planned.moves {
        let cause = Cause {
            mcp_settled: mcp_settled.unwrap_or(now.head_settled),
            ..Cause::of(*reason, &now, caller.now)
        };
        prepared
            .carry_out(&mut transaction, &granted, &mut now, &cause, &mut deed)
            .await?;
    }
    let mut notices = planned.notices;
    notices.extend(standing_notice(&now));
    let turn = TurnRecord {
        number: now.turn_count + 1,
        snapshot: now.pin.as_ref().map(|pin| pin.pin.snapshot),
        believed: None,
        pin_seq: now.pin.as_ref().map(|_| now.pin_seq),
        prompt: now.pin.as_ref().map(|pin| pin.pin.prompt.prompt),
        tools_snapshot: now.tools_source(),
        delivery: request.delivery.unwrap_or(now.mode.delivery()),
        reference: request.reference.clone(),
        started_at: caller.now,
        evidence: None,
    };
    granted.turn_insert(&mut transaction, &turn).await?;
    let notice = (!notices.is_empty()).then(|| notices.join(" "));
    let view = deliver(&mut transaction, &granted, turn, notice).await?;
    commit(service, transaction, deed).await?;
    Ok(TurnBegun {
        is_new: true,
        ..view
    })
}

async fn of_reference<R>(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, R>,
    request: &TurnRequest,
) -> Result<Option<TurnRecord>> {
    match &request.reference {
        Some(reference) => Ok(granted.turn_of_reference(transaction, reference).await?),
        None => Ok(None),
    }
}

/// Checks that a turn may begin in the chat. In an observed chat, the turn begins whatever ctxpin says: it is recorded
/// even if the chat is archived.
fn require_open(chat: &ChatRecord) -> Result<()> {
    match chat.archived_at.is_some() && !chat.mode.is_observed() {
        true => Err(Error::Archived),
        false => Ok(()),
    }
}

/// Returns whether the chat is still as the plan expects.
fn is_as_planned(before: &ChatRecord, now: &ChatRecord) -> bool {
    before.stands_as(now)
        && (before.mode, before.policy) == (now.mode, now.policy)
        && before.tools == now.tools
        && before.declined == now.declined
        && before.head_settled == now.head_settled
        && (before.turn_count == 0) == (now.turn_count == 0)
}

async fn plan(ground: &mut Ground<'_>, chat: &ChatRecord) -> Result<Plan> {
    let mut plan = Plan {
        moves: Vec::new(),
        notices: Vec::new(),
    };
    let Some(head) = chat.head else {
        return Ok(plan);
    };
    let Some(pin) = chat.pin.as_ref().map(|pin| pin.pin) else {
        let prepared = Prepared::head(ground, chat).await?;
        plan.moves.push((prepared, Reason::Hydrate, None));
        return Ok(plan);
    };
    let uptake = chat.uptake();
    // The pin of an observed chat is what its client read, and not composed.
    let wants_tools = !chat.mode.is_observed()
        && chat.tools.pins_tools()
        && chat.turn_count == 0
        && chat.head_settled;
    match uptake {
        Some(Uptake::Head) => {
            if is_by_rules_alone(ground, chat, pin.snapshot, head.snapshot).await? {
                return Ok(plan);
            }
            let prepared = Prepared::head(ground, chat).await?;
            plan.moves.push((prepared, Reason::Follow, None));
            plan.notices.push("By the chat's policy the pin has moved to its agent's head, so the beginning of the prompt may have changed.".into());
            return Ok(plan);
        }
        None if !wants_tools => return Ok(plan),
        Some(Uptake::Additions) | None => {}
    }
    let was_settled = was_settled(ground, chat).await?;
    let head_tools = head.hashes.tools;
    let pinned = ground.snapshot(pin.snapshot).await?;
    let head = ground.snapshot(head.snapshot).await?;
    let bytes = sealed_weight(&pinned) + sealed_weight(&head);
    let (mut at, mut pin) = (pinned.clone(), pin);
    if uptake == Some(Uptake::Additions) {
        let sides = pinned.zip(head.clone());
        let is_other = sides.disclose(|(pinned, head)| require_same_rules(pinned, head).is_err());
        if is_other {
            plan.notices.push("The workspace is read by other rules or settings of its tool than when the pin was taken, so the chat's policy takes nothing; refresh the chat to take all of it.".into());
        }
        let compose = move || {
            let composed = sides.map(|(pinned, head)| additive(&pinned, &head));
            composed.transpose().map(Composed::of)
        };
        if let Some(composed) = ground.work(bytes, compose).await? {
            at = composed.snapshot.clone();
            pin = plan.add(ground, composed, &pin, Reason::Additive).await?;
            // If the pin keeps its own tools, so does what is known of their servers.
            if let Some((prepared, _, mcp_settled)) = plan.moves.last_mut() {
                *mcp_settled = (prepared.target.hashes.tools != head_tools).then_some(was_settled);
            }
            plan.notices.push("By the chat's policy the pin has taken up what is new, so the beginning of the prompt may have changed.".into());
        }
    }
    if wants_tools && !was_settled {
        let sides = at.zip(head);
        let compose = move || {
            let settled = sides.map(|(at, head)| settle(&at, &head));
            settled.transpose().map(Composed::of)
        };
        if let Some(composed) = ground.work(bytes, compose).await? {
            plan.add(ground, composed, &pin, Reason::Settle).await?;
        }
    }
    Ok(plan)
}

/// Returns whether the bytes are the same, and only a newer release reads them differently.
async fn is_by_rules_alone(
    ground: &mut Ground<'_>,
    chat: &ChatRecord,
    pinned: SnapshotId,
    head: SnapshotId,
) -> Result<bool> {
    let pinned = ground.snapshot(pinned).await?;
    let head = ground.snapshot(head).await?;
    let bytes = sealed_weight(&pinned) + sealed_weight(&head);
    let with_tools = chat.tools.pins_tools();
    let sides = pinned.zip(head);
    let compare = move || {
        sides.disclose(|(pinned, head)| {
            let changes = changes(pinned, head, with_tools);
            changes.iter().all(|change| change.cause().is_some())
        })
    };
    ground.work(bytes, compare).await
}

impl Plan {
    /// Adds a move to a composed snapshot. Returns the parts of the resulting pin on which the next move
    /// depends.
    async fn add(
        &mut self,
        ground: &mut Ground<'_>,
        composed: Composed,
        pin: &Pin,
        reason: Reason,
    ) -> Result<Pin> {
        let prepared = Prepared::composed(ground, composed, Some(pin)).await?;
        let target = prepared.target;
        self.moves.push((prepared, reason, None));
        Ok(Pin {
            snapshot: target.snapshot,
            hashes: target.hashes,
            ..*pin
        })
    }
}

/// Returns the warnings about the state of the chat.
fn standing_notice(chat: &ChatRecord) -> Option<String> {
    if chat.pin.is_none() {
        let why = match chat.agent {
            Some(_) => "its agent has not pushed anything yet",
            None => "it is bound to no agent",
        };
        return Some(format!(
            "The chat has no pin, since {why}; so the prompt is empty."
        ));
    }
    chat.tools_differ().then(|| {
        "The tools come from the agent's head and differ from the pin's; they precede the prompt in a provider's cache.".into()
    })
}

/// The notice if a response has no context.
const NOTHING_GIVEN: &str = "The token lacks the scope `read`, so the answer has no prompt, no skills and no tools; use a token that has it.";

/// Reads what a turn's stamp names, if the caller may read bodies.
async fn deliver<R>(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, R>,
    turn: TurnRecord,
    notice: Option<String>,
) -> Result<TurnBegun> {
    let (given, notice) = match granted.bodies() {
        Some(granted) => (Some(given(transaction, &granted, &turn).await?), notice),
        None => {
            let notices = notice.iter().map(String::as_str).chain([NOTHING_GIVEN]);
            (None, Some(notices.collect::<Vec<_>>().join(" ")))
        }
    };
    Ok(TurnBegun {
        turn,
        is_new: false,
        given,
        notice,
    })
}

async fn given(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, right::Body>,
    turn: &TurnRecord,
) -> Result<TurnContext> {
    let prompt = match turn.prompt {
        Some(hash) => {
            // A turn that is not written yet uses the chat's pinned prompt.
            let bytes = granted.prompt_bytes(transaction, hash).await?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        None => String::new(),
    };
    Ok(TurnContext {
        prompt_tokens: ctxpin_render::estimate::tokens(prompt.len() as u64),
        prompt,
        offer: offer(transaction, granted, turn).await?,
    })
}

/// Reads the skills and the tools that a turn's stamp names.
async fn offer(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, right::Body>,
    turn: &TurnRecord,
) -> Result<Offer> {
    let pinned = match turn.snapshot {
        Some(id) => contexts::snapshot(transaction, granted, id).await?,
        None => Arc::default(),
    };
    let tools = match turn.tools_snapshot {
        Some(id) if Some(id) == turn.snapshot => ctxpin_render::tools::definitions(&pinned),
        Some(id) => {
            let snapshot = contexts::snapshot(transaction, granted, id).await?;
            ctxpin_render::tools::definitions(&snapshot)
        }
        None => Tools::default(),
    };
    Ok(Offer {
        skills: pinned.skills().cloned().collect(),
        tools,
    })
}

/// Returns a page of a chat's turns, newest first.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not see the chat.
pub async fn list(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    page: &PageRequest<i64>,
) -> Result<Page<TurnRecord, i64>> {
    let (mut transaction, granted) =
        read_chat(service, credential, Operation::TurnList, chat).await?;
    Ok(granted.turns(&mut transaction, page).await?)
}

/// Returns the turn of that number in a chat, with the facts of its prompt, what it offered, and its evidence. Leaves out the
/// offer if the caller may not read the chat's bodies.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if the chat has no such turn, and [`Error::Store`] if the caller may not see the
/// chat.
pub async fn read(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    number: i64,
) -> Result<TurnView> {
    let (mut transaction, granted) =
        read_chat(service, credential, Operation::TurnRead, chat).await?;
    let stamped = granted.turn_at(&mut transaction, number).await?;
    let stamped = stamped.ok_or(Error::NotFound("turn"))?;
    let offer = match granted.bodies() {
        Some(granted) => Some(offer(&mut transaction, &granted, &stamped.turn).await?),
        None => None,
    };
    let evidence = match stamped.turn.evidence {
        Some(_) => evidence::view(&mut transaction, &granted, number).await?,
        None => None,
    };
    let prompt = stamped.size_bytes.zip(stamped.renderer);
    Ok(TurnView {
        prompt: prompt.map(|(size_bytes, renderer)| PromptFacts {
            size_bytes,
            tokens: ctxpin_render::estimate::tokens(size_bytes),
            renderer,
        }),
        turn: stamped.turn,
        offer,
        evidence,
    })
}

/// Returns the prompt that a turn was given. Does not read the bytes if `known` is the prompt's hash.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if the chat has no such turn, and [`Error::Store`] if the caller may not read the
/// chat's bodies. Writes a line of the audit log for a refusal.
pub async fn prompt(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    number: i64,
    known: Option<BlobHash>,
) -> Result<PinnedPrompt> {
    let (mut transaction, granted) =
        read_bodies(service, credential, Operation::PromptRead, chat).await?;
    let stamped = granted.turn_at(&mut transaction, number).await?;
    let hash = stamped.ok_or(Error::NotFound("turn"))?.turn.prompt;
    let bytes = match hash.filter(|hash| Some(*hash) != known) {
        Some(hash) => Some(granted.prompt_bytes(&mut transaction, hash).await?.into()),
        None => None,
    };
    Ok(PinnedPrompt { hash, bytes })
}
