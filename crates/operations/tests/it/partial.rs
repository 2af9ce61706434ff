//! Refreshes of some sources only.

use ctxpin_model::compose::Selector;
use ctxpin_model::diff::Subject;
use ctxpin_model::limits::INSTRUCTION_FILE_BYTES_MAX;
use ctxpin_model::pin_move::PinMove;
use ctxpin_model::resource::{Kind, Status};
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::workspace::Workspace;

use crate::scene::{Scene, agents_md, assert_sound, refusal, rendered};

ctxpin_testing::on_both_databases!(
    what_is_named_is_replaced,
    what_is_named_is_added_in_the_heads_order,
    what_is_named_is_removed,
    the_facts_are_taken_only_when_named,
    several_are_taken_at_once,
    when_every_change_is_taken_the_pin_is_the_head,
    tools_are_left_unless_they_count,
    a_source_that_neither_has_is_refused,
    a_kind_narrows_the_source,
    a_head_that_moved_on_is_not_taken_from,
    an_unpinned_chat_has_nothing_to_take_into,
    an_addition_shadows_as_in_any_snapshot,
    an_addition_past_the_budget_is_excluded,
    what_cannot_be_used_in_the_pin_stays_so,
    a_rebuilt_workspace_is_matched_by_path,
    a_source_may_pass_to_another_kind,
);

/// Refreshes some sources of a pin from a head, and checks that the prompt is that of `expected`.
async fn check(
    test: &TestService,
    pin: &Workspace,
    head: &Workspace,
    take: &[&str],
    expected: &Workspace,
) {
    let (_, chat) = drifted(test, pin, head).await;
    let context = chat.take(take).await.unwrap();
    assert_eq!(chat.prompt().await, rendered(expected));
    assert_eq!(context.chat.pin.unwrap().error, expected.snapshot().error);
    assert_eq!(chat.reasons().await, "create refresh");
    assert_sound(&chat).await;
}

async fn drifted<'t>(
    test: &'t TestService,
    pin: &Workspace,
    head: &Workspace,
) -> (Scene<'t>, TestChat) {
    let mut scene = Scene::new(test).await;
    scene.push(pin).await;
    let chat = scene.chat().await;
    scene.push(head).await;
    (scene, chat)
}

fn three(a: &str, b: &str, c: &str) -> Workspace {
    Workspace::new("/w")
        .file("a.md", a)
        .file("b.md", b)
        .file("c.md", c)
}

async fn what_is_named_is_replaced(test: &TestService) {
    let pin = three("a1", "b1", "c1").error("of the pin");
    let head = three("a2", "b2", "c2").error("of the head").os("plan9");
    let expected = three("a1", "b2", "c1").error("of the pin");
    check(test, &pin, &head, &["/w/b.md"], &expected).await;
}

async fn what_is_named_is_added_in_the_heads_order(test: &TestService) {
    let pin = Workspace::new("/w").file("a.md", "a1").file("c.md", "c1");
    let head = three("a2", "b2", "c2");
    let expected = three("a1", "b2", "c1");
    check(test, &pin, &head, &["/w/b.md"], &expected).await;
}

async fn what_is_named_is_removed(test: &TestService) {
    let pin = three("a1", "b1", "c1").skill("pdf", "Reads.", &[("run.sh", "true")]);
    let head = Workspace::new("/w").file("a.md", "a2");
    let expected = Workspace::new("/w").file("a.md", "a1").file("c.md", "c1");
    let skill = "/w/.agents/skills/pdf/SKILL.md";
    check(test, &pin, &head, &["/w/b.md", skill], &expected).await;
}

async fn the_facts_are_taken_only_when_named(test: &TestService) {
    let head = agents_md("two").os("plan9");
    let (_, chat) = drifted(test, &agents_md("one"), &head).await;
    let facts = Selector {
        subject: Some(Subject::Facts),
        source: String::new(),
    };
    let context = chat.take_selected(vec![facts]).await.unwrap();
    assert_eq!(context.changes().len(), 1);
    assert_eq!(chat.prompt().await, rendered(&agents_md("one").os("plan9")));
    chat.take(&["/w/AGENTS.md"]).await.unwrap();
    assert_eq!(chat.prompt().await, rendered(&head));
    assert!(!chat.is_dirty().await);
}

