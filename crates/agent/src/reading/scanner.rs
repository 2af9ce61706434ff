//! The loop of a reading: it waits for a trigger, scans, and publishes the result.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ctxpin_scan::place::{Place, awaited};
use ctxpin_scan::signal::{WatchError, Watcher, sends_events};
use ctxpin_scan::{Scan, ScanError, Searches, scan_again};
use tokio::sync::watch;

use super::debounce::Burst;
use super::search_schedule::SearchSchedule;
use super::{
    ChangeDetection, ProjectScan, RESCAN_INTERVAL, Reading, ReadingState, ScanFailure,
    ScanTriggers, View,
};
use crate::blocking::blocking;
use crate::error::AgentError;
use crate::report::{Report, Reporter};

/// The pause between scans where files cannot be watched, and after a pass in which every scan failed.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The pause between scans while directories appear and disappear too fast to be watched.
const SETTLE_INTERVAL: Duration = Duration::from_millis(500);

/// The longest wait for the event of the file that a probe writes.
const PROBE_TIME_MAX: Duration = Duration::from_secs(2);

/// Maximum number of consecutive scans that are discarded because something changed during them.
/// The next one counts in any case: a file that is written without end must not hide every other
/// change.
const OVERTAKEN_MAX: u32 = 2;

/// Scans a project, one scan after another.
pub(super) struct Scanner<'r> {
    triggers: watch::Receiver<ScanTriggers>,
    /// Removes the views that nobody follows any more.
    views: watch::Sender<ScanTriggers>,
    state: watch::Sender<ReadingState>,
    report: Reporter<'r>,
    /// One pass at a time locks it.
    project_watch: Arc<Mutex<ProjectWatch>>,
    /// What earlier scans found below the working directory. One pass at a time locks it.
    searches: Arc<Mutex<Searches>>,
    schedule: SearchSchedule,
}

/// Watches the places of a project, and finds out whether events arrive.
struct ProjectWatch {
    watcher: Watcher,
    changes: ChangeDetection,
    /// The time of the next probe, or `None` once an event has arrived.
    probe_at: Option<Instant>,
}

