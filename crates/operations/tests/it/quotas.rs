//! Quotas and rates: what counts, what is refused, and that a refused request changes nothing.

use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::agent::AgentRequest;
use ctxpin_model::audit::{AuditFilter, AuditObject, AuditOutcome};
use ctxpin_model::chat::ChatCreate;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::{ProcessId, UserId};
use ctxpin_model::page::PageRequest;
use ctxpin_model::push::Verdict;
use ctxpin_model::quota::{
    Amounts, Limit, QuotaChange, QuotaExceeded, QuotaWarning, Quotas, Rate, Rates, Stock, UserUsage,
};
use ctxpin_model::token::Credential;
use ctxpin_model::token::TokenRequest;
use ctxpin_model::watch::{Detail, Event, Subject};
use ctxpin_operations::agents;
use ctxpin_operations::chats;
use ctxpin_operations::error::{Error, Result};
use ctxpin_operations::people::{self, Revocation};
use ctxpin_operations::quotas;
use ctxpin_operations::service::Service;
use ctxpin_operations::watches;
use ctxpin_operations::{pins, pushes, upkeep};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, first_admin, user};
use ctxpin_testing::workspace::Workspace;
use uuid::Uuid;

ctxpin_testing::on_both_databases!(
    finding_06_a_content_is_charged_once_however_often_it_is_sent,
    finding_06_content_past_the_quota_is_refused_and_stores_nothing,
    finding_06_bytes_sent_ahead_are_charged,
    finding_06_an_admins_word_goes_before_the_default,
    finding_06_agents_and_chats_are_bounded,
    finding_06_tokens_are_bounded_and_dead_ones_give_way,
    finding_06_pushes_and_uploads_are_bounded_by_the_minute,
    finding_06_turns_and_moves_are_bounded_by_the_minute,
    finding_06_a_stranger_uses_up_no_rate_of_others,
    finding_06_pushes_at_once_fit_the_quota_exactly,
    finding_06_objects_made_at_once_fit_the_quota_exactly,
    finding_06_a_refused_push_is_noted_until_one_is_taken,
    finding_06_refusals_of_one_minute_are_one_row,
    finding_06_refusals_at_once_are_one_row,
    finding_06_whoever_is_near_a_quota_is_warned,
);

/// A service with small default quotas, a member and an admin.
struct Scene<'t> {
    test: &'t TestService,
    service: Service,
    admin: Credential,
    owner: (UserId, Credential),
}

const SMALL: Amounts = Amounts {
    content_bytes: 100,
    agents: 3,
    chats: 3,
    tokens: 3,
};

impl<'t> Scene<'t> {
    async fn new(test: &'t TestService) -> Self {
        let quotas = Quotas {
            amounts: SMALL,
            ..Quotas::default()
        };
        Self::with(test, quotas).await
    }

    async fn with(test: &'t TestService, quotas: Quotas) -> Self {
        let service = test.service.clone().with_quotas(quotas);
        let admin = first_admin(&service).await;
        let owner = user(&service, admin, "owner", "member", "read write").await;
        Self {
            test,
            service,
            admin,
            owner,
        }
    }

    async fn usage(&self) -> UserUsage {
        let usage = quotas::usage(&self.service, self.owner.1, None).await;
        usage.expect("one's own can be read")
    }

    async fn content_bytes(&self) -> u64 {
        self.usage().await.usage.used.content_bytes
    }

    async fn agent(&self, workspace: &str) -> TestAgent {
        TestAgent::create(&self.service, self.owner.1, workspace).await
    }

    async fn allow(&self, change: QuotaChange) -> UserUsage {
        let changed = quotas::change(&self.service, self.admin, self.owner.0, &change).await;
        changed.expect("an admin may")
    }

    /// Returns the number of rows in the tables that a push writes.
    async fn rows(&self) -> i64 {
        let rows = "select (select count(*) from blobs) + (select count(*) from snapshots) \
            + (select count(*) from snapshot_resources) + (select count(*) from agent_heads) \
            + (select count(*) from agent_uploads) + (select count(*) from user_contents) \
            + (select count(*) from treatments) + (select count(*) from prompts)";
        self.test.count(rows).await
    }

