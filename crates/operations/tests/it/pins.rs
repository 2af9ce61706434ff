//! Moves of a pin on request: refresh, decline, rollback and clearing.

use ctxpin_model::access::ActorRef;
use ctxpin_model::chat::ChatCreate;
use ctxpin_model::compose::Selector;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::pin::Reason;
use ctxpin_model::pin_move::PinMove;
use ctxpin_model::policy::Policy;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_operations::pins;
use ctxpin_testing::chats::{TestChat, given};
use ctxpin_testing::databases::TestService;

use crate::scene::{Scene, agents_md, assert_sound, refusal, rendered};

ctxpin_testing::on_both_databases!(
    a_refresh_takes_the_head_with_its_error,
    a_refresh_of_a_given_head_takes_no_other,
    a_head_whose_diff_was_seen_is_taken,
    a_head_whose_tools_count_is_another_one,
    a_refresh_without_agent_or_head_leaves_the_pin,
    a_refresh_where_nothing_differs_appends_nothing,
    a_refresh_is_of_the_agent_that_the_chat_has_now,
    a_move_from_another_pin_is_refused,
    a_declined_drift_stays_listed_until_the_head_changes,
    declining_needs_the_head_and_a_pin,
    a_declined_head_can_still_be_taken,
    a_decline_can_be_taken_back,
    a_rollback_restores_the_prompt_of_its_row,
    a_rollback_makes_the_policy_manual,
    a_rollback_goes_to_the_chats_own_history_only,
    a_rollback_to_the_present_pin_appends_nothing,
    an_undo_restores_the_policy,
    a_rollback_drifts_from_the_head,
    an_unpinned_chat_waits_for_the_next_head,
    unpinning_twice_appends_once,
    a_turn_hydrates_an_unpinned_chat,
    unarchiving_hydrates_an_unpinned_chat,
    another_users_pin_cannot_be_moved,
);

async fn a_refresh_takes_the_head_with_its_error(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let second = agents_md("two").error("a file cap was reached");
    let pushed = scene.push(&second).await;
    assert!(chat.is_dirty().await);
    let context = chat.refresh().await.unwrap();
    let pin = context.chat.pin.clone().unwrap();
    assert_eq!(pin.pin.snapshot, pushed.head.unwrap().snapshot);
    assert_eq!(pin.error.as_deref(), Some("a file cap was reached"));
    assert_eq!(pin.pinned_at, test.clock.now());
    assert_eq!(chat.prompt().await, rendered(&second));
    assert_eq!(chat.reasons().await, "create refresh");
    assert_sound(&chat).await;
    scene.push(&agents_md("two")).await;
    assert!(!chat.is_dirty().await, "the error reaches no model");
    assert!(
        chat.refresh()
            .await
            .unwrap()
            .chat
            .pin
            .unwrap()
            .error
            .is_none()
    );
    assert_eq!(chat.reasons().await, "create refresh refresh");
}

async fn a_refresh_of_a_given_head_takes_no_other(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    let second = scene.push(&agents_md("two")).await.head.unwrap().snapshot;
    let third = scene.push(&agents_md("three")).await.head.unwrap().snapshot;
    for stale in [first, second] {
        let request = PinMove::Refresh { head: Some(stale) };
        assert_eq!(refusal(chat.move_to(request).await), "precondition-failed");
    }
    assert_eq!(chat.snapshot().await, Some(first));
    let request = PinMove::Refresh { head: Some(third) };
    chat.move_to(request).await.unwrap();
    assert_eq!(chat.snapshot().await, Some(third));
}

async fn a_head_whose_diff_was_seen_is_taken(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let all = |head| PinMove::Refresh { head: Some(head) };
    let some = |head| PinMove::Sources {
        selectors: vec![Selector {
            subject: None,
            source: "/w/AGENTS.md".into(),
        }],
        head: Some(head),
    };
    let decline = PinMove::Decline;
    let requests: [&dyn Fn(SnapshotId) -> PinMove; 3] = [&all, &some, &decline];
    let mut chats = Vec::new();
    for _ in requests {
        chats.push(scene.chat().await);
    }
    let broken = |error| agents_md("two").broken("skills/pdf/SKILL.md", error);
    let seen = scene.push(&broken("it has no frontmatter")).await;
    let seen = seen.head.unwrap().snapshot;
    let newest = scene.push(&broken("its frontmatter is no YAML")).await;
    let newest = newest.head.unwrap().snapshot;
    assert_ne!(newest, seen);
    for (chat, request) in chats.iter().zip(requests) {
        // A head that the agent never had was not seen, and neither was that of another content.
        for other in [first, SnapshotId::of(b"none")] {
            let moved = chat.move_to(request(other)).await;
            assert_eq!(refusal(moved), "precondition-failed");
        }
        chat.move_to(request(seen)).await.unwrap();
    }
    assert_eq!(chats[0].snapshot().await, Some(newest));
    assert_eq!(chats[1].snapshot().await, Some(newest));
    assert_eq!(chats[2].snapshot().await, Some(first));
    assert!(chats[2].record().await.drift().unwrap().declined);
    chats[2].move_to(PinMove::Undecline(seen)).await.unwrap();
    assert!(!chats[2].record().await.drift().unwrap().declined);
    // What nobody has seen does not come along.
    let unseen = agents_md("two").skill("pdf", "Reads PDFs.", &[]);
    scene.push(&unseen).await;
    for request in requests {
        let moved = chats[2].move_to(request(newest)).await;
        assert_eq!(refusal(moved), "precondition-failed");
    }
}

