//! The plan of a session: it decides the next request to the server and does nothing itself. The results of
//! requests, the clock and random numbers are arguments.
//!
//! It has no queue. Each step uses the newest snapshot, so a push after a pause contains the workspace as
//! it is then.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::limits::cut;
use ctxpin_protocol::http::agents::Session;
use ctxpin_protocol::http::push::PushAnswer;

use super::backoff;
use super::failure::Failure;
use super::local_snapshot::LocalSnapshot;
use super::push_bodies::PushBodies;
use crate::error::AgentError;

/// The pause between repeats of the request that opened the session. They show the server that the agent is
/// connected, and an idle agent that it was fenced. It is a prime number of seconds, so that no connection
/// closes just when a repeat is due.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(29);

/// The pause before the session sends a snapshot again for which the server had no room. Somebody has to
/// make room first.
const NO_ROOM_PAUSE: Duration = Duration::from_secs(10 * 60);

/// Maximum number of consecutive requests of the server for bytes of one snapshot. One is usual; another
/// follows if an upload has expired.
const MISSING_ROUNDS_MAX: u32 = 4;

/// The next thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Open the session, or repeat the request that opened it.
    OpenSession,
    /// Send bytes ahead of a push.
    Upload { epoch: i64, hash: BlobHash },
    /// Push the snapshot with these bytes.
    Push {
        epoch: i64,
        version: i64,
        inline: BTreeSet<BlobHash>,
    },
    /// Wait until this moment, or until there is another snapshot.
    Wait { until: Instant },
}

/// A push that the server acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// The head's snapshot, as the server names it.
    pub head: String,
    /// The head's number in the agent's timeline.
    pub seq: i64,
    /// How many chats got their first pin.
    pub hydrated: u64,
    /// Whether the server had this head already.
    pub unchanged: bool,
}

/// The retry of a request that failed transiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Why the request failed.
    pub reason: String,
    pub at: Instant,
}

/// Whether the server has the newest snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum PushStatus {
    /// The server has it, or there is no snapshot yet.
    #[default]
    Settled,
    Sending,
    Waiting(Retry),
    Refused(Refusal),
    /// The session has ended, for this reason.
    Ended(String),
}

/// The refusal of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub reason: String,
    /// The time at which the same snapshot is sent again, or `None` if never.
    pub retry_at: Option<Instant>,
}

/// The action of a session after a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// The session continues at once, with another request.
    Continue,
    /// The session retries after a pause.
    Retry { reason: String, pause: Duration },
    /// The session does not send this snapshot again.
    Refused { reason: String },
    /// The session sends this snapshot again only after a long pause.
    NoRoom { reason: String, pause: Duration },
}

struct OpenSession {
    epoch: i64,
    /// The head's snapshot, as the server last named it.
    head: Option<String>,
    request_bytes_max: u64,
    notes_max: usize,
    /// The greatest size of the reason for polling. 0 if the server takes none.
    polling_bytes_max: usize,
    /// The reason that the server knows.
    polling: Option<String>,
}

/// Identifies a push: the content, the notes, and the resync that requested it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PushKey {
    id: SnapshotId,
    notes: BlobHash,
    resync: u64,
}

impl PushKey {
    fn of(snapshot: &LocalSnapshot) -> Self {
        Self {
            id: snapshot.id,
            notes: snapshot.notes_hash,
            resync: snapshot.resync(),
        }
    }

    /// Returns whether the server's answer to this push is valid for a snapshot too: the content and notes
    /// are the same, and no later resync requested it.
    fn covers(&self, snapshot: &LocalSnapshot) -> bool {
        self.id == snapshot.id
            && self.notes == snapshot.notes_hash
            && self.resync >= snapshot.resync()
    }
}

