//! Tokens that tokens create: they can be revoked with their maker, expire no later than it, and are in the
//! audit log.

use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::access::{Operation, Refusal, Scope};
use ctxpin_model::agent::{AgentRequest, Replaces};
use ctxpin_model::audit::{AuditFilter, AuditObject, AuditOutcome, AuditRecord, NewTokenRecord};
use ctxpin_model::chat::ChatCreate;
use ctxpin_model::delivery::Delivery;
use ctxpin_model::id::{ProcessId, TokenId, UserId};
use ctxpin_model::page::PageRequest;
use ctxpin_model::quota::{Amounts, Quotas};
use ctxpin_model::token::TokenRequest;
use ctxpin_model::token::{Credential, TokenRecord};
use ctxpin_model::user::UserChange;
use ctxpin_operations::agents;
use ctxpin_operations::contexts;
use ctxpin_operations::diffs::{self, DiffRequest};
use ctxpin_operations::error::Error;
use ctxpin_operations::people::{self, Revocation};
use ctxpin_operations::service::Service;
use ctxpin_operations::skills::{self, Reader};
use ctxpin_operations::{prompts, pushes, sign_in, upkeep};
use ctxpin_testing::chats::{TestChat, bound_to, given};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, first_admin, member, token_request, user};
use ctxpin_testing::workspace::Workspace;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::outcome::Outcome;

ctxpin_testing::on_both_databases!(
    finding_11_what_a_token_made_ends_with_it,
    finding_11_what_an_admin_made_for_others_ends_too,
    finding_11_what_a_forgotten_token_made_is_its_makers,
    finding_11_nothing_made_meanwhile_escapes,
    finding_11_an_agent_has_its_token_no_longer_than_its_maker,
    finding_11_a_token_that_provisions_makes_agents_that_stay,
    finding_11_an_agents_token_is_rotated,
    finding_11_a_token_revokes_none_wider,
    finding_11_a_user_who_is_let_in_again_has_what_was_there,
    finding_12_the_log_names_the_token_used_and_the_token_created,
    finding_12_refused_reads_of_bodies_are_noted,
    finding_12_who_asks_for_a_wider_token_is_noted,
    finding_12_its_owner_sees_what_an_admin_made,
    finding_25_a_token_that_only_writes_is_told_no_bodies,
    what_depends_on_a_token,
);

async fn token(service: &Service, by: Credential, scopes: &str) -> Credential {
    let made = people::token_create(service, by, &token_request(scopes)).await;
    made.expect("a token").1.credential()
}

/// Creates a token that expires in `seconds`.
async fn expiring(test: &TestService, by: Credential, scopes: &str, seconds: u64) -> Credential {
    let request = TokenRequest {
        expires_at: Some(test.clock.now().after(Duration::from_secs(seconds))),
        ..token_request(scopes)
    };
    let made = people::token_create(&test.service, by, &request).await;
    made.expect("a token").1.credential()
}

async fn me(service: &Service, credential: Credential) -> Outcome {
    Outcome::of(&people::me(service, credential).await)
}

async fn revoke(
    service: &Service,
    by: Credential,
    token: Credential,
    revocation: Revocation,
) -> Outcome {
    Outcome::of(&people::token_revoke(service, by, token.id, revocation).await)
}

async fn children(service: &Service, by: Credential, token: Credential) -> Vec<TokenRecord> {
    let page = PageRequest::newest(100);
    let children = people::token_children(service, by, token.id, &page).await;
    children.expect("it is there").items
}

fn ids(tokens: &[TokenRecord]) -> Vec<TokenId> {
    tokens.iter().map(|token| token.id).collect()
}

async fn what_depends_on_a_token(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (owner, other) = (
        member(service, admin, "owner").await,
        member(service, admin, "other").await,
    );
    let first = token(service, owner, "read write").await;
    let second = token(service, first, "read").await;
    TestAgent::create(service, first, "project").await;
    sign_in::with_token(service, first, None).await.unwrap();
    let found = people::token_in_use(service, owner, first.id)
        .await
        .unwrap();
    assert_eq!((found.session_count, found.child_count), (1, 2));
    let found = people::token_in_use(service, owner, second.id).await;
    let found = found.unwrap();
    assert_eq!((found.session_count, found.child_count), (0, 0));
    let asked = async |by, token: Credential| {
        Outcome::of(&people::token_in_use(service, by, token.id).await)
    };
    assert_eq!(asked(other, first).await, Outcome::NotFound);
    // It could not revoke them either.
    assert!(matches!(asked(second, first).await, Outcome::Forbidden(_)));
    revoke(service, owner, first, Revocation::Alone).await;
    assert_eq!(asked(owner, first).await, Outcome::NotFound);
    assert_eq!(asked(owner, second).await, Outcome::Done);
}

