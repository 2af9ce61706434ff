//! The comparisons of a chat's binding, and of the members that clients set.

use std::time::Instant;

use ctxpin_protocol::http::history::HistoryEntry;
use uuid::Uuid;

use super::{Agents, Told};
use crate::ledger::{ChatBook, Field, State};

/// Compares the bindings and members of a chat.
pub fn check(state: &mut State, told: &Told, book: &ChatBook, agents: &Agents) {
    check_changes(state, told, book);
    check_waiting(state, told, book, agents);
    check_agent(state, told, book);
    check_takeovers(state, told, book, agents);
    check_leave(state, told);
}

/// Checks that each member has the value of its last acknowledged change, unless another change
/// overlapped that or may have come later.
fn check_changes(state: &mut State, told: &Told, book: &ChatBook) {
    let chat = &told.chat;
    for field in [Field::Title, Field::Archived, Field::Agent] {
        let changes = book.changes.iter();
        let changes: Vec<_> = changes.filter(|c| c.field == field && !c.refused).collect();
        let Some(last) = changes.iter().max_by_key(|change| change.began) else {
            continue;
        };
        let is_alone = changes.iter().all(|change| {
            std::ptr::eq(*change, *last) || change.ended.is_some_and(|ended| ended < last.began)
        });
        if is_alone && last.ended.is_some() {
            let value = &last.value;
            let (present, holds) = match field {
                Field::Title => {
                    let title = chat.title.clone().unwrap_or_default();
                    (title.clone(), title == *value)
                }
                Field::Archived => (
                    chat.archived.to_string(),
                    chat.archived.to_string() == *value,
                ),
                Field::Agent => {
                    // An agent that was replaced or deleted since has left a binding behind.
                    let may_be = match value.parse::<Uuid>() {
                        Ok(agent) => state.bindings(agent),
                        Err(_) => [None].into(),
                    };
                    (
                        format!("{:?}", chat.agent_id),
                        may_be.contains(&chat.agent_id),
                    )
                }
            };
            state.check(holds, || {
                let id = chat.id;
                format!("chat {id}: {field:?} is `{present}`, acknowledged was `{value}`")
            });
        }
    }
}

/// Checks that no unarchived, unpinned chat is bound to an agent with a head, unless somebody
/// unpinned it after that head was accepted.
fn check_waiting(state: &mut State, told: &Told, book: &ChatBook, agents: &Agents) {
    let agent = told.chat.agent_id.and_then(|agent| agents.get(&agent));
    let Some(head) = agent.and_then(|(agent, _)| agent.head.as_ref()) else {
        return;
    };
    let is_waiting = !told.chat.archived && told.context.pin.snapshot.is_none();
    let last = told.history.last();
    let is_cleared = last.is_some_and(|pin| pin.reason == "clear")
        && if book.is_clock_moved {
            !is_pushed_since(state, told, book, head.seq)
        } else {
            last.is_some_and(|pin| pin.at >= head.received_at)
        };
    state.check(!is_waiting || is_cleared, || {
        let id = told.chat.id;
        format!("chat {id} is unpinned, its agent has {head:?}; its last pin is {last:?}")
    });
}

/// Returns whether that head was pushed after the end of every request that may have cleared the
/// chat's pin. That is so if an older head was still acknowledged then; this needs no clock.
fn is_pushed_since(state: &State, told: &Told, book: &ChatBook, head: i64) -> bool {
    let rebound = book
        .changes
        .iter()
        .filter(|change| change.field == Field::Agent);
    let ends = book
        .unpins
        .iter()
        .copied()
        .chain(rebound.map(|change| change.ended));
    let Some(cleared) = ends.collect::<Option<Vec<Instant>>>() else {
        // One of them may still have come later.
        return false;
    };
    let cleared = cleared.into_iter().max();
    let agent = told
        .chat
        .agent_id
        .and_then(|agent| state.agents.get(&agent));
    agent.is_some_and(|agent| {
        let mut pushes = agent.pushes.iter();
        pushes.any(|push| push.seq < head && Some(push.span.began) > cleared)
    })
}

/// Checks that a chat that nobody rebinds is bound to its first agent, to a successor of it, or to
/// none if the agent was deleted.
fn check_agent(state: &mut State, told: &Told, book: &ChatBook) {
    let (Some(agent), false) = (book.agent, book.is_rebound) else {
        return;
    };
    let may_be = state.bindings(agent);
    let id = told.chat.id;
    state.check(may_be.contains(&told.chat.agent_id), || {
        let is = told.chat.agent_id;
        format!("chat {id}: it is bound to {is:?}, not to one of {may_be:?}")
    });
}

/// Checks that chats of a replaced agent move directly to the first head of the successor, and are
/// never pinned to the old agent after that.
fn check_takeovers(state: &mut State, told: &Told, book: &ChatBook, agents: &Agents) {
    let (id, history) = (told.chat.id, &told.history);
    for (old, new) in successions(state) {
        let Some((_, heads)) = agents.get(&new) else {
            continue;
        };
        let is_takeover = |pin: &&HistoryEntry| {
            let is_agent = pin.actor.kind == "agent" && pin.actor.id == Some(new);
            is_agent && pin.reason == "rebind"
        };
        let takeover = history.iter().find(is_takeover);
        if let Some(takeover) = takeover {
            let first = heads.first().map(|head| &head.snapshot);
            state.check(takeover.snapshot.as_ref() == first, || {
                format!(
                    "chat {id}: {new} took it over to {takeover:?}, its first head is {first:?}"
                )
            });
            // A rollback goes back to an old pin, and so to the agent that it came from.
            let late = history.iter().find(|pin| {
                let is_old = pin.agent_id == Some(old) && pin.reason != "rollback";
                is_old && pin.seq > takeover.seq
            });
            state.check(late.is_none(), || {
                format!("chat {id}: {late:?} is of {old}, which {new} had replaced")
            });
        }
        let stayed = !book.is_rebound && book.agent == Some(old) && state.taken_over(old).is_some();
        let was_pinned = history.last().is_some_and(|pin| pin.snapshot.is_some());
        state.check(
            !stayed || !was_pinned || takeover.is_some() || !is_of(history, old),
            || format!("chat {id}: {old} was replaced by {new}, which did not take it over"),
        );
    }
}

/// Returns each replaced agent with its successor.
fn successions(state: &State) -> Vec<(Uuid, Uuid)> {
    let pairs = state.agents.iter();
    pairs
        .filter_map(|(old, book)| Some((*old, book.successor?)))
        .collect()
}

/// Returns whether the last pin is one of that agent.
fn is_of(history: &[HistoryEntry], agent: Uuid) -> bool {
    history
        .last()
        .is_some_and(|pin| pin.agent_id == Some(agent))
}

/// Checks that no agent refreshed chats unless it was created with that right.
fn check_leave(state: &mut State, told: &Told) {
    let id = told.chat.id;
    for pin in told.history.iter().filter(|pin| pin.reason == "refresh") {
        if pin.actor.kind != "agent" {
            continue;
        }
        let agent = pin.actor.id.and_then(|agent| state.agents.get(&agent));
        let may = agent.is_some_and(|agent| agent.may_refresh);
        state.check(may, || {
            format!("chat {id}: {pin:?} was moved by an agent without leave")
        });
    }
}