    /// Checks that the stored sums of all users equal those of their contents and chats.
    async fn require_exact_sums(&self) {
        let wrong = "select count(*) from users u where u.content_bytes <> \
            (select coalesce(sum(c.size), 0) from user_contents c where c.user_id = u.id) \
            or u.chat_count <> (select count(*) from chats c where c.owner_id = u.id)";
        assert_eq!(self.test.count(wrong).await, 0);
    }
}

/// Returns a workspace with one file of `bytes` equal letters.
fn of_bytes(letter: &str, bytes: usize) -> Workspace {
    Workspace::with_agents_md("/w", &letter.repeat(bytes))
}

fn exceeded<T: std::fmt::Debug>(outcome: Result<T>) -> QuotaExceeded {
    match outcome {
        Err(Error::QuotaExceeded(exceeded)) => exceeded,
        other => panic!("it was not refused for a quota: {other:?}"),
    }
}

fn of_stock(stock: Stock, used: u64, quota: u64) -> QuotaExceeded {
    QuotaExceeded {
        limit: Limit::Stock(stock),
        quota,
        used,
        wait: None,
    }
}

fn of_rate(rate: Rate, used: u64, quota: u64, seconds: u64) -> QuotaExceeded {
    QuotaExceeded {
        limit: Limit::Rate(rate),
        quota,
        used,
        wait: Some(Duration::from_secs(seconds)),
    }
}

async fn finding_06_a_content_is_charged_once_however_often_it_is_sent(test: &TestService) {
    let scene = Scene::new(test).await;
    let service = &scene.service;
    let other = user(service, scene.admin, "other", "member", "read write").await;
    let mut one = scene.agent("one").await;
    let mut two = scene.agent("two").await;
    let mut others = TestAgent::create(service, other.1, "three").await;
    for agent in [&mut one, &mut two, &mut others] {
        agent.push(service, &of_bytes("a", 40)).await.unwrap();
    }
    assert_eq!(scene.content_bytes().await, 40);
    let of_other = quotas::usage(service, other.1, None).await.unwrap();
    assert_eq!(of_other.usage.used.content_bytes, 40, "theirs is theirs");
    // The content is removed and restored, moved to another path, and used by a skill too.
    one.push(service, &of_bytes("b", 50)).await.unwrap();
    one.push(service, &of_bytes("a", 40)).await.unwrap();
    let moved = Workspace::new("/w").file("CLAUDE.md", &"b".repeat(50));
    one.push(service, &moved).await.unwrap();
    assert_eq!(scene.content_bytes().await, 90);
    // A removed content still counts.
    agents::delete(service, scene.owner.1, one.id)
        .await
        .unwrap();
    assert_eq!(scene.content_bytes().await, 90);
    scene.require_exact_sums().await;
}

async fn finding_06_content_past_the_quota_is_refused_and_stores_nothing(test: &TestService) {
    let scene = Scene::new(test).await;
    let service = &scene.service;
    let mut agent = scene.agent("project").await;
    let chat = TestChat::bound(service, scene.owner.1, agent.id).await;
    agent.push(service, &of_bytes("a", 60)).await.unwrap();
    let (rows, pin) = (scene.rows().await, chat.record().await.pin_seq);
    let refused = exceeded(agent.push(service, &of_bytes("b", 41)).await);
    assert_eq!(refused, of_stock(Stock::ContentBytes, 60, 100));
    assert_eq!(scene.rows().await, rows);
    assert_eq!(chat.record().await.pin_seq, pin);
    let after = agents::read(service, scene.owner.1, agent.id)
        .await
        .unwrap();
    assert_eq!((after.version, after.head.unwrap().seq), (1, 1));
    // The quota can be used to the last byte, and what is there already needs no room.
    agent.push(service, &of_bytes("b", 40)).await.unwrap();
    exceeded(agent.push(service, &of_bytes("c", 1)).await);
    agent.push(service, &of_bytes("a", 60)).await.unwrap();
    scene.require_exact_sums().await;
}

async fn finding_06_bytes_sent_ahead_are_charged(test: &TestService) {
    let scene = Scene::new(test).await;
    let service = &scene.service;
    let mut agent = scene.agent("project").await;
    let upload = async |bytes: Vec<u8>| {
        let hash = BlobHash::of(&bytes);
        pushes::blob_upload(service, agent.credential, agent.epoch, hash, bytes.into()).await
    };
    upload(vec![b'a'; 70]).await.unwrap();
    upload(vec![b'a'; 70]).await.unwrap();
    let rows = scene.rows().await;
    let refused = exceeded(upload(vec![b'b'; 31]).await);
    assert_eq!(refused, of_stock(Stock::ContentBytes, 70, 100));
    assert_eq!(scene.rows().await, rows);
    let (manifest, _) = of_bytes("a", 70).manifest();
    agent
        .push_as(service, manifest, Default::default())
        .await
        .unwrap();
    assert_eq!(scene.content_bytes().await, 70);
    scene.require_exact_sums().await;
}