async fn a_head_whose_tools_count_is_another_one(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let (live, pinned) = (scene.chat().await, scene.chat().await);
    pinned.tools(ToolsMode::Pinned).await.unwrap();
    let seen = scene.push(&agents_md("two")).await.head.unwrap().snapshot;
    let tools = agents_md("two").server("tracker", &["search"]);
    let newest = scene.push(&tools).await.head.unwrap().snapshot;
    let request = PinMove::Refresh { head: Some(seen) };
    let moved = pinned.move_to(request.clone()).await;
    assert_eq!(refusal(moved), "precondition-failed");
    // The diff of a chat with live tools has none.
    live.move_to(request).await.unwrap();
    assert_eq!(live.snapshot().await, Some(newest));
}

async fn a_refresh_without_agent_or_head_leaves_the_pin(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    assert_eq!(refusal(chat.refresh().await), "no-head");
    assert_eq!(chat.reasons().await, "");
    scene.push(&agents_md("one")).await;
    chat.bind(None).await.unwrap();
    let pinned = chat.snapshot().await;
    assert!(pinned.is_some());
    assert_eq!(refusal(chat.refresh().await), "no-head");
    assert_eq!(refusal(chat.take(&["/w/AGENTS.md"]).await), "no-head");
    assert_eq!(chat.snapshot().await, pinned);
    let unbound = TestChat::create(scene.service, scene.owner, &ChatCreate::default())
        .await
        .unwrap();
    assert_eq!(refusal(unbound.refresh().await), "no-head");
    assert_eq!(unbound.snapshot().await, None);
}

async fn a_refresh_where_nothing_differs_appends_nothing(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let before = chat.record().await;
    scene.minute();
    let context = chat.refresh().await.unwrap();
    assert_eq!(context.chat.pin_seq, 1);
    assert_eq!(
        context.chat.pin.unwrap().pinned_at,
        before.pin.unwrap().pinned_at
    );
    assert_eq!(chat.reasons().await, "create");
}

async fn a_refresh_is_of_the_agent_that_the_chat_has_now(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("of the first")).await;
    let chat = scene.chat().await;
    let mut other = scene.other_agent().await;
    other
        .push(scene.service, &agents_md("of the other"))
        .await
        .unwrap();
    chat.bind(Some(other.id)).await.unwrap();
    scene.push(&agents_md("of the first, later")).await;
    assert!(!chat.is_dirty().await);
    let newest = agents_md("of the other, later");
    other.push(scene.service, &newest).await.unwrap();
    chat.refresh().await.unwrap();
    assert_eq!(chat.prompt().await, rendered(&newest));
    assert_eq!(chat.history().await.last().unwrap().agent, Some(other.id));
}

async fn a_move_from_another_pin_is_refused(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    let second = scene.push(&agents_md("two")).await.head.unwrap().snapshot;
    let requests = [
        PinMove::Refresh { head: None },
        PinMove::Sources {
            selectors: Vec::new(),
            head: None,
        },
        PinMove::Decline(second),
        PinMove::Undecline(second),
        PinMove::Rollback(first),
        PinMove::Undo {
            to: first,
            policy: Policy::Follow,
        },
    ];
    let moved = async |request: &PinMove, from| {
        pins::pin_move(scene.service, scene.owner, chat.id, request, Some(from)).await
    };
    for request in &requests {
        assert_eq!(refusal(moved(request, second).await), "precondition-failed");
    }
    let cleared = pins::pin_clear(scene.service, scene.owner, chat.id, Some(second)).await;
    assert_eq!(refusal(cleared), "precondition-failed");
    assert_eq!(chat.reasons().await, "create");
    moved(&requests[0], first).await.unwrap();
    assert_eq!(chat.snapshot().await, Some(second));
    let cleared = pins::pin_clear(scene.service, scene.owner, chat.id, Some(second)).await;
    assert!(cleared.unwrap().chat.pin.is_none());
    assert_eq!(
        refusal(moved(&requests[0], second).await),
        "precondition-failed"
    );
}

