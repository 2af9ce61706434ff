//! Moves of a pin. A move is prepared before the chat is locked, and then carried out. Every move is
//! written by [`write_move`].

use std::sync::Arc;

use ctxpin_model::chat::{ChatRecord, PinState};
use ctxpin_model::drift::Hashes;
use ctxpin_model::id::AgentId;
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::{Pin, Reason, Rendered, Step, Target, step};
use ctxpin_model::snapshot::{Addresses, Snapshot};
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_store::database::Transaction;
use ctxpin_store::deed::Deed;
use ctxpin_store::grant::{Granted, object, right};
use ctxpin_store::pins::Move;
use ctxpin_store::sealed::Sealed;

use crate::error::{Error, Result};
use crate::ground::Ground;
use crate::prompts::Prompt;

/// A target with what a move to it needs, prepared before the chat is locked.
pub(crate) struct Prepared {
    pub target: Target,
    /// The snapshot, if it is composed and must be written first.
    pub composed: Option<Sealed<Arc<TreatedSnapshot>>>,
    /// The prompt, if the move needs one.
    pub prompt: Option<Prompt>,
}

/// A snapshot composed of others, with the target of a move to it.
#[derive(Clone)]
pub(crate) struct Composed {
    pub snapshot: Sealed<Arc<TreatedSnapshot>>,
    pub target: Target,
}

impl Composed {
    /// Computes the target of a move to a snapshot.
    pub fn of(snapshot: Sealed<Snapshot>) -> Self {
        let Addresses {
            id,
            context_hash,
            tools_hash,
        } = snapshot.disclose(Snapshot::addresses);
        let hashes = Hashes {
            context: context_hash,
            tools: tools_hash,
        };
        Self {
            target: Target {
                snapshot: id,
                hashes,
            },
            snapshot: snapshot.map(|snapshot| {
                Arc::new(TreatedSnapshot {
                    snapshot,
                    ..TreatedSnapshot::default()
                })
            }),
        }
    }
}

impl Prepared {
    /// Prepares a move to the agent's head from the chat's record alone. Returns `None` if something must be read
    /// or rendered.
    ///
    /// # Errors
    ///
    /// Returns [`Error::NoHead`] if the chat has no agent or its agent no head.
    pub fn head_from_record(chat: &ChatRecord) -> Result<Option<Self>> {
        let target = chat.head.ok_or_else(|| no_head(chat))?.target();
        let pin = chat.pin.as_ref().map(|pin| &pin.pin);
        let prompt = match (step(pin, &target), chat.head_prompt) {
            (Step::Render, None) => return Ok(None),
            (Step::Render, Some(kept)) => Some(Prompt::Kept(kept)),
            _ => None,
        };
        Ok(Some(Self {
            target,
            composed: None,
            prompt,
        }))
    }

    /// Prepares a move to the agent's head.
    pub async fn head(ground: &mut Ground<'_>, chat: &ChatRecord) -> Result<Self> {
        if let Some(prepared) = Self::head_from_record(chat)? {
            return Ok(prepared);
        }
        let head = chat.head.ok_or_else(|| no_head(chat))?;
        Self::stored(ground, chat, head.target()).await
    }

    /// Prepares a move to a snapshot that is stored.
    pub async fn stored(
        ground: &mut Ground<'_>,
        chat: &ChatRecord,
        target: Target,
    ) -> Result<Self> {
        let pin = chat.pin.as_ref().map(|pin| &pin.pin);
        let prompt = match step(pin, &target) {
            Step::Render => {
                let snapshot = ground.snapshot(target.snapshot).await?;
                Some(ground.prompt(target.hashes.context, &snapshot).await?)
            }
            Step::Stay | Step::Keep(_) => None,
        };
        Ok(Self {
            target,
            composed: None,
            prompt,
        })
    }

    /// Prepares a move to a composed snapshot.
    pub async fn composed(
        ground: &mut Ground<'_>,
        composed: Composed,
        pin: Option<&Pin>,
    ) -> Result<Self> {
        let Composed { snapshot, target } = composed;
        let prompt = match step(pin, &target) {
            Step::Render => Some(ground.prompt(target.hashes.context, &snapshot).await?),
            Step::Stay | Step::Keep(_) => None,
        };
        Ok(Self {
            target,
            composed: Some(snapshot),
            prompt,
        })
    }