async fn finding_06_an_admins_word_goes_before_the_default(test: &TestService) {
    let scene = Scene::new(test).await;
    let service = &scene.service;
    let mut agent = scene.agent("project").await;
    exceeded(agent.push(service, &of_bytes("a", 101)).await);
    test.advance(Duration::from_secs(1));
    let change = |content_bytes| QuotaChange {
        content_bytes,
        ..QuotaChange::default()
    };
    let changed = scene.allow(change(Some(Some(101)))).await;
    let quota = |view: &UserUsage| view.usage.quota(Stock::ContentBytes, &view.defaults);
    assert_eq!((changed.user, quota(&changed)), (scene.owner.0, 101));
    agent.push(service, &of_bytes("a", 101)).await.unwrap();
    // A change of another quota keeps this one, and a lower quota keeps the stored content.
    let agents = QuotaChange {
        agents: Some(Some(9)),
        ..QuotaChange::default()
    };
    assert_eq!(quota(&scene.allow(agents).await), 101);
    assert_eq!(quota(&scene.allow(change(Some(None))).await), 100);
    exceeded(agent.push(service, &of_bytes("b", 1)).await);
    agent.push(service, &of_bytes("a", 101)).await.unwrap();
    let page = PageRequest::newest(1);
    let log = people::audit_log(service, scene.admin, &AuditFilter::default(), &page)
        .await
        .unwrap();
    assert_eq!(log.items[0].action, Operation::QuotaChange);
    let owner = AuditObject::User(scene.owner.0);
    assert_eq!(log.items[0].object, Some(owner));
    // The query for users near a quota accepts the largest numbers.
    scene.allow(change(Some(Some(u64::MAX)))).await;
    upkeep::quota_warnings::refresh(service).await.unwrap();
    assert_eq!(service.quota_warnings(scene.owner.0), []);
    let nobody = Uuid::from_u128(1).into();
    let changed = quotas::change(service, scene.admin, nobody, &agents).await;
    assert!(matches!(changed, Err(Error::NotFound("user"))));
}

fn agent_request() -> AgentRequest {
    AgentRequest {
        workspace: "project".into(),
        name: "main".into(),
        may_refresh: false,
        replaces: None,
        ..AgentRequest::default()
    }
}

async fn finding_06_agents_and_chats_are_bounded(test: &TestService) {
    let scene = Scene::new(test).await;
    let (service, owner) = (&scene.service, scene.owner.1);
    for _ in 0..3 {
        agents::create(service, owner, &agent_request())
            .await
            .unwrap();
        chats::create(service, owner, &ChatCreate::default())
            .await
            .unwrap();
    }
    let refused = exceeded(agents::create(service, owner, &agent_request()).await);
    assert_eq!(refused, of_stock(Stock::Agents, 3, 3));
    let refused = exceeded(chats::create(service, owner, &ChatCreate::default()).await);
    assert_eq!(refused, of_stock(Stock::Chats, 3, 3));
    let used = scene.usage().await.usage.used;
    assert_eq!((used.agents, used.chats), (3, 3));
    let list = agents::list(service, owner, &PageRequest::newest(9)).await;
    let agent = list.unwrap().items[0].id;
    agents::delete(service, owner, agent).await.unwrap();
    agents::create(service, owner, &agent_request())
        .await
        .unwrap();
    let page = PageRequest::newest(9);
    let list = chats::list(service, owner, &Default::default(), &page).await;
    let chat = list.unwrap().items[0].id;
    chats::delete(service, owner, chat).await.unwrap();
    // A repeated creation with the same reference adds no chat.
    let request = ctxpin_model::chat::ChatCreate {
        client: Some("c".into()),
        reference: Some("r".into()),
        ..ChatCreate::default()
    };
    assert!(chats::create(service, owner, &request).await.unwrap().1);
    assert!(!chats::create(service, owner, &request).await.unwrap().1);
    scene.require_exact_sums().await;
}

