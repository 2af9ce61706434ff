//! A plan with made-up responses of a server.

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

/// Returns a snapshot of instruction files with these texts.
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
        unused: [].into(),
        unfollowed: Vec::new(),
    };
    local_of(scan, resync)
}

/// Returns a snapshot with the same content and a note.
fn noted(local: &LocalSnapshot, about: &str) -> LocalSnapshot {
    let scan = Scan {
        snapshot: local.snapshot().clone(),
        bodies: local.bodies().clone(),
        notes: vec![Note {
            source: None,
            warning: Warning::new(Code::OtherTool).about(about),
        }],
        places: Vec::new(),
        unused: [].into(),
        unfollowed: Vec::new(),
    };
    local_of(scan, local.resync())
}

/// Returns a snapshot with the same content, which was found by polling.
fn polled(local: &LocalSnapshot) -> LocalSnapshot {
    let scan = Scan {
        snapshot: local.snapshot().clone(),
        bodies: local.bodies().clone(),
        notes: Vec::new(),
        places: Vec::new(),
        unused: [].into(),
        unfollowed: Vec::new(),
    };
    LocalSnapshot::of(Arc::new(ProjectScan::new(scan, Some("a limit"), 0)))
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
        profile: "neutral".into(),
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

/// A plan with a clock that the test moves.
struct Fixture {
    plan: Plan,
    now: Instant,
}

impl Fixture {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            plan: Plan::new(now),
            now,
        }
    }

    /// Returns a plan whose session is open with this head.
    fn opened(head: Option<&str>) -> Self {
        let mut fixture = Self::new();
        assert_eq!(fixture.next(None), Step::OpenSession);
        assert!(
            fixture
                .plan
                .session_opened(fixture.now, session(3, head), None)
        );
        fixture
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
    }

    fn next(&mut self, local: Option<&LocalSnapshot>) -> Step {
        self.plan.next(self.now, local)
    }

    /// Checks that the next step is a push with these bytes.
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
    let mut fixture = Fixture::opened(None);
    let one = local(&[b"a", b"b"]);
    fixture.expect_push(&one, 1, &[b"a", b"b"]);
    assert_eq!(fixture.plan.status(Some(&one)), PushStatus::Sending);
    let acknowledged = fixture.answered(&one, 1);
    assert!(!acknowledged.unchanged);
    assert_eq!(fixture.plan.status(Some(&one)), PushStatus::Settled);
    fixture.expect_wait(&one, HEARTBEAT_INTERVAL);
    let two = local(&[b"a", b"c"]);
    fixture.expect_push(&two, 2, &[b"c"]);
    fixture.answered(&two, 2);
    // The head no longer holds the bytes of two pushes ago.
    fixture.expect_push(&one, 3, &[b"b"]);
}

#[test]
fn a_head_that_is_ours_costs_no_bytes() {
    let one = local(&[b"a"]);
    let head = one.id.to_string();
    let mut fixture = Fixture::opened(Some(&head));
    fixture.expect_push(&one, 1, &[]);
    assert!(fixture.answered(&one, 4).unchanged);
    fixture.expect_wait(&one, HEARTBEAT_INTERVAL);
}

#[test]
fn a_head_of_another_process_is_asked_what_it_lacks() {
    let mut fixture = Fixture::opened(Some("sha256:other"));
    let one = local(&[b"a", b"b", b"c"]);
    fixture.expect_push(&one, 1, &[]);
    assert_eq!(fixture.missing(&one, &[b"a", b"b"]), Recovery::Continue);
    fixture.expect_push(&one, 2, &[b"a", b"b"]);
    fixture.answered(&one, 2);
    let two = local(&[b"a", b"b", b"c", b"d"]);
    fixture.expect_push(&two, 3, &[b"d"]);
}

