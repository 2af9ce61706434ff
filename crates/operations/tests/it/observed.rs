//! Observed chats: their pins record what their clients read, and no request chooses them.

use ctxpin_model::access::ActorRef;
use ctxpin_model::audit::AuditFilter;
use ctxpin_model::chat::{ChatChange, ChatCreate, ChatFilter};
use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::delivery::Delivery;
use ctxpin_model::diff::effect::{Effect, strongest};
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::mode::Mode;
use ctxpin_model::page::PageRequest;
use ctxpin_model::pin_move::{BulkMove, BulkOutcome, Decision, PinMove, RefreshFilter, SeenChat};
use ctxpin_model::policy::Policy;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_operations::chats;
use ctxpin_operations::error::Error;
use ctxpin_operations::{bulk_moves, people, pins};
use ctxpin_testing::chats::{TestChat, bound_to, given};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{member, token_request};
use ctxpin_testing::workspace::Workspace;

use crate::scene::{Scene, agents_md, assert_sound, refusal, rendered};

ctxpin_testing::on_both_databases!(
    a_session_start_pins_what_the_client_reads,
    a_head_that_no_scan_confirmed_is_noted,
    a_start_names_a_head_of_the_timeline,
    each_client_reads_at_its_own_events,
    no_request_chooses_the_pin,
    a_decline_silences_the_drift,
    a_policy_ends_with_the_mode,
    a_turn_is_stamped_with_what_was_read,
    an_archived_chat_goes_on_with_its_client,
    a_start_of_a_delivered_chat_keeps_its_pin,
    a_child_has_the_mode_of_its_parent,
    a_fork_is_told_its_parent_once,
    every_byte_has_an_effect,
    decisions_about_many_chats_leave_it_alone,
    the_mode_selects_chats,
    a_token_of_a_hook_follows_a_client_and_chooses_nothing,
);

/// Returns a request for an observed chat of a client.
fn observed(scene: &Scene<'_>, client: &str) -> ChatCreate {
    ChatCreate {
        client: Some(client.into()),
        mode: Some(Mode::Observed),
        ..bound_to(scene.agent.id)
    }
}

async fn observed_chat(scene: &Scene<'_>, client: &str) -> TestChat {
    let request = observed(scene, client);
    let chat = TestChat::create(scene.service, scene.owner, &request).await;
    chat.expect("an observed chat")
}

fn id(workspace: &Workspace) -> SnapshotId {
    workspace.snapshot().addresses().id
}

async fn a_session_start_pins_what_the_client_reads(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (one, two) = (agents_md("One.\n"), agents_md("Two.\n"));
    scene.push(&one).await;
    let chat = observed_chat(&scene, "claude-code").await;
    chat.start(ClientEvent::Startup, Some(id(&one)))
        .await
        .unwrap();
    scene.push(&two).await;
    // The session goes on with what it read.
    assert_eq!(chat.snapshot().await, Some(id(&one)));
    assert!(chat.is_dirty().await);
    scene.minute();
    let record = chat
        .start(ClientEvent::Resume, Some(id(&two)))
        .await
        .unwrap();
    assert!(record.drift().is_none());
    assert_eq!(chat.reasons().await, "create observe observe");
    let history = chat.history().await;
    assert!(history.iter().all(|row| !row.unconfirmed));
    assert_eq!(history[2].snapshot, Some(id(&two)));
    let (me, _) = people::me(scene.service, scene.owner).await.unwrap();
    assert_eq!(history[2].actor, ActorRef::User(me.id));
    assert_eq!(history[2].agent, Some(scene.agent.id));
    // Reading the same again is no news.
    scene.minute();
    chat.start(ClientEvent::Compact, Some(id(&two)))
        .await
        .unwrap();
    assert_eq!(chat.history().await.len(), 3);
    assert_sound(&chat).await;
}

