//! Drift: which changes count, when a drift began, and that the bytes of a pinned prompt stay.

use ctxpin_model::diff::Subject;
use ctxpin_model::moment::Moment;
use ctxpin_model::pin_move::{BulkMove, Decision, MoveBack, PinMove, SeenChat};
use ctxpin_model::policy::Policy;
use ctxpin_model::resource::Kind;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_operations::bulk_moves::{bulk_move, bulk_rollback};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::workspace::Workspace;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::scene::{Scene, agents_md, assert_sound, rendered};

ctxpin_testing::on_both_databases!(
    a_change_that_no_model_sees_keeps_the_prompt,
    a_move_to_equal_content_keeps_the_prompt_of_another_renderer,
    content_put_back_ends_the_drift,
    a_drift_began_with_the_first_other_head,
    a_drift_begins_after_the_last_equal_head,
    an_equal_head_within_a_drift_ends_it,
    a_move_back_brings_back_since_when_the_chat_drifted,
    taking_a_part_leaves_since_when_the_chat_drifted,
    no_move_that_is_undone_changes_since_when_a_chat_drifted,
    a_part_taken_after_an_undo_leaves_since_when_the_chat_drifted,
    no_later_head_changes_since_when_a_pin_of_parts_drifted,
    many_parts_taken_one_by_one_leave_since_when_the_chat_drifted,
    a_pin_that_was_no_head_drifts_since_the_chat_got_it,
    live_tools_are_no_drift,
    pinned_tools_are_drift,
    a_changed_configuration_counts_among_the_tools,
    changing_the_tools_mode_changes_the_drift,
    an_order_is_drift,
    the_facts_are_drift,
    changes_are_listed_exactly_if_dirty,
    an_empty_context_is_a_pin_and_no_pin_is_none,
);

async fn a_change_that_no_model_sees_keeps_the_prompt(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene
        .push(&agents_md("one").broken("b.md", "not UTF-8"))
        .await;
    let chat = scene.chat().await;
    let before = chat.record().await.pin.unwrap().pin;
    scene
        .push(&agents_md("one").broken("b.md", "unreadable"))
        .await;
    assert!(!chat.is_dirty().await);
    chat.refresh().await.unwrap();
    let after = chat.record().await.pin.unwrap().pin;
    assert_ne!(after.snapshot, before.snapshot);
    assert_eq!(after.hashes, before.hashes);
    assert_eq!(after.prompt, before.prompt);
    assert_sound(&chat).await;
}

async fn a_move_to_equal_content_keeps_the_prompt_of_another_renderer(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let before = chat.prompt_hash().await;
    scene.push(&agents_md("one").server("git", &["log"])).await;
    // Pretend that this release renders everything differently.
    test.tamper("update prompts set prompt = (select b.hash from blobs b where b.hash <> prompts.prompt order by b.hash limit 1)")
        .await;
    chat.refresh().await.unwrap();
    assert_eq!(chat.reasons().await, "create refresh");
    assert_eq!(chat.prompt_hash().await, before);
    assert_eq!(chat.prompt().await, rendered(&agents_md("one")));
    assert_ne!(scene.chat().await.prompt_hash().await, before);
}

async fn content_put_back_ends_the_drift(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    for _ in 0..2 {
        scene.push(&agents_md("two")).await;
        assert!(chat.is_dirty().await);
        scene.push(&agents_md("one")).await;
        assert!(!chat.is_dirty().await);
    }
    assert_eq!(chat.reasons().await, "create");
}

async fn a_drift_began_with_the_first_other_head(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let began = test.clock.now();
    scene.push(&agents_md("three")).await;
    scene.push(&agents_md("three")).await;
    assert_eq!(chat.record().await.drift().unwrap().since, began);
}

async fn a_drift_begins_after_the_last_equal_head(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    scene
        .push(&agents_md("one").error("equal all the same"))
        .await;
    scene.push(&agents_md("two")).await;
    let began = test.clock.now();
    scene.push(&agents_md("three")).await;
    assert_eq!(chat.record().await.drift().unwrap().since, began);
}

async fn an_equal_head_within_a_drift_ends_it(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    scene
        .push(&agents_md("one").error("equal all the same"))
        .await;
    assert_eq!(chat.record().await.drift(), None);
}

