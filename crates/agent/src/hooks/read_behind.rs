//! Reading the records of sessions behind the back of hooks.
//!
//! A client writes its record a moment after it happened: Claude Code 2.1.307 writes the last request of a turn up to a
//! tenth of a second later than it tells of the turn's end. So what has ended is looked at again.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::HookEvent;
use tokio::sync::Semaphore;

use super::asking::Asking;
use super::evidence::{Evidence, Outcome, Subject, Timeline};
use super::held::HandedOver;
use super::processes::is_running;
use super::read::{KeptReads, Subagent};
use super::record::Taken;
use super::untold::Untold;
use super::{Event, Hooks, Known, Session, SessionKey, keep_read, key, name};
use crate::blocking::blocking;
use crate::line::Place;
use crate::shared::lock;

/// The pauses before what has ended is looked at again, unless the session goes on.
const WRITTEN_AFTER: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// The end of a turn, a subagent or a session.
pub(super) struct Ended {
    /// The number of the event that tells of it.
    pub number: u64,
    pub untold: Option<Untold>,
}

/// The pause between two looks at the process of a client.
const LOOK_PAUSE: Duration = Duration::from_secs(2);

/// Where a reading stands in the line of its session.
struct Queued {
    place: Place,
    /// The number of the last line that a plugin had handed over by then.
    until: u64,
}

impl Queued {
    /// Takes the place behind all others. The turns of everything that was handed over by then have theirs before it.
    fn take(session: &Session) -> Self {
        let until = lock(&session.held).last();
        Self {
            place: lock(&session.line).take(),
            until,
        }
    }
}

/// What is read behind an event.
struct Reader {
    event: Event,
    session: Arc<Session>,
    asking: Asking,
    evidence: Arc<Evidence>,
    kept_reads: Arc<KeptReads>,
    untold: Option<Untold>,
    subjects: Vec<Subject>,
    /// The subagents of these that have ended.
    ended: HashSet<String>,
}

impl Hooks {
    /// Reads the record of an event once everything that its session told before is recorded, and hands in what it
    /// shows. What cannot be handed in now is read again at the next event. At an event of the session, the records of
    /// subagents that ended are read too, and at a start or a prompt those of whose end nobody has told.
    pub(super) async fn read_behind(
        &self,
        event: Event,
        session: Arc<Session>,
    ) -> Result<(), String> {
        self.read(event, session, None).await
    }

    /// As [`Self::read_behind`], at an end. If the record has requests of a turn that nobody told of, it is recorded first.
    pub(super) async fn read_ended(
        &self,
        event: Event,
        session: Arc<Session>,
        ended: Ended,
    ) -> Result<(), String> {
        self.read(event, session, Some(ended)).await
    }

    /// Hands in what is held of a session once the client's process has ended: `opencode run` may end before its plugin has
    /// told of the end of the turn. The event with a number is not the session's last one if it goes on.
    pub(super) async fn read_without_end(
        &self,
        event: Event,
        session: Arc<Session>,
        number: u64,
    ) -> Result<(), String> {
        let Some(process) = event.call.process else {
            return Ok(());
        };
        let Some(mut reader) = self.reader(event, session, false, None).await? else {
            return Ok(());
        };
        let room = Arc::clone(&self.room);
        tokio::spawn(async move {
            while is_running(&process) {
                tokio::time::sleep(LOOK_PAUSE).await;
                if reader.session.events.load(Ordering::Relaxed) != number {
                    return;
                }
            }
            let queued = Queued::take(&reader.session);
            if let Ok(_permit) = room.acquire().await {
                reader.read(queued).await;
            }
        });
        Ok(())
    }

    async fn read(
        &self,
        event: Event,
        session: Arc<Session>,
        end: Option<Ended>,
    ) -> Result<(), String> {
        let (number, untold) = match end {
            Some(Ended { number, untold }) => (Some(number), untold),
            None => (None, None),
        };
        let queued = Queued::take(&session);
        let reader = self
            .reader(event, session, number.is_some(), untold)
            .await?;
        let Some(mut reader) = reader else {
            return Ok(());
        };
        let permit = self.permit()?;
        let (sessions, room) = (Arc::clone(&self.sessions), Arc::clone(&self.room));
        tokio::spawn(async move {
            let sizes = reader.sizes().await;
            reader.read(queued).await;
            drop(permit);
            if let Some(number) = number {
                reader.read_again(number, sizes, &room).await;
            }
            let Reader { event, session, .. } = reader;
            if event.call.event == HookEvent::SessionEnd {
                forget(&sessions, &key(&event.call, event.client), session);
            }
        });
        Ok(())
    }

