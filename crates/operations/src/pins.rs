//! The moves of a chat's pin that somebody asks for.

use ctxpin_model::access::Operation;
use ctxpin_model::chat::{ChatRecord, PinState};
use ctxpin_model::compose::{Selector, partial};
use ctxpin_model::drift::Hashes;
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::{Door, Pin, Policy, Reason, Step, Target, step};
use ctxpin_model::snapshot::{Addresses, Snapshot};
use ctxpin_model::token::Credential;
use ctxpin_store::chats::ChatUpdate;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::right::ReadsBodies;
use ctxpin_store::grant::{Granted, object, right};
use ctxpin_store::pins::Move;
use ctxpin_store::wake::Topic;

use crate::contexts::{self, ContextView};
use crate::error::{Error, Result, attempt};
use crate::prompts::Prompt;
use crate::pushes::demand_epoch;
use crate::service::Service;

/// How a pin is asked to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoveRequest {
    /// To the agent's head; given one, to that one and no other.
    Refresh {
        /// The head that the caller has seen.
        head: Option<SnapshotId>,
    },
    /// To the pin with some things taken from the head.
    Sources {
        /// What is taken.
        selectors: Vec<Selector>,
        /// The head that the caller has seen.
        head: Option<SnapshotId>,
    },
    /// Not at all: the head is noted as looked at.
    Decline(SnapshotId),
    /// Back to a snapshot of the chat's own history.
    Rollback(SnapshotId),
}

/// Moves a chat's pin as asked, if the pin is still `only_from` where that is given, and answers
/// the pin that came of it.
pub async fn pin_move(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    request: &MoveRequest,
    only_from: Option<SnapshotId>,
) -> Result<ContextView> {
    let operation = Operation::PinMove;
    let outcome = attempt!(move_once(
        service, credential, operation, chat, request, only_from
    ));
    service
        .audited(credential, operation, Some(("chat", chat.uuid())), outcome)
        .await
}

/// A target with what its move needs, worked out before the chat is locked.
pub(crate) struct Prepared {
    pub target: Target,
    /// The snapshot, if it is at hand.
    pub snapshot: Option<Snapshot>,
    /// Whether the snapshot was composed and must be written first.
    pub is_composed: bool,
    /// The prompt, if the move needs one.
    pub prompt: Option<Prompt>,
}

impl Prepared {
    /// The way to the agent's head.
    pub async fn head<R: ReadsBodies>(
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, R>,
        chat: &ChatRecord,
        pin: Option<&Pin>,
    ) -> Result<Self> {
        let head = chat.head.ok_or_else(|| no_head(chat))?;
        let target = Target {
            snapshot: head.snapshot,
            hashes: head.hashes,
        };
        let mut prepared = Self {
            target,
            snapshot: None,
            is_composed: false,
            prompt: None,
        };
        if step(pin, &target) == Step::Render {
            let snapshot = contexts::snapshot(transaction, granted, head.snapshot, &[]).await?;
            prepared.render(transaction, granted, &snapshot).await?;
            prepared.snapshot = Some(snapshot);
        }
        Ok(prepared)
    }

    /// The way to a snapshot that was composed of what the chat reaches.
    pub async fn composed<R: ReadsBodies>(
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, R>,
        snapshot: Snapshot,
        pin: Option<&Pin>,
    ) -> Result<Self> {
        let Addresses {
            id,
            context_hash,
            tools_hash,
        } = snapshot.addresses();
        let hashes = Hashes {
            context: context_hash,
            tools: tools_hash,
        };
        let target = Target {
            snapshot: id,
            hashes,
        };
        let mut prepared = Self {
            target,
            snapshot: None,
            is_composed: true,
            prompt: None,
        };
        if step(pin, &target) == Step::Render {
            prepared.render(transaction, granted, &snapshot).await?;
        }
        prepared.snapshot = Some(snapshot);
        Ok(prepared)
    }

    async fn render<R: ReadsBodies>(
        &mut self,
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, R>,
        snapshot: &Snapshot,
    ) -> Result<()> {
        let context = self.target.hashes.context;
        self.prompt = Some(Prompt::of_chat(transaction, granted, context, snapshot).await?);
        Ok(())
    }