async fn a_move_back_brings_back_since_when_the_chat_drifted(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = scene.push(&agents_md("one")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let began = test.clock.now();
    scene.push(&agents_md("three")).await;
    chat.refresh().await.unwrap();
    scene.minute();
    chat.rollback(first).await.unwrap();
    assert_eq!(chat.record().await.drift().unwrap().since, began);
    scene.push(&agents_md("four")).await;
    assert_eq!(chat.record().await.drift().unwrap().since, began);
}

async fn taking_a_part_leaves_since_when_the_chat_drifted(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&two("a1", "b1")).await;
    let chat = scene.chat().await;
    scene.push(&two("a2", "b2")).await;
    let began = test.clock.now();
    for number in 3..6 {
        scene.minute();
        chat.take(&["/w/a.md"]).await.unwrap();
        assert_eq!(chat.record().await.drift().unwrap().since, began);
        scene.push(&two(&format!("a{number}"), "b2")).await;
        assert_eq!(chat.record().await.drift().unwrap().since, began);
    }
    // The agent pushes what the chat composed, and then something else.
    scene.push(&two("a4", "b1")).await;
    assert!(!chat.is_dirty().await);
    scene.push(&two("a6", "b4")).await;
    assert_eq!(chat.record().await.drift().unwrap().since, test.clock.now());
}

async fn no_move_that_is_undone_changes_since_when_a_chat_drifted(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&two("a1", "b1")).await;
    let [whole, of_parts] = [scene.chat().await, scene.chat().await];
    scene.push(&two("a2", "b2")).await;
    let began = test.clock.now();
    of_parts.take(&["/w/a.md"]).await.unwrap();
    scene.push(&two("a3", "b3")).await;
    for chat in [&whole, &of_parts] {
        let pin = chat.snapshot().await.unwrap();
        let is_drifted = async |what: &str| {
            scene.minute();
            let record = chat.record().await;
            assert_eq!(record.drift().unwrap().since, began, "{what}");
            assert_eq!(record.pin.unwrap().pin.snapshot, pin, "{what}");
        };
        let undo = async || {
            let policy = Policy::Manual;
            let undo = PinMove::Undo { to: pin, policy };
            chat.move_to(undo).await.unwrap();
        };
        is_drifted("before").await;
        for what in ["all", "all once more"] {
            chat.refresh().await.unwrap();
            scene.minute();
            undo().await;
            is_drifted(what).await;
        }
        chat.take(&["/w/b.md"]).await.unwrap();
        undo().await;
        is_drifted("a part").await;
        chat.refresh().await.unwrap();
        chat.rollback(pin).await.unwrap();
        is_drifted("a rollback").await;
        chat.clear().await.unwrap();
        undo().await;
        is_drifted("no pin").await;
        chat.decline().await.unwrap();
        is_drifted("declined").await;
        chat.undecline().await.unwrap();
        is_drifted("not declined").await;
        let head = chat.record().await.head.unwrap().snapshot;
        let seen = SeenChat {
            chat: chat.id,
            pin,
            head,
        };
        let request = BulkMove {
            chats: vec![seen],
            decision: Decision::TakeAll,
        };
        let moved = bulk_move(scene.service, scene.owner, &request).await;
        assert!(moved.unwrap().iter().all(|(_, moved)| moved.is_ok()));
        let back = MoveBack {
            chat: chat.id,
            pin: head,
            to: pin,
            policy: Policy::Manual,
        };
        let moved = bulk_rollback(scene.service, scene.owner, &[back]).await;
        assert!(moved.unwrap().iter().all(|(_, moved)| moved.is_ok()));
        is_drifted("many at once").await;
    }
    scene.push(&two("a4", "b4")).await;
    for chat in [&whole, &of_parts] {
        assert_eq!(chat.record().await.drift().unwrap().since, began);
    }
}

fn two(a: &str, b: &str) -> Workspace {
    Workspace::new("/w").file("a.md", a).file("b.md", b)
}

/// Returns a chat that took one of two changes, and when it drifted.
async fn one_of_two_taken(scene: &mut Scene<'_>) -> (TestChat, Moment) {
    scene.push(&two("a1", "b1")).await;
    let chat = scene.chat().await;
    scene.push(&two("a2", "b2")).await;
    let began = scene.test.clock.now();
    scene.minute();
    chat.take(&["/w/a.md"]).await.unwrap();
    (chat, began)
}

async fn a_part_taken_after_an_undo_leaves_since_when_the_chat_drifted(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (chat, began) = one_of_two_taken(&mut scene).await;
    let of_parts = chat.snapshot().await.unwrap();
    scene.minute();
    chat.refresh().await.unwrap();
    scene.minute();
    chat.rollback(of_parts).await.unwrap();
    // The head that was taken and given back is none that the chat has left.
    scene.push(&two("a3", "b3")).await;
    scene.minute();
    chat.take(&["/w/a.md"]).await.unwrap();
    assert_eq!(chat.record().await.drift().unwrap().since, began);
}

