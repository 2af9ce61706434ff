//! Enrolment codes: what they make, for whom, and when they end.

use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::agent::{AgentRecord, AgentRequest, Replaces};
use ctxpin_model::audit::{AuditFilter, AuditObject};
use ctxpin_model::enrolment::{EnrolRequest, EnrolmentCode};
use ctxpin_model::id::{ProcessId, TokenId};
use ctxpin_model::page::PageRequest;
use ctxpin_model::pass::PassKind;
use ctxpin_model::profile::Profile;
use ctxpin_model::proof::{Challenge, Nonce};
use ctxpin_model::quota::{QuotaChange, Quotas, Rates};
use ctxpin_model::token::Credential;
use ctxpin_model::user::UserChange;
use ctxpin_operations::error::Error;
use ctxpin_operations::people::{self, Revocation};
use ctxpin_operations::service::Service;
use ctxpin_operations::upkeep::passes;
use ctxpin_operations::{agents, enrolment, pushes, quotas};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, first_admin, member, token_request, user};
use uuid::Uuid;

use crate::scene::refusal;

ctxpin_testing::on_both_databases!(
    a_code_makes_one_agent,
    a_repeated_exchange_has_the_same_result,
    two_callers_at_once_make_one_agent,
    a_replica_takes_the_codes_of_another,
    a_code_expires_and_is_swept,
    a_code_ends_with_its_token,
    a_code_makes_what_its_maker_may,
    a_new_code_replaces_the_oldest,
    codes_are_bounded_by_the_minute,
    an_agent_may_replace_an_older_one,
    a_server_proves_that_it_knows_a_code,
    the_audit_log_says_who_made_the_agent,
    a_code_makes_an_agent_of_its_profile_alone,
);

/// The hash of the secret that an agent draws.
const SECRET_HASH: [u8; 32] = [7; 32];

/// Exchanges a code for an agent of the neutral profile.
async fn enrol(
    service: &Service,
    code: &EnrolmentCode,
    secret_hash: [u8; 32],
) -> Result<(AgentRecord, TokenId), Error> {
    let request = EnrolRequest {
        code: code.clone(),
        secret_hash,
        profile: Profile::Neutral,
    };
    enrolment::enrol(service, &request).await
}

fn request() -> AgentRequest {
    AgentRequest {
        workspace: "payments".into(),
        name: String::new(),
        may_refresh: true,
        replaces: None,
        ..AgentRequest::default()
    }
}

async fn code(service: &Service, maker: Credential) -> EnrolmentCode {
    let issued = enrolment::code_create(service, maker, &request()).await;
    issued.expect("a code").code
}

fn unknown(outcome: Result<(AgentRecord, TokenId), Error>) {
    let is_unknown = matches!(outcome, Err(Error::UnknownEnrolmentCode));
    assert!(is_unknown, "{outcome:?}");
}

fn used(outcome: Result<(AgentRecord, TokenId), Error>) {
    let is_used = matches!(outcome, Err(Error::EnrolmentCodeUsed));
    assert!(is_used, "{outcome:?}");
}

async fn a_code_makes_one_agent(test: &TestService) {
    let service = &test.service;
    let owner = member(service, first_admin(service).await, "owner").await;
    let code = code(service, owner).await;
    let shown = enrolment::code_read(service, owner, code.id())
        .await
        .unwrap();
    assert_eq!((shown.workspace.as_str(), shown.agent), ("payments", None));
    let enrolled = enrol(service, &code, SECRET_HASH).await;
    let (agent, token) = enrolled.unwrap();
    assert_eq!(agent.workspace, "payments");
    assert!(agent.may_refresh);
    let shown = enrolment::code_read(service, owner, code.id())
        .await
        .unwrap();
    assert_eq!(shown.agent, Some(agent.id));
    // The agent's own secret opens a session.
    let credential = Credential {
        id: token,
        secret_hash: SECRET_HASH,
        is_session: false,
    };
    let session = pushes::session_open(service, credential, ProcessId::from(Uuid::new_v4())).await;
    assert_eq!(session.unwrap().agent, agent.id);
    used(enrol(service, &code, [8; 32]).await);
    unknown(enrol(service, &EnrolmentCode::new([9; 10]), SECRET_HASH).await);
    let mine = agents::list(service, owner, &PageRequest::newest(9)).await;
    assert_eq!(mine.unwrap().items.len(), 1);
}

async fn a_repeated_exchange_has_the_same_result(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let code = code(service, owner).await;
    let (first, token) = enrol(service, &code, SECRET_HASH).await.unwrap();
    let (again, same) = enrol(service, &code, SECRET_HASH).await.unwrap();
    assert_eq!((again.id, same), (first.id, token));
    // After that the token is another one.
    agents::token_rotate(service, owner, first.id)
        .await
        .unwrap();
    used(enrol(service, &code, SECRET_HASH).await);
    agents::delete(service, owner, first.id).await.unwrap();
    unknown(enrol(service, &code, SECRET_HASH).await);
}

