//! Sessions: which process of an agent may push.

use std::time::Duration;

use ctxpin_model::agent::{AgentState, Session, SessionRequest};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::ProcessId;
use ctxpin_model::page::PageRequest;
use ctxpin_model::push::Verdict;
use ctxpin_model::token::Credential;
use ctxpin_operations::agents;
use ctxpin_operations::error::{Error, Result};
use ctxpin_operations::pushes;
use ctxpin_operations::upkeep;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, first_admin};
use ctxpin_testing::workspace::Workspace;

ctxpin_testing::on_both_databases!(
    each_new_process_gets_the_next_epoch,
    the_same_process_gets_the_same_epoch_again,
    a_process_that_was_replaced_is_fenced_for_good,
    a_fenced_push_writes_nothing,
    an_epoch_that_was_never_given_is_fenced,
    a_restarted_agent_goes_on_with_its_timeline,
    a_restarted_agent_that_found_the_same_changes_nothing,
    a_session_tells_the_head,
    processes_of_two_agents_do_not_meet,
    a_repeated_session_counts_as_seen,
    a_clock_that_is_set_back_keeps_nobody_connected,
    a_process_says_whether_it_polls,
);

async fn a_process_says_whether_it_polls(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let agent = TestAgent::create(&test.service, owner, "project").await;
    let contact = async |number: u128, polling: Option<&str>| {
        let request = SessionRequest {
            process: process(number),
            polling: polling.map(str::to_owned),
        };
        pushes::session_open(&test.service, agent.credential, request).await
    };
    let told = async || {
        let record = agents::read(&test.service, owner, agent.id).await.unwrap();
        let state = record.state(test.clock.now());
        let page = PageRequest::newest(10);
        let listed = agents::list_by_state(&test.service, owner, Some(state), &page).await;
        let (listed, counts) = listed.unwrap();
        assert_eq!((listed.items.len(), counts.of(state)), (1, 1));
        (state, record.polling.clone())
    };
    let first = contact(7, None).await.unwrap();
    assert_eq!(told().await, (AgentState::Connected, None));
    let again = contact(7, Some("no room")).await.unwrap();
    assert_eq!(again.epoch, first.epoch);
    let polling = (AgentState::Polling, Some("no room".to_owned()));
    assert_eq!(told().await, polling);
    contact(7, Some("no room")).await.unwrap();
    assert_eq!(told().await, polling);
    test.advance(Duration::from_secs(100));
    assert_eq!(told().await.0, AgentState::Gone);
    contact(7, None).await.unwrap();
    assert_eq!(told().await, (AgentState::Connected, None));
    // A process that was replaced says nothing any more.
    let second = contact(8, Some("no events")).await.unwrap();
    assert_eq!(told().await.1.as_deref(), Some("no events"));
    require_fenced(contact(7, None).await, second.epoch, first.epoch);
    assert_eq!(told().await.1.as_deref(), Some("no events"));
}

fn process(number: u128) -> ProcessId {
    ProcessId::from(uuid::Uuid::from_u128(number))
}

async fn open(test: &TestService, agent: &TestAgent, number: u128) -> Result<Session> {
    pushes::session_open(&test.service, agent.credential, process(number)).await
}

fn require_fenced<T: std::fmt::Debug>(result: Result<T>, current: i64, offered: i64) {
    match result {
        Err(Error::Fenced {
            current: told_current,
            offered: told_offered,
        }) => assert_eq!((told_current, told_offered), (current, offered)),
        other => panic!("not fenced: {other:?}"),
    }
}

async fn each_new_process_gets_the_next_epoch(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let agent = TestAgent::create(&test.service, owner, "project").await;
    assert_eq!(agent.epoch, 1);
    for number in 2..5 {
        let session = open(test, &agent, number).await.unwrap();
        assert_eq!(session.epoch, i64::try_from(number).unwrap());
        assert!(session.head.is_none());
    }
}

async fn the_same_process_gets_the_same_epoch_again(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let first = open(test, &agent, 7).await.unwrap();
    agent.epoch = first.epoch;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    agent.push(&test.service, &workspace).await.unwrap();
    for _ in 0..3 {
        test.advance(Duration::from_secs(60));
        let again = open(test, &agent, 7).await.unwrap();
        assert_eq!(again.epoch, first.epoch);
    }
    // The epoch keeps its version, so an old push is still recognised.
    let record = agents::read(&test.service, owner, agent.id).await.unwrap();
    assert_eq!((record.epoch, record.version), (first.epoch, 1));
}

async fn a_process_that_was_replaced_is_fenced_for_good(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut agent = TestAgent::create(service, owner, "project").await;
    let old = open(test, &agent, 7).await.unwrap().epoch;
    let new = open(test, &agent, 8).await.unwrap().epoch;
    assert_eq!(new, old + 1);

    let workspace = Workspace::with_agents_md("/w", "One.\n");
    agent.epoch = old;
    require_fenced(agent.push(service, &workspace).await, new, old);
    let bytes = b"One.\n";
    let hash = BlobHash::of(bytes);
    let upload = pushes::blob_upload(service, agent.credential, old, hash, bytes[..].into());
    require_fenced(upload.await, new, old);
    // The old process cannot take over again by repeating its session.
    require_fenced(open(test, &agent, 7).await, new, old);
    require_fenced(open(test, &agent, 7).await, new, old);

    agent.epoch = new;
    agent.version = 0;
    let pushed = agent.push(service, &workspace).await.unwrap();
    assert_eq!(pushed.verdict, Verdict::Accepted);
}

