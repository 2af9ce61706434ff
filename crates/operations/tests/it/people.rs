//! Users and their tokens.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;

use ctxpin_model::access::{Refusal, Role, Scope, Scopes};
use ctxpin_model::audit::AuditFilter;
use ctxpin_model::id::{ProcessId, TokenId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::PageRequest;
use ctxpin_model::proof::{Challenge, Nonce};
use ctxpin_model::quota::QuotaChange;
use ctxpin_model::token::TokenRequest;
use ctxpin_model::token::{Credential, Token, TokenRecord};
use ctxpin_model::user::UserChange;
use ctxpin_operations::error::{Error, Result};
use ctxpin_operations::people::{self, FirstToken, Revocation};
use ctxpin_operations::{agents, pushes, quotas, upkeep};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, first_admin, member, token_request, user};
use ctxpin_testing::workspace::Workspace;
use uuid::Uuid;

use crate::outcome::Outcome;

ctxpin_testing::on_both_databases!(
    the_first_user_is_made_once,
    nothing_is_written_of_a_first_user_whose_token_was_not_kept,
    of_two_servers_one_makes_the_first_user,
    a_lost_first_token_can_be_made_anew,
    users_are_listed_newest_first,
    a_name_is_taken_once,
    a_change_of_roles_counts_at_once,
    a_disabled_user_and_the_users_agents_are_locked_out,
    an_admin_cannot_lock_themselves_out,
    an_unknown_user_is_not_found,
    a_token_is_no_wider_than_the_one_that_makes_it,
    a_token_lives_no_longer_than_the_one_that_makes_it,
    a_token_opens_nothing_from_its_expiry_on,
    a_revoked_token_opens_nothing,
    a_token_is_revoked_by_its_owner_or_an_admin,
    an_agents_token_is_not_revoked_by_itself,
    a_wrong_secret_opens_nothing,
    own_tokens_are_listed_without_their_secrets,
    an_admin_makes_a_token_for_another_user,
    the_use_of_a_token_is_noted_once_a_minute,
    finding_08_a_proof_costs_the_same_for_tokens_that_are_not_there,
    a_deleted_token_is_proved_for_a_month_and_opens_nothing,
);

async fn token(test: &TestService, by: Credential, scopes: &str) -> Token {
    let made = people::token_create(&test.service, by, &token_request(scopes)).await;
    made.unwrap().1
}

async fn finding_08_a_proof_costs_the_same_for_tokens_that_are_not_there(test: &TestService) {
    let known = first_admin(&test.service).await;
    let challenge = Challenge::new(Nonce::new([7; 32]), "127.0.0.1:7878");
    let prove = async |id: TokenId| {
        let before = test.service.counts();
        let proof = people::token_proof(&test.service, id, &challenge).await;
        let after = test.service.counts();
        let statements = after.statements - before.statements;
        let round_trips = after.round_trips - before.round_trips;
        (proof.unwrap(), statements, round_trips)
    };
    let (proof, statements, round_trips) = prove(known.id).await;
    assert!(challenge.is_answered_by(&known.secret_hash, &proof));
    assert_eq!(statements, 1);
    let other = TokenId::from(Uuid::from_u128(7));
    let (unknown, ..) = prove(other).await;
    assert_eq!(prove(other).await, (unknown, statements, round_trips));
    assert_ne!(prove(TokenId::from(Uuid::from_u128(8))).await.0, unknown);
}

