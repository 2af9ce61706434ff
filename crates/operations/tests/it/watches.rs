//! Watches: first the state, then the changes.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Poll;
use std::time::Duration;

use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::{ChatCreate, ChatRecord};
use ctxpin_model::id::ChatId;
use ctxpin_model::user::UserChange;
use ctxpin_model::watch::{Changed, Detail, Event, Subject};
use ctxpin_operations::agents;
use ctxpin_operations::error::Error;
use ctxpin_operations::people::{self, Revocation};
use ctxpin_operations::sign_in;
use ctxpin_operations::upkeep;
use ctxpin_operations::watches::{Watch, watch};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, first_admin, member, user};

use crate::scene::{Scene, agents_md, refusal};

ctxpin_testing::on_both_databases!(
    the_state_comes_first,
    agents_are_part_of_the_state,
    agents_are_seen_by_a_watcher_far_behind,
    hydration_is_seen,
    drift_begins_changes_and_ends,
    moves_of_the_pin_are_seen,
    a_turn_is_seen,
    a_turn_is_seen_although_a_push_came_before_it,
    several_turns_are_seen_in_their_order,
    archiving_is_seen,
    new_and_deleted_chats_are_seen,
    a_watch_of_one_chat_ends_with_it,
    a_deleted_agent_is_seen_in_its_chats,
    a_rebound_chat_drifts_with_its_new_agent,
    a_revoked_token_ends_the_watch,
    a_watch_ends_with_its_session,
    a_withdrawn_role_is_told_at_once,
    finding_11_who_is_locked_out_watches_no_longer,
    others_chats_are_not_seen,
    a_chat_that_cannot_be_read_cannot_be_watched,
    one_push_that_hydrates_many_is_seen_of_all,
    a_watcher_far_behind_converges,
    a_dropped_wait_loses_nothing,
    a_change_without_a_hint_is_seen_at_the_next_read,
    finding_09_a_push_is_told_in_as_many_statements_for_many_chats,
    finding_09_the_state_is_read_as_it_is_taken_and_once_for_all,
    finding_09_the_open_watches_of_a_token_are_limited,
    ids_alone_are_told_where_they_are_asked_for,
);

/// The longest wait for an event. A test that waits this long has failed.
const FAR_TOO_LONG: Duration = Duration::from_secs(20);

async fn next(watch: &mut Watch) -> Result<Option<Event>, Error> {
    tokio::time::timeout(FAR_TOO_LONG, watch.next())
        .await
        .expect("an event was to come")
}

async fn next_event(watch: &mut Watch) -> Event {
    next(watch)
        .await
        .expect("it may be seen")
        .expect("it goes on")
}

/// Returns the next event of a chat, and skips those of agents.
async fn next_chat(watch: &mut Watch) -> ChatRecord {
    loop {
        match next_event(watch).await {
            Event::Chat(chat) => return *chat,
            Event::Agent(_) | Event::AgentDeleted(_) => {}
            other => panic!("a chat was to come: {other:?}"),
        }
    }
}

/// Returns the chats of the state, which come before `ready`.
async fn state(watch: &mut Watch) -> Vec<ChatRecord> {
    whole_state(watch).await.1
}

/// Returns the agents and the chats of the state.
async fn whole_state(watch: &mut Watch) -> (Vec<AgentRecord>, Vec<ChatRecord>) {
    let (mut agents, mut chats) = (Vec::new(), Vec::new());
    loop {
        match next_event(watch).await {
            Event::Ready => return (agents, chats),
            Event::Agent(agent) => agents.push(*agent),
            Event::Chat(chat) => chats.push(*chat),
            other => panic!("the state was to come: {other:?}"),
        }
    }
}

/// Opens a watch without reading an event.
async fn watch_own_unread(scene: &Scene<'_>) -> Watch {
    let (service, owner) = (scene.service, scene.owner);
    let watch = watch(service, owner, Subject::Own, Detail::Full).await;
    watch.unwrap()
}

