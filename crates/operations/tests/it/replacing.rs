//! A new agent that replaces an old one: its first accepted push takes over the chats.

use std::time::Duration;

use ctxpin_model::access::ActorRef;
use ctxpin_model::agent::{AgentRequest, Replaces};
use ctxpin_model::chat::ChatChange;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::door::Door;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::history::{HistoryRequest, PinRecord};
use ctxpin_model::id::{ChatId, ProcessId};
use ctxpin_model::page::PageRequest;
use ctxpin_model::pin::Reason;
use ctxpin_model::token::Credential;
use ctxpin_operations::agents;
use ctxpin_operations::chats;
use ctxpin_operations::error::Error;
use ctxpin_operations::{history, pins, prompts, pushes};
use ctxpin_testing::chats::bound_to;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, chat, first_admin, member};
use ctxpin_testing::workspace::Workspace;
use uuid::Uuid;

use crate::outcome::Outcome;

ctxpin_testing::on_both_databases!(
    the_first_accepted_push_takes_over_the_chats,
    chats_created_on_the_old_agent_meanwhile_come_along,
    an_equal_context_keeps_its_prompt_when_the_agent_changes,
    the_same_snapshot_is_noted_as_the_new_agents,
    archived_chats_come_along_and_are_not_hydrated,
    a_chain_of_agents_that_never_pushed_is_taken_over,
    same_means_the_newest_of_that_workspace_and_name,
    same_without_an_older_agent_replaces_nothing,
    the_old_agent_is_fenced_for_good,
    the_old_agent_stays_fenced_without_the_new_one,
    nothing_is_bound_to_the_old_agent_any_more,
    the_old_agent_works_until_the_new_one_pushes,
    a_later_push_takes_over_nothing_again,
    a_strangers_agent_cannot_be_replaced,
    of_two_agents_that_replace_one_the_first_to_push_has_the_chats,
    deleting_the_old_agent_before_the_push_leaves_the_chats_unbound,
);

async fn read(test: &TestService, owner: Credential, chat: ChatId) -> ChatRecord {
    chats::read(&test.service, owner, chat).await.unwrap()
}

async fn newest_row(test: &TestService, owner: Credential, chat: ChatId) -> PinRecord {
    let page = history::list(&test.service, owner, chat, HistoryRequest::newest(1)).await;
    page.unwrap().items[0].pin().clone()
}

fn with_text(text: &str) -> Workspace {
    Workspace::with_agents_md("/w", text)
}

async fn the_first_accepted_push_takes_over_the_chats(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut old = TestAgent::create(service, owner, "project").await;
    old.push(service, &with_text("One.\n")).await.unwrap();
    let pinned = chat(service, owner, Some(old.id)).await.id;
    test.advance(Duration::from_secs(5));
    let mut new =
        TestAgent::create_replacing(service, owner, "rebuilt", Replaces::Agent(old.id)).await;
    assert_eq!(read(test, owner, pinned).await.agent, Some(old.id));

    let pushed = new.push(service, &with_text("Two.\n")).await.unwrap();

    assert_eq!(pushed.hydrated, 1);
    let after = read(test, owner, pinned).await;
    let head = pushed.head.unwrap();
    assert_eq!(after.agent, Some(new.id));
    let pin = after.pin.as_ref().unwrap();
    assert_eq!(
        (pin.pin.snapshot, pin.pinned_at),
        (head.snapshot, head.received_at)
    );
    assert!(after.drift().is_none());
    let row = newest_row(test, owner, pinned).await;
    assert_eq!((row.seq, row.reason), (2, Reason::Rebind));
    assert_eq!(
        (row.agent, row.snapshot),
        (Some(new.id), Some(head.snapshot))
    );
    assert_eq!(
        (row.actor, row.door),
        (ActorRef::Agent(new.id), Door::Agent)
    );
    let record = agents::read(service, owner, old.id).await.unwrap();
    assert_eq!(record.replaced_by, Some(new.id));
    let prompt = prompts::prompt(service, owner, pinned, None).await.unwrap();
    let prompt = String::from_utf8(prompt.bytes.unwrap().to_vec()).unwrap();
    assert!(
        prompt.contains("Two.") && !prompt.contains("One."),
        "{prompt}"
    );
}