async fn session(service: &Service, agent: &TestAgent) -> Outcome {
    let process = ProcessId::from(Uuid::now_v7());
    Outcome::of(&pushes::session_open(service, agent.credential, process).await)
}

async fn log(service: &Service, admin: Credential) -> Vec<AuditRecord> {
    let page = people::audit_log(
        service,
        admin,
        &AuditFilter::default(),
        &PageRequest::newest(500),
    )
    .await;
    page.unwrap().items
}

async fn finding_11_what_a_token_made_ends_with_it(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let stolen = token(service, owner, "read write").await;
    let sibling = token(service, owner, "read").await;
    test.advance(Duration::from_secs(1));
    let child = token(service, stolen, "read write").await;
    test.advance(Duration::from_secs(1));
    let mut agent = TestAgent::create(service, child, "project").await;
    let one = Workspace::with_agents_md("/w", "One.\n");
    agent.push(service, &one).await.unwrap();
    let chat = TestChat::bound(service, child, agent.id).await;
    let made = children(service, owner, stolen).await;
    assert_eq!(ids(&made), [agent.credential.id, child.id], "newest first");
    let maker = |token: &TokenRecord| token.made_by.as_ref().and_then(|maker| maker.token);
    assert_eq!(maker(&made[0]), Some(child.id));
    assert_eq!(maker(&made[1]), Some(stolen.id));
    assert_eq!((made[0].agent, made[1].agent), (Some(agent.id), None));
    // Revoked alone, its children stay valid. They can be listed and revoked afterwards.
    let revoked = revoke(service, owner, stolen, Revocation::Alone).await;
    assert_eq!(revoked, Outcome::Done);
    assert_eq!(me(service, stolen).await, Outcome::Unauthenticated);
    assert_eq!(me(service, child).await, Outcome::Done);
    assert_eq!(session(service, &agent).await, Outcome::Done);
    agent.restart(service).await;
    assert_eq!(children(service, owner, stolen).await.len(), 2);
    test.advance(Duration::from_secs(1));
    let revoked = revoke(service, owner, stolen, Revocation::WithChildren).await;
    assert_eq!(revoked, Outcome::Done);
    assert_eq!(me(service, child).await, Outcome::Unauthenticated);
    assert_eq!(session(service, &agent).await, Outcome::Unauthenticated);
    assert_eq!(me(service, sibling).await, Outcome::Done);
    assert_eq!(me(service, owner).await, Outcome::Done);
    assert!(children(service, owner, stolen).await.is_empty());
    // Each revoked token has a row. The agent and its chat stay.
    let now = test.clock.now();
    let rows = log(service, admin).await;
    let ended = rows.iter().filter(|row| row.at == now);
    let mut ended: Vec<_> = ended.map(|row| (row.action, row.object)).collect();
    ended.sort_by_key(|(_, object)| object.map(AuditObject::uuid));
    let mut tokens = [stolen, child, agent.credential].map(|token| token.id);
    tokens.sort();
    let expected = tokens.map(|token| (Operation::TokenRevoke, Some(AuditObject::Token(token))));
    assert_eq!(ended, expected);
    let kept = agents::read(service, owner, agent.id).await.unwrap();
    assert_eq!(kept.token_revoked_at, Some(now));
    assert!(kept.head.is_some());
    let chat = TestChat { owner, ..chat };
    assert!(chat.prompt().await.contains("One."));
}

async fn finding_11_what_an_admin_made_for_others_ends_too(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (id, owner) = user(service, admin, "owner", "member", "read write").await;
    let stolen = token(service, admin, "read write admin").await;
    let for_owner = TokenRequest {
        user: Some(id),
        ..token_request("read write")
    };
    let made = people::token_create(service, stolen, &for_owner).await;
    let made = made.unwrap().1.credential();
    let agent = TestAgent::create(service, made, "project").await;
    let found = children(service, admin, stolen).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|token| token.user == id));
    // Their user sees the children of their own tokens, but not the tokens that made those.
    assert_eq!(children(service, owner, made).await.len(), 1);
    let page = PageRequest::newest(9);
    let theirs = people::token_children(service, owner, stolen.id, &page).await;
    assert_eq!(Outcome::of(&theirs), Outcome::NotFound);
    revoke(service, admin, stolen, Revocation::WithChildren).await;
    assert_eq!(me(service, made).await, Outcome::Unauthenticated);
    assert_eq!(session(service, &agent).await, Outcome::Unauthenticated);
    assert_eq!(me(service, owner).await, Outcome::Done);
}