async fn watch_own(scene: &Scene<'_>) -> Watch {
    let mut watch = watch_own_unread(scene).await;
    state(&mut watch).await;
    watch
}

async fn watch_chat(chat: &TestChat) -> Watch {
    let subject = Subject::Chat(chat.id);
    let mut watch = watch(&chat.service, chat.owner, subject, Detail::Full)
        .await
        .unwrap();
    assert_eq!(state(&mut watch).await.len(), 1);
    watch
}

async fn the_state_comes_first(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let (first, second, archived) = (scene.chat().await, scene.chat().await, scene.chat().await);
    archived.archive(true).await.unwrap();
    let mut own = watch_own_unread(&scene).await;
    let told: BTreeSet<_> = state(&mut own).await.iter().map(|chat| chat.id).collect();
    assert_eq!(told, BTreeSet::from([first.id, second.id]));
    let mut one = watch(
        scene.service,
        scene.owner,
        Subject::Chat(archived.id),
        Detail::Full,
    )
    .await
    .unwrap();
    let told = state(&mut one).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].archived_at.is_some());
}

async fn agents_are_part_of_the_state(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let other = scene.other_agent().await;
    scene.push(&agents_md("one")).await;
    let stranger = member(scene.service, scene.owner, "stranger").await;
    TestAgent::create(scene.service, stranger, "theirs").await;
    // The scene's owner may read all agents, but watches only their own.
    let mut own = watch_own_unread(&scene).await;
    let (agents, chats) = whole_state(&mut own).await;
    assert!(chats.is_empty());
    let told: BTreeMap<_, _> = agents
        .iter()
        .map(|agent| (agent.id, agent.version))
        .collect();
    assert_eq!(told, BTreeMap::from([(other.id, 0), (scene.agent.id, 1)]));

    scene.push(&agents_md("two")).await;
    let Event::Agent(seen) = next_event(&mut own).await else {
        panic!("the agent was to come");
    };
    assert_eq!((seen.id, seen.head.unwrap().seq), (scene.agent.id, 2));
    agents::delete(scene.service, scene.owner, other.id)
        .await
        .unwrap();
    let event = next_event(&mut own).await;
    assert!(matches!(event, Event::AgentDeleted(deleted) if deleted == other.id));
    let chat = scene.chat().await;
    let event = next_event(&mut own).await;
    assert!(
        matches!(&event, Event::Chat(seen) if seen.id == chat.id),
        "{event:?}"
    );
    let mut one = watch(
        scene.service,
        scene.owner,
        Subject::Chat(chat.id),
        Detail::Full,
    )
    .await
    .unwrap();
    assert!(
        whole_state(&mut one).await.0.is_empty(),
        "it is about one chat"
    );
}

/// A watcher that missed hints finds the changes of agents at its next read.
async fn agents_are_seen_by_a_watcher_far_behind(test: &TestService) {
    let scene = Scene::new(test).await;
    let gone = scene.other_agent().await;
    let mut own = watch_own(&scene).await;
    // Publish more hints than are kept, so that those about the agents are lost.
    agents::delete(scene.service, scene.owner, gone.id)
        .await
        .unwrap();
    let new = scene.other_agent().await;
    let chat = scene.chat().await;
    for _ in 0..600 {
        chat.turn().await.unwrap();
    }
    let (mut is_gone, mut is_new) = (false, false);
    while !(is_gone && is_new) {
        match next_event(&mut own).await {
            Event::AgentDeleted(agent) => is_gone |= agent == gone.id,
            Event::Agent(agent) => is_new |= agent.id == new.id,
            _ => {}
        }
    }
}

async fn hydration_is_seen(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    let (mut own, mut one) = (watch_own(&scene).await, watch_chat(&chat).await);
    scene.push(&agents_md("one")).await;
    for watch in [&mut own, &mut one] {
        let seen = next_chat(watch).await;
        assert_eq!((seen.id, seen.pin.is_some()), (chat.id, true));
    }
}