async fn chats_created_on_the_old_agent_meanwhile_come_along(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut old = TestAgent::create(service, owner, "project").await;
    let mut new =
        TestAgent::create_replacing(service, owner, "rebuilt", Replaces::Agent(old.id)).await;
    let unpinned = chat(service, owner, Some(old.id)).await.id;
    let before = chat(service, owner, Some(new.id)).await.id;
    old.push(service, &with_text("One.\n")).await.unwrap();
    let pinned = chat(service, owner, Some(old.id)).await.id;
    // The caller unpins this chat, so it waits for a pin again.
    let cleared = chat(service, owner, Some(old.id)).await.id;
    pins::pin_clear(service, owner, cleared, None)
        .await
        .unwrap();

    let pushed = new.push(service, &with_text("Two.\n")).await.unwrap();

    assert_eq!(pushed.hydrated, 4);
    for (chat, reason) in [
        (unpinned, Reason::Rebind),
        (before, Reason::Hydrate),
        (pinned, Reason::Rebind),
        (cleared, Reason::Rebind),
    ] {
        let after = read(test, owner, chat).await;
        assert_eq!(after.agent, Some(new.id));
        let pin = after.pin.as_ref().expect("a pin");
        assert_eq!(
            Some(pin.pin.snapshot),
            pushed.head.map(|head| head.snapshot)
        );
        assert_eq!(newest_row(test, owner, chat).await.reason, reason);
    }
}

async fn an_equal_context_keeps_its_prompt_when_the_agent_changes(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut old = TestAgent::create(service, owner, "project").await;
    old.push(service, &with_text("One.\n")).await.unwrap();
    let pinned = chat(service, owner, Some(old.id)).await;
    let mut new =
        TestAgent::create_replacing(service, owner, "project", Replaces::Agent(old.id)).await;
    // This is another snapshot with the same context: only its error differs.
    let same_context = with_text("One.\n").error("polls instead");
    let pushed = new.push(service, &same_context).await.unwrap();
    let after = read(test, owner, pinned.id).await;
    let (before, after) = (pinned.pin.unwrap(), after.pin.unwrap());
    assert_eq!(
        Some(after.pin.snapshot),
        pushed.head.map(|head| head.snapshot)
    );
    assert_ne!(after.pin.snapshot, before.pin.snapshot);
    assert_eq!(after.pin.prompt, before.pin.prompt);
    assert_eq!(after.error.as_deref(), Some("polls instead"));
}

async fn the_same_snapshot_is_noted_as_the_new_agents(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut old = TestAgent::create(service, owner, "project").await;
    old.push(service, &with_text("One.\n")).await.unwrap();
    let pinned = chat(service, owner, Some(old.id)).await;
    test.advance(Duration::from_secs(5));
    let mut new = TestAgent::create_replacing(service, owner, "project", Replaces::Same).await;
    new.push(service, &with_text("One.\n")).await.unwrap();
    let after = read(test, owner, pinned.id).await;
    assert_eq!((after.agent, after.pin_seq), (Some(new.id), 2));
    assert_eq!(after.pin.unwrap().pin, pinned.pin.unwrap().pin);
    // The pin came from the new agent, so the chat keeps it when it is bound to that agent again.
    for agent in [None, Some(new.id)] {
        let bind = ChatChange {
            agent: Some(agent),
            ..ChatChange::default()
        };
        let bound = chats::change(service, owner, pinned.id, &bind)
            .await
            .unwrap();
        assert_eq!(bound.pin_seq, 2);
    }
}

