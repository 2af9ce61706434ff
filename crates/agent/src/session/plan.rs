//! What to ask of the server next. It decides and does nothing: requests, the clock and chance come
//! in as arguments.
//!
//! It holds no queue. Each step looks at the newest scan, so what is sent after a pause is what the
//! workspace holds then.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_protocol::http::agents::Session;
use ctxpin_protocol::http::push::PushAnswer;

use crate::error::AgentError;
use crate::session::backoff;
use crate::session::bodies::Parcel;
use crate::session::failure::Failure;
use crate::session::local_snapshot::Found;

/// How often the request that opened the session is repeated. This is how the server knows that the
/// agent is there, and how an idle agent learns that it was fenced. A prime number of seconds, so that no
/// connection is closed just as it comes round.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(29);

/// How long what there was no room for is not sent again, unless something changes. Somebody has to make
/// room first.
const NO_ROOM_PAUSE: Duration = Duration::from_secs(10 * 60);

/// Most times in a row that the server may ask for bytes of one content. Once is usual; another
/// time if what was sent ahead has expired meanwhile.
const MISSING_ROUNDS_MAX: u32 = 4;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Open the session, or repeat the request that did.
    Session,
    /// Send bytes ahead of a push.
    Upload { epoch: i64, hash: BlobHash },
    /// Push what was found, with these bytes.
    Push {
        epoch: i64,
        version: i64,
        inline: BTreeSet<BlobHash>,
    },
    /// Nothing before this moment, unless something else is found.
    Wait { until: Instant },
}

/// A push that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// The head's snapshot, as the server says it.
    pub head: String,
    /// The head's place in the agent's timeline.
    pub seq: i64,
    /// How many chats were given their first pin.
    pub hydrated: u64,
    /// Whether the server had it already.
    pub unchanged: bool,
}

/// A failure that may pass by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Why.
    pub reason: String,
    /// When it is tried again.
    pub until: Instant,
}

/// How pushing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pushing {
    Settled,
    Sending,
    Waiting(Trouble),
    Refused(Refused),
}

/// What the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Why.
    pub reason: String,
    /// When it is tried again though nothing has changed, if ever.
    pub until: Option<Instant>,
}

/// What came of a failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Setback {
    /// It is tried again at once, in another way.
    Again,
    /// It is tried again after a pause.
    Pause { reason: String, pause: Duration },
    /// It is not tried again until something changes.
    Refused { reason: String },
    /// It is tried again after a long pause, or when something changes.
    NoRoom { reason: String, pause: Duration },
}

struct Opened {
    epoch: i64,
    /// The head's snapshot, as the server last said it.
    head: Option<String>,
    request_bytes_max: u64,
    notes_max: usize,
}

/// A content with its notes, and the resync that asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    id: SnapshotId,
    notes: BlobHash,
    demand: u64,
}

impl Key {
    fn of(found: &Found) -> Self {
        Self {
            id: found.id,
            notes: found.notes_hash,
            demand: found.demand,
        }
    }

    /// Whether what was said of this holds for what was found: it is the same, and nobody has asked
    /// for it anew.
    fn covers(&self, found: &Found) -> bool {
        self.id == found.id && self.notes == found.notes_hash && self.demand >= found.demand
    }
}

/// What the agent knows of its dealings with the server.
pub(crate) struct Plan {
    opened: Option<Opened>,
    session_at: Instant,
    session_failures: u32,
    session_trouble: Option<Trouble>,
    version: i64,
    acknowledged: Option<(Key, BTreeSet<BlobHash>)>,
    refused: Option<(Key, Refused)>,
    push_failures: u32,
    push_trouble: Option<Trouble>,
    /// What the server asked for since it last took a push.
    asked: BTreeSet<BlobHash>,
    /// How often it asked for bytes of this content.
    asked_rounds: Option<(SnapshotId, u32)>,
    /// What was sent ahead since it last took a push.
    uploaded: BTreeSet<BlobHash>,
}

impl Plan {
    /// Nothing is known of the server yet.
    pub fn new(now: Instant) -> Self {
        Self {
            opened: None,
            session_at: now,
            session_failures: 0,
            session_trouble: None,
            version: 0,
            acknowledged: None,
            refused: None,
            push_failures: 0,
            push_trouble: None,
            asked: BTreeSet::new(),
            asked_rounds: None,
            uploaded: BTreeSet::new(),
        }
    }

