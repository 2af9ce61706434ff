//! A plan against a server that is played by hand.

use std::sync::Arc;

use ctxpin_model::resource::{Bodies, Content, Kind, Resource, Status};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::warning::{Code, Note, Warning};
use ctxpin_protocol::convert::resources;
use ctxpin_protocol::http::agents::Head;
use ctxpin_scan::Scan;

use super::*;

const MIB: usize = 1024 * 1024;

/// What a scan found: instruction files of these bytes.
fn found(texts: &[&[u8]]) -> Found {
    found_for(texts, 0)
}

fn found_for(texts: &[&[u8]], demand: u64) -> Found {
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
    Found::new(scan, None, demand)
}

/// The same content with a note.
fn noted(found: &Found, about: &str) -> Found {
    let scan = Scan {
        snapshot: found.snapshot.clone(),
        bodies: found.bodies.clone(),
        notes: vec![Note {
            source: None,
            warning: Warning::new(Code::OtherTool).about(about),
        }],
        places: Vec::new(),
    };
    Found::new(scan, None, found.demand)
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

fn answer(found: &Found, seq: i64) -> PushAnswer {
    PushAnswer {
        accepted: true,
        reason: None,
        snapshot: Some(found.id.to_string()),
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
        assert_eq!(played.next(None), Step::Session);
        assert!(played.plan.session_opened(played.now, session(3, head)));
        played
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
    }

    fn next(&mut self, found: Option<&Found>) -> Step {
        self.plan.next(self.now, found)
    }

    /// Expects a push with these bytes.
    fn expect_push(&mut self, found: &Found, version: i64, inline: &[&[u8]]) {
        let expected = Step::Push {
            epoch: 3,
            version,
            inline: hashes(inline),
        };
        assert_eq!(self.next(Some(found)), expected);
    }

    fn expect_wait(&mut self, found: &Found, pause: Duration) {
        let until = self.now + pause;
        assert_eq!(self.next(Some(found)), Step::Wait { until });
    }

    fn answered(&mut self, found: &Found, seq: i64) -> Acknowledged {
        self.plan.push_answered(found, answer(found, seq)).unwrap()
    }

    fn failed(&mut self, found: &Found, failure: Failure) -> Setback {
        self.plan
            .push_failed(self.now, found, failure, 0.0)
            .unwrap()
    }

    fn asked(&mut self, found: &Found, texts: &[&[u8]]) -> Setback {
        let missing = hashes(texts);
        self.failed(found, Failure::MissingBlobs { missing })
    }
}

#[test]
fn a_first_push_carries_what_an_empty_server_lacks() {
    let mut played = Played::opened(None);
    let one = found(&[b"a", b"b"]);
    played.expect_push(&one, 1, &[b"a", b"b"]);
    assert_eq!(played.plan.pushing(Some(&one)), Pushing::Sending);
    let acknowledged = played.answered(&one, 1);
    assert!(!acknowledged.unchanged);
    assert_eq!(played.plan.pushing(Some(&one)), Pushing::Settled);
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    let two = found(&[b"a", b"c"]);
    played.expect_push(&two, 2, &[b"c"]);
    played.answered(&two, 2);
    // What was there two pushes ago is not the head's any more.
    played.expect_push(&one, 3, &[b"b"]);
}

#[test]
fn a_head_that_is_ours_costs_no_bytes() {
    let one = found(&[b"a"]);
    let head = one.id.to_string();
    let mut played = Played::opened(Some(&head));
    played.expect_push(&one, 1, &[]);
    assert!(played.answered(&one, 4).unchanged);
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
}

#[test]
fn a_head_of_another_process_is_asked_what_it_lacks() {
    let mut played = Played::opened(Some("sha256:other"));
    let one = found(&[b"a", b"b", b"c"]);
    played.expect_push(&one, 1, &[]);
    assert_eq!(played.asked(&one, &[b"a", b"b"]), Setback::Again);
    played.expect_push(&one, 2, &[b"a", b"b"]);
    played.answered(&one, 2);
    let two = found(&[b"a", b"b", b"c", b"d"]);
    played.expect_push(&two, 3, &[b"d"]);
}

#[test]
fn a_server_that_asks_for_ever_is_given_up() {
    let mut played = Played::opened(Some("sha256:other"));
    let one = found(&[b"a"]);
    for version in 1..=i64::from(MISSING_ROUNDS_MAX) {
        assert!(matches!(played.next(Some(&one)), Step::Push { version: v, .. } if v == version));
        assert_eq!(played.asked(&one, &[b"a"]), Setback::Again);
    }
    assert!(matches!(
        played.asked(&one, &[b"a"]),
        Setback::Refused { .. }
    ));
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    let two = found(&[b"b"]);
    let Setback::Refused { reason } = played.asked(&two, &[b"not ours"]) else {
        panic!();
    };
    assert!(reason.contains("not part"), "{reason}");
}

#[test]
fn large_bytes_go_ahead() {
    let (large, small) = (vec![1; 5 * MIB], vec![2; 7]);
    let mut played = Played::opened(None);
    let one = found(&[&large, &small]);
    let hash = BlobHash::of(&large);
    let upload = Step::Upload { epoch: 3, hash };
    assert_eq!(played.next(Some(&one)), upload);
    // A pause, and a newer scan that needs the same bytes: they are not sent twice.
    played.plan.uploaded(hash);
    played.failed(&one, transient());
    played.pass(Duration::from_secs(1));
    let two = found(&[&large, b"x"]);
    played.expect_push(&two, 1, &[b"x"]);
    // They have expired: the server says so, and they are.
    assert_eq!(played.asked(&two, &[&large]), Setback::Again);
    assert_eq!(played.next(Some(&two)), upload);
}

#[test]
fn a_pause_ends_with_the_newest() {
    let mut played = Played::opened(None);
    let (one, two) = (found(&[b"a"]), found(&[b"b"]));
    played.expect_push(&one, 1, &[b"a"]);
    let setback = played.failed(&one, transient());
    let pause = Duration::from_millis(250);
    assert!(matches!(setback, Setback::Pause { pause: p, .. } if p == pause));
    assert!(matches!(
        played.plan.pushing(Some(&one)),
        Pushing::Waiting(_)
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
    assert_eq!(played.next(Some(&two)), Step::Session);
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
    let (one, two) = (found(&[b"a"]), found(&[b"b"]));
    played.expect_push(&one, 1, &[b"a"]);
    played.failed(&one, refused());
    let expected = Pushing::Refused(Refused {
        reason: "no".into(),
        until: None,
    });
    assert_eq!(played.plan.pushing(Some(&one)), expected);
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    played.expect_push(&two, 2, &[b"b"]);
    played.answered(&two, 1);
    // Back to what was refused: that is a change too.
    played.expect_push(&one, 3, &[b"a"]);
    played.failed(&one, refused());
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    // Back to what the server has: nothing to send.
    played.expect_wait(&two, HEARTBEAT_INTERVAL);
    assert_eq!(played.plan.pushing(Some(&two)), Pushing::Settled);
}

#[test]
fn finding_06_what_there_is_no_room_for_is_tried_again_rarely() {
    let no_room = || Failure::NoRoom {
        reason: "full".into(),
    };
    let mut played = Played::opened(None);
    let (one, two) = (found(&[b"a"]), found(&[b"b"]));
    played.expect_push(&one, 1, &[b"a"]);
    let setback = played.plan.push_failed(played.now, &one, no_room(), 0.5);
    let pause = Duration::from_secs(15 * 60);
    let reason = "full".to_owned();
    let expected = Setback::NoRoom { reason, pause };
    assert_eq!(setback.unwrap(), expected);
    let Pushing::Refused(refused) = played.plan.pushing(Some(&one)) else {
        panic!("it is told");
    };
    assert_eq!(refused.until, Some(played.now + pause));
    // It lives meanwhile, and whatever changes is tried at once.
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    played.expect_push(&two, 2, &[b"b"]);
    played.failed(&two, no_room());
    for _ in 0..NO_ROOM_PAUSE.as_secs() / HEARTBEAT_INTERVAL.as_secs() {
        played.pass(HEARTBEAT_INTERVAL);
        assert_eq!(played.next(Some(&two)), Step::Session);
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
    let one = found(&[b"a"]);
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
    let one = found(&[b"a"]);
    played.expect_push(&one, 1, &[b"a"]);
    played.answered(&one, 1);
    let again = found_for(&[b"a"], 1);
    played.expect_push(&again, 2, &[]);
    assert!(played.answered(&again, 1).unchanged);
    played.expect_wait(&again, HEARTBEAT_INTERVAL);
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    let asked = found_for(&[b"a"], 2);
    played.expect_push(&asked, 3, &[]);
    played.failed(
        &asked,
        Failure::Refused {
            reason: "no".into(),
        },
    );
    played.expect_wait(&asked, HEARTBEAT_INTERVAL);
    played.expect_push(&found_for(&[b"a"], 3), 4, &[]);
}

#[test]
fn the_session_is_repeated_and_tells_of_a_server_set_back() {
    let mut played = Played::opened(None);
    let one = found(&[b"a"]);
    let head = one.id.to_string();
    played.expect_push(&one, 1, &[b"a"]);
    played.answered(&one, 1);
    played.pass(HEARTBEAT_INTERVAL);
    assert_eq!(played.next(Some(&one)), Step::Session);
    assert!(
        !played
            .plan
            .session_opened(played.now, session(3, Some(&head)))
    );
    played.expect_wait(&one, HEARTBEAT_INTERVAL);
    // A heartbeat that fails is repeated, and pushing goes on meanwhile.
    played.pass(HEARTBEAT_INTERVAL);
    let setback = played.plan.session_failed(played.now, transient(), 0.0);
    assert!(matches!(setback, Ok(Setback::Pause { .. })));
    let waiting = played.plan.pushing(Some(&one));
    assert!(matches!(waiting, Pushing::Waiting(_)));
    played.expect_push(&found(&[b"a", b"b"]), 2, &[b"b"]);
    played.pass(Duration::from_secs(1));
    assert_eq!(played.next(Some(&one)), Step::Session);
    // It has lost what it acknowledged.
    played.plan.session_opened(played.now, session(3, None));
    played.expect_push(&one, 3, &[b"a"]);
}

#[test]
fn without_a_session_nothing_is_pushed() {
    let mut played = Played::new();
    let one = found(&[b"a"]);
    assert_eq!(played.next(Some(&one)), Step::Session);
    for pause in [250, 250, 250] {
        let _ = played.plan.session_failed(played.now, transient(), 0.0);
        played.expect_wait(&one, Duration::from_millis(pause));
        played.pass(Duration::from_millis(pause));
        assert_eq!(played.next(Some(&one)), Step::Session);
    }
    let setback = played.plan.session_failed(played.now, transient(), 1.0);
    let pause = Duration::from_secs(4);
    let reason = "away".to_owned();
    assert_eq!(setback.unwrap(), Setback::Pause { reason, pause });
}

#[test]
fn what_ends_an_agent() {
    let check = |failure: Failure, at_session: &str, at_push: &str| {
        let mut played = Played::opened(None);
        let one = found(&[b"a"]);
        let session = played.plan.session_failed(played.now, failure.clone(), 0.0);
        let push = played.plan.push_failed(played.now, &one, failure, 0.0);
        let name = |result: Result<Setback, AgentError>| match result {
            Ok(setback) => format!("{setback:?}"),
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
    check(transient(), "Pause", "Pause");
    check(Failure::NoRoom { reason: reason() }, "Pause", "NoRoom");
}

#[test]
fn an_answer_without_a_head_is_no_success() {
    let mut played = Played::opened(None);
    let one = found(&[b"a"]);
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