async fn archived_chats_come_along_and_are_not_hydrated(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut old = TestAgent::create(service, owner, "project").await;
    let unpinned = chat(service, owner, Some(old.id)).await.id;
    let archive = ChatChange {
        archived: Some(true),
        ..ChatChange::default()
    };
    chats::change(service, owner, unpinned, &archive)
        .await
        .unwrap();
    old.push(service, &with_text("One.\n")).await.unwrap();
    let pinned = chat(service, owner, Some(old.id)).await.id;
    chats::change(service, owner, pinned, &archive)
        .await
        .unwrap();
    let mut new =
        TestAgent::create_replacing(service, owner, "project", Replaces::Agent(old.id)).await;
    let pushed = new.push(service, &with_text("Two.\n")).await.unwrap();

    assert_eq!(pushed.hydrated, 1);
    let after = read(test, owner, unpinned).await;
    assert_eq!((after.agent, after.pin_seq), (Some(new.id), 0));
    assert!(after.pin.is_none() && after.archived_at.is_some());
    assert_eq!(read(test, owner, pinned).await.agent, Some(new.id));
    // Unarchiving pins it to the new agent's head.
    let unarchive = ChatChange {
        archived: Some(false),
        ..ChatChange::default()
    };
    let after = chats::change(service, owner, unpinned, &unarchive)
        .await
        .unwrap();
    assert!(after.pin.is_some() && after.drift().is_none());
    assert_eq!(newest_row(test, owner, unpinned).await.agent, Some(new.id));
}

async fn a_chain_of_agents_that_never_pushed_is_taken_over(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut first = TestAgent::create(service, owner, "project").await;
    first.push(service, &with_text("One.\n")).await.unwrap();
    let mut chats_of_all = vec![chat(service, owner, Some(first.id)).await.id];
    let mut last = first.id;
    let mut agents_of_all = vec![first];
    for _ in 0..3 {
        test.advance(Duration::from_secs(1));
        let agent = TestAgent::create_replacing(service, owner, "p", Replaces::Agent(last)).await;
        chats_of_all.push(chat(service, owner, Some(agent.id)).await.id);
        last = agent.id;
        agents_of_all.push(agent);
    }
    let mut newest = agents_of_all.pop().unwrap();
    let pushed = newest.push(service, &with_text("Two.\n")).await.unwrap();
    assert_eq!(pushed.hydrated, 4);
    for chat in chats_of_all {
        let after = read(test, owner, chat).await;
        assert_eq!(after.agent, Some(newest.id));
        assert!(after.pin.is_some() && after.drift().is_none());
    }
    for mut agent in agents_of_all {
        let late = agent.push(service, &with_text("Three.\n")).await;
        assert!(matches!(late, Err(Error::AgentReplaced(by)) if by == Some(newest.id)));
    }
}

async fn same_means_the_newest_of_that_workspace_and_name(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let stranger = member(service, admin, "stranger").await;
    let owner = member(service, admin, "owner").await;
    TestAgent::create(service, owner, "project").await;
    test.advance(Duration::from_secs(1));
    let newest = TestAgent::create(service, owner, "project").await;
    test.advance(Duration::from_secs(1));
    TestAgent::create(service, owner, "another").await;
    TestAgent::create(service, stranger, "project").await;
    let request = AgentRequest {
        workspace: "project".into(),
        name: "second".into(),
        may_refresh: false,
        replaces: None,
        ..AgentRequest::default()
    };
    TestAgent::create_from(service, owner, &request).await;
    test.advance(Duration::from_secs(1));
    let new = TestAgent::create_replacing(service, owner, "project", Replaces::Same).await;
    let record = agents::read(service, owner, new.id).await.unwrap();
    assert_eq!(record.replaces, Some(newest.id));
}

async fn same_without_an_older_agent_replaces_nothing(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut new =
        TestAgent::create_replacing(&test.service, owner, "project", Replaces::Same).await;
    let record = agents::read(&test.service, owner, new.id).await.unwrap();
    assert_eq!(record.replaces, None);
    let pushed = new.push(&test.service, &with_text("One.\n")).await.unwrap();
    assert_eq!(pushed.hydrated, 0);
}

