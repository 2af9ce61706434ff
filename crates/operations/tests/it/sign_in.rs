//! Sessions of the web page and one-time codes: what opens, and when it ends.

use std::time::Duration;

use ctxpin_model::pass::{Pass, PassKind};
use ctxpin_model::quota::{Quotas, Rates};
use ctxpin_model::token::{Credential, TokenRequest};
use ctxpin_model::user::UserChange;
use ctxpin_operations::error::Error;
use ctxpin_operations::people::{self, Revocation};
use ctxpin_operations::service::Service;
use ctxpin_operations::sign_in::{self, Ended};
use ctxpin_operations::upkeep::{self, passes};
use ctxpin_testing::databases::{TestService, test_start};
use ctxpin_testing::people::{TestAgent, first_admin, token_request, user};

use crate::scene::refusal;

ctxpin_testing::on_both_databases!(
    a_code_starts_one_session,
    a_session_acts_as_its_token,
    a_session_ends_with_its_token,
    a_disabled_users_sessions_do_not_come_back,
    a_pass_ends_no_later_than_its_token,
    a_session_in_memory_ends_at_once,
    a_session_that_makes_room_ends_at_once,
    a_session_ends_at_the_other_replicas,
    sign_ins_are_bounded_by_the_minute,
    passes_expire_and_are_swept,
    a_new_pass_replaces_the_oldest,
    a_pass_has_one_use,
    an_agents_token_starts_no_session,
    a_replica_takes_the_sessions_of_another,
    a_bound_session_ends_with_its_process,
    a_users_sessions_are_listed_and_ended,
    no_session_ends_a_wider_one,
    the_use_of_a_session_is_written,
);

/// Returns the refusal of a session.
async fn ended(service: &Service, session: &Pass) -> bool {
    match sign_in::session_credential(service, session).await {
        Ok(credential) => people::me(service, credential).await.is_err(),
        Err(Error::SessionEnded) => true,
        Err(other) => panic!("an unexpected refusal: {other:?}"),
    }
}

async fn session(service: &Service, credential: Credential) -> Pass {
    let issued = sign_in::with_token(service, credential, None).await;
    issued.expect("a session").pass
}

fn unknown<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    assert!(matches!(outcome, Err(Error::UnknownCode)), "{outcome:?}");
}

async fn a_code_starts_one_session(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let code = sign_in::sign_in_code(service, admin).await.unwrap().pass;
    let issued = sign_in::with_code(service, &code, None).await.unwrap();
    assert!(!ended(service, &issued.pass).await);
    unknown(sign_in::with_code(service, &code, None).await);
    unknown(sign_in::with_code(service, &Pass::new([7; 32]), None).await);
    sign_in::sign_out(service, &issued.pass).await.unwrap();
    assert!(ended(service, &issued.pass).await);
    // A second time changes nothing.
    sign_in::sign_out(service, &issued.pass).await.unwrap();
}

async fn a_session_acts_as_its_token(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (reader, credential) = user(service, admin, "reader", "member", "read").await;
    let session = session(service, credential).await;
    let acting = sign_in::session_credential(service, &session)
        .await
        .unwrap();
    let (me, token) = people::me(service, acting).await.unwrap();
    assert_eq!((me.id, token.id), (reader, credential.id));
    let created = people::user_create(service, acting, "x", "member".parse().unwrap()).await;
    assert_eq!(refusal(created), "forbidden");
}

/// Creates another token of the same user.
async fn second_token(service: &Service, credential: Credential) -> Credential {
    let created = people::token_create(service, credential, &token_request("read")).await;
    created.unwrap().1.credential()
}

async fn passes_kept(test: &TestService) -> u64 {
    test.count("select count(*) from passes").await as u64
}

