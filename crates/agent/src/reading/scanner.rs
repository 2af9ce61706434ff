//! The half that looks at the workspace: it waits for a reason to scan, scans, and publishes what
//! it found.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_scan::place::Place;
use ctxpin_scan::roots::Request;
use ctxpin_scan::signal::{WatchError, Watcher, sends_events};
use ctxpin_scan::{Scan, ScanError, scan};
use tokio::sync::watch;

use crate::blocking::blocking;
use crate::error::AgentError;
use crate::reading::debounce::Burst;
use crate::report::Report;
use crate::session::local_snapshot::Found;
use crate::standing::{Newest, ScanFailed, Scanning, Wishes};

/// How long after a scan another one follows without any reason, for changes that no event told of.
const RESCAN_INTERVAL: Duration = Duration::from_secs(60);

/// How long after a scan another one follows where files cannot be watched, or not be scanned.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How long after a scan another one follows where directories come and go too fast to be watched.
const SETTLE_INTERVAL: Duration = Duration::from_millis(500);

/// Longest wait for the event of a file that is written to hear whether events come at all.
const PROBE_TIME_MAX: Duration = Duration::from_secs(2);

/// How many scans in a row may be overtaken by a change. The next one counts, whatever changes
/// meanwhile: a file that is written without end must not keep everything else from being seen.
const OVERTAKEN_MAX: u32 = 2;

/// Looks at a workspace.
pub(crate) struct Scanner<'r> {
    /// What is scanned. Its sources are those that the wishes name at each scan.
    request: Request,
    wishes: watch::Receiver<Wishes>,
    newest: watch::Sender<Newest>,
    scanning: watch::Sender<Scanning>,
    report: &'r (dyn Fn(Report) + Send + Sync),
    /// A pass at a time has it, in a thread of its own.
    watching: Arc<Mutex<Watching>>,
    /// What was published last, and the hash of its notes.
    published: Option<(SnapshotId, BlobHash)>,
}

/// How the scanner is to learn of changes.
#[derive(Debug, Clone)]
pub(crate) enum Vigil {
    /// By events, and by looking every two seconds where there are none. Whether events come at all is
    /// tried in this directory.
    Events(PathBuf),
    /// By looking every two seconds.
    Polling,
}

/// What watches, and what is known of whether events come.
struct Watching {
    watcher: Watcher,
    vigil: Vigil,
    /// When it is to be tried whether events come; `None` once one was heard.
    probe_at: Option<Instant>,
}

impl Watching {
    /// Watches the places of a scan, unless events do not come or are not wanted.
    fn set_places(&mut self, places: &[Place]) -> Result<bool, WatchError> {
        let Vigil::Events(directory) = &self.vigil else {
            return Err(WatchError::Asked);
        };
        let watched = self.watcher.set_places(places)?;
        let now = Instant::now();
        match self.probe_at {
            None => Ok(watched),
            Some(probe_at) if now < probe_at => Err(WatchError::NoEvents),
            Some(_) if sends_events(directory, PROBE_TIME_MAX) => {
                self.probe_at = None;
                Ok(watched)
            }
            Some(_) => {
                self.probe_at = Some(now + RESCAN_INTERVAL);
                Err(WatchError::NoEvents)
            }
        }
    }
}

/// What one look at the workspace gave.
struct Pass {
    scan: Result<Scan, ScanError>,
    /// Whether something is watched that was not before.
    watched: Result<bool, WatchError>,
}

impl<'r> Scanner<'r> {
    /// A scanner of a request, which raises the signals of `wishes` when files change.
    pub fn new(
        request: Request,
        wishes: &watch::Sender<Wishes>,
        newest: watch::Sender<Newest>,
        scanning: watch::Sender<Scanning>,
        vigil: Vigil,
        report: &'r (dyn Fn(Report) + Send + Sync),
    ) -> Self {
        let signals = wishes.clone();
        // Lost events are a reason like any other, since every scan looks at everything.
        let watcher = Watcher::new(move |_| signals.send_modify(|wishes| wishes.signals += 1));
        Self {
            request,
            wishes: wishes.subscribe(),
            newest,
            scanning,
            report,
            watching: Arc::new(Mutex::new(Watching {
                watcher,
                vigil,
                probe_at: Some(Instant::now()),
            })),
            published: None,
        }
    }

    /// Scans for ever. May be dropped at any moment: a scan under way then publishes nothing.
    ///
    /// # Errors
    ///
    /// If the very first scan cannot begin.
    pub async fn run(mut self) -> Result<(), AgentError> {
        loop {
            let (pass, wished) = self.settled_pass().await;
            let mut pause = RESCAN_INTERVAL;
            match pass.scan {
                Ok(scan) => {
                    match &pass.watched {
                        Ok(false) => {}
                        Ok(true) => pause = SETTLE_INTERVAL,
                        Err(_) => pause = POLL_INTERVAL,
                    }
                    let polling = pass.watched.as_ref().err();
                    self.tell_polling(polling.map(ToString::to_string).as_deref());
                    // That a chat's context may be two seconds old is worth a word where it should not be.
                    let failed = polling.filter(|error| error.is_failure());
                    let failed = failed.map(ToString::to_string);
                    self.publish(scan, failed.as_deref(), wished.demand);
                }
                Err(error) if self.published.is_none() => return Err(error.into()),
                Err(error) => {
                    pause = POLL_INTERVAL;
                    self.tell_failed(error.to_string(), wished.demand);
                }
            }
            if !self.await_reason(pause, wished.demand).await {
                return Ok(());
            }
        }
    }