/// The plan of a session, and its knowledge of the server.
pub(super) struct Plan {
    session: Option<OpenSession>,
    /// The time to open the session, or to repeat the request.
    session_at: Instant,
    session_failures: u32,
    session_retry: Option<Retry>,
    /// The version of the last push in this session.
    version: i64,
    acknowledged: Option<(PushKey, BTreeSet<BlobHash>)>,
    refused: Option<(PushKey, Refusal)>,
    push_failures: u32,
    push_retry: Option<Retry>,
    /// The bytes that the server has requested since its last acknowledgement.
    missing: BTreeSet<BlobHash>,
    /// The number of times that the server has requested bytes of this snapshot.
    missing_rounds: Option<(SnapshotId, u32)>,
    /// The bytes that were uploaded since the server's last acknowledgement.
    uploaded: BTreeSet<BlobHash>,
}

impl Plan {
    /// Returns a plan that knows nothing of the server yet.
    pub fn new(now: Instant) -> Self {
        Self {
            session: None,
            session_at: now,
            session_failures: 0,
            session_retry: None,
            version: 0,
            acknowledged: None,
            refused: None,
            push_failures: 0,
            push_retry: None,
            missing: BTreeSet::new(),
            missing_rounds: None,
            uploaded: BTreeSet::new(),
        }
    }

    /// Returns the reason for polling, as the server takes it.
    pub fn polling_to_tell(&self, snapshot: Option<&LocalSnapshot>) -> Option<String> {
        let reason = snapshot?.polling()?;
        let taken = cut(reason, self.session.as_ref()?.polling_bytes_max);
        Some(taken.to_owned()).filter(|taken| !taken.is_empty())
    }

    /// Returns whether the server must be told why files are polled, or that they are not polled any more.
    fn has_polling_to_tell(&self, snapshot: Option<&LocalSnapshot>) -> bool {
        let known = self.session.as_ref().and_then(|one| one.polling.as_ref());
        // A request that failed is repeated after its pause.
        self.session_failures == 0
            && snapshot.is_some()
            && self.polling_to_tell(snapshot).as_ref() != known
    }

    /// Returns what to do now, given the newest snapshot.
    pub fn next(&mut self, now: Instant, snapshot: Option<&LocalSnapshot>) -> Step {
        if let (Some((key, refusal)), Some(snapshot)) = (&self.refused, snapshot)
            && (!key.covers(snapshot) || refusal.retry_at.is_some_and(|at| at <= now))
        {
            self.refused = None;
        }
        if self.session.is_some() && self.has_polling_to_tell(snapshot) {
            return Step::OpenSession;
        }
        let Some(session) = self.session.as_ref().filter(|_| now < self.session_at) else {
            return match now < self.session_at {
                true => Step::Wait {
                    until: self.session_at,
                },
                false => Step::OpenSession,
            };
        };
        let Some(snapshot) = snapshot.filter(|snapshot| self.is_due(snapshot)) else {
            return Step::Wait {
                until: self.session_at,
            };
        };
        if let Some(retry) = self.push_retry.as_ref().filter(|retry| now < retry.at) {
            return Step::Wait {
                until: retry.at.min(self.session_at),
            };
        }
        let lacking = self.lacking(snapshot);
        let bodies = PushBodies::split(snapshot.bodies(), &lacking, session.request_bytes_max);
        let epoch = session.epoch;
        if let Some(hash) = bodies.ahead.difference(&self.uploaded).next() {
            return Step::Upload { epoch, hash: *hash };
        }
        self.version += 1;
        Step::Push {
            epoch,
            version: self.version,
            inline: bodies.inline,
        }
    }

    /// Returns the epoch of the session, if it is open.
    pub fn epoch(&self) -> Option<i64> {
        self.session.as_ref().map(|session| session.epoch)
    }

    /// Returns how many notes the server accepts: 0 if its release knows no notes.
    pub fn notes_max(&self) -> usize {
        self.session.as_ref().map_or(0, |session| session.notes_max)
    }

    /// Returns whether the server has the newest snapshot.
    pub fn status(&self, snapshot: Option<&LocalSnapshot>) -> PushStatus {
        if let Some(retry) = &self.session_retry {
            return PushStatus::Waiting(retry.clone());
        }
        let Some(snapshot) = snapshot else {
            return PushStatus::Settled;
        };
        if let Some((key, refusal)) = &self.refused
            && key.covers(snapshot)
        {
            return PushStatus::Refused(refusal.clone());
        }
        match &self.push_retry {
            _ if !self.is_due(snapshot) => PushStatus::Settled,
            Some(retry) => PushStatus::Waiting(retry.clone()),
            None => PushStatus::Sending,
        }
    }

