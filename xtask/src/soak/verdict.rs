//! The checks, when every fault is over and nobody works: what the servers tell is compared with
//! what the ledger holds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use ctxpin_client::error::ClientError;
use ctxpin_client::{Client, Prompt};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_protocol::http::agents::{Agent, TimelineHead};
use ctxpin_protocol::http::chats::Chat;
use ctxpin_protocol::http::context::{Context, Pin};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::turns::Turn;
use ctxpin_protocol::problem::ProblemName;
use uuid::Uuid;

use super::ledger::{AgentBook, ChatBook, Field, Ledger, Presence, State};
use super::workspace::{Listing, hashes_in};

/// The timelines of all agents, oldest head first, and what each agent is now.
type Agents = BTreeMap<Uuid, (Agent, Vec<TimelineHead>)>;

/// Everything that the server tells of one chat.
struct Told {
    chat: Chat,
    context: Context,
    /// Oldest first.
    history: Vec<Pin>,
    /// Oldest first.
    turns: Vec<Turn>,
    prompt: Vec<u8>,
    etag: Option<String>,
    /// The hash of the body of each resource, by source.
    bodies: Listing,
}

/// Compares all that the servers tell with the ledger. Violations are noted there.
pub async fn check(client: &Client, ledger: &Ledger, chats: &[Uuid]) -> anyhow::Result<()> {
    let ids: Vec<Uuid> = ledger.open().agents.keys().copied().collect();
    let mut agents = Agents::new();
    for id in ids {
        let agent = client.agent(AgentId::from(id)).await;
        let agent = agent.with_context(|| format!("reading agent {id}"))?;
        let heads = every(async |page| client.agent_heads(AgentId::from(id), page).await).await?;
        let mut state = ledger.open();
        let book = state.agents[&id].clone();
        check_agent(&mut state, &agent, &heads, &book);
        agents.insert(id, (agent, heads));
    }
    for id in chats {
        let book = ledger.open().chats[id].clone();
        let told = read(client, *id).await;
        let mut state = ledger.open();
        match told? {
            None => state.check(book.presence != Presence::There, || {
                format!("chat {id} was acknowledged and is lost")
            }),
            Some(told) => {
                state.check(book.presence != Presence::Gone, || {
                    format!("chat {id} was deleted and is there")
                });
                check_chat(&mut state, &told, &book, &agents);
            }
        }
    }
    Ok(())
}

/// Reads a whole list, and turns it: oldest first.
async fn every<T>(
    read: impl AsyncFn(&PageQuery) -> Result<Page<T>, ClientError>,
) -> anyhow::Result<Vec<T>> {
    let mut query = PageQuery {
        cursor: None,
        limit: Some(500),
    };
    let mut items = Vec::new();
    loop {
        let page = read(&query).await?;
        items.extend(page.items);
        query.cursor = page.next;
        if query.cursor.is_none() {
            items.reverse();
            return Ok(items);
        }
    }
}

/// Reads everything about a chat; `None` if it is not there.
async fn read(client: &Client, id: Uuid) -> anyhow::Result<Option<Told>> {
    let id = ChatId::from(id);
    let chat = match client.chat(id).await {
        Ok(chat) => chat,
        Err(error) if error.problem_name() == Some(ProblemName::NotFound) => return Ok(None),
        Err(error) => bail!("reading chat {id}: {error}"),
    };
    let context = client.context(id).await?;
    let history = every(async |page| client.history(id, page).await).await?;
    let turns = every(async |page| client.turns(id, page).await).await?;
    let Prompt::Bytes { bytes, etag } = client.prompt(id, None).await? else {
        bail!("the prompt of chat {id} was called unchanged without a tag to compare");
    };
    let mut bodies = Listing::new();
    for resource in &context.resources {
        let text = client.resource(id, resource.id.parse()?).await?;
        let body = text.body.unwrap_or_default();
        let hash = BlobHash::of(body.as_bytes()).to_string();
        bodies.insert(resource.source.clone(), hash);
    }
    Ok(Some(Told {
        chat,
        context,
        history,
        turns,
        prompt: bytes.to_vec(),
        etag,
        bodies,
    }))
}

