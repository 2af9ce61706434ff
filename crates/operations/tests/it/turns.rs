//! Turns: their content and stamp, and what a chat's policy does to the pin before.

use ctxpin_model::chat::ChatCreate;
use ctxpin_model::delivery::Delivery;
use ctxpin_model::pin::Reason;
use ctxpin_model::policy::Policy;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_model::turn::TurnBegun;
use ctxpin_operations::turns;
use ctxpin_testing::chats::{TestChat, bound_to, given};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::workspace::Workspace;

use crate::scene::{
    Scene, agents_md, assert_keeps_nobody_waiting, assert_sound, refusal, rendered,
};

ctxpin_testing::on_both_databases!(
    a_turn_is_stamped_with_what_is_in_force,
    turns_count_from_one,
    the_same_reference_answers_the_same_turn,
    a_turn_without_pin_says_why,
    an_archived_chat_has_no_turn,
    a_turn_that_began_before_archiving_is_still_answered,
    observed_turns_say_so,
    a_past_turn_tells_what_it_was_given,
    manual_moves_nothing,
    additive_takes_up_what_is_new,
    additive_never_shadows_nor_displaces,
    additive_with_nothing_to_add_moves_nothing,
    additive_takes_up_tools_only_where_they_count,
    finding_03_turns_at_the_limits_keep_nobody_waiting,
    follow_takes_the_head,
    follow_keeps_the_pin_without_a_head,
    a_policy_skips_a_declined_head,
    live_tools_come_from_the_head,
    live_tools_come_from_the_pin_without_a_head,
    pinned_tools_come_from_the_pin,
    an_unsettled_pin_takes_up_settled_tools_at_the_first_turn,
    a_settled_pin_keeps_its_tools,
    unsettled_tools_are_not_taken_up,
    after_the_first_turn_tools_stay,
    settling_after_an_addition_takes_both,
    a_partial_refresh_does_not_settle_tools,
    settling_leaves_the_prompt_alone,
    a_child_of_an_unsettled_pin_settles_too,
    the_first_turn_after_a_rebind_is_of_the_new_agent,
);

async fn a_turn_is_stamped_with_what_is_in_force(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let workspace = agents_md("one")
        .skill("pdf", "Reads.", &[])
        .server("git", &["log"]);
    let head = scene.push(&workspace).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    let view = chat.turn().await.unwrap();
    assert!(view.is_new);
    assert_eq!(given(&view).prompt, rendered(&workspace));
    assert_eq!(given(&view).offer.skills.len(), 1);
    assert_eq!(tools(&view), "git__log");
    assert_eq!(view.notice, None);
    let turn = view.turn;
    assert_eq!(
        (turn.number, turn.snapshot, turn.tools_snapshot),
        (1, Some(head), Some(head))
    );
    assert_eq!(turn.prompt, chat.prompt_hash().await);
    assert_eq!(turn.delivery, Delivery::Delivered);
    assert_eq!(turn.started_at, test.clock.now());
}

fn tools(view: &TurnBegun) -> String {
    let names: Vec<_> = given(view)
        .offer
        .tools
        .offered
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    names.join(" ")
}