async fn a_declined_drift_stays_listed_until_the_head_changes(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let pinned = chat.snapshot().await;
    let context = chat.decline().await.unwrap();
    assert!(context.chat.drift().unwrap().declined);
    assert_eq!(context.changes().len(), 1);
    assert_eq!(chat.snapshot().await, pinned);
    assert_eq!(chat.reasons().await, "create");
    // A change that reaches no model does not change the content.
    scene
        .push(&agents_md("two").error("a cap was reached"))
        .await;
    assert!(chat.record().await.drift().unwrap().declined);
    scene.push(&agents_md("three")).await;
    assert!(!chat.record().await.drift().unwrap().declined);
}

async fn declining_needs_the_head_and_a_pin(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    let second = scene.push(&agents_md("two")).await.head.unwrap().snapshot;
    let decline = chat.move_to(PinMove::Decline(first)).await;
    assert_eq!(refusal(decline), "precondition-failed");
    assert!(!chat.record().await.drift().unwrap().declined);
    chat.clear().await.unwrap();
    let decline = chat.move_to(PinMove::Decline(second)).await;
    assert_eq!(refusal(decline), "invalid");
    chat.bind(None).await.unwrap();
    let decline = chat.move_to(PinMove::Decline(second)).await;
    assert_eq!(refusal(decline), "no-head");
}

async fn a_declined_head_can_still_be_taken(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    chat.decline().await.unwrap();
    let context = chat.refresh().await.unwrap();
    assert!(context.chat.drift().is_none());
    assert_eq!(chat.prompt().await, rendered(&agents_md("two")));
}

async fn a_decline_can_be_taken_back(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let second = scene.push(&agents_md("two")).await.head.unwrap().snapshot;
    let is_declined = async || chat.record().await.drift().unwrap().declined;
    let pinned = chat.snapshot().await;
    chat.decline().await.unwrap();
    let context = chat.undecline().await.unwrap();
    assert!(!context.chat.drift().unwrap().declined);
    assert!(!is_declined().await);
    assert_eq!(
        (chat.snapshot().await, chat.reasons().await),
        (pinned, "create".into())
    );
    // Without a decline, nothing changes.
    chat.undecline().await.unwrap();
    assert!(!is_declined().await);
    // A decline of a newer head is not what the caller takes back.
    scene.push(&agents_md("three")).await;
    chat.decline().await.unwrap();
    let late = chat.move_to(PinMove::Undecline(second)).await;
    assert_eq!(refusal(late), "precondition-failed");
    assert!(is_declined().await);
    chat.bind(None).await.unwrap();
    let unbound = chat.move_to(PinMove::Undecline(second)).await;
    assert_eq!(refusal(unbound), "no-head");
}

async fn a_rollback_restores_the_prompt_of_its_row(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    let prompt = chat.prompt().await;
    scene.push(&agents_md("two")).await;
    chat.refresh().await.unwrap();
    // Pretend that this release renders everything differently.
    let changed = test
        .tamper("update prompts set prompt = (select b.hash from blobs b where b.hash <> prompts.prompt order by b.hash limit 1)")
        .await;
    assert!(changed > 0);
    let context = chat.rollback(first).await.unwrap();
    assert_eq!(context.chat.pin.unwrap().pin.snapshot, first);
    assert_eq!(chat.prompt().await, prompt);
    assert_eq!(chat.reasons().await, "create refresh rollback");
    let other = scene.chat().await;
    assert_ne!(
        other.prompt().await,
        rendered(&agents_md("two")),
        "the renderer was changed"
    );
}

async fn a_rollback_makes_the_policy_manual(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    chat.policy(Policy::Follow).await.unwrap();
    scene.push(&agents_md("two")).await;
    chat.turn().await.unwrap();
    assert_eq!(chat.reasons().await, "create follow");
    let context = chat.rollback(first).await.unwrap();
    assert_eq!(context.chat.policy, Policy::Manual);
    chat.turn().await.unwrap();
    assert_eq!(chat.snapshot().await, Some(first));
}