async fn a_deleted_token_is_proved_for_a_month_and_opens_nothing(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let challenge = Challenge::new(Nonce::new([7; 32]), "127.0.0.1:7878");
    let is_proved = async |credential: Credential| {
        let proof = people::token_proof(service, credential.id, &challenge).await;
        challenge.is_answered_by(&credential.secret_hash, &proof.unwrap())
    };
    let deleted = TestAgent::create(service, owner, "shop").await;
    agents::delete(service, owner, deleted.id).await.unwrap();
    let rotated = TestAgent::create(service, owner, "wiki").await;
    let (_, newer) = agents::token_rotate(service, owner, rotated.id)
        .await
        .unwrap();
    // The quota of tokens is that of the service: revoked ones give way when it is used up.
    let revoked = token(test, owner, "read").await.credential();
    people::token_revoke(service, owner, revoked.id, Revocation::Alone)
        .await
        .unwrap();
    let change = QuotaChange {
        tokens: Some(Some(2)),
        ..QuotaChange::default()
    };
    let admin = people::me(service, owner).await.unwrap().0.id;
    quotas::change(service, owner, admin, &change)
        .await
        .unwrap();
    token(test, owner, "read").await;
    let gone = [deleted.credential, rotated.credential, revoked];
    let rows = "select count(*) from tokens where user_id is not null";
    assert_eq!(test.count(rows).await, 2, "the revoked token has given way");
    for credential in gone {
        assert!(is_proved(credential).await);
        assert_eq!(me(test, credential).await, Outcome::Unauthenticated);
    }
    let day = Duration::from_secs(24 * 60 * 60);
    test.advance(30 * day);
    assert_eq!(upkeep::passes::sweep(service).await.unwrap(), 0);
    assert!(is_proved(deleted.credential).await);
    test.advance(day);
    assert_eq!(upkeep::passes::sweep(service).await.unwrap(), 3);
    for credential in gone {
        assert!(!is_proved(credential).await);
    }
    assert!(is_proved(newer.credential()).await);
}

async fn me(test: &TestService, credential: Credential) -> Outcome {
    Outcome::of(&people::me(&test.service, credential).await)
}

fn later(test: &TestService, seconds: u64) -> Moment {
    test.clock.now().after(Duration::from_secs(seconds))
}

async fn the_first_user_is_made_once(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let calls = Cell::new(0);
    let keep = |_: &Token| {
        calls.set(calls.get() + 1);
        Ok::<(), Infallible>(())
    };
    let again = people::first_user(&test.service, FirstToken::OnlyWithUser, keep).await;
    assert!(matches!(again, Ok(Ok(false))));
    assert_eq!(calls.get(), 0, "no token is handed out");
    let (me, token) = people::me(&test.service, admin).await.unwrap();
    assert_eq!(me.name, people::FIRST_USER_NAME);
    assert_eq!(me.roles, [Role::Member, Role::Admin].into_iter().collect());
    assert_eq!((token.scopes, token.expires_at), (Scopes::all(), None));
    assert_eq!(test.count("select count(*) from users").await, 1);
    assert_eq!(test.count("select count(*) from tokens").await, 1);
}

async fn nothing_is_written_of_a_first_user_whose_token_was_not_kept(test: &TestService) {
    let keep = |_: &Token| Err("the disk is full");
    for _ in 0..2 {
        let made = people::first_user(&test.service, FirstToken::OnlyWithUser, keep).await;
        assert_eq!(made.unwrap(), Err("the disk is full"));
        let rows = "select (select count(*) from users) + (select count(*) from tokens) \
                    + (select count(*) from audit_log)";
        assert_eq!(test.count(rows).await, 0);
    }
    let admin = first_admin(&test.service).await;
    assert_eq!(me(test, admin).await, Outcome::Done);
}

async fn of_two_servers_one_makes_the_first_user(test: &TestService) {
    let other = test.replica().await;
    let keep = |_: &Token| Ok::<(), Infallible>(());
    let policy = FirstToken::OnlyWithUser;
    let (one, two) = tokio::join!(
        people::first_user(&test.service, policy, keep),
        people::first_user(&other, policy, keep),
    );
    let made = [one.unwrap().unwrap(), two.unwrap().unwrap()];
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
    assert_eq!(test.count("select count(*) from tokens").await, 1);
    other.close().await;
}

async fn a_lost_first_token_can_be_made_anew(test: &TestService) {
    let admin = first_admin(&test.service).await;
    test.advance(Duration::from_secs(1));
    member(&test.service, admin, "other").await;
    let anew = Cell::new(None);
    let keep = |token: &Token| {
        anew.set(Some(token.credential()));
        Ok::<(), Infallible>(())
    };
    let made = people::first_user(&test.service, FirstToken::Always, keep).await;
    assert!(matches!(made, Ok(Ok(true))));
    let anew = anew.take().expect("a token was handed out");
    let (first, _) = people::me(&test.service, admin).await.unwrap();
    let (same, token) = people::me(&test.service, anew).await.unwrap();
    assert_eq!((same.id, token.scopes), (first.id, Scopes::all()));
    assert_eq!(test.count("select count(*) from users").await, 2);
}

