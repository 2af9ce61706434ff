//! The audit log: who did what, and who was refused.

use std::collections::BTreeSet;
use std::time::Duration;

use ctxpin_model::access::{ActorRef, Operation, Refusal, Role};
use ctxpin_model::agent::AgentRequest;
use ctxpin_model::audit::{AuditFilter, AuditObject, AuditOutcome, AuditRecord};
use ctxpin_model::chat::ChatChange;
use ctxpin_model::door::Door;
use ctxpin_model::page::PageRequest;
use ctxpin_model::pin_move::{PinMove, RefreshFilter};
use ctxpin_model::token::Credential;
use ctxpin_model::token::TokenRequest;
use ctxpin_model::user::UserChange;
use ctxpin_operations::agents;
use ctxpin_operations::chats;
use ctxpin_operations::people::{self, Revocation};
use ctxpin_operations::pins;
use ctxpin_operations::sign_in;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, chat, first_admin, member, user};
use ctxpin_testing::workspace::Workspace;
use uuid::Uuid;

use crate::outcome::Outcome;

ctxpin_testing::on_both_databases!(
    every_write_of_a_person_leaves_a_row,
    an_agents_refresh_names_the_agent,
    what_changed_nothing_leaves_no_row,
    what_is_forbidden_is_noted,
    what_was_not_found_is_not_noted,
    auditors_and_admins_read_it,
    it_is_read_page_by_page_newest_first,
    rows_outlive_what_they_tell_of,
    filters_choose_rows_page_by_page,
    each_row_names_its_door,
    rows_have_the_present_names,
);

/// Returns the whole log, oldest first.
async fn log(test: &TestService, admin: Credential) -> Vec<AuditRecord> {
    let page = people::audit_log(
        &test.service,
        admin,
        &AuditFilter::default(),
        &PageRequest::newest(500),
    )
    .await;
    let mut rows = page.unwrap().items;
    rows.reverse();
    rows
}

/// Returns the action and the object of the newest row. Checks that the caller did it now.
async fn newest(test: &TestService, admin: Credential) -> (Operation, Option<AuditObject>) {
    let row = log(test, admin).await.pop().expect("a row");
    let own = people::me(&test.service, admin).await.unwrap().0.id;
    assert_eq!(row.actor, ActorRef::User(own));
    let expected = (AuditOutcome::Done, test.clock.now());
    assert_eq!((row.outcome, row.at), expected);
    test.advance(Duration::from_secs(1));
    (row.action, row.object)
}

async fn every_write_of_a_person_leaves_a_row(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let first = log(test, admin).await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].actor, ActorRef::System);
    assert_eq!(first[0].action, Operation::TokenCreate);
    test.advance(Duration::from_secs(1));

    let made = people::user_create(service, admin, "x", "member".parse().unwrap()).await;
    let user = made.unwrap().id;
    assert_eq!(
        newest(test, admin).await,
        (Operation::UserCreate, Some(AuditObject::User(user)))
    );
    let change = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    people::user_change(service, admin, user, &change)
        .await
        .unwrap();
    assert_eq!(
        newest(test, admin).await,
        (Operation::UserChange, Some(AuditObject::User(user)))
    );
    let mut request = TokenRequest {
        label: None,
        scopes: "read".parse().unwrap(),
        expires_at: None,
        user: Some(user),
    };
    let (token, _) = people::token_create(service, admin, &request)
        .await
        .unwrap();
    assert_eq!(
        newest(test, admin).await,
        (
            Operation::TokenCreateFor,
            Some(AuditObject::Token(token.id))
        )
    );
    request.user = None;
    let (token, _) = people::token_create(service, admin, &request)
        .await
        .unwrap();
    assert_eq!(
        newest(test, admin).await,
        (Operation::TokenCreate, Some(AuditObject::Token(token.id)))
    );
    people::token_revoke(service, admin, token.id, Revocation::Alone)
        .await
        .unwrap();
    assert_eq!(
        newest(test, admin).await,
        (Operation::TokenRevoke, Some(AuditObject::Token(token.id)))
    );
    writes_on_agents_and_chats(test, admin).await;
}