async fn finding_11_what_a_forgotten_token_made_is_its_makers(test: &TestService) {
    let quotas = Quotas {
        amounts: Amounts {
            tokens: 6,
            ..Quotas::default().amounts
        },
        ..Quotas::default()
    };
    let service = &test.service.clone().with_quotas(quotas);
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let first = token(service, owner, "read write").await;
    let second = token(service, first, "read write").await;
    let third = token(service, second, "read write").await;
    let last = token(service, third, "read write").await;
    test.advance(Duration::from_secs(1));
    let agent = TestAgent::create(service, third, "project").await;
    for gone in [third, second] {
        revoke(service, owner, gone, Revocation::Alone).await;
    }
    // Two more tokens fit, because those that are no longer valid are deleted for them.
    for _ in 0..2 {
        token(service, owner, "read").await;
    }
    let kept = people::tokens(service, owner, &PageRequest::newest(100)).await;
    let kept = kept.unwrap().items;
    assert!(kept.iter().all(|token| token.revoked_at.is_none()));
    let made = children(service, owner, first).await;
    assert_eq!(ids(&made), [agent.credential.id, last.id]);
    for token in &made {
        let maker = token.made_by.as_ref().and_then(|maker| maker.token);
        assert_eq!(maker, Some(first.id));
    }
    revoke(service, owner, first, Revocation::WithChildren).await;
    assert_eq!(me(service, last).await, Outcome::Unauthenticated);
    assert_eq!(session(service, &agent).await, Outcome::Unauthenticated);
}

async fn finding_11_nothing_made_meanwhile_escapes(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let stolen = token(service, owner, "read write").await;
    let made = Arc::new(Notify::new());
    let mut thieves = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (service, made) = (service.clone(), Arc::clone(&made));
        thieves.spawn(async move {
            // Each token creates the next one until all are revoked.
            let mut by = stolen;
            while let Ok((_, token)) =
                people::token_create(&service, by, &token_request("read write")).await
            {
                by = token.credential();
                made.notify_one();
            }
        });
    }
    made.notified().await;
    let revoked = revoke(service, owner, stolen, Revocation::WithChildren).await;
    assert_eq!(revoked, Outcome::Done);
    assert!(children(service, owner, stolen).await.is_empty());
    thieves.join_all().await;
    let made = people::tokens(service, owner, &PageRequest::newest(i64::MAX - 1)).await;
    let open = made.unwrap().items.into_iter();
    let open: Vec<_> = open.filter(|token| token.revoked_at.is_none()).collect();
    assert_eq!(ids(&open), [owner.id]);
}

async fn finding_11_an_agent_has_its_token_no_longer_than_its_maker(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let for_a_while = expiring(test, owner, "read write", 60).await;
    let ends = test.clock.now().after(Duration::from_secs(60));
    let agent = TestAgent::create(service, for_a_while, "project").await;
    let read = agents::read(service, owner, agent.id).await.unwrap();
    assert_eq!(read.token_expires_at, Some(ends));
    let listed = agents::list(service, owner, &PageRequest::newest(1)).await;
    assert_eq!(listed.unwrap().items[0].token_expires_at, Some(ends));
    let process = ProcessId::from(Uuid::now_v7());
    let told = pushes::session_open(service, agent.credential, process).await;
    assert_eq!(told.unwrap().token_expires_at, Some(ends));
    test.advance(Duration::from_secs(60));
    assert_eq!(me(service, for_a_while).await, Outcome::Unauthenticated);
    assert_eq!(session(service, &agent).await, Outcome::Unauthenticated);
    // A token that does not expire creates an agent's token that does not expire either.
    let agent = TestAgent::create(service, owner, "project").await;
    let read = agents::read(service, owner, agent.id).await.unwrap();
    assert_eq!(read.token_expires_at, None);
}

