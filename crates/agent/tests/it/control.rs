//! The control socket of a running agent.

use std::fs::{self, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use ctxpin_agent::control::{Client, ControlError, socket_path};
use ctxpin_agent::error::AgentError;
use ctxpin_agent::report::Report;
use ctxpin_protocol::control::{PushStatus, REQUEST_BYTES_MAX, Refusal, RefusalKind, Response};
use ctxpin_protocol::problem::ProblemName;
use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_res_uid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::agent::{PATIENCE, Workspace};
use crate::fake_server::{FakeServer, Fault};

#[tokio::test]
async fn status_tells_how_it_stands() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    let status = agent.control.status().await.unwrap();
    assert_eq!(status.pid, std::process::id());
    assert_eq!(status.first.epoch, Some(1));
    assert_eq!(status.first.pushing, PushStatus::Settled);
    assert_eq!(status.first.directory, w.path("project").to_str().unwrap());
    let head = server.held.lock().unwrap().head.unwrap().to_string();
    let pushed = status.first.pushed.unwrap();
    assert_eq!((pushed.snapshot, pushed.seq), (head.clone(), 1));
    let found = status.first.found.unwrap();
    assert_eq!((found.snapshot, found.resources), (head, 1));
    let path = socket_path(&w.settings.state_directory);
    assert_eq!(status.socket, path.to_str().unwrap());
    for (path, mode) in [(path, 0o600), (w.settings.state_directory.clone(), 0o700)] {
        let found = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{}", path.display());
    }
    agent.shut_down().await;
}

#[tokio::test]
async fn a_resync_is_answered_when_it_is_settled() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    let resynced = agent.control.resync(PATIENCE, None).await.unwrap();
    assert_eq!((resynced.seq, resynced.resources), (1, 1));
    w.write("project/CLAUDE.md", "two");
    let resynced = agent.control.resync(PATIENCE, None).await.unwrap();
    assert_eq!((resynced.seq, resynced.resources), (2, 2));
    let head = server.held.lock().unwrap().head.unwrap().to_string();
    assert_eq!(resynced.snapshot, head);
    server.fail_next_push(Fault::new(ProblemName::InvalidManifest, "not this"));
    let error = agent.control.resync(PATIENCE, None).await.unwrap_err();
    assert!(error.to_string().contains("not this"), "{error}");
    // A resync sends it again.
    let resynced = agent.control.resync(PATIENCE, None).await.unwrap();
    assert_eq!(resynced.seq, 2);
    let paused = Fault::new(ProblemName::SyncPaused, "later").with_header("retry-after: 60");
    server.fail_next_push(paused);
    let error = agent.control.resync(Duration::from_secs(1), None).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("within 1 s") && error.contains("later"),
        "{error}"
    );
    agent.shut_down().await;
}