async fn a_head_that_no_scan_confirmed_is_noted(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = observed_chat(&scene, "codex").await;
    // Without a head, there is nothing to pin.
    chat.start(ClientEvent::Startup, None).await.unwrap();
    assert_eq!(chat.reasons().await, "");
    let one = agents_md("One.\n");
    scene.push(&one).await;
    scene.minute();
    let since = chat.record().await.pin.unwrap().pinned_at;
    chat.start(ClientEvent::Resume, None).await.unwrap();
    chat.start(ClientEvent::Resume, None).await.unwrap();
    chat.start(ClientEvent::Resume, Some(id(&one)))
        .await
        .unwrap();
    chat.start(ClientEvent::Resume, None).await.unwrap();
    assert_eq!(chat.reasons().await, "hydrate observe observe observe");
    let history = chat.history().await;
    let unconfirmed: Vec<_> = history.iter().map(|row| row.unconfirmed).collect();
    assert_eq!(unconfirmed, [false, true, false, true]);
    // The chat has been pinned to the snapshot all the time.
    assert_eq!(chat.record().await.pin.unwrap().pinned_at, since);
    assert_sound(&chat).await;
}

async fn a_start_names_a_head_of_the_timeline(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (one, two) = (agents_md("One.\n"), agents_md("Two.\n"));
    scene.push(&one).await;
    scene.push(&two).await;
    let chat = observed_chat(&scene, "codex").await;
    // The scan of the start was followed by another push.
    chat.start(ClientEvent::Startup, Some(id(&one)))
        .await
        .unwrap();
    assert_eq!(chat.snapshot().await, Some(id(&one)));
    assert_eq!(chat.prompt().await, rendered(&one));
    assert!(chat.is_dirty().await);
    assert_sound(&chat).await;
    let unknown = Some(id(&agents_md("What nobody pushed.\n")));
    let refused = chat.start(ClientEvent::Resume, unknown).await;
    assert!(matches!(&refused, Err(Error::Invalid(told)) if told.contains("leave `head` out")));
    // A head of another agent is none of this one's.
    let mut other = scene.other_agent().await;
    let elsewhere = agents_md("Elsewhere.\n");
    other.push(scene.service, &elsewhere).await.unwrap();
    let refused = chat.start(ClientEvent::Resume, Some(id(&elsewhere))).await;
    assert_eq!(refusal(refused), "invalid");
    assert_eq!(chat.history().await.len(), 2);
}

async fn each_client_reads_at_its_own_events(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("One.\n")).await;
    let mut chats = Vec::new();
    for client in ["claude-code", "codex", "opencode"] {
        chats.push(observed_chat(&scene, client).await);
    }
    let two = agents_md("Two.\n");
    scene.push(&two).await;
    let mut read = Vec::new();
    for event in [ClientEvent::Turn, ClientEvent::Resume] {
        for chat in &chats {
            chat.start(event, None).await.unwrap();
            read.push(chat.snapshot().await == Some(id(&two)));
        }
    }
    assert_eq!(read, [false, false, true, true, true, true]);
}

async fn no_request_chooses_the_pin(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let one = agents_md("One.\n");
    scene.push(&one).await;
    let chat = observed_chat(&scene, "claude-code").await;
    scene.push(&agents_md("Two.\n")).await;
    let refused = [
        refusal(chat.refresh().await),
        refusal(chat.take(&["/w/AGENTS.md"]).await),
        refusal(chat.rollback(id(&one)).await),
        refusal(chat.clear().await),
        refusal(chat.policy(Policy::Follow).await),
        refusal(chat.policy(Policy::Additive).await),
    ];
    assert_eq!(refused, ["observed-chat"; 6]);
    let told = chat.refresh().await.unwrap_err().to_string();
    assert!(told.contains("when the session is resumed"), "{told}");
    let mut following = observed(&scene, "claude-code");
    following.policy = Policy::Follow;
    let created = TestChat::create(scene.service, scene.owner, &following).await;
    assert_eq!(refusal(created.map(|_| ())), "observed-chat");
    // These do not choose the pin.
    chat.policy(Policy::Manual).await.unwrap();
    chat.move_to(PinMove::Render).await.unwrap();
    assert_eq!(chat.reasons().await, "create");
    // The chat moves with its workspace.
    let mut other = scene.other_agent().await;
    other
        .push(scene.service, &agents_md("Other.\n"))
        .await
        .unwrap();
    chat.bind(Some(other.id)).await.unwrap();
    assert_eq!(chat.reasons().await, "create rebind");
    // A delivered chat is moved by requests again.
    chat.mode(Mode::Delivered).await.unwrap();
    chat.rollback(id(&one)).await.unwrap();
    assert_sound(&chat).await;
}

async fn a_decline_silences_the_drift(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("One.\n")).await;
    let chat = observed_chat(&scene, "claude-code").await;
    scene.push(&agents_md("Two.\n")).await;
    chat.decline().await.unwrap();
    assert!(chat.record().await.drift().unwrap().declined);
    chat.undecline().await.unwrap();
    assert!(!chat.record().await.drift().unwrap().declined);
}

