//! Tests that each check finds a fault.

use std::time::{Duration, Instant};

use serde_json::json;

use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::http::agents::{Agent, TimelineHead};
use uuid::Uuid;

use super::{Agents, Told, agents, chats};
use crate::ledger::{
    AgentBook, ChangeSeen, ChatBook, Field, Presence, PushSeen, RefreshSeen, SessionSeen, Span,
    State,
};
use crate::workspace::Listing;

const AT: &str = "2026-01-01T00:00:00Z";

/// Returns the violations of one chat, after `change` has altered the response and the record.
fn violations(change: impl FnOnce(&mut Told, &mut ChatBook)) -> Vec<String> {
    violations_beside(|_, _, told, book| change(told, book))
}

/// Returns the violations of one chat, after `change` has altered also the agents and the state.
fn violations_beside(
    change: impl FnOnce(&mut State, &mut Agents, &mut Told, &mut ChatBook),
) -> Vec<String> {
    let mut told = told();
    let mut book = ChatBook {
        reference: "r".to_owned(),
        observed: [Some("one".to_owned())].into(),
        turns: told.turns.clone(),
        ..ChatBook::default()
    };
    let (mut state, mut found) = (State::default(), Agents::new());
    change(&mut state, &mut found, &mut told, &mut book);
    chats::check(&mut state, &told, &book, &found);
    state.violations
}

fn told() -> Told {
    let pin = json!({"snapshot": "two", "context_hash": "c", "pinned_at": AT, "dirty": false,
        "dirty_since": null, "declined": false, "error": null});
    let mut context = json!({"head": null, "resources": [], "changes": [], "notices": null,
        "policy": "manual", "tools_differ": false});
    let members = context.as_object_mut().expect("it is one");
    members.extend(pin.as_object().expect("it is one").clone());
    let chat = json!({"id": Uuid::nil(), "title": null, "agent_id": null, "reference": "r",
        "policy": "manual", "mode": "delivered", "tools": "live", "archived": false, "created_at": AT,
        "updated_at": AT, "context": pin});
    let row = |seq: i64, snapshot: &str, reason: &str| {
        json!({"seq": seq, "snapshot": snapshot, "context_hash": "c", "agent_id": null,
            "reason": reason, "mcp_settled": true, "at": AT,
            "actor": {"kind": "user", "door": "api"}})
    };
    let history = json!([row(1, "one", "create"), row(2, "two", "refresh")]);
    let turns = json!([{"number": 1, "snapshot": "one", "prompt_hash": "p",
        "tools_snapshot": null, "delivery": "delivered", "reference": "t", "started_at": AT}]);
    Told {
        chat: serde_json::from_value(chat).expect("it is a chat"),
        context: serde_json::from_value(context).expect("it is a context"),
        history: serde_json::from_value(history).expect("it is a history"),
        turns: serde_json::from_value(turns).expect("these are turns"),
        prompt: b"# head".to_vec(),
        etag: Some(format!("\"{}\"", BlobHash::of(b"# head"))),
        bodies: Listing::new(),
    }
}

#[test]
fn a_sound_chat_violates_nothing() {
    assert_eq!(violations(|_, _| {}), [""; 0]);
}

#[test]
fn each_fault_of_a_chat_is_told() {
    type Fault = fn(&mut Told, &mut ChatBook);
    let cases: [(Fault, &str); 11] = [
        (|told, _| told.history[1].seq = 3, "a gap or a repeat"),
        (
            |told, _| told.history[1].snapshot = None,
            "is not the last of its history",
        ),
        (
            |_, book| book.observed.extend([Some("three".to_owned())]),
            "is not in its history",
        ),
        (|_, book| book.observed.extend([None]), "None was observed"),
        (
            |told, _| drop(told.bodies.insert("/w/A".to_owned(), "h".to_owned())),
            "do not hash to its pin",
        ),
        (|told, _| told.prompt.push(b'!'), "has the tag"),
        (
            |told, _| told.prompt.extend(b"Rule 0.1: Keep"),
            "its prompt holds",
        ),
        (
            |told, _| told.turns[0].snapshot = None,
            "was acknowledged and is not listed",
        ),
        (
            |told, _| told.history[0].reason = "clear".to_owned(),
            "was cleared 1 times, asked for 0 times",
        ),
        (
            |told, _| told.history[1].actor.kind = "agent".to_owned(),
            "was moved by an agent without leave",
        ),
        (
            |_, book| {
                let at = Instant::now();
                book.changes.push(ChangeSeen {
                    field: Field::Title,
                    value: "new".to_owned(),
                    began: at,
                    ended: Some(at),
                    refused: false,
                });
            },
            "acknowledged was `new`",
        ),
    ];
    for (fault, expected) in cases {
        let said = violations(fault);
        assert!(
            said.iter().any(|says| says.contains(expected)),
            "{expected}: {said:?}"
        );
    }
}

