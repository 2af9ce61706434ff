//! PostgreSQL that fails over: the address of the database leads to a standby for a while, then to the new
//! primary.

use std::time::Duration;

use ctxpin_client::error::ClientError;
use ctxpin_cluster::{Address, Cluster, programs};
use ctxpin_protocol::http::chats::ChatCreate;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_testing::databases::await_replication;

use crate::server::Server;

/// Longest time from the moment when the address leads to a primary until a write succeeds.
const RECOVERY_MAX: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_b2_a_server_follows_a_failover() {
    let programs = programs::find().unwrap();
    let mut old = Cluster::start_primary(&programs).unwrap();
    let new = old.start_standby().unwrap();
    let address = Address::of(&old).unwrap();
    let server = Server::start_on(Some(address.url().to_owned())).await;
    let client = &server.client;
    client.chat_create(&ChatCreate::default()).await.unwrap();
    client.readiness_check().await.unwrap();

    await_replication(old.url()).await;
    new.promote().unwrap();
    old.demote().unwrap();
    // The address still leads to the old primary, which responds as a standby.
    unavailable(client.chat_create(&ChatCreate::default()).await);
    unavailable(client.readiness_check().await);
    // Its data would be old.
    unavailable(client.me().await);
    client.health_check().await.unwrap();

    address.lead_to(&new).unwrap();
    let written = async { while client.chat_create(&ChatCreate::default()).await.is_err() {} };
    let written = tokio::time::timeout(RECOVERY_MAX, written).await;
    written.expect("the new primary is found");
    client.readiness_check().await.unwrap();
    client.me().await.unwrap();
    server.stop().await;
}

#[track_caller]
fn unavailable<T: std::fmt::Debug>(answer: Result<T, ClientError>) {
    let refused = answer.unwrap_err();
    assert_eq!(
        refused.problem_name(),
        Some(ProblemName::Unavailable),
        "{refused}"
    );
}