fn check_agent(state: &mut State, agent: &Agent, heads: &[TimelineHead], book: &AgentBook) {
    let id = agent.id;
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

fn check_chat(state: &mut State, told: &Told, book: &ChatBook, agents: &Agents) {
    let id = told.chat.id;
    state.check(
        told.chat.reference.as_deref() == Some(&book.reference),
        || format!("chat {id} has lost its reference"),
    );
    check_history(state, told, book);
    check_content(state, told);
    check_turns(state, told, book);
    check_changes(state, told, book);
    check_binding(state, told, agents);
    if let (Some(agent), false) = (book.agent, book.is_rebound) {
        check_refreshes(state, id, book, &agents[&agent].1);
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
    // A policy that adds makes snapshots of its own, which nobody pushed.
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

/// The last acknowledged change of a member is what it is now, unless another one overlapped it or
/// may have come after it.
fn check_changes(state: &mut State, told: &Told, book: &ChatBook) {
    let chat = &told.chat;
    let agent = chat.agent_id.map(|agent| agent.to_string());
    let present = [
        (Field::Title, chat.title.clone().unwrap_or_default()),
        (Field::Archived, chat.archived.to_string()),
        (Field::Agent, agent.unwrap_or_default()),
    ];
    for (field, value) in present {
        let changes = book.changes.iter();
        let changes: Vec<_> = changes.filter(|c| c.field == field && !c.refused).collect();
        let Some(last) = changes.iter().max_by_key(|change| change.began) else {
            continue;
        };
        let is_alone = changes.iter().all(|change| {
            std::ptr::eq(*change, *last) || change.ended.is_some_and(|ended| ended < last.began)
        });
        if is_alone && last.ended.is_some() {
            state.check(value == last.value, || {
                let id = chat.id;
                format!(
                    "chat {id}: {field:?} is `{value}`, acknowledged was `{}`",
                    last.value
                )
            });
        }
    }
}

/// No unarchived, unpinned chat is bound to an agent that has a head, unless it was unpinned on
/// request since that head was accepted.
fn check_binding(state: &mut State, told: &Told, agents: &Agents) {
    let agent = told.chat.agent_id.and_then(|agent| agents.get(&agent));
    let Some(head) = agent.and_then(|(agent, _)| agent.head.as_ref()) else {
        return;
    };
    let is_waiting = !told.chat.archived && told.context.pin.snapshot.is_none();
    let last = told.history.last();
    let is_cleared = last.is_some_and(|pin| pin.reason == "clear" && pin.at >= head.received_at);
    state.check(!is_waiting || is_cleared, || {
        let id = told.chat.id;
        format!("chat {id} is unpinned, its agent has {head:?}; its last pin is {last:?}")
    });
}

/// A refresh that began after a push was acknowledged pinned that push or a later one.
fn check_refreshes(state: &mut State, id: Uuid, book: &ChatBook, heads: &[TimelineHead]) {
    let Some(agent) = book.agent else { return };
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
            .filter(|head| head.received_at.timestamp_micros() <= refresh.span.ended_micros)
            .map(|head| head.seq)
            .max();
        state.check(pinned.is_some_and(|seq| seq >= acknowledged), || {
            format!("chat {id}: {refresh:?} pinned head {pinned:?}, {acknowledged} was acknowledged before")
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::super::ledger::{PushSeen, SessionSeen, Span};
    use super::*;

    const AT: &str = "2026-01-01T00:00:00Z";

    /// What the checks say about one chat: told as given, noted as given.
    fn violations(change: impl FnOnce(&mut Told, &mut ChatBook)) -> Vec<String> {
        let mut told = told();
        let mut book = ChatBook {
            reference: "r".to_owned(),
            observed: [Some("one".to_owned())].into(),
            turns: told.turns.clone(),
            ..ChatBook::default()
        };
        change(&mut told, &mut book);
        let mut state = State::default();
        check_chat(&mut state, &told, &book, &Agents::new());
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
            "policy": "manual", "tools": "live", "archived": false, "created_at": AT,
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
        let cases: [(Fault, &str); 8] = [
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
            let said = agent_violations(AgentBook { sessions, pushes });
            match expected {
                None => assert_eq!(said, [""; 0]),
                Some(says) => assert!(said.iter().any(|v| v.contains(says)), "{says}: {said:?}"),
            }
        }
    }

    fn agent_violations(book: AgentBook) -> Vec<String> {
        let head = |seq: i64| {
            json!({"agent": Uuid::nil(), "seq": seq, "snapshot": format!("s{seq}"),
                "context_hash": "c", "tools_hash": "t", "received_at": AT})
        };
        let heads = serde_json::from_value::<Vec<TimelineHead>>(json!([head(1), head(2)]));
        let agent = json!({"id": Uuid::nil(), "workspace": "w", "name": null, "epoch": 2,
            "head": {"snapshot": "s2", "seq": 2, "received_at": AT}, "mcp_settled": true,
            "connected": true, "created_at": AT});
        let agent = serde_json::from_value::<Agent>(agent).expect("it is an agent");
        let mut state = State::default();
        check_agent(&mut state, &agent, &heads.expect("these are heads"), &book);
        state.violations
    }
}
