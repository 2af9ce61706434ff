//! A plan against a server that is played by hand.

use std::sync::Arc;

use ctxpin_model::resource::{Bodies, Content, Kind, Resource, Status};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::warning::{Code, Note, Warning};
use ctxpin_protocol::convert::resources;
use ctxpin_protocol::http::agents::Head;
use ctxpin_scan::Scan;

use super::*;
use crate::reading::ProjectScan;

const MIB: usize = 1024 * 1024;

/// A snapshot of instruction files with these texts.
fn local(texts: &[&[u8]]) -> LocalSnapshot {
    local_for(texts, 0)
}

fn local_for(texts: &[&[u8]], resync: u64) -> LocalSnapshot {
    let mut bodies = Bodies::new();
    let mut snapshot = Snapshot::default();
    for (index, text) in texts.iter().enumerate() {
        let hash = BlobHash::of(text);
        bodies.insert(hash, Arc::from(*text));
        let source = format!("/w/{index}.md");
        let mut resource = Resource::new(Kind::InstructionFile, source, Status::Ok);
        resource.content = Some(Content::Pinned(hash));
        snapshot.resources.push(resource);
    }
    let scan = Scan {
        snapshot,
        bodies,
        notes: Vec::new(),
        places: Vec::new(),
    };
    local_of(scan, resync)
}

/// The same content with a note.
fn noted(local: &LocalSnapshot, about: &str) -> LocalSnapshot {
    let scan = Scan {
        snapshot: local.snapshot().clone(),
        bodies: local.bodies().clone(),
        notes: vec![Note {
            source: None,
            warning: Warning::new(Code::OtherTool).about(about),
        }],
        places: Vec::new(),
    };
    local_of(scan, local.resync())
}

fn local_of(scan: Scan, resync: u64) -> LocalSnapshot {
    LocalSnapshot::of(Arc::new(ProjectScan::new(scan, None, resync)))
}

fn hashes(texts: &[&[u8]]) -> BTreeSet<BlobHash> {
    texts.iter().map(|text| BlobHash::of(text)).collect()
}

fn session(epoch: i64, head: Option<&str>) -> Session {
    Session {
        agent_id: None,
        epoch,
        head: head.map(|snapshot| Head {
            snapshot: snapshot.to_owned(),
            seq: 1,
            received_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        }),
        limits: resources::limits(64 * MIB as u64),
        quota_warnings: Vec::new(),
        token_expires_at: None,
    }
}

fn answer(local: &LocalSnapshot, seq: i64) -> PushAnswer {
    PushAnswer {
        accepted: true,
        reason: None,
        snapshot: Some(local.id.to_string()),
        seq: Some(seq),
        hydrated: 0,
    }
}

fn transient() -> Failure {
    Failure::Transient {
        reason: "away".into(),
        retry_after: None,
    }
}

/// A plan at a moment that the test moves on.
struct Played {
    plan: Plan,
    now: Instant,
}

impl Played {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            plan: Plan::new(now),
            now,
        }
    }

    /// A plan whose session is open, with the head given.
    fn opened(head: Option<&str>) -> Self {
        let mut played = Self::new();
        assert_eq!(played.next(None), Step::OpenSession);
        assert!(played.plan.session_opened(played.now, session(3, head)));
        played
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
    }

    fn next(&mut self, local: Option<&LocalSnapshot>) -> Step {
        self.plan.next(self.now, local)
    }

    /// Expects a push with these bytes.
    fn expect_push(&mut self, local: &LocalSnapshot, version: i64, inline: &[&[u8]]) {
        let expected = Step::Push {
            epoch: 3,
            version,
            inline: hashes(inline),
        };
        assert_eq!(self.next(Some(local)), expected);
    }

    fn expect_wait(&mut self, local: &LocalSnapshot, pause: Duration) {
        let until = self.now + pause;
        assert_eq!(self.next(Some(local)), Step::Wait { until });
    }

    fn answered(&mut self, local: &LocalSnapshot, seq: i64) -> Acknowledged {
        self.plan.push_answered(local, answer(local, seq)).unwrap()
    }

    fn failed(&mut self, local: &LocalSnapshot, failure: Failure) -> Recovery {
        self.plan
            .push_failed(self.now, local, failure, 0.0)
            .unwrap()
    }

    fn missing(&mut self, local: &LocalSnapshot, texts: &[&[u8]]) -> Recovery {
        let missing = hashes(texts);
        self.failed(local, Failure::MissingBlobs { missing })
    }
}

