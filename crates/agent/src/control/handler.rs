//! What a running agent answers when it is asked.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ctxpin_model::moment::Moment;
use ctxpin_protocol::control::{
    Answer, Pushed, Pushing, Request, Resynced, SourceChanged, SourceFound, Status,
};
use ctxpin_protocol::convert::resources;
use ctxpin_scan::{roots, scan};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::control::serve::RESYNC_SECONDS_MAX;
use crate::session::plan;
use crate::sources::Sources;
use crate::standing::{Newest, Scanning, Sending, Wishes};

/// Answers questions, from what the two halves of the agent tell.
pub(crate) struct Desk {
    /// The random id of this process.
    pub process: Uuid,
    /// The server's address.
    pub server: String,
    /// What is scanned; its sources are of no account here.
    pub request: roots::Request,
    /// The declared sources. Whoever changes them also tells the scanner.
    pub sources: Arc<Mutex<Sources>>,
    /// What the scanner is to do.
    pub wishes: watch::Sender<Wishes>,
    /// The newest scan.
    pub newest: watch::Receiver<Newest>,
    /// How scanning stands.
    pub scanning: watch::Receiver<Scanning>,
    /// How pushing stands.
    pub sending: watch::Receiver<Sending>,
    /// Ends the agent.
    pub stop: CancellationToken,
}

impl Desk {
    /// Does what is asked. To end the agent is left to the caller, after the answer was sent.
    pub async fn answer(&self, request: Request) -> Answer {
        let answer = match request {
            Request::Status {} => Ok(Answer::Status(Box::new(self.status()))),
            Request::Resync { wait_seconds } => {
                self.resync(wait_seconds).await.map(Answer::Resynced)
            }
            Request::SourceAdd { path } => self.source_add(path.into()).await,
            Request::SourceRemove { path } => self.source_remove(path.into()).await,
            Request::SourceList {} => Ok(Answer::Sources(lock(&self.sources).list())),
            Request::SourceShow { path } => self.source_show(path.into()).await,
            Request::Stop {} => Ok(Answer::Stopping {}),
        };
        answer.unwrap_or_else(|reason| Answer::Refused { reason })
    }

    fn status(&self) -> Status {
        let now = Instant::now();
        let scanning = self.scanning.borrow().clone();
        let sending = self.sending.borrow().clone();
        let found = self.newest.borrow().clone();
        Status {
            pid: std::process::id(),
            process: self.process,
            directory: self.request.directory.to_string_lossy().into_owned(),
            server: self.server.clone(),
            epoch: sending.epoch,
            not_ready: scanning.not_ready,
            polling: scanning.polling,
            scan_error: scanning.failed.map(|failed| failed.reason),
            found: found.map(|found| found.told()),
            pushed: sending.pushed.map(|pushed| Pushed {
                snapshot: pushed.snapshot,
                seq: pushed.seq,
                seconds_ago: now.saturating_duration_since(pushed.at).as_secs(),
            }),
            pushing: pushing(sending.pushing, now),
            sources: lock(&self.sources).list().len() as u64,
            quota_warnings: sending.quota_warnings,
            token_expires_at: sending.token_expires_at.map(Moment::utc),
        }
    }