    /// Records the server's answer to [`Step::OpenSession`], which gave `polling` as the reason for polling. Returns
    /// whether the epoch differs from the previous one.
    pub fn session_opened(
        &mut self,
        now: Instant,
        session: Session,
        polling: Option<String>,
    ) -> bool {
        let head = session.head.map(|head| head.snapshot);
        let known = self.session.as_ref();
        let is_new = known.is_none_or(|known| known.epoch != session.epoch);
        if is_new || known.is_some_and(|known| known.head != head) {
            // Only this process pushes in its session. If the head differs, the server was restored from a
            // backup and no longer has what it acknowledged.
            self.acknowledged = None;
        }
        self.session = Some(OpenSession {
            epoch: session.epoch,
            head,
            request_bytes_max: session.limits.request_bytes_max,
            notes_max: usize::try_from(session.limits.notes_max).unwrap_or(usize::MAX),
            polling_bytes_max: usize::try_from(session.limits.polling_bytes_max)
                .unwrap_or(usize::MAX),
            polling,
        });
        self.session_at = now + HEARTBEAT_INTERVAL;
        self.session_failures = 0;
        self.session_retry = None;
        is_new
    }

    /// Records that [`Step::OpenSession`] failed.
    ///
    /// # Errors
    ///
    /// Fails if the session has to end.
    pub fn session_failed(
        &mut self,
        now: Instant,
        failure: Failure,
        jitter: f64,
    ) -> Result<Recovery, AgentError> {
        let (reason, retry_after) = match failure {
            Failure::Transient {
                reason,
                retry_after,
            } => (reason, retry_after),
            Failure::NoRoom { reason } => (reason, None),
            Failure::MissingBlobs { .. } => (missing_of_nothing(), None),
            failure => return Err(end(failure)),
        };
        self.session_failures = self.session_failures.saturating_add(1);
        let pause = backoff::pause(self.session_failures, jitter, retry_after);
        self.session_at = now + pause;
        self.session_retry = Some(Retry {
            reason: reason.clone(),
            at: self.session_at,
        });
        Ok(Recovery::Retry { reason, pause })
    }

    /// Records that the server has the bytes of a [`Step::Upload`].
    pub fn uploaded(&mut self, hash: BlobHash) {
        self.uploaded.insert(hash);
        self.push_failures = 0;
        self.push_retry = None;
    }

    /// Records the server's answer to a [`Step::Push`].
    ///
    /// # Errors
    ///
    /// Fails if the server did not accept the push. The next push has a greater version and may succeed.
    pub fn push_answered(
        &mut self,
        snapshot: &LocalSnapshot,
        answer: PushAnswer,
    ) -> Result<Acknowledged, Failure> {
        let transient = |reason: String| Failure::Transient {
            reason,
            retry_after: None,
        };
        if !answer.accepted {
            let reason = answer.reason.unwrap_or_else(|| "it is not newer".into());
            return Err(transient(format!("the push was not accepted: {reason}")));
        }
        let (Some(head), Some(seq)) = (answer.snapshot, answer.seq) else {
            let reason = "the server's answer to the push names no head";
            return Err(transient(reason.to_owned()));
        };
        let known = self.session.as_mut().map(|session| &mut session.head);
        let before = known.and_then(|known| known.replace(head.clone()));
        self.acknowledged = Some((PushKey::of(snapshot), snapshot.stored()));
        self.refused = None;
        self.push_failures = 0;
        self.push_retry = None;
        self.missing.clear();
        self.missing_rounds = None;
        self.uploaded.clear();
        Ok(Acknowledged {
            unchanged: before.as_ref() == Some(&head),
            head,
            seq,
            hydrated: answer.hydrated,
        })
    }