async fn the_old_agent_is_fenced_for_good(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let request = AgentRequest {
        workspace: "project".into(),
        name: "main".into(),
        may_refresh: true,
        replaces: None,
        ..AgentRequest::default()
    };
    let mut old = TestAgent::create_from(service, owner, &request).await;
    old.push(service, &with_text("One.\n")).await.unwrap();
    let mut new =
        TestAgent::create_replacing(service, owner, "project", Replaces::Agent(old.id)).await;
    new.push(service, &with_text("Two.\n")).await.unwrap();

    let is_replaced = |error: Option<Error>| matches!(error, Some(Error::AgentReplaced(by)) if by == Some(new.id));
    let push = old.push(service, &with_text("Three.\n")).await;
    assert!(is_replaced(push.err()), "a push");
    let hash = BlobHash::of(b"x");
    let upload = pushes::blob_upload(service, old.credential, old.epoch, hash, b"x"[..].into());
    assert!(is_replaced(upload.await.err()), "an upload");
    let process = ProcessId::from(Uuid::from_u128(7));
    let session = pushes::session_open(service, old.credential, process).await;
    assert!(is_replaced(session.err()), "a session");
    let refresh = pins::refresh_of_agent(service, old.credential, old.epoch).await;
    assert!(is_replaced(refresh.err()), "a refresh");
    let again = AgentRequest {
        replaces: Some(Replaces::Agent(old.id)),
        ..request
    };
    let again = agents::create(service, owner, &again).await;
    assert!(is_replaced(again.err()), "another replacement");
    let head = agents::read(service, owner, old.id).await.unwrap().head;
    assert_eq!(head.map(|head| head.seq), Some(1));
}

async fn the_old_agent_stays_fenced_without_the_new_one(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut first = TestAgent::create(service, owner, "project").await;
    first.push(service, &with_text("One.\n")).await.unwrap();
    let replaces = Replaces::Agent(first.id);
    let mut second = TestAgent::create_replacing(service, owner, "project", replaces).await;
    second.push(service, &with_text("Two.\n")).await.unwrap();
    let replaces = Replaces::Agent(second.id);
    let mut third = TestAgent::create_replacing(service, owner, "project", replaces).await;
    third.push(service, &with_text("Three.\n")).await.unwrap();
    // After the second agent is deleted, the third one has the chats of the first. After the third
    // is deleted, no agent has them.
    for (deleted, successor) in [(second.id, Some(third.id)), (third.id, None)] {
        agents::delete(service, owner, deleted).await.unwrap();
        let push = first.push(service, &with_text("Four.\n")).await;
        assert!(matches!(push, Err(Error::AgentReplaced(by)) if by == successor));
        let process = ProcessId::from(Uuid::from_u128(7));
        let session = pushes::session_open(service, first.credential, process).await;
        assert!(matches!(session, Err(Error::AgentReplaced(by)) if by == successor));
        let same = Replaces::Same;
        let other = TestAgent::create_replacing(service, owner, "project", same).await;
        let record = agents::read(service, owner, other.id).await.unwrap();
        assert_ne!(record.replaces, Some(first.id));
        agents::delete(service, owner, other.id).await.unwrap();
    }
    agents::delete(service, owner, first.id).await.unwrap();
}

async fn nothing_is_bound_to_the_old_agent_any_more(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut old = TestAgent::create(service, owner, "project").await;
    old.push(service, &with_text("One.\n")).await.unwrap();
    let unbound = chat(service, owner, None).await.id;
    let mut new =
        TestAgent::create_replacing(service, owner, "project", Replaces::Agent(old.id)).await;
    new.push(service, &with_text("Two.\n")).await.unwrap();

    let created = chats::create(service, owner, &bound_to(old.id)).await;
    assert!(matches!(created, Err(Error::AgentReplaced(by)) if by == Some(new.id)));
    let bind = ChatChange {
        agent: Some(Some(old.id)),
        ..ChatChange::default()
    };
    let bound = chats::change(service, owner, unbound, &bind).await;
    assert!(matches!(bound, Err(Error::AgentReplaced(by)) if by == Some(new.id)));
    assert_eq!(read(test, owner, unbound).await.agent, None);
}

async fn the_old_agent_works_until_the_new_one_pushes(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut old = TestAgent::create(service, owner, "project").await;
    old.push(service, &with_text("One.\n")).await.unwrap();
    let pinned = chat(service, owner, Some(old.id)).await.id;
    let mut new =
        TestAgent::create_replacing(service, owner, "project", Replaces::Agent(old.id)).await;
    old.push(service, &with_text("Two.\n")).await.unwrap();
    assert!(read(test, owner, pinned).await.drift().is_some());
    // A refused push takes over no chat.
    let (manifest, _) = with_text("Three.\n").manifest();
    let refused = new.push_as(service, manifest, Default::default()).await;
    assert!(matches!(refused, Err(Error::MissingBlobs(_))));
    assert_eq!(read(test, owner, pinned).await.agent, Some(old.id));
    old.push(service, &with_text("Four.\n")).await.unwrap();
}