async fn users_are_listed_newest_first(test: &TestService) {
    let admin = first_admin(&test.service).await;
    for name in ["one", "two", "three"] {
        test.advance(Duration::from_secs(1));
        let roles = "member auditor".parse().unwrap();
        let made = people::user_create(&test.service, admin, name, roles)
            .await
            .unwrap();
        assert_eq!(
            (made.name.as_str(), made.roles, made.disabled),
            (name, roles, false)
        );
        assert_eq!(made.created_at, test.clock.now());
    }
    let mut request = PageRequest::newest(3);
    let page = people::users(&test.service, admin, &request).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["three", "two", "one"]);
    request = request.on(page.next.unwrap());
    let page = people::users(&test.service, admin, &request).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
    assert_eq!(page.items[0].name, people::FIRST_USER_NAME);
}

async fn change(
    test: &TestService,
    by: Credential,
    user: UserId,
    change: UserChange,
) -> Result<ctxpin_model::user::UserRecord> {
    people::user_change(&test.service, by, user, &change).await
}

fn named(name: &str) -> UserChange {
    UserChange {
        name: Some(name.into()),
        ..UserChange::default()
    }
}

fn with_roles(roles: &str) -> UserChange {
    UserChange {
        roles: Some(roles.parse().expect("known roles")),
        ..UserChange::default()
    }
}

fn disabled(disabled: bool) -> UserChange {
    UserChange {
        disabled: Some(disabled),
        ..UserChange::default()
    }
}

async fn a_name_is_taken_once(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let (user, _) = user(&test.service, admin, "one", "member", "read").await;
    let roles = "member".parse().unwrap();
    for name in ["one", people::FIRST_USER_NAME] {
        let again = people::user_create(&test.service, admin, name, roles).await;
        assert!(matches!(again, Err(Error::Conflict(_))), "{name}");
    }
    let renamed = change(test, admin, user, named(people::FIRST_USER_NAME)).await;
    assert!(matches!(renamed, Err(Error::Conflict(_))));
    // The user keeps the name, takes another one, and then somebody takes the old one.
    change(test, admin, user, named("one")).await.unwrap();
    let renamed = change(test, admin, user, named("two")).await.unwrap();
    assert_eq!((renamed.id, renamed.name.as_str()), (user, "two"));
    people::user_create(&test.service, admin, "one", roles)
        .await
        .unwrap();
    // Names that differ in case are different names.
    people::user_create(&test.service, admin, "One", roles)
        .await
        .unwrap();
}

async fn a_change_of_roles_counts_at_once(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let (id, credential) = user(&test.service, admin, "one", "member", "read").await;
    let request = PageRequest::newest(1);
    let reads = || async {
        Outcome::of(
            &people::audit_log(&test.service, credential, &AuditFilter::default(), &request).await,
        )
    };
    assert_eq!(
        reads().await,
        Outcome::Forbidden(Refusal::RoleMissing(Role::Auditor))
    );
    let changed = change(test, admin, id, with_roles("auditor"))
        .await
        .unwrap();
    assert_eq!(changed.roles, "auditor".parse().unwrap());
    assert_eq!(changed.name, "one", "what is not named stays");
    assert_eq!(reads().await, Outcome::Done);
    change(test, admin, id, with_roles("member")).await.unwrap();
    assert_eq!(
        reads().await,
        Outcome::Forbidden(Refusal::RoleMissing(Role::Auditor))
    );
}

async fn a_disabled_user_and_the_users_agents_are_locked_out(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (id, credential) = user(service, admin, "one", "member", "read write").await;
    let mut agent = TestAgent::create(service, credential, "project").await;
    agent
        .push(service, &Workspace::with_agents_md("/w", "One.\n"))
        .await
        .unwrap();
    change(test, admin, id, disabled(true)).await.unwrap();

    assert_eq!(me(test, credential).await, Outcome::Unauthenticated);
    let pushed = agent
        .push(service, &Workspace::with_agents_md("/w", "Two.\n"))
        .await;
    assert_eq!(Outcome::of(&pushed), Outcome::Unauthenticated);
    let process = ProcessId::from(Uuid::from_u128(7));
    let session = pushes::session_open(service, agent.credential, process).await;
    assert_eq!(Outcome::of(&session), Outcome::Unauthenticated);
    let made = people::token_create(service, credential, &token_request("read")).await;
    assert_eq!(Outcome::of(&made), Outcome::Unauthenticated);

    change(test, admin, id, disabled(false)).await.unwrap();
    assert_eq!(me(test, credential).await, Outcome::Done);
    agent
        .push(service, &Workspace::with_agents_md("/w", "Two.\n"))
        .await
        .unwrap();
}

