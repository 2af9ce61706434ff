//! The comparisons of one agent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ctxpin_protocol::http::agents::{Agent, TimelineHead};
use uuid::Uuid;

use crate::ledger::{AgentBook, Presence, State};

/// Compares an existing agent. `taken_over` is when its replacement was acknowledged.
pub fn check(
    state: &mut State,
    agent: &Agent,
    heads: &[TimelineHead],
    book: &AgentBook,
    taken_over: Option<Instant>,
) {
    let id = agent.id;
    state.check(book.presence != Presence::Gone, || {
        format!("agent {id} was deleted and is there")
    });
    check_fence(state, id, book, taken_over);
    let seqs = heads.iter().map(|head| head.seq);
    state.check(seqs.eq(1..=heads.len() as i64), || {
        format!("agent {id}: the heads have a gap or a repeat")
    });
    let (last, head) = (heads.last(), agent.head.as_ref());
    let is_last = last.map(|last| &last.snapshot) == head.map(|head| &head.snapshot);
    state.check(is_last, || {
        format!("agent {id}: the head {head:?} is not the last of its timeline {last:?}")
    });
    for push in &book.pushes {
        let found = heads.iter().find(|head| head.seq == push.seq);
        let is_kept = found.is_some_and(|head| head.snapshot == push.snapshot);
        state.check(is_kept, || {
            format!("agent {id}: {push:?} was acknowledged, its head is {found:?}")
        });
        let fence = book
            .sessions
            .iter()
            .find(|session| session.epoch > push.epoch && session.span.ended < push.span.began);
        state.check(fence.is_none(), || {
            format!("agent {id}: {push:?} was accepted after {fence:?}")
        });
    }
    let mut pushes: Vec<_> = book.pushes.iter().collect();
    pushes.sort_by_key(|push| (push.epoch, push.version));
    state.check(pushes.is_sorted_by_key(|push| push.seq), || {
        format!("agent {id}: pushes were accepted in another order than epoch and version tell")
    });
    check_epochs(state, id, book);
}

/// Checks that the server accepted no push of a replaced agent after it had acknowledged the
/// successor's first push.
fn check_fence(state: &mut State, id: Uuid, book: &AgentBook, taken_over: Option<Instant>) {
    let Some(taken_over) = taken_over else { return };
    let late_push = book.pushes.iter().find(|push| push.span.began > taken_over);
    state.check(late_push.is_none(), || {
        format!("agent {id}: {late_push:?} was accepted after it was replaced")
    });
    let late_session = book
        .sessions
        .iter()
        .find(|session| session.span.began > taken_over);
    state.check(late_session.is_none(), || {
        format!("agent {id}: {late_session:?} was opened after it was replaced")
    });
}

fn check_epochs(state: &mut State, id: Uuid, book: &AgentBook) {
    let mut epochs = BTreeMap::new();
    for session in &book.sessions {
        let process = *epochs.entry(session.epoch).or_insert(session.process);
        state.check(process == session.process, || {
            format!("agent {id}: epoch {} was given twice", session.epoch)
        });
    }
    let processes: BTreeSet<_> = book
        .sessions
        .iter()
        .map(|session| session.process)
        .collect();
    state.check(processes.len() == epochs.len(), || {
        format!("agent {id}: a process was given two epochs")
    });
}