async fn finding_06_tokens_are_bounded_and_dead_ones_give_way(test: &TestService) {
    let scene = Scene::new(test).await;
    let (service, owner) = (&scene.service, scene.owner.1);
    let request = TokenRequest {
        label: None,
        scopes: "read".parse().unwrap(),
        expires_at: None,
        user: None,
    };
    let make = async |request: &TokenRequest| people::token_create(service, owner, request).await;
    // The owner has one already.
    let (revoked, _) = make(&request).await.unwrap();
    let expiring = TokenRequest {
        expires_at: Some(test.clock.now().after(Duration::from_secs(5))),
        ..request.clone()
    };
    make(&expiring).await.unwrap();
    assert_eq!(
        exceeded(make(&request).await),
        of_stock(Stock::Tokens, 3, 3)
    );
    let for_owner = TokenRequest {
        user: Some(scene.owner.0),
        ..request.clone()
    };
    let by_admin = people::token_create(service, scene.admin, &for_owner).await;
    assert_eq!(exceeded(by_admin), of_stock(Stock::Tokens, 3, 3));
    people::token_revoke(service, owner, revoked.id, Revocation::Alone)
        .await
        .unwrap();
    assert_eq!(scene.usage().await.usage.used.tokens, 2);
    make(&request).await.unwrap();
    exceeded(make(&request).await);
    test.advance(Duration::from_secs(5));
    make(&request).await.unwrap();
    exceeded(make(&request).await);
    let list = people::tokens(service, owner, &PageRequest::newest(9)).await;
    assert_eq!(list.unwrap().items.len(), 3, "what is dead was forgotten");
}

async fn finding_06_pushes_and_uploads_are_bounded_by_the_minute(test: &TestService) {
    let rates = Rates {
        pushes: 3,
        upload_bytes: 100,
        ..Rates::DEFAULT
    };
    let quotas = Quotas {
        rates,
        ..Quotas::default()
    };
    let scene = Scene::with(test, quotas).await;
    let service = &scene.service;
    let mut agent = scene.agent("project").await;
    let process = ProcessId::from(Uuid::from_u128(7));
    let open = async |credential| pushes::session_open(service, credential, process).await;
    agent.epoch = open(agent.credential).await.unwrap().epoch;
    agent.push(service, &of_bytes("a", 60)).await.unwrap();
    let (manifest, _) = of_bytes("a", 60).manifest();
    let again = agent.push_as(service, manifest.clone(), Default::default());
    assert_eq!(again.await.unwrap().verdict, Verdict::Unchanged);
    test.advance(Duration::from_secs(20));
    // A push that is refused for its bytes counts as a push.
    let refused = exceeded(agent.push(service, &of_bytes("b", 41)).await);
    assert_eq!(refused, of_rate(Rate::UploadBytes, 60, 100, 40));
    let again = agent.push_as(service, manifest.clone(), Default::default());
    assert_eq!(exceeded(again.await), of_rate(Rate::Pushes, 3, 3, 40));
    let bytes = vec![b'c'; 41];
    let hash = BlobHash::of(&bytes);
    let upload = pushes::blob_upload(service, agent.credential, agent.epoch, hash, bytes.into());
    assert_eq!(
        exceeded(upload.await),
        of_rate(Rate::UploadBytes, 60, 100, 40)
    );
    // A repeated session is not a push, and another agent has its own rate.
    for _ in 0..9 {
        open(agent.credential).await.unwrap();
    }
    let mut other = scene.agent("other").await;
    other.push(service, &of_bytes("b", 41)).await.unwrap();
    test.advance(Duration::from_secs(40));
    agent.push(service, &of_bytes("b", 41)).await.unwrap();
}