#[test]
fn a_first_push_carries_what_an_empty_server_lacks() {
    let mut played = Played::opened(None);
    let one = local(&[b"a", b"b"]);
    played.expect_push(&one, 1, &[b"a", b"b"]);
    assert_eq!(played.plan.status(Some(&one)), PushStatus::Sending);
    let acknowledged = played.answered(&one, 1);
    assert!(!acknowledged.unchanged);
    assert_eq!(played.plan.status(Some(&one)), PushStatus::Settled);
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    let two = local(&[b"a", b"c"]);
    played.expect_push(&two, 2, &[b"c"]);
    played.answered(&two, 2);
    // What was there two pushes ago is not the head's any more.
    played.expect_push(&one, 3, &[b"b"]);
}

#[test]
fn a_head_that_is_ours_costs_no_bytes() {
    let one = local(&[b"a"]);
    let head = one.id.to_string();
    let mut played = Played::opened(Some(&head));
    played.expect_push(&one, 1, &[]);
    assert!(played.answered(&one, 4).unchanged);
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
}

#[test]
fn a_head_of_another_process_is_asked_what_it_lacks() {
    let mut played = Played::opened(Some("sha256:other"));
    let one = local(&[b"a", b"b", b"c"]);
    played.expect_push(&one, 1, &[]);
    assert_eq!(played.missing(&one, &[b"a", b"b"]), Recovery::Continue);
    played.expect_push(&one, 2, &[b"a", b"b"]);
    played.answered(&one, 2);
    let two = local(&[b"a", b"b", b"c", b"d"]);
    played.expect_push(&two, 3, &[b"d"]);
}

#[test]
fn a_server_that_asks_for_ever_is_given_up() {
    let mut played = Played::opened(Some("sha256:other"));
    let one = local(&[b"a"]);
    for version in 1..=i64::from(MISSING_ROUNDS_MAX) {
        assert!(matches!(played.next(Some(&one)), Step::Push { version: v, .. } if v == version));
        assert_eq!(played.missing(&one, &[b"a"]), Recovery::Continue);
    }
    assert!(matches!(
        played.missing(&one, &[b"a"]),
        Recovery::Refused { .. }
    ));
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    let two = local(&[b"b"]);
    let Recovery::Refused { reason } = played.missing(&two, &[b"not ours"]) else {
        panic!();
    };
    assert!(reason.contains("not part"), "{reason}");
}

#[test]
fn large_bytes_go_ahead() {
    let (large, small) = (vec![1; 5 * MIB], vec![2; 7]);
    let mut played = Played::opened(None);
    let one = local(&[&large, &small]);
    let hash = BlobHash::of(&large);
    let upload = Step::Upload { epoch: 3, hash };
    assert_eq!(played.next(Some(&one)), upload);
    // A pause, and a newer scan that needs the same bytes: they are not sent twice.
    played.plan.uploaded(hash);
    played.failed(&one, transient());
    played.pass(Duration::from_secs(1));
    let two = local(&[&large, b"x"]);
    played.expect_push(&two, 1, &[b"x"]);
    // They have expired: the server says so, and they are.
    assert_eq!(played.missing(&two, &[&large]), Recovery::Continue);
    assert_eq!(played.next(Some(&two)), upload);
}

#[test]
fn a_pause_ends_with_the_newest() {
    let mut played = Played::opened(None);
    let (one, two) = (local(&[b"a"]), local(&[b"b"]));
    played.expect_push(&one, 1, &[b"a"]);
    let recovery = played.failed(&one, transient());
    let pause = Duration::from_millis(250);
    assert!(matches!(recovery, Recovery::Retry { pause: p, .. } if p == pause));
    assert!(matches!(
        played.plan.status(Some(&one)),
        PushStatus::Waiting(_)
    ));
    played.expect_wait(&one, pause);
    played.expect_wait(&two, pause);
    played.pass(pause);
    played.expect_push(&two, 2, &[b"b"]);
    // The server names a time that is longer than the heartbeat's.
    let asked = Duration::from_secs(120);
    played.failed(
        &two,
        Failure::Transient {
            reason: "paused".into(),
            retry_after: Some(asked),
        },
    );
    played.pass(HEARTBEAT_INTERVAL);
    assert_eq!(played.next(Some(&two)), Step::OpenSession);
    played.plan.session_opened(played.now, session(3, None));
    played.expect_wait(&two, HEARTBEAT_INTERVAL);
    played.pass(asked);
    played.plan.session_opened(played.now, session(3, None));
    played.expect_push(&two, 3, &[b"b"]);
}