async fn two_callers_at_once_make_one_agent(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let replica = test.replica().await;
    for round in 0..8 {
        let code = code(&test.service, owner).await;
        let (one, other) = tokio::join!(
            enrol(&test.service, &code, [1; 32]),
            enrol(&replica, &code, [2; 32]),
        );
        let (winner, loser) = if one.is_ok() {
            (one, other)
        } else {
            (other, one)
        };
        winner.unwrap_or_else(|error| panic!("round {round}: {error}"));
        used(loser);
    }
    let made = test.count("select count(*) from agents").await;
    assert_eq!(made, 8);
    replica.close().await;
}

async fn a_replica_takes_the_codes_of_another(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let code = code(&test.service, owner).await;
    let replica = test.replica().await;
    enrol(&replica, &code, SECRET_HASH).await.unwrap();
    replica.close().await;
}

async fn a_code_expires_and_is_swept(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let code = code(service, owner).await;
    test.advance(PassKind::EnrolmentCode.lifetime());
    unknown(enrol(service, &code, SECRET_HASH).await);
    let shown = enrolment::code_read(service, owner, code.id()).await;
    assert!(matches!(shown, Err(Error::NotFound(_))), "{shown:?}");
    assert_eq!(passes::sweep(service).await.unwrap(), 1);
    assert_eq!(test.count("select count(*) from enrolment_codes").await, 0);
}

async fn a_code_ends_with_its_token(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (_, revoked) = user(service, admin, "revoked", "member", "read write").await;
    let of_revoked = code(service, revoked).await;
    people::token_revoke(service, admin, revoked.id, Revocation::Alone)
        .await
        .unwrap();
    unknown(enrol(service, &of_revoked, SECRET_HASH).await);

    let (disabled, credential) = user(service, admin, "disabled", "member", "read write").await;
    let of_disabled = code(service, credential).await;
    let change = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    people::user_change(service, admin, disabled, &change)
        .await
        .unwrap();
    unknown(enrol(service, &of_disabled, SECRET_HASH).await);

    let (_, owner) = user(service, admin, "owner", "member", "read write").await;
    let mut expiring = token_request("read write");
    expiring.expires_at = Some(test.clock.now().after(Duration::from_secs(60)));
    let (_, expiring) = people::token_create(service, owner, &expiring)
        .await
        .unwrap();
    let enrolled = code(service, expiring.credential()).await;
    let of_expiring = code(service, expiring.credential()).await;
    // An agent's token ends with the token that made its code.
    let (agent, _) = enrol(service, &enrolled, SECRET_HASH).await.unwrap();
    let expected = test.clock.now().after(Duration::from_secs(60));
    assert_eq!(agent.token_expires_at, Some(expected));
    test.advance(Duration::from_secs(60));
    unknown(enrol(service, &of_expiring, SECRET_HASH).await);
    assert_eq!(test.count("select count(*) from agents").await, 1);
}

async fn a_code_makes_what_its_maker_may(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (owner, credential) = user(service, admin, "owner", "member", "read write").await;
    let code = code(service, credential).await;
    let change = |agents| QuotaChange {
        agents: Some(agents),
        ..QuotaChange::default()
    };
    quotas::change(service, admin, owner, &change(Some(0)))
        .await
        .unwrap();
    let refused = enrol(service, &code, SECRET_HASH).await;
    assert!(
        matches!(refused, Err(Error::QuotaExceeded(_))),
        "{refused:?}"
    );
    quotas::change(service, admin, owner, &change(None))
        .await
        .unwrap();
    let roles = |roles: &str| UserChange {
        roles: Some(roles.parse().unwrap()),
        ..UserChange::default()
    };
    people::user_change(service, admin, owner, &roles("auditor"))
        .await
        .unwrap();
    let refused = enrol(service, &code, SECRET_HASH).await;
    assert_eq!(refusal(refused), "forbidden");
    people::user_change(service, admin, owner, &roles("member"))
        .await
        .unwrap();
    // A refusal has not used the code.
    enrol(service, &code, SECRET_HASH).await.unwrap();
    // Nobody else sees it.
    let other = member(service, admin, "other").await;
    let shown = enrolment::code_read(service, other, code.id()).await;
    assert!(matches!(shown, Err(Error::NotFound(_))), "{shown:?}");
    let agent = TestAgent::create(service, credential, "w").await.credential;
    let refused = enrolment::code_create(service, agent, &request()).await;
    assert_eq!(refusal(refused), "forbidden");
}

async fn a_new_code_replaces_the_oldest(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut codes = Vec::new();
    for _ in 0..=PassKind::EnrolmentCode.per_user_max() {
        codes.push(code(service, owner).await);
        test.advance(Duration::from_secs(1));
    }
    unknown(enrol(service, &codes[0], SECRET_HASH).await);
    enrol(service, &codes[1], SECRET_HASH).await.unwrap();
    let kept = test.count("select count(*) from enrolment_codes").await;
    assert_eq!(kept as u64, PassKind::EnrolmentCode.per_user_max());
}

