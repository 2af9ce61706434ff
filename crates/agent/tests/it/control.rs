//! The control socket of a running agent.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use ctxpin_agent::control::{Client, ControlError, socket_path};
use ctxpin_agent::error::AgentError;
use ctxpin_agent::report::Report;
use ctxpin_protocol::control::{Answer, Pushing, REQUEST_BYTES_MAX};
use ctxpin_protocol::problem::ProblemName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::agent::{PATIENCE, Workspace};
use crate::played_server::{Fault, PlayedServer};

#[tokio::test]
async fn status_tells_how_it_stands() {
    let server = PlayedServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    let status = agent.control.status().await.unwrap();
    assert_eq!(status.pid, std::process::id());
    assert_eq!(status.epoch, Some(1));
    assert_eq!(status.pushing, Pushing::Settled);
    assert_eq!(status.directory, w.path("project").to_str().unwrap());
    let head = server.held.lock().unwrap().head.unwrap().to_string();
    let pushed = status.pushed.unwrap();
    assert_eq!((pushed.snapshot, pushed.seq), (head.clone(), 1));
    let found = status.found.unwrap();
    assert_eq!((found.snapshot, found.resources), (head, 1));
    let path = socket_path(&w.settings.state_directory);
    for (path, mode) in [(path, 0o600), (w.settings.state_directory.clone(), 0o700)] {
        let found = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{}", path.display());
    }
    agent.shut_down().await;
}

#[tokio::test]
async fn a_resync_is_answered_when_it_is_settled() {
    let server = PlayedServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    let resynced = agent.control.resync(PATIENCE).await.unwrap();
    assert_eq!((resynced.seq, resynced.resources), (1, 1));
    w.write("project/CLAUDE.md", "two");
    let resynced = agent.control.resync(PATIENCE).await.unwrap();
    assert_eq!((resynced.seq, resynced.resources), (2, 2));
    let head = server.held.lock().unwrap().head.unwrap().to_string();
    assert_eq!(resynced.snapshot, head);
    server.fail_next_push(Fault::new(ProblemName::InvalidManifest, "not this"));
    let error = agent.control.resync(PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("not this"), "{error}");
    // Asked for again, it is sent again.
    let resynced = agent.control.resync(PATIENCE).await.unwrap();
    assert_eq!(resynced.seq, 2);
    let paused = Fault::new(ProblemName::SyncPaused, "later").with_header("retry-after: 60");
    server.fail_next_push(paused);
    let error = agent.control.resync(Duration::from_secs(1)).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("within 1 s") && error.contains("later"),
        "{error}"
    );
    agent.shut_down().await;
}

#[tokio::test]
async fn stop_waits_for_the_end() {
    let server = PlayedServer::start().await;
    let w = Workspace::new(&server);
    for seq in [1, 2] {
        w.write("project/AGENTS.md", &format!("{seq}"));
        let mut agent = w.start();
        agent.pushed(seq).await;
        let control = agent.control.clone();
        control.stop().await.unwrap();
        assert!(!socket_path(&w.settings.state_directory).exists());
        // Another one can start at once; the old one needs no more time.
        agent.ended().await.unwrap();
        let error = control.status().await.unwrap_err();
        assert!(matches!(error, ControlError::NotRunning { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_second_agent_is_told_of_the_first() {
    let server = PlayedServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    let error = w.fail().await;
    assert!(matches!(error, AgentError::AlreadyRuns { .. }), "{error}");
    agent.control.status().await.unwrap();
    assert_eq!(server.held.lock().unwrap().epoch, 1);
    agent.shut_down().await;
}

#[tokio::test]
async fn what_lies_at_the_sockets_path() {
    let server = PlayedServer::start().await;
    let w = Workspace::new(&server);
    let path = socket_path(&w.settings.state_directory);
    fs::create_dir(&w.settings.state_directory).unwrap();
    let mode = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(&w.settings.state_directory, mode).unwrap();
    };
    mode(0o755);
    let error = w.fail().await.to_string();
    assert!(error.contains("mode 755"), "{error}");
    mode(0o700);
    fs::write(&path, "mine").unwrap();
    let error = w.fail().await.to_string();
    assert!(error.contains("in the way"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    fs::remove_file(&path).unwrap();
    // The socket of an agent that was killed: nobody listens, the file is there.
    drop(UnixListener::bind(&path).unwrap());
    let mut agent = w.start();
    agent.pushed(1).await;
    agent.control.status().await.unwrap();
    agent.shut_down().await;
}

#[tokio::test]
async fn a_path_too_long_for_a_socket() {
    let server = PlayedServer::start().await;
    let mut w = Workspace::new(&server);
    w.settings.state_directory = w.path(&"long/".repeat(30));
    let error = w.fail().await.to_string();
    assert!(error.contains("shorter path"), "{error}");
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let server = PlayedServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.until(|r| matches!(r, Report::Scanned { .. })).await;
    let long = format!(
        r#"{{"ask":"source_add","path":"/{}"}}"#,
        "x".repeat(100_000)
    );
    let check = async |line: &[u8], expected: &str| {
        let path = socket_path(&w.settings.state_directory);
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(line).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let Answer::Refused { reason } = serde_json::from_str(&text).unwrap() else {
            panic!("{text}");
        };
        assert!(reason.contains(expected), "{reason}");
    };
    check(b"", "cannot be read").await;
    check(b"\n", "cannot be read").await;
    check(b"status\n", "cannot be read").await;
    check(b"\xff\xfe\n", "cannot be read").await;
    check(b"{\"ask\":\"status\"", "cannot be read").await;
    check(b"{\"ask\":\"nothing\"}\n", "unknown variant").await;
    check(b"{\"ask\":\"stop\",\"now\":1}\n", "unknown field").await;
    check(b"{\"ask\":\"resync\",\"wait_seconds\":0}\n", "from 1 to").await;
    check(long.as_bytes(), &REQUEST_BYTES_MAX.to_string()).await;
    check(&vec![b'x'; 3 * REQUEST_BYTES_MAX], "at most").await;
    agent.control.status().await.unwrap();
    agent.shut_down().await;
}

#[tokio::test]
async fn without_an_agent_nothing_answers() {
    let base = tempfile::tempdir().unwrap();
    let control = Client::new(base.path());
    for error in [
        control.status().await.map(drop).unwrap_err(),
        control.stop().await.unwrap_err(),
    ] {
        assert!(matches!(error, ControlError::NotRunning { .. }), "{error}");
    }
}