#[test]
fn a_refusal_stands_until_something_changes() {
    let refused = || Failure::Refused {
        reason: "no".into(),
    };
    let mut played = Played::opened(None);
    let (one, two) = (local(&[b"a"]), local(&[b"b"]));
    played.expect_push(&one, 1, &[b"a"]);
    played.failed(&one, refused());
    let expected = PushStatus::Refused(Refusal {
        reason: "no".into(),
        retry_at: None,
    });
    assert_eq!(played.plan.status(Some(&one)), expected);
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    played.expect_push(&two, 2, &[b"b"]);
    played.answered(&two, 1);
    // Back to what was refused: that is a change too.
    played.expect_push(&one, 3, &[b"a"]);
    played.failed(&one, refused());
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    // Back to what the server has: nothing to send.
    played.expect_wait(&two, HEARTBEAT_INTERVAL);
    assert_eq!(played.plan.status(Some(&two)), PushStatus::Settled);
}

#[test]
fn finding_06_what_there_is_no_room_for_is_tried_again_rarely() {
    let no_room = || Failure::NoRoom {
        reason: "full".into(),
    };
    let mut played = Played::opened(None);
    let (one, two) = (local(&[b"a"]), local(&[b"b"]));
    played.expect_push(&one, 1, &[b"a"]);
    let recovery = played.plan.push_failed(played.now, &one, no_room(), 0.5);
    let pause = Duration::from_secs(15 * 60);
    let reason = "full".to_owned();
    let expected = Recovery::NoRoom { reason, pause };
    assert_eq!(recovery.unwrap(), expected);
    let PushStatus::Refused(refused) = played.plan.status(Some(&one)) else {
        panic!("it is told");
    };
    assert_eq!(refused.retry_at, Some(played.now + pause));
    // It lives meanwhile, and whatever changes is tried at once.
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    played.expect_push(&two, 2, &[b"b"]);
    played.failed(&two, no_room());
    for _ in 0..NO_ROOM_PAUSE.as_secs() / HEARTBEAT_INTERVAL.as_secs() {
        played.pass(HEARTBEAT_INTERVAL);
        assert_eq!(played.next(Some(&two)), Step::OpenSession);
        played.plan.session_opened(played.now, session(3, None));
        played.expect_wait(&two, HEARTBEAT_INTERVAL);
    }
    played.pass(HEARTBEAT_INTERVAL);
    played.plan.session_opened(played.now, session(3, None));
    played.expect_push(&two, 3, &[b"b"]);
}

#[test]
fn other_notes_are_pushed_with_the_same_content() {
    let mut played = Played::opened(None);
    let one = local(&[b"a"]);
    played.expect_push(&one, 1, &[b"a"]);
    played.answered(&one, 1);
    let with_note = noted(&one, "GEMINI.md");
    played.expect_push(&with_note, 2, &[]);
    played.answered(&with_note, 1);
    played.expect_wait(&with_note, HEARTBEAT_INTERVAL);
    played.expect_push(&one, 3, &[]);
    assert_eq!(played.plan.notes_max(), 200);
}

#[test]
fn a_resync_is_pushed_even_if_nothing_changed() {
    let mut played = Played::opened(None);
    let one = local(&[b"a"]);
    played.expect_push(&one, 1, &[b"a"]);
    played.answered(&one, 1);
    let again = local_for(&[b"a"], 1);
    played.expect_push(&again, 2, &[]);
    assert!(played.answered(&again, 1).unchanged);
    played.expect_wait(&again, HEARTBEAT_INTERVAL);
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    let asked = local_for(&[b"a"], 2);
    played.expect_push(&asked, 3, &[]);
    played.failed(
        &asked,
        Failure::Refused {
            reason: "no".into(),
        },
    );
    played.expect_wait(&asked, HEARTBEAT_INTERVAL);
    played.expect_push(&local_for(&[b"a"], 3), 4, &[]);
}

