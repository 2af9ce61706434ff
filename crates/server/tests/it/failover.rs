//! PostgreSQL that fails over: the address of the database leads to a standby for a while, then to the new
//! primary.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use ctxpin_client::error::ClientError;
use ctxpin_cluster::{Cluster, programs};
use ctxpin_protocol::http::chats::ChatCreate;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_testing::databases::await_replication;
use tempfile::TempDir;

use crate::server::Server;

/// Longest time from the moment that the address leads to a primary until that is written.
const RECOVERY_MAX: Duration = Duration::from_secs(30);

/// An address that leads to one of several clusters: a link to the directory of its socket.
struct Address {
    directory: TempDir,
}

impl Address {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("to")
    }

    fn url(&self) -> String {
        let path = self.path();
        format!(
            "postgres://postgres@localhost/postgres?host={}",
            path.display()
        )
    }

    fn lead_to(&self, cluster: &Cluster) {
        let new = self.directory.path().join("new");
        symlink(cluster.directory(), &new).unwrap();
        std::fs::rename(new, self.path()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_b2_a_server_follows_a_failover() {
    let programs = programs::find().unwrap();
    let mut old = Cluster::start_primary(&programs).unwrap();
    let new = old.start_standby().unwrap();
    let address = Address::new();
    address.lead_to(&old);
    let server = Server::start_on(Some(address.url())).await;
    let client = &server.client;
    client.chat_create(&ChatCreate::default()).await.unwrap();
    client.readiness_check().await.unwrap();

    await_replication(old.url()).await;
    new.promote().unwrap();
    old.demote().unwrap();
    // The address still leads to the old one, which answers, and is a standby.
    unavailable(client.chat_create(&ChatCreate::default()).await);
    unavailable(client.readiness_check().await);
    // What it would tell is as it was before.
    unavailable(client.me().await);
    client.health_check().await.unwrap();

    address.lead_to(&new);
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
