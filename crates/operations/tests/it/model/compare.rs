//! Compares everything observable with the reference model.

use std::collections::BTreeSet;

use ctxpin_model::access::ActorRef;
use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::{ChatFilter, ChatRecord};
use ctxpin_model::context::ContextView;
use ctxpin_model::diff::{Subject, Verb};
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::history::HistoryEntry;
use ctxpin_model::id::ChatId;
use ctxpin_model::page::{PAGE_ITEMS_MAX, PageRequest};
use ctxpin_model::resource::Kind;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_model::turn::TurnBegun;
use ctxpin_operations::agents;
use ctxpin_operations::chats;
use ctxpin_testing::chats::{TestChat, given};

use super::content::{
    Content, DIRECTORIES, FILES, VARIANTS, changes, file_text, skill_name, skill_text,
};
use super::hands::Hands;
use super::lifecycle::{Chat, Lifecycle, Turn};

fn address(content: Option<&Content>) -> Option<SnapshotId> {
    content.map(|content| content.snapshot().addresses().id)
}

/// Compares the listed agents and chats, and everything else about the chats that have changed
/// since `before`.
pub async fn assert_as_modelled(hands: &Hands<'_>, before: &Lifecycle) {
    let (service, owner) = (&hands.reading, hands.owner);
    let page = PageRequest::newest(PAGE_ITEMS_MAX);
    let listed = agents::list(service, owner, &page).await;
    let listed = listed.expect("a list").items;
    let alive = hands.model.agents.iter().filter(|agent| !agent.is_deleted);
    assert_eq!(listed.len(), alive.count(), "agents listed");
    for record in &listed {
        assert_agent(hands, record);
    }
    let records = list(hands, None).await;
    let alive = hands.model.chats.iter().filter(|chat| !chat.is_deleted);
    assert_eq!(records.len(), alive.count(), "chats listed");
    let mut dirty = BTreeSet::new();
    for record in &records {
        let index = place(hands, record.id);
        assert_chat(hands, record, index);
        if record.drift().is_some() {
            dirty.insert(record.id);
        }
        if is_touched(&hands.model, before, index) {
            assert_context(hands, index).await;
        }
    }
    let told = list(hands, Some(true)).await;
    let told: BTreeSet<_> = told.iter().map(|chat| chat.id).collect();
    assert_eq!(told, dirty, "the list of dirty chats");
}

async fn list(hands: &Hands<'_>, dirty: Option<bool>) -> Vec<ChatRecord> {
    let filter = ChatFilter {
        dirty,
        own: true,
        ..ChatFilter::default()
    };
    let page = PageRequest::newest(PAGE_ITEMS_MAX);
    let listed = chats::list(&hands.reading, hands.owner, &filter, &page).await;
    listed.expect("a list").items
}

fn place(hands: &Hands<'_>, chat: ChatId) -> usize {
    let place = hands.chats.iter().position(|id| *id == chat);
    place.expect("a chat of this history")
}

fn is_touched(now: &Lifecycle, before: &Lifecycle, index: usize) -> bool {
    let (chat, Some(old)) = (&now.chats[index], before.chats.get(index)) else {
        return true;
    };
    chat != old || now.head_of(chat) != before.head_of(old)
}

fn assert_agent(hands: &Hands<'_>, record: &AgentRecord) {
    let place = hands.agents.iter().position(|agent| agent.id == record.id);
    let agent = &hands.model.agents[place.expect("an agent of this history")];
    let head = record.head.as_ref();
    assert_eq!(
        (record.epoch, record.version, record.mcp_settled),
        (agent.epoch, agent.version, agent.is_settled),
        "epoch, version and settled servers of {agent:?}"
    );
    assert_eq!(
        head.map(|head| (head.seq, head.snapshot, head.received_at)),
        agent.heads.last().map(|(content, at)| {
            let snapshot = content.snapshot().addresses().id;
            (agent.heads.len() as i64, snapshot, *at)
        }),
        "the head of {agent:?}"
    );
}

