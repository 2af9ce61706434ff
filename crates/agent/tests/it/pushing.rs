//! From an edited file to the server's head.

use std::fs;
use std::time::Duration;

use ctxpin_agent::error::AgentError;
use ctxpin_agent::report::Report;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::moment::Moment;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::PushStatus;
use ctxpin_protocol::http::quotas::QuotaWarning;
use ctxpin_protocol::problem::{Problem, ProblemName};
use tokio_util::sync::CancellationToken;

use crate::agent::{PATIENCE, Workspace};
use crate::fake_server::{FakeServer, Fault};

#[tokio::test]
async fn edits_are_pushed_and_nothing_else() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    assert_eq!(server.sources(&w.base), ["project/AGENTS.md"]);
    w.write("project/CLAUDE.md", "two");
    agent.pushed(2).await;
    // The same bytes again, and files that are not scanned. Only the next edit is pushed.
    w.write("project/AGENTS.md", "one");
    w.write("project/README.md", "x");
    w.write("project/AGENTS.md", "three");
    agent.pushed(3).await;
    fs::remove_file(w.path("project/CLAUDE.md")).unwrap();
    agent.pushed(4).await;
    assert_eq!(server.sources(&w.base), ["project/AGENTS.md"]);
    assert_eq!(server.held.lock().unwrap().carried, [1, 1, 1, 0]);
    agent.shut_down().await;
}

#[tokio::test]
async fn a_restart_with_the_same_content_sends_no_bytes() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    agent.shut_down().await;
    let mut agent = w.start();
    let opened = |r: &Report| matches!(r, Report::SessionOpened { epoch: 2, .. });
    agent.until(opened).await;
    let unchanged = |r: &Report| matches!(r, Report::Unchanged { seq: 1, .. });
    agent.until(unchanged).await;
    assert_eq!(server.held.lock().unwrap().carried, [1, 0]);
    agent.shut_down().await;
    // One file changed while no agent ran: the server requests its bytes and gets them.
    w.write("project/CLAUDE.md", "two");
    let mut agent = w.start();
    agent.pushed(2).await;
    assert_eq!(server.held.lock().unwrap().carried, [1, 0, 0, 1]);
    agent.shut_down().await;
}

#[tokio::test]
async fn what_is_large_goes_ahead() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let skill = w.path("project/skills/big");
    fs::create_dir_all(&skill).unwrap();
    let text = "---\nname: big\ndescription: Is large.\n---\nBody.\n";
    fs::write(skill.join("SKILL.md"), text).unwrap();
    for index in 0..10 {
        fs::write(skill.join(format!("{index}")), vec![index; 500_000]).unwrap();
    }
    let mut agent = w.start();
    agent.pushed(1).await;
    {
        let held = server.held.lock().unwrap();
        // 8 of the files fit into 4 MiB with the two texts.
        assert_eq!(
            (held.carried.as_slice(), held.uploads),
            ([10].as_slice(), 2)
        );
    }
    agent.shut_down().await;
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let server = FakeServer::start().await;
    server.held.lock().unwrap().fault = Some(Fault::new(ProblemName::Unavailable, "starting"));
    let w = Workspace::new(&server);
    let mut agent = w.start();
    let waiting = |report: &Report| matches!(report, Report::Waiting { .. });
    agent.until(waiting).await;
    let status = agent.control.status().await.unwrap();
    assert_eq!(status.first.epoch, None);
    assert!(matches!(status.first.pushing, PushStatus::Waiting { .. }));
    let paused = Fault::new(ProblemName::SyncPaused, "later").with_header("retry-after: 1");
    server.fail_next_push(paused);
    for _ in 0..1_000 {
        server.fail_next_push(Fault::new(ProblemName::Unavailable, "starting"));
    }
    server.held.lock().unwrap().fault = None;
    let paused = |report: &Report| match report {
        Report::Waiting { reason, pause } => {
            reason.contains("later") && *pause >= Duration::from_secs(1)
        }
        _ => false,
    };
    agent.until(paused).await;
    // In the end, the agent sends the workspace as it is then.
    w.write("project/AGENTS.md", "newer");
    agent.until(|r| matches!(r, Report::Scanned { .. })).await;
    server.held.lock().unwrap().faults.clear();
    agent.pushed(1).await;
    let found = agent.control.status().await.unwrap().first.found.unwrap();
    let head = server.held.lock().unwrap().head.unwrap();
    assert_eq!(found.snapshot, head.to_string());
    agent.shut_down().await;
}

#[tokio::test]
async fn a_refusal_waits_for_a_change() {
    let server = FakeServer::start().await;
    server.fail_next_push(Fault::new(ProblemName::InvalidManifest, "not this"));
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.until(|r| matches!(r, Report::Refused { .. })).await;
    let status = agent.control.status().await.unwrap();
    let PushStatus::Refused { reason, .. } = status.first.pushing else {
        panic!("{status:?}");
    };
    assert!(reason.contains("not this"), "{reason}");
    w.write("project/AGENTS.md", "another");
    agent.pushed(1).await;
    let status = agent.control.status().await.unwrap();
    assert_eq!(status.first.pushing, PushStatus::Settled);
    agent.shut_down().await;
}