async fn a_later_push_takes_over_nothing_again(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut old = TestAgent::create(service, owner, "project").await;
    old.push(service, &with_text("One.\n")).await.unwrap();
    let pinned = chat(service, owner, Some(old.id)).await.id;
    let mut new =
        TestAgent::create_replacing(service, owner, "project", Replaces::Agent(old.id)).await;
    new.push(service, &with_text("Two.\n")).await.unwrap();
    let pushed = new.push(service, &with_text("Three.\n")).await.unwrap();
    assert_eq!(pushed.hydrated, 0);
    let after = read(test, owner, pinned).await;
    assert_eq!(after.pin_seq, 2);
    assert!(after.drift().is_some(), "from now on the pin stays");
}

async fn a_strangers_agent_cannot_be_replaced(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let stranger = member(service, admin, "stranger").await;
    let mut old = TestAgent::create(service, owner, "project").await;
    let request = |replaces| AgentRequest {
        workspace: "project".into(),
        name: "main".into(),
        may_refresh: false,
        replaces: Some(replaces),
        ..AgentRequest::default()
    };
    let named = agents::create(service, stranger, &request(Replaces::Agent(old.id))).await;
    assert_eq!(Outcome::of(&named), Outcome::NotFound);
    // An admin may see the agent, but does not own it.
    let named = agents::create(service, admin, &request(Replaces::Agent(old.id))).await;
    assert!(matches!(Outcome::of(&named), Outcome::Forbidden(_)));
    let (made, _) = agents::create(service, stranger, &request(Replaces::Same))
        .await
        .unwrap();
    assert_eq!(made.replaces, None);
    let listed = agents::list(service, stranger, &PageRequest::newest(9))
        .await
        .unwrap();
    assert_eq!(
        listed.items.len(),
        1,
        "nothing was made of what was refused"
    );
    old.push(service, &with_text("One.\n")).await.unwrap();
}

async fn of_two_agents_that_replace_one_the_first_to_push_has_the_chats(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut old = TestAgent::create(service, owner, "project").await;
    old.push(service, &with_text("One.\n")).await.unwrap();
    let pinned = chat(service, owner, Some(old.id)).await.id;
    let replaces = Replaces::Agent(old.id);
    let mut first = TestAgent::create_replacing(service, owner, "project", replaces).await;
    let mut second = TestAgent::create_replacing(service, owner, "project", replaces).await;
    let pushed = second.push(service, &with_text("Two.\n")).await.unwrap();
    assert_eq!(pushed.hydrated, 1);
    let pushed = first.push(service, &with_text("Three.\n")).await.unwrap();
    assert_eq!(pushed.hydrated, 0);
    let after = read(test, owner, pinned).await;
    assert_eq!((after.agent, after.pin_seq), (Some(second.id), 2));
    let record = agents::read(service, owner, old.id).await.unwrap();
    assert_eq!(
        record.replaced_by,
        Some(second.id),
        "the old agent is told where its chats are"
    );
    // Both can still push.
    first.push(service, &with_text("Four.\n")).await.unwrap();
    second.push(service, &with_text("Five.\n")).await.unwrap();
}

async fn deleting_the_old_agent_before_the_push_leaves_the_chats_unbound(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut old = TestAgent::create(service, owner, "project").await;
    old.push(service, &with_text("One.\n")).await.unwrap();
    let pinned = chat(service, owner, Some(old.id)).await;
    let mut new =
        TestAgent::create_replacing(service, owner, "project", Replaces::Agent(old.id)).await;
    agents::delete(service, owner, old.id).await.unwrap();
    let pushed = new.push(service, &with_text("Two.\n")).await.unwrap();
    assert_eq!(pushed.hydrated, 0);
    let after = read(test, owner, pinned.id).await;
    assert_eq!(after.agent, None);
    let (before, after) = (pinned.pin.unwrap(), after.pin.unwrap());
    assert_eq!(after.pin, before.pin);
}
