//! A new binding moves the pin with it.

use ctxpin_model::chat::ChatChange;
use ctxpin_model::pin::Reason;
use ctxpin_operations::agents;
use ctxpin_testing::databases::TestService;

use crate::scene::{Scene, agents_md, assert_sound, refusal, rendered};

ctxpin_testing::on_both_databases!(
    another_agents_head_is_pinned,
    without_a_head_the_pin_is_cleared_until_the_first_push,
    the_same_agent_changes_nothing,
    unbinding_keeps_the_pin,
    an_unbound_chat_bound_to_the_same_agent_keeps_its_pin,
    an_unbound_chat_bound_to_another_agent_moves,
    after_its_agent_was_deleted_another_is_a_rebind,
    an_equal_head_keeps_the_pin_and_its_prompt,
    a_pin_with_an_equal_head_counts_as_from_the_new_agent,
    an_equal_context_keeps_the_prompt,
    an_archived_chat_is_rebound_but_not_hydrated,
    an_error_in_the_head_fails_no_binding,
    an_agent_that_is_gone_cannot_be_bound,
    a_title_and_a_binding_change_at_once,
    a_chat_that_was_unpinned_is_pinned_by_a_new_binding,
);

async fn another_agents_head_is_pinned(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let mut other = scene.other_agent().await;
    let pushed = other
        .push_unsettled(scene.service, &agents_md("other"))
        .await
        .unwrap();
    let record = chat.bind(Some(other.id)).await.unwrap();
    assert_eq!(record.agent, Some(other.id));
    assert_eq!(
        record.pin.unwrap().pin.snapshot,
        pushed.head.unwrap().snapshot
    );
    assert_eq!(chat.prompt().await, rendered(&agents_md("other")));
    let last = chat.history().await.pop().unwrap();
    assert_eq!((last.reason, last.agent), (Reason::Rebind, Some(other.id)));
    assert!(
        !last.mcp_settled,
        "the new agent's servers have not settled"
    );
    assert_sound(&chat).await;
}

async fn without_a_head_the_pin_is_cleared_until_the_first_push(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let mut other = scene.other_agent().await;
    let record = chat.bind(Some(other.id)).await.unwrap();
    assert!(record.pin.is_none());
    assert_eq!(chat.prompt().await, "");
    assert_eq!(scene.push(&agents_md("two")).await.hydrated, 0);
    let pushed = other
        .push(scene.service, &agents_md("other"))
        .await
        .unwrap();
    assert_eq!(pushed.hydrated, 1);
    assert_eq!(chat.prompt().await, rendered(&agents_md("other")));
    assert_eq!(chat.reasons().await, "create rebind hydrate");
    assert_sound(&chat).await;
}

async fn the_same_agent_changes_nothing(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let before = chat.record().await;
    let after = chat.bind(Some(scene.agent.id)).await.unwrap();
    assert_eq!(after.pin.unwrap().pin, before.pin.unwrap().pin);
    assert_eq!((after.pin_seq, after.updated_at), (1, before.updated_at));
}

async fn unbinding_keeps_the_pin(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let record = chat.bind(None).await.unwrap();
    assert_eq!((record.agent, record.pin_seq), (None, 1));
    assert!(record.drift().is_none(), "without agent it is not dirty");
    assert_eq!(chat.prompt().await, rendered(&agents_md("one")));
}

async fn an_unbound_chat_bound_to_the_same_agent_keeps_its_pin(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    chat.bind(None).await.unwrap();
    let record = chat.bind(Some(scene.agent.id)).await.unwrap();
    assert_eq!(record.pin_seq, 1);
    assert!(record.drift().is_some());
    assert_eq!(chat.prompt().await, rendered(&agents_md("one")));
}

async fn an_unbound_chat_bound_to_another_agent_moves(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let (with_head, without_head) = (scene.chat().await, scene.chat().await);
    let mut other = scene.other_agent().await;
    for chat in [&with_head, &without_head] {
        chat.bind(None).await.unwrap();
    }
    without_head.bind(Some(other.id)).await.unwrap();
    assert_eq!(without_head.snapshot().await, None);
    other
        .push(scene.service, &agents_md("other"))
        .await
        .unwrap();
    with_head.bind(Some(other.id)).await.unwrap();
    assert_eq!(with_head.reasons().await, "create rebind");
    assert_eq!(without_head.reasons().await, "create rebind hydrate");
    for chat in [&with_head, &without_head] {
        assert_eq!(chat.prompt().await, rendered(&agents_md("other")));
    }
}

async fn after_its_agent_was_deleted_another_is_a_rebind(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let mut other = scene.other_agent().await;
    other
        .push(scene.service, &agents_md("other"))
        .await
        .unwrap();
    agents::delete(scene.service, scene.owner, scene.agent.id)
        .await
        .unwrap();
    assert_eq!(chat.prompt().await, rendered(&agents_md("one")));
    chat.bind(Some(other.id)).await.unwrap();
    assert_eq!(chat.prompt().await, rendered(&agents_md("other")));
    assert_eq!(chat.reasons().await, "create rebind");
}

