//! A single push.

use std::time::Duration;

use ctxpin_agent::error::AgentError;
use ctxpin_agent::push::{PushReport, once};
use ctxpin_client::Client;
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_scan::roots::Request;
use ctxpin_scan::trust::Trust;

use crate::agent::{PATIENCE, TOKEN, Workspace};
use crate::fake_server::{FakeServer, Fault};

async fn push(w: &Workspace, time_max: Duration) -> Result<PushReport, AgentError> {
    let client = Client::new(w.settings.server.clone(), Secret::new(TOKEN)).unwrap();
    let request = Request::project(w.path("project"), w.path("home"), Trust::of_process());
    once(client, request, time_max, |_| {}).await
}

#[tokio::test]
async fn what_is_there_is_pushed() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let pushed = push(&w, PATIENCE).await.unwrap();
    assert_eq!((pushed.seq, pushed.snapshot.resources.len()), (1, 1));
    server.fail_next_push(Fault::new(ProblemName::Unavailable, "in a moment"));
    let again = push(&w, PATIENCE).await.unwrap();
    assert_eq!((again.seq, &again.head), (1, &pushed.head));
    assert_eq!(server.held.lock().unwrap().epoch, 2);
}

#[tokio::test]
async fn what_fails_is_told() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let check = async |name, time_max, expected: &str| {
        server.fail_next_push(Fault::new(name, "why"));
        let error = push(&w, time_max).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(ProblemName::InvalidManifest, PATIENCE, "why").await;
    check(ProblemName::Unauthenticated, PATIENCE, "token").await;
    let sync_paused = Fault::new(ProblemName::SyncPaused, "later");
    server.fail_next_push(sync_paused.with_header("retry-after: 60"));
    let error = push(&w, Duration::from_secs(1)).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("within 1 s") && text.contains("later"),
        "{text}"
    );
    std::fs::remove_dir_all(w.path("project")).unwrap();
    let error = push(&w, PATIENCE).await.unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
}
