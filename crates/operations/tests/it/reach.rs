//! The snapshots that a chat can reach: its own history and its agent's head, and only for its
//! owner.

use ctxpin_model::access::Refusal;
use ctxpin_model::chat::ChatCreate;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::pin_move::PinMove;
use ctxpin_model::resource::{Kind, ResourceId};
use ctxpin_model::token::Credential;
use ctxpin_operations::chats;
use ctxpin_operations::contexts;
use ctxpin_operations::diffs::{self, DiffRequest};
use ctxpin_operations::error::Error;
use ctxpin_operations::people::Revocation;
use ctxpin_operations::pins;
use ctxpin_operations::{people, prompts, skills};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, chat, first_admin, member, user};
use ctxpin_testing::workspace::Workspace;

use crate::outcome::Outcome;
use crate::scene::refusal;

ctxpin_testing::on_both_databases!(
    what_is_kept_in_memory_opens_nothing,
    a_child_reaches_its_parents_pin_and_not_its_history,
    a_chat_of_somebody_else_cannot_be_inherited,
    an_auditor_reads_what_describes_and_no_bodies,
    the_id_of_a_snapshot_opens_nothing,
    a_head_is_out_of_reach_once_the_chat_is_unbound,
);

/// Returns an agent, a chat that was pinned to its first push and then to its second, and the first
/// snapshot.
async fn pinned_twice(test: &TestService, owner: Credential) -> (TestAgent, TestChat, SnapshotId) {
    let service = &test.service;
    let mut agent = TestAgent::create(service, owner, "project").await;
    let first = Workspace::with_agents_md("/w", "The old secret.\n");
    let pushed = agent.push(service, &first).await.unwrap();
    let chat = TestChat::bound(service, owner, agent.id).await;
    let second = Workspace::with_agents_md("/w", "Nothing secret.\n");
    agent.push(service, &second).await.unwrap();
    chat.refresh().await.unwrap();
    (agent, chat, pushed.head.unwrap().snapshot)
}

fn child_of(parent: &TestChat) -> ChatCreate {
    ChatCreate {
        parent: Some(parent.id),
        ..ChatCreate::default()
    }
}

async fn a_child_reaches_its_parents_pin_and_not_its_history(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let (_, parent, older) = pinned_twice(test, owner).await;
    let (child, _) = chats::create(service, owner, &child_of(&parent))
        .await
        .unwrap();
    let pin = child.pin.as_ref().map(|pin| pin.pin.snapshot);
    assert_eq!(pin, parent.snapshot().await);

    let to_older = DiffRequest {
        from: Some(older),
        ..DiffRequest::default()
    };
    assert!(
        diffs::diff(service, owner, parent.id, to_older)
            .await
            .is_ok()
    );
    let diff = diffs::diff(service, owner, child.id, to_older).await;
    assert!(matches!(diff, Err(Error::Invalid(_))));
    let back = PinMove::Rollback(older);
    let moved = pins::pin_move(service, owner, child.id, &back, None).await;
    assert!(matches!(moved, Err(Error::Invalid(_))));
}

async fn a_chat_of_somebody_else_cannot_be_inherited(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let (_, parent, _) = pinned_twice(test, owner).await;
    let stranger = member(service, admin, "stranger").await;
    let (_, auditor) = user(
        service,
        admin,
        "auditor",
        "member auditor",
        "read write provision admin",
    )
    .await;
    for (caller, expected) in [
        (stranger, Outcome::NotFound),
        (auditor, Outcome::Forbidden(Refusal::NotOwner)),
        (admin, Outcome::Forbidden(Refusal::NotOwner)),
    ] {
        let child = chats::create(service, caller, &child_of(&parent)).await;
        assert_eq!(Outcome::of(&child), expected);
    }
    assert_eq!(test.count("select count(*) from chats").await, 1);
}