async fn a_rollback_goes_to_the_chats_own_history_only(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let earlier = scene.chat().await;
    let second = scene.push(&agents_md("two")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    assert_eq!(refusal(chat.rollback(first).await), "invalid");
    assert_eq!(refusal(earlier.rollback(second).await), "invalid");
    assert_eq!(chat.reasons().await, "create");
    assert_eq!(earlier.snapshot().await, Some(first));
}

async fn a_rollback_to_the_present_pin_appends_nothing(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    chat.policy(Policy::Additive).await.unwrap();
    let context = chat.rollback(first).await.unwrap();
    assert_eq!(context.chat.pin_seq, 1);
    assert_eq!(context.chat.policy, Policy::Manual);
}

async fn an_undo_restores_the_policy(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    chat.policy(Policy::Follow).await.unwrap();
    let second = scene.push(&agents_md("two")).await.head.unwrap().snapshot;
    chat.refresh().await.unwrap();
    let undo = async |to, policy| {
        let context = chat.move_to(PinMove::Undo { to, policy }).await.unwrap();
        (context.chat.policy, context.chat.drift().is_some())
    };
    assert_eq!(undo(first, Policy::Follow).await, (Policy::Follow, true));
    // The undo of a rollback leaves what the rollback set.
    chat.rollback(second).await.unwrap();
    assert_eq!(chat.record().await.policy, Policy::Manual);
    assert_eq!(undo(first, Policy::Follow).await, (Policy::Follow, true));
    assert_eq!(
        chat.reasons().await,
        "create refresh rollback rollback rollback"
    );
}

async fn a_rollback_drifts_from_the_head(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let began = test.clock.now();
    chat.refresh().await.unwrap();
    scene.minute();
    let context = chat.rollback(first).await.unwrap();
    let drift = context.chat.drift().unwrap();
    assert_eq!(drift.since, began);
    let last = chat.history().await.pop().unwrap();
    assert_eq!(
        (last.reason, last.snapshot),
        (Reason::Rollback, Some(first))
    );
    assert!(matches!(last.actor, ActorRef::User(_)));
    scene.push(&agents_md("one")).await;
    assert!(!chat.is_dirty().await);
}

async fn an_unpinned_chat_waits_for_the_next_head(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let context = chat.clear().await.unwrap();
    assert!(context.chat.pin.is_none() && context.pinned.is_none());
    assert!(context.changes().is_empty() && context.chat.drift().is_none());
    assert_eq!(chat.prompt().await, "");
    assert_eq!(scene.push(&agents_md("one")).await.hydrated, 0);
    assert_eq!(
        chat.snapshot().await,
        None,
        "an unchanged push is no next head"
    );
    let pushed = scene.push(&agents_md("two")).await;
    assert_eq!(pushed.hydrated, 1);
    assert_eq!(chat.snapshot().await, Some(pushed.head.unwrap().snapshot));
    assert_eq!(chat.reasons().await, "create clear hydrate");
    assert_sound(&chat).await;
}

async fn unpinning_twice_appends_once(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    chat.clear().await.unwrap();
    chat.clear().await.unwrap();
    assert_eq!(chat.reasons().await, "create clear");
}

async fn a_turn_hydrates_an_unpinned_chat(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    chat.clear().await.unwrap();
    let turn = chat.turn().await.unwrap();
    assert_eq!(given(&turn).prompt, rendered(&agents_md("one")));
    assert_eq!(turn.turn.snapshot, chat.snapshot().await);
    assert_eq!(chat.reasons().await, "create clear hydrate");
}

async fn unarchiving_hydrates_an_unpinned_chat(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    chat.clear().await.unwrap();
    chat.archive(true).await.unwrap();
    assert_eq!(scene.push(&agents_md("two")).await.hydrated, 0);
    assert_eq!(chat.snapshot().await, None);
    chat.archive(false).await.unwrap();
    assert_eq!(chat.prompt().await, rendered(&agents_md("two")));
    assert_eq!(chat.reasons().await, "create clear hydrate");
}

async fn another_users_pin_cannot_be_moved(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let stranger = ctxpin_testing::people::member(scene.service, scene.owner, "stranger").await;
    let theirs = TestChat {
        owner: stranger,
        ..chat.clone()
    };
    assert_eq!(refusal(theirs.refresh().await), "not-found");
    assert_eq!(refusal(theirs.clear().await), "not-found");
    assert_eq!(refusal(theirs.turn().await), "not-found");
    assert_eq!(refusal(theirs.delete().await), "not-found");
    assert_eq!(refusal(theirs.archive(true).await), "not-found");
    assert_eq!(chat.reasons().await, "create");
}