impl ProjectWatch {
    /// Watches the places of a scan. Returns whether a place is newly watched.
    ///
    /// # Errors
    ///
    /// Fails if events do not arrive or are not wanted. The project must then be polled.
    fn set_places(&mut self, places: &[Place]) -> Result<bool, WatchError> {
        let ChangeDetection::Events(directory) = &self.changes else {
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

/// The result of one scan of each view, and of watching their places.
struct Pass {
    scans: Vec<(View, Result<Scan, ScanError>)>,
    /// Whether a place is newly watched.
    watched: Result<bool, WatchError>,
}

impl Pass {
    /// Returns whether the scan of at least one view succeeded.
    fn has_scan(&self) -> bool {
        self.scans.iter().any(|(_, scan)| scan.is_ok())
    }
}

impl View {
    /// Publishes a scan, unless it found the same as the last scan, which succeeded too, and answers no further
    /// resync.
    fn publish(&self, scan: ProjectScan) {
        self.scans.send_if_modified(|scans| {
            let had_failed = scans.failure.take().is_some();
            let is_known = scans.newest.as_ref().is_some_and(|newest| {
                newest.resync >= scan.resync && newest.is_same_content(&scan)
            });
            if !is_known {
                scans.newest = Some(Arc::new(scan));
            }
            had_failed || !is_known
        });
    }

    /// Publishes the failure of a scan, unless the last scan failed likewise and this one answers no further resync.
    /// The newest scan that succeeded stays.
    fn publish_failure(&self, failure: ScanFailure) {
        self.scans.send_if_modified(|scans| {
            let is_known = scans.failure.as_ref() == Some(&failure);
            scans.failure = Some(failure);
            !is_known
        });
    }

    /// Returns whether a scan of this view has succeeded.
    fn has_scan(&self) -> bool {
        self.scans.borrow().newest.is_some()
    }
}

impl<'r> Scanner<'r> {
    /// Returns the scanner of a reading.
    pub fn new(reading: Reading<'r>) -> Self {
        let signals = reading.triggers.clone();
        // Lost events count as a change, since every scan reads everything.
        let watcher = Watcher::new(move |_| signals.send_modify(|triggers| triggers.changes += 1));
        Self {
            triggers: reading.triggers.subscribe(),
            views: reading.triggers.clone(),
            state: reading.state,
            report: reading.report,
            project_watch: Arc::new(Mutex::new(ProjectWatch {
                watcher,
                changes: reading.changes,
                probe_at: Some(Instant::now()),
            })),
            searches: Arc::default(),
            schedule: SearchSchedule::default(),
        }
    }

    /// Scans until the future is dropped.
    ///
    /// # Errors
    ///
    /// Fails if every first scan fails.
    pub async fn run(mut self) -> Result<(), AgentError> {
        loop {
            let (pass, triggers) = self.settled_pass().await;
            let has_scan = pass.has_scan();
            let mut pause = match &pass.watched {
                _ if !has_scan => POLL_INTERVAL,
                Ok(false) => RESCAN_INTERVAL,
                Ok(true) => SETTLE_INTERVAL,
                Err(_) => POLL_INTERVAL,
            };
            let polling = pass.watched.as_ref().err();
            if has_scan {
                self.set_polling(polling.map(ToString::to_string).as_deref());
            }
            // Readers of the chat should know that its context may be two seconds old, unless the user asked for
            // polling.
            let failed = polling.filter(|error| error.is_failure());
            let failed = failed.map(ToString::to_string);
            let (mut first_failure, mut found) = (None, false);
            for (view, scan) in pass.scans {
                match scan {
                    Ok(scan) => {
                        view.publish(ProjectScan::new(scan, failed.as_deref(), triggers.resyncs));
                    }
                    Err(error) => {
                        view.publish_failure(ScanFailure {
                            reason: error.to_string(),
                            resync: triggers.resyncs,
                        });
                        first_failure.get_or_insert(error);
                    }
                }
                found |= view.has_scan();
            }
            if let Some(error) = first_failure
                && !found
            {
                return Err(error.into());
            }
            if let Some(due_at) = self.schedule.due_at() {
                pause = pause.min(due_at.saturating_duration_since(Instant::now()));
            }
            self.await_trigger(pause, triggers.resyncs).await;
        }
    }

    /// Scans until nothing changes during a scan, at most three times. Returns the triggers as they
    /// were when the last scan began.
    async fn settled_pass(&mut self) -> (Pass, ScanTriggers) {
        let mut overtaken = 0;
        loop {
            let triggers = self.triggers.borrow_and_update().clone();
            let pass = self.pass(&triggers).await;
            let is_overtaken = self.triggers.has_changed().unwrap_or(false);
            // A newly watched place may have changed before.
            let is_unseen = pass.has_scan() && matches!(pass.watched, Ok(true));
            if counts(overtaken, is_overtaken || is_unseen) {
                return (pass, triggers);
            }
            overtaken += 1;
        }
    }

    /// Scans each view of the project once, then watches the places that the scans named.
    async fn pass(&mut self, triggers: &ScanTriggers) -> Pass {
        self.views.send_if_modified(|triggers| {
            triggers.views.retain(|view| !view.scans.is_closed());
            false
        });
        let views = triggers.views.clone().into_iter();
        let mut views: Vec<_> = views.filter(|view| !view.scans.is_closed()).collect();
        for view in &mut views {
            view.request.sources.clone_from(&triggers.sources);
        }
        let is_search_due = self.schedule.begin(triggers, Instant::now());
        let searches = Arc::clone(&self.searches);
        let project_watch = Arc::clone(&self.project_watch);
        let cancelled = Arc::new(AtomicBool::new(false));
        let _cancel = CancelOnDrop(Arc::clone(&cancelled));
        let (pass, is_search_kept) = blocking(move || {
            // A panic leaves what was found before.
            let mut searches = searches.lock().unwrap_or_else(PoisonError::into_inner);
            if is_search_due {
                searches.forget();
            }
            let scans = views.into_iter().map(|view| {
                let is_cancelled = || cancelled.load(Ordering::Relaxed);
                let scan = scan_again(&view.request, &mut searches, &is_cancelled);
                (view, scan)
            });
            let scans: Vec<_> = scans.collect();
            let places = scans.iter().flat_map(|(view, scan)| match scan {
                Ok(scan) => scan.places.clone(),
                // Its directory is gone, or not to be read.
                Err(_) => awaited(&view.request.directory).into_iter().collect(),
            });
            let places: Vec<_> = places.collect();
            let mut pass = Pass {
                scans,
                watched: Ok(false),
            };
            if pass.has_scan() {
                // A panic leaves the watcher usable.
                let project_watch = project_watch.lock();
                let mut project_watch = project_watch.unwrap_or_else(PoisonError::into_inner);
                pass.watched = project_watch.set_places(&places);
            }
            (pass, !searches.is_empty())
        })
        .await;
        self.schedule.end(is_search_kept);
        pass
    }

    /// Waits for a reason to scan: a burst of changes that is over, a resync that the last scan did
    /// not answer, or the end of `pause`.
    async fn await_trigger(&mut self, pause: Duration, answered: u64) {
        // The watcher holds a sender of triggers, so their channel does not close.
        tokio::select! {
            () = tokio::time::sleep(pause) => return,
            _ = self.triggers.changed() => {}
        }
        let mut burst = Burst::begin(Instant::now());
        loop {
            // A caller waits for the resync, so do not wait for more changes.
            if self.triggers.borrow_and_update().resyncs > answered {
                return;
            }
            let over_at = tokio::time::Instant::from_std(burst.over_at());
            tokio::select! {
                () = tokio::time::sleep_until(over_at) => return,
                _ = self.triggers.changed() => burst.add(Instant::now()),
            }
        }
    }

    fn set_polling(&self, polling: Option<&str>) {
        let is_other = self.state.send_if_modified(|state| {
            let is_other = state.polling.as_deref() != polling;
            state.polling = polling.map(str::to_owned);
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
}

/// Returns whether a scan is published after `overtaken` discarded ones in a row.
fn counts(overtaken: u32, is_overtaken: bool) -> bool {
    !is_overtaken || overtaken >= OVERTAKEN_MAX
}

/// Cancels a scan whose caller no longer waits for it.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use ctxpin_model::profile::Profile;
    use ctxpin_scan::roots::Request;

    use super::*;
    use crate::reading::ViewScans;

    #[test]
    fn the_third_scan_counts_in_any_case() {
        assert!(counts(0, false));
        for (overtaken, expected) in [(0, false), (1, false), (2, true), (3, true)] {
            assert_eq!(counts(overtaken, true), expected, "{overtaken}");
        }
    }

    /// Returns the paths of a scan's resources below `project`, once there is a newer scan.
    async fn next(scans: &mut watch::Receiver<ViewScans>, project: &Path) -> Vec<String> {
        let wait = tokio::time::timeout(Duration::from_secs(30), scans.changed());
        wait.await.unwrap().unwrap();
        let scan = scans.borrow_and_update().newest.clone().unwrap();
        let resources = scan.snapshot.resources.iter();
        let prefix = format!("{}/", project.display());
        let paths = resources.map(|resource| resource.source.replace(&prefix, ""));
        paths.collect()
    }

    #[tokio::test]
    async fn a_known_file_of_a_large_project_shows_first_and_a_new_one_soon_after() {
        let place = tempfile::tempdir().unwrap();
        let base = place.path().canonicalize().unwrap();
        let project = base.join("project");
        for directory in ["project/.git", "home", "state"] {
            fs::create_dir_all(base.join(directory)).unwrap();
        }
        let file = |name: &str| project.join(name).join("CLAUDE.md");
        for index in 0..1_000 {
            fs::create_dir(project.join(format!("{index:03}"))).unwrap();
        }
        fs::write(file("007"), "one").unwrap();
        let report = |_| {};
        let changes = ChangeDetection::Events(base.join("state"));
        let reading = Reading::new(project.clone(), Vec::new(), changes, None, &report);
        let handle = reading.handle();
        let trust = ctxpin_scan::trust::Trust::of_process();
        let mut request = Request::project(project.clone(), base.join("home"), trust);
        request.profile = Profile::ClaudeCode;
        let mut scans = handle.follow(request);
        let script = async {
            assert_eq!(next(&mut scans, &project).await, ["007/CLAUDE.md"]);
            // Nothing watches a directory without such a file.
            fs::write(file("003"), "new").unwrap();
            fs::write(file("007"), "two").unwrap();
            assert_eq!(next(&mut scans, &project).await, ["007/CLAUDE.md"]);
            let both = ["003/CLAUDE.md", "007/CLAUDE.md"];
            assert_eq!(next(&mut scans, &project).await, both);
            fs::write(file("005"), "new").unwrap();
            handle.resync();
            let all = ["003/CLAUDE.md", "005/CLAUDE.md", "007/CLAUDE.md"];
            assert_eq!(next(&mut scans, &project).await, all);
            // The new name of a directory is new too.
            fs::rename(project.join("005"), project.join("moved")).unwrap();
            assert_eq!(next(&mut scans, &project).await, both);
            let moved = ["003/CLAUDE.md", "007/CLAUDE.md", "moved/CLAUDE.md"];
            assert_eq!(next(&mut scans, &project).await, moved);
        };
        tokio::select! {
            ended = reading.run() => panic!("{ended:?}"),
            () = script => {}
        }
    }
}