async fn an_equal_head_keeps_the_pin_and_its_prompt(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let before = chat.record().await.pin.unwrap().pin;
    let mut other = scene.other_agent().await;
    other.push(scene.service, &agents_md("one")).await.unwrap();
    let record = chat.bind(Some(other.id)).await.unwrap();
    assert_eq!(record.pin.unwrap().pin, before);
    assert_eq!(record.agent, Some(other.id));
    assert_sound(&chat).await;
}

async fn a_pin_with_an_equal_head_counts_as_from_the_new_agent(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let pinned = chat.snapshot().await;
    let mut other = scene.other_agent().await;
    other.push(scene.service, &agents_md("one")).await.unwrap();
    chat.bind(Some(other.id)).await.unwrap();
    other.push(scene.service, &agents_md("two")).await.unwrap();
    chat.bind(None).await.unwrap();
    chat.bind(Some(other.id)).await.unwrap();
    assert_eq!(
        chat.snapshot().await,
        pinned,
        "unbinding and binding again keeps the pin"
    );
    assert!(chat.is_dirty().await);
    assert_sound(&chat).await;
}

async fn an_equal_context_keeps_the_prompt(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let prompt = chat.prompt_hash().await;
    let mut other = scene.other_agent().await;
    let tooled = agents_md("one").server("git", &["log"]);
    other.push(scene.service, &tooled).await.unwrap();
    // Pretend that this release renders everything differently.
    test.tamper("update prompts set prompt = (select b.hash from blobs b where b.hash <> prompts.prompt order by b.hash limit 1)")
        .await;
    chat.bind(Some(other.id)).await.unwrap();
    assert_eq!(chat.reasons().await, "create rebind");
    assert_eq!(chat.prompt_hash().await, prompt);
    assert_sound(&chat).await;
}

async fn an_archived_chat_is_rebound_but_not_hydrated(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let unpinned = scene.chat().await;
    unpinned.archive(true).await.unwrap();
    scene.push(&agents_md("one")).await;
    let pinned = scene.chat().await;
    pinned.archive(true).await.unwrap();
    let mut other = scene.other_agent().await;
    other
        .push(scene.service, &agents_md("other"))
        .await
        .unwrap();
    for chat in [&pinned, &unpinned] {
        chat.bind(Some(other.id)).await.unwrap();
    }
    assert_eq!(pinned.reasons().await, "create rebind");
    assert_eq!(unpinned.reasons().await, "");
    unpinned.archive(false).await.unwrap();
    assert_eq!(unpinned.reasons().await, "hydrate");
    assert_eq!(unpinned.prompt().await, rendered(&agents_md("other")));
}

async fn an_error_in_the_head_fails_no_binding(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let mut other = scene.other_agent().await;
    let broken = ctxpin_testing::workspace::Workspace::new("/x")
        .broken("AGENTS.md", "not UTF-8")
        .error("a cap was reached");
    other.push(scene.service, &broken).await.unwrap();
    let record = chat.bind(Some(other.id)).await.unwrap();
    assert_eq!(
        record.pin.unwrap().error.as_deref(),
        Some("a cap was reached")
    );
    assert_sound(&chat).await;
}

async fn an_agent_that_is_gone_cannot_be_bound(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let other = scene.other_agent().await;
    agents::delete(scene.service, scene.owner, other.id)
        .await
        .unwrap();
    assert_eq!(refusal(chat.bind(Some(other.id)).await), "not-found");
    assert_eq!(chat.record().await.agent, Some(scene.agent.id));
    assert_eq!(chat.reasons().await, "create");
}

async fn a_title_and_a_binding_change_at_once(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let mut other = scene.other_agent().await;
    other
        .push(scene.service, &agents_md("other"))
        .await
        .unwrap();
    let change = ChatChange {
        title: Some(Some("both".into())),
        agent: Some(Some(other.id)),
        archived: Some(true),
        ..ChatChange::default()
    };
    let record = chat.change(change).await.unwrap();
    assert_eq!(record.title.as_deref(), Some("both"));
    assert!(record.archived_at.is_some());
    assert_eq!(chat.prompt().await, rendered(&agents_md("other")));
}

async fn a_chat_that_was_unpinned_is_pinned_by_a_new_binding(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    chat.clear().await.unwrap();
    let mut other = scene.other_agent().await;
    other
        .push(scene.service, &agents_md("other"))
        .await
        .unwrap();
    chat.bind(Some(other.id)).await.unwrap();
    assert_eq!(chat.prompt().await, rendered(&agents_md("other")));
    assert_sound(&chat).await;
}