async fn drift_begins_changes_and_ends(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let (mut own, mut one) = (watch_own(&scene).await, watch_chat(&chat).await);
    for (text, is_dirty) in [("two", true), ("three", true), ("one", false)] {
        let head = scene.push(&agents_md(text)).await.head.unwrap();
        for watch in [&mut own, &mut one] {
            let seen = next_chat(watch).await;
            assert_eq!(seen.drift().is_some(), is_dirty, "{text}");
            assert_eq!(seen.head.unwrap().snapshot, head.snapshot);
        }
    }
}

async fn moves_of_the_pin_are_seen(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    let second = scene.push(&agents_md("two")).await.head.unwrap().snapshot;
    let (mut own, mut one) = (watch_own(&scene).await, watch_chat(&chat).await);
    chat.decline().await.unwrap();
    for watch in [&mut own, &mut one] {
        assert!(next_chat(watch).await.drift().unwrap().declined);
    }
    let pinned = |seen: ChatRecord| seen.pin.map(|pin| pin.pin.snapshot);
    chat.refresh().await.unwrap();
    for watch in [&mut own, &mut one] {
        assert_eq!(pinned(next_chat(watch).await), Some(second));
    }
    chat.rollback(first).await.unwrap();
    for watch in [&mut own, &mut one] {
        assert_eq!(pinned(next_chat(watch).await), Some(first));
    }
    chat.clear().await.unwrap();
    for watch in [&mut own, &mut one] {
        assert_eq!(pinned(next_chat(watch).await), None);
    }
}

/// Returns the next event of a turn, and skips all others.
async fn next_turn(watch: &mut Watch) -> (ChatId, i64) {
    loop {
        if let Event::Turn(chat, turn) = next_event(watch).await {
            return (chat, turn.number);
        }
    }
}

async fn a_turn_is_seen(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let (mut own, mut one) = (watch_own(&scene).await, watch_chat(&chat).await);
    scene.minute();
    chat.turn().await.unwrap();
    for watch in [&mut own, &mut one] {
        assert_eq!(next_turn(watch).await, (chat.id, 1));
    }
}

async fn a_turn_is_seen_although_a_push_came_before_it(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let mut own = watch_own(&scene).await;
    // Both hints wait. The hint of the agent makes the watch read its chats, so it finds the turn first.
    scene.push(&agents_md("two")).await;
    chat.turn().await.unwrap();
    assert_eq!(next_turn(&mut own).await, (chat.id, 1));
}

async fn several_turns_are_seen_in_their_order(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let (mut own, mut one) = (watch_own(&scene).await, watch_chat(&chat).await);
    for _ in 0..3 {
        chat.turn().await.unwrap();
    }
    for watch in [&mut own, &mut one] {
        for number in 1..=3 {
            assert_eq!(next_turn(watch).await, (chat.id, number));
        }
    }
}

async fn archiving_is_seen(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let (mut own, mut one) = (watch_own(&scene).await, watch_chat(&chat).await);
    for archived in [true, false] {
        scene.minute();
        chat.archive(archived).await.unwrap();
        for watch in [&mut own, &mut one] {
            assert_eq!(next_chat(watch).await.archived_at.is_some(), archived);
        }
    }
}

async fn new_and_deleted_chats_are_seen(test: &TestService) {
    let scene = Scene::new(test).await;
    let mut own = watch_own(&scene).await;
    let chat = scene.chat().await;
    assert_eq!(next_chat(&mut own).await.id, chat.id);
    chat.delete().await.unwrap();
    let event = next_event(&mut own).await;
    assert!(matches!(event, Event::Deleted(deleted) if deleted == chat.id));
    let another = scene.chat().await;
    assert_eq!(next_chat(&mut own).await.id, another.id);
}