async fn a_session_ends_with_its_token(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (_, revoked) = user(service, admin, "revoked", "member", "read write").await;
    let of_revoked = session(service, revoked).await;
    let code = sign_in::sign_in_code(service, revoked).await.unwrap().pass;
    assert!(!ended(service, &of_revoked).await);
    people::token_revoke(service, admin, revoked.id, Revocation::Alone)
        .await
        .unwrap();
    assert_eq!(passes_kept(test).await, 0);
    assert!(ended(service, &of_revoked).await);
    unknown(sign_in::with_code(service, &code, None).await);

    let (_, parent) = user(service, admin, "parent", "member", "read write").await;
    let of_child = session(service, second_token(service, parent).await).await;
    people::token_revoke(service, admin, parent.id, Revocation::WithChildren)
        .await
        .unwrap();
    assert_eq!(passes_kept(test).await, 0);
    assert!(ended(service, &of_child).await);
}

async fn a_disabled_users_sessions_do_not_come_back(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (member, credential) = user(service, admin, "member", "member", "read").await;
    let of_member = session(service, credential).await;
    let code = sign_in::sign_in_code(service, credential).await.unwrap();
    let of_admin = session(service, admin).await;
    for disabled in [true, false] {
        let change = UserChange {
            disabled: Some(disabled),
            ..UserChange::default()
        };
        people::user_change(service, admin, member, &change)
            .await
            .unwrap();
        assert!(ended(service, &of_member).await, "disabled: {disabled}");
        unknown(sign_in::with_code(service, &code.pass, None).await);
    }
    assert!(!ended(service, &of_admin).await);
}

async fn a_pass_ends_no_later_than_its_token(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let end = test_start().after(Duration::from_secs(60));
    let request = TokenRequest {
        expires_at: Some(end),
        ..token_request("read")
    };
    let (_, short) = people::token_create(service, admin, &request)
        .await
        .unwrap();
    let issued = sign_in::with_token(service, short.credential(), None).await;
    let issued = issued.unwrap();
    assert_eq!(issued.expires_at, end);
    assert!(!ended(service, &issued.pass).await);
    test.advance(Duration::from_secs(60));
    assert!(ended(service, &issued.pass).await);
    assert_eq!(passes::sweep(service).await.unwrap(), 1);
}

/// Looks a session up, so that the process knows it.
async fn known(service: &Service, credential: Credential) -> Pass {
    let session = session(service, credential).await;
    assert_eq!(sign_in::known_session(service, &session), None);
    sign_in::session_credential(service, &session)
        .await
        .unwrap();
    let known = sign_in::known_session(service, &session);
    assert_eq!(known.map(|known| known.id), Some(credential.id));
    session
}

async fn a_session_in_memory_ends_at_once(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let out = known(service, admin).await;
    sign_in::sign_out(service, &out).await.unwrap();
    assert_eq!(sign_in::known_session(service, &out), None);

    let (member, credential) = user(service, admin, "member", "member", "read").await;
    let of_disabled = known(service, credential).await;
    let change = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    people::user_change(service, admin, member, &change)
        .await
        .unwrap();
    assert_eq!(sign_in::known_session(service, &of_disabled), None);

    let (_, credential) = user(service, admin, "other", "member", "read").await;
    let of_revoked = known(service, credential).await;
    people::token_revoke(service, admin, credential.id, Revocation::Alone)
        .await
        .unwrap();
    assert_eq!(sign_in::known_session(service, &of_revoked), None);
}

async fn a_session_that_makes_room_ends_at_once(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let oldest = known(service, admin).await;
    for _ in 0..PassKind::Session.per_user_max() {
        // The sessions of one moment have no order.
        test.advance(Duration::from_millis(1));
        session(service, admin).await;
    }
    assert_eq!(sign_in::known_session(service, &oldest), None);
    assert!(ended(service, &oldest).await);
}

async fn a_session_ends_at_the_other_replicas(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let session = known(&test.service, admin).await;
    let replica = test.replica().await;
    sign_in::sign_out(&replica, &session).await.unwrap();
    // A lost notification ends it a little later.
    test.advance(Duration::from_secs(10));
    assert_eq!(sign_in::known_session(&test.service, &session), None);
    assert!(ended(&test.service, &session).await);
    replica.close().await;
}