async fn a_policy_ends_with_the_mode(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("One.\n")).await;
    let chat = scene.chat().await;
    chat.policy(Policy::Follow).await.unwrap();
    let both = ChatChange {
        mode: Some(Mode::Observed),
        policy: Some(Policy::Additive),
        ..ChatChange::default()
    };
    assert_eq!(refusal(chat.change(both).await), "observed-chat");
    let record = chat.mode(Mode::Observed).await.unwrap();
    assert_eq!(
        (record.mode, record.policy),
        (Mode::Observed, Policy::Manual)
    );
    scene.push(&agents_md("Two.\n")).await;
    chat.turn().await.unwrap();
    assert_eq!(chat.reasons().await, "create");
    // The pin stays at a change of the mode, and the next session start moves it.
    chat.start(ClientEvent::Resume, None).await.unwrap();
    assert_eq!(chat.reasons().await, "create observe");
}

async fn a_turn_is_stamped_with_what_was_read(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = observed_chat(&scene, "claude-code").await;
    chat.tools(ToolsMode::Pinned).await.unwrap();
    let without = chat.turn().await.unwrap();
    assert_eq!(without.turn.snapshot, None);
    let one = agents_md("One.\n").server("db", &["query"]);
    scene.push_unsettled(&one).await;
    let settled = one.clone().server("web", &["get"]);
    scene.push(&settled).await;
    let turn = chat.turn().await.unwrap().turn;
    assert_eq!(turn.delivery, Delivery::Observed);
    // No tools are composed into what the client read.
    assert_eq!(turn.snapshot, Some(id(&one)));
    let fresh = observed_chat(&scene, "claude-code").await;
    fresh.tools(ToolsMode::Pinned).await.unwrap();
    fresh.turn().await.unwrap();
    assert_eq!(fresh.reasons().await, "create");
    // A caller that knows better says so.
    let delivered = chat.turn_as(Some("a"), Delivery::Delivered).await.unwrap();
    assert_eq!(delivered.turn.delivery, Delivery::Delivered);
    let other = scene.chat().await;
    let seen = other.turn_as(None, Delivery::Observed).await.unwrap();
    assert_eq!(seen.turn.delivery, Delivery::Observed);
    assert_eq!(
        other.turn().await.unwrap().turn.delivery,
        Delivery::Delivered
    );
}

async fn an_archived_chat_goes_on_with_its_client(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = observed_chat(&scene, "claude-code").await;
    chat.archive(true).await.unwrap();
    let one = agents_md("One.\n");
    scene.push(&one).await;
    assert_eq!(chat.snapshot().await, None);
    chat.turn().await.unwrap();
    assert_eq!(chat.reasons().await, "hydrate");
    assert!(chat.record().await.archived_at.is_none());
    chat.archive(true).await.unwrap();
    scene.minute();
    let record = chat
        .start(ClientEvent::Resume, Some(id(&one)))
        .await
        .unwrap();
    assert!(record.archived_at.is_none());
    chat.archive(true).await.unwrap();
    scene.minute();
    // The pin stays, and the log still says who went on with the chat.
    chat.start(ClientEvent::Resume, Some(id(&one)))
        .await
        .unwrap();
    assert_eq!(chat.reasons().await, "hydrate observe");
    let filter = AuditFilter {
        object: Some(chat.id.uuid()),
        ..AuditFilter::default()
    };
    let page = PageRequest::newest(20);
    let log = people::audit_log(scene.service, scene.owner, &filter, &page).await;
    let log = log.unwrap().items;
    let mut actions: Vec<_> = log.iter().map(|row| row.action.as_str()).collect();
    actions.sort_unstable();
    let expected =
        "chat_change chat_change chat_change chat_create chat_start chat_start turn_begin";
    assert_eq!(actions.join(" "), expected);
    // A delivered chat waits for its owner.
    chat.mode(Mode::Delivered).await.unwrap();
    chat.archive(true).await.unwrap();
    assert_eq!(refusal(chat.turn().await), "archived");
}