async fn finding_06_turns_and_moves_are_bounded_by_the_minute(test: &TestService) {
    let rates = Rates {
        turns: 2,
        moves: 4,
        ..Rates::DEFAULT
    };
    let quotas = Quotas {
        rates,
        ..Quotas::default()
    };
    let scene = Scene::with(test, quotas).await;
    let service = &scene.service;
    let mut agent = scene.agent("project").await;
    let chat = TestChat::bound(service, scene.owner.1, agent.id).await;
    agent.push(service, &of_bytes("a", 9)).await.unwrap();
    for name in ["one", "two"] {
        chat.turn_as(Some(name), ctxpin_model::delivery::Delivery::Delivered)
            .await
            .unwrap();
    }
    let refused = exceeded(chat.turn().await);
    assert_eq!(refused, of_rate(Rate::Turns, 2, 2, 60));
    assert_eq!(chat.turns().await.len(), 2);
    // A repeated request gets the turn that began.
    chat.turn_as(Some("two"), ctxpin_model::delivery::Delivery::Delivered)
        .await
        .unwrap();
    chat.refresh().await.unwrap();
    chat.clear().await.unwrap();
    chat.bind(None).await.unwrap();
    chat.archive(true).await.unwrap();
    let seq = chat.record().await.pin_seq;
    let moved = of_rate(Rate::Moves, 4, 4, 60);
    assert_eq!(exceeded(chat.refresh().await), moved);
    assert_eq!(exceeded(chat.clear().await), moved);
    assert_eq!(exceeded(chat.archive(false).await), moved);
    assert_eq!(chat.record().await.pin_seq, seq);
    // Another token of the same user has its own count, and a request that moves many chats counts
    // once.
    let request = TokenRequest {
        label: None,
        scopes: "read write".parse().unwrap(),
        expires_at: None,
        user: None,
    };
    let (_, token) = people::token_create(service, scene.owner.1, &request)
        .await
        .unwrap();
    let by_other = TestChat {
        owner: token.credential(),
        ..chat.clone()
    };
    by_other.archive(false).await.unwrap();
    by_other.bind(Some(agent.id)).await.unwrap();
    let filter = ctxpin_model::pin_move::RefreshFilter::default();
    for _ in 0..4 {
        pins::refresh_many(service, scene.admin, filter)
            .await
            .unwrap();
    }
    let many = pins::refresh_many(service, scene.admin, filter).await;
    assert_eq!(exceeded(many), moved);
    test.advance(Duration::from_secs(60));
    chat.turn().await.unwrap();
    chat.refresh().await.unwrap();
}

async fn finding_06_a_stranger_uses_up_no_rate_of_others(test: &TestService) {
    let rates = Rates {
        turns: 1,
        ..Rates::DEFAULT
    };
    let quotas = Quotas {
        rates,
        ..Quotas::default()
    };
    let scene = Scene::with(test, quotas).await;
    let chat = TestChat::create(&scene.service, scene.owner.1, &ChatCreate::default())
        .await
        .unwrap();
    let mut wrong = chat.clone();
    wrong.owner.secret_hash[0] ^= 1;
    for _ in 0..3 {
        assert!(wrong.turn().await.is_err());
    }
    chat.turn().await.unwrap();
}

async fn finding_06_pushes_at_once_fit_the_quota_exactly(test: &TestService) {
    const AGENTS: usize = 8;
    let quotas = Quotas {
        amounts: Amounts {
            content_bytes: 310,
            ..Amounts::QUOTA
        },
        ..Quotas::default()
    };
    let scene = Scene::with(test, quotas).await;
    // Two agents push each content. It counts once, whichever push is first.
    let mut pushes = tokio::task::JoinSet::new();
    for number in 0..AGENTS {
        let mut agent = scene.agent(&number.to_string()).await;
        let chat = TestChat::bound(&scene.service, scene.owner.1, agent.id).await;
        let letter = ["a", "b", "c", "d"][number / 2];
        let service = scene.service.clone();
        pushes.spawn(async move {
            let pushed = agent.push(&service, &of_bytes(letter, 100)).await;
            (number / 2, pushed, chat)
        });
    }
    let mut taken = std::collections::BTreeSet::new();
    let mut refused = 0;
    for (content, pushed, chat) in pushes.join_all().await {
        let is_pinned = chat.record().await.pin.is_some();
        match pushed {
            Ok(_) => drop(taken.insert(content)),
            Err(error) => {
                assert_eq!(
                    exceeded::<()>(Err(error)),
                    of_stock(Stock::ContentBytes, 300, 310)
                );
                refused += 1;
                assert!(!is_pinned);
                continue;
            }
        }
        assert!(is_pinned);
    }
    assert_eq!((taken.len(), refused), (3, 2));
    assert_eq!(scene.content_bytes().await, 300);
    scene.require_exact_sums().await;
}