async fn a_watch_of_one_chat_ends_with_it(test: &TestService) {
    let scene = Scene::new(test).await;
    let (chat, sibling) = (scene.chat().await, scene.chat().await);
    let mut one = watch_chat(&chat).await;
    sibling.delete().await.unwrap();
    chat.delete().await.unwrap();
    let event = next_event(&mut one).await;
    assert!(matches!(event, Event::Deleted(deleted) if deleted == chat.id));
    assert!(next(&mut one).await.unwrap().is_none());
    assert!(next(&mut one).await.unwrap().is_none());
}

async fn a_deleted_agent_is_seen_in_its_chats(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let (mut own, mut one) = (watch_own(&scene).await, watch_chat(&chat).await);
    agents::delete(scene.service, scene.owner, scene.agent.id)
        .await
        .unwrap();
    for watch in [&mut own, &mut one] {
        let seen = next_chat(watch).await;
        assert_eq!((seen.agent, seen.pin.is_some()), (None, true));
    }
}

async fn a_rebound_chat_drifts_with_its_new_agent(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let mut other = scene.other_agent().await;
    let (mut own, mut one) = (watch_own(&scene).await, watch_chat(&chat).await);
    scene.minute();
    chat.bind(Some(other.id)).await.unwrap();
    for watch in [&mut own, &mut one] {
        let seen = next_chat(watch).await;
        assert_eq!((seen.agent, seen.pin.is_some()), (Some(other.id), false));
    }
    for text in ["one", "two"] {
        other.push(scene.service, &agents_md(text)).await.unwrap();
        for watch in [&mut own, &mut one] {
            assert_eq!(next_chat(watch).await.drift().is_some(), text == "two");
        }
    }
}

async fn a_revoked_token_ends_the_watch(test: &TestService) {
    let scene = Scene::new(test).await;
    let (_, visitor) = user(
        scene.service,
        scene.owner,
        "visitor",
        "member",
        "read write",
    )
    .await;
    let chat = TestChat::create(scene.service, visitor, &ChatCreate::default())
        .await
        .unwrap();
    let mut own = watch(scene.service, visitor, Subject::Own, Detail::Full)
        .await
        .unwrap();
    let mut one = watch(scene.service, visitor, Subject::Chat(chat.id), Detail::Full)
        .await
        .unwrap();
    for watch in [&mut own, &mut one] {
        assert_eq!(state(watch).await.len(), 1);
    }
    scene.minute();
    chat.turn().await.unwrap();
    people::token_revoke(scene.service, visitor, visitor.id, Revocation::Alone)
        .await
        .unwrap();
    for watch in [&mut own, &mut one] {
        assert_eq!(refusal(next(watch).await), "unauthenticated");
    }
}

/// The regular read is a day away, so only a hint wakes these watches.
async fn finding_11_who_is_locked_out_watches_no_longer(test: &TestService) {
    let service = &test
        .service
        .clone()
        .with_recheck_every(Duration::from_secs(86_400));
    let admin = first_admin(service).await;
    for detail in [Detail::Full, Detail::Ids] {
        let name = format!("{detail:?}");
        let (id, visitor) = user(service, admin, &name, "member", "read write").await;
        let chat = TestChat::create(service, visitor, &ChatCreate::default())
            .await
            .unwrap();
        let begin = async || {
            let mut watches = Vec::new();
            for subject in [Subject::Own, Subject::Chat(chat.id)] {
                let mut begun = watch(service, visitor, subject, detail).await.unwrap();
                state(&mut begun).await;
                watches.push(begun);
            }
            watches
        };
        let disabled = |disabled| UserChange {
            disabled: Some(disabled),
            ..UserChange::default()
        };
        let watches = begin().await;
        let locked = people::user_change(service, admin, id, &disabled(true)).await;
        locked.unwrap();
        for mut watch in watches {
            assert_eq!(refusal(next(&mut watch).await), "unauthenticated");
        }
        let open = people::user_change(service, admin, id, &disabled(false)).await;
        open.unwrap();
        let watches = begin().await;
        people::token_revoke(service, visitor, visitor.id, Revocation::Alone)
            .await
            .unwrap();
        for mut watch in watches {
            assert_eq!(refusal(next(&mut watch).await), "unauthenticated");
        }
    }
}