#[test]
fn a_server_that_asks_for_ever_is_given_up() {
    let mut fixture = Fixture::opened(Some("sha256:other"));
    let one = local(&[b"a"]);
    for version in 1..=i64::from(MISSING_ROUNDS_MAX) {
        assert!(matches!(fixture.next(Some(&one)), Step::Push { version: v, .. } if v == version));
        assert_eq!(fixture.missing(&one, &[b"a"]), Recovery::Continue);
    }
    assert!(matches!(
        fixture.missing(&one, &[b"a"]),
        Recovery::Refused { .. }
    ));
    fixture.expect_wait(&one, HEARTBEAT_INTERVAL);
    let two = local(&[b"b"]);
    let Recovery::Refused { reason } = fixture.missing(&two, &[b"not ours"]) else {
        panic!();
    };
    assert!(reason.contains("not part"), "{reason}");
}

#[test]
fn large_bytes_go_ahead() {
    let (large, small) = (vec![1; 5 * MIB], vec![2; 7]);
    let mut fixture = Fixture::opened(None);
    let one = local(&[&large, &small]);
    let hash = BlobHash::of(&large);
    let upload = Step::Upload { epoch: 3, hash };
    assert_eq!(fixture.next(Some(&one)), upload);
    // A pause, and a newer scan that needs the same bytes: they are not sent twice.
    fixture.plan.uploaded(hash);
    fixture.failed(&one, transient());
    fixture.pass(Duration::from_secs(1));
    let two = local(&[&large, b"x"]);
    fixture.expect_push(&two, 1, &[b"x"]);
    // They have expired on the server, which requests them again.
    assert_eq!(fixture.missing(&two, &[&large]), Recovery::Continue);
    assert_eq!(fixture.next(Some(&two)), upload);
}

#[test]
fn a_pause_ends_with_the_newest() {
    let mut fixture = Fixture::opened(None);
    let (one, two) = (local(&[b"a"]), local(&[b"b"]));
    fixture.expect_push(&one, 1, &[b"a"]);
    let recovery = fixture.failed(&one, transient());
    let pause = Duration::from_millis(250);
    assert!(matches!(recovery, Recovery::Retry { pause: p, .. } if p == pause));
    assert!(matches!(
        fixture.plan.status(Some(&one)),
        PushStatus::Waiting(_)
    ));
    fixture.expect_wait(&one, pause);
    fixture.expect_wait(&two, pause);
    fixture.pass(pause);
    fixture.expect_push(&two, 2, &[b"b"]);
    // The server names a time longer than the heartbeat interval.
    let asked = Duration::from_secs(120);
    fixture.failed(
        &two,
        Failure::Transient {
            reason: "paused".into(),
            retry_after: Some(asked),
        },
    );
    fixture.pass(HEARTBEAT_INTERVAL);
    assert_eq!(fixture.next(Some(&two)), Step::OpenSession);
    fixture
        .plan
        .session_opened(fixture.now, session(3, None), None);
    fixture.expect_wait(&two, HEARTBEAT_INTERVAL);
    fixture.pass(asked);
    fixture
        .plan
        .session_opened(fixture.now, session(3, None), None);
    fixture.expect_push(&two, 3, &[b"b"]);
}

#[test]
fn a_refusal_stands_until_something_changes() {
    let refused = || Failure::Refused {
        reason: "no".into(),
    };
    let mut fixture = Fixture::opened(None);
    let (one, two) = (local(&[b"a"]), local(&[b"b"]));
    fixture.expect_push(&one, 1, &[b"a"]);
    fixture.failed(&one, refused());
    let expected = PushStatus::Refused(Refusal {
        reason: "no".into(),
        retry_at: None,
    });
    assert_eq!(fixture.plan.status(Some(&one)), expected);
    fixture.expect_wait(&one, HEARTBEAT_INTERVAL);
    fixture.expect_push(&two, 2, &[b"b"]);
    fixture.answered(&two, 1);
    // A return to the refused snapshot is a change too.
    fixture.expect_push(&one, 3, &[b"a"]);
    fixture.failed(&one, refused());
    fixture.expect_wait(&one, HEARTBEAT_INTERVAL);
    // The snapshot is back to what the server has, so there is nothing to send.
    fixture.expect_wait(&two, HEARTBEAT_INTERVAL);
    assert_eq!(fixture.plan.status(Some(&two)), PushStatus::Settled);
}