    /// Moves the pin of a locked chat to the target and updates `chat`. If the pin is at the target already, writes
    /// nothing, unless the client has read it again, which the history notes.
    pub async fn carry_out(
        &self,
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, right::Write>,
        chat: &mut ChatRecord,
        cause: &Cause,
        deed: &mut Deed,
    ) -> Result<()> {
        let pin = chat.pin.as_ref().map(|pin| pin.pin);
        let prompt = match (step(pin.as_ref(), &self.target), pin) {
            (Step::Stay, Some(pin)) if cause.reason == Reason::Observe => pin.prompt,
            (Step::Stay, _) => return Ok(()),
            (Step::Keep(prompt), _) => prompt,
            (Step::Render, _) => {
                let prompt = self.prompt.as_ref().ok_or_else(Error::overtaken)?;
                prompt
                    .keep(transaction, granted, self.target.hashes.context)
                    .await?
            }
        };
        if let Some(snapshot) = &self.composed {
            let addresses = Addresses {
                id: self.target.snapshot,
                context_hash: self.target.hashes.context,
                tools_hash: self.target.hashes.tools,
            };
            granted
                .snapshot_insert(transaction, snapshot, &addresses, cause.at)
                .await?;
        }
        let to = Some((self.target, prompt));
        write_move(transaction, granted, chat, to, cause, deed).await
    }
}

/// The cause of a move, as the history shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    pub reason: Reason,
    /// The agent from which the new pin comes.
    pub agent: Option<AgentId>,
    pub mcp_settled: bool,
    /// Whether the client of an observed chat may have read files that are newer than the new pin.
    pub unconfirmed: bool,
    /// The number of the turn whose evidence has shown that the client read the new pin.
    pub evidence_turn: Option<i64>,
    pub at: Moment,
}

impl Cause {
    /// Returns the cause of a move to the head of the chat's agent.
    pub fn of(reason: Reason, chat: &ChatRecord, at: Moment) -> Self {
        Self {
            reason,
            agent: chat.agent,
            mcp_settled: chat.head_settled,
            unconfirmed: false,
            evidence_turn: None,
            at,
        }
    }
}

/// Writes a move of a locked chat's pin, adds it to the deed, and updates `chat`. `None` as the target clears the
/// pin.
pub(crate) async fn write_move(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, right::Write>,
    chat: &mut ChatRecord,
    to: Option<(Target, Rendered)>,
    cause: &Cause,
    deed: &mut Deed,
) -> Result<()> {
    let pinned_at = match (&chat.pin, cause.reason) {
        (Some(pin), Reason::Render) => pin.pinned_at,
        (Some(pin), Reason::Observe) if is_at(pin, to) => pin.pinned_at,
        _ => cause.at,
    };
    let unconfirmed = match (&chat.pin, cause.reason) {
        (Some(pin), Reason::Render) => pin.unconfirmed,
        _ => cause.unconfirmed,
    };
    let written = Move {
        to: to.map(|(target, prompt)| (target.snapshot, prompt)),
        agent: cause.agent,
        reason: cause.reason,
        mcp_settled: cause.mcp_settled,
        unconfirmed,
        evidence_turn: cause.evidence_turn,
        at: cause.at,
        pinned_at,
    };
    granted
        .pin_move(transaction, chat.pin_seq, &written, deed)
        .await?;
    chat.pin_seq += 1;
    chat.pin = to.map(|(Target { snapshot, hashes }, prompt)| PinState {
        pin: Pin {
            snapshot,
            hashes,
            prompt,
        },
        pinned_at,
        unconfirmed,
        error: None,
    });
    Ok(())
}

/// Returns whether a pin is at the target already.
fn is_at(pin: &PinState, to: Option<(Target, Rendered)>) -> bool {
    to.is_some_and(|(target, _)| target.snapshot == pin.pin.snapshot)
}

pub(crate) fn no_head(chat: &ChatRecord) -> Error {
    Error::NoHead(match chat.agent {
        Some(_) => "the chat's agent has not pushed anything yet",
        None => "the chat is bound to no agent",
    })
}