fn assert_chat(hands: &Hands<'_>, record: &ChatRecord, index: usize) {
    let chat = &hands.model.chats[index];
    let agent_of = |agent: Option<usize>| agent.map(|agent| hands.agents[agent].id);
    assert!(!chat.is_deleted, "a deleted chat is listed");
    assert_eq!(record.agent, agent_of(chat.agent), "the agent of {chat:?}");
    let parent = chat.parent.map(|parent| hands.chats[parent]);
    assert_eq!(record.parent, parent, "the parent of {chat:?}");
    assert_eq!(
        (
            record.archived_at.is_some(),
            record.mode,
            record.policy,
            record.tools
        ),
        (chat.is_archived, chat.mode, chat.policy, chat.tools),
        "archive, mode, policy and tools of {chat:?}"
    );
    let pin = record.pin.as_ref();
    assert_eq!(
        pin.map(|pin| (pin.pin.snapshot, pin.pinned_at, pin.error.as_deref())),
        chat.history.last().and_then(|row| {
            let content = row.content.as_ref()?;
            let snapshot = content.snapshot().addresses().id;
            Some((snapshot, row.pinned_at, content.error))
        }),
        "the pin of {chat:?}"
    );
    let drift = hands.model.drift_of(chat);
    assert_eq!(
        record.drift().map(|drift| (drift.since, drift.declined)),
        drift.map(|drift| (drift.since, drift.is_declined)),
        "the drift of {chat:?}"
    );
    assert_eq!(
        (record.pin_seq, record.turn_count, record.updated_at),
        (
            chat.history.len() as i64,
            chat.turns.len() as i64,
            chat.updated_at
        ),
        "moves, turns and the last change of {chat:?}"
    );
    let head = record.head.map(|head| head.snapshot);
    assert_eq!(head, address(hands.model.head_of(chat)), "head of {chat:?}");
}

async fn assert_context(hands: &Hands<'_>, index: usize) {
    let model = &hands.model;
    let chat = &model.chats[index];
    let real = TestChat {
        service: hands.reading.clone(),
        owner: hands.owner,
        id: hands.chats[index],
    };
    let context = real.context().await;
    assert_eq!(
        context.pinned.as_deref().map(|pinned| &pinned.snapshot),
        chat.pin().map(Content::snapshot).as_ref(),
        "what is pinned in {chat:?}"
    );
    let head = model.head_of(chat);
    assert_eq!(
        context.head.as_deref().map(|head| &head.snapshot),
        head.map(Content::snapshot).as_ref(),
        "what the agent of {chat:?} has"
    );
    let tools_differ = match (chat.pin(), head) {
        (Some(pin), Some(head)) => chat.tools == ToolsMode::Live && pin.tools() != head.tools(),
        _ => false,
    };
    assert_eq!(
        context.chat.tools_differ(),
        tools_differ,
        "tools of {chat:?}"
    );
    assert_changes(&context, chat, head);
    assert_history(hands, &real, chat).await;
    assert_decisions(&real, chat).await;
    assert_prompt(&real.prompt().await, chat.pin());
    let turns = real.turns().await;
    assert_eq!(turns.len(), chat.turns.len(), "turns of {chat:?}");
    for (number, (told, turn)) in turns.iter().zip(&chat.turns).enumerate() {
        assert_eq!(
            (
                told.number,
                told.snapshot,
                told.believed,
                told.tools_snapshot
            ),
            (
                number as i64 + 1,
                address(turn.content.as_ref()),
                address(turn.believed.as_ref()),
                address(turn.tools_of.as_ref())
            ),
            "a stamp of {chat:?}"
        );
        let (delivery, at) = (told.delivery, told.started_at);
        assert_eq!(
            (delivery, at),
            (turn.delivery, turn.at),
            "a turn of {chat:?}"
        );
        let reference = turn.reference.map(|reference| reference.to_string());
        assert_eq!(told.reference, reference, "a turn of {chat:?}");
        assert_eq!(told.prompt.is_some(), turn.content.is_some());
        let worst = turn.rows.iter().map(|row| row.1).max();
        assert_eq!(
            told.evidence.map(|told| (told.verdict, told.requests)),
            worst.map(|worst| (worst, turn.rows.len() as u64)),
            "the evidence of a turn of {chat:?}"
        );
    }
}

/// Where the order changed, the real operations may choose which things they report as moved. The
/// others must be in order.
fn assert_changes(context: &ContextView, chat: &Chat, head: Option<&Content>) {
    let expected = match (chat.pin(), head) {
        (Some(pin), Some(head)) => changes(pin, head, chat.tools),
        _ => changes(&nothing(), &nothing(), chat.tools),
    };
    let (mut told, mut moved) = (Vec::new(), BTreeSet::new());
    for change in context.changes() {
        let kind = match change.subject {
            Subject::Facts => None,
            Subject::Resource(kind) => Some(kind),
        };
        match (change.verb, kind) {
            (Verb::Moved, Some(kind)) => {
                moved.insert((kind, change.source().to_owned()));
            }
            (verb, _) => told.push((kind, change.source().to_owned(), verb)),
        }
    }
    let sorted = |mut told: Vec<(Option<Kind>, String, Verb)>| {
        told.sort_by_key(|(kind, source, _)| (*kind, source.clone()));
        told
    };
    assert_eq!(sorted(told), sorted(expected.told), "changes of {chat:?}");
    for kind in [Kind::InstructionFile, Kind::Skill, Kind::McpServer] {
        let of_kind = expected.unchanged.iter().filter(|(_, k, _)| *k == kind);
        let all: Vec<_> = of_kind.clone().map(|(at, ..)| *at).collect();
        let stays = of_kind.filter(|(_, kind, source)| !moved.contains(&(*kind, source.clone())));
        let stays: Vec<_> = stays.map(|(at, ..)| *at).collect();
        assert!(stays.is_sorted(), "something moved untold in {chat:?}");
        let is_told = all.len() > stays.len();
        assert_eq!(is_told, !all.is_sorted(), "what moved in {chat:?}");
    }
}