async fn sign_ins_are_bounded_by_the_minute(test: &TestService) {
    let quotas = Quotas {
        rates: Rates {
            sign_ins: 2,
            ..Rates::DEFAULT
        },
        ..Quotas::default()
    };
    let service = &test.service.clone().with_quotas(quotas);
    let admin = first_admin(service).await;
    let code = sign_in::sign_in_code(service, admin).await.unwrap().pass;
    session(service, admin).await;
    for refused in [
        sign_in::with_token(service, admin, None).await,
        sign_in::sign_in_code(service, admin).await,
    ] {
        assert!(
            matches!(refused, Err(Error::QuotaExceeded(_))),
            "{refused:?}"
        );
    }
    // A code was counted when it was made, and a token that opens nothing is not counted.
    sign_in::with_code(service, &code, None).await.unwrap();
    let mut wrong = admin;
    wrong.secret_hash = [0; 32];
    assert_eq!(
        refusal(sign_in::with_token(service, wrong, None).await),
        "unauthenticated"
    );
    let (_, other) = user(service, admin, "other", "member", "read").await;
    session(service, other).await;
    test.advance(Duration::from_secs(60));
    session(service, admin).await;
}

async fn passes_expire_and_are_swept(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let session = session(service, admin).await;
    let code = sign_in::sign_in_code(service, admin).await.unwrap().pass;
    test.advance(PassKind::SignInCode.lifetime() - Duration::from_secs(1));
    assert_eq!(passes::sweep(service).await.unwrap(), 0);
    test.advance(Duration::from_secs(1));
    unknown(sign_in::with_code(service, &code, None).await);
    assert_eq!(passes::sweep(service).await.unwrap(), 1);
    assert!(!ended(service, &session).await);
    test.advance(PassKind::Session.lifetime());
    assert!(ended(service, &session).await);
    assert_eq!(passes::sweep(service).await.unwrap(), 1);
    assert_eq!(test.count("select count(*) from passes").await, 0);
}

async fn a_new_pass_replaces_the_oldest(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let second = second_token(service, admin).await;
    let (_, other) = user(service, admin, "other", "member", "read").await;
    let of_other = session(service, other).await;
    let max = PassKind::Session.per_user_max();
    let mut sessions = Vec::new();
    for number in 0..=max {
        // All tokens of a user share the limit.
        let credential = if number % 2 == 0 { admin } else { second };
        sessions.push(session(service, credential).await);
        test.advance(Duration::from_secs(1));
    }
    assert!(ended(service, &sessions[0]).await);
    assert!(!ended(service, &sessions[1]).await);
    assert!(!ended(service, &of_other).await);
    assert_eq!(passes_kept(test).await, max + 1);
    let max = PassKind::SignInCode.per_user_max();
    for _ in 0..=max {
        sign_in::sign_in_code(service, second).await.unwrap();
        test.advance(Duration::from_secs(1));
    }
    let codes = "select count(*) from passes where kind = 'sign_in_code'";
    assert_eq!(test.count(codes).await as u64, max);
}

async fn a_pass_has_one_use(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let session = session(service, admin).await;
    let code = sign_in::sign_in_code(service, admin).await.unwrap().pass;
    unknown(sign_in::with_code(service, &session, None).await);
    assert!(ended(service, &code).await);
    sign_in::with_code(service, &code, None).await.unwrap();
}

async fn an_agents_token_starts_no_session(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let agent = TestAgent::create(service, admin, "w").await.credential;
    let refused = sign_in::with_token(service, agent, None).await;
    assert_eq!(refusal(refused), "forbidden");
    let refused = sign_in::sign_in_code(service, agent).await;
    assert_eq!(refusal(refused), "forbidden");
    assert_eq!(test.count("select count(*) from passes").await, 0);
}

async fn a_replica_takes_the_sessions_of_another(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let session = session(&test.service, admin).await;
    let replica = test.replica().await;
    assert!(!ended(&replica, &session).await);
    replica.close().await;
}

async fn a_bound_session_ends_with_its_process(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let first = test.replica().await.with_bound_sessions();
    let session = session(&first, admin).await;
    assert!(!ended(&first, &session).await);
    let next = test.replica().await.with_bound_sessions();
    assert!(ended(&next, &session).await);
    // What has ended with its process is not listed.
    let listed = async |service: &Service| sign_in::sessions(service, admin).await.unwrap().len();
    assert_eq!((listed(&first).await, listed(&next).await), (1, 0));
    let token = admin.id;
    let in_use = async |service: &Service| {
        let in_use = people::token_in_use(service, admin, token).await;
        in_use.unwrap().session_count
    };
    assert_eq!((in_use(&first).await, in_use(&next).await), (1, 0));
    first.close().await;
    next.close().await;
}

