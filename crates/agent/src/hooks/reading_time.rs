//! When a client has read its files: some tell of a session's start later, and some read a little later.
//!
//! Claude Code reads them at about the time of its hook at a new session, and when all hooks of the start have ended at a
//! resumption (2.1.332). Another hook of a start may write one of them, or a person. Nobody knows which state was read then.
//!
//! Codex reads them when its terminal interface opens, resumes, clears or forks a session, and calls the hook of the
//! start with the first prompt (0.171.0). Meanwhile, the person may have edited them. The id of a new session has the
//! time. That of a resumption is the time at which the process began, unless the process served other sessions before,
//! as Codex' background server does.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::ClientProcess;
use uuid::Uuid;

use super::Event;
use super::read::Listing;
use crate::session::LocalSnapshot;

/// How much later than an edit its snapshot is the newest, on an idle machine.
const SEEN_AFTER: Duration = Duration::from_millis(500);

/// How long a client that tells of a new session may read its files behind that. Codex reads them some 0.1 s behind the time
/// of its id (0.171.0), or later on a busy machine.
const NEW_READ_AFTER: Duration = Duration::from_secs(2);

/// How long one that resumes or forks a session may do so. It waits for the hooks of others.
const RESUMED_READ_AFTER: Duration = Duration::from_secs(60);

/// How much later than told a process may have begun, in milliseconds. The system counts hundredths of a second, for the beginning and for its
/// own time. No client has read a file so early.
const BEGAN_WITHIN_MS: u64 = 20;

/// Returns the snapshot that the client of a start has read: that of a scan which began with the hook, or an earlier one
/// if what changed since was changed after the client had read it. `None` if nobody knows. `before` is what the session
/// had read before.
pub(super) fn snapshot_read(
    event: &Event,
    before: Option<&str>,
    scanned: Arc<LocalSnapshot>,
) -> Option<Arc<LocalSnapshot>> {
    if is_edited_since(event, &scanned) {
        return None;
    }
    let (at_ms, read_ms) = match (event.call.at_ms, time(event)) {
        (_, Time::OfHook) | (None, _) => {
            return Some(scanned).filter(|scanned| !is_edited_before(event, scanned));
        }
        (_, Time::Unknown) => {
            return Some(scanned).filter(|read| before == Some(&read.id.to_string()));
        }
        (Some(at_ms), Time::At { ms }) => (at_ms, ms),
    };
    let ago = Duration::from_millis(at_ms.saturating_sub(read_ms));
    let before = event.called_at.checked_sub(ago);
    let before = before.and_then(|read_at| event.recent.at(read_at));
    let behind = ago.checked_sub(NEW_READ_AFTER + SEEN_AFTER);
    let behind = behind.and_then(|ago| event.recent.at(event.called_at.checked_sub(ago)?));
    let behind = behind.unwrap_or_else(|| Arc::clone(&scanned));
    let read = UNIX_EPOCH + Duration::from_millis(read_ms);
    if is_changed_after(read, before.as_deref(), &behind) {
        return None;
    }
    let is_behind = is_changed_after(read, Some(&behind), &scanned);
    Some(if is_behind { behind } else { scanned })
}

/// Returns whether files were edited between the call of a hook and a scan for it. The call may have waited, and nobody
/// knows what the client has read then.
pub(super) fn is_edited_since(event: &Event, scanned: &LocalSnapshot) -> bool {
    let Some(at_ms) = event.call.at_ms else {
        return false;
    };
    let called = UNIX_EPOCH + Duration::from_millis(at_ms);
    let before = event.recent.at(event.called_at);
    is_changed_after(called, before.as_deref(), scanned)
}

/// Returns whether files were edited between the beginning of the client's process and the scan of the start. The client
/// may have read them before that.
fn is_edited_before(event: &Event, scanned: &LocalSnapshot) -> bool {
    let call = &event.call;
    let (Some(process), Some(at_ms), false) = (&call.process, call.at_ms, event.is_process_known)
    else {
        return false;
    };
    let began_ms = began_ms(process);
    let ago = Duration::from_millis(at_ms.saturating_sub(began_ms));
    let began_at = event.called_at.checked_sub(ago);
    let earlier = began_at.and_then(|began_at| event.recent.at(began_at));
    let began = UNIX_EPOCH + Duration::from_millis(began_ms);
    earlier.is_some_and(|earlier| is_changed_after(began, Some(&earlier), scanned))
}