#[test]
fn each_fault_of_an_agent_is_told() {
    let began = Instant::now();
    let span = |from: u64| Span {
        began: began + Duration::from_secs(from),
        ended: began + Duration::from_secs(from + 1),
        ended_micros: 0,
    };
    let push = |epoch, version, seq, from| PushSeen {
        epoch,
        version,
        snapshot: format!("s{seq}"),
        seq,
        span: span(from),
    };
    let session = |process, epoch, from| SessionSeen {
        process: Uuid::from_u128(process),
        epoch,
        span: span(from),
    };
    let sound = vec![session(1, 1, 0), session(2, 2, 10)];
    let cases = [
        (
            sound.clone(),
            vec![push(1, 1, 1, 2), push(2, 1, 2, 12)],
            None,
        ),
        (
            sound.clone(),
            vec![push(1, 1, 1, 12)],
            Some("was accepted after"),
        ),
        (
            sound.clone(),
            vec![push(2, 1, 3, 12)],
            Some("was acknowledged"),
        ),
        (
            sound,
            vec![push(1, 1, 2, 2), push(1, 2, 1, 4)],
            Some("in another order"),
        ),
        (
            vec![session(1, 1, 0), session(2, 1, 5)],
            vec![],
            Some("was given twice"),
        ),
    ];
    for (sessions, pushes, expected) in cases {
        let book = AgentBook {
            sessions,
            pushes,
            ..AgentBook::default()
        };
        let said = agent_violations(book, None);
        match expected {
            None => assert_eq!(said, [""; 0]),
            Some(says) => assert!(said.iter().any(|v| v.contains(says)), "{says}: {said:?}"),
        }
    }
}

fn agent_violations(book: AgentBook, taken_over: Option<Instant>) -> Vec<String> {
    let (agent, heads) = agent_told(Uuid::nil());
    let mut state = State::default();
    agents::check(&mut state, &agent, &heads, &book, taken_over);
    state.violations
}

/// Returns an agent with the heads `s1` and `s2`.
fn agent_told(id: Uuid) -> (Agent, Vec<TimelineHead>) {
    let head = |seq: i64| {
        json!({"agent": id, "seq": seq, "snapshot": format!("s{seq}"),
            "context_hash": "c", "tools_hash": "t", "received_at": AT})
    };
    let heads = serde_json::from_value::<Vec<TimelineHead>>(json!([head(1), head(2)]));
    let agent = json!({"id": id, "workspace": "w", "name": null, "epoch": 2,
        "head": {"snapshot": "s2", "seq": 2, "received_at": AT}, "mcp_settled": true,
        "connected": true, "created_at": AT});
    let agent = serde_json::from_value::<Agent>(agent).expect("it is an agent");
    (agent, heads.expect("these are heads"))
}

/// Returns a push of that number whose span begins at `began` and ends then.
fn pushed(seq: i64, began: Instant) -> PushSeen {
    PushSeen {
        epoch: 1,
        version: seq,
        snapshot: format!("s{seq}"),
        seq,
        span: Span {
            began,
            ended: began,
            ended_micros: 0,
        },
    }
}

#[test]
fn whatever_an_agent_is_accepted_after_its_end_is_told() {
    let taken_over = Instant::now();
    let at = |seconds| taken_over + Duration::from_secs(seconds);
    let sound = AgentBook {
        pushes: vec![pushed(1, taken_over)],
        ..AgentBook::default()
    };
    assert_eq!(agent_violations(sound.clone(), Some(taken_over)), [""; 0]);
    let late_push = AgentBook {
        pushes: vec![pushed(1, at(1))],
        ..AgentBook::default()
    };
    let late_session = AgentBook {
        sessions: vec![SessionSeen {
            process: Uuid::nil(),
            epoch: 1,
            span: pushed(1, at(1)).span,
        }],
        ..AgentBook::default()
    };
    let deleted = AgentBook {
        presence: Presence::Gone,
        ..sound
    };
    for (book, expected) in [
        (late_push, "was accepted after it was replaced"),
        (late_session, "was opened after it was replaced"),
        (deleted, "was deleted and is there"),
    ] {
        let said = agent_violations(book, Some(taken_over));
        assert!(
            said.iter().any(|says| says.contains(expected)),
            "{expected}: {said:?}"
        );
    }
}