#[test]
fn finding_06_what_there_is_no_room_for_is_tried_again_rarely() {
    let no_room = || Failure::NoRoom {
        reason: "full".into(),
    };
    let mut fixture = Fixture::opened(None);
    let (one, two) = (local(&[b"a"]), local(&[b"b"]));
    fixture.expect_push(&one, 1, &[b"a"]);
    let recovery = fixture.plan.push_failed(fixture.now, &one, no_room(), 0.5);
    let pause = Duration::from_secs(15 * 60);
    let reason = "full".to_owned();
    let expected = Recovery::NoRoom { reason, pause };
    assert_eq!(recovery.unwrap(), expected);
    let PushStatus::Refused(refused) = fixture.plan.status(Some(&one)) else {
        panic!("the status is another one");
    };
    assert_eq!(refused.retry_at, Some(fixture.now + pause));
    // During the pause, the plan sends heartbeats and tries every change at once.
    fixture.expect_wait(&one, HEARTBEAT_INTERVAL);
    fixture.expect_push(&two, 2, &[b"b"]);
    fixture.failed(&two, no_room());
    for _ in 0..NO_ROOM_PAUSE.as_secs() / HEARTBEAT_INTERVAL.as_secs() {
        fixture.pass(HEARTBEAT_INTERVAL);
        assert_eq!(fixture.next(Some(&two)), Step::OpenSession);
        fixture
            .plan
            .session_opened(fixture.now, session(3, None), None);
        fixture.expect_wait(&two, HEARTBEAT_INTERVAL);
    }
    fixture.pass(HEARTBEAT_INTERVAL);
    fixture
        .plan
        .session_opened(fixture.now, session(3, None), None);
    fixture.expect_push(&two, 3, &[b"b"]);
}

#[test]
fn other_notes_are_pushed_with_the_same_content() {
    let mut fixture = Fixture::opened(None);
    let one = local(&[b"a"]);
    fixture.expect_push(&one, 1, &[b"a"]);
    fixture.answered(&one, 1);
    let with_note = noted(&one, "GEMINI.md");
    fixture.expect_push(&with_note, 2, &[]);
    fixture.answered(&with_note, 1);
    fixture.expect_wait(&with_note, HEARTBEAT_INTERVAL);
    fixture.expect_push(&one, 3, &[]);
    assert_eq!(fixture.plan.notes_max(), 200);
}

#[test]
fn the_server_is_told_of_polling_and_of_its_end() {
    let mut fixture = Fixture::opened(None);
    let one = local(&[b"a"]);
    let polled = polled(&one);
    let tell = |fixture: &mut Fixture, snapshot: &LocalSnapshot, expected: Option<&str>| {
        assert_eq!(fixture.next(Some(snapshot)), Step::OpenSession);
        let told = fixture.plan.polling_to_tell(Some(snapshot));
        assert_eq!(told.as_deref(), expected);
        assert!(
            !fixture
                .plan
                .session_opened(fixture.now, session(3, None), told)
        );
    };
    tell(&mut fixture, &polled, Some("a limit"));
    fixture.expect_push(&polled, 1, &[b"a"]);
    tell(&mut fixture, &one, None);
    // A request that failed waits for its time.
    assert_eq!(fixture.next(Some(&polled)), Step::OpenSession);
    fixture
        .plan
        .session_failed(fixture.now, transient(), 0.0)
        .unwrap();
    assert!(matches!(fixture.next(Some(&polled)), Step::Push { .. }));
    // A server of an older release is told nothing.
    let mut older = session(3, None);
    older.limits.polling_bytes_max = 0;
    fixture.plan.session_opened(fixture.now, older, None);
    assert_eq!(fixture.plan.polling_to_tell(Some(&polled)), None);
    assert!(matches!(fixture.next(Some(&polled)), Step::Push { .. }));
}