    /// Moves the pin of a locked chat there, whatever the reason: the one way in which a pin moves
    /// but for a rollback and a clearing. Answers the new pin.
    pub async fn carry_out(
        &self,
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, right::Write>,
        chat: &mut ChatRecord,
        cause: &Cause,
    ) -> Result<()> {
        let pin = chat.pin.as_ref().map(|pin| pin.pin);
        let prompt = match step(pin.as_ref(), &self.target) {
            Step::Stay => return Ok(()),
            Step::Keep(prompt) => prompt,
            Step::Render => {
                let prompt = self.prompt.as_ref().ok_or_else(Error::overtaken)?;
                prompt
                    .keep(transaction, granted, self.target.hashes.context)
                    .await?
            }
        };
        if let Some(snapshot) = self.snapshot.as_ref().filter(|_| self.is_composed) {
            let addresses = Addresses {
                id: self.target.snapshot,
                context_hash: self.target.hashes.context,
                tools_hash: self.target.hashes.tools,
            };
            granted
                .snapshot_insert(transaction, snapshot, &addresses, cause.at)
                .await?;
        }
        write_move(
            transaction,
            granted,
            chat,
            Some((self.target, prompt)),
            cause,
        )
        .await
    }
}

/// Why a pin moves, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    pub reason: Reason,
    /// The agent that the new pin comes from.
    pub agent: Option<AgentId>,
    pub mcp_settled: bool,
    pub door: Door,
    pub at: Moment,
}

impl Cause {
    /// A move that a caller of the API causes, to what the chat's agent has.
    pub fn of(reason: Reason, chat: &ChatRecord, at: Moment) -> Self {
        Self {
            reason,
            agent: chat.agent,
            mcp_settled: chat.head_settled,
            door: Door::Api,
            at,
        }
    }
}

/// Writes a move and brings `chat`, which was read under its lock, up to date.
pub(crate) async fn write_move(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, right::Write>,
    chat: &mut ChatRecord,
    to: Option<(Target, BlobHash)>,
    cause: &Cause,
) -> Result<()> {
    let written = Move {
        to: to.map(|(target, prompt)| (target.snapshot, prompt)),
        agent: cause.agent,
        reason: cause.reason,
        mcp_settled: cause.mcp_settled,
        door: cause.door,
        at: cause.at,
    };
    granted
        .pin_move(transaction, chat.pin_seq, &written)
        .await?;
    chat.pin_seq += 1;
    chat.pin = to.map(|(Target { snapshot, hashes }, prompt)| PinState {
        pin: Pin {
            snapshot,
            hashes,
            prompt,
        },
        pinned_at: cause.at,
        error: None,
    });
    Ok(())
}

pub(crate) fn no_head(chat: &ChatRecord) -> Error {
    Error::NoHead(match chat.agent {
        Some(_) => "the chat's agent has not pushed anything yet",
        None => "the chat is bound to no agent",
    })
}

/// What is to be done to the chat, worked out before it is locked.
enum Plan {
    Move {
        prepared: Box<Prepared>,
        /// Whether the tools that it pins are those of settled servers, where they are not the
        /// head's.
        mcp_settled: Option<bool>,
    },
    Decline(Hashes),
    Rollback {
        target: Target,
        prompt: BlobHash,
        agent: Option<AgentId>,
        mcp_settled: bool,
    },
}

async fn move_once(
    service: &Service,
    credential: Credential,
    operation: Operation,
    chat: ChatId,
    request: &MoveRequest,
    only_from: Option<SnapshotId>,
) -> Result<ContextView> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let seen = reading.grant_chat_within(&caller, operation, chat).await?;
    let before = seen.chat(&mut reading).await?;
    demand_pin(&before, only_from)?;
    let plan = plan(&mut reading, &seen, &before, request).await?;
    let sighting = seen.sighting(operation);
    drop(reading);
    let mut transaction = service.database.write().await?;
    let granted = transaction
        .grant_chat_locked(&caller, &sighting, &[])
        .await?;
    let mut now = granted.chat(&mut transaction).await?;
    demand_pin(&now, only_from)?;
    let head_moved = now.head.map(|head| head.snapshot) != before.head.map(|head| head.snapshot);
    let pin_moved = now.pin_seq != before.pin_seq;
    let mut at_hand = None;
    match &plan {
        Plan::Move {
            prepared,
            mcp_settled,
        } => {
            // What was prepared is of the old head, and a partial refresh of the old pin too.
            if head_moved || (pin_moved && matches!(request, MoveRequest::Sources { .. })) {
                return Err(Error::overtaken());
            }
            let door = match operation {
                Operation::AgentRefresh => Door::Agent,
                _ => Door::Api,
            };
            let cause = Cause {
                door,
                mcp_settled: mcp_settled.unwrap_or(now.head_settled),
                ..Cause::of(Reason::Refresh, &now, caller.now)
            };
            prepared
                .carry_out(&mut transaction, &granted, &mut now, &cause)
                .await?;
            at_hand = prepared
                .snapshot
                .as_ref()
                .map(|s| (prepared.target.snapshot, s));
        }
        Plan::Decline(hashes) => {
            if head_moved {
                return Err(Error::overtaken());
            }
            granted.decline(&mut transaction, *hashes).await?;
        }
        Plan::Rollback {
            target,
            prompt,
            agent,
            mcp_settled,
        } => {
            if pin_moved {
                return Err(Error::overtaken());
            }
            let is_there = now.pin.as_ref().is_some_and(|pin| {
                pin.pin.snapshot == target.snapshot && pin.pin.prompt == *prompt
            });
            if !is_there {
                let cause = Cause {
                    agent: *agent,
                    mcp_settled: *mcp_settled,
                    ..Cause::of(Reason::Rollback, &now, caller.now)
                };
                let to = Some((*target, *prompt));
                write_move(&mut transaction, &granted, &mut now, to, &cause).await?;
            }
            if now.policy != Policy::Manual {
                let update = ChatUpdate {
                    policy: Some(Policy::Manual),
                    ..ChatUpdate::default()
                };
                granted
                    .update(&mut transaction, &update, caller.now)
                    .await?;
            }
        }
    }
    let object = Some(("chat", chat.uuid()));
    transaction
        .audit(granted.actor(), operation, object, caller.now)
        .await?;
    let after = granted.chat(&mut transaction).await?;
    let at_hand: Vec<_> = at_hand.into_iter().collect();
    let view = contexts::view(&mut transaction, &granted, after, &at_hand).await?;
    transaction.commit().await?;
    service.wakes.publish(Topic::Chat {
        owner: granted.owner(),
        chat,
    });
    Ok(view)
}