/// Prepares a chat whose agent was replaced.
fn taken_over(state: &mut State, found: &mut Agents, told: &mut Told, book: &mut ChatBook) {
    let [old, new] = [1, 2].map(Uuid::from_u128);
    state.agents.entry(old).or_default().successor = Some(new);
    let successor = state.agents.entry(new).or_default();
    successor.pushes.push(pushed(1, Instant::now()));
    found.insert(old, agent_told(old));
    found.insert(new, agent_told(new));
    book.agent = Some(old);
    told.chat.agent_id = Some(new);
    told.history[0].agent_id = Some(old);
    let last = &mut told.history[1];
    last.agent_id = Some(new);
    last.reason = "rebind".to_owned();
    last.actor.kind = "agent".to_owned();
    last.actor.id = Some(new);
    last.snapshot = Some("s1".to_owned());
    told.context.pin.snapshot = Some("s1".to_owned());
    told.chat.context.snapshot = Some("s1".to_owned());
}

#[test]
fn each_fault_of_a_takeover_is_told() {
    type Fault = fn(&mut State, &mut Told, &mut ChatBook);
    let cases: [(Fault, Option<&str>); 6] = [
        (|_, _, _| {}, None),
        (
            |_, told, _| told.chat.agent_id = Some(Uuid::from_u128(1)),
            Some("it is bound to"),
        ),
        (
            |_, told, _| {
                told.history[1].snapshot = Some("s2".to_owned());
                told.context.pin.snapshot = Some("s2".to_owned());
                told.chat.context.snapshot = Some("s2".to_owned());
            },
            Some("took it over to"),
        ),
        (
            |_, told, _| {
                let mut late = told.history[1].clone();
                late.seq = 3;
                late.agent_id = Some(Uuid::from_u128(1));
                late.actor.kind = "user".to_owned();
                told.history.push(late);
            },
            Some("had replaced"),
        ),
        (
            |_, told, _| {
                told.history[1].actor.kind = "user".to_owned();
                told.history[1].agent_id = Some(Uuid::from_u128(1));
            },
            Some("did not take it over"),
        ),
        (
            |state, told, _| {
                state.agents.entry(Uuid::from_u128(2)).or_default().presence = Presence::Gone;
                told.chat.agent_id = Some(Uuid::from_u128(2));
            },
            Some("it is bound to"),
        ),
    ];
    for (fault, expected) in cases {
        let said = violations_beside(|state, found, told, book| {
            taken_over(state, found, told, book);
            fault(state, told, book);
        });
        match expected {
            None => assert_eq!(said, [""; 0]),
            Some(says) => assert!(said.iter().any(|v| v.contains(says)), "{says}: {said:?}"),
        }
    }
}

/// Checks an unpinned chat of an agent with heads, in a round with clock jumps, where no time can
/// be compared.
#[test]
fn a_chat_that_a_push_forgot_is_told_without_a_clock() {
    let cleared = Instant::now();
    let at = |seconds| cleared + Duration::from_secs(seconds);
    // The first head was pushed again after the clearing: so the second came after it.
    let cases = [
        (Some(cleared), at(1), true),
        (Some(cleared), cleared, false),
        (None, at(1), false),
    ];
    for (unpin, first_pushed, expected) in cases {
        let said = violations_beside(|state, found, told, book| {
            let id = Uuid::from_u128(1);
            found.insert(id, agent_told(id));
            let agent = state.agents.entry(id).or_default();
            agent.pushes = vec![pushed(1, first_pushed)];
            told.chat.agent_id = Some(id);
            told.history[1].snapshot = None;
            told.history[1].reason = "clear".to_owned();
            told.context.pin.snapshot = None;
            told.chat.context.snapshot = None;
            told.prompt.clear();
            book.unpins.push(unpin);
            book.is_clock_moved = true;
        });
        let is_told = said
            .iter()
            .any(|says| says.contains("is unpinned, its agent has"));
        assert_eq!(is_told, expected, "{said:?}");
    }
}

#[test]
fn a_refresh_to_less_than_was_acknowledged_is_told() {
    let began = Instant::now();
    let later = began + Duration::from_secs(1);
    for (snapshot, expected) in [("s2", false), ("s1", true)] {
        let said = violations_beside(|state, found, told, book| {
            let id = Uuid::from_u128(1);
            found.insert(id, agent_told(id));
            state.agents.entry(id).or_default().pushes = vec![pushed(2, began)];
            told.chat.agent_id = Some(id);
            book.agent = Some(id);
            book.is_clock_moved = true;
            book.refreshes.push(RefreshSeen {
                snapshot: snapshot.to_owned(),
                span: pushed(1, later).span,
            });
        });
        let is_told = said
            .iter()
            .any(|says| says.contains("was acknowledged before"));
        assert_eq!(is_told, expected, "{said:?}");
    }
}
