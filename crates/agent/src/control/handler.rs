//! Carries out the requests that come through the control socket.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ctxpin_model::moment::Moment;
use ctxpin_protocol::control::{
    self, AgentStatus, LastPush, RESYNC_SECONDS_MAX, Refusal, RefusalKind, Request, Response,
    ResyncReply, SourceChange, SourceDetails,
};
use ctxpin_protocol::convert::resources;
use ctxpin_scan::{roots, scan};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::reading::ReadingHandle;
use crate::session::{PushStatus, SessionHandle};
use crate::sources::Sources;

/// Carries out control requests on a reading and the session that follows it.
pub(crate) struct ControlHandler {
    /// The random id of this process.
    pub process: Uuid,
    /// The absolute path of the control socket.
    pub socket: PathBuf,
    /// The server's address.
    pub server: String,
    /// The request of the scans. Its sources are not used here.
    pub request: roots::Request,
    /// The declared sources. The lock is held until the reading has each change.
    pub sources: Arc<Mutex<Sources>>,
    pub reading: ReadingHandle,
    pub session: SessionHandle,
    /// Ends the agent.
    pub stop: CancellationToken,
}

impl ControlHandler {
    /// Carries out a request and returns the response. The caller ends the agent after it has sent
    /// [`Response::Stopping`].
    pub async fn handle(&self, request: Request) -> Response {
        let response = match request {
            Request::Status {} => Ok(Response::Status(Box::new(self.status()))),
            Request::Resync { wait_seconds } => {
                self.resync(wait_seconds).await.map(Response::Resynced)
            }
            Request::SourceAdd { path } => self.source_add(path.into()).await,
            Request::SourceRemove { path } => self.source_remove(path.into()).await,
            Request::SourceList {} => Ok(self.source_list().await),
            Request::SourceShow { path } => self.source_show(path.into()).await,
            Request::Stop {} => Ok(Response::Stopping {}),
        };
        response.unwrap_or_else(|reason| {
            let kind = RefusalKind::Failed;
            Response::Refused(Refusal { kind, reason })
        })
    }

    /// Returns the status without waiting, not even for a disk.
    fn status(&self) -> AgentStatus {
        let now = Instant::now();
        let scan_state = self.reading.state().borrow().clone();
        let push_state = self.session.push_state.borrow().clone();
        let newest = self.session.newest.borrow().clone();
        AgentStatus {
            pid: std::process::id(),
            process: self.process,
            socket: self.socket.to_string_lossy().into_owned(),
            directory: self.request.directory.to_string_lossy().into_owned(),
            server: self.server.clone(),
            epoch: push_state.epoch,
            not_ready: scan_state.not_ready,
            polling: scan_state.polling,
            scan_error: scan_state.failure.map(|failure| failure.reason),
            found: newest.map(|newest| newest.to_wire()),
            pushed: push_state.acknowledged.map(|push| LastPush {
                snapshot: push.snapshot,
                seq: push.seq,
                seconds_ago: now.saturating_duration_since(push.at).as_secs(),
            }),
            pushing: to_wire(push_state.status, now),
            sources: self.reading.source_count() as u64,
            quota_warnings: push_state.quota_warnings,
            token_expires_at: push_state.token_expires_at.map(Moment::utc),
        }
    }

