//! Connections that PostgreSQL closes while they are idle, or because their replica stopped in the middle
//! of a transaction, and connections that it refuses.

use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::id::ChatId;
use ctxpin_operations::error::Error as OperationError;
use ctxpin_operations::people;
use ctxpin_store::database::{Database, Storage};
use ctxpin_store::deed::Deed;
use ctxpin_store::error::Error;
use ctxpin_store::grant::Caller;
use ctxpin_testing::databases::{
    TestService, create_postgres_database_of_user, postgres_url, test_start,
};
use ctxpin_testing::people::{TestAgent, first_admin};
use ctxpin_testing::workspace::Workspace;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// Far longer than a stopped replica may block others.
const BLOCKED_MAX: Duration = Duration::from_secs(60);

/// Opens the same data with connections of its own, as another replica does.
async fn replica(test: &TestService) -> Database {
    let Storage::Postgres { url, .. } = &test.storage else {
        panic!("a PostgreSQL database")
    };
    let storage = Storage::Postgres {
        url: url.clone(),
        connections_max: 4,
    };
    Database::open(&storage).await.unwrap()
}

/// Closes every other connection to the database.
async fn close_all(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
}

#[tokio::test]
async fn connections_closed_while_idle_are_replaced() {
    let test = TestService::postgres().await;
    let credential = first_admin(&test.service).await;
    let Storage::Postgres { url, .. } = &test.storage else {
        panic!("a PostgreSQL database")
    };
    let database = replica(&test).await;
    let caller = Caller {
        credential,
        now: test_start(),
    };
    for _ in 0..2 {
        // All four connections are open at once, then idle.
        let (one, two, three, four) = tokio::join!(
            database.read(),
            database.write(),
            database.read(),
            database.write()
        );
        for transaction in [one, two, three, four] {
            let deed = Deed::unaudited("a test");
            let _ = transaction.unwrap().commit(deed).await.unwrap();
        }
        close_all(url).await;
        let chat = ChatId::from(Uuid::from_u128(1));
        let missing = database.prompt(&caller, chat, None).await;
        assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
        let mut transaction = database.write().await.unwrap();
        let account = transaction
            .grant_account(&caller, Operation::MeRead)
            .await
            .unwrap();
        assert!(account.own_user(&mut transaction).await.is_ok());
    }
    database.close().await;
    test.finish().await;
}

#[tokio::test]
async fn a_replica_that_stops_in_a_transaction_does_not_block_others_for_long() {
    let test = TestService::postgres().await;
    let credential = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, credential, "project").await;
    let paused = replica(&test).await;
    let caller = Caller {
        credential,
        now: test_start(),
    };
    let sighting = paused
        .sight_agent(&caller, Operation::AgentDelete, agent.id)
        .await
        .unwrap();
    let mut transaction = paused.write().await.unwrap();
    let _held = transaction
        .grant_agents_locked(&caller, &[sighting])
        .await
        .unwrap();
    // That replica is silent from here on, and another replica writes.
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    let pushed = agent.push(&test.service, &workspace);
    let pushed = tokio::time::timeout(BLOCKED_MAX, pushed).await;
    assert!(pushed.expect("the lock was released").is_ok());
    // When it returns, its transaction fails, and its next one succeeds.
    let late = transaction.commit(Deed::unaudited("a test")).await;
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    let later = paused.write().await.unwrap();
    let _ = later.commit(Deed::unaudited("a test")).await.unwrap();
    paused.close().await;
    test.finish().await;
}

#[tokio::test]
async fn too_long_a_wait_for_a_lock_fails_as_unavailable() {
    let test = TestService::postgres().await;
    let credential = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, credential, "project").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    agent.push(&test.service, &workspace).await.unwrap();
    let held = test.hold("select 1 from agents for update").await;
    let workspace = Workspace::with_agents_md("/w", "Two.\n");
    let pushed = agent.push(&test.service, &workspace);
    let pushed = tokio::time::timeout(BLOCKED_MAX, pushed).await;
    let pushed = pushed.expect("the wait ends");
    assert!(
        matches!(pushed, Err(OperationError::Store(Error::Unavailable(_)))),
        "{pushed:?}"
    );
    held.release().await;
    agent.push(&test.service, &workspace).await.unwrap();
    test.finish().await;
}

/// A user may have few connections on a shared server. A request must not wait for a connection that cannot
/// be opened while another is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_b7_few_connections_serve_many_requests() {
    let url = create_postgres_database_of_user(2).await;
    let test = TestService::postgres_at(url).await;
    let credential = first_admin(&test.service).await;
    for _ in 0..3 {
        let requests = (0..30).map(|_| {
            let service = test.service.clone();
            tokio::spawn(async move { people::me(&service, credential).await })
        });
        for request in requests.collect::<Vec<_>>() {
            request.await.unwrap().unwrap();
        }
    }
    test.finish().await;
}

/// Waits until PostgreSQL has closed every connection to a database.
async fn all_are_closed(url: &str) {
    let mut connection = PgConnection::connect(&postgres_url()).await.unwrap();
    let connected = "select count(*) from pg_stat_activity where $1 like '%/' || datname || '?%'";
    let count = async |connection: &mut PgConnection| -> i64 {
        let count = sqlx::query_scalar(connected).bind(url);
        count.fetch_one(connection).await.unwrap()
    };
    while count(&mut connection).await > 0 {
        tokio::task::yield_now().await;
    }
}

/// Other clients hold all connections that the user may have, and then close one.
#[tokio::test]
async fn case_b7_a_connection_is_opened_when_another_is_closed() {
    let url = create_postgres_database_of_user(2).await;
    let test = TestService::postgres_at(url.clone()).await;
    let credential = first_admin(&test.service).await;
    test.service.close().await;
    all_are_closed(&url).await;
    let second = test.replica().await;
    all_are_closed(&url).await;
    let _other = PgConnection::connect(&url).await.unwrap();
    let neighbour = PgConnection::connect(&url).await.unwrap();
    let refused = people::me(&second, credential).await.unwrap_err();
    let cause = refused.cause().unwrap();
    assert!(
        cause.contains("(SQLSTATE 53300); raise max_connections"),
        "{cause}"
    );
    let request = people::me(&second, credential);
    let (response, closed) = tokio::join!(request, neighbour.close());
    closed.unwrap();
    response.unwrap();
    second.close().await;
    test.finish().await;
}
