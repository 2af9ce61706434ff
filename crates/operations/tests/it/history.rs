//! What the history of a chat says of its moves.

use ctxpin_model::access::ActorRef;
use ctxpin_model::diff::lines::LineCounts;
use ctxpin_model::door::Door;
use ctxpin_model::history::{Decision, HistoryEntry, HistoryRequest, PinChanges};
use ctxpin_model::id::ChatId;
use ctxpin_model::page::{ListPart, PageRequest};
use ctxpin_model::pin_move::PinMove;
use ctxpin_model::token::Credential;
use ctxpin_operations::{history, pins, sign_in};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{member, user};
use ctxpin_testing::workspace::Workspace;

use crate::scene::{Scene, agents_md, refusal};

ctxpin_testing::on_both_databases!(
    moves_say_what_they_changed,
    a_long_history_costs_no_more_statements,
    decisions_stand_between_the_moves,
    a_history_is_gone_through_both_ways,
    an_auditor_learns_names_and_no_lines,
    the_newest_moves_of_all_own_chats,
    a_move_on_the_page_has_its_door,
);

/// Returns what the newest moves of a chat changed, the newest first.
async fn changes(
    scene: &Scene<'_>,
    credential: Credential,
    chat: &TestChat,
    limit: i64,
) -> Vec<Option<PinChanges>> {
    let request = HistoryRequest::newest(limit);
    let page = history::list(scene.service, credential, chat.id, request).await;
    let moves = page.unwrap().items;
    let changes = history::changes(scene.service, credential, chat.id, &moves).await;
    changes.unwrap()
}

fn told(changes: &[Option<PinChanges>]) -> Vec<String> {
    let told = changes.iter().map(|changes| match changes {
        None => "-".to_owned(),
        Some(PinChanges {
            count,
            named,
            lines,
        }) => {
            let named: Vec<_> = named.iter().map(|one| one.path.as_str()).collect();
            let lines = match lines {
                Some(LineCounts { added, removed }) => format!("+{added} -{removed}"),
                None => "untold".to_owned(),
            };
            format!("{count}: {} {lines}", named.join(" "))
        }
    });
    told.collect()
}

fn two_files(first: &str, second: &str) -> Workspace {
    Workspace::with_agents_md("/w", first).file("docs/AGENTS.md", second)
}

async fn moves_say_what_they_changed(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&two_files("One.\n", "A.\n")).await;
    let chat = scene.chat().await;
    scene.push(&two_files("One.\nTwo.\n", "B.\n")).await;
    chat.refresh().await.unwrap();
    chat.rollback(first.head.unwrap().snapshot).await.unwrap();
    chat.clear().await.unwrap();
    chat.refresh().await.unwrap();
    let all = changes(&scene, scene.owner, &chat, 50).await;
    let expected = [
        "-",
        "-",
        "2: AGENTS.md docs/AGENTS.md +1 -2",
        "2: AGENTS.md docs/AGENTS.md +2 -1",
        "-",
    ];
    assert_eq!(told(&all), expected);
    // The oldest move of a page is compared with the one before it.
    let newest = changes(&scene, scene.owner, &chat, 3).await;
    assert_eq!(told(&newest), expected[..3]);
    assert!(changes(&scene, scene.owner, &chat, 0).await.is_empty());
}

async fn a_long_history_costs_no_more_statements(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("0")).await;
    let chat = scene.chat().await;
    for number in 1..=20 {
        scene.push(&agents_md(&number.to_string())).await;
        chat.refresh().await.unwrap();
    }
    let all = changes(&scene, scene.owner, &chat, 50).await;
    let mut expected = vec!["1: AGENTS.md +1 -1".to_owned(); 20];
    expected.push("-".to_owned());
    assert_eq!(told(&all), expected);
    let statements = async |moves: i64| {
        let replica = test.replica().await;
        let page = history::list(
            &replica,
            scene.owner,
            chat.id,
            HistoryRequest::newest(moves),
        );
        let moves = page.await.unwrap().items;
        let before = replica.counts();
        let told = history::changes(&replica, scene.owner, chat.id, &moves).await;
        assert!(told.unwrap().iter().all(Option::is_some));
        let statements = (replica.counts() - before).statements;
        replica.close().await;
        statements
    };
    assert_eq!(statements(19).await, statements(2).await);
}

/// Writes entries with their places, oldest first.
fn places(entries: &[HistoryEntry]) -> Vec<String> {
    let words = entries.iter().map(|entry| {
        let word = match entry {
            HistoryEntry::Move(record) => record.reason.as_str(),
            HistoryEntry::Decision(record) => match record.decision {
                Decision::Decline => "decline",
                Decision::Undecline => "undecline",
            },
        };
        format!("{} {word}", entry.place())
    });
    words.collect()
}