fn nothing() -> Content {
    Content {
        directory: DIRECTORIES[0],
        system: "linux",
        error: None,
        items: Vec::new(),
    }
}

async fn assert_history(hands: &Hands<'_>, real: &TestChat, chat: &Chat) {
    let history = real.history().await;
    assert_eq!(history.len(), chat.history.len(), "history of {chat:?}");
    for (number, (told, row)) in history.iter().zip(&chat.history).enumerate() {
        assert_eq!(
            (
                told.seq,
                told.snapshot,
                told.reason,
                told.unconfirmed,
                told.evidence_turn,
                told.at
            ),
            (
                number as i64 + 1,
                address(row.content.as_ref()),
                row.reason,
                row.is_unconfirmed,
                row.evidence_turn,
                row.at
            ),
            "row {number} of {chat:?}"
        );
        let agent = row.agent.map(|agent| hands.agents[agent].id);
        assert_eq!(told.agent, agent, "the agent of row {number} of {chat:?}");
        let mover = row.mover.map(|mover| hands.agents[mover].id);
        let told_mover = match told.actor {
            ActorRef::Agent(agent) => Some(agent),
            ActorRef::User(_) | ActorRef::System => None,
        };
        assert_eq!(told_mover, mover, "who moved row {number} of {chat:?}");
        // A cleared pin has no tools that could have settled.
        if row.content.is_some() {
            assert_eq!(
                told.mcp_settled, row.is_settled,
                "settled in row {number} of {chat:?}"
            );
        }
    }
}

async fn assert_decisions(real: &TestChat, chat: &Chat) {
    let entries = real.entries().await.into_iter();
    let told: Vec<_> = entries
        .filter_map(|entry| match entry {
            HistoryEntry::Decision(told) => {
                Some((told.kept.seq, told.decision, Some(told.head), told.at))
            }
            HistoryEntry::Move(_) => None,
        })
        .collect();
    let decided = chat.decisions.iter();
    let decided: Vec<_> = decided
        .map(|one| {
            let head = address(Some(&one.head));
            (one.pin as i64, one.decision, head, one.at)
        })
        .collect();
    assert_eq!(told, decided, "decisions of {chat:?}");
}

/// Checks that a prompt holds the texts of the pinned things, each with its source, and no other
/// text.
fn assert_prompt(prompt: &str, pin: Option<&Content>) {
    let Some(pin) = pin else {
        assert_eq!(prompt, "", "nothing is pinned");
        return;
    };
    for variant in 0..VARIANTS {
        for path in FILES {
            let count = pin
                .items
                .iter()
                .filter(|item| item.source.ends_with(path) && item.text == Some(variant));
            let text = file_text(path, variant);
            let told = prompt.matches(text.trim_end()).count();
            assert_eq!(told, count.count(), "`{text}` in {prompt}");
        }
        for directory in DIRECTORIES {
            let name = skill_name(directory);
            let text = skill_text(&name, variant);
            let is_pinned = pin.tells(Kind::Skill, &format!("{name}/SKILL.md"), variant);
            assert_eq!(prompt.contains(&text), is_pinned, "`{text}` in {prompt}");
        }
    }
    let mut rest = prompt;
    for item in pin.context().2 {
        if item.kind != Kind::InstructionFile {
            continue;
        }
        let line = format!("<context-file source=\"{}\">\n", item.source);
        let at = rest.find(&line);
        let at = at.unwrap_or_else(|| panic!("`{line}` is not in its place: {prompt}"));
        rest = &rest[at + line.len()..];
    }
    assert!(prompt.contains(pin.system) && prompt.contains(pin.directory));
}

/// Checks that a turn returns the content that its stamp names.
pub fn assert_handed_out(view: &TurnBegun, turn: &Turn) {
    assert_prompt(&given(view).prompt, turn.content.as_ref());
    let skills: Vec<_> = given(view)
        .offer
        .skills
        .iter()
        .map(|skill| &skill.source)
        .collect();
    let things = turn.content.iter().flat_map(|content| content.context().2);
    let expected = things.filter(|item| item.kind == Kind::Skill);
    let expected: Vec<_> = expected.map(|item| &item.source).collect();
    assert_eq!(skills, expected, "the skills of {turn:?}");
    let servers = turn.tools_of.iter().flat_map(Content::tools);
    let expected: usize = servers
        .map(|item| usize::from(item.text.unwrap_or(0)))
        .sum();
    assert_eq!(
        given(view).offer.tools.offered.len(),
        expected,
        "the tools of {turn:?}"
    );
}