async fn finding_11_a_token_that_provisions_makes_agents_that_stay(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let provisions = expiring(test, admin, "read write provision", 60).await;
    let agent = TestAgent::create(service, provisions, "project").await;
    let read = agents::read(service, admin, agent.id).await.unwrap();
    assert_eq!(read.token_expires_at, None);
    test.advance(Duration::from_secs(60));
    assert_eq!(session(service, &agent).await, Outcome::Done);
    let (_, token) = agents::token_rotate(service, admin, agent.id)
        .await
        .unwrap();
    assert_eq!(session(service, &agent).await, Outcome::Unauthenticated);
    let process = ProcessId::from(Uuid::now_v7());
    let opened = pushes::session_open(service, token.credential(), process).await;
    assert_eq!(Outcome::of(&opened), Outcome::Done);
}

async fn finding_11_an_agents_token_is_rotated(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let stranger = member(service, admin, "stranger").await;
    let for_a_while = expiring(test, owner, "read write", 60).await;
    let mut agent = TestAgent::create(service, for_a_while, "project").await;
    agent
        .push(service, &Workspace::with_agents_md("/w", "One.\n"))
        .await
        .unwrap();
    let chat = TestChat::bound(service, owner, agent.id).await;
    let refused = agents::token_rotate(service, stranger, agent.id).await;
    assert_eq!(Outcome::of(&refused), Outcome::NotFound);
    let (rotated, token) = agents::token_rotate(service, owner, agent.id)
        .await
        .unwrap();
    assert_eq!((rotated.id, rotated.token_expires_at), (agent.id, None));
    assert_eq!(session(service, &agent).await, Outcome::Unauthenticated);
    assert_eq!(
        test.count("select count(*) from tokens where agent_id is not null")
            .await,
        1
    );
    test.advance(Duration::from_secs(60));
    // The agent keeps its timeline and its chats.
    agent.credential = token.credential();
    agent.restart(service).await;
    agent
        .push(service, &Workspace::with_agents_md("/w", "Two.\n"))
        .await
        .unwrap();
    let head = agents::read(service, owner, agent.id).await.unwrap().head;
    assert_eq!(head.map(|head| head.seq), Some(2));
    assert!(chat.record().await.drift().is_some());
    // An agent whose token was revoked gets a new one.
    revoke(service, owner, for_a_while, Revocation::WithChildren).await;
    let replaces = Replaces::Agent(agent.id);
    let mut next = TestAgent::create_replacing(service, owner, "project", replaces).await;
    next.push(service, &Workspace::with_agents_md("/w", "Three.\n"))
        .await
        .unwrap();
    let replaced = agents::token_rotate(service, owner, agent.id).await;
    assert!(replaced.is_err(), "a fenced one pushes nothing any more");
}

async fn finding_11_a_token_revokes_none_wider(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let narrow = token(service, admin, "write").await;
    let wide = token(service, admin, "read write admin").await;
    for revoked in [Revocation::Alone, Revocation::WithChildren] {
        let outcome = revoke(service, narrow, wide, revoked).await;
        let expected = Outcome::Forbidden(Refusal::RevokesWider(Scope::Read));
        assert_eq!(outcome, expected);
    }
    let reads = token(service, admin, "read write").await;
    let outcome = people::token_revoke(service, reads, wide.id, Revocation::Alone).await;
    let told = outcome.unwrap_err().to_string();
    assert!(told.contains("lacks the scope `admin`"), "{told}");
    assert_eq!(me(service, wide).await, Outcome::Done);
    assert_eq!(
        revoke(service, wide, reads, Revocation::Alone).await,
        Outcome::Done
    );
    // It may revoke itself, and a token of the same scopes.
    let same = token(service, admin, "write").await;
    assert_eq!(
        revoke(service, narrow, same, Revocation::Alone).await,
        Outcome::Done
    );
    assert_eq!(
        revoke(service, narrow, narrow, Revocation::Alone).await,
        Outcome::Done
    );
    assert_eq!(me(service, narrow).await, Outcome::Unauthenticated);
}

async fn disable(service: &Service, admin: Credential, user: UserId, disabled: bool) {
    let change = UserChange {
        disabled: Some(disabled),
        ..UserChange::default()
    };
    people::user_change(service, admin, user, &change)
        .await
        .expect("the user is there");
}