    /// Requests a scan and a push of its result, and waits for the outcome. Returns a message for people
    /// if the scan or the push fails, or if nothing is acknowledged within `wait_seconds`.
    async fn resync(&self, wait_seconds: u64) -> Result<ResyncReply, String> {
        if !(1..=RESYNC_SECONDS_MAX).contains(&wait_seconds) {
            return Err(format!("`wait_seconds` is from 1 to {RESYNC_SECONDS_MAX}"));
        }
        if let Some(reason) = &self.reading.state().borrow().not_ready {
            return Err(format!("the workspace is not ready yet: {reason}"));
        }
        let number = self.reading.resync();
        let wait = Duration::from_secs(wait_seconds);
        match tokio::time::timeout(wait, self.resync_outcome(number)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let state = self.session.push_state.borrow();
                let reason = state.waits_because().unwrap_or("the push goes on");
                Err(format!(
                    "nothing was acknowledged within {wait_seconds} s: {reason}"
                ))
            }
        }
    }

    /// Waits for the outcome of the resync with this number.
    async fn resync_outcome(&self, number: u64) -> Result<ResyncReply, String> {
        let mut scan_state = self.reading.state();
        let mut push_state = self.session.push_state.clone();
        loop {
            if let Some(outcome) = &push_state.borrow_and_update().outcome
                && outcome.resync >= number
            {
                return outcome.result.clone();
            }
            if let Some(failure) = &scan_state.borrow_and_update().failure
                && failure.resync >= number
            {
                return Err(format!("the scan failed: {}", failure.reason));
            }
            let changed = tokio::select! {
                changed = scan_state.changed() => changed,
                changed = push_state.changed() => changed,
            };
            if changed.is_err() {
                return Err("the agent ends".into());
            }
        }
    }

    async fn source_add(&self, path: PathBuf) -> Result<Response, String> {
        let request = self.request.clone();
        let changed = self.source_change(move |sources| sources.add(&request, &path));
        let changed = changed.await?;
        let roots::Request { home, trust, .. } = &self.request;
        let alone = roots::Request::single(&changed.path, home, trust.clone());
        let gives = blocking(move || {
            let found = scan(&alone, &|| false);
            found.map_or(0, |found| found.snapshot.resources.len() as u64)
        });
        Ok(Response::SourceChanged(SourceChange {
            gives: Some(gives.await),
            ..changed
        }))
    }

    async fn source_list(&self) -> Response {
        let sources = Arc::clone(&self.sources);
        // Another request may hold the lock while it writes to the disk.
        Response::Sources(blocking(move || lock(&sources).list()).await)
    }

    async fn source_remove(&self, path: PathBuf) -> Result<Response, String> {
        let changed = self.source_change(move |sources| Ok((sources.remove(&path)?, true)));
        changed.await.map(Response::SourceChanged)
    }

    /// Changes the declared sources and requests a scan. When it returns, the change is on disk.
    async fn source_change(
        &self,
        change: impl FnOnce(&mut Sources) -> Result<(PathBuf, bool), String> + Send + 'static,
    ) -> Result<SourceChange, String> {
        let sources = Arc::clone(&self.sources);
        let reading = self.reading.clone();
        let (path, changed) = blocking(move || {
            let mut sources = lock(&sources);
            let changed = change(&mut sources)?;
            // This happens under the lock, so that the later of two changes is the one that is scanned.
            reading.set_sources(sources.declared());
            Ok::<_, String>(changed)
        })
        .await?;
        Ok(SourceChange {
            path: path.to_string_lossy().into_owned(),
            changed,
            gives: None,
        })
    }

    async fn source_show(&self, path: PathBuf) -> Result<Response, String> {
        let sources = Arc::clone(&self.sources);
        let scan = self.reading.scans().borrow().clone();
        let source = blocking(move || {
            let sources = lock(&sources);
            let known = sources.find(&path).map(Path::to_owned);
            let Some(known) = known else {
                return Err(format!(
                    "{} is not declared; `ctxpin source list` shows what is",
                    path.display()
                ));
            };
            // A scan names a root by its canonical path, and a root that it refuses by the declared path.
            let real = known.canonicalize().ok();
            let roots = [Some(known.clone()), real].into_iter().flatten();
            let roots: Vec<_> = roots.map(|r| r.to_string_lossy().into_owned()).collect();
            let listed = sources.list();
            let source = listed.into_iter().find(|source| source.path == roots[0]);
            Ok((source.ok_or("it was removed a moment ago")?, roots))
        });
        let (source, roots) = source.await?;
        let in_source = |root: &Option<String>| root.as_ref().is_some_and(|r| roots.contains(r));
        let found = scan.iter().flat_map(|scan| &scan.snapshot.resources);
        let found = found.filter(|resource| in_source(&resource.root));
        Ok(Response::Source(SourceDetails {
            source,
            resources: found
                .map(|resource| resources::resource(resource, None))
                .collect(),
        }))
    }
}

fn to_wire(status: PushStatus, now: Instant) -> control::PushStatus {
    match status {
        PushStatus::Settled => control::PushStatus::Settled,
        PushStatus::Sending => control::PushStatus::Sending,
        PushStatus::Waiting(retry) => control::PushStatus::Waiting {
            seconds: seconds_until(retry.at, now),
            reason: retry.reason,
        },
        PushStatus::Refused(refusal) => control::PushStatus::Refused {
            reason: refusal.reason,
            seconds: refusal.retry_at.map(|at| seconds_until(at, now)),
        },
    }
}

/// Returns the seconds from `now` until a moment, rounded up.
fn seconds_until(until: Instant, now: Instant) -> u64 {
    let left = until.saturating_duration_since(now);
    left.as_millis().div_ceil(1000) as u64
}

/// Locks the sources. A panic under the lock leaves them valid: they change in one step, after the file
/// was written.
fn lock(sources: &Mutex<Sources>) -> std::sync::MutexGuard<'_, Sources> {
    sources.lock().unwrap_or_else(PoisonError::into_inner)
}