async fn finding_06_objects_made_at_once_fit_the_quota_exactly(test: &TestService) {
    let quotas = Quotas {
        amounts: Amounts {
            agents: 3,
            chats: 3,
            tokens: 3,
            ..Amounts::QUOTA
        },
        ..Quotas::default()
    };
    let scene = Scene::with(test, quotas).await;
    let request = TokenRequest {
        label: None,
        scopes: "read".parse().unwrap(),
        expires_at: None,
        user: None,
    };
    let mut made = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (service, owner) = (scene.service.clone(), scene.owner.1);
        let request = request.clone();
        made.spawn(async move {
            let chat = chats::create(&service, owner, &ChatCreate::default())
                .await
                .map(drop);
            let agent = agents::create(&service, owner, &agent_request()).await;
            let token = people::token_create(&service, owner, &request).await;
            [chat, agent.map(drop), token.map(drop)].map(|made| made.map_err(Err::<(), _>))
        });
    }
    let mut counts = [0; 3];
    for outcomes in made.join_all().await {
        for (count, outcome) in counts.iter_mut().zip(outcomes) {
            match outcome {
                Ok(()) => *count += 1,
                Err(refused) => assert_eq!(exceeded(refused).used, 3),
            }
        }
    }
    // The owner had a token.
    assert_eq!(counts, [3, 3, 2]);
    scene.require_exact_sums().await;
}

async fn finding_06_a_refused_push_is_noted_until_one_is_taken(test: &TestService) {
    let scene = Scene::new(test).await;
    let service = &scene.service;
    let mut agent = scene.agent("project").await;
    let chat = TestChat::bound(service, scene.owner.1, agent.id).await;
    agent.push(service, &of_bytes("a", 9)).await.unwrap();
    assert_eq!(chat.record().await.agent_refused, None);
    let watch = watches::watch(service, scene.owner.1, Subject::Chat(chat.id), Detail::Full);
    let mut watch = watch.await.unwrap();
    while !matches!(watch.next().await.unwrap(), Some(Event::Ready)) {}
    exceeded(agent.push(service, &of_bytes("b", 100)).await);
    let Some(Event::Chat(seen)) = watch.next().await.unwrap() else {
        panic!("whoever watches is told");
    };
    assert!(seen.agent_refused.is_some());
    let refused = chat.record().await.agent_refused.expect("it is noted");
    assert_eq!(refused.limit, Limit::Stock(Stock::ContentBytes));
    assert_eq!(refused.at, test.clock.now());
    assert!(!chat.is_dirty().await, "nothing else tells");
    // Many refusals cause few writes.
    test.advance(Duration::from_secs(30));
    let before = service.counts();
    exceeded(agent.push(service, &of_bytes("b", 100)).await);
    let written = service.counts() - before;
    assert_eq!(
        written.rows_written, 1,
        "the content alone, which is undone"
    );
    assert_eq!(chat.record().await.agent_refused, Some(refused));
    test.advance(Duration::from_secs(30));
    exceeded(agent.push(service, &of_bytes("b", 100)).await);
    let again = chat.record().await.agent_refused.expect("it is noted");
    assert_eq!(again.at, test.clock.now());
    // An unchanged push counts as accepted too.
    agent.push(service, &of_bytes("a", 9)).await.unwrap();
    assert_eq!(chat.record().await.agent_refused, None);
    let hash = BlobHash::of(&[b'c'; 100]);
    let bytes = [b'c'; 100][..].into();
    exceeded(pushes::blob_upload(service, agent.credential, agent.epoch, hash, bytes).await);
    assert!(chat.record().await.agent_refused.is_some());
    agent.push(service, &of_bytes("d", 9)).await.unwrap();
    assert_eq!(chat.record().await.agent_refused, None);
}