async fn writes_on_agents_and_chats(test: &TestService, admin: Credential) {
    let service = &test.service;
    let mut agent = TestAgent::create(service, admin, "project").await;
    assert_eq!(
        newest(test, admin).await,
        (Operation::AgentCreate, Some(AuditObject::Agent(agent.id)))
    );
    agent
        .push(service, &Workspace::with_agents_md("/w", "One.\n"))
        .await
        .unwrap();
    let pinned = chat(service, admin, Some(agent.id)).await.id;
    assert_eq!(
        newest(test, admin).await,
        (Operation::ChatCreate, Some(AuditObject::Chat(pinned)))
    );
    let change = ChatChange {
        title: Some(Some("Other".into())),
        ..ChatChange::default()
    };
    chats::change(service, admin, pinned, &change)
        .await
        .unwrap();
    assert_eq!(
        newest(test, admin).await,
        (Operation::ChatChange, Some(AuditObject::Chat(pinned)))
    );
    agent
        .push(service, &Workspace::with_agents_md("/w", "Two.\n"))
        .await
        .unwrap();
    let refresh = PinMove::Refresh { head: None };
    pins::pin_move(service, admin, pinned, &refresh, None)
        .await
        .unwrap();
    assert_eq!(
        newest(test, admin).await,
        (Operation::PinMove, Some(AuditObject::Chat(pinned)))
    );
    agent
        .push(service, &Workspace::with_agents_md("/w", "Three.\n"))
        .await
        .unwrap();
    pins::refresh_many(service, admin, RefreshFilter::default())
        .await
        .unwrap();
    assert_eq!(
        newest(test, admin).await,
        (Operation::PinMoveMany, Some(AuditObject::Chat(pinned)))
    );
    pins::pin_clear(service, admin, pinned, None).await.unwrap();
    assert_eq!(
        newest(test, admin).await,
        (Operation::PinClear, Some(AuditObject::Chat(pinned)))
    );
    chats::delete(service, admin, pinned).await.unwrap();
    assert_eq!(
        newest(test, admin).await,
        (Operation::ChatDelete, Some(AuditObject::Chat(pinned)))
    );
    agents::delete(service, admin, agent.id).await.unwrap();
    assert_eq!(
        newest(test, admin).await,
        (Operation::AgentDelete, Some(AuditObject::Agent(agent.id)))
    );
}

async fn an_agents_refresh_names_the_agent(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let request = AgentRequest {
        workspace: "project".into(),
        name: "main".into(),
        may_refresh: true,
        replaces: None,
        ..AgentRequest::default()
    };
    let mut agent = TestAgent::create_from(service, admin, &request).await;
    agent
        .push(service, &Workspace::with_agents_md("/w", "One.\n"))
        .await
        .unwrap();
    let pinned = chat(service, admin, Some(agent.id)).await.id;
    agent
        .push(service, &Workspace::with_agents_md("/w", "Two.\n"))
        .await
        .unwrap();
    test.advance(Duration::from_secs(1));
    let moved = pins::refresh_of_agent(service, agent.credential, agent.epoch).await;
    assert_eq!(moved.unwrap().moved, 1);
    let row = log(test, admin).await.pop().unwrap();
    assert_eq!(row.actor, ActorRef::Agent(agent.id));
    assert_eq!(
        (row.action, row.object),
        (Operation::AgentRefresh, Some(AuditObject::Chat(pinned)))
    );
}

async fn what_changed_nothing_leaves_no_row(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let mut agent = TestAgent::create(service, admin, "project").await;
    let pinned = chat(service, admin, Some(agent.id)).await.id;
    let before = log(test, admin).await.len();
    // These requests fail because of their content. Their caller may do the operation.
    let refresh = PinMove::Refresh { head: None };
    assert!(
        pins::pin_move(service, admin, pinned, &refresh, None)
            .await
            .is_err()
    );
    let roles = "member".parse().unwrap();
    assert!(
        people::user_create(service, admin, people::FIRST_USER_NAME, roles)
            .await
            .is_err()
    );
    // Reads leave no row. The timeline and the history show a push.
    chats::read(service, admin, pinned).await.unwrap();
    agent
        .push(service, &Workspace::with_agents_md("/w", "One.\n"))
        .await
        .unwrap();
    assert_eq!(log(test, admin).await.len(), before);
}

async fn what_is_forbidden_is_noted(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (id, auditor) = user(service, admin, "auditor", "auditor", "read write").await;
    let pinned = chat(service, admin, None).await.id;
    test.advance(Duration::from_secs(1));
    let refresh = PinMove::Refresh { head: None };
    let moved = pins::pin_move(service, auditor, pinned, &refresh, None).await;
    assert_eq!(Outcome::of(&moved), Outcome::Forbidden(Refusal::NotOwner));
    let row = log(test, admin).await.pop().unwrap();
    assert_eq!(
        (row.action, row.outcome),
        (Operation::PinMove, AuditOutcome::Forbidden)
    );
    assert_eq!(row.actor, ActorRef::User(id));
    assert_eq!(
        (row.object, row.at),
        (Some(AuditObject::Chat(pinned)), test.clock.now())
    );
}