async fn an_admin_cannot_lock_themselves_out(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let own = people::me(service, admin).await.unwrap().0;
    for refused in [disabled(true), with_roles("member"), with_roles("")] {
        let both = UserChange {
            name: Some("half".into()),
            ..refused
        };
        let outcome = change(test, admin, own.id, both).await;
        assert!(matches!(outcome, Err(Error::Invalid(_))), "{outcome:?}");
    }
    let after = people::me(service, admin).await.unwrap().0;
    assert_eq!(
        (after.name, after.roles, after.disabled),
        (own.name, own.roles, false)
    );
    // Changes that keep the role are allowed, and so are changes by another admin.
    change(test, admin, own.id, with_roles("admin auditor"))
        .await
        .unwrap();
    change(test, admin, own.id, named("root")).await.unwrap();
    let (_, other) = user(service, admin, "other", "admin", "admin").await;
    change(test, other, own.id, with_roles("member"))
        .await
        .unwrap();
    let list = people::users(service, admin, &PageRequest::newest(1)).await;
    assert_eq!(
        Outcome::of(&list),
        Outcome::Forbidden(Refusal::RoleMissing(Role::Admin))
    );
}

async fn an_unknown_user_is_not_found(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let unknown = UserId::from(Uuid::from_u128(1));
    let changed = change(test, admin, unknown, named("x")).await;
    assert_eq!(Outcome::of(&changed), Outcome::NotFound);
    let request = TokenRequest {
        user: Some(unknown),
        ..token_request("read")
    };
    let made = people::token_create(&test.service, admin, &request).await;
    assert_eq!(Outcome::of(&made), Outcome::NotFound);
    assert_eq!(test.count("select count(*) from tokens").await, 1);
}

async fn a_token_is_no_wider_than_the_one_that_makes_it(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let narrow = token(test, admin, "read write").await.credential();
    for scopes in ["read", "write", "read write"] {
        let made = people::token_create(&test.service, narrow, &token_request(scopes)).await;
        assert_eq!(made.unwrap().0.scopes, scopes.parse().unwrap());
    }
    for scopes in [
        "admin",
        "read admin",
        "read write provision",
        "provision",
        "",
    ] {
        let made = people::token_create(&test.service, narrow, &token_request(scopes)).await;
        let is_refused = match scopes {
            "" => matches!(made, Err(Error::Invalid(_))),
            _ => matches!(made, Err(Error::WiderToken(_))),
        };
        assert!(is_refused, "{scopes:?}: {made:?}");
    }
    // A token without `write` creates none, and an admin's token is bound by its scopes too.
    let reads = token(test, narrow, "read").await.credential();
    let made = people::token_create(&test.service, reads, &token_request("read")).await;
    let expected = Outcome::Forbidden(Refusal::ScopeMissing(Scope::Write));
    assert_eq!(Outcome::of(&made), expected);
    let (other, _) = user(&test.service, admin, "other", "member", "read").await;
    let only_admin = token(test, admin, "admin").await.credential();
    let request = TokenRequest {
        user: Some(other),
        ..token_request("read write")
    };
    let made = people::token_create(&test.service, only_admin, &request).await;
    assert!(matches!(made, Err(Error::WiderToken(_))));
}

async fn a_token_lives_no_longer_than_the_one_that_makes_it(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let ends = later(test, 3_600);
    let asking = |expires_at| TokenRequest {
        expires_at,
        ..token_request("read write")
    };
    let made = people::token_create(&test.service, admin, &asking(Some(ends))).await;
    let (record, bound) = made.unwrap();
    assert_eq!(record.expires_at, Some(ends));
    let bound = bound.credential();
    let made = people::token_create(&test.service, bound, &asking(None)).await;
    assert_eq!(
        made.unwrap().0.expires_at,
        Some(ends),
        "unasked it ends with its maker"
    );
    for sooner in [1, 3_599, 3_600] {
        let at = later(test, sooner);
        let made = people::token_create(&test.service, bound, &asking(Some(at))).await;
        assert_eq!(made.unwrap().0.expires_at, Some(at));
    }
    // RFC 3339 cannot write this year.
    let never = Moment::from_unix_micros(253_402_300_800_000_000);
    let made = people::token_create(&test.service, admin, &asking(never)).await;
    assert!(matches!(made, Err(Error::Invalid(_))));
    let longer = ends.after(Duration::from_micros(1));
    let made = people::token_create(&test.service, bound, &asking(Some(longer))).await;
    assert!(matches!(made, Err(Error::WiderToken(_))));
    let now = test.clock.now();
    for past in [now, now.before(Duration::from_secs(1))] {
        let made = people::token_create(&test.service, admin, &asking(Some(past))).await;
        assert!(matches!(made, Err(Error::Invalid(_))));
    }
}