async fn codes_are_bounded_by_the_minute(test: &TestService) {
    let quotas = Quotas {
        rates: Rates {
            sign_ins: 2,
            ..Rates::DEFAULT
        },
        ..Quotas::default()
    };
    let service = &test.service.clone().with_quotas(quotas);
    let owner = first_admin(service).await;
    code(service, owner).await;
    code(service, owner).await;
    let logged = test.count("select count(*) from audit_log").await;
    let refused = enrolment::code_create(service, owner, &request()).await;
    assert!(
        matches!(refused, Err(Error::QuotaExceeded(_))),
        "{refused:?}"
    );
    assert_eq!(test.count("select count(*) from audit_log").await, logged);
    let other = member(service, owner, "other").await;
    code(service, other).await;
    test.advance(Duration::from_secs(60));
    code(service, owner).await;
}

async fn an_agent_may_replace_an_older_one(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let owner = member(service, admin, "owner").await;
    let (old, _) = agents::create(service, owner, &request()).await.unwrap();
    let replacing = |replaces| AgentRequest {
        replaces: Some(replaces),
        ..request()
    };
    for replaces in [Replaces::Same, Replaces::Agent(old.id)] {
        let issued = enrolment::code_create(service, owner, &replacing(replaces)).await;
        let code = issued.unwrap().code;
        let (agent, _) = enrol(service, &code, SECRET_HASH).await.unwrap();
        assert_eq!(agent.replaces, Some(old.id), "{replaces}");
        agents::delete(service, owner, agent.id).await.unwrap();
    }
    // Another user's agent cannot be named.
    let other = member(service, admin, "other").await;
    let named = replacing(Replaces::Agent(old.id));
    let refused = enrolment::code_create(service, other, &named).await;
    assert_eq!(refusal(refused), "not-found");
}

async fn a_server_proves_that_it_knows_a_code(test: &TestService) {
    let service = &test.service;
    let code = code(service, first_admin(service).await).await;
    let challenge = Challenge::new(Nonce::new([1; 32]), "127.0.0.1:7878");
    let known = code.credential();
    let proof = people::token_proof(service, known.id, &challenge)
        .await
        .unwrap();
    assert!(challenge.is_answered_by(&known.secret_hash, &proof));
    let other = EnrolmentCode::new([9; 10]).credential();
    let proof = people::token_proof(service, other.id, &challenge)
        .await
        .unwrap();
    assert!(!challenge.is_answered_by(&other.secret_hash, &proof));
}

async fn the_audit_log_says_who_made_the_agent(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let (owner, credential) = user(service, admin, "owner", "member", "read write").await;
    test.advance(Duration::from_secs(1));
    let code = code(service, credential).await;
    test.advance(Duration::from_secs(1));
    let (agent, token) = enrol(service, &code, SECRET_HASH).await.unwrap();
    let log = people::audit_log(
        service,
        admin,
        &AuditFilter::default(),
        &PageRequest::newest(2),
    )
    .await;
    let rows = log.unwrap().items;
    let [enrolled, made] = &rows[..] else {
        panic!("two rows, not {rows:?}");
    };
    assert_eq!(made.action, Operation::EnrolmentCodeCreate);
    assert_eq!(made.object, Some(AuditObject::Token(credential.id)));
    assert_eq!(enrolled.action, Operation::AgentEnrol);
    assert_eq!(enrolled.object, Some(AuditObject::Agent(agent.id)));
    assert_eq!(enrolled.new_token.map(|new| new.id), Some(token));
    for row in [enrolled, made] {
        assert_eq!(row.actor.uuid(), Some(owner.uuid()));
        assert_eq!(row.token, Some(credential.id));
    }
    let text = format!("{rows:?}");
    assert!(!text.contains(&code.reveal()), "{text}");
}

async fn a_code_makes_an_agent_of_its_profile_alone(test: &TestService) {
    let service = &test.service;
    let admin = first_admin(service).await;
    let wanted = AgentRequest {
        profile: Profile::Codex,
        home: Some("/home/ada/.codex".into()),
        ..request()
    };
    let issued = enrolment::code_create(service, admin, &wanted).await;
    let code = issued.unwrap().code;
    let refused = enrol(service, &code, SECRET_HASH).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "this enrolment code makes an agent of the profile `codex`, and not of `neutral`; start the agent with `--profile codex`, or make another code where you got it"
    );
    let right = EnrolRequest {
        code,
        secret_hash: SECRET_HASH,
        profile: Profile::Codex,
    };
    let (agent, _) = enrolment::enrol(service, &right).await.unwrap();
    assert_eq!((agent.profile, &agent.home), (Profile::Codex, &wanted.home));
    let again = enrolment::enrol(service, &right).await.unwrap();
    assert_eq!(again.0.id, agent.id);
}