async fn a_start_of_a_delivered_chat_keeps_its_pin(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let waiting = scene.chat().await;
    waiting.archive(true).await.unwrap();
    scene.push(&agents_md("One.\n")).await;
    let chat = scene.chat().await;
    let two = agents_md("Two.\n");
    scene.push(&two).await;
    chat.start(ClientEvent::Resume, Some(id(&two)))
        .await
        .unwrap();
    assert_eq!(chat.reasons().await, "create");
    waiting.start(ClientEvent::Resume, None).await.unwrap();
    assert_eq!(waiting.reasons().await, "hydrate");
    assert!(waiting.record().await.archived_at.is_none());
}

async fn a_child_has_the_mode_of_its_parent(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("One.\n")).await;
    let parent = observed_chat(&scene, "claude-code").await;
    scene.push(&agents_md("Two.\n")).await;
    let of_parent = ChatCreate {
        parent: Some(parent.id),
        ..ChatCreate::default()
    };
    let child = TestChat::create(scene.service, scene.owner, &of_parent).await;
    let child = child.unwrap();
    assert_eq!(child.record().await.mode, Mode::Observed);
    assert_eq!(child.reasons().await, "inherit");
    assert_eq!(child.snapshot().await, parent.snapshot().await);
    let following = ChatCreate {
        policy: Policy::Follow,
        ..of_parent.clone()
    };
    let refused = TestChat::create(scene.service, scene.owner, &following).await;
    assert_eq!(refusal(refused.map(|_| ())), "observed-chat");
    let delivered = ChatCreate {
        mode: Some(Mode::Delivered),
        ..of_parent
    };
    let child = TestChat::create(scene.service, scene.owner, &delivered).await;
    assert_eq!(child.unwrap().record().await.mode, Mode::Delivered);
}

async fn a_fork_is_told_its_parent_once(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("One.\n")).await;
    let parent = observed_chat(&scene, "claude-code").await;
    scene.minute();
    let fork = observed_chat(&scene, "claude-code").await;
    scene.push(&agents_md("Two.\n")).await;
    fork.start(ClientEvent::Fork, None).await.unwrap();
    let told = |of: &TestChat| ChatChange {
        parent: Some(of.id),
        ..ChatChange::default()
    };
    let record = fork.change(told(&parent)).await.unwrap();
    assert_eq!(record.parent, Some(parent.id));
    // Only the parent is new.
    assert_eq!(fork.reasons().await, "create observe");
    fork.change(told(&parent)).await.unwrap();
    scene.minute();
    let other = observed_chat(&scene, "claude-code").await;
    assert_eq!(refusal(fork.change(told(&other)).await), "conflict");
    // No chat is its own ancestor.
    assert_eq!(refusal(parent.change(told(&fork)).await), "invalid");
    assert_eq!(refusal(parent.change(told(&parent)).await), "invalid");
    let delivered = scene.chat().await;
    assert_eq!(refusal(delivered.change(told(&parent)).await), "conflict");
    let stranger = ctxpin_testing::people::member(scene.service, scene.owner, "stranger").await;
    scene.minute();
    let theirs = ChatCreate {
        mode: Some(Mode::Observed),
        ..ChatCreate::default()
    };
    let theirs = TestChat::create(scene.service, stranger, &theirs).await;
    let refused = theirs.unwrap().change(told(&parent)).await;
    assert_eq!(refusal(refused), "not-found");
}

async fn every_byte_has_an_effect(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let text = "---\nname: pdf\ndescription: Reads.\n---\nRead.\n";
    let one = agents_md("One.\n").file("skills/pdf/SKILL.md", text);
    scene.push(&one).await;
    let chats = [
        observed_chat(&scene, "claude-code").await,
        scene.chat().await,
    ];
    scene
        .push(
            &one.clone()
                .file("AGENTS.md", "One.\n\n<!-- Not for models. -->\n"),
        )
        .await;
    let mut found = Vec::new();
    for chat in &chats {
        let context = chat.context().await;
        found.push(strongest(&context.changes(), context.sides()));
    }
    assert_eq!(found, [Effect::Prompt, Effect::None]);
}