/// Refuses if the pin is not the one that the caller has seen.
fn demand_pin(chat: &ChatRecord, only_from: Option<SnapshotId>) -> Result<()> {
    let pin = chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    match (only_from, pin) {
        (None, _) => Ok(()),
        (Some(expected), Some(pin)) if expected == pin => Ok(()),
        (Some(_), Some(pin)) => Err(Error::PreconditionFailed(format!(
            "the pin is {pin} by now; look at the chat again"
        ))),
        (Some(_), None) => Err(Error::PreconditionFailed(
            "the chat has no pin by now; look at it again".into(),
        )),
    }
}

/// Refuses if the head is not the one that the caller has seen.
fn demand_head(chat: &ChatRecord, seen: Option<SnapshotId>) -> Result<()> {
    let head = chat.head.ok_or_else(|| no_head(chat))?;
    match seen {
        Some(seen) if seen != head.snapshot => Err(Error::PreconditionFailed(format!(
            "the head is {} by now; look at the diff again",
            head.snapshot
        ))),
        _ => Ok(()),
    }
}

async fn plan(
    reading: &mut Transaction,
    seen: &Granted<object::Chat, right::Body>,
    chat: &ChatRecord,
    request: &MoveRequest,
) -> Result<Plan> {
    let pin = chat.pin.as_ref().map(|pin| pin.pin);
    match request {
        MoveRequest::Refresh { head } => {
            demand_head(chat, *head)?;
            let prepared = Prepared::head(reading, seen, chat, pin.as_ref()).await?;
            Ok(Plan::Move {
                prepared: Box::new(prepared),
                mcp_settled: None,
            })
        }
        MoveRequest::Sources { selectors, head } => {
            demand_head(chat, *head)?;
            let Some(pin) = pin else {
                return Err(Error::Invalid(
                    "the chat has no pin to take sources into; refresh it as a whole".into(),
                ));
            };
            let head = chat.head.ok_or_else(|| no_head(chat))?;
            let pinned = contexts::snapshot(reading, seen, pin.snapshot, &[]).await?;
            let head_snapshot = contexts::snapshot(reading, seen, head.snapshot, &[]).await?;
            let composed = partial(&pinned, &head_snapshot, selectors, chat.tools)?;
            let prepared = Prepared::composed(reading, seen, composed, Some(&pin)).await?;
            let mcp_settled = if prepared.target.hashes.tools == head.hashes.tools {
                None
            } else {
                Some(was_settled(reading, seen, chat).await?)
            };
            Ok(Plan::Move {
                prepared: Box::new(prepared),
                mcp_settled,
            })
        }
        MoveRequest::Decline(head) => {
            demand_head(chat, Some(*head))?;
            if pin.is_none() {
                return Err(Error::Invalid("the chat has no pin to keep".into()));
            }
            let head = chat.head.ok_or_else(|| no_head(chat))?;
            Ok(Plan::Decline(head.hashes))
        }
        MoveRequest::Rollback(snapshot) => {
            let unknown = || {
                Error::Invalid(format!(
                    "{snapshot} is not in the chat's history; see the history for what it can go back to"
                ))
            };
            let row = seen
                .history_of(reading, *snapshot)
                .await?
                .ok_or_else(unknown)?;
            let prompt = row.prompt.ok_or_else(unknown)?;
            let hashes = seen
                .snapshot_hashes(reading, *snapshot)
                .await?
                .ok_or_else(unknown)?;
            let target = Target {
                snapshot: *snapshot,
                hashes,
            };
            Ok(Plan::Rollback {
                target,
                prompt,
                agent: row.agent,
                mcp_settled: row.mcp_settled,
            })
        }
    }
}