async fn a_users_sessions_are_listed_and_ended(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (_, other) = user(service, admin, "other", "member", "read write").await;
    let others = session(service, other).await;
    let browser = Some("Firefox on Linux");
    let named = sign_in::with_token(service, admin, browser).await.unwrap();
    let listed = sign_in::sessions(service, admin).await.unwrap();
    let browsers: Vec<_> = listed
        .iter()
        .map(|session| session.browser.as_deref())
        .collect();
    assert_eq!(browsers, [browser]);
    sign_in::sign_out(service, &named.pass).await.unwrap();
    let mut own = Vec::new();
    for _ in 0..4 {
        test.advance(Duration::from_secs(1));
        own.push(session(service, admin).await);
    }
    let listed = sign_in::sessions(service, admin).await.unwrap();
    let is_of = |record, session| sign_in::is_of(service, record, session);
    assert_eq!(listed.len(), 4);
    for (record, session) in listed.iter().rev().zip(&own) {
        assert!(is_of(record, session));
        assert_eq!(
            record.expires_at,
            record.created_at.after(PassKind::Session.lifetime())
        );
    }
    assert_eq!(listed[0].created_at, test.clock.now());

    let end = async |ended| sign_in::sessions_end(service, admin, ended).await;
    let key = listed[3].key();
    assert_eq!(end(Ended::Keyed(&key)).await.unwrap(), 1);
    assert!(ended(service, &own[0]).await);
    assert!(matches!(
        end(Ended::Keyed(&key)).await,
        Err(Error::NotFound("session"))
    ));
    let of_other = sign_in::sessions(service, other).await.unwrap()[0].key();
    assert!(matches!(
        end(Ended::Keyed(&of_other)).await,
        Err(Error::NotFound("session"))
    ));
    assert_eq!(end(Ended::Others(&own[2])).await.unwrap(), 2);
    assert_eq!(end(Ended::Others(&own[2])).await.unwrap(), 0);
    for (index, session) in own.iter().enumerate() {
        assert_eq!(ended(service, session).await, index != 2);
    }
    assert!(!ended(service, &others).await);
}

async fn no_session_ends_a_wider_one(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let wide = session(service, admin).await;
    let narrow = people::token_create(service, admin, &token_request("read write")).await;
    let narrow = narrow.unwrap().1.credential();
    let own = session(service, narrow).await;
    let listed = sign_in::sessions(service, narrow).await.unwrap();
    let of_wide = listed
        .iter()
        .find(|record| sign_in::is_of(service, record, &wide));
    let key = of_wide.unwrap().key();
    let refused = sign_in::sessions_end(service, narrow, Ended::Keyed(&key)).await;
    assert_eq!(refusal(refused), "forbidden");
    let others = sign_in::sessions_end(service, narrow, Ended::Others(&own)).await;
    assert_eq!(others.unwrap(), 0);
    let read = second_token(service, admin).await;
    let refused = sign_in::sessions_end(service, read, Ended::Others(&own)).await;
    assert_eq!(refusal(refused), "forbidden");
    assert!(!ended(service, &wide).await && !ended(service, &own).await);
}

async fn the_use_of_a_session_is_written(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let session = session(service, admin).await;
    let used = async || {
        upkeep::last_used::write(service).await.unwrap();
        sign_in::sessions(service, admin).await.unwrap()[0].last_used_at
    };
    assert_eq!(used().await, None);
    let begun = test.clock.now();
    // Within a minute, one use is written.
    for (seconds, expected) in [(0, 0), (59, 0), (1, 60)] {
        test.advance(Duration::from_secs(seconds));
        assert!(!ended(service, &session).await);
        assert_eq!(
            used().await,
            Some(begun.after(Duration::from_secs(expected)))
        );
    }
}