async fn a_fenced_push_writes_nothing(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut agent = TestAgent::create(service, owner, "project").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    agent.push(service, &workspace).await.unwrap();
    let old = agent.epoch;
    agent.restart(service).await;
    let before = agents::read(service, owner, agent.id).await.unwrap();
    test.advance(Duration::from_secs(60));
    let new = agent.epoch;
    agent.epoch = old;
    for text in ["One.\n", "Two.\n"] {
        let late = Workspace::with_agents_md("/w", text);
        require_fenced(agent.push(service, &late).await, new, old);
    }
    let after = agents::read(service, owner, agent.id).await.unwrap();
    assert_eq!((after.version, after.head), (0, before.head));
    assert_eq!(after.last_push_at, before.last_push_at);
    assert_eq!(after.last_seen_at, before.last_seen_at);
}

async fn an_epoch_that_was_never_given_is_fenced(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let given = agent.epoch;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    for epoch in [given + 1, 0, -1, i64::MAX] {
        agent.epoch = epoch;
        require_fenced(agent.push(&test.service, &workspace).await, given, epoch);
    }
}

async fn a_restarted_agent_goes_on_with_its_timeline(test: &TestService) {
    let service = &test.service;
    let owner = first_admin(service).await;
    let mut agent = TestAgent::create(service, owner, "project").await;
    for (text, seq) in [("One.", 1), ("Two.", 2), ("Three.", 3)] {
        let workspace = Workspace::with_agents_md("/w", text);
        let pushed = agent.push(service, &workspace).await.unwrap();
        assert_eq!(pushed.verdict, Verdict::Accepted);
        assert_eq!(pushed.head.map(|head| head.seq), Some(seq));
        agent.restart(service).await;
        assert_eq!(agent.version, 0, "a new process counts from one");
    }
    let request = PageRequest::newest(9);
    let heads = agents::heads(service, owner, agent.id, &request)
        .await
        .unwrap();
    let seqs: Vec<_> = heads.items.iter().map(|head| head.seq).collect();
    assert_eq!(seqs, [3, 2, 1]);
}

async fn a_restarted_agent_that_found_the_same_changes_nothing(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    let first = agent.push(&test.service, &workspace).await.unwrap();
    agent.restart(&test.service).await;
    let again = agent.push(&test.service, &workspace).await.unwrap();
    assert_eq!(again.verdict, Verdict::Unchanged);
    assert_eq!(again.head, first.head);
}

async fn a_session_tells_the_head(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    let pushed = agent.push(&test.service, &workspace).await.unwrap();
    let session = open(test, &agent, 7).await.unwrap();
    assert_eq!(session.head, pushed.head);
    let again = open(test, &agent, 7).await.unwrap();
    assert_eq!(again.head, pushed.head);
}

async fn processes_of_two_agents_do_not_meet(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let one = TestAgent::create(&test.service, owner, "one").await;
    let two = TestAgent::create(&test.service, owner, "two").await;
    let epochs = [
        open(test, &one, 7).await.unwrap().epoch,
        open(test, &two, 7).await.unwrap().epoch,
        open(test, &two, 8).await.unwrap().epoch,
        open(test, &one, 7).await.unwrap().epoch,
    ];
    assert_eq!(epochs, [2, 2, 3, 2]);
}

async fn is_connected(test: &TestService, owner: Credential, agent: &TestAgent) -> bool {
    let record = agents::read(&test.service, owner, agent.id).await.unwrap();
    record.is_connected(test.clock.now())
}

async fn a_repeated_session_counts_as_seen(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let agent = TestAgent::create(&test.service, owner, "project").await;
    open(test, &agent, 7).await.unwrap();
    assert!(is_connected(test, owner, &agent).await);
    for _ in 0..4 {
        test.advance(Duration::from_secs(30));
        open(test, &agent, 7).await.unwrap();
        // The server's background work writes it together with all others.
        upkeep::last_used::write(&test.service).await.unwrap();
        assert!(is_connected(test, owner, &agent).await);
    }
    // A request of a replaced process does not count as seeing the agent.
    test.advance(Duration::from_secs(30));
    open(test, &agent, 8).await.unwrap();
    let seen_at = async || {
        let record = agents::read(&test.service, owner, agent.id).await;
        record.unwrap().last_seen_at
    };
    let before = seen_at().await;
    test.advance(Duration::from_secs(30));
    assert!(open(test, &agent, 7).await.is_err());
    upkeep::last_used::write(&test.service).await.unwrap();
    assert_eq!(seen_at().await, before);
    test.advance(Duration::from_secs(120));
    assert!(!is_connected(test, owner, &agent).await);
}

async fn a_clock_that_is_set_back_keeps_nobody_connected(test: &TestService) {
    let owner = first_admin(&test.service).await;
    let [killed, live] = [
        TestAgent::create(&test.service, owner, "killed").await,
        TestAgent::create(&test.service, owner, "live").await,
    ];
    for agent in [&killed, &live] {
        open(test, agent, 7).await.unwrap();
    }
    let counts = async || {
        let newest = PageRequest::newest(10);
        let listed = agents::list_by_state(&test.service, owner, Some(AgentState::Gone), &newest);
        let (gone, counts) = listed.await.unwrap();
        assert_eq!(gone.items.len() as u64, counts.gone);
        (counts.connected, counts.gone)
    };
    assert_eq!(counts().await, (2, 0));
    // The clocks of two replicas may differ a little.
    let seen_at = test.clock.now();
    test.clock.set(seen_at.before(Duration::from_secs(5)));
    assert_eq!(counts().await, (2, 0));

    test.clock.set(seen_at.before(Duration::from_secs(110)));
    assert!(!is_connected(test, owner, &killed).await);
    assert_eq!(counts().await, (0, 2));
    // The next request of an agent counts at once, although one of a later time is stored.
    open(test, &live, 7).await.unwrap();
    upkeep::last_used::write(&test.service).await.unwrap();
    assert_eq!(counts().await, (1, 1));
}