#[test]
fn a_resync_is_pushed_even_if_nothing_changed() {
    let mut fixture = Fixture::opened(None);
    let one = local(&[b"a"]);
    fixture.expect_push(&one, 1, &[b"a"]);
    fixture.answered(&one, 1);
    let again = local_for(&[b"a"], 1);
    fixture.expect_push(&again, 2, &[]);
    assert!(fixture.answered(&again, 1).unchanged);
    fixture.expect_wait(&again, HEARTBEAT_INTERVAL);
    fixture.expect_wait(&one, HEARTBEAT_INTERVAL);
    let asked = local_for(&[b"a"], 2);
    fixture.expect_push(&asked, 3, &[]);
    fixture.failed(
        &asked,
        Failure::Refused {
            reason: "no".into(),
        },
    );
    fixture.expect_wait(&asked, HEARTBEAT_INTERVAL);
    fixture.expect_push(&local_for(&[b"a"], 3), 4, &[]);
}

#[test]
fn the_session_is_repeated_and_tells_of_a_server_set_back() {
    let mut fixture = Fixture::opened(None);
    let one = local(&[b"a"]);
    let head = one.id.to_string();
    fixture.expect_push(&one, 1, &[b"a"]);
    fixture.answered(&one, 1);
    fixture.pass(HEARTBEAT_INTERVAL);
    assert_eq!(fixture.next(Some(&one)), Step::OpenSession);
    assert!(
        !fixture
            .plan
            .session_opened(fixture.now, session(3, Some(&head)), None)
    );
    fixture.expect_wait(&one, HEARTBEAT_INTERVAL);
    // A heartbeat that fails is repeated, and pushes go on meanwhile.
    fixture.pass(HEARTBEAT_INTERVAL);
    let recovery = fixture.plan.session_failed(fixture.now, transient(), 0.0);
    assert!(matches!(recovery, Ok(Recovery::Retry { .. })));
    let waiting = fixture.plan.status(Some(&one));
    assert!(matches!(waiting, PushStatus::Waiting(_)));
    fixture.expect_push(&local(&[b"a", b"b"]), 2, &[b"b"]);
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.next(Some(&one)), Step::OpenSession);
    // The server has lost what it acknowledged.
    fixture
        .plan
        .session_opened(fixture.now, session(3, None), None);
    fixture.expect_push(&one, 3, &[b"a"]);
}

#[test]
fn without_a_session_nothing_is_pushed() {
    let mut fixture = Fixture::new();
    let one = local(&[b"a"]);
    assert_eq!(fixture.next(Some(&one)), Step::OpenSession);
    for pause in [250, 250, 250] {
        let _ = fixture.plan.session_failed(fixture.now, transient(), 0.0);
        fixture.expect_wait(&one, Duration::from_millis(pause));
        fixture.pass(Duration::from_millis(pause));
        assert_eq!(fixture.next(Some(&one)), Step::OpenSession);
    }
    let recovery = fixture.plan.session_failed(fixture.now, transient(), 1.0);
    let pause = Duration::from_secs(4);
    let reason = "away".to_owned();
    assert_eq!(recovery.unwrap(), Recovery::Retry { reason, pause });
}

#[test]
fn what_ends_an_agent() {
    let check = |failure: Failure, at_session: &str, at_push: &str| {
        let mut fixture = Fixture::opened(None);
        let one = local(&[b"a"]);
        let session = fixture
            .plan
            .session_failed(fixture.now, failure.clone(), 0.0);
        let push = fixture.plan.push_failed(fixture.now, &one, failure, 0.0);
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
    let mut fixture = Fixture::opened(None);
    let one = local(&[b"a"]);
    let check = |fixture: &mut Fixture, answer: PushAnswer, expected: &str| {
        let failure = fixture.plan.push_answered(&one, answer).unwrap_err();
        assert!(format!("{failure:?}").contains(expected), "{failure:?}");
    };
    let mut not_newer = answer(&one, 1);
    not_newer.accepted = false;
    check(&mut fixture, not_newer, "not newer");
    let mut headless = answer(&one, 1);
    headless.snapshot = None;
    check(&mut fixture, headless, "names no head");
    fixture.expect_push(&one, 1, &[b"a"]);
    fixture.expect_push(&one, 2, &[b"a"]);
}