async fn a_token_opens_nothing_from_its_expiry_on(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let request = TokenRequest {
        expires_at: Some(later(test, 60)),
        ..token_request("read")
    };
    let (_, token) = people::token_create(&test.service, admin, &request)
        .await
        .unwrap();
    let expiring = token.credential();
    test.advance(Duration::from_secs(60) - Duration::from_micros(1));
    assert_eq!(me(test, expiring).await, Outcome::Done);
    test.advance(Duration::from_micros(1));
    assert_eq!(me(test, expiring).await, Outcome::Unauthenticated);
    let listed = agents::list(&test.service, expiring, &PageRequest::newest(1)).await;
    assert_eq!(Outcome::of(&listed), Outcome::Unauthenticated);
    assert_eq!(me(test, admin).await, Outcome::Done);
}

async fn a_revoked_token_opens_nothing(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let credential = token(test, admin, "read write").await.credential();
    assert_eq!(me(test, credential).await, Outcome::Done);
    // A token may revoke itself.
    people::token_revoke(&test.service, credential, credential.id, Revocation::Alone)
        .await
        .unwrap();
    let first = test.clock.now();
    assert_eq!(me(test, credential).await, Outcome::Unauthenticated);
    test.advance(Duration::from_secs(5));
    people::token_revoke(&test.service, admin, credential.id, Revocation::Alone)
        .await
        .unwrap();
    let record = record_of(test, admin, credential).await;
    assert_eq!(
        record.revoked_at,
        Some(first),
        "revoking twice keeps the first time"
    );
}

async fn record_of(test: &TestService, owner: Credential, token: Credential) -> TokenRecord {
    let page = people::tokens(&test.service, owner, &PageRequest::newest(100)).await;
    let mut records = page.unwrap().items.into_iter();
    records
        .find(|record| record.id == token.id)
        .expect("it is listed")
}

async fn a_token_is_revoked_by_its_owner_or_an_admin(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let stranger = member(service, admin, "stranger").await;
    let (_, auditor) = user(service, admin, "auditor", "auditor", "read write").await;
    let admin_without_scope = token(test, admin, "read write").await.credential();
    let target = token(test, owner, "read").await.credential();
    for caller in [stranger, auditor, admin_without_scope] {
        let revoked = people::token_revoke(service, caller, target.id, Revocation::Alone).await;
        assert_eq!(Outcome::of(&revoked), Outcome::NotFound);
    }
    let nobodys = Uuid::from_u128(1).into();
    let revoked = people::token_revoke(service, admin, nobodys, Revocation::Alone).await;
    assert_eq!(Outcome::of(&revoked), Outcome::NotFound);
    assert_eq!(me(test, target).await, Outcome::Done);
    people::token_revoke(service, owner, target.id, Revocation::Alone)
        .await
        .unwrap();
    assert_eq!(me(test, target).await, Outcome::Unauthenticated);
    people::token_revoke(service, admin, owner.id, Revocation::Alone)
        .await
        .unwrap();
    assert_eq!(me(test, owner).await, Outcome::Unauthenticated);
}

async fn an_agents_token_is_not_revoked_by_itself(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let mut agent = TestAgent::create(service, admin, "project").await;
    let revoked =
        people::token_revoke(service, admin, agent.credential.id, Revocation::Alone).await;
    assert_eq!(Outcome::of(&revoked), Outcome::NotFound);
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    agent.push(service, &workspace).await.unwrap();
    // It is revoked with its agent.
    agents::delete(service, admin, agent.id).await.unwrap();
    let pushed = agent.push(service, &workspace).await;
    assert_eq!(Outcome::of(&pushed), Outcome::Unauthenticated);
}

