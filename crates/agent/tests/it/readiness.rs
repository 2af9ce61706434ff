//! Nothing is scanned before the workspace is ready.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use ctxpin_agent::readiness::Readiness;
use ctxpin_agent::report::Report;
use tokio::process::Command;

use crate::agent::{PATIENCE, Running, Workspace};
use crate::fake_server::FakeServer;

async fn not_ready(agent: &mut Running) -> String {
    let not_ready = |report: &Report| matches!(report, Report::NotReady { .. });
    match agent.until(not_ready).await {
        Report::NotReady { reason } => reason,
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn a_file_is_waited_for() {
    let server = FakeServer::start().await;
    let mut w = Workspace::new(&server);
    // Even the directory is created only later.
    fs::remove_dir_all(w.path("project")).unwrap();
    w.settings.ready = Some(Readiness::File(w.path("home/ready")));
    let mut agent = w.start();
    let reason = not_ready(&mut agent).await;
    assert!(reason.contains("home/ready"), "{reason}");
    let status = agent.control.status().await.unwrap();
    assert_eq!((status.not_ready, status.first.found), (Some(reason), None));
    let error = agent.control.resync(Duration::from_secs(20), None).await;
    assert!(error.unwrap_err().to_string().contains("not ready yet"));
    fs::create_dir(w.path("project")).unwrap();
    w.write("project/AGENTS.md", "whole");
    assert_eq!(server.held.lock().unwrap().seq, 0);
    fs::write(w.path("home/ready"), "").unwrap();
    agent.until(|r| matches!(r, Report::Ready)).await;
    agent.pushed(1).await;
    assert_eq!(server.sources(&w.base), ["project/AGENTS.md"]);
    assert_eq!(agent.control.status().await.unwrap().not_ready, None);
    agent.shut_down().await;
}

#[tokio::test]
async fn a_command_is_run_until_it_succeeds() {
    let server = FakeServer::start().await;
    let mut w = Workspace::new(&server);
    let command = "echo x >> ../home/runs; test $(wc -l < ../home/runs) -ge 3";
    w.settings.ready = Some(Readiness::Command(command.into()));
    let mut agent = w.start();
    let reason = not_ready(&mut agent).await;
    assert!(reason.contains("runs"), "{reason}");
    let reason = not_ready(&mut agent).await;
    assert!(reason.contains("failed (exit status: 1)"), "{reason}");
    agent.pushed(1).await;
    let runs = fs::read_to_string(w.path("home/runs")).unwrap();
    assert_eq!(runs, "x\nx\nx\n");
    agent.shut_down().await;
}

/// Runs a program on a path. `flock` gets `true` to run.
async fn run(program: &str, path: PathBuf) {
    let mut command = Command::new(program);
    command.arg(path).stdout(Stdio::null());
    if program == "flock" {
        command.arg("true");
    }
    let ended = tokio::time::timeout(PATIENCE, command.status()).await;
    assert!(ended.unwrap().unwrap().success(), "{program}");
}

#[tokio::test]
async fn a_command_ends_with_the_agent() {
    let server = FakeServer::start().await;
    let mut w = Workspace::new(&server);
    // A grandchild holds the lock while it lives, and writes to the pipe once it has the lock.
    run("mkfifo", w.path("home/begun")).await;
    let command = "flock ../home/lock sh -c 'echo > ../home/begun; sleep 1000'; true";
    w.settings.ready = Some(Readiness::Command(command.into()));
    let mut agent = w.start();
    not_ready(&mut agent).await;
    run("cat", w.path("home/begun")).await;
    agent.shut_down().await;
    run("flock", w.path("home/lock")).await;
    assert_eq!(server.held.lock().unwrap().seq, 0);
}