    /// What to do now, given the newest scan.
    pub fn next(&mut self, now: Instant, found: Option<&Found>) -> Step {
        if let (Some((key, refused)), Some(found)) = (&self.refused, found)
            && (!key.covers(found) || refused.until.is_some_and(|until| until <= now))
        {
            self.refused = None;
        }
        let Some(opened) = self.opened.as_ref().filter(|_| now < self.session_at) else {
            return match now < self.session_at {
                true => Step::Wait {
                    until: self.session_at,
                },
                false => Step::Session,
            };
        };
        let Some(found) = found.filter(|found| self.is_due(found)) else {
            return Step::Wait {
                until: self.session_at,
            };
        };
        if let Some(trouble) = self.push_trouble.as_ref().filter(|t| now < t.until) {
            return Step::Wait {
                until: trouble.until.min(self.session_at),
            };
        }
        let parcel = Parcel::pack(&found.bodies, &self.wanted(found), opened.request_bytes_max);
        let epoch = opened.epoch;
        if let Some(hash) = parcel.ahead.difference(&self.uploaded).next() {
            return Step::Upload { epoch, hash: *hash };
        }
        self.version += 1;
        Step::Push {
            epoch,
            version: self.version,
            inline: parcel.inline,
        }
    }

    /// The epoch of the session, once there is one.
    pub fn epoch(&self) -> Option<i64> {
        self.opened.as_ref().map(|opened| opened.epoch)
    }

    /// Most notes that the server takes: none if it is of a release that knows of none.
    pub fn notes_max(&self) -> usize {
        self.opened.as_ref().map_or(0, |opened| opened.notes_max)
    }

    /// How pushing stands, given the newest scan.
    pub fn pushing(&self, found: Option<&Found>) -> Pushing {
        if let Some(trouble) = &self.session_trouble {
            return Pushing::Waiting(trouble.clone());
        }
        let Some(found) = found else {
            return Pushing::Settled;
        };
        if let Some((key, refused)) = &self.refused
            && key.covers(found)
        {
            return Pushing::Refused(refused.clone());
        }
        match &self.push_trouble {
            _ if !self.is_due(found) => Pushing::Settled,
            Some(trouble) => Pushing::Waiting(trouble.clone()),
            None => Pushing::Sending,
        }
    }

    /// The server has given a session, or repeated it. Answers whether it is another one than
    /// before.
    pub fn session_opened(&mut self, now: Instant, session: Session) -> bool {
        let head = session.head.map(|head| head.snapshot);
        let known = self.opened.as_ref();
        let is_new = known.is_none_or(|known| known.epoch != session.epoch);
        if is_new || known.is_some_and(|known| known.head != head) {
            // Nobody else pushes in this session: a server that was set back to an older state
            // does not have what it acknowledged.
            self.acknowledged = None;
        }
        self.opened = Some(Opened {
            epoch: session.epoch,
            head,
            request_bytes_max: session.limits.request_bytes_max,
            notes_max: usize::try_from(session.limits.notes_max).unwrap_or(usize::MAX),
        });
        self.session_at = now + HEARTBEAT_INTERVAL;
        self.session_failures = 0;
        self.session_trouble = None;
        is_new
    }

    /// The server gave no session.
    ///
    /// # Errors
    ///
    /// If there is nothing more to do.
    pub fn session_failed(
        &mut self,
        now: Instant,
        failure: Failure,
        jitter: f64,
    ) -> Result<Setback, AgentError> {
        let (reason, retry_after) = match failure {
            Failure::Transient {
                reason,
                retry_after,
            } => (reason, retry_after),
            Failure::NoRoom { reason } => (reason, None),
            Failure::MissingBlobs { .. } => ("it asks for bytes of nothing".to_owned(), None),
            failure => return Err(end(failure)),
        };
        self.session_failures = self.session_failures.saturating_add(1);
        let pause = backoff::pause(self.session_failures, jitter, retry_after);
        self.session_at = now + pause;
        self.session_trouble = Some(Trouble {
            reason: reason.clone(),
            until: self.session_at,
        });
        Ok(Setback::Pause { reason, pause })
    }

    /// The server has the bytes that were sent ahead.
    pub fn uploaded(&mut self, hash: BlobHash) {
        self.uploaded.insert(hash);
        self.push_failures = 0;
        self.push_trouble = None;
    }