    /// Has the workspace scanned and pushed, and waits for what comes of it.
    async fn resync(&self, wait_seconds: u64) -> Result<Resynced, String> {
        if !(1..=RESYNC_SECONDS_MAX).contains(&wait_seconds) {
            return Err(format!("`wait_seconds` is from 1 to {RESYNC_SECONDS_MAX}"));
        }
        if let Some(reason) = &self.scanning.borrow().not_ready {
            return Err(format!("the workspace is not ready yet: {reason}"));
        }
        let mut demand = 0;
        self.wishes.send_modify(|wishes| {
            wishes.demand += 1;
            demand = wishes.demand;
        });
        let wait = Duration::from_secs(wait_seconds);
        match tokio::time::timeout(wait, self.outcome(demand)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.delay(wait_seconds)),
        }
    }

    /// What comes of the resync of that number.
    async fn outcome(&self, demand: u64) -> Result<Resynced, String> {
        let mut scanning = self.scanning.clone();
        let mut sending = self.sending.clone();
        loop {
            if let Some(settled) = &sending.borrow_and_update().settled
                && settled.demand >= demand
            {
                return settled.outcome.clone();
            }
            if let Some(failed) = &scanning.borrow_and_update().failed
                && failed.demand >= demand
            {
                return Err(format!("the scan failed: {}", failed.reason));
            }
            let changed = tokio::select! {
                changed = scanning.changed() => changed,
                changed = sending.changed() => changed,
            };
            if changed.is_err() {
                return Err("the agent ends".into());
            }
        }
    }

    /// Why a resync took too long.
    fn delay(&self, wait_seconds: u64) -> String {
        let reason = match self.sending.borrow().trouble() {
            Some(trouble) => trouble.reason.clone(),
            None => "it goes on".to_owned(),
        };
        format!("nothing was acknowledged within {wait_seconds} s: {reason}")
    }

    async fn source_add(&self, path: PathBuf) -> Result<Answer, String> {
        let request = self.request.clone();
        let changed = self.source_change(move |sources| sources.add(&request, &path));
        let changed = changed.await?;
        let roots::Request { home, trust, .. } = &self.request;
        let alone = roots::Request::single(&changed.path, home, trust.clone());
        let gives = blocking(move || {
            let found = scan(&alone, &|| false);
            found.map_or(0, |found| found.snapshot.resources.len() as u64)
        });
        Ok(Answer::SourceChanged(SourceChanged {
            gives: Some(gives.await),
            ..changed
        }))
    }

    async fn source_remove(&self, path: PathBuf) -> Result<Answer, String> {
        let changed = self.source_change(move |sources| Ok((sources.remove(&path)?, true)));
        changed.await.map(Answer::SourceChanged)
    }

    /// Changes the sources, and has them scanned. The change is on disk before it is answered.
    async fn source_change(
        &self,
        change: impl FnOnce(&mut Sources) -> Result<(PathBuf, bool), String> + Send + 'static,
    ) -> Result<SourceChanged, String> {
        let sources = Arc::clone(&self.sources);
        let wishes = self.wishes.clone();
        let (path, changed) = blocking(move || {
            let mut sources = lock(&sources);
            let changed = change(&mut sources)?;
            // Under the lock, so that of two changes the later one is what is scanned.
            let declared = sources.declared();
            wishes.send_if_modified(|wishes| {
                let is_other = wishes.sources != declared;
                wishes.sources = declared;
                is_other
            });
            Ok::<_, String>(changed)
        })
        .await?;
        Ok(SourceChanged {
            path: path.to_string_lossy().into_owned(),
            changed,
            gives: None,
        })
    }

    async fn source_show(&self, path: PathBuf) -> Result<Answer, String> {
        let sources = Arc::clone(&self.sources);
        let found = self.newest.borrow().clone();
        let source = blocking(move || {
            let sources = lock(&sources);
            let known = sources.find(&path).map(Path::to_owned);
            let Some(known) = known else {
                return Err(format!(
                    "{} is not declared; `ctxpin source list` shows what is",
                    path.display()
                ));
            };
            // A scan tells a root by where it leads, and one that it refuses by its name.
            let real = known.canonicalize().ok();
            let roots = [Some(known.clone()), real].into_iter().flatten();
            let roots: Vec<_> = roots.map(|r| r.to_string_lossy().into_owned()).collect();
            let listed = sources.list();
            let source = listed.into_iter().find(|source| source.path == roots[0]);
            Ok((source.ok_or("it was removed a moment ago")?, roots))
        });
        let (source, roots) = source.await?;
        let in_source = |root: &Option<String>| root.as_ref().is_some_and(|r| roots.contains(r));
        let found = found.iter().flat_map(|found| &found.snapshot.resources);
        let found = found.filter(|resource| in_source(&resource.root));
        Ok(Answer::Source(SourceFound {
            source,
            resources: found
                .map(|found| resources::resource(found, None))
                .collect(),
        }))
    }
}

fn pushing(pushing: plan::Pushing, now: Instant) -> Pushing {
    match pushing {
        plan::Pushing::Settled => Pushing::Settled,
        plan::Pushing::Sending => Pushing::Sending,
        plan::Pushing::Waiting(trouble) => Pushing::Waiting {
            seconds: seconds_until(trouble.until, now),
            reason: trouble.reason,
        },
        plan::Pushing::Refused(refused) => Pushing::Refused {
            reason: refused.reason,
            seconds: refused.until.map(|until| seconds_until(until, now)),
        },
    }
}

/// Rounded up.
fn seconds_until(until: Instant, now: Instant) -> u64 {
    let left = until.saturating_duration_since(now);
    left.as_millis().div_ceil(1000) as u64
}

/// A panic elsewhere leaves the list as it was: it changes in one step, after it was written.
fn lock(sources: &Mutex<Sources>) -> std::sync::MutexGuard<'_, Sources> {
    sources.lock().unwrap_or_else(PoisonError::into_inner)
}
