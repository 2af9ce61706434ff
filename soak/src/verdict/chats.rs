//! The comparisons of one chat: its history, its content, its turns and its refreshes.

use std::collections::BTreeSet;

use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::http::agents::TimelineHead;
use uuid::Uuid;

use super::{Agents, Told, bindings};
use crate::ledger::{ChatBook, State};
use crate::workspace::{Listing, hashes_in};

/// Compares an existing chat.
pub fn check(state: &mut State, told: &Told, book: &ChatBook, agents: &Agents) {
    let id = told.chat.id;
    state.check(
        told.chat.reference.as_deref() == Some(&book.reference),
        || format!("chat {id} has lost its reference"),
    );
    check_history(state, told, book);
    check_content(state, told);
    check_turns(state, told, book);
    bindings::check(state, told, book, agents);
    if let (Some(agent), false) = (book.agent, book.is_rebound)
        && let Some((_, heads)) = agents.get(&agent)
    {
        check_refreshes(state, id, book, heads);
    }
}

fn check_history(state: &mut State, told: &Told, book: &ChatBook) {
    let (id, history) = (told.chat.id, &told.history);
    let seqs = history.iter().map(|pin| pin.seq);
    state.check(seqs.eq(1..=history.len() as i64), || {
        format!("chat {id}: its history has a gap or a repeat")
    });
    let last = history.last().and_then(|pin| pin.snapshot.as_ref());
    let pin = told.context.pin.snapshot.as_ref();
    state.check(last == pin, || {
        format!("chat {id}: the pin {pin:?} is not the last of its history {last:?}")
    });
    state.check(told.chat.context.snapshot.as_ref() == pin, || {
        format!("chat {id}: two reads tell two pins")
    });
    // A history that begins with a pin at creation had no moment without one before it.
    let begins_pinned = history
        .first()
        .is_some_and(|pin| matches!(pin.reason.as_str(), "create" | "inherit"));
    let mut known: BTreeSet<Option<String>> =
        history.iter().map(|pin| pin.snapshot.clone()).collect();
    if !begins_pinned {
        known.insert(None);
    }
    // Nothing but a request clears a pin: not the end of its agent, and not its replacement.
    let cleared = history.iter().filter(|pin| pin.reason == "clear").count();
    state.check(cleared <= book.unpins.len(), || {
        let asked = book.unpins.len();
        format!("chat {id}: its pin was cleared {cleared} times, asked for {asked} times")
    });
    for observed in &book.observed {
        state.check(known.contains(observed), || {
            format!("chat {id}: {observed:?} was observed and is not in its history")
        });
    }
}

fn check_content(state: &mut State, told: &Told) {
    let id = told.chat.id;
    let resources = &told.context.resources;
    let claimed: Listing = resources
        .iter()
        .map(|resource| {
            let hash = resource.content_hash.clone().unwrap_or_default();
            (resource.source.clone(), hash)
        })
        .collect();
    state.check(claimed == told.bodies, || {
        format!("chat {id}: its bodies do not hash to its pin")
    });
    let hash = BlobHash::of(&told.prompt).to_string();
    let Some(pin) = &told.context.pin.snapshot else {
        state.check(told.prompt.is_empty() && resources.is_empty(), || {
            format!("chat {id} has no pin and yet a content")
        });
        return;
    };
    state.check(told.etag == Some(format!("\"{hash}\"")), || {
        format!("chat {id}: the prompt {hash} has the tag {:?}", told.etag)
    });
    state.prompt(pin, &hash);
    // The policy `additive` composes snapshots that nobody pushed.
    if let Some(pushed) = state.listings.get(pin).cloned() {
        state.check(pushed == claimed, || {
            format!("chat {id}: {pin} holds something else than was pushed")
        });
    }
    let files = resources
        .iter()
        .filter(|r| r.kind == "instruction_file" && r.status == "ok");
    let expected: BTreeSet<String> = files.filter_map(|r| r.content_hash.clone()).collect();
    let found = hashes_in(&String::from_utf8_lossy(&told.prompt));
    state.check(found == expected, || {
        format!("chat {id}: its prompt holds {found:?}, its pin {expected:?}")
    });
    let is_clean = told.context.changes.is_empty() != told.context.pin.dirty;
    state.check(is_clean, || {
        format!("chat {id}: dirty and the list of changes contradict each other")
    });
}

fn check_turns(state: &mut State, told: &Told, book: &ChatBook) {
    let (id, turns) = (told.chat.id, &told.turns);
    let numbers = turns.iter().map(|turn| turn.number);
    state.check(numbers.eq(1..=turns.len() as i64), || {
        format!("chat {id}: its turns have a gap or a repeat")
    });
    for turn in &book.turns {
        state.check(turns.contains(turn), || {
            format!("chat {id}: {turn:?} was acknowledged and is not listed like that")
        });
    }
    let references: BTreeSet<_> = turns.iter().map(|turn| &turn.reference).collect();
    state.check(references.len() == turns.len(), || {
        format!("chat {id}: two turns have one reference")
    });
}

/// Checks that a refresh that began after an acknowledged push pinned that push or a later one.
fn check_refreshes(state: &mut State, id: Uuid, book: &ChatBook, heads: &[TimelineHead]) {
    let Some(agent) = book.agent else { return };
    if state.agents[&agent].successor.is_some() {
        // No response reveals the moment from which the successor's heads are pinned.
        return;
    }
    let pushes = state.agents[&agent].pushes.clone();
    for refresh in &book.refreshes {
        let acknowledged = pushes
            .iter()
            .filter(|push| push.span.ended < refresh.span.began)
            .map(|push| push.seq)
            .max()
            .unwrap_or(0);
        let pinned = heads
            .iter()
            .filter(|head| head.snapshot == refresh.snapshot)
            .filter(|head| {
                let received = head.received_at.timestamp_micros();
                book.is_clock_moved || received <= refresh.span.ended_micros
            })
            .map(|head| head.seq)
            .max();
        state.check(pinned.is_some_and(|seq| seq >= acknowledged), || {
            format!("chat {id}: {refresh:?} pinned head {pinned:?}, {acknowledged} was acknowledged before")
        });
    }
}