/// Whether the agent's MCP servers had settled when the tools of the pin were taken.
pub(crate) async fn was_settled(
    reading: &mut Transaction,
    seen: &Granted<object::Chat, right::Body>,
    chat: &ChatRecord,
) -> Result<bool> {
    let row = seen.history_at(reading, chat.pin_seq).await?;
    Ok(row.is_none_or(|row| row.mcp_settled))
}

/// Clears a chat's pin. The agent's next head, unarchiving or a turn hydrates it.
pub async fn pin_clear(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    only_from: Option<SnapshotId>,
) -> Result<ContextView> {
    let outcome = attempt!(clear_once(service, credential, chat, only_from));
    let object = Some(("chat", chat.uuid()));
    service
        .audited(credential, Operation::PinClear, object, outcome)
        .await
}

async fn clear_once(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    only_from: Option<SnapshotId>,
) -> Result<ContextView> {
    let caller = service.caller(credential);
    let sighting = service
        .database
        .sight_chat(&caller, Operation::PinClear, chat)
        .await?;
    let mut transaction = service.database.write().await?;
    let granted = transaction
        .grant_chat_locked(&caller, &sighting, &[])
        .await?;
    let mut now = granted.chat(&mut transaction).await?;
    demand_pin(&now, only_from)?;
    if now.pin.is_some() {
        let cause = Cause::of(Reason::Clear, &now, caller.now);
        write_move(&mut transaction, &granted, &mut now, None, &cause).await?;
        let object = Some(("chat", chat.uuid()));
        transaction
            .audit(granted.actor(), Operation::PinClear, object, caller.now)
            .await?;
    }
    let after = granted.chat(&mut transaction).await?;
    let view = contexts::view(&mut transaction, &granted, after, &[]).await?;
    transaction.commit().await?;
    service.wakes.publish(Topic::Chat {
        owner: granted.owner(),
        chat,
    });
    Ok(view)
}

/// Refreshes, on behalf of an agent, every drifted and unarchived chat that is bound to it and
/// belongs to its owner. Answers how many moved.
pub async fn refresh_of_agent(
    service: &Service,
    credential: Credential,
    epoch: i64,
) -> Result<u64> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let own = reading
        .grant_own_agent(&caller, Operation::AgentRefresh)
        .await;
    let own = service
        .audited(
            credential,
            Operation::AgentRefresh,
            None,
            own.map_err(Error::from),
        )
        .await?;
    demand_epoch(&own.agent(&mut reading).await?, epoch)?;
    let chats = own.dirty_chats(&mut reading).await?;
    drop(reading);
    refresh_each(service, credential, Operation::AgentRefresh, &chats).await
}

/// Which chats an admin refreshes.
#[derive(Debug, Clone, Copy, Default)]
pub struct RefreshFilter {
    /// Those bound to this agent.
    pub agent: Option<AgentId>,
    /// Those whose pin or head holds this content.
    pub content: Option<BlobHash>,
}

/// Refreshes every drifted and unarchived chat that a filter selects. Answers how many moved.
pub async fn refresh_many(
    service: &Service,
    credential: Credential,
    filter: RefreshFilter,
) -> Result<u64> {
    let caller = service.caller(credential);
    let mut reading = service.database.read().await?;
    let account: Result<Granted<object::Account, right::Metadata>> = reading
        .grant_account(&caller, Operation::PinMoveMany)
        .await
        .map_err(Error::from);
    let account = service
        .audited(credential, Operation::PinMoveMany, None, account)
        .await?;
    let chats = account
        .chats_to_refresh(&mut reading, filter.agent, filter.content)
        .await?;
    drop(reading);
    refresh_each(service, credential, Operation::PinMoveMany, &chats).await
}

/// Each chat moves in a transaction of its own, so that many of them hold up nobody.
async fn refresh_each(
    service: &Service,
    credential: Credential,
    operation: Operation,
    chats: &[ChatId],
) -> Result<u64> {
    let request = MoveRequest::Refresh { head: None };
    let mut refreshed = 0;
    for chat in chats {
        match attempt!(move_once(
            service, credential, operation, *chat, &request, None
        )) {
            Ok(_) => refreshed += 1,
            // Deleted, rebound or unbound since the look at the list.
            Err(Error::NoHead(_) | Error::Store(ctxpin_store::error::Error::NotFound(_))) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(refreshed)
}
