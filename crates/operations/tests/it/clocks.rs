//! Clocks that jump forward and back. The rules hold because they rest on numbers, epochs and hashes.

use std::collections::BTreeSet;
use std::time::Duration;

use ctxpin_model::access::Scopes;
use ctxpin_model::chat::ChatChange;
use ctxpin_model::chat::{ChatFilter, ChatRecord};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::ProcessId;
use ctxpin_model::moment::Moment;
use ctxpin_model::page::PageRequest;
use ctxpin_model::push::Verdict;
use ctxpin_model::resource::Bodies;
use ctxpin_model::token::TokenRequest;
use ctxpin_model::watch::{Detail, Event, Subject};
use ctxpin_operations::chats;
use ctxpin_operations::error::Error;
use ctxpin_operations::people::Revocation;
use ctxpin_operations::watches::watch;
use ctxpin_operations::{agents, people, pushes};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::{TestService, test_start};
use uuid::Uuid;

use crate::scene::{Scene, agents_md, assert_sound, refusal};

ctxpin_testing::on_both_databases!(
    a_drift_begins_with_the_next_head_whatever_the_clock,
    a_refresh_pins_the_head_whatever_the_clock,
    history_and_turns_keep_their_order,
    a_newer_epoch_fences_also_with_an_older_clock,
    lists_show_everything_once,
    changes_are_seen_with_an_older_clock,
    bytes_sent_ahead_stay_proved_when_the_clock_goes_back,
    a_revoked_token_stays_revoked,
    a_token_ends_by_the_clock,
);

/// The moments to which the clock jumps, in minutes from its start. One of them occurs twice.
const JUMPS: [i64; 9] = [5, -10, -10, 40, -2, 0, 90, -60, 3];

/// The longest wait for an event. A test that waits this long has failed.
const FAR_TOO_LONG: Duration = Duration::from_secs(20);

fn jump(test: &TestService, minutes: i64) {
    let span = Duration::from_secs(minutes.unsigned_abs() * 60);
    test.clock.set(match minutes {
        ..0 => test_start().before(span),
        _ => test_start().after(span),
    });
}

async fn push(scene: &mut Scene<'_>, text: &str) {
    let pushed = scene.agent.push(scene.service, &agents_md(text)).await;
    assert_eq!(pushed.unwrap().verdict, Verdict::Accepted);
}

async fn a_drift_begins_with_the_next_head_whatever_the_clock(test: &TestService) {
    let mut scene = Scene::new(test).await;
    push(&mut scene, "one").await;
    let mut pinned: Vec<(TestChat, Moment)> = Vec::new();
    for (number, minutes) in JUMPS.into_iter().enumerate() {
        let chat = scene.chat().await;
        jump(test, minutes);
        pinned.push((chat, test.clock.now()));
        push(&mut scene, &format!("edition {number}")).await;
        for (chat, pushed_at) in &pinned {
            let record = chat.record().await;
            let drift = record.drift().expect("another content is the head");
            assert_eq!(drift.since, *pushed_at, "{minutes}");
            assert_sound(chat).await;
        }
    }
    // A head with the pin's content ends the drift, whatever its time is.
    jump(test, -100);
    push(&mut scene, "one").await;
    assert!(!pinned[0].0.is_dirty().await);
}

async fn a_refresh_pins_the_head_whatever_the_clock(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (chat, waiting) = (scene.chat().await, scene.chat().await);
    for (number, minutes) in JUMPS.into_iter().enumerate() {
        waiting.clear().await.unwrap();
        jump(test, minutes);
        push(&mut scene, &format!("edition {number}")).await;
        let head = chat.record().await.head.expect("a head");
        assert_eq!(head.seq, i64::try_from(number).unwrap() + 1);
        chat.refresh().await.unwrap();
        assert_eq!(chat.snapshot().await, Some(head.snapshot));
        // A push also pins a chat that was unpinned at a later time.
        assert_eq!(waiting.snapshot().await, Some(head.snapshot));
        assert!(!chat.is_dirty().await);
    }
    assert_sound(&waiting).await;
}

async fn history_and_turns_keep_their_order(test: &TestService) {
    let mut scene = Scene::new(test).await;
    push(&mut scene, "one").await;
    let chat = scene.chat().await;
    let first = chat.snapshot().await.expect("a pin");
    let mut expected = vec![Some(first)];
    for (number, minutes) in JUMPS.into_iter().enumerate() {
        jump(test, minutes);
        push(&mut scene, &format!("edition {number}")).await;
        chat.refresh().await.unwrap();
        expected.push(chat.snapshot().await);
        chat.turn().await.unwrap();
        chat.rollback(first).await.unwrap();
        expected.push(Some(first));
    }
    let told: Vec<_> = chat
        .history()
        .await
        .iter()
        .map(|pin| pin.snapshot)
        .collect();
    assert_eq!(told, expected);
    let turns = chat.turns().await;
    let numbers: Vec<_> = turns.iter().map(|turn| turn.number).collect();
    let count = i64::try_from(JUMPS.len()).unwrap();
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
    let stamped: Vec<_> = turns.iter().map(|turn| turn.snapshot).collect();
    let refreshed: Vec<_> = expected[1..].iter().copied().step_by(2).collect();
    assert_eq!(stamped, refreshed);
    assert_sound(&chat).await;
}