async fn a_wrong_secret_opens_nothing(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let mut wrong = admin;
    wrong.secret_hash[31] ^= 1;
    let unknown = Token::new(Uuid::from_u128(1).into(), [7; 32]).credential();
    let mut of_another = token(test, admin, "read").await.credential();
    of_another.id = admin.id;
    for credential in [wrong, unknown, of_another] {
        assert_eq!(me(test, credential).await, Outcome::Unauthenticated);
    }
}

async fn own_tokens_are_listed_without_their_secrets(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    TestAgent::create(service, owner, "project").await;
    test.advance(Duration::from_secs(1));
    let request = TokenRequest {
        label: Some("laptop".into()),
        ..token_request("read")
    };
    let (record, token) = people::token_create(service, owner, &request)
        .await
        .unwrap();
    let text = token.reveal();
    let (_, secret) = text.rsplit_once('_').unwrap();
    let page = people::tokens(service, owner, &PageRequest::newest(9))
        .await
        .unwrap();
    let ids: Vec<_> = page.items.iter().map(|record| record.id).collect();
    // The list is newest first, without tokens of others or of agents.
    assert_eq!(ids, [token.credential().id, owner.id]);
    assert_eq!(page.items[0].label.as_deref(), Some("laptop"));
    assert_eq!(page.items[0].created_at, test.clock.now());
    let secret_hash = token.credential().secret_hash;
    for told in [
        format!("{page:?}"),
        format!("{record:?}"),
        format!("{token:?}"),
    ] {
        assert!(!told.contains(secret) && !told.contains(&format!("{secret_hash:?}")));
    }
    assert_eq!(page.items[0].id.uuid().simple().to_string(), text[7..39]);
}

async fn an_admin_makes_a_token_for_another_user(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (id, owner) = user(service, admin, "owner", "member", "read").await;
    let for_owner = TokenRequest {
        user: Some(id),
        ..token_request("read write")
    };
    let (record, token) = people::token_create(service, admin, &for_owner)
        .await
        .unwrap();
    assert_eq!(record.user, id);
    let (me, _) = people::me(service, token.credential()).await.unwrap();
    assert_eq!(me.id, id);
    // Roles belong to the user, so the scopes of an admin's token give a member no more rights.
    let all = TokenRequest {
        user: Some(id),
        ..token_request("read write provision admin")
    };
    let (_, wide) = people::token_create(service, admin, &all).await.unwrap();
    let users = people::users(service, wide.credential(), &PageRequest::newest(1)).await;
    assert_eq!(
        Outcome::of(&users),
        Outcome::Forbidden(Refusal::RoleMissing(Role::Admin))
    );
    // Only admins may.
    for (caller, refusal) in [
        (owner, Refusal::ScopeMissing(Scope::Admin)),
        (wide.credential(), Refusal::RoleMissing(Role::Admin)),
    ] {
        let made = people::token_create(service, caller, &for_owner).await;
        assert_eq!(Outcome::of(&made), Outcome::Forbidden(refusal));
    }
}

async fn the_use_of_a_token_is_noted_once_a_minute(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let used = token(test, admin, "read").await.credential();
    let start = test.clock.now();
    let last_use = || async { record_of(test, admin, used).await.last_used_at };
    assert_eq!(me(test, used).await, Outcome::Done);
    assert_eq!(
        last_use().await,
        None,
        "it is written off the request's path"
    );
    upkeep::last_used::write(&test.service).await.unwrap();
    assert_eq!(last_use().await, Some(start));

    test.advance(Duration::from_secs(59));
    assert_eq!(me(test, used).await, Outcome::Done);
    upkeep::last_used::write(&test.service).await.unwrap();
    assert_eq!(last_use().await, Some(start));

    test.advance(Duration::from_secs(1));
    assert_eq!(me(test, used).await, Outcome::Done);
    upkeep::last_used::write(&test.service).await.unwrap();
    assert_eq!(last_use().await, Some(test.clock.now()));

    // A token that was not used, or used in vain, gets no time.
    let noted = last_use().await;
    test.advance(Duration::from_secs(600));
    let mut wrong = used;
    wrong.secret_hash[0] ^= 1;
    assert_eq!(me(test, wrong).await, Outcome::Unauthenticated);
    upkeep::last_used::write(&test.service).await.unwrap();
    assert_eq!(last_use().await, noted);
}