#[tokio::test]
async fn stop_waits_for_the_end() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    for seq in [1, 2] {
        w.write("project/AGENTS.md", &format!("{seq}"));
        let mut agent = w.start();
        agent.pushed(seq).await;
        let control = agent.control.clone();
        control.stop().await.unwrap();
        assert!(!socket_path(&w.settings.state_directory).exists());
        // Another agent can start at once.
        agent.ended().await.unwrap();
        let error = control.status().await.unwrap_err();
        assert!(matches!(error, ControlError::NotRunning { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_second_agent_is_told_of_the_first() {
    let server = FakeServer::start().await;
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
    let server = FakeServer::start().await;
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
    // A killed agent left its socket: the file exists, and nobody listens.
    drop(UnixListener::bind(&path).unwrap());
    let mut agent = w.start();
    agent.pushed(1).await;
    agent.control.status().await.unwrap();
    agent.shut_down().await;
}

#[tokio::test]
async fn case_b06_a_state_directory_may_be_deep() {
    let server = FakeServer::start().await;
    let mut w = Workspace::new(&server);
    w.settings.state_directory = w.path(&"x".repeat(200));
    for seq in [1, 2] {
        w.write("project/AGENTS.md", &format!("{seq}"));
        let mut agent = w.start();
        agent.pushed(seq).await;
        let control = agent.control.clone();
        control.status().await.unwrap();
        let socket = socket_path(&w.settings.state_directory);
        assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);
        control.stop().await.unwrap();
        agent.ended().await.unwrap();
        assert!(!socket.exists());
        let error = control.status().await.unwrap_err();
        assert!(matches!(error, ControlError::NotRunning { .. }), "{error}");
    }
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.until(|r| matches!(r, Report::Scanned { .. })).await;
    let long = format!(
        r#"{{"ask":"source_add","path":"/{}"}}"#,
        "x".repeat(REQUEST_BYTES_MAX)
    );
    let check = async |line: &[u8], expected_kind: RefusalKind, expected: &str| {
        let path = socket_path(&w.settings.state_directory);
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(line).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let Response::Refused(Refusal { kind, reason }) = serde_json::from_str(&text).unwrap()
        else {
            panic!("{text}");
        };
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(kind, expected_kind, "{reason}");
    };
    let (invalid, unknown) = (RefusalKind::InvalidRequest, RefusalKind::UnknownRequest);
    check(b"", invalid, "cannot be read").await;
    check(b"\n", invalid, "cannot be read").await;
    check(b"status\n", invalid, "cannot be read").await;
    check(b"\xff\xfe\n", invalid, "cannot be read").await;
    check(b"{\"ask\":\"status\"", invalid, "cannot be read").await;
    check(
        b"{\"ask\":\"nothing\"}\n",
        unknown,
        "knows no request `nothing`",
    )
    .await;
    check(b"{\"ask\":\"stop\",\"now\":1}\n", invalid, "unknown field").await;
    check(
        b"{\"ask\":\"resync\",\"wait_seconds\":0}\n",
        RefusalKind::Failed,
        "from 1 to",
    )
    .await;
    check(long.as_bytes(), invalid, &REQUEST_BYTES_MAX.to_string()).await;
    check(
        &vec![b'x'; REQUEST_BYTES_MAX + 64 * 1024],
        invalid,
        "at most",
    )
    .await;
    agent.control.status().await.unwrap();
    agent.shut_down().await;
}

/// Three barriers keep other users away, and each works without the other two.
#[tokio::test]
async fn another_user_is_kept_away() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    let directory = w.settings.state_directory.clone();
    let socket = socket_path(&directory);
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    if geteuid().is_root() {
        // Others may reach the directory itself, so that only its own mode is tested.
        for above in directory.ancestors().skip(1) {
            let found = fs::metadata(above).unwrap().mode() & 0o7777;
            if found & 0o001 == 0 {
                mode(above, found | 0o001);
            }
        }
        let refused = response_to_nobody(&socket).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        mode(&directory, 0o711);
        let refused = response_to_nobody(&socket).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        mode(&socket, 0o666);
        let answer = response_to_nobody(&socket).await.unwrap();
        let Response::Refused(refusal) = serde_json::from_str(&answer).unwrap() else {
            panic!("{answer}");
        };
        assert_eq!(refusal.kind, RefusalKind::Forbidden, "{}", refusal.reason);
        mode(&socket, 0o600);
        mode(&directory, 0o700);
    } else {
        eprintln!("not root, so no other user connects: only owner and modes are compared");
    }
    for (path, expected) in [(&socket, 0o600), (&directory, 0o700)] {
        let metadata = fs::metadata(path).unwrap();
        assert_eq!(metadata.uid(), geteuid().as_raw(), "{}", path.display());
        assert_eq!(metadata.mode() & 0o777, expected, "{}", path.display());
    }
    agent.control.status().await.unwrap();
    agent.shut_down().await;
}

/// Connects to a socket as the user `nobody`, on a thread that becomes this user, and returns the
/// response. The agent sends it without waiting for a request.
async fn response_to_nobody(socket: &Path) -> io::Result<String> {
    let socket = socket.to_owned();
    let asking = std::thread::spawn(move || {
        let nobody = Uid::from_raw(65_534);
        set_thread_res_uid(nobody, nobody, nobody)?;
        let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    // The agent itself runs on this thread.
    let joined = tokio::task::spawn_blocking(|| asking.join());
    joined.await.unwrap().unwrap()
}

#[tokio::test]
async fn a_link_in_place_of_the_socket_is_not_followed() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let directory = w.settings.state_directory.clone();
    let elsewhere = w.path("elsewhere.sock");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    drop(UnixListener::bind(&elsewhere).unwrap());
    symlink(&elsewhere, socket_path(&directory)).unwrap();
    let error = w.fail().await.to_string();
    assert!(error.contains("in the way"), "{error}");
    assert!(elsewhere.exists(), "what it leads to stays");
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