async fn a_newer_epoch_fences_also_with_an_older_clock(test: &TestService) {
    let mut scene = Scene::new(test).await;
    push(&mut scene, "one").await;
    let mut epoch = scene.agent.epoch;
    for minutes in JUMPS {
        jump(test, minutes);
        let process = ProcessId::from(Uuid::new_v4());
        let open = || pushes::session_open(scene.service, scene.agent.credential, process);
        let opened = open().await.unwrap().epoch;
        assert_eq!(opened, epoch + 1);
        assert_eq!(open().await.unwrap().epoch, opened, "a repeat is the same");
        let late = scene.agent.push(scene.service, &agents_md("late")).await;
        assert_eq!(refusal(late), "fenced");
        epoch = opened;
    }
}

async fn lists_show_everything_once(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (mut created, mut heads) = (BTreeSet::new(), 0);
    for (number, minutes) in JUMPS.into_iter().enumerate() {
        jump(test, minutes);
        push(&mut scene, &format!("edition {number}")).await;
        heads += 1;
        created.insert(scene.chat().await.id);
    }
    let mut told = Vec::new();
    let mut page = PageRequest::newest(2);
    loop {
        let filter = ChatFilter::default();
        let listed = chats::list(scene.service, scene.owner, &filter, &page)
            .await
            .unwrap();
        told.extend(listed.items.into_iter().map(|chat| chat.id));
        let Some(next) = listed.next else { break };
        page = page.on(next);
    }
    assert_eq!(told.len(), created.len());
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), created);
    let page = PageRequest::newest(100);
    let timeline = agents::heads(scene.service, scene.owner, scene.agent.id, &page).await;
    let seqs: Vec<_> = timeline
        .unwrap()
        .items
        .iter()
        .map(|head| head.seq)
        .collect();
    assert_eq!(
        seqs,
        (1..=heads).rev().collect::<Vec<_>>(),
        "by their numbers"
    );
}

async fn changes_are_seen_with_an_older_clock(test: &TestService) {
    let mut scene = Scene::new(test).await;
    push(&mut scene, "one").await;
    let chat = scene.chat().await;
    let mut watch = watch(
        scene.service,
        scene.owner,
        Subject::Chat(chat.id),
        Detail::Full,
    )
    .await
    .unwrap();
    let mut seen = async |holds: &dyn Fn(&ChatRecord) -> bool| loop {
        let next = tokio::time::timeout(FAR_TOO_LONG, watch.next()).await;
        match next.expect("an event was to come").unwrap() {
            Some(Event::Chat(told)) if holds(&told) => return,
            Some(_) => {}
            None => panic!("the chat is there"),
        }
    };
    for (number, minutes) in JUMPS.into_iter().enumerate() {
        jump(test, minutes);
        push(&mut scene, &format!("edition {number}")).await;
        seen(&|chat| chat.drift().is_some()).await;
        chat.refresh().await.unwrap();
        seen(&|chat| chat.drift().is_none()).await;
        // Two changes at one moment look alike by their times.
        test.advance(Duration::from_micros(1));
        let title = format!("title {number}");
        let change = ChatChange {
            title: Some(Some(title.clone())),
            ..ChatChange::default()
        };
        chat.change(change).await.unwrap();
        seen(&|chat| chat.title.as_ref() == Some(&title)).await;
    }
}

async fn bytes_sent_ahead_stay_proved_when_the_clock_goes_back(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let text = "sent ahead";
    for (minutes_sent, minutes_pushed, is_proved) in
        [(50, -50, true), (0, 59, true), (0, 61, false)]
    {
        jump(test, minutes_sent);
        let bytes = text.as_bytes();
        let (agent, hash) = (&scene.agent, BlobHash::of(bytes));
        pushes::blob_upload(
            scene.service,
            agent.credential,
            agent.epoch,
            hash,
            bytes.into(),
        )
        .await
        .unwrap();
        jump(test, minutes_pushed);
        let (manifest, _) = agents_md(text).manifest();
        let pushed = scene
            .agent
            .push_as(scene.service, manifest, Bodies::new())
            .await;
        match pushed {
            Ok(_) => assert!(is_proved, "{minutes_sent} {minutes_pushed}"),
            Err(Error::MissingBlobs(missing)) => {
                assert!(!is_proved, "{minutes_sent} {minutes_pushed}");
                assert_eq!(missing, [hash]);
            }
            Err(error) => panic!("{error}"),
        }
        // The head proves that the agent has its bytes. Another head does not.
        push(&mut scene, &format!("{minutes_sent} {minutes_pushed}")).await;
    }
}

async fn a_revoked_token_stays_revoked(test: &TestService) {
    let scene = Scene::new(test).await;
    let request = token_request();
    let made = people::token_create(scene.service, scene.owner, &request).await;
    let credential = made.unwrap().1.credential();
    people::me(scene.service, credential).await.unwrap();
    people::token_revoke(scene.service, scene.owner, credential.id, Revocation::Alone)
        .await
        .unwrap();
    for minutes in JUMPS {
        jump(test, minutes);
        let asked = people::me(scene.service, credential).await;
        assert_eq!(refusal(asked), "unauthenticated", "{minutes}");
    }
}

async fn a_token_ends_by_the_clock(test: &TestService) {
    let scene = Scene::new(test).await;
    let ends = test_start().after(Duration::from_secs(600));
    let request = TokenRequest {
        expires_at: Some(ends),
        ..token_request()
    };
    let made = people::token_create(scene.service, scene.owner, &request).await;
    let credential = made.unwrap().1.credential();
    for (minutes, holds) in [(9, true), (10, false), (40, false), (-10, true)] {
        jump(test, minutes);
        let asked = people::me(scene.service, credential).await;
        assert_eq!(asked.is_ok(), holds, "{minutes}");
    }
}

fn token_request() -> TokenRequest {
    TokenRequest {
        label: None,
        scopes: "read write".parse::<Scopes>().expect("known scopes"),
        expires_at: None,
        user: None,
    }
}