async fn others_chats_are_not_seen(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let stranger = member(scene.service, scene.owner, "stranger").await;
    let mut theirs = watch(scene.service, stranger, Subject::Own, Detail::Full)
        .await
        .unwrap();
    assert!(state(&mut theirs).await.is_empty());
    let mut admins = watch_own(&scene).await;
    let chat = scene.chat().await;
    chat.turn().await.unwrap();
    scene.push(&agents_md("two")).await;
    chat.delete().await.unwrap();
    let visible = TestChat::create(scene.service, stranger, &ChatCreate::default())
        .await
        .unwrap();
    let event = next_event(&mut theirs).await;
    assert!(matches!(event, Event::Chat(seen) if seen.id == visible.id));
    // A caller who may read all still gets only their own here.
    scene.minute();
    let mine = scene.chat().await;
    loop {
        match next_event(&mut admins).await {
            Event::Chat(seen) if seen.id == mine.id => break,
            Event::Chat(seen) => assert_ne!(seen.id, visible.id),
            _ => {}
        }
    }
}

async fn a_chat_that_cannot_be_read_cannot_be_watched(test: &TestService) {
    let scene = Scene::new(test).await;
    let chat = scene.chat().await;
    let stranger = member(scene.service, scene.owner, "stranger").await;
    let watched = watch(
        scene.service,
        stranger,
        Subject::Chat(chat.id),
        Detail::Full,
    )
    .await;
    assert_eq!(refusal(watched.map(|_| ())), "not-found");
    let (_, auditor) = user(scene.service, scene.owner, "auditor", "auditor", "read").await;
    let mut watched = watch(scene.service, auditor, Subject::Chat(chat.id), Detail::Full)
        .await
        .unwrap();
    assert_eq!(state(&mut watched).await.len(), 1);
}

async fn one_push_that_hydrates_many_is_seen_of_all(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let mut waiting = BTreeSet::new();
    for _ in 0..50 {
        waiting.insert(scene.chat().await.id);
    }
    let mut own = watch_own(&scene).await;
    assert_eq!(scene.push(&agents_md("one")).await.hydrated, 50);
    while !waiting.is_empty() {
        let seen = next_chat(&mut own).await;
        assert!(seen.pin.is_some());
        assert!(waiting.remove(&seen.id), "told once");
    }
}

async fn a_watcher_far_behind_converges(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let mut own = watch_own(&scene).await;
    // Publish more hints than are kept for a watcher.
    let idle = TestChat::create(scene.service, scene.owner, &ChatCreate::default())
        .await
        .unwrap();
    for _ in 0..600 {
        idle.clear().await.unwrap();
    }
    let gone = scene.chat().await;
    gone.delete().await.unwrap();
    chat.turn().await.unwrap();
    let head = scene.push(&agents_md("two")).await.head.unwrap();
    chat.refresh().await.unwrap();
    let mut known: BTreeMap<ChatId, ChatRecord> = BTreeMap::new();
    let mut turns = 0;
    while known
        .get(&chat.id)
        .and_then(|chat| chat.pin.as_ref())
        .map(|pin| pin.pin.snapshot)
        != Some(head.snapshot)
    {
        match next_event(&mut own).await {
            Event::Chat(seen) => {
                known.insert(seen.id, *seen);
            }
            Event::Turn(..) => turns += 1,
            _ => {}
        }
    }
    known.remove(&idle.id);
    assert_eq!(known.len(), 1, "what came and went is not told");
    assert_eq!(turns, 1);
}

async fn a_dropped_wait_loses_nothing(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    let (mut own, mut one) = (watch_own(&scene).await, watch_chat(&chat).await);
    scene.push(&agents_md("one")).await;
    for watch in [&mut own, &mut one] {
        // The wait takes the hint, begins to read, and is cancelled.
        let polled = {
            let mut wait = std::pin::pin!(watch.next());
            std::future::poll_fn(|context| Poll::Ready(wait.as_mut().poll(context))).await
        };
        let seen = match polled {
            Poll::Ready(Ok(Some(Event::Chat(chat)))) => *chat,
            _ => next_chat(watch).await,
        };
        assert!(seen.pin.is_some());
    }
}