    /// Records that a [`Step::Push`] or a [`Step::Upload`] failed.
    ///
    /// # Errors
    ///
    /// Fails if the session has to end.
    pub fn push_failed(
        &mut self,
        now: Instant,
        snapshot: &LocalSnapshot,
        failure: Failure,
        jitter: f64,
    ) -> Result<Recovery, AgentError> {
        match failure {
            Failure::Transient {
                reason,
                retry_after,
            } => {
                self.push_failures = self.push_failures.saturating_add(1);
                let pause = backoff::pause(self.push_failures, jitter, retry_after);
                self.push_retry = Some(Retry {
                    reason: reason.clone(),
                    at: now + pause,
                });
                Ok(Recovery::Retry { reason, pause })
            }
            Failure::MissingBlobs { missing } => Ok(self.add_missing(snapshot, missing)),
            Failure::Refused { reason } => Ok(self.refuse(snapshot, reason)),
            Failure::NoRoom { reason } => {
                let pause = NO_ROOM_PAUSE.mul_f64(1.0 + jitter.clamp(0.0, 1.0));
                self.set_refusal(snapshot, reason.clone(), Some(now + pause));
                Ok(Recovery::NoRoom { reason, pause })
            }
            failure => Err(end(failure)),
        }
    }

    /// Returns whether a snapshot must still be pushed.
    fn is_due(&self, snapshot: &LocalSnapshot) -> bool {
        let acknowledged = self.acknowledged.as_ref().map(|(key, _)| key);
        let refused = self.refused.as_ref().map(|(key, _)| key);
        let mut answered = acknowledged.into_iter().chain(refused);
        !answered.any(|key| key.covers(snapshot))
    }

    /// Returns the bytes that the server probably lacks. If another process made its head, only the server
    /// knows, so nothing is sent until it requests something.
    fn lacking(&self, snapshot: &LocalSnapshot) -> BTreeSet<BlobHash> {
        let session = self.session.as_ref();
        let has_no_head = session.is_some_and(|session| session.head.is_none());
        let lacks = |hash: &BlobHash| {
            self.missing.contains(hash)
                || match &self.acknowledged {
                    Some((_, held)) => !held.contains(hash),
                    None => has_no_head,
                }
        };
        snapshot.stored().into_iter().filter(lacks).collect()
    }

    fn add_missing(&mut self, snapshot: &LocalSnapshot, missing: BTreeSet<BlobHash>) -> Recovery {
        let rounds = match self.missing_rounds {
            Some((id, rounds)) if id == snapshot.id => rounds + 1,
            _ => 1,
        };
        self.missing_rounds = Some((snapshot.id, rounds));
        let held: BTreeSet<_> = missing
            .into_iter()
            .filter(|hash| snapshot.bodies().contains_key(hash))
            .collect();
        if held.is_empty() {
            let reason = "the server requests bytes that are not part of the snapshot";
            return self.refuse(snapshot, reason.to_owned());
        }
        if rounds > MISSING_ROUNDS_MAX {
            let reason = "the server requests the same bytes again and again";
            return self.refuse(snapshot, reason.to_owned());
        }
        self.uploaded.retain(|hash| !held.contains(hash));
        self.missing.extend(held);
        Recovery::Continue
    }

    fn refuse(&mut self, snapshot: &LocalSnapshot, reason: String) -> Recovery {
        self.set_refusal(snapshot, reason.clone(), None);
        Recovery::Refused { reason }
    }

    fn set_refusal(&mut self, snapshot: &LocalSnapshot, reason: String, retry_at: Option<Instant>) {
        self.refused = Some((PushKey::of(snapshot), Refusal { reason, retry_at }));
        self.push_failures = 0;
        self.push_retry = None;
    }
}

/// Returns the error with which a failure ends the session.
fn end(failure: Failure) -> AgentError {
    match failure {
        Failure::Fenced { reason } => AgentError::Fenced { reason },
        Failure::Replaced { reason } => AgentError::Replaced { reason },
        Failure::Unauthenticated { reason } => AgentError::Unauthenticated { reason },
        Failure::Refused { reason }
        | Failure::NoRoom { reason }
        | Failure::Transient { reason, .. } => AgentError::Refused { reason },
        Failure::MissingBlobs { .. } => AgentError::Refused {
            reason: missing_of_nothing(),
        },
    }
}

fn missing_of_nothing() -> String {
    "it requests bytes where none are sent".to_owned()
}

#[cfg(test)]
mod tests;