async fn several_are_taken_at_once(test: &TestService) {
    let pin = three("a1", "b1", "c1").skill("pdf", "Reads.", &[]);
    let head = Workspace::new("/w")
        .file("a.md", "a2")
        .file("c.md", "c2")
        .file("d.md", "d2")
        .skill("pdf", "Reads better.", &[]);
    let expected = Workspace::new("/w")
        .file("a.md", "a2")
        .file("c.md", "c1")
        .file("d.md", "d2")
        .skill("pdf", "Reads.", &[]);
    check(
        test,
        &pin,
        &head,
        &["/w/a.md", "/w/b.md", "/w/d.md"],
        &expected,
    )
    .await;
}

async fn when_every_change_is_taken_the_pin_is_the_head(test: &TestService) {
    let pin = three("a1", "b1", "c1")
        .error("of the pin")
        .server("git", &["log"]);
    let head = three("a2", "b2", "c1")
        .error("of the head")
        .server("git", &["blame"]);
    let (scene, chat) = drifted(test, &pin, &head).await;
    chat.take(&["/w/a.md"]).await.unwrap();
    assert_ne!(
        chat.snapshot().await,
        chat.record().await.head.map(|head| head.snapshot)
    );
    let context = chat.take(&["/w/b.md"]).await.unwrap();
    assert_eq!(
        context.chat.pin.as_ref().map(|pin| pin.pin.snapshot),
        context.chat.head.map(|head| head.snapshot)
    );
    assert_eq!(
        context.chat.pin.unwrap().error.as_deref(),
        Some("of the head")
    );
    assert!(context.chat.agent == Some(scene.agent.id));
}

async fn tools_are_left_unless_they_count(test: &TestService) {
    let pin = agents_md("one").server("git", &["log"]);
    let head = agents_md("two").server("git", &["blame"]);
    let (_, chat) = drifted(test, &pin, &head).await;
    chat.tools(ToolsMode::Pinned).await.unwrap();
    let context = chat.take(&["/w/AGENTS.md"]).await.unwrap();
    let changes = context.changes();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].subject, Subject::Resource(Kind::McpServer));
    let context = chat.take(&["git"]).await.unwrap();
    assert!(context.changes().is_empty());
    assert_eq!(
        context.chat.pin.unwrap().pin.snapshot,
        context.chat.head.unwrap().snapshot
    );
}

async fn a_source_that_neither_has_is_refused(test: &TestService) {
    let (_, chat) = drifted(test, &agents_md("one"), &agents_md("two")).await;
    let before = chat.snapshot().await;
    assert_eq!(
        refusal(chat.take(&["/w/AGENTS.md", "/w/CLAUDE.md"]).await),
        "invalid"
    );
    assert_eq!(chat.snapshot().await, before);
    assert_eq!(chat.reasons().await, "create");
}

async fn a_kind_narrows_the_source(test: &TestService) {
    let (_, chat) = drifted(test, &agents_md("one"), &agents_md("two")).await;
    let of_kind = |kind| {
        vec![Selector {
            subject: Some(Subject::Resource(kind)),
            source: "/w/AGENTS.md".into(),
        }]
    };
    let other = chat.take_selected(of_kind(Kind::Skill)).await;
    assert_eq!(refusal(other), "invalid");
    chat.take_selected(of_kind(Kind::InstructionFile))
        .await
        .unwrap();
    assert!(!chat.is_dirty().await);
}

async fn a_head_that_moved_on_is_not_taken_from(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let seen = scene.push(&agents_md("two")).await.head.unwrap().snapshot;
    scene.push(&agents_md("three")).await;
    let request = |head| PinMove::Sources {
        selectors: vec![Selector {
            subject: None,
            source: "/w/AGENTS.md".into(),
        }],
        head: Some(head),
    };
    assert_eq!(
        refusal(chat.move_to(request(seen)).await),
        "precondition-failed"
    );
    let head = chat.record().await.head.unwrap().snapshot;
    chat.move_to(request(head)).await.unwrap();
    assert_eq!(chat.prompt().await, rendered(&agents_md("three")));
}

async fn an_unpinned_chat_has_nothing_to_take_into(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    chat.clear().await.unwrap();
    assert_eq!(refusal(chat.take(&["/w/AGENTS.md"]).await), "invalid");
}