/// Returns a refusal of a push that is one too many, with the seconds that the agent has to wait.
fn too_many(seconds: u32) -> Fault {
    let fault = Fault::new(ProblemName::QuotaExceeded, "too many");
    fault.with_header(&format!("retry-after: {seconds}"))
}

/// Returns whether an agent waits for so long because of that.
fn waits(report: &Report, seconds: u64) -> bool {
    match report {
        Report::Waiting { reason, pause } => {
            reason.contains("too many") && *pause >= Duration::from_secs(seconds)
        }
        _ => false,
    }
}

#[tokio::test]
async fn finding_06_after_too_many_pushes_changes_wait() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    server.fail_next_push(too_many(600));
    w.write("project/AGENTS.md", "two");
    agent.until(|report| waits(report, 600)).await;
    for text in ["three", "four"] {
        w.write("project/AGENTS.md", text);
        agent.until(|r| matches!(r, Report::Scanned { .. })).await;
    }
    let status = agent.control.status().await.unwrap();
    assert!(matches!(status.first.pushing, PushStatus::Waiting { .. }));
    assert_eq!(server.held.lock().unwrap().carried, [1, 1]);
    agent.shut_down().await;
}

#[tokio::test]
async fn finding_06_after_too_many_pushes_the_newest_is_sent() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    // The server refuses until the last change is scanned, however long that takes.
    server.held.lock().unwrap().faults = vec![too_many(1); 1_000].into();
    w.write("project/AGENTS.md", "two");
    agent.until(|report| waits(report, 1)).await;
    for text in ["three", "four"] {
        w.write("project/AGENTS.md", text);
        agent.until(|r| matches!(r, Report::Scanned { .. })).await;
    }
    server.held.lock().unwrap().faults.clear();
    agent.pushed(2).await;
    {
        let held = server.held.lock().unwrap();
        assert!(held.blobs.contains_key(&BlobHash::of(b"four")));
        assert!(!held.blobs.contains_key(&BlobHash::of(b"three")));
    }
    agent.shut_down().await;
}

#[tokio::test]
async fn finding_06_without_room_the_agent_goes_on_watching() {
    let server = FakeServer::start().await;
    let warning = QuotaWarning {
        limit: "content_bytes".into(),
        used: 9,
        quota: 10,
    };
    let ends = Moment::from_unix_micros(1_800_000_000_000_000);
    {
        let mut held = server.held.lock().unwrap();
        held.quota_warnings = vec![warning.clone()];
        held.token_expires_at = ends;
    }
    let no_room = || Fault::of(&Problem::new(ProblemName::QuotaExceeded, "full").without_room());
    let w = Workspace::new(&server);
    server.fail_next_push(no_room());
    let mut agent = w.start();
    agent.until(|r| matches!(r, Report::NoRoom { .. })).await;
    let status = agent.control.status().await.unwrap();
    let PushStatus::Refused {
        reason,
        seconds: Some(seconds),
    } = status.first.pushing
    else {
        panic!("{status:?}");
    };
    assert!(reason.contains("full") && seconds > 500, "{reason}");
    assert_eq!(status.first.quota_warnings, [warning]);
    assert_eq!(status.first.token_expires_at, ends.map(Moment::utc));
    assert_eq!(status.first.pushed, None);
    // The agent tries every change. The first change that fits becomes the head.
    server.fail_next_push(no_room());
    w.write("project/AGENTS.md", "two");
    agent.until(|r| matches!(r, Report::NoRoom { .. })).await;
    w.write("project/AGENTS.md", "three");
    agent.pushed(1).await;
    let status = agent.control.status().await.unwrap();
    assert_eq!(status.first.pushing, PushStatus::Settled);
    agent.shut_down().await;
}

#[tokio::test]
async fn a_newer_process_fences() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    let newer = Workspace::new(&server);
    let mut other = newer.start();
    other.pushed(2).await;
    w.write("project/AGENTS.md", "too late");
    agent.until(|r| matches!(r, Report::Fenced)).await;
    let error = agent.ended().await.unwrap_err();
    assert!(matches!(error, AgentError::Fenced { .. }), "{error}");
    assert_eq!(server.held.lock().unwrap().seq, 2);
    other.shut_down().await;
}

#[tokio::test]
async fn a_token_that_is_not_taken_ends_the_agent() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let refuse = |name| server.held.lock().unwrap().fault = Some(Fault::new(name, "why"));
    refuse(ProblemName::Unauthenticated);
    let error = w.fail().await;
    assert!(
        matches!(error, AgentError::Unauthenticated { .. }),
        "{error}"
    );
    refuse(ProblemName::Forbidden);
    let error = w.fail().await;
    assert!(matches!(error, AgentError::Refused { .. }), "{error}");
    refuse(ProblemName::AgentReplaced);
    let error = w.fail().await;
    assert!(matches!(error, AgentError::Replaced { .. }), "{error}");
}