async fn what_was_not_found_is_not_noted(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let stranger = member(service, admin, "stranger").await;
    let pinned = chat(service, admin, None).await.id;
    let before = log(test, admin).await.len();
    let nobodys = Uuid::from_u128(1).into();
    let mut wrong = admin;
    wrong.secret_hash[0] ^= 1;
    for (caller, chat) in [(stranger, pinned), (admin, nobodys), (wrong, pinned)] {
        assert!(chats::delete(service, caller, chat).await.is_err());
    }
    assert_eq!(log(test, admin).await.len(), before);
}

async fn auditors_and_admins_read_it(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let request = PageRequest::newest(500);
    let mut outcomes = Vec::new();
    for (name, roles) in [
        ("a", "auditor"),
        ("b", "admin"),
        ("c", "member auditor"),
        ("d", "member"),
    ] {
        let (_, reader) = user(service, admin, name, roles, "read").await;
        let read = people::audit_log(service, reader, &AuditFilter::default(), &request).await;
        outcomes.push(Outcome::of(&read));
    }
    let refused = Outcome::Forbidden(Refusal::RoleMissing(Role::Auditor));
    assert_eq!(
        outcomes,
        [Outcome::Done, Outcome::Done, Outcome::Done, refused]
    );
    let agent = TestAgent::create(service, admin, "project").await;
    let read =
        people::audit_log(service, agent.credential, &AuditFilter::default(), &request).await;
    assert_eq!(Outcome::of(&read), Outcome::Forbidden(Refusal::UserNeeded));
}

async fn rows_have_the_present_names(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (mira, writer) = user(service, admin, "mira", "member", "read write").await;
    let agent = TestAgent::create(service, writer, "project").await;
    let chat = chat(service, writer, Some(agent.id)).await.id;
    let change = ChatChange {
        title: Some(Some("Split the payment step".into())),
        ..ChatChange::default()
    };
    chats::change(service, writer, chat, &change).await.unwrap();
    let names = async || {
        let mut names = BTreeSet::new();
        for row in log(test, admin).await {
            let own = row.actor == ActorRef::User(mira);
            assert!(!own || row.actor_name.as_deref() == Some("mira"), "{row:?}");
            names.extend(row.object_name);
        }
        names.into_iter().collect::<Vec<_>>()
    };
    let all = ["Split the payment step", "mira", "project"];
    assert_eq!(names().await, all);
    chats::delete(service, writer, chat).await.unwrap();
    agents::delete(service, writer, agent.id).await.unwrap();
    assert_eq!(names().await, ["mira"]);
}

async fn it_is_read_page_by_page_newest_first(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    for name in ["a", "b", "c", "d", "e", "f"] {
        test.advance(Duration::from_secs(1));
        people::user_create(service, admin, name, "member".parse().unwrap())
            .await
            .unwrap();
    }
    let mut request = PageRequest::newest(3);
    let mut times = Vec::new();
    loop {
        let page = people::audit_log(service, admin, &AuditFilter::default(), &request)
            .await
            .unwrap();
        assert!(page.items.len() <= 3);
        times.extend(page.items.iter().map(|row| row.at));
        match page.next {
            Some(next) => request = request.on(next),
            None => break,
        }
    }
    assert_eq!(times.len(), 7);
    assert!(times.is_sorted_by(|newer, older| newer > older));
}

