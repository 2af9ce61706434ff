//! Watching and scanning one project.
//!
//! A reading knows no server, no agent and no token. It has one watch on the files and any number of views,
//! each of which scans by the rules of one tool. Any number of sessions follow what a view publishes.

mod debounce;
mod scanner;
mod search_schedule;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::limits::{ERROR_BYTES_MAX, cut};
use ctxpin_model::resource::{Bodies, Status};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::warning::Note;
use ctxpin_scan::Scan;
use ctxpin_scan::roots::{Declared, Request};
use tokio::sync::watch;

use crate::error::AgentError;
use crate::readiness::{self, Readiness};
use crate::report::{Report, Reporter};
use scanner::Scanner;

/// The pause between scans that nothing triggers, and between searches of the directories below the working directory.
/// They find changes that no event reported.
const RESCAN_INTERVAL: Duration = Duration::from_secs(60);

/// Watches one project, and scans it whenever something may have changed.
pub struct Reading<'r> {
    /// The directory in which the first scan's condition is checked.
    directory: PathBuf,
    changes: ChangeDetection,
    ready: Option<Readiness>,
    report: Reporter<'r>,
    triggers: watch::Sender<ScanTriggers>,
    state: watch::Sender<ReadingState>,
}

/// What one tool finds in the project. A view without followers is scanned no more.
#[derive(Debug, Clone)]
struct View {
    /// The request of the scans. The triggers name the sources of each scan.
    request: Request,
    scans: watch::Sender<ViewScans>,
}

/// What the scans of one view came to.
#[derive(Debug, Clone, Default)]
pub struct ViewScans {
    /// The newest scan that succeeded; `None` before the first one.
    pub(crate) newest: Option<Arc<ProjectScan>>,
    /// The failure of the last scan, or `None` if it succeeded.
    pub(crate) failure: Option<ScanFailure>,
}

/// The way in which a reading notices changes.
#[derive(Debug, Clone)]
pub enum ChangeDetection {
    /// File system events. Where no events arrive, the reading scans every two seconds. To find out
    /// whether events arrive, it writes a file into this directory, which must exist.
    Events(PathBuf),
    /// A scan every two seconds.
    Polling,
}

/// Follows a [`Reading`] and requests scans of it. Clones follow the same one.
#[derive(Debug, Clone)]
pub struct ReadingHandle {
    triggers: watch::Sender<ScanTriggers>,
    state: watch::Receiver<ReadingState>,
}

/// The result of one scan.
#[derive(Debug)]
pub struct ProjectScan {
    pub(crate) snapshot: Snapshot,
    pub(crate) bodies: Bodies,
    pub(crate) notes: Vec<Note>,
    /// Why files are polled, unless they are watched.
    pub(crate) polling: Option<String>,
    /// The number of the last resync that was requested before the scan began. The scan answers
    /// this resync and all before it.
    pub(crate) resync: u64,
}

/// The triggers of scans. Counters only grow, so that a late reader misses nothing.
#[derive(Debug, Clone)]
struct ScanTriggers {
    /// The number of events after which something may have changed.
    changes: u64,
    /// The number of requested resyncs.
    resyncs: u64,
    /// The declared sources, in their order.
    sources: Vec<Declared>,
    views: Vec<View>,
}

/// The state of a reading.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadingState {
    /// The condition that the first scan still waits for.
    pub not_ready: Option<String>,
    /// The reason for polling.
    pub polling: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScanFailure {
    pub reason: String,
    /// The number of the last resync that the failed scan answers.
    pub resync: u64,
}

impl<'r> Reading<'r> {
    /// Returns a reading of the project of a directory with these declared sources. It reads nothing before
    /// [`Self::run`], and its first scan waits for `ready`. [`ReadingHandle::follow`] says what to scan.
    pub fn new(
        directory: PathBuf,
        sources: Vec<Declared>,
        changes: ChangeDetection,
        ready: Option<Readiness>,
        report: Reporter<'r>,
    ) -> Self {
        let triggers = ScanTriggers {
            changes: 0,
            resyncs: 0,
            sources,
            views: Vec::new(),
        };
        Self {
            directory,
            changes,
            ready,
            report,
            triggers: watch::Sender::new(triggers),
            state: watch::Sender::default(),
        }
    }

    /// Returns a handle that follows this reading.
    pub fn handle(&self) -> ReadingHandle {
        ReadingHandle {
            triggers: self.triggers.clone(),
            state: self.state.subscribe(),
        }
    }

