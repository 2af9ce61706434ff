//! The main flow: an agent pushes a workspace, and a chat is pinned to it, drifts, and is refreshed.

use std::time::Duration;

use ctxpin_model::chat::ChatCreate;
use ctxpin_model::history::HistoryRequest;
use ctxpin_model::pin::Reason;
use ctxpin_model::pin_move::PinMove;
use ctxpin_operations::chats;
use ctxpin_operations::diffs::{self, DiffRequest};
use ctxpin_operations::{contexts, history, pins, prompts};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, first_admin};
use ctxpin_testing::workspace::Workspace;

ctxpin_testing::on_both_databases!(a_chat_is_pinned_drifts_and_is_refreshed);

async fn a_chat_is_pinned_drifts_and_is_refreshed(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut agent = TestAgent::create(service, owner, "project").await;
    let request = ChatCreate {
        agent: Some(agent.id),
        title: Some("first".into()),
        ..ChatCreate::default()
    };
    let (chat, _) = chats::create(service, owner, &request).await.unwrap();
    assert!(chat.pin.is_none());
    let first = Workspace::with_agents_md("/w", "Be kind.\n").skill("pdf", "Reads PDFs.", &[]);
    let pushed = agent.push(service, &first).await.unwrap();
    assert_eq!(pushed.hydrated, 1);
    test.advance(Duration::from_secs(60));
    let second = first.clone().file("AGENTS.md", "Be quick.\n");
    agent.push(service, &second).await.unwrap();

    let context = contexts::read(service, owner, chat.id).await.unwrap();
    let drift = context.chat.drift().expect("the chat is dirty");
    assert_eq!(drift.since, test.clock.now());
    let changes = context.changes();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].source(), "/w/AGENTS.md");
    let diff = diffs::diff(service, owner, chat.id, DiffRequest::default())
        .await
        .unwrap();
    let [(_, Some(difference))] = diff.changes()[..] else {
        panic!("one change, told whole");
    };
    let text = difference.text();
    assert!(text.contains("-Be kind.\n+Be quick.\n"), "{text}");
    let prompt = prompts::prompt(service, owner, chat.id, None)
        .await
        .unwrap();
    assert!(
        String::from_utf8(prompt.bytes.unwrap().to_vec())
            .unwrap()
            .contains("Be kind.")
    );
    let unchanged = prompts::prompt(service, owner, chat.id, prompt.hash)
        .await
        .unwrap();
    assert_eq!(unchanged.bytes, None);

    let refresh = PinMove::Refresh { head: None };
    let context = pins::pin_move(service, owner, chat.id, &refresh, None)
        .await
        .unwrap();
    assert!(context.changes().is_empty() && context.chat.drift().is_none());
    let prompt = prompts::prompt(service, owner, chat.id, None)
        .await
        .unwrap();
    assert!(
        String::from_utf8(prompt.bytes.unwrap().to_vec())
            .unwrap()
            .contains("Be quick.")
    );
    let history = history::list(service, owner, chat.id, HistoryRequest::newest(10))
        .await
        .unwrap();
    let reasons: Vec<_> = history
        .items
        .iter()
        .map(|entry| entry.pin().reason)
        .collect();
    assert_eq!(reasons, [Reason::Refresh, Reason::Hydrate]);
    let oldest = history.items[1].pin().snapshot.unwrap();
    let context = pins::pin_move(service, owner, chat.id, &PinMove::Rollback(oldest), None)
        .await
        .unwrap();
    assert!(context.chat.drift().is_some());
    agent.push(service, &first).await.unwrap();
    let context = contexts::read(service, owner, chat.id).await.unwrap();
    assert!(
        context.chat.drift().is_none(),
        "putting the file back ends the drift"
    );
}
