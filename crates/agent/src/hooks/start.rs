//! The starts of sessions, and those of which a hook could tell nobody.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::HookReply;
use ctxpin_protocol::http::chats::ChatStart;
use tokio::sync::oneshot;

use super::deed::{Deed, RETRY_TIME_MAX, Tried, start_of};
use super::read::{KeptReads, Listing};
use super::reading_time::{Starting, snapshot_read};
use super::{
    Arrived, Event, Fresh, Hooks, SCAN_TIME_MAX, START_TIME_MAX, Session, is_name, keep_read, name,
    name_of,
};
use crate::blocking::blocking;
use crate::session::LocalSnapshot;
use crate::shared::lock;

/// What ends with the snapshot that a client has read, and its listing, or `None` if nobody knows it.
type Reading = Pin<Box<dyn Future<Output = Option<(Arc<LocalSnapshot>, Listing)>> + Send>>;

impl Hooks {
    /// Records the start of a session: finds or makes its chat, and moves its pin to what the client reads, if it reads
    /// anything then. `scan` is one that began after the start. If it does not end in time, the pin moves to the head as it
    /// is, and then to the scan's snapshot before any later turn of the session, whose stamp depends on it. So does a start
    /// that the server does not take in time.
    ///
    /// # Errors
    ///
    /// Returns a message for people if the token or the server refuses.
    pub async fn start(
        &self,
        event: Event,
        arrived: Arrived,
        scan: Fresh,
    ) -> Result<HookReply, String> {
        let until = tokio::time::Instant::now() + START_TIME_MAX;
        let session = Arc::clone(&arrived.session);
        let newest = event.newest.borrow().clone();
        if let Some(given) = self.given_by_process(&event) {
            return self.go_on(event, arrived, given).await;
        }
        let known = self.known(&event, &session).await;
        let before = lock(known)
            .snapshot
            .as_ref()
            .map(|read| read.snapshot.clone());
        let mut reading = self.read_at_start(&event, before, scan);
        let is_read = is_read_at_start(event.client, event.call.source.as_deref());
        let (found, late) = match is_read {
            false => (None, None),
            true => match tokio::time::timeout(SCAN_TIME_MAX, &mut reading).await {
                Ok(found) => (found, None),
                Err(_) => (None, Some(reading)),
            },
        };
        let (snapshot, listing) = found.unzip();
        let pins = [newest, snapshot.clone()];
        let unwritable = self.evidence.keep_pins(pins).await;
        let is_told = self.is_unwritable_told.load(Ordering::Relaxed);
        if unwritable.is_none() {
            self.is_unwritable_told.store(false, Ordering::Relaxed);
        }
        let start = start_of(
            event.call.source.as_deref().unwrap_or_default(),
            snapshot.as_deref(),
        );
        if is_read {
            let (kept, missed) = (Arc::clone(&self.kept_reads), name(&event));
            blocking(move || kept.take_missed(&missed)).await;
            let is_starting = Starting::is_possible(&event);
            session.is_starting.store(is_starting, Ordering::Relaxed);
            *lock(&session.starting) = Starting::of(&event, snapshot.as_ref());
            let mut read = lock(known);
            read.snapshot = listing;
            read.told = None;
            if start.source == ClientEvent::Compact.as_str() {
                read.compacted();
            }
            drop(read);
            keep_read(&self.kept_reads, name(&event), &session);
        }
        let late = late.map(|reading| -> Fresh { Box::pin(async { Some(reading.await?.0) }) });
        let tried = self.behind(event.clone(), arrived, Deed::Start(start), late);
        let tried = tried.await?;
        // What an earlier process, or a hook that was never called, has left.
        self.read_behind(event, Arc::clone(&session)).await?;
        let unwritable = unwritable.filter(|_| !is_told);
        self.first_reply(&session, tried, until, unwritable).await
    }

    /// Ends with what the client has read at a start and its listing, once a scan that began then has ended. `before` is
    /// the snapshot that the session had read before.
    fn read_at_start(&self, event: &Event, before: Option<String>, scan: Fresh) -> Reading {
        let (event, processes) = (event.clone(), Arc::clone(&self.processes));
        Box::pin(async move {
            let scanned = scan.await?;
            let asked = event.clone();
            let read = blocking(move || snapshot_read(&asked, before.as_deref(), scanned)).await?;
            let listing = Listing::of(&read);
            if let Some(process) = &event.call.process {
                lock(&processes).has_read(process, &listing);
            }
            Some((read, listing))
        })
    }