#[tokio::test]
async fn endless_writing_keeps_nothing_from_being_seen() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    let (path, ended) = (w.path("project/CLAUDE.md"), CancellationToken::new());
    let (next, writing) = (w.path("next"), ended.clone());
    let writer = std::thread::spawn(move || {
        for number in 0_u64.. {
            // The write is atomic, since most scans would otherwise find an empty file.
            fs::write(&next, number.to_string()).unwrap();
            fs::rename(&next, &path).unwrap();
            if writing.is_cancelled() {
                break;
            }
        }
    });
    for seq in [2, 3, 4] {
        agent.pushed(seq).await;
    }
    ended.cancel();
    writer.join().unwrap();
    let resynced = agent.control.resync(PATIENCE, None).await.unwrap();
    let head = server.held.lock().unwrap().head.unwrap().to_string();
    assert_eq!(resynced.snapshot, head);
    let found = server.held.lock().unwrap().snapshot.resources[1].clone();
    let written = fs::read(w.path("project/CLAUDE.md")).unwrap();
    assert_eq!(found.body(), Some(BlobHash::of(&written)));
    agent.shut_down().await;
}

#[tokio::test]
async fn without_events_it_polls_on_request() {
    let server = FakeServer::start().await;
    let mut w = Workspace::new(&server);
    w.settings.poll = true;
    let mut agent = w.start();
    agent.until(|r| matches!(r, Report::Polling { .. })).await;
    agent.pushed(1).await;
    w.write("project/AGENTS.md", "two");
    agent.pushed(2).await;
    let status = agent.control.status().await.unwrap();
    assert_eq!(status.polling.as_deref(), Some("it was asked for"));
    // The snapshot has no error, since the user asked for polling.
    assert_eq!(status.first.found.unwrap().error, None);
    agent.shut_down().await;
}

#[tokio::test]
async fn what_no_event_announces_is_found_by_the_slow_poll_and_pushed() {
    let server = FakeServer::start().await;
    let mut w = Workspace::new(&server);
    server.held.lock().unwrap().profile = Profile::ClaudeCode;
    w.settings.standings[0].profile = Profile::ClaudeCode;
    w.write("project/CLAUDE.md", "top");
    fs::create_dir_all(w.path("project/docs/deep")).unwrap();
    fs::create_dir(w.path("project/known")).unwrap();
    w.write("project/known/CLAUDE.md", "one");
    fs::hard_link(w.path("project/known/CLAUDE.md"), w.path("outside/same")).unwrap();
    let mut agent = w.start();
    agent.pushed(1).await;
    // From now on, everything that the scan named is watched.
    agent.control.resync(PATIENCE, None).await.unwrap();
    // Nothing watches a directory below without such a file.
    w.write("project/docs/deep/CLAUDE.md", "new");
    slow_poll().await;
    agent.pushed(2).await;
    let below = ["project/known/CLAUDE.md", "project/docs/deep/CLAUDE.md"];
    assert_eq!(server.sources(&w.base)[2..4], below);
    agent.control.resync(PATIENCE, None).await.unwrap();
    // A write to another name of a file is no event in its own directory.
    fs::write(w.path("outside/same"), "two").unwrap();
    slow_poll().await;
    agent.pushed(3).await;
    let known = server.held.lock().unwrap().snapshot.resources[2].clone();
    assert_eq!(known.body(), Some(BlobHash::of(b"two")));
    agent.shut_down().await;
}

/// Lets the time pass after which an agent scans although nothing happened.
async fn slow_poll() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_directory_that_is_gone_is_waited_for() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    let mut agent = w.start();
    agent.pushed(1).await;
    fs::rename(w.path("project"), w.path("away")).unwrap();
    agent
        .until(|r| matches!(r, Report::ScanFailed { .. }))
        .await;
    let status = agent.control.status().await.unwrap();
    assert!(status.first.scan_error.unwrap().contains("does not exist"));
    let error = agent.control.resync(Duration::from_secs(20), None).await;
    assert!(error.unwrap_err().to_string().contains("does not exist"));
    // The previous head stays, and no empty snapshot was pushed.
    assert_eq!(server.held.lock().unwrap().seq, 1);
    fs::rename(w.path("away"), w.path("project")).unwrap();
    w.write("project/AGENTS.md", "back");
    agent.pushed(2).await;
    assert_eq!(agent.control.status().await.unwrap().first.scan_error, None);
    agent.shut_down().await;
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_an_error() {
    let server = FakeServer::start().await;
    let mut w = Workspace::new(&server);
    w.settings.directory = w.path("nowhere");
    let error = w.fail().await;
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert_eq!(server.held.lock().unwrap().epoch, 0, "nobody was fenced");
}
