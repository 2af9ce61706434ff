//! The session of one agent: a token, an epoch, and the server's head.
//!
//! A session follows the scans of a reading and watches no files itself. Several sessions with
//! separate agents and tokens can follow one reading. If the server refuses or fences one of them,
//! only this session ends.

mod backoff;
mod failure;
mod local_snapshot;
mod plan;
mod profile;
mod push_bodies;
mod push_state;
mod pusher;
mod recent;

use std::sync::Arc;
use std::time::Instant;

use ctxpin_client::Client;
use ctxpin_model::profile::Profile;
use tokio::sync::watch;
use uuid::Uuid;

use crate::error::AgentError;
use crate::reading::ViewScans;
use crate::report::{Report, Reporter};
use pusher::Pusher;

pub(crate) use local_snapshot::LocalSnapshot;
pub use plan::HEARTBEAT_INTERVAL;
pub(crate) use plan::PushStatus;
pub(crate) use push_state::PushState;
#[cfg(test)]
pub(crate) use push_state::{AcknowledgedPush, PushOutcome};
pub(crate) use recent::Recent;

/// Pushes the scans of a project as one agent.
pub struct Session<'r> {
    client: Client,
    process: Uuid,
    profile: Profile,
    scans: watch::Receiver<ViewScans>,
    newest: watch::Sender<Option<Arc<LocalSnapshot>>>,
    recent: Arc<Recent>,
    push_state: watch::Sender<PushState>,
    report: Reporter<'r>,
}

/// Follows a [`Session`].
#[derive(Debug, Clone)]
pub(crate) struct SessionHandle {
    pub scans: watch::Receiver<ViewScans>,
    /// The newest snapshot; `None` before the first scan.
    pub newest: watch::Receiver<Option<Arc<LocalSnapshot>>>,
    pub recent: Arc<Recent>,
    pub push_state: watch::Receiver<PushState>,
}

impl SessionHandle {
    /// Returns a handle of the session that follows these scans and publishes through these channels.
    pub fn of(
        scans: &watch::Receiver<ViewScans>,
        newest: &watch::Sender<Option<Arc<LocalSnapshot>>>,
        recent: &Arc<Recent>,
        push_state: &watch::Sender<PushState>,
    ) -> Self {
        Self {
            scans: scans.clone(),
            newest: newest.subscribe(),
            recent: Arc::clone(recent),
            push_state: push_state.subscribe(),
        }
    }
}

impl<'r> Session<'r> {
    /// Returns a session of the agent whose token `client` has. It sends nothing before
    /// [`Self::run`].
    ///
    /// `profile` is the one by which the reading scans. `process` is the random id of this process. The server
    /// assigns it an epoch, and fences the previous process of the same agent. `scans` comes from
    /// [`ReadingHandle::follow`](crate::reading::ReadingHandle::follow).
    pub fn new(
        client: Client,
        process: Uuid,
        profile: Profile,
        scans: watch::Receiver<ViewScans>,
        report: Reporter<'r>,
    ) -> Self {
        Self {
            client,
            process,
            profile,
            scans,
            newest: watch::Sender::new(None),
            recent: Arc::default(),
            push_state: watch::Sender::default(),
            report,
        }
    }

    pub(crate) fn handle(&self) -> SessionHandle {
        SessionHandle::of(&self.scans, &self.newest, &self.recent, &self.push_state)
    }

    /// Returns the session with these channels, which a handle follows already.
    pub(crate) fn publishing(
        self,
        newest: watch::Sender<Option<Arc<LocalSnapshot>>>,
        recent: Arc<Recent>,
        push_state: watch::Sender<PushState>,
    ) -> Self {
        Self {
            newest,
            recent,
            push_state,
            ..self
        }
    }

    /// Pushes until the reading ends or the future is dropped, which may happen at any moment. Only
    /// what the server has acknowledged counts.
    ///
    /// # Errors
    ///
    /// Fails if the server no longer accepts this process or its token: a newer process has taken
    /// over, another agent has replaced this one, the token is not valid, or the agent follows other rules. The
    /// session retries after transient failures.
    pub async fn run(self) -> Result<(), AgentError> {
        let state = self.push_state.clone();
        let pusher = Pusher::new(
            self.client,
            self.process,
            self.profile,
            self.newest.subscribe(),
            self.push_state,
            self.report,
        );
        tokio::select! {
            () = follow(self.scans, self.newest, &self.recent, self.report) => Ok(()),
            ended = pusher.run() => {
                if let Err(error) = &ended {
                    let status = PushStatus::Ended(error.to_string());
                    state.send_modify(|state| state.status = status);
                }
                ended
            }
        }
    }
}

/// Computes the snapshot of each scan until the reading ends, and reports scans that fail. Runs beside the pusher, so
/// that the newest snapshot is known while a request is in progress.
async fn follow(
    mut scans: watch::Receiver<ViewScans>,
    newest: watch::Sender<Option<Arc<LocalSnapshot>>>,
    recent: &Recent,
    report: Reporter<'_>,
) {
    let (mut scan_known, mut failure_known) = (None, None);
    loop {
        let ViewScans {
            newest: scan,
            failure,
        } = scans.borrow_and_update().clone();
        let failure = failure.map(|failure| failure.reason);
        if let Some(reason) = &failure
            && failure != failure_known
        {
            report(Report::ScanFailed {
                reason: reason.clone(),
            });
        }
        failure_known = failure;
        let is_known = |scan: &Arc<_>| {
            let known = scan_known.as_ref();
            known.is_some_and(|known| Arc::ptr_eq(known, scan))
        };
        if let Some(scan) = scan.filter(|scan| !is_known(scan)) {
            scan_known = Some(Arc::clone(&scan));
            let snapshot = LocalSnapshot::of(scan);
            if newest.borrow().as_ref().map(|newest| newest.id) != Some(snapshot.id) {
                report(Report::Scanned {
                    snapshot: snapshot.id,
                    resources: snapshot.snapshot().resources.len(),
                    unusable: snapshot.unusable(),
                });
            }
            let snapshot = Arc::new(snapshot);
            recent.add(Instant::now(), Arc::clone(&snapshot));
            newest.send_replace(Some(snapshot));
        }
        if scans.changed().await.is_err() {
            return;
        }
    }
}