/// A second service on the same data loses all hints.
async fn a_change_without_a_hint_is_seen_at_the_next_read(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    let silent = test.replica().await;
    let looking = silent.clone().with_recheck_every(Duration::from_millis(20));
    let mut theirs = watch(&looking, scene.owner, Subject::Chat(chat.id), Detail::Full)
        .await
        .unwrap();
    state(&mut theirs).await;
    for text in ["one", "two"] {
        let head = scene.push(&agents_md(text)).await.head.unwrap();
        let seen = next_chat(&mut theirs).await;
        assert_eq!(seen.head.unwrap().snapshot, head.snapshot);
    }
    chat.refresh().await.unwrap();
    assert!(next_chat(&mut theirs).await.drift().is_none());
    chat.delete().await.unwrap();
    assert!(matches!(next_event(&mut theirs).await, Event::Deleted(gone) if gone == chat.id));
    silent.close().await;
}

async fn finding_09_a_push_is_told_in_as_many_statements_for_many_chats(test: &TestService) {
    let mut asked = Vec::new();
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("0")).await;
    for count in [1, 99] {
        for _ in 0..count {
            scene.chat().await;
        }
        let mut own = watch_own(&scene).await;
        scene.push(&agents_md(&format!("after {count}"))).await;
        let before = scene.service.counts();
        let chats = asked.len() * 99 + 1;
        for _ in 0..chats {
            assert!(next_chat(&mut own).await.drift().is_some());
        }
        asked.push((scene.service.counts() - before).statements);
    }
    assert_eq!(asked[0], asked[1]);
    assert!(asked[0] <= 4, "{asked:?}");
}

async fn finding_09_the_state_is_read_as_it_is_taken_and_once_for_all(test: &TestService) {
    let mut scene = Scene::new(test).await;
    for _ in 0..3 {
        scene.chat().await;
    }
    let service = scene.service;
    let before = service.counts();
    let mut watches = Vec::new();
    for _ in 0..3 {
        watches.push(watch_own_unread(&scene).await);
    }
    let opened = (service.counts() - before).statements;
    assert_eq!(opened, 3, "only who may watch is asked before the state is");
    for watch in &mut watches {
        assert_eq!(state(watch).await.len(), 3);
    }
    scene.push(&agents_md("one")).await;
    let mut asked = Vec::new();
    for watch in &mut watches {
        let before = service.counts();
        for _ in 0..3 {
            assert!(next_chat(watch).await.pin.is_some());
        }
        asked.push((service.counts() - before).statements);
    }
    assert!(asked[1] < asked[0] && asked[1] == asked[2], "{asked:?}");
}

async fn finding_09_the_open_watches_of_a_token_are_limited(test: &TestService) {
    let scene = Scene::new(test).await;
    let chat = scene.chat().await;
    let mut watches = Vec::new();
    for _ in 0..8 {
        watches.push(watch_own(&scene).await);
        watches.push(watch_chat(&chat).await);
    }
    let refused = watch(scene.service, scene.owner, Subject::Own, Detail::Ids).await;
    assert!(matches!(refused, Err(Error::Busy(_))));
    let other = member(scene.service, scene.owner, "other").await;
    assert!(
        watch(scene.service, other, Subject::Own, Detail::Ids)
            .await
            .is_ok()
    );
    watches.pop();
    watch_own(&scene).await;
}

