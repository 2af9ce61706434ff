//! What is done behind the back of a hook: the deed is sent when those before it were sent, with what its client has read.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use ctxpin_model::client_event::ClientEvent;
use ctxpin_protocol::http::chats::ChatStart;
use tokio::sync::oneshot;

use super::deed::{Deed, Tried, insistently, start_of, unseen};
use super::read::Listing;
use super::reading_time::is_edited_since;
use super::{
    Arrived, Event, Fresh, Hooks, LATE_SCAN_TIME_MAX, Processes, Session, keep_read, name,
    remembers,
};
use crate::blocking::blocking;
use crate::session::LocalSnapshot;
use crate::shared::lock;

/// What ends with the snapshot of a scan, or `None` if it cannot be known.
type Scanned = Pin<Box<dyn Future<Output = Option<Arc<LocalSnapshot>>> + Send>>;

impl Hooks {
    /// Sends what happened once the requests of the session before it were sent, and tries it again while the server
    /// cannot be reached. A turn waits for the scan, which the client reads too, or which shows whether the pin of the
    /// start is certain. A start is sent again when the scan has ended. What it returns receives the result of the first
    /// try.
    pub(super) async fn behind(
        &self,
        event: Event,
        arrived: Arrived,
        mut deed: Deed,
        scan: Option<Fresh>,
    ) -> Result<oneshot::Receiver<Tried>, String> {
        let permit = self.permit()?;
        let client = self.asking(&event.call).await?.client;
        let kept_reads = Arc::clone(&self.kept_reads);
        let reading = Reading {
            event: event.clone(),
            session: Arc::clone(&arrived.session),
            processes: Arc::clone(&self.processes),
            scanned: self.scanned(scan),
        };
        let (tell, first) = oneshot::channel();
        tokio::spawn(async move {
            let _permit = permit;
            let Arrived {
                session, mut place, ..
            } = arrived;
            place.come_first().await;
            let (late, is_noted) = reading.read(&mut deed).await;
            if is_noted {
                keep_read(&kept_reads, name(&event), &session);
            }
            let is_recorded = insistently(&client, &event, &session, &mut deed, Some(tell)).await;
            if let (Deed::Start(start), Some(late), true) = (&deed, late, is_recorded)
                && let Some(head) = late.await
            {
                if session.has_read(&event, &head, &start.source) {
                    keep_read(&kept_reads, name(&event), &session);
                }
                let mut again = Deed::Start(start_of(&start.source, Some(&head)));
                insistently(&client, &event, &session, &mut again, None).await;
            }
        });
        Ok(first)
    }

    /// Ends with the snapshot of a scan, which is kept.
    fn scanned(&self, scan: Option<Fresh>) -> Scanned {
        let evidence = Arc::clone(&self.evidence);
        Box::pin(async move {
            let head = tokio::time::timeout(LATE_SCAN_TIME_MAX, scan?);
            let head = head.await.ok()??;
            // A start tells the person.
            let _ = evidence.keep_pins([None, Some(Arc::clone(&head))]).await;
            Some(head)
        })
    }
}

/// What a client reads for a deed.
struct Reading {
    event: Event,
    session: Arc<Session>,
    processes: Arc<Mutex<Processes>>,
    scanned: Scanned,
}

impl Reading {
    /// Puts into a deed what the client reads for it. Returns the scan if that is for later, and whether what is known of
    /// the session changed.
    async fn read(self, deed: &mut Deed) -> (Option<Scanned>, bool) {
        let event = &self.event;
        match deed {
            Deed::Start(_) => (Some(self.scanned), false),
            Deed::Turn { read, at: None, .. } => (None, self.confirm(read).await),
            Deed::Turn {
                read, at: Some(at), ..
            } => {
                let at = *at;
                lock(&self.session.starting).take();
                let scanned = unedited(event, self.scanned.await).await;
                *read = Some(start_of(at.as_str(), scanned.as_deref()));
                if at == ClientEvent::Turn {
                    return (None, false);
                }
                let listing = scanned.as_deref().map(Listing::of);
                remembers(&self.processes, event, listing.as_ref());
                if let Some(read) = self.session.read.get() {
                    lock(read).snapshot = listing;
                }
                (None, true)
            }
            Deed::Subagent { read } => {
                let at = ClientEvent::Startup;
                if at.is_read_by_subagent(event.client) {
                    let scanned = unedited(event, self.scanned.await).await;
                    *read = Some(start_of(at.as_str(), scanned.as_deref()));
                }
                (None, false)
            }
        }
    }

    /// Takes the pin of a session's start as unconfirmed if files were edited before its first turn while the client may
    /// have read them. Returns whether it does.
    async fn confirm(self, read: &mut Option<ChatStart>) -> bool {
        let starting = lock(&self.session.starting).take();
        let Some(starting) = starting.filter(|_| read.is_none()) else {
            return false;
        };
        let newest = self.scanned.await;
        let Some(newest) = newest.or_else(|| self.event.newest.borrow().clone()) else {
            return false;
        };
        if !blocking(move || starting.is_edited_behind(&newest)).await {
            return false;
        }
        *read = Some(unseen());
        if let Some(read) = self.session.read.get() {
            lock(read).snapshot = None;
        }
        true
    }
}

/// Returns the snapshot of a scan for an event, unless files were edited between the call of the hook and the scan.
async fn unedited(
    event: &Event,
    scanned: Option<Arc<LocalSnapshot>>,
) -> Option<Arc<LocalSnapshot>> {
    let (event, scanned) = (event.clone(), scanned?);
    blocking(move || (!is_edited_since(&event, &scanned)).then_some(scanned)).await
}