/// A start whose client may still have to read its files.
#[derive(Debug, Clone)]
pub(super) struct Starting {
    scanned: Arc<LocalSnapshot>,
    until: SystemTime,
}

impl Starting {
    /// Returns the start of an event, if its client may read files behind it.
    pub fn of(event: &Event, scanned: Option<&Arc<LocalSnapshot>>) -> Option<Self> {
        let at = UNIX_EPOCH + Duration::from_millis(event.call.at_ms?);
        Some(Self {
            scanned: Arc::clone(scanned?),
            until: at + Self::read_after(event)?,
        })
    }

    /// Returns whether the client of a start may read files behind it.
    pub fn is_possible(event: &Event) -> bool {
        Self::read_after(event).is_some()
    }

    fn read_after(event: &Event) -> Option<Duration> {
        let source = event.call.source.as_deref()?;
        let is = |at: ClientEvent| source == at.as_str();
        match event.client {
            Profile::ClaudeCode if is(ClientEvent::Startup) => Some(NEW_READ_AFTER),
            Profile::ClaudeCode if is(ClientEvent::Resume) || is(ClientEvent::Fork) => {
                Some(RESUMED_READ_AFTER)
            }
            // They read with the next request, or have read before.
            Profile::ClaudeCode | Profile::Codex | Profile::Opencode | Profile::Neutral => None,
        }
    }

    /// Returns whether files were edited between the scan of the start and a later one, while the client may have read them.
    pub fn is_edited_behind(&self, later: &LocalSnapshot) -> bool {
        is_changed(Some(&self.scanned), later, |at| at <= self.until)
    }
}

/// When a client has read its files.
enum Time {
    OfHook,
    /// In milliseconds since 1970.
    At {
        ms: u64,
    },
    Unknown,
}

fn time(event: &Event) -> Time {
    let call = &event.call;
    let source = call.source.as_deref().unwrap_or_default();
    let is = |at: ClientEvent| source == at.as_str();
    match &call.process {
        _ if event.client != Profile::Codex => Time::OfHook,
        _ if is(ClientEvent::Startup) || is(ClientEvent::Clear) || is(ClientEvent::Fork) => {
            time_of_id(&call.session).map_or(Time::OfHook, |ms| Time::At { ms })
        }
        Some(process) if is(ClientEvent::Resume) => match event.is_process_known {
            true => Time::Unknown,
            false => Time::At {
                ms: began_ms(process),
            },
        },
        _ => Time::OfHook,
    }
}

/// Returns when a process had begun, in milliseconds since 1970.
fn began_ms(process: &ClientProcess) -> u64 {
    process.began_ms.saturating_add(BEGAN_WITHIN_MS)
}

/// Returns when an id was made, in milliseconds since 1970, if it is a UUID with a time (RFC 9562, version 7).
fn time_of_id(id: &str) -> Option<u64> {
    let id: Uuid = id.parse().ok()?;
    let is_timed = id.get_version_num() == 7;
    let time = id.get_timestamp().filter(|_| is_timed)?;
    let (seconds, nanoseconds) = time.to_unix();
    u64::try_from(Duration::new(seconds, nanoseconds).as_millis()).ok()
}

/// Returns whether a file that differs between two snapshots was changed after a time. Of one that is gone, its directory
/// tells.
fn is_changed_after(
    time: SystemTime,
    earlier: Option<&LocalSnapshot>,
    later: &LocalSnapshot,
) -> bool {
    is_changed(earlier, later, |at| at > time)
}

/// Returns whether a file that differs between two snapshots was changed at a certain time. If the earlier one is not known,
/// each file may differ.
fn is_changed(
    earlier: Option<&LocalSnapshot>,
    later: &LocalSnapshot,
    is_then: impl Fn(SystemTime) -> bool,
) -> bool {
    if earlier.is_some_and(|earlier| earlier.id == later.id) {
        return false;
    }
    let earlier = earlier.map(Listing::of).unwrap_or_default();
    let later = Listing::of(later);
    let changed = earlier.changed_to(&later);
    let mut paths = changed.iter().map(Path::new);
    paths.any(|path| {
        let mut there = path.ancestors();
        let metadata = there.find_map(|path| fs::symlink_metadata(path).ok());
        let changed_at = metadata.and_then(|metadata| {
            let seconds = u64::try_from(metadata.ctime()).ok()?;
            let nanoseconds = u32::try_from(metadata.ctime_nsec()).ok()?;
            Some(UNIX_EPOCH + Duration::new(seconds, nanoseconds))
        });
        changed_at.is_some_and(&is_then)
    })
}