async fn finding_11_a_user_who_is_let_in_again_has_what_was_there(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (id, owner) = user(service, admin, "owner", "member", "read write").await;
    let other = token(service, owner, "read").await;
    let expiring = expiring(test, owner, "read", 60).await;
    let revoked = token(service, owner, "read").await;
    let agent = TestAgent::create(service, owner, "project").await;
    disable(service, admin, id, true).await;
    for token in [owner, other, expiring, revoked] {
        assert_eq!(me(service, token).await, Outcome::Unauthenticated);
    }
    assert_eq!(session(service, &agent).await, Outcome::Unauthenticated);
    // A token that was revoked meanwhile stays revoked.
    assert_eq!(
        revoke(service, admin, revoked, Revocation::Alone).await,
        Outcome::Done
    );
    test.advance(Duration::from_secs(60));
    disable(service, admin, id, false).await;
    for token in [owner, other] {
        assert_eq!(me(service, token).await, Outcome::Done);
    }
    for token in [expiring, revoked] {
        assert_eq!(me(service, token).await, Outcome::Unauthenticated);
    }
    assert_eq!(session(service, &agent).await, Outcome::Done);
}

async fn finding_12_the_log_names_the_token_used_and_the_token_created(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let first = log(service, admin).await.pop().unwrap();
    assert_eq!(
        (first.token, first.object),
        (None, Some(AuditObject::Token(admin.id)))
    );
    assert_eq!(first.new_token.map(|made| made.id), Some(admin.id));
    let (id, _) = user(service, admin, "owner", "member", "read").await;
    let by = token(service, admin, "read write admin").await;
    test.advance(Duration::from_secs(1));
    let expires_at = Some(test.clock.now().after(Duration::from_secs(60)));
    let asked = TokenRequest {
        user: Some(id),
        expires_at,
        ..token_request("read write")
    };
    let made = people::token_create(service, by, &asked).await;
    let made = made.unwrap().1.credential();
    let newest = async || log(service, admin).await.remove(0);
    let row = newest().await;
    assert_eq!(row.token, Some(by.id));
    assert_eq!(
        (row.action, row.object),
        (Operation::TokenCreateFor, Some(AuditObject::Token(made.id)))
    );
    let told = NewTokenRecord {
        id: made.id,
        user: Some(id),
        scopes: "read write".parse().unwrap(),
        expires_at,
    };
    assert_eq!(row.new_token, Some(told));
    test.advance(Duration::from_secs(1));
    let agent = TestAgent::create(service, made, "project").await;
    let row = newest().await;
    assert_eq!(
        (row.action, row.token),
        (Operation::AgentCreate, Some(made.id))
    );
    assert_eq!(row.object, Some(AuditObject::Agent(agent.id)));
    let told = NewTokenRecord {
        id: agent.credential.id,
        user: None,
        scopes: Default::default(),
        expires_at,
    };
    assert_eq!(row.new_token, Some(told));
    // The same holds for other operations.
    test.advance(Duration::from_secs(1));
    TestChat::create(service, made, &ChatCreate::default())
        .await
        .unwrap();
    let row = newest().await;
    assert_eq!((row.token, row.new_token), (Some(made.id), None));
}

async fn finding_12_refused_reads_of_bodies_are_noted(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let (_, auditor) = user(service, admin, "auditor", "auditor", "read write").await;
    let stranger = member(service, admin, "stranger").await;
    let mut agent = TestAgent::create(service, owner, "project").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n").skill("pdf", "Reads.", &[("a", "a")]);
    agent.push(service, &workspace).await.unwrap();
    let chat = TestChat::bound(service, owner, agent.id).await.id;
    let resource = workspace.snapshot().resources[0].id();
    let before = log(service, admin).await.len();
    test.advance(Duration::from_secs(1));
    for reader in [auditor, admin, stranger] {
        for _ in 0..2 {
            let refused = [
                prompts::prompt(service, reader, chat, None).await.is_err(),
                diffs::diff(service, reader, chat, DiffRequest::default())
                    .await
                    .is_err(),
                skills::list(service, reader, chat).await.is_err(),
                skills::read(service, reader, chat, "pdf", Reader::Person)
                    .await
                    .is_err(),
                skills::file(service, reader, chat, "pdf", "a")
                    .await
                    .is_err(),
                skills::tools(service, reader, chat).await.is_err(),
                contexts::resource(service, reader, chat, resource)
                    .await
                    .is_err(),
            ];
            assert_eq!(refused, [true; 7]);
        }
    }
    upkeep::refusals::write(service).await.unwrap();
    let mut rows = log(service, admin).await;
    rows.truncate(rows.len() - before);
    let mut told = Vec::new();
    for row in &rows {
        assert_eq!(row.outcome, AuditOutcome::Forbidden);
        assert_eq!(row.object, Some(AuditObject::Chat(chat)));
        let token = row.token.expect("somebody's");
        told.push((token, row.action, row.count));
    }
    told.sort();
    let mut expected = Vec::new();
    // A stranger's `not-found` leaves no row.
    for reader in [auditor, admin] {
        expected.extend([
            (reader.id, Operation::PromptRead, 2),
            (reader.id, Operation::DiffRead, 2),
            (reader.id, Operation::SkillRead, 6),
            (reader.id, Operation::ToolRead, 2),
            (reader.id, Operation::ResourceRead, 2),
        ]);
    }
    expected.sort();
    assert_eq!(told, expected);
}