    /// Watches and scans until the future is dropped, which may happen at any moment. A scan in
    /// progress then publishes nothing.
    ///
    /// # Errors
    ///
    /// Fails if every first scan fails. Any other scan that fails is repeated.
    pub async fn run(self) -> Result<(), AgentError> {
        if let Some(readiness) = &self.ready {
            self.await_readiness(readiness).await;
        }
        Scanner::new(self).run().await
    }

    async fn await_readiness(&self, readiness: &Readiness) {
        readiness::wait(readiness, &self.directory, |reason| {
            self.state
                .send_modify(|state| state.not_ready = Some(reason.clone()));
            (self.report)(Report::NotReady { reason });
        })
        .await;
        self.state.send_modify(|state| state.not_ready = None);
        (self.report)(Report::Ready);
    }
}

impl ReadingHandle {
    /// Scans by another request too, from now on and for as long as a receiver exists. Returns a receiver of
    /// what the scans come to.
    pub fn follow(&self, request: Request) -> watch::Receiver<ViewScans> {
        let (scans, receiver) = watch::channel(ViewScans::default());
        self.triggers
            .send_modify(|triggers| triggers.views.push(View { request, scans }));
        receiver
    }

    pub(crate) fn state(&self) -> watch::Receiver<ReadingState> {
        self.state.clone()
    }

    /// Returns how many sources are declared.
    pub(crate) fn source_count(&self) -> usize {
        self.triggers.borrow().sources.len()
    }

    /// Requests a scan that every session pushes even if nothing has changed. Returns the number of
    /// this resync.
    pub(crate) fn resync(&self) -> u64 {
        let mut number = 0;
        self.triggers.send_modify(|triggers| {
            triggers.resyncs += 1;
            number = triggers.resyncs;
        });
        number
    }

    /// Replaces the declared sources, and requests a scan if they differ.
    pub(crate) fn set_sources(&self, sources: Vec<Declared>) {
        self.triggers.send_if_modified(|triggers| {
            let is_other = triggers.sources != sources;
            triggers.sources = sources;
            is_other
        });
    }
}

impl ProjectScan {
    /// Returns the result of a scan. `polling` is the reason why files are polled and not watched.
    /// It becomes part of the snapshot's error, since a polled snapshot may be two seconds old.
    pub(crate) fn new(scan: Scan, polling: Option<&str>, resync: u64) -> Self {
        let mut snapshot = scan.snapshot;
        if let Some(reason) = polling {
            let notice = format!("files are polled, not watched: {reason}");
            let whole = match &snapshot.error {
                Some(error) => format!("{error}; {notice}"),
                None => notice,
            };
            snapshot.error = Some(cut(&whole, ERROR_BYTES_MAX).to_owned());
        }
        Self {
            snapshot,
            bodies: scan.bodies,
            notes: scan.notes,
            polling: polling.map(str::to_owned),
            resync,
        }
    }

    /// Returns how many resources cannot be used.
    pub(crate) fn unusable(&self) -> usize {
        let resources = self.snapshot.resources.iter();
        resources.filter(|r| r.status != Status::Ok).count()
    }

    /// Returns whether another scan found the same. The snapshots hold the hashes of the bodies, so
    /// the bodies need no comparison.
    fn is_same_content(&self, other: &Self) -> bool {
        self.snapshot == other.snapshot && self.notes == other.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_is_part_of_the_snapshot() {
        let check = |error: Option<&str>, polling, expected: Option<&str>| {
            let snapshot = Snapshot {
                error: error.map(str::to_owned),
                ..Snapshot::default()
            };
            let scan = Scan {
                snapshot,
                bodies: Bodies::new(),
                notes: Vec::new(),
                places: Vec::new(),
                unused: [].into(),
                unfollowed: Vec::new(),
            };
            let scan = ProjectScan::new(scan, polling, 0);
            assert_eq!(scan.snapshot.error.as_deref(), expected);
        };
        check(None, None, None);
        check(
            None,
            Some("a limit"),
            Some("files are polled, not watched: a limit"),
        );
        check(
            Some("a cap"),
            Some("a limit"),
            Some("a cap; files are polled, not watched: a limit"),
        );
        let long = "x".repeat(ERROR_BYTES_MAX);
        check(Some(&long), Some("a limit"), Some(&long));
    }
}