async fn an_addition_shadows_as_in_any_snapshot(test: &TestService) {
    let broad = Workspace::new("/w").skill_of("/home/me", "pdf", "Of the person.", &[]);
    let head = broad
        .clone()
        .file("a.md", "a")
        .skill("pdf", "Of the project.", &[]);
    let (_, chat) = drifted(test, &broad, &head).await;
    let context = chat
        .take(&["/w/.agents/skills/pdf/SKILL.md"])
        .await
        .unwrap();
    let pinned = context.pinned.unwrap();
    let statuses: Vec<_> = pinned.resources.iter().map(|skill| skill.status).collect();
    assert_eq!(statuses, [Status::Excluded, Status::Ok]);
    let expected = Workspace::new("/w").skill("pdf", "Of the project.", &[]);
    assert_eq!(chat.prompt().await, rendered(&expected));
    assert_sound(&chat).await;
}

async fn an_addition_past_the_budget_is_excluded(test: &TestService) {
    let large = |letter: &str| letter.repeat(usize::try_from(INSTRUCTION_FILE_BYTES_MAX).unwrap());
    // Two of the largest files are all that a snapshot holds.
    let full = (0..2).fold(Workspace::new("/w"), |workspace, number| {
        workspace.file(&format!("{number}.md"), &large("x"))
    });
    let head = full.clone().without("1.md").file("new.md", "small");
    let (_, chat) = drifted(test, &full, &head).await;
    let context = chat.take(&["/w/new.md"]).await.unwrap();
    let pinned = context.pinned.as_ref().unwrap();
    let status = |path: &str| pinned.find(Kind::InstructionFile, path).unwrap().status;
    // `1.md` keeps its place after `0.md`, so `new.md` comes last.
    assert_eq!(status("/w/1.md"), Status::Ok);
    assert_eq!(status("/w/new.md"), Status::Excluded);
    assert!(chat.is_dirty().await);
    assert_sound(&chat).await;
    chat.take(&["/w/1.md", "/w/new.md"]).await.unwrap();
    assert!(!chat.is_dirty().await);
}

async fn what_cannot_be_used_in_the_pin_stays_so(test: &TestService) {
    let pin = agents_md("one").broken("b.md", "not UTF-8");
    let head = agents_md("two").file("b.md", "mended");
    let (_, chat) = drifted(test, &pin, &head).await;
    let context = chat.take(&["/w/AGENTS.md"]).await.unwrap();
    let pinned = context.pinned.as_ref().unwrap();
    let broken = pinned.find(Kind::InstructionFile, "/w/b.md").unwrap();
    assert_eq!(broken.status, Status::Invalid);
    assert_eq!(broken.error.as_deref(), Some("not UTF-8"));
    assert_eq!(context.changes().len(), 1);
    assert_sound(&chat).await;
}

async fn a_rebuilt_workspace_is_matched_by_path(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let first = three("a1", "b1", "c1");
    let pinned = scene.push(&first).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    let mut other = scene.other_agent().await;
    let rebuilt = Workspace::new("/elsewhere")
        .file("a.md", "a2")
        .file("b.md", "b2")
        .file("c.md", "c1");
    other.push(scene.service, &rebuilt).await.unwrap();
    chat.bind(Some(other.id)).await.unwrap();
    chat.rollback(pinned).await.unwrap();
    chat.take(&["/elsewhere/b.md"]).await.unwrap();
    let pinned = chat.context().await.pinned.unwrap();
    let sources: Vec<_> = pinned
        .resources
        .iter()
        .map(|file| file.source.as_str())
        .collect();
    assert_eq!(sources, ["/w/a.md", "/elsewhere/b.md", "/w/c.md"]);
    let prompt = chat.prompt().await;
    assert!(
        prompt.contains("b2") && !prompt.contains("b1") && prompt.contains("a1"),
        "{prompt}"
    );
    assert_sound(&chat).await;
}

async fn a_source_may_pass_to_another_kind(test: &TestService) {
    let server = Workspace::new("/w").server("/w/x.md", &["log"]);
    let file = Workspace::new("/w").file("x.md", "text");
    let mut scene = Scene::new(test).await;
    for (pin, head) in [(&server, &file), (&file, &server)] {
        scene.push(pin).await;
        let chat = scene.chat().await;
        chat.tools(ToolsMode::Pinned).await.unwrap();
        let head = scene.push(head).await.head.unwrap().snapshot;
        let context = chat.context().await;
        assert_eq!(context.changes().len(), 2, "one goes and one comes");
        chat.take(&["/w/x.md"]).await.unwrap();
        assert_eq!(chat.snapshot().await, Some(head));
        assert!(!chat.is_dirty().await);
        assert_sound(&chat).await;
    }
}