async fn ids_alone_are_told_where_they_are_asked_for(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    let service = scene.service;
    let watch_ids = |subject| watch(service, scene.owner, subject, Detail::Ids);
    let mut own = watch_ids(Subject::Own).await.unwrap();
    let mut one = watch_ids(Subject::Chat(chat.id)).await.unwrap();
    for watch in [&mut own, &mut one] {
        assert!(matches!(next_event(watch).await, Event::Ready));
    }
    let agent = scene.agent.id;
    scene.push(&agents_md("one")).await;
    let told = next_event(&mut own).await;
    assert!(
        matches!(told, Event::Changed(Changed::Agent(id)) if id == agent),
        "{told:?}"
    );
    let told = next_event(&mut one).await;
    assert!(
        matches!(told, Event::Changed(Changed::Chat(id)) if id == chat.id),
        "{told:?}"
    );
    chat.delete().await.unwrap();
    let told = next_event(&mut own).await;
    assert!(
        matches!(told, Event::Changed(Changed::Chat(id)) if id == chat.id),
        "{told:?}"
    );
    assert!(matches!(next_event(&mut one).await, Event::Deleted(id) if id == chat.id));
    assert!(next(&mut one).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_of_one_postgres_wake_each_other() {
    let test = TestService::postgres().await;
    let mut scene = Scene::new(&test).await;
    let replica = test.replica().await;
    let tasks = [scene.service.clone(), replica.clone()]
        .map(|service| tokio::spawn(async move { upkeep::run(&service).await }));
    let chat = scene.chat().await;
    let there = TestChat {
        service: replica.clone(),
        ..chat.clone()
    };
    let mut watches = [watch_chat(&chat).await, watch_chat(&there).await];
    // The service finds earlier writes once it listens. After that, only a wake is fast enough.
    for text in ["one", "two", "three"] {
        let head = scene.push(&agents_md(text)).await.head.unwrap();
        for watch in &mut watches {
            assert_eq!(next_chat(watch).await.head.unwrap().snapshot, head.snapshot);
        }
        let snapshot = there
            .refresh()
            .await
            .unwrap()
            .chat
            .pin
            .unwrap()
            .pin
            .snapshot;
        assert_eq!(snapshot, head.snapshot);
        if text != "one" {
            for watch in &mut watches {
                assert!(next_chat(watch).await.drift().is_none());
            }
        }
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    replica.close().await;
    test.finish().await;
}

async fn a_withdrawn_role_is_told_at_once(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (mira, reader) = user(service, admin, "mira", "member auditor", "read write").await;
    let mut watch = watch(service, reader, Subject::Own, Detail::Ids)
        .await
        .unwrap();
    assert!(matches!(next_event(&mut watch).await, Event::Ready));
    for roles in ["member", ""] {
        let change = UserChange {
            roles: Some(roles.parse().unwrap()),
            ..UserChange::default()
        };
        people::user_change(service, admin, mira, &change)
            .await
            .unwrap();
        let told = next_event(&mut watch).await;
        assert!(
            matches!(told, Event::Changed(Changed::Everything)),
            "{roles}: {told:?}"
        );
    }
}

async fn a_watch_ends_with_its_session(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut watches = Vec::new();
    for _ in 0..2 {
        let session = sign_in::with_token(service, owner, None)
            .await
            .unwrap()
            .pass;
        let credential = sign_in::session_credential(service, &session).await;
        let watch = watch(service, credential.unwrap(), Subject::Own, Detail::Ids).await;
        let mut watch = watch.unwrap().of_session(Some(session.clone()));
        assert!(matches!(next(&mut watch).await, Ok(Some(Event::Ready))));
        watches.push((watch, session));
    }
    let [(stays, _), (ends, session)] = &mut watches[..] else {
        panic!("there are two");
    };
    sign_in::sign_out(service, session).await.unwrap();
    assert!(matches!(next(ends).await, Err(Error::SessionEnded)));
    // The other one has looked for its session, and goes on.
    assert!(matches!(
        next(stays).await,
        Ok(Some(Event::Changed(Changed::Everything)))
    ));
    let chat = ctxpin_testing::people::chat(service, owner, None).await;
    assert!(
        matches!(next(stays).await, Ok(Some(Event::Changed(Changed::Chat(id)))) if id == chat.id)
    );
}