    /// Scans until nothing has changed meanwhile, within bounds. Answers also what was wished when
    /// the scan began.
    async fn settled_pass(&mut self) -> (Pass, Wishes) {
        let mut overtaken = 0;
        loop {
            let wished = self.wishes.borrow_and_update().clone();
            let pass = self.pass(&wished).await;
            let is_overtaken = self.wishes.has_changed().unwrap_or(false);
            // What is watched only now may have changed before it was.
            let is_unseen = pass.scan.is_ok() && matches!(pass.watched, Ok(true));
            if counts(overtaken, is_overtaken || is_unseen) {
                return (pass, wished);
            }
            overtaken += 1;
        }
    }

    /// Looks at the workspace once, then watches what it came by.
    async fn pass(&self, wished: &Wishes) -> Pass {
        let mut request = self.request.clone();
        request.sources.clone_from(&wished.sources);
        let watching = Arc::clone(&self.watching);
        let cancelled = Arc::new(AtomicBool::new(false));
        let _cancel = CancelOnDrop(Arc::clone(&cancelled));
        blocking(move || {
            let scan = scan(&request, &|| cancelled.load(Ordering::Relaxed));
            let watched = match &scan {
                Ok(scan) => {
                    // A panic leaves the watcher as good as it was.
                    let mut watching = watching.lock().unwrap_or_else(PoisonError::into_inner);
                    watching.set_places(&scan.places)
                }
                Err(_) => Ok(false),
            };
            Pass { scan, watched }
        })
        .await
    }

    /// Waits until there is a reason to scan: a change whose burst is over, a resync, or time.
    /// False if nobody is left who could want a scan.
    async fn await_reason(&mut self, pause: Duration, answered: u64) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => return true,
            changed = self.wishes.changed() => if changed.is_err() {
                return false;
            },
        }
        let mut burst = Burst::begin(Instant::now());
        loop {
            // Somebody waits for the answer.
            if self.wishes.borrow_and_update().demand > answered {
                return true;
            }
            let over_at = tokio::time::Instant::from_std(burst.over_at());
            tokio::select! {
                () = tokio::time::sleep_until(over_at) => return true,
                changed = self.wishes.changed() => match changed {
                    Ok(()) => burst.signal(Instant::now()),
                    Err(_) => return false,
                },
            }
        }
    }

    fn publish(&mut self, scan: Scan, polling: Option<&str>, demand: u64) {
        let found = Found::new(scan, polling, demand);
        self.scanning.send_if_modified(|scanning| {
            let had_failed = scanning.failed.is_some();
            scanning.failed = None;
            had_failed
        });
        let before = self.published.replace((found.id, found.notes_hash));
        let is_new = before != self.published;
        if before.is_none_or(|(id, _)| id != found.id) {
            (self.report)(Report::Scanned {
                snapshot: found.id,
                resources: found.snapshot.resources.len(),
                unusable: found.unusable(),
            });
        }
        self.newest.send_if_modified(|newest| {
            let is_asked = newest.as_ref().is_none_or(|known| known.demand < demand);
            if is_new || is_asked {
                *newest = Some(Arc::new(found));
            }
            is_new || is_asked
        });
    }

    fn tell_polling(&self, polling: Option<&str>) {
        let is_other = self.scanning.send_if_modified(|scanning| {
            let is_other = scanning.polling.as_deref() != polling;
            scanning.polling = polling.map(str::to_owned);
            is_other
        });
        if is_other {
            (self.report)(match polling {
                Some(reason) => Report::Polling {
                    reason: reason.to_owned(),
                },
                None => Report::Watching,
            });
        }
    }

    fn tell_failed(&self, reason: String, demand: u64) {
        let mut is_other = false;
        self.scanning.send_modify(|scanning| {
            let known = scanning.failed.as_ref().map(|failed| &failed.reason);
            is_other = known != Some(&reason);
            scanning.failed = Some(ScanFailed {
                reason: reason.clone(),
                demand,
            });
        });
        if is_other {
            (self.report)(Report::ScanFailed { reason });
        }
    }
}

/// Whether a scan is published that follows on `overtaken` others in a row, each overtaken by a
/// change, and may be overtaken itself.
fn counts(overtaken: u32, is_overtaken: bool) -> bool {
    !is_overtaken || overtaken >= OVERTAKEN_MAX
}

/// Ends a scan that nobody waits for any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_scan_counts_in_any_case() {
        assert!(counts(0, false));
        for (overtaken, expected) in [(0, false), (1, false), (2, true), (3, true)] {
            assert_eq!(counts(overtaken, true), expected, "{overtaken}");
        }
    }
}