async fn decisions_stand_between_the_moves(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&two_files("One.\n", "A.\n")).await;
    let chat = scene.chat().await;
    let second = scene.push(&two_files("One.\nTwo.\n", "A.\n")).await;
    let head = second.head.unwrap().snapshot;
    scene.minute();
    let decided_at = test.clock.now();
    chat.move_to(PinMove::Decline(head)).await.unwrap();
    // Neither of these decides anything new.
    chat.move_to(PinMove::Decline(head)).await.unwrap();
    chat.move_to(PinMove::Undecline(head)).await.unwrap();
    chat.move_to(PinMove::Undecline(head)).await.unwrap();
    chat.refresh().await.unwrap();
    let third = scene.push(&two_files("One.\nTwo.\n", "B.\n")).await;
    let third = third.head.unwrap().snapshot;
    chat.move_to(PinMove::Decline(third)).await.unwrap();
    let entries = chat.entries().await;
    assert_eq!(
        places(&entries),
        [
            "1 create",
            "1.1 decline",
            "1.2 undecline",
            "2 refresh",
            "2.3 decline"
        ]
    );
    let HistoryEntry::Decision(first) = &entries[1] else {
        panic!("{:?} is no decision", entries[1]);
    };
    assert_eq!(first.head, head);
    assert_eq!(first.at, decided_at);
    assert_eq!(
        (first.door, first.actor),
        (Door::Api, entries[0].pin().actor)
    );
    assert_eq!(first.actor_name, entries[0].pin().actor_name);
    let expected = [
        "1: docs/AGENTS.md +1 -1",
        "1: AGENTS.md +1 -0",
        "1: AGENTS.md +1 -0",
        "1: AGENTS.md +1 -0",
        "-",
    ];
    let all = changes(&scene, scene.owner, &chat, 50).await;
    assert_eq!(told(&all), expected);
    // What was declined stays named in a chat of another workspace.
    let other = scene.other_agent().await;
    chat.bind(Some(other.id)).await.unwrap();
    let all = changes(&scene, scene.owner, &chat, 50).await;
    assert!(told(&all).ends_with(&expected.map(str::to_owned)));
    let (_, auditor) = user(scene.service, scene.owner, "auditor", "auditor", "read").await;
    let all = changes(&scene, auditor, &chat, 50).await;
    assert!(told(&all).contains(&"1: docs/AGENTS.md untold".to_owned()));
    chat.delete().await.unwrap();
}

async fn a_history_is_gone_through_both_ways(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("0")).await;
    let chat = scene.chat().await;
    for number in 1..=3 {
        let head = scene.push(&agents_md(&number.to_string())).await;
        let head = head.head.unwrap().snapshot;
        chat.move_to(PinMove::Decline(head)).await.unwrap();
        chat.move_to(PinMove::Undecline(head)).await.unwrap();
        chat.refresh().await.unwrap();
    }
    let mut all = places(&chat.entries().await);
    all.reverse();
    let read = async |part| {
        let page = PageRequest { part, limit: 3 };
        let list = history::list(scene.service, scene.owner, chat.id, HistoryRequest { page });
        list.await.unwrap()
    };
    let mut pages = vec![read(ListPart::First).await];
    while let Some(next) = pages.last().and_then(|page| page.next) {
        pages.push(read(ListPart::After(next)).await);
    }
    let found: Vec<_> = pages.iter().flat_map(|page| places(&page.items)).collect();
    assert_eq!(found, all);
    assert_eq!(pages.len(), 4);
    for (page, earlier) in pages.iter().zip(&pages[1..]) {
        let back = read(ListPart::Before(earlier.previous.unwrap())).await;
        assert_eq!(places(&back.items), places(&page.items));
        assert_eq!(back.next, page.next);
    }
}

async fn an_auditor_learns_names_and_no_lines(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    chat.refresh().await.unwrap();
    let (_, auditor) = user(scene.service, scene.owner, "auditor", "auditor", "read").await;
    let all = changes(&scene, auditor, &chat, 50).await;
    assert_eq!(told(&all), ["1: AGENTS.md untold", "-"]);
    let stranger = member(scene.service, scene.owner, "stranger").await;
    let moves = chat.entries().await;
    let refused = history::changes(scene.service, stranger, chat.id, &moves).await;
    assert_eq!(refusal(refused), "not-found");
}

async fn the_newest_moves_of_all_own_chats(test: &TestService) {
    let mut scene = Scene::new(test).await;
    assert!(recent(&scene, scene.owner).await.is_empty());
    scene.push(&agents_md("one")).await;
    let (first, second) = (scene.chat().await, scene.chat().await);
    scene.push(&agents_md("two")).await;
    scene.minute();
    first.refresh().await.unwrap();
    scene.minute();
    second.refresh().await.unwrap();
    scene.push(&agents_md("three")).await;
    scene.minute();
    first.refresh().await.unwrap();
    let moves = recent(&scene, scene.owner).await;
    let reasons: Vec<_> = moves
        .iter()
        .map(|(chat, seq)| ((*chat == first.id), *seq))
        .collect();
    assert_eq!(reasons, [(true, 3), (false, 2), (true, 2)]);
    let other = member(scene.service, scene.owner, "other").await;
    assert!(recent(&scene, other).await.is_empty());
}

async fn recent(scene: &Scene<'_>, credential: Credential) -> Vec<(ChatId, i64)> {
    let moves = history::recent(scene.service, credential, 3).await.unwrap();
    let moves = moves.into_iter();
    moves.map(|one| (one.chat, one.record.seq)).collect()
}

async fn a_move_on_the_page_has_its_door(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let session = sign_in::with_token(scene.service, scene.owner, None)
        .await
        .unwrap();
    let page = sign_in::session_credential(scene.service, &session.pass).await;
    let refresh = PinMove::Refresh { head: None };
    pins::pin_move(scene.service, page.unwrap(), chat.id, &refresh, None)
        .await
        .unwrap();
    let history = chat.history().await;
    let doors: Vec<_> = history.iter().map(|row| row.door).collect();
    assert_eq!(doors, [Door::Api, Door::Page]);
    assert!(matches!(history[1].actor, ActorRef::User(_)));
    assert_eq!(history[0].actor, history[1].actor);
}