#[test]
fn the_session_is_repeated_and_tells_of_a_server_set_back() {
    let mut played = Played::opened(None);
    let one = local(&[b"a"]);
    let head = one.id.to_string();
    played.expect_push(&one, 1, &[b"a"]);
    played.answered(&one, 1);
    played.pass(HEARTBEAT_INTERVAL);
    assert_eq!(played.next(Some(&one)), Step::OpenSession);
    assert!(
        !played
            .plan
            .session_opened(played.now, session(3, Some(&head)))
    );
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    // A heartbeat that fails is repeated, and pushing goes on meanwhile.
    played.pass(HEARTBEAT_INTERVAL);
    let recovery = played.plan.session_failed(played.now, transient(), 0.0);
    assert!(matches!(recovery, Ok(Recovery::Retry { .. })));
    let waiting = played.plan.status(Some(&one));
    assert!(matches!(waiting, PushStatus::Waiting(_)));
    played.expect_push(&local(&[b"a", b"b"]), 2, &[b"b"]);
    played.pass(Duration::from_secs(1));
    assert_eq!(played.next(Some(&one)), Step::OpenSession);
    // It has lost what it acknowledged.
    played.plan.session_opened(played.now, session(3, None));
    played.expect_push(&one, 3, &[b"a"]);
}

#[test]
fn without_a_session_nothing_is_pushed() {
    let mut played = Played::new();
    let one = local(&[b"a"]);
    assert_eq!(played.next(Some(&one)), Step::OpenSession);
    for pause in [250, 250, 250] {
        let _ = played.plan.session_failed(played.now, transient(), 0.0);
        played.expect_wait(&one, Duration::from_millis(pause));
        played.pass(Duration::from_millis(pause));
        assert_eq!(played.next(Some(&one)), Step::OpenSession);
    }
    let recovery = played.plan.session_failed(played.now, transient(), 1.0);
    let pause = Duration::from_secs(4);
    let reason = "away".to_owned();
    assert_eq!(recovery.unwrap(), Recovery::Retry { reason, pause });
}

#[test]
fn what_ends_an_agent() {
    let check = |failure: Failure, at_session: &str, at_push: &str| {
        let mut played = Played::opened(None);
        let one = local(&[b"a"]);
        let session = played.plan.session_failed(played.now, failure.clone(), 0.0);
        let push = played.plan.push_failed(played.now, &one, failure, 0.0);
        let name = |result: Result<Recovery, AgentError>| match result {
            Ok(recovery) => format!("{recovery:?}"),
            Err(error) => format!("{error:?}"),
        };
        let (session, push) = (name(session), name(push));
        assert!(session.starts_with(at_session), "{session}");
        assert!(push.starts_with(at_push), "{push}");
    };
    let reason = || "why".to_owned();
    check(Failure::Fenced { reason: reason() }, "Fenced", "Fenced");
    let replaced = Failure::Replaced { reason: reason() };
    check(replaced, "Replaced", "Replaced");
    let unauthenticated = Failure::Unauthenticated { reason: reason() };
    check(unauthenticated, "Unauthenticated", "Unauthenticated");
    check(
        Failure::Refused { reason: reason() },
        "Refused",
        "Refused {",
    );
    check(transient(), "Retry", "Retry");
    check(Failure::NoRoom { reason: reason() }, "Retry", "NoRoom");
}

#[test]
fn an_answer_without_a_head_is_no_success() {
    let mut played = Played::opened(None);
    let one = local(&[b"a"]);
    let check = |played: &mut Played, answer: PushAnswer, expected: &str| {
        let failure = played.plan.push_answered(&one, answer).unwrap_err();
        assert!(format!("{failure:?}").contains(expected), "{failure:?}");
    };
    let mut not_newer = answer(&one, 1);
    not_newer.accepted = false;
    check(&mut played, not_newer, "not newer");
    let mut headless = answer(&one, 1);
    headless.snapshot = None;
    check(&mut played, headless, "names no head");
    played.expect_push(&one, 1, &[b"a"]);
    played.expect_push(&one, 2, &[b"a"]);
}