    /// The server answered a push.
    ///
    /// # Errors
    ///
    /// If it did not take it: that may pass, since the next push has a greater version.
    pub fn push_answered(
        &mut self,
        found: &Found,
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
        let known = self.opened.as_mut().map(|opened| &mut opened.head);
        let before = known.and_then(|known| known.replace(head.clone()));
        self.acknowledged = Some((Key::of(found), found.stored()));
        self.refused = None;
        self.push_failures = 0;
        self.push_trouble = None;
        self.asked.clear();
        self.asked_rounds = None;
        self.uploaded.clear();
        Ok(Acknowledged {
            unchanged: before.as_ref() == Some(&head),
            head,
            seq,
            hydrated: answer.hydrated,
        })
    }

    /// A push, or sending bytes ahead of it, failed.
    ///
    /// # Errors
    ///
    /// If there is nothing more to do.
    pub fn push_failed(
        &mut self,
        now: Instant,
        found: &Found,
        failure: Failure,
        jitter: f64,
    ) -> Result<Setback, AgentError> {
        match failure {
            Failure::Transient {
                reason,
                retry_after,
            } => {
                self.push_failures = self.push_failures.saturating_add(1);
                let pause = backoff::pause(self.push_failures, jitter, retry_after);
                self.push_trouble = Some(Trouble {
                    reason: reason.clone(),
                    until: now + pause,
                });
                Ok(Setback::Pause { reason, pause })
            }
            Failure::MissingBlobs { missing } => Ok(self.bytes_asked(found, missing)),
            Failure::Refused { reason } => Ok(self.content_refused(found, reason)),
            Failure::NoRoom { reason } => {
                let pause = NO_ROOM_PAUSE.mul_f64(1.0 + jitter.clamp(0.0, 1.0));
                self.keep_refused(found, reason.clone(), Some(now + pause));
                Ok(Setback::NoRoom { reason, pause })
            }
            failure => Err(end(failure)),
        }
    }

    /// Whether what was found is to be pushed.
    fn is_due(&self, found: &Found) -> bool {
        let acknowledged = self.acknowledged.as_ref().map(|(key, _)| key);
        let refused = self.refused.as_ref().map(|(key, _)| key);
        let mut judged = acknowledged.into_iter().chain(refused);
        !judged.any(|key| key.covers(found))
    }

    /// The bytes that the server is thought to lack. After its head was made by another process
    /// only it can tell, so nothing is sent until it does.
    fn wanted(&self, found: &Found) -> BTreeSet<BlobHash> {
        let stored = found.stored();
        let opened = self.opened.as_ref();
        let has_no_head = opened.is_some_and(|opened| opened.head.is_none());
        let lacks = |hash: &BlobHash| {
            self.asked.contains(hash)
                || match &self.acknowledged {
                    Some((_, held)) => !held.contains(hash),
                    None => has_no_head,
                }
        };
        stored.into_iter().filter(lacks).collect()
    }

    fn bytes_asked(&mut self, found: &Found, missing: BTreeSet<BlobHash>) -> Setback {
        let rounds = match self.asked_rounds {
            Some((id, rounds)) if id == found.id => rounds + 1,
            _ => 1,
        };
        self.asked_rounds = Some((found.id, rounds));
        let held: BTreeSet<_> = missing
            .into_iter()
            .filter(|hash| found.bodies.contains_key(hash))
            .collect();
        if held.is_empty() {
            let reason = "the server asks for bytes that are not part of the snapshot";
            return self.content_refused(found, reason.to_owned());
        }
        if rounds > MISSING_ROUNDS_MAX {
            let reason = "the server asks again and again for bytes that were sent";
            return self.content_refused(found, reason.to_owned());
        }
        self.uploaded.retain(|hash| !held.contains(hash));
        self.asked.extend(held);
        Setback::Again
    }

    fn content_refused(&mut self, found: &Found, reason: String) -> Setback {
        self.keep_refused(found, reason.clone(), None);
        Setback::Refused { reason }
    }

    fn keep_refused(&mut self, found: &Found, reason: String, until: Option<Instant>) {
        self.refused = Some((Key::of(found), Refused { reason, until }));
        self.push_failures = 0;
        self.push_trouble = None;
    }
}

/// The end that a failure means.
fn end(failure: Failure) -> AgentError {
    match failure {
        Failure::Fenced { reason } => AgentError::Fenced { reason },
        Failure::Replaced { reason } => AgentError::Replaced { reason },
        Failure::Unauthenticated { reason } => AgentError::Unauthenticated { reason },
        Failure::Refused { reason }
        | Failure::NoRoom { reason }
        | Failure::Transient { reason, .. } => AgentError::Refused { reason },
        Failure::MissingBlobs { .. } => AgentError::Refused {
            reason: "it asks for bytes of nothing".into(),
        },
    }
}

#[cfg(test)]
mod tests;
