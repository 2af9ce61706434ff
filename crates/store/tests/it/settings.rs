//! Databases with unusual settings: the store sets or checks what it relies on.

use ctxpin_operations::clock::Clock;
use ctxpin_operations::service::{Service, Storage};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::{
    TestService, create_postgres_database, create_postgres_database_with, test_start,
};
use ctxpin_testing::people::{TestAgent, first_admin};
use ctxpin_testing::workspace::Workspace;
use sqlx::{Connection as _, Executor as _, PgConnection};

/// Creates a database, runs a statement on it and returns its URL.
async fn database_after(statement: &'static str) -> String {
    let url = create_postgres_database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
    url
}

/// Returns the error that refuses a database.
async fn refusal(url: String) -> String {
    let storage = Storage::Postgres {
        url,
        connections_max: 2,
    };
    let opened = Service::open(&storage, Clock::standing_at(test_start())).await;
    opened.err().expect("it is refused").to_string()
}

/// Checks that a push pins a chat that is created while the push waits for the lock on its agent.
async fn check_no_pin_is_lost(url: String) {
    let test = TestService::postgres_at(url).await;
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let agent_id = agent.id;
    let mut held = test.hold("select 1 from agents for share").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    let meanwhile = async {
        held.awaited().await;
        let chat = TestChat::bound(&test.service, owner, agent_id).await;
        held.release().await;
        chat
    };
    let (pushed, chat) = tokio::join!(agent.push(&test.service, &workspace), meanwhile);
    pushed.unwrap();
    assert!(chat.snapshot().await.is_some(), "it is pinned");
    test.finish().await;
}

#[tokio::test]
async fn case_b3_repeatable_read_as_the_default_loses_no_pin() {
    let url = database_after(
        "do $$ begin execute format('alter database %I \
         set default_transaction_isolation to ''repeatable read''', current_database()); end $$",
    );
    check_no_pin_is_lost(url.await).await;
}

#[tokio::test]
async fn case_b3_serializable_as_the_default_loses_no_pin() {
    let url = database_after(
        "do $$ begin execute format('alter database %I \
         set default_transaction_isolation to serializable', current_database()); end $$",
    );
    check_no_pin_is_lost(url.await).await;
}

#[tokio::test]
async fn case_b3_read_only_as_the_default_does_not_stop_writes() {
    let url = database_after(
        "do $$ begin execute format('alter database %I \
         set default_transaction_read_only to on', current_database()); end $$",
    );
    let test = TestService::postgres_at(url.await).await;
    let owner = first_admin(&test.service).await;
    let mut agent = TestAgent::create(&test.service, owner, "project").await;
    let workspace = Workspace::with_agents_md("/w", "One.\n");
    agent.push(&test.service, &workspace).await.unwrap();
    test.finish().await;
}

#[tokio::test]
async fn case_b4_a_database_that_is_not_utf8_is_refused() {
    let options = "encoding 'LATIN1' locale_provider libc locale 'C' template template0";
    let refused = refusal(create_postgres_database_with(options).await).await;
    assert!(refused.contains("has the encoding LATIN1"), "{refused}");
    assert!(refused.contains("encoding 'UTF8'"), "{refused}");
}

#[tokio::test]
async fn case_k6_a_search_path_that_leads_nowhere_is_refused() {
    let url = database_after(
        "do $$ begin execute format('alter database %I set search_path to nowhere', \
         current_database()); end $$",
    );
    let refused = refusal(url.await).await;
    assert!(refused.contains("leads to no schema"), "{refused}");
    assert!(refused.contains("create schema"), "{refused}");
}

/// A schema that now comes first in the search path may have tables of the same names.
#[tokio::test]
async fn case_k6_the_schema_of_the_first_start_is_kept() {
    let url = database_after(
        "do $$ begin execute format('alter database %I set search_path to later, public', \
         current_database()); end $$",
    );
    let test = TestService::postgres_at(url.await).await;
    let owner = first_admin(&test.service).await;
    test.tamper("create schema later").await;
    test.tamper("create table later.users (name text)").await;
    let replica = test.replica().await;
    for service in [&test.service, &replica] {
        TestAgent::create(service, owner, "project").await;
    }
    let agents = test.count("select count(*) from public.agents").await;
    assert_eq!(agents, 2);
    replica.close().await;
    test.finish().await;
}