async fn an_auditor_reads_what_describes_and_no_bodies(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let mut agent = TestAgent::create(service, owner, "project").await;
    let workspace =
        Workspace::with_agents_md("/w", "Secret.\n").skill("pdf", "Reads.", &[("a", "a")]);
    agent.push(service, &workspace).await.unwrap();
    let pinned = chat(service, owner, Some(agent.id)).await.id;
    let (_, auditor) = user(service, admin, "auditor", "auditor", "read write").await;
    let resource = ResourceId::of(Kind::InstructionFile, "/w/AGENTS.md");
    for caller in [auditor, admin] {
        let context = contexts::read(service, caller, pinned).await.unwrap();
        assert!(
            !context.tells_bodies,
            "whoever answers leaves descriptions and tools out"
        );
        let forbidden = Outcome::Forbidden(Refusal::NotOwner);
        let outcomes = [
            Outcome::of(&contexts::resource(service, caller, pinned, resource).await),
            Outcome::of(&diffs::diff(service, caller, pinned, DiffRequest::default()).await),
            Outcome::of(&prompts::prompt(service, caller, pinned, None).await),
            Outcome::of(&skills::list(service, caller, pinned).await),
            Outcome::of(&skills::read(service, caller, pinned, "pdf", skills::Reader::Model).await),
            Outcome::of(&skills::file(service, caller, pinned, "pdf", "a").await),
            Outcome::of(&skills::tools(service, caller, pinned).await),
        ];
        assert_eq!(outcomes, [forbidden; 7]);
    }
    assert!(
        contexts::read(service, owner, pinned)
            .await
            .unwrap()
            .tells_bodies
    );
}

async fn the_id_of_a_snapshot_opens_nothing(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let (_, _, theirs) = pinned_twice(test, owner).await;
    let stranger = member(service, admin, "stranger").await;
    let (_, own, _) = pinned_twice(test, stranger).await;
    // Equal content is the same snapshot, so this needs other content.
    let mut other = TestAgent::create(service, owner, "other").await;
    let pushed = other
        .push(service, &Workspace::with_agents_md("/o", "Theirs.\n"))
        .await
        .unwrap();
    let secret = pushed.head.unwrap().snapshot;
    for (snapshot, is_reached) in [(theirs, true), (secret, false)] {
        let request = DiffRequest {
            to: Some(snapshot),
            ..DiffRequest::default()
        };
        let diff = diffs::diff(service, stranger, own.id, request).await;
        assert_eq!(diff.is_ok(), is_reached, "only what its own history has");
        let only = PinMove::Refresh { head: Some(secret) };
        let moved = pins::pin_move(service, stranger, own.id, &only, None).await;
        assert!(matches!(moved, Err(Error::PreconditionFailed(_))));
    }
    assert!(matches!(own.rollback(secret).await, Err(Error::Invalid(_))));
}

async fn a_head_is_out_of_reach_once_the_chat_is_unbound(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let (mut agent, chat, _) = pinned_twice(test, owner).await;
    let third = Workspace::with_agents_md("/w", "Third.\n");
    let head = agent
        .push(service, &third)
        .await
        .unwrap()
        .head
        .unwrap()
        .snapshot;
    let request = DiffRequest {
        to: Some(head),
        ..DiffRequest::default()
    };
    assert!(diffs::diff(service, owner, chat.id, request).await.is_ok());
    chat.bind(None).await.unwrap();
    let diff = diffs::diff(service, owner, chat.id, request).await;
    assert!(matches!(diff, Err(Error::Invalid(_))));
}

/// The caches hold the objects, because another caller has just read them.
async fn what_is_kept_in_memory_opens_nothing(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let stranger = member(service, owner, "stranger").await;
    let auditor = user(service, owner, "auditor", "auditor", "read").await.1;
    let leaver = member(service, owner, "leaver").await;
    let (mut agent, chat, first) = pinned_twice(test, owner).await;
    let prompt = async |credential| prompts::prompt(service, credential, chat.id, None).await;
    let kept = chat.prompt().await;
    assert!(kept.contains("Nothing secret."));
    assert_eq!(chat.prompt().await, kept, "out of memory");
    chat.context().await;
    assert_eq!(refusal(prompt(stranger).await), "not-found");
    assert_eq!(refusal(prompt(auditor).await), "forbidden");
    assert_eq!(refusal(prompt(agent.credential).await), "forbidden");
    let theirs = contexts::read(service, stranger, chat.id).await;
    assert_eq!(refusal(theirs), "not-found");
    people::token_revoke(service, leaver, leaver.id, Revocation::Alone)
        .await
        .unwrap();
    assert_eq!(refusal(prompt(leaver).await), "unauthenticated");
    // The pin is read each time, whatever is cached.
    chat.rollback(first).await.unwrap();
    assert!(chat.prompt().await.contains("The old secret."));
    chat.clear().await.unwrap();
    assert_eq!(chat.prompt().await, "");
    let third = Workspace::with_agents_md("/w", "Something else.\n");
    agent.push(service, &third).await.unwrap();
    assert!(chat.prompt().await.contains("Something else."));
    chat.delete().await.unwrap();
    assert_eq!(refusal(prompt(owner).await), "not-found");
}