async fn finding_12_who_asks_for_a_wider_token_is_noted(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let stolen = expiring(test, admin, "write", 60).await;
    let before = log(service, admin).await.len();
    test.advance(Duration::from_secs(1));
    let longer = TokenRequest {
        expires_at: Some(test.clock.now().after(Duration::from_secs(3_600))),
        ..token_request("write")
    };
    for wider in [token_request("read write"), token_request("admin"), longer] {
        let refused = people::token_create(service, stolen, &wider).await;
        assert!(matches!(refused, Err(Error::WiderToken(_))), "{refused:?}");
    }
    upkeep::refusals::write(service).await.unwrap();
    let rows = log(service, admin).await;
    let rows: Vec<_> = rows[..rows.len() - before]
        .iter()
        .map(|row| (row.token, row.action, row.outcome, row.count))
        .collect();
    let token = Some(stolen.id);
    let expected = (token, Operation::TokenCreate, AuditOutcome::Forbidden, 3);
    assert_eq!(rows, [expected]);
}

async fn finding_12_its_owner_sees_what_an_admin_made(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (id, by_admin) = user(service, admin, "owner", "member", "read write").await;
    test.advance(Duration::from_secs(1));
    let own = token(service, by_admin, "read").await;
    let tokens = people::tokens(service, by_admin, &PageRequest::newest(9)).await;
    let tokens = tokens.unwrap().items;
    assert_eq!(ids(&tokens), [own.id, by_admin.id]);
    let makers: Vec<_> = tokens
        .iter()
        .map(|token| token.made_by.as_ref().expect("somebody made it"))
        .collect();
    assert_eq!((makers[0].user, makers[0].token), (id, Some(by_admin.id)));
    assert_ne!(makers[1].user, id);
    assert_eq!(
        (makers[1].name.as_str(), makers[1].token),
        ("admin", Some(admin.id))
    );
    let (_, first) = people::me(service, admin).await.unwrap();
    assert_eq!(first.made_by, None);
}

async fn finding_25_a_token_that_only_writes_is_told_no_bodies(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let writes = token(service, owner, "write").await;
    let request = AgentRequest {
        workspace: "project".into(),
        name: "main".into(),
        may_refresh: false,
        replaces: None,
        ..AgentRequest::default()
    };
    let mut agent = TestAgent::create_from(service, writes, &request).await;
    let one = Workspace::with_agents_md("/w", "One.\n").skill("pdf", "Reads.", &[]);
    agent.push(service, &one).await.unwrap();
    // It may do everything that needs the scope `write`.
    let chat = TestChat::create(service, writes, &bound_to(agent.id))
        .await
        .unwrap();
    let child = ChatCreate {
        parent: Some(chat.id),
        ..ChatCreate::default()
    };
    TestChat::create(service, writes, &child).await.unwrap();
    let two = one.clone().file("AGENTS.md", "Two.\n");
    agent.push(service, &two).await.unwrap();
    let moved = chat.refresh().await.unwrap();
    assert!(!moved.tells_bodies);
    let turn = chat.turn_as(Some("t"), Delivery::Delivered).await.unwrap();
    assert!(turn.given.is_none());
    assert!(turn.notice.unwrap().contains("lacks the scope `read`"));
    assert!(turn.turn.prompt.is_some());
    // The same turn contains the bodies for a token that may read.
    let read = TestChat { owner, ..chat };
    let again = read.turn_as(Some("t"), Delivery::Delivered).await.unwrap();
    assert!(given(&again).prompt.contains("Two."));
    assert!(read.context().await.tells_bodies);
}