async fn no_later_head_changes_since_when_a_pin_of_parts_drifted(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (chat, began) = one_of_two_taken(&mut scene).await;
    scene.push(&two("a3", "b3")).await;
    scene.minute();
    chat.take(&["/w/a.md"]).await.unwrap();
    // The workspace goes back to what the chat had before, whole or composed, and moves on.
    for files in [
        two("a1", "b1"),
        two("a1", "b4"),
        two("a2", "b1"),
        two("a2", "b5"),
    ] {
        scene.push(&files).await;
        assert_eq!(chat.record().await.drift().unwrap().since, began);
    }
    // An equal head ends the drift, also for the pins that are composed from then on.
    scene.push(&two("a3", "b1")).await;
    assert!(!chat.is_dirty().await);
    scene.push(&two("a6", "b6")).await;
    let began = test.clock.now();
    scene.minute();
    chat.take(&["/w/b.md"]).await.unwrap();
    assert_eq!(chat.record().await.drift().unwrap().since, began);
}

async fn many_parts_taken_one_by_one_leave_since_when_the_chat_drifted(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let names: Vec<_> = (0..20).map(|number| format!("{number}.md")).collect();
    let files = |body: &str| {
        let workspace = Workspace::new("/w");
        names
            .iter()
            .fold(workspace, |files, name| files.file(name, body))
    };
    scene.push(&files("one")).await;
    let chat = scene.chat().await;
    scene.push(&files("two")).await;
    let began = test.clock.now();
    for name in &names[1..] {
        scene.minute();
        let source = format!("/w/{name}");
        chat.take(&[source.as_str()]).await.unwrap();
        assert_eq!(chat.record().await.drift().unwrap().since, began, "{name}");
    }
}

async fn a_pin_that_was_no_head_drifts_since_the_chat_got_it(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let got = test.clock.now();
    let pin = chat.snapshot().await.unwrap();
    let mut other = scene.other_agent().await;
    scene.minute();
    let pushed = other.push(scene.service, &agents_md("two")).await;
    pushed.unwrap();
    chat.bind(Some(other.id)).await.unwrap();
    assert!(!chat.is_dirty().await);
    scene.minute();
    chat.rollback(pin).await.unwrap();
    assert_eq!(chat.record().await.drift().unwrap().since, got);
}

async fn live_tools_are_no_drift(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one").server("git", &["log"])).await;
    let chat = scene.chat().await;
    scene
        .push(&agents_md("one").server("git", &["blame"]))
        .await;
    let context = chat.context().await;
    assert!(context.chat.drift().is_none() && context.changes().is_empty());
    assert!(context.chat.tools_differ());
    chat.refresh().await.unwrap();
    assert!(!chat.context().await.chat.tools_differ());
}

async fn pinned(scene: &Scene<'_>) -> TestChat {
    let chat = scene.chat().await;
    chat.tools(ToolsMode::Pinned).await.unwrap();
    chat
}

async fn pinned_tools_are_drift(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one").server("git", &["log"])).await;
    let chat = pinned(&scene).await;
    let prompt = chat.prompt_hash().await;
    scene
        .push(&agents_md("one").server("git", &["blame"]))
        .await;
    let began = test.clock.now();
    scene
        .push(&agents_md("one").server("git", &["blame", "show"]))
        .await;
    let context = chat.context().await;
    assert_eq!(context.chat.drift().unwrap().since, began);
    assert!(!context.chat.tools_differ(), "they are the pin's own");
    let changes = context.changes();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].subject, Subject::Resource(Kind::McpServer));
    chat.refresh().await.unwrap();
    assert!(!chat.is_dirty().await);
    assert_eq!(chat.prompt_hash().await, prompt);
}

async fn a_changed_configuration_counts_among_the_tools(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one").mcp_config("{\"a\": 1}")).await;
    let (live, pinned) = (scene.chat().await, pinned(&scene).await);
    // The shape is the same, and only the claimed hash differs.
    scene.push(&agents_md("one").mcp_config("{\"a\": 2}")).await;
    assert!(!live.is_dirty().await && live.context().await.chat.tools_differ());
    let context = pinned.context().await;
    assert!(context.chat.drift().is_some());
    assert_eq!(context.changes().len(), 1);
    assert_eq!(context.changes()[0].source(), "/w/.mcp.json");
}