async fn decisions_about_many_chats_leave_it_alone(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("One.\n")).await;
    let (seen, moved) = (observed_chat(&scene, "codex").await, scene.chat().await);
    scene.push(&agents_md("Two.\n")).await;
    let chats = async || {
        let mut chats = Vec::new();
        for chat in [&seen, &moved] {
            let record = chat.record().await;
            chats.push(SeenChat {
                chat: chat.id,
                pin: record.pin.unwrap().pin.snapshot,
                head: record.head.unwrap().snapshot,
            });
        }
        chats
    };
    let decide = async |decision| {
        let chats = chats().await;
        let request = BulkMove { chats, decision };
        let results = bulk_moves::bulk_move(scene.service, scene.owner, &request).await;
        results
            .unwrap()
            .into_iter()
            .map(|(_, result)| result)
            .collect::<Vec<_>>()
    };
    let taken = decide(Decision::TakeAll).await;
    assert!(matches!(
        taken[..],
        [Err(Error::ObservedChat), Ok(BulkOutcome::Moved { .. })]
    ));
    let declined = decide(Decision::Decline).await;
    assert!(matches!(declined[0], Ok(BulkOutcome::Declined)));
    let undeclined = decide(Decision::Undecline).await;
    assert!(matches!(undeclined[0], Ok(BulkOutcome::Undeclined)));
    scene.push(&agents_md("Three.\n")).await;
    let filter = RefreshFilter {
        agent: Some(scene.agent.id),
        content: None,
    };
    let done = pins::refresh_many(scene.service, scene.owner, filter).await;
    let done = done.unwrap();
    assert_eq!((done.moved, done.observed), (1, 1));
    assert_eq!(seen.reasons().await, "create");
    assert_eq!(moved.reasons().await, "create refresh refresh");
}

async fn the_mode_selects_chats(test: &TestService) {
    let scene = Scene::new(test).await;
    let (seen, other) = (observed_chat(&scene, "codex").await, scene.chat().await);
    let page = PageRequest::newest(20);
    for (mode, expected) in [(Mode::Observed, seen.id), (Mode::Delivered, other.id)] {
        let filter = ChatFilter {
            mode: Some(mode),
            ..ChatFilter::default()
        };
        let listed = chats::list(scene.service, scene.owner, &filter, &page).await;
        let listed: Vec<_> = listed.unwrap().items.iter().map(|chat| chat.id).collect();
        assert_eq!(listed, [expected]);
    }
    let counts = chats::counts(scene.service, scene.owner, Some(scene.agent.id), None).await;
    let counts = counts.unwrap();
    assert_eq!((counts.all, counts.observed), (2, 1));
}

async fn a_token_of_a_hook_follows_a_client_and_chooses_nothing(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("One.\n")).await;
    let other = member(scene.service, scene.owner, "other").await;
    TestChat::create(scene.service, other, &ChatCreate::default())
        .await
        .unwrap();
    let delivered = scene.chat().await;
    let request = token_request("observe");
    let made = people::token_create(scene.service, scene.owner, &request).await;
    let hook = made.unwrap().1.credential();
    // An admin sees the chats of all, but not by this token.
    let filter = ChatFilter::default();
    let listed = async |by| {
        let page = PageRequest::newest(9);
        let listed = chats::list(scene.service, by, &filter, &page).await;
        listed.unwrap().items.len()
    };
    assert_eq!((listed(scene.owner).await, listed(hook).await), (2, 1));
    let request = observed(&scene, "claude-code");
    let chat = TestChat::create(scene.service, hook, &request)
        .await
        .unwrap();
    let record = chat.start(ClientEvent::Startup, None).await.unwrap();
    let turn = chat.turn().await.unwrap();
    assert_eq!(
        turn.turn.snapshot,
        record.pin.map(|pin| pin.pin.snapshot),
        "the turn is stamped"
    );
    assert_eq!(given(&turn).prompt, rendered(&agents_md("One.\n")));
    let chosen = TestChat {
        owner: hook,
        ..delivered
    };
    assert_eq!(refusal(chosen.refresh().await), "forbidden");
    assert_eq!(refusal(chosen.archive(true).await), "forbidden");
    assert_eq!(refusal(chosen.delete().await), "forbidden");
    // It tells a fork its parent, and changes nothing else of it.
    scene.minute();
    let fork = TestChat::create(scene.service, hook, &request)
        .await
        .unwrap();
    let told = ChatChange {
        parent: Some(chat.id),
        ..ChatChange::default()
    };
    let titled = ChatChange {
        title: Some(Some("Fork".into())),
        ..told.clone()
    };
    assert_eq!(refusal(fork.change(titled).await), "forbidden");
    let record = fork.change(told).await.unwrap();
    assert_eq!((record.parent, record.title), (Some(chat.id), None));
    let more = people::token_create(scene.service, hook, &token_request("observe")).await;
    assert_eq!(refusal(more), "forbidden");
}