    /// Returns what is read behind an event. `None` if the place of the record is not known.
    async fn reader(
        &self,
        event: Event,
        session: Arc<Session>,
        is_ended: bool,
        untold: Option<Untold>,
    ) -> Result<Option<Reader>, String> {
        let call = &event.call;
        let record = match event.client {
            // Its plugin hands over what a record would have.
            Profile::Opencode => None,
            Profile::ClaudeCode | Profile::Codex | Profile::Neutral => {
                let Some(record) = event.record() else {
                    if is_ended && call.record.is_none() {
                        say_recordless(&session, event.client);
                    }
                    return Ok(None);
                };
                Some(record)
            }
        };
        let asking = self.asking(call).await?;
        let known = self.known(&event, &session).await;
        let is_of_subagent = call.event == HookEvent::SubagentStop;
        if let Some(subagent) = call.subagent.as_deref().filter(|_| is_of_subagent)
            && lock(known).ended(subagent)
        {
            keep_read(&self.kept_reads, name(&event), &session);
        }
        let (rereads, subagents) = {
            let known = lock(known);
            (known.rereads.clone(), known.subagents.clone())
        };
        // The session goes on, or ends, behind its review.
        let is_over = |subagent: &Subagent| subagent.has_ended || subagent.is_review;
        let ended = subagents.iter().filter(|subagent| is_over(subagent));
        let ended: HashSet<_> = ended.map(|subagent| subagent.id.clone()).collect();
        let subject = Subject {
            client: event.client,
            session: call.session.clone(),
            subagent: call.subagent.clone(),
            review: None,
            untold: untold.as_ref().map(|untold| untold.turn.clone()),
            record,
            is_started: call.event == HookEvent::SessionStart,
            is_ended,
            rereads: match call.subagent {
                None => rereads,
                Some(_) => Vec::new(),
            },
        };
        let mut subjects = vec![subject];
        if !is_of_subagent {
            let begins = matches!(call.event, HookEvent::SessionStart | HookEvent::Prompt);
            let left = subagents
                .into_iter()
                .filter(|subagent| is_over(subagent) || begins)
                .map(|left| subjects[0].of_subagent(left));
            let left: Vec<_> = left.collect();
            subjects.extend(left);
        }
        Ok(Some(Reader {
            asking,
            evidence: Arc::clone(&self.evidence),
            kept_reads: Arc::clone(&self.kept_reads),
            untold,
            subjects,
            ended,
            event,
            session,
        }))
    }
}

impl Reader {
    /// Reads all records once, and hands in what they show.
    async fn read(&mut self, Queued { mut place, until }: Queued) {
        let Self {
            event,
            session,
            asking,
            evidence,
            kept_reads,
            untold,
            subjects,
            ended,
        } = self;
        place.come_first().await;
        // Later turns need not wait for a reading that finds none before them.
        let mut place = Some(place).filter(|_| untold.is_some());
        let _alone = session.reading.lock().await;
        let handed_over = HandedOver {
            held: &session.held,
            until,
        };
        for subject in subjects {
            let timeline = Timeline {
                agent: event.agent,
                newest: &event.newest,
                recent: &event.recent,
            };
            let hand_in = || evidence.hand_in_insistently(asking, subject, handed_over, timeline);
            let mut outcome = hand_in().await;
            if outcome.is_untold
                && let Some(untold) = untold.take()
            {
                untold.record(asking, event, session, kept_reads).await;
                outcome = hand_in().await;
            }
            drop(place.take());
            let Outcome { taken, shown, .. } = outcome;
            if subject.subagent.is_none()
                && shown.is_some_and(|shown| session.has_shown(&event.recent, shown))
            {
                keep_read(kept_reads, name(event), session);
            }
            let Some(part) = subject.part() else {
                let is_read = taken != Taken::Not && subject.is_ended;
                session.is_read.fetch_or(is_read, Ordering::Relaxed);
                continue;
            };
            let is_over = match event.call.event {
                // One that goes on behind a start tells of its end.
                HookEvent::SessionStart => taken != Taken::Not,
                // It may not be written to its end.
                _ => taken == Taken::Before && ended.contains(part),
            };
            if is_over && session.lost(part) {
                keep_read(kept_reads, name(event), session);
            }
        }
    }

    /// Looks again a few times at what has ended with the event of a number, and reads what was written since. A session
    /// that has had another event since is read at that.
    async fn read_again(&mut self, number: u64, mut sizes: Vec<u64>, room: &Semaphore) {
        for pause in WRITTEN_AFTER {
            tokio::time::sleep(pause).await;
            let queued = Queued::take(&self.session);
            if self.session.events.load(Ordering::Relaxed) != number {
                return;
            }
            let now = self.sizes().await;
            if now == sizes {
                continue;
            }
            sizes = now;
            // As many events wait as may.
            let Ok(_permit) = room.try_acquire() else {
                return;
            };
            self.read(queued).await;
        }
        let is_of_session = self.event.call.event != HookEvent::SubagentStop;
        if is_of_session && sizes.first() == Some(&0) {
            say_recordless(&self.session, self.event.client);
        }
    }

    /// Returns the sizes of the records, in bytes.
    async fn sizes(&self) -> Vec<u64> {
        let records = self.subjects.iter();
        let records = records.filter_map(|subject| Some(subject.record.as_ref()?.path.clone()));
        let records: Vec<_> = records.collect();
        blocking(move || {
            let records = records.iter().map(fs::symlink_metadata);
            let sizes = records.map(|record| record.map_or(0, |record| record.len()));
            sizes.collect()
        })
        .await
    }
}

/// Says that a client writes no record of a session, once for each.
fn say_recordless(session: &Session, client: Profile) {
    if !session.is_recordless_told.swap(true, Ordering::Relaxed) {
        tracing::warn!("{}", recordless(client));
    }
}

/// Returns the message about a session of which its client writes no record.
pub(super) fn recordless(client: Profile) -> String {
    let name = client.tool().unwrap_or("its client");
    let option = match client {
        Profile::ClaudeCode => ", as with `claude --no-session-persistence`",
        Profile::Codex => ", as with `codex exec --ephemeral`",
        Profile::Opencode | Profile::Neutral => "",
    };
    format!("a session has no evidence: {name} keeps no record of it{option}")
}

/// Forgets a session, unless something of it still waits for the server: a resumed session must stand in line behind
/// that.
fn forget(sessions: &Mutex<HashMap<SessionKey, Known>>, key: &SessionKey, session: Arc<Session>) {
    let mut sessions = lock(sessions);
    drop(session);
    let is_idle = |known: &Known| Arc::strong_count(&known.session) == 1;
    if sessions.get(key).is_some_and(is_idle) {
        sessions.remove(key);
    }
}