async fn filters_choose_rows_page_by_page(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let mut users = Vec::new();
    for name in ["a", "b", "c"] {
        test.advance(Duration::from_secs(60));
        users.push(user(service, admin, name, "member", "read write").await);
    }
    let (first, by) = users[0];
    test.advance(Duration::from_secs(60));
    let made = chat(service, by, None).await.id;
    let begun = test.clock.now();
    test.advance(Duration::from_secs(60));
    let title = ChatChange {
        title: Some(Some("t".into())),
        ..ChatChange::default()
    };
    chats::change(service, by, made, &title).await.unwrap();
    let refused = people::user_create(service, by, "d", "member".parse().unwrap()).await;
    assert!(refused.is_err());
    let rows = log(test, admin).await;
    let all = AuditFilter::default;
    for filter in [
        all(),
        AuditFilter {
            actor: Some(first.uuid()),
            ..all()
        },
        AuditFilter {
            object: Some(made.uuid()),
            ..all()
        },
        AuditFilter {
            action: Some(Operation::UserCreate),
            ..all()
        },
        AuditFilter {
            outcome: Some(AuditOutcome::Forbidden),
            ..all()
        },
        AuditFilter {
            outcome: Some(AuditOutcome::Done),
            ..all()
        },
        AuditFilter {
            since: Some(begun),
            ..all()
        },
        AuditFilter {
            until: Some(begun),
            ..all()
        },
        AuditFilter {
            actor: Some(first.uuid()),
            action: Some(Operation::ChatChange),
            since: Some(begun),
            ..all()
        },
        AuditFilter {
            object: Some(made.uuid()),
            action: Some(Operation::ChatCreate),
            outcome: Some(AuditOutcome::Done),
            until: Some(begun.after(Duration::from_micros(1))),
            ..all()
        },
        AuditFilter {
            actor: Some(Uuid::nil()),
            ..all()
        },
    ] {
        let expected = rows.iter().rev().filter(|row| filter.accepts(row));
        let expected: Vec<_> = expected.map(|row| row.id).collect();
        let is_nobody = filter.actor == Some(Uuid::nil());
        assert_eq!(expected.is_empty(), is_nobody, "{filter:?}");
        let mut request = PageRequest::newest(1);
        let mut found = Vec::new();
        loop {
            let page = people::audit_log(service, admin, &filter, &request)
                .await
                .unwrap();
            found.extend(page.items.iter().map(|row| row.id));
            match page.next {
                Some(next) => request = request.on(next),
                None => break,
            }
        }
        assert_eq!(found, expected, "{filter:?}");
    }
}

async fn each_row_names_its_door(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let session = sign_in::with_token(service, admin, None).await.unwrap();
    let by_page = sign_in::session_credential(service, &session.pass).await;
    let by_page = by_page.unwrap();
    let request = AgentRequest {
        workspace: "project".into(),
        name: "main".into(),
        may_refresh: true,
        replaces: None,
        ..AgentRequest::default()
    };
    let mut agent = TestAgent::create_from(service, by_page, &request).await;
    for (edition, caller) in [("One.\n", by_page), ("Two.\n", admin)] {
        let workspace = Workspace::with_agents_md("/w", edition);
        agent.push(service, &workspace).await.unwrap();
        chat(service, caller, Some(agent.id)).await;
    }
    pins::refresh_of_agent(service, agent.credential, agent.epoch)
        .await
        .unwrap();
    let (_, auditor) = user(service, by_page, "auditor", "auditor", "read write").await;
    let refused = agents::delete(service, auditor, agent.id).await;
    assert!(refused.is_err());
    let rows = log(test, admin).await;
    let mut found: Vec<_> = rows
        .iter()
        .map(|row| (row.action.as_str(), row.door))
        .collect();
    found.sort_by_key(|(action, door)| (*action, door.map(Door::as_str)));
    let expected = [
        (Operation::AgentCreate, Door::Page),
        (Operation::AgentDelete, Door::Api),
        (Operation::AgentRefresh, Door::Agent),
        (Operation::ChatCreate, Door::Api),
        (Operation::ChatCreate, Door::Page),
        (Operation::SignIn, Door::Page),
        (Operation::TokenCreate, Door::System),
        (Operation::TokenCreateFor, Door::Page),
        (Operation::UserCreate, Door::Page),
    ];
    let expected = expected.map(|(action, door)| (action.as_str(), Some(door)));
    assert_eq!(found, expected);
}

async fn rows_outlive_what_they_tell_of(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let agent = TestAgent::create(service, admin, "project").await;
    let bound = chat(service, admin, Some(agent.id)).await.id;
    chats::delete(service, admin, bound).await.unwrap();
    agents::delete(service, admin, agent.id).await.unwrap();
    let rows = log(test, admin).await;
    for (action, object) in [
        (Operation::ChatCreate, AuditObject::Chat(bound)),
        (Operation::ChatDelete, AuditObject::Chat(bound)),
        (Operation::AgentCreate, AuditObject::Agent(agent.id)),
        (Operation::AgentDelete, AuditObject::Agent(agent.id)),
    ] {
        let found = rows
            .iter()
            .filter(|row| row.action == action && row.object == Some(object));
        assert_eq!(found.count(), 1, "{action}");
    }
}
