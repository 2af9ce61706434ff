//! Sessions of the web page and one-time codes: what opens, and when it ends.

use std::time::Duration;

use ctxpin_model::pass::{Pass, PassKind};
use ctxpin_model::token::Credential;
use ctxpin_model::user::UserChange;
use ctxpin_operations::error::Error;
use ctxpin_operations::people::{self, Revocation};
use ctxpin_operations::service::Service;
use ctxpin_operations::sign_in;
use ctxpin_operations::upkeep::passes;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, first_admin, user};

use crate::scene::refusal;

ctxpin_testing::on_both_databases!(
    a_code_starts_one_session,
    a_session_acts_as_its_token,
    a_session_ends_with_its_token,
    passes_expire_and_are_swept,
    a_new_pass_replaces_the_oldest,
    a_pass_has_one_use,
    an_agents_token_starts_no_session,
    a_replica_takes_the_sessions_of_another,
    a_bound_session_ends_with_its_process,
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
    let issued = sign_in::with_token(service, credential).await;
    issued.expect("a session").pass
}

fn unknown<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    assert!(matches!(outcome, Err(Error::UnknownCode)), "{outcome:?}");
}

async fn a_code_starts_one_session(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let code = sign_in::sign_in_code(service, admin).await.unwrap().pass;
    let issued = sign_in::with_code(service, &code).await.unwrap();
    assert!(!ended(service, &issued.pass).await);
    unknown(sign_in::with_code(service, &code).await);
    unknown(sign_in::with_code(service, &Pass::new([7; 32])).await);
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

async fn a_session_ends_with_its_token(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (_, revoked) = user(service, admin, "revoked", "member", "read write").await;
    let of_revoked = session(service, revoked).await;
    let code = sign_in::sign_in_code(service, revoked).await.unwrap().pass;
    people::token_revoke(service, admin, revoked.id, Revocation::Alone)
        .await
        .unwrap();
    assert!(ended(service, &of_revoked).await);
    let refused = sign_in::with_code(service, &code).await;
    assert_eq!(refusal(refused), "unauthenticated");

    let (disabled, credential) = user(service, admin, "disabled", "member", "read").await;
    let of_disabled = session(service, credential).await;
    let change = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    people::user_change(service, admin, disabled, &change)
        .await
        .unwrap();
    assert!(ended(service, &of_disabled).await);
}

async fn passes_expire_and_are_swept(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let session = session(service, admin).await;
    let code = sign_in::sign_in_code(service, admin).await.unwrap().pass;
    test.advance(PassKind::SignInCode.lifetime() - Duration::from_secs(1));
    assert_eq!(passes::sweep(service).await.unwrap(), 0);
    test.advance(Duration::from_secs(1));
    unknown(sign_in::with_code(service, &code).await);
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
    let (_, other) = user(service, admin, "other", "member", "read").await;
    let of_other = session(service, other).await;
    let mut sessions = Vec::new();
    for _ in 0..=PassKind::Session.per_token_max() {
        sessions.push(session(service, admin).await);
        test.advance(Duration::from_secs(1));
    }
    assert!(ended(service, &sessions[0]).await);
    assert!(!ended(service, &sessions[1]).await);
    assert!(!ended(service, &of_other).await);
    let kept = test.count("select count(*) from passes").await;
    assert_eq!(kept as u64, PassKind::Session.per_token_max() + 1);
}

async fn a_pass_has_one_use(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let session = session(service, admin).await;
    let code = sign_in::sign_in_code(service, admin).await.unwrap().pass;
    unknown(sign_in::with_code(service, &session).await);
    assert!(ended(service, &code).await);
    sign_in::with_code(service, &code).await.unwrap();
}

async fn an_agents_token_starts_no_session(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let agent = TestAgent::create(service, admin, "w").await.credential;
    let refused = sign_in::with_token(service, agent).await;
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
    first.close().await;
    next.close().await;
}