async fn changing_the_tools_mode_changes_the_drift(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one").server("git", &["log"])).await;
    let chat = scene.chat().await;
    scene
        .push(&agents_md("one").server("git", &["blame"]))
        .await;
    for (mode, is_dirty) in [(ToolsMode::Pinned, true), (ToolsMode::Live, false)] {
        assert_eq!(chat.tools(mode).await.unwrap().drift().is_some(), is_dirty);
    }
}

async fn an_order_is_drift(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene
        .push(&Workspace::new("/w").file("a.md", "a").file("b.md", "b"))
        .await;
    let chat = scene.chat().await;
    scene
        .push(&Workspace::new("/w").file("b.md", "b").file("a.md", "a"))
        .await;
    let context = chat.context().await;
    assert!(context.chat.drift().is_some());
    assert_eq!(context.changes().len(), 1);
    chat.take(&[context.changes()[0].source()]).await.unwrap();
    assert!(!chat.is_dirty().await);
}

async fn the_facts_are_drift(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("one").os("plan9")).await;
    let context = chat.context().await;
    assert!(context.chat.drift().is_some());
    assert_eq!(context.changes()[0].subject, Subject::Facts);
    assert_eq!(context.changes()[0].source(), "");
}

/// Generates workspaces of a few resources, each in one of a few states.
fn workspaces() -> impl Strategy<Value = Workspace> {
    let thing = (0..6_usize, 0..4_usize);
    let things = prop::collection::vec(thing, 0..6);
    (things, 0..3_usize).prop_map(|(things, error)| {
        let workspace = ["", "a cap", "another cap"][error];
        let start = Workspace::new("/w");
        let start = if workspace.is_empty() {
            start
        } else {
            start.error(workspace)
        };
        things.into_iter().fold(start, |workspace, (thing, state)| {
            let text = ["one", "two", "<!-- nothing remains -->", ""][state];
            match thing {
                0 => workspace.file("a.md", text),
                1 => workspace.file("b.md", text),
                2 => workspace.broken("a.md", text),
                3 => workspace.skill(
                    "pdf",
                    ["Reads.", "Writes.", "Reads.", "Both."][state],
                    &[("run.sh", text)],
                ),
                4 => workspace.server("git", &["log", "blame"][..state % 3]),
                _ => workspace.mcp_config(text),
            }
        })
    })
}

async fn changes_are_listed_exactly_if_dirty(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chats = [scene.chat().await, pinned(&scene).await];
    let mut runner = TestRunner::deterministic();
    let mut dirty = 0;
    for round in 0..24 {
        let workspace = workspaces()
            .new_tree(&mut runner)
            .expect("a workspace")
            .current();
        scene.push(&workspace).await;
        for chat in &chats {
            assert_sound(chat).await;
            let context = chat.context().await;
            dirty += usize::from(context.chat.drift().is_some());
            // Taking every listed source, one by one, ends the drift.
            if round % 3 == 0 {
                for _ in 0..context.changes().len() {
                    let context = chat.context().await;
                    let Some(change) = context.changes().into_iter().next() else {
                        break;
                    };
                    let selector = ctxpin_model::compose::Selector {
                        subject: Some(change.subject),
                        source: change.source().into(),
                    };
                    chat.take_selected(vec![selector]).await.unwrap();
                }
                assert!(!chat.is_dirty().await);
            }
        }
    }
    assert!(dirty > 12, "the workspaces differ: {dirty}");
}

async fn an_empty_context_is_a_pin_and_no_pin_is_none(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let empty = Workspace::new("/w");
    let waiting = scene.chat().await;
    assert_eq!(waiting.snapshot().await, None);
    let head = scene.push(&empty).await.head.unwrap().snapshot;
    assert_eq!(waiting.snapshot().await, Some(head));
    // The chat has a pin, so the next push does not pin it.
    assert_eq!(scene.push(&agents_md("one")).await.hydrated, 0);
    assert_eq!(waiting.prompt().await, rendered(&empty));
    waiting.refresh().await.unwrap();
    // Nothing remains of a workspace that was emptied.
    scene.push(&empty).await;
    assert!(waiting.is_dirty().await);
    waiting.refresh().await.unwrap();
    assert_eq!(waiting.snapshot().await, Some(head));
    assert_eq!(waiting.prompt().await, rendered(&empty));
    assert!(waiting.context().await.pinned.unwrap().resources.is_empty());
    assert_eq!(waiting.reasons().await, "hydrate refresh refresh");
    assert_sound(&waiting).await;
}