    /// Returns what the process of a start gives to the session, if it reads nothing then. Notes the start.
    fn given_by_process(&self, event: &Event) -> Option<Listing> {
        let (process, source) = (event.call.process.as_ref()?, event.call.source.as_deref()?);
        let mut processes = lock(&self.processes);
        let given = processes.given(process, event.client, source);
        processes.started(process, event.client, source);
        given
    }

    /// Records the start of a session to which its process gives what it has read before.
    async fn go_on(
        &self,
        event: Event,
        arrived: Arrived,
        given: Listing,
    ) -> Result<HookReply, String> {
        let session = Arc::clone(&arrived.session);
        let start = ChatStart {
            source: event.call.source.clone().unwrap_or_default(),
            head: Some(given.snapshot.clone()),
        };
        {
            let mut read = lock(self.known(&event, &session).await);
            (read.snapshot, read.told) = (Some(given), None);
        }
        keep_read(&self.kept_reads, name(&event), &session);
        let tried = self.behind(event.clone(), arrived, Deed::Start(start), None);
        let tried = tried.await?;
        self.read_behind(event, Arc::clone(&session)).await?;
        let until = tokio::time::Instant::now() + START_TIME_MAX;
        self.first_reply(&session, tried, until, None).await
    }

    /// Waits for the server's first answer to a start, and returns what the person is told.
    async fn first_reply(
        &self,
        session: &Session,
        tried: oneshot::Receiver<Tried>,
        until: tokio::time::Instant,
        unwritable: Option<String>,
    ) -> Result<HookReply, String> {
        let reason = match tokio::time::timeout_at(until, tried).await {
            Ok(Ok(Tried::Recorded(chat))) => {
                let is_told = unwritable.is_some();
                self.is_unwritable_told.fetch_or(is_told, Ordering::Relaxed);
                return Ok(HookReply {
                    chat: Some(chat.uuid()),
                    message: unwritable,
                });
            }
            Ok(Ok(Tried::Refused(reason))) => return Err(reason),
            Ok(Ok(Tried::Later(reason))) => reason,
            // What came before waits for the server.
            Ok(Err(_)) | Err(_) => lock(&session.trouble).clone(),
        };
        let minutes = RETRY_TIME_MAX.as_secs() / 60;
        Ok(HookReply {
            chat: None,
            message: Some(match reason {
                Some(reason) => format!(
                    "ctxpin: {reason}; this session is recorded if that changes within {minutes} minutes"
                ),
                None => format!(
                    "ctxpin: {} does not respond yet; this session is recorded if it responds within {minutes} minutes",
                    self.server,
                ),
            }),
        })
    }
}

/// Returns whether a client reads its files at the start of which it tells.
fn is_read_at_start(client: Profile, source: Option<&str>) -> bool {
    let mut known = ClientEvent::ALL.iter();
    let known = known.find(|known| Some(known.as_str()) == source);
    known.is_none_or(|known| known.is_read_by(Some(client.as_str())))
}

/// Returns whether a client goes on where it began at the start that `source` names. Claude Code (2.1.332) reads the files
/// of the directory of its start again when it compacts, wherever the model has gone since.
pub fn goes_on_there(source: Option<&str>) -> bool {
    source == Some(ClientEvent::Compact.as_str())
}

/// Returns whether a session was followed from a state directory.
pub fn knows_session(state_directory: &Path, client: Profile, session: &str) -> bool {
    is_name(session) && KeptReads::of(state_directory).has(&name_of(client, session))
}

/// Returns whether sessions were followed from a state directory.
pub fn has_followed(state_directory: &Path) -> bool {
    KeptReads::of(state_directory).has_any()
}

/// Notes a start of a session of which a hook could tell nobody: no process watches, or the hooks are paused. If the
/// client reads its files then, the next turn that is recorded has an unconfirmed pin. A session that was never followed
/// from this state directory is passed over.
///
/// # Errors
///
/// Fails if it cannot be noted.
pub fn note_missed_start(
    state_directory: &Path,
    client: Profile,
    session: &str,
    source: Option<&str>,
) -> io::Result<()> {
    match is_read_at_start(client, source) && is_name(session) {
        true => KeptReads::of(state_directory).note_missed(&name_of(client, session)),
        false => Ok(()),
    }
}