async fn turns_count_from_one(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    chat.turn().await.unwrap();
    scene.push(&agents_md("one")).await;
    chat.turn_as(Some("a"), Delivery::Delivered).await.unwrap();
    chat.turn_as(Some("a"), Delivery::Delivered).await.unwrap();
    chat.turn().await.unwrap();
    let turns = chat.turns().await;
    let numbers: Vec<_> = turns.iter().map(|turn| turn.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(turns[0].snapshot, None);
    assert_eq!(turns[1].reference.as_deref(), Some("a"));
    assert_eq!(chat.record().await.turn_count, 3);
}

async fn the_same_reference_answers_the_same_turn(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = agents_md("one")
        .skill("pdf", "Reads.", &[])
        .server("git", &["log"]);
    scene.push(&first).await;
    let chat = scene.chat().await;
    let before = chat.turn_as(Some("t"), Delivery::Delivered).await.unwrap();
    scene
        .push(&agents_md("two").server("git", &["blame"]))
        .await;
    chat.refresh().await.unwrap();
    scene.push(&agents_md("three")).await;
    let again = chat.turn_as(Some("t"), Delivery::Observed).await.unwrap();
    assert!(!again.is_new);
    assert_eq!(given(&again).prompt, rendered(&first));
    assert_eq!(tools(&again), "git__log");
    assert_eq!(given(&again).offer.skills, given(&before).offer.skills);
    assert_eq!(again.turn.number, 1);
    assert_eq!(again.turn.delivery, Delivery::Delivered);
    assert_eq!(again.turn.started_at, before.turn.started_at);
    let next = chat.turn_as(Some("u"), Delivery::Delivered).await.unwrap();
    assert_eq!(next.turn.number, 2);
    assert_eq!(given(&next).prompt, rendered(&agents_md("two")));
}

async fn a_turn_without_pin_says_why(test: &TestService) {
    let scene = Scene::new(test).await;
    let unbound = TestChat::create(scene.service, scene.owner, &ChatCreate::default())
        .await
        .unwrap();
    for (chat, why) in [(unbound, "no agent"), (scene.chat().await, "not pushed")] {
        let view = chat.turn().await.unwrap();
        assert_eq!(given(&view).prompt, "");
        assert!(
            given(&view).offer.skills.is_empty() && given(&view).offer.tools.offered.is_empty()
        );
        assert_eq!(
            (
                view.turn.snapshot,
                view.turn.prompt,
                view.turn.tools_snapshot
            ),
            (None, None, None)
        );
        assert!(view.notice.unwrap().contains(why));
    }
}

async fn an_archived_chat_has_no_turn(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    chat.archive(true).await.unwrap();
    assert_eq!(refusal(chat.turn().await.map(|view| view.turn)), "archived");
    assert_eq!(chat.turns().await.len(), 0);
    chat.archive(false).await.unwrap();
    assert_eq!(chat.turn().await.unwrap().turn.number, 1);
}

async fn a_turn_that_began_before_archiving_is_still_answered(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    chat.turn_as(Some("t"), Delivery::Delivered).await.unwrap();
    chat.archive(true).await.unwrap();
    let again = chat.turn_as(Some("t"), Delivery::Delivered).await.unwrap();
    assert_eq!((again.is_new, again.turn.number), (false, 1));
}

async fn a_past_turn_tells_what_it_was_given(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (service, owner) = (scene.service, scene.owner);
    let chat = scene.chat().await;
    chat.turn().await.unwrap();
    let first = agents_md("one")
        .skill("pdf", "Reads.", &[])
        .server("git", &["log"]);
    scene.push(&first).await;
    let before = chat.turn().await.unwrap();
    scene
        .push(&agents_md("two").server("git", &["blame"]))
        .await;
    chat.refresh().await.unwrap();

    let view = turns::read(service, owner, chat.id, 2).await.unwrap();
    assert_eq!(view.turn.prompt, before.turn.prompt);
    let (offer, facts) = (view.offer.unwrap(), view.prompt.unwrap());
    assert_eq!(offer.skills, given(&before).offer.skills);
    assert_eq!(offer.tools.offered.len(), 1);
    assert_eq!(offer.tools.offered[0].name, "git__log");
    let text = rendered(&first);
    assert_eq!(facts.size_bytes, text.len() as u64);
    assert_eq!(facts.tokens, given(&before).prompt_tokens);
    let pin = &chat.history().await[0];
    assert_eq!(Some(facts.renderer), pin.rendered.map(|one| one.renderer));
    let prompt = turns::prompt(service, owner, chat.id, 2, None).await;
    let prompt = prompt.unwrap();
    assert_eq!(prompt.bytes.as_deref(), Some(text.as_bytes()));
    let known = turns::prompt(service, owner, chat.id, 2, prompt.hash).await;
    assert_eq!(known.unwrap().bytes, None);

    let unpinned = turns::read(service, owner, chat.id, 1).await.unwrap();
    assert_eq!(unpinned.prompt, None);
    assert!(unpinned.offer.unwrap().skills.is_empty());
    let prompt = turns::prompt(service, owner, chat.id, 1, None).await;
    assert_eq!(prompt.unwrap().hash, None);
    for number in [0, 3, i64::MAX] {
        let missing = turns::read(service, owner, chat.id, number).await;
        assert_eq!(refusal(missing), "not-found", "{number}");
        let missing = turns::prompt(service, owner, chat.id, number, None).await;
        assert_eq!(refusal(missing), "not-found", "{number}");
    }
}

async fn observed_turns_say_so(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    chat.turn_as(None, Delivery::Observed).await.unwrap();
    chat.turn().await.unwrap();
    let deliveries: Vec<_> = chat
        .turns()
        .await
        .iter()
        .map(|turn| turn.delivery)
        .collect();
    assert_eq!(deliveries, [Delivery::Observed, Delivery::Delivered]);
}

async fn manual_moves_nothing(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let view = chat.turn().await.unwrap();
    assert_eq!(given(&view).prompt, rendered(&agents_md("one")));
    assert_eq!(view.notice, None);
    assert_eq!(chat.reasons().await, "create");
}

async fn chat_with(scene: &Scene<'_>, policy: Policy, tools: ToolsMode) -> TestChat {
    let request = ChatCreate {
        policy,
        tools,
        ..bound_to(scene.agent.id)
    };
    TestChat::create(scene.service, scene.owner, &request)
        .await
        .unwrap()
}

async fn additive_takes_up_what_is_new(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let pin = Workspace::new("/w").file("b.md", "b1").error("of the pin");
    scene.push(&pin).await;
    let chat = chat_with(&scene, Policy::Additive, ToolsMode::Live).await;
    let head = Workspace::new("/w")
        .file("a.md", "a2")
        .file("b.md", "b2")
        .skill("pdf", "Reads.", &[("run.sh", "true")])
        .os("plan9");
    scene.push(&head).await;
    let view = chat.turn().await.unwrap();
    let expected = Workspace::new("/w")
        .file("a.md", "a2")
        .file("b.md", "b1")
        .skill("pdf", "Reads.", &[]);
    assert_eq!(given(&view).prompt, rendered(&expected));
    assert!(view.notice.unwrap().contains("policy"));
    assert_eq!(view.turn.snapshot, chat.snapshot().await);
    let record = chat.record().await;
    assert_eq!(
        record.pin.as_ref().unwrap().error.as_deref(),
        Some("of the pin")
    );
    assert!(record.drift().is_some(), "what was changed stays drift");
    assert_eq!(chat.reasons().await, "create additive");
    assert_sound(&chat).await;
    let next = chat.turn().await.unwrap();
    assert_eq!(next.notice, None, "there is nothing more to add");
    assert_eq!(chat.reasons().await, "create additive");
}

async fn additive_never_shadows_nor_displaces(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let pin = Workspace::new("/w").skill_of("/home/me", "pdf", "Of the person.", &[]);
    scene.push(&pin).await;
    let chat = chat_with(&scene, Policy::Additive, ToolsMode::Live).await;
    let head = pin
        .clone()
        .skill("pdf", "Of the project.", &[])
        .skill("lint", "Lints.", &[]);
    scene.push(&head).await;
    let view = chat.turn().await.unwrap();
    assert_eq!(
        given(&view).prompt,
        rendered(&pin.skill("lint", "Lints.", &[]))
    );
    assert!(chat.is_dirty().await);
    assert_sound(&chat).await;
}

async fn additive_with_nothing_to_add_moves_nothing(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = chat_with(&scene, Policy::Additive, ToolsMode::Live).await;
    scene
        .push(&agents_md("two").broken("b.md", "not UTF-8"))
        .await;
    let view = chat.turn().await.unwrap();
    assert_eq!(given(&view).prompt, rendered(&agents_md("one")));
    assert_eq!(view.notice, None);
    assert_eq!(chat.reasons().await, "create");
}

async fn finding_03_turns_at_the_limits_keep_nobody_waiting(test: &TestService) {
    let mut scene = Scene::new(test).await;
    // Long paths make the comparison and the queries long.
    let source = |name: String| format!("{}/{name}.md", "d".repeat(900));
    let files = |workspace: Workspace, name: &str, count: usize| {
        (0..count).fold(workspace, |workspace, index| {
            workspace.file(&source(format!("{name}{index}")), name)
        })
    };
    let excluded = (0..1_500).fold(Workspace::new("/w"), |workspace, index| {
        workspace.broken(&source(format!("x{index}")), "it is no text")
    });
    let pin = files(excluded, "a", 499);
    scene.push(&pin).await;
    let request = ChatCreate {
        policy: Policy::Additive,
        ..bound_to(scene.agent.id)
    };
    let chat = TestChat::create(scene.service, scene.owner, &request).await;
    let chat = std::sync::Arc::new(chat.unwrap());
    scene.push(&files(Workspace::new("/w"), "b", 500)).await;
    let turns = assert_keeps_nobody_waiting(&scene, || {
        let chat = chat.clone();
        async move { chat.turn().await }
    })
    .await;
    for turn in turns {
        let added = given(&turn.unwrap()).prompt.matches("/b0.md").count();
        assert_eq!(added, 1, "there is a place for one more");
    }
    assert_eq!(chat.reasons().await, "create additive");
    assert_sound(&chat).await;
}

async fn additive_takes_up_tools_only_where_they_count(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let live = chat_with(&scene, Policy::Additive, ToolsMode::Live).await;
    let pinned = chat_with(&scene, Policy::Additive, ToolsMode::Pinned).await;
    scene.push(&agents_md("one").server("git", &["log"])).await;
    for (chat, reasons) in [(live, "create"), (pinned, "create additive")] {
        assert_eq!(tools(&chat.turn().await.unwrap()), "git__log");
        assert_eq!(chat.reasons().await, reasons);
        assert_eq!(chat.prompt().await, rendered(&agents_md("one")));
    }
}

async fn follow_takes_the_head(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = chat_with(&scene, Policy::Follow, ToolsMode::Live).await;
    assert_eq!(chat.turn().await.unwrap().notice, None);
    let head = scene.push(&agents_md("two")).await.head.unwrap().snapshot;
    assert!(chat.is_dirty().await, "it moves at a turn, not before");
    let view = chat.turn().await.unwrap();
    assert_eq!(given(&view).prompt, rendered(&agents_md("two")));
    assert_eq!(view.turn.snapshot, Some(head));
    assert!(view.notice.unwrap().contains("policy"));
    let last = chat.history().await.pop().unwrap();
    assert_eq!((last.reason, last.snapshot), (Reason::Follow, Some(head)));
    assert_sound(&chat).await;
}

async fn follow_keeps_the_pin_without_a_head(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = chat_with(&scene, Policy::Follow, ToolsMode::Live).await;
    chat.bind(None).await.unwrap();
    assert_eq!(
        given(&chat.turn().await.unwrap()).prompt,
        rendered(&agents_md("one"))
    );
    assert_eq!(chat.reasons().await, "create");
}

async fn a_policy_skips_a_declined_head(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chats = [
        chat_with(&scene, Policy::Follow, ToolsMode::Live).await,
        chat_with(&scene, Policy::Additive, ToolsMode::Live).await,
    ];
    scene.push(&agents_md("two").file("new.md", "new")).await;
    for chat in &chats {
        chat.decline().await.unwrap();
        assert_eq!(
            given(&chat.turn().await.unwrap()).prompt,
            rendered(&agents_md("one"))
        );
        assert_eq!(chat.reasons().await, "create");
    }
    scene.push(&agents_md("three").file("new.md", "new")).await;
    for (chat, reasons) in chats.iter().zip(["create follow", "create additive"]) {
        chat.turn().await.unwrap();
        assert_eq!(chat.reasons().await, reasons);
    }
}

async fn live_tools_come_from_the_head(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one").server("git", &["log"])).await;
    let chat = scene.chat().await;
    let head = scene
        .push(&agents_md("two").server("git", &["blame"]))
        .await;
    let view = chat.turn().await.unwrap();
    assert_eq!(tools(&view), "git__blame");
    assert_eq!(given(&view).prompt, rendered(&agents_md("one")));
    assert_eq!(
        view.turn.tools_snapshot,
        head.head.map(|head| head.snapshot)
    );
    assert_ne!(view.turn.snapshot, view.turn.tools_snapshot);
    assert!(view.notice.unwrap().contains("tools"));
}

async fn live_tools_come_from_the_pin_without_a_head(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one").server("git", &["log"])).await;
    let chat = scene.chat().await;
    chat.bind(None).await.unwrap();
    let view = chat.turn().await.unwrap();
    assert_eq!(tools(&view), "git__log");
    assert_eq!(view.turn.tools_snapshot, chat.snapshot().await);
    assert_eq!(view.notice, None);
}

async fn pinned_tools_come_from_the_pin(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one").server("git", &["log"])).await;
    let chat = chat_with(&scene, Policy::Manual, ToolsMode::Pinned).await;
    scene
        .push(&agents_md("one").server("git", &["blame"]))
        .await;
    let view = chat.turn().await.unwrap();
    assert_eq!(tools(&view), "git__log");
    assert_eq!(view.turn.tools_snapshot, view.turn.snapshot);
    assert_eq!(view.notice, None);
}

async fn an_unsettled_pin_takes_up_settled_tools_at_the_first_turn(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push_unsettled(&agents_md("one")).await;
    let chat = chat_with(&scene, Policy::Manual, ToolsMode::Pinned).await;
    scene.push(&agents_md("two").server("git", &["log"])).await;
    let view = chat.turn().await.unwrap();
    assert_eq!(tools(&view), "git__log");
    assert_eq!(given(&view).prompt, rendered(&agents_md("one")));
    assert_eq!(view.turn.tools_snapshot, view.turn.snapshot);
    assert_eq!(chat.reasons().await, "create settle");
    assert!(chat.is_dirty().await, "the text is as it was");
    assert_sound(&chat).await;
}

async fn a_settled_pin_keeps_its_tools(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = chat_with(&scene, Policy::Manual, ToolsMode::Pinned).await;
    scene.push(&agents_md("one").server("git", &["log"])).await;
    assert_eq!(tools(&chat.turn().await.unwrap()), "");
    assert_eq!(chat.reasons().await, "create");
}

async fn unsettled_tools_are_not_taken_up(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push_unsettled(&agents_md("one")).await;
    let chat = chat_with(&scene, Policy::Manual, ToolsMode::Pinned).await;
    scene
        .push_unsettled(&agents_md("one").server("git", &["log"]))
        .await;
    assert_eq!(tools(&chat.turn().await.unwrap()), "");
    assert_eq!(chat.reasons().await, "create");
}

async fn after_the_first_turn_tools_stay(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push_unsettled(&agents_md("one")).await;
    let chat = chat_with(&scene, Policy::Manual, ToolsMode::Pinned).await;
    chat.turn().await.unwrap();
    scene.push(&agents_md("one").server("git", &["log"])).await;
    assert_eq!(tools(&chat.turn().await.unwrap()), "");
    assert_eq!(chat.reasons().await, "create");
}

async fn settling_after_an_addition_takes_both(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene
        .push_unsettled(&agents_md("one").server("git", &["log"]))
        .await;
    let chat = chat_with(&scene, Policy::Additive, ToolsMode::Pinned).await;
    scene
        .push(
            &agents_md("two")
                .file("new.md", "new")
                .server("git", &["blame"]),
        )
        .await;
    let view = chat.turn().await.unwrap();
    assert_eq!(tools(&view), "git__blame");
    assert_eq!(
        given(&view).prompt,
        rendered(&agents_md("one").file("new.md", "new"))
    );
    assert_eq!(chat.reasons().await, "create additive settle");
    assert_sound(&chat).await;
}

async fn a_partial_refresh_does_not_settle_tools(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene
        .push_unsettled(&agents_md("one").file("b.md", "b"))
        .await;
    let chat = chat_with(&scene, Policy::Manual, ToolsMode::Pinned).await;
    let head = agents_md("two")
        .file("b.md", "changed")
        .server("git", &["log"]);
    scene.push(&head).await;
    chat.take(&["/w/AGENTS.md"]).await.unwrap();
    let view = chat.turn().await.unwrap();
    assert_eq!(tools(&view), "git__log");
    assert_eq!(
        given(&view).prompt,
        rendered(&agents_md("two").file("b.md", "b"))
    );
    assert_eq!(chat.reasons().await, "create refresh settle");
}

async fn settling_leaves_the_prompt_alone(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let files = |a: &str, b: &str| Workspace::new("/w").file(a, a).file(b, b);
    scene.push_unsettled(&files("a.md", "b.md")).await;
    let chat = chat_with(&scene, Policy::Manual, ToolsMode::Pinned).await;
    let prompt = chat.prompt_hash().await;
    scene
        .push(&files("b.md", "a.md").server("git", &["log"]))
        .await;
    let view = chat.turn().await.unwrap();
    assert_eq!(tools(&view), "git__log");
    assert_eq!(view.turn.prompt, prompt);
    assert_eq!(given(&view).prompt, rendered(&files("a.md", "b.md")));
}

async fn a_child_of_an_unsettled_pin_settles_too(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push_unsettled(&agents_md("one")).await;
    let parent = chat_with(&scene, Policy::Manual, ToolsMode::Pinned).await;
    parent.turn().await.unwrap();
    scene.push(&agents_md("one").server("git", &["log"])).await;
    let request = ChatCreate {
        parent: Some(parent.id),
        tools: ToolsMode::Pinned,
        ..ChatCreate::default()
    };
    let child = TestChat::create(scene.service, scene.owner, &request)
        .await
        .unwrap();
    assert_eq!(tools(&child.turn().await.unwrap()), "git__log");
    assert_eq!(child.reasons().await, "inherit settle");
}

async fn the_first_turn_after_a_rebind_is_of_the_new_agent(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one").server("git", &["log"])).await;
    let mut other = scene.other_agent().await;
    let workspace = agents_md("other").server("hub", &["issues"]);
    let pushed = other.push(scene.service, &workspace).await.unwrap();
    let silent = scene.other_agent().await;
    for mode in [ToolsMode::Live, ToolsMode::Pinned] {
        let chat = chat_with(&scene, Policy::Manual, mode).await;
        assert_eq!(tools(&chat.turn().await.unwrap()), "git__log");
        chat.bind(Some(other.id)).await.unwrap();
        let view = chat.turn().await.unwrap();
        assert_eq!(given(&view).prompt, rendered(&workspace));
        assert_eq!(tools(&view), "hub__issues");
        let head = pushed.head.unwrap().snapshot;
        let stamp = (view.turn.snapshot, view.turn.tools_snapshot);
        assert_eq!(stamp, (Some(head), Some(head)));
        // The old agent's tools are gone although the new agent has not pushed yet.
        chat.bind(Some(silent.id)).await.unwrap();
        let view = chat.turn().await.unwrap();
        assert_eq!(
            (given(&view).prompt.as_str(), tools(&view).as_str()),
            ("", "")
        );
        let stamp = (view.turn.snapshot, view.turn.tools_snapshot);
        assert_eq!(stamp, (None, None));
        assert!(view.notice.unwrap().contains("not pushed"));
        assert_sound(&chat).await;
    }
}