async fn finding_06_refusals_of_one_minute_are_one_row(test: &TestService) {
    let scene = Scene::with(test, Quotas::default()).await;
    let (service, owner) = (&scene.service, scene.owner.1);
    let log = async || {
        let page = PageRequest::newest(100);
        let log = people::audit_log(service, scene.admin, &AuditFilter::default(), &page).await;
        let refused = log.unwrap().items.into_iter().rev();
        let refused = refused.filter(|row| row.outcome == AuditOutcome::Forbidden);
        let told = refused.map(|row| (row.action, row.count));
        told.collect::<Vec<_>>()
    };
    let refuse = async || {
        let made = people::user_create(service, owner, "x", "member".parse().unwrap()).await;
        assert!(made.is_err());
    };
    refuse().await;
    assert_eq!(log().await, [(Operation::UserCreate, 1)], "at once");
    let before = service.counts();
    for _ in 0..50 {
        refuse().await;
    }
    assert_eq!((service.counts() - before).rows_written, 0);
    // Another token of the same user, and another action.
    let request = TokenRequest {
        label: None,
        scopes: "read".parse().unwrap(),
        expires_at: None,
        user: None,
    };
    let (_, token) = people::token_create(service, owner, &request)
        .await
        .unwrap();
    test.advance(Duration::from_millis(500));
    let roles = "member".parse().unwrap();
    let made = people::user_create(service, token.credential(), "x", roles).await;
    assert!(made.is_err());
    test.advance(Duration::from_millis(500));
    let change = QuotaChange::default();
    let changed = quotas::change(service, owner, scene.owner.0, &change).await;
    assert!(changed.is_err());
    upkeep::refusals::write(service).await.unwrap();
    let first = (Operation::UserCreate, 51);
    let others = (Operation::UserCreate, 1);
    let second = (Operation::QuotaChange, 1);
    assert_eq!(log().await, [first, others, second]);
    // Later refusals are added to the same row, at the latest by the first one of the next minute.
    refuse().await;
    test.advance(Duration::from_secs(59));
    refuse().await;
    let expected = [
        (Operation::UserCreate, 52),
        others,
        second,
        (Operation::UserCreate, 1),
    ];
    assert_eq!(log().await, expected);
    upkeep::refusals::write(service).await.unwrap();
    assert_eq!(log().await, expected);
}

async fn finding_06_refusals_at_once_are_one_row(test: &TestService) {
    let scene = Scene::with(test, Quotas::default()).await;
    let mut refused = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (service, owner) = (scene.service.clone(), scene.owner.1);
        let roles = "member".parse().unwrap();
        refused.spawn(async move { people::user_create(&service, owner, "x", roles).await });
    }
    assert!(refused.join_all().await.iter().all(Result::is_err));
    upkeep::refusals::write(&scene.service).await.unwrap();
    let rows = "select cast(sum(count) * 100 + count(*) as bigint) from audit_log where outcome = 'forbidden'";
    assert_eq!(test.count(rows).await, 1_601);
}

async fn finding_06_whoever_is_near_a_quota_is_warned(test: &TestService) {
    let scene = Scene::new(test).await;
    let service = &scene.service;
    let mut agent = scene.agent("project").await;
    agent.push(service, &of_bytes("a", 79)).await.unwrap();
    upkeep::quota_warnings::refresh(service).await.unwrap();
    assert_eq!(service.quota_warnings(scene.owner.0), []);
    agent.push(service, &of_bytes("b", 1)).await.unwrap();
    for _ in 0..3 {
        chats::create(service, scene.owner.1, &ChatCreate::default())
            .await
            .unwrap();
    }
    upkeep::quota_warnings::refresh(service).await.unwrap();
    let warning = |stock, used, quota| QuotaWarning { stock, used, quota };
    let expected = [
        warning(Stock::ContentBytes, 80, 100),
        warning(Stock::Chats, 3, 3),
    ];
    assert_eq!(service.quota_warnings(scene.owner.0), expected);
    let users = [
        (Stock::ContentBytes, 1),
        (Stock::Agents, 0),
        (Stock::Chats, 1),
        (Stock::Tokens, 0),
    ];
    assert_eq!(service.users_warned(), users);
    let process = ProcessId::from(Uuid::from_u128(7));
    let session = pushes::session_open(service, agent.credential, process).await;
    assert_eq!(session.unwrap().warnings, expected);
    scene
        .allow(QuotaChange {
            content_bytes: Some(Some(1_000)),
            chats: Some(Some(1_000)),
            ..QuotaChange::default()
        })
        .await;
    upkeep::quota_warnings::refresh(service).await.unwrap();
    assert_eq!(service.quota_warnings(scene.owner.0), []);
    // Agents and tokens are counted by the query.
    for _ in 0..2 {
        scene.agent("another").await;
    }
    upkeep::quota_warnings::refresh(service).await.unwrap();
    let expected = [warning(Stock::Agents, 3, 3)];
    assert_eq!(service.quota_warnings(scene.owner.0), expected);
}
