//! The turns of whose prompts nobody told: a busy machine may start a hook so late that its client ends it first.

use std::sync::Arc;

use super::asking::Asking;
use super::deed::{Deed, insistently, unseen};
use super::read::KeptReads;
use super::{Event, Hooks, Session, is_edited_behind, is_read_at_turns, keep_read, name};
use crate::blocking::blocking;
use crate::shared::lock;

/// A turn that has ended, and that may be one of these. The record shows it: work that is handed back to a session ends in
/// the same way, and is none.
pub(super) struct Untold {
    /// The client's id of the turn.
    pub turn: String,
    /// Whether the client has read its files with the prompt, when nobody looked.
    is_read: bool,
}

impl Hooks {
    /// Returns the turn of an event if no prompt of that name was told.
    pub(super) async fn untold(&self, event: &Event, session: &Session) -> Option<Untold> {
        let call = &event.call;
        let turn = call.turn.clone()?;
        let known = self.known(event, session).await;
        let is_told = lock(known).turn.as_ref() == Some(&turn);
        let is_read = is_read_at_turns(event.client) || self.forgot(call).is_some();
        (!is_told).then_some(Untold { turn, is_read })
    }
}

impl Untold {
    /// Records the turn, with what the session's client has read as far as that is known.
    pub async fn record(
        self,
        asking: &Asking,
        event: &Event,
        session: &Arc<Session>,
        kept_reads: &Arc<KeptReads>,
    ) {
        let Self { turn, is_read } = self;
        let (kept, missed) = (Arc::clone(kept_reads), name(event));
        let has_missed = blocking(move || kept.take_missed(&missed)).await;
        let newest = event.newest.borrow().clone();
        let is_edited = match newest {
            Some(newest) => is_edited_behind(session, &newest).await,
            None => false,
        };
        lock(&session.starting).take();
        let is_unseen = is_read || has_missed || is_edited;
        if let Some(read) = session.read.get() {
            let mut read = lock(read);
            read.turn = Some(turn.clone());
            if is_unseen {
                (read.snapshot, read.told) = (None, None);
            }
        }
        keep_read(kept_reads, name(event), session);
        tracing::warn!(
            turn,
            "no hook told of a prompt; its turn is recorded now, because the session's record has it"
        );
        let mut deed = Deed::Turn {
            turn,
            at: None,
            read: is_unseen.then(unseen),
        };
        insistently(&asking.client, event, session, &mut deed, None).await;
    }
}
