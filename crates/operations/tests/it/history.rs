//! What the history of a chat says of its moves.

use ctxpin_model::access::ActorRef;
use ctxpin_model::diff::lines::LineCounts;
use ctxpin_model::door::Door;
use ctxpin_model::history::{HistoryRequest, PinChanges};
use ctxpin_model::id::ChatId;
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
    let moves = chat.history().await;
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
    let session = sign_in::with_token(scene.service, scene.owner)
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
