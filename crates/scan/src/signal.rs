//! Signals when something in the places of a scan may have changed.
//!
//! Signals are hints: one may come without a change, and many may come for one change. A receiver waits
//! until they stop, and scans again. Reading sends no signal, because a scan would cause the next one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use rustix::io::Errno;

use crate::file_system::silent;
use crate::place::{Interest, Place};

/// The longest wait for places to be watched. The system answers at once. But the thread that receives events
/// receives all of them before it watches anything new, so a process that writes without end delays it.
const ARMING_TIME_MAX: Duration = Duration::from_secs(1);

/// The greatest number of directories that one watcher watches. Linux may allow all programs of a user no more than
/// these together.
const WATCHES_MAX: usize = 8_192;

/// The name of the file that a probe writes.
const PROBE_NAME: &str = "probe";

/// The message of a watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Something of interest may have changed.
    Changed,
    /// Events were lost, so anything may have changed.
    Lost,
}

/// The error if a place is not watched. The other places are, and each [`Watcher::set_places`] tries again.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system allows no more watches.
    #[error(
        "the system's limit of file watches is reached; on Linux, raise fs.inotify.max_user_watches or fs.inotify.max_user_instances"
    )]
    Limit,
    /// There are too many places.
    #[error(
        "{0} directories would have to be watched, and at most {WATCHES_MAX} are; an agent in a directory below watches those there"
    )]
    Crowded(usize),
    /// Events come without end, so nothing new can be watched.
    #[error("events come faster than they are taken in")]
    Flooded,
    /// The file system of a directory sends no events.
    #[error("{} lies on {file_system}, which sends no events", .directory.display())]
    Silent {
        directory: PathBuf,
        /// The common name of the file system.
        file_system: &'static str,
    },
    /// The system accepts watches but sends no events.
    #[error("this system sends no events of files")]
    NoEvents,
    /// The user asked for polling.
    #[error("it was asked for")]
    Asked,
    /// A directory cannot be watched.
    #[error("{} cannot be watched: {reason}", .directory.display())]
    Failed { directory: PathBuf, reason: String },
}

impl WatchError {
    /// Returns whether a person could remove the cause.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Limit | Self::Crowded(_) | Self::Failed { .. })
    }
}

/// Watches places. Dropping it ends the watching.
pub struct Watcher {
    shared: Arc<Shared>,
    /// The thread that changes watches. Started when it is first needed.
    armourer: Option<Armourer>,
}

/// The thread that changes watches. It may have to wait, but a scan must not.
struct Armourer {
    jobs: Sender<Vec<Place>>,
    answers: Receiver<Result<bool, WatchError>>,
    /// Whether an answer for which nobody waits is still to come.
    is_late: bool,
}

/// The state of the thread that changes watches.
struct Armour {
    shared: Arc<Shared>,
    /// Made when it is first needed, and again after a failure.
    notifier: Option<RecommendedWatcher>,
    /// The watched directories, with the device and the inode at that time.
    armed: BTreeMap<PathBuf, (u64, u64)>,
}

struct Shared {
    on_signal: Mutex<Box<dyn Fn(Signal) + Send>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    interests: HashMap<PathBuf, Interest>,
    /// Directories that were removed or moved. Their watches may be gone, or watch another path.
    stale: HashSet<PathBuf>,
    /// Whether events were lost, so that any watch may be gone.
    all_stale: bool,
}

impl Watcher {
    /// Makes a watcher of nothing. It calls `on_signal` from a thread of its own. `on_signal` must be quick
    /// and must not call the watcher.
    pub fn new(on_signal: impl Fn(Signal) + Send + 'static) -> Self {
        Self {
            shared: Arc::new(Shared {
                on_signal: Mutex::new(Box::new(on_signal)),
                state: Mutex::default(),
            }),
            armourer: None,
        }
    }

    /// Watches exactly these places. Returns whether a directory is newly watched. Then scan once more,
    /// because nobody saw what changed in it since the last scan. Never signals by itself, and waits for at
    /// most a second. A directory that this user may not list is passed over: nobody tells of a change in it.
    ///
    /// # Errors
    ///
    /// Fails if a place cannot be watched.
    pub fn set_places(&mut self, places: &[Place]) -> Result<bool, WatchError> {
        let shared = &self.shared;
        let armourer = self.armourer.get_or_insert_with(|| Armourer::start(shared));
        if armourer.is_late {
            // The answer to the earlier places says nothing about these.
            drop(armourer.answer(Duration::ZERO)?);
        }
        let gone = |_| WatchError::Failed {
            directory: PathBuf::from("/"),
            reason: "the thread that watches has ended".to_owned(),
        };
        armourer.jobs.send(places.to_vec()).map_err(gone)?;
        armourer.answer(ARMING_TIME_MAX)?
    }
}

impl Armourer {
    fn start(shared: &Arc<Shared>) -> Self {
        let (jobs, taken) = channel::<Vec<Place>>();
        let (answer, answers) = channel();
        let mut armour = Armour {
            shared: Arc::clone(shared),
            notifier: None,
            armed: BTreeMap::new(),
        };
        // It ends when the watcher is dropped, or after the current job.
        thread::spawn(move || {
            while let Ok(places) = taken.recv() {
                if answer.send(armour.set_places(&places)).is_err() {
                    break;
                }
            }
        });
        Self {
            jobs,
            answers,
            is_late: false,
        }
    }

    /// Waits for the answer to the last places.
    ///
    /// # Errors
    ///
    /// Fails if the answer does not come in time.
    fn answer(&mut self, patience: Duration) -> Result<Result<bool, WatchError>, WatchError> {
        let answer = self.answers.recv_timeout(patience);
        self.is_late = matches!(answer, Err(RecvTimeoutError::Timeout));
        answer.map_err(|_| WatchError::Flooded)
    }
}

impl Armour {
    fn set_places(&mut self, places: &[Place]) -> Result<bool, WatchError> {
        let mut wanted: HashMap<PathBuf, Interest> = HashMap::new();
        let mut directories = Vec::new();
        for place in places {
            match wanted.get_mut(&place.directory) {
                Some(interest) => interest.widen(place.interest.clone()),
                None => {
                    wanted.insert(place.directory.clone(), place.interest.clone());
                    directories.push(place.directory.clone());
                }
            }
        }
        let count = directories.len();
        directories.truncate(WATCHES_MAX);
        let (stale, all_stale) = self.shared.expect(wanted);
        let notifier = match &mut self.notifier {
            Some(notifier) => notifier,
            none => none.insert(self.shared.notifier()?),
        };
        let wanted: HashSet<_> = directories.iter().collect();
        self.armed.retain(|directory, identity| {
            let is_sound = wanted.contains(directory)
                && !all_stale
                && !stale.contains(directory)
                && identity_of(directory).is_ok_and(|now| now == *identity);
            if !is_sound {
                // An error says that the watch is gone, and that is the goal.
                let _ = notifier.unwatch(directory);
            }
            is_sound
        });
        let armed = arm(notifier, &mut self.armed, &directories);
        match count > WATCHES_MAX {
            true => armed.and(Err(WatchError::Crowded(count))),
            false => armed,
        }
    }
}

/// Returns whether this system sends events: writes a file into `directory` and waits for its event. Some
/// kernels accept watches but send no events.
pub fn sends_events(directory: &Path, patience: Duration) -> bool {
    hears(directory, patience, |probe| fs::write(probe, ""))
}

/// Returns whether an event arrives after `touch` changed the probe's file.
fn hears(
    directory: &Path,
    patience: Duration,
    touch: impl FnOnce(&Path) -> io::Result<()>,
) -> bool {
    let (sender, signals) = channel();
    let mut watcher = Watcher::new(move |_| {
        let _ = sender.send(());
    });
    let Ok(directory) = directory.canonicalize() else {
        return true;
    };
    let place = Place {
        interest: Interest::Names([PROBE_NAME.into()].into()),
        directory: directory.clone(),
    };
    let probe = directory.join(PROBE_NAME);
    // The watching itself reports what prevents the probe.
    if watcher.set_places(&[place]).is_err() || touch(&probe).is_err() {
        return true;
    }
    let is_heard = signals.recv_timeout(patience).is_ok();
    let _ = fs::remove_file(&probe);
    is_heard
}

/// Watches the directories that are not watched yet.
fn arm(
    notifier: &mut RecommendedWatcher,
    armed: &mut BTreeMap<PathBuf, (u64, u64)>,
    directories: &[PathBuf],
) -> Result<bool, WatchError> {
    let mut is_new = false;
    let mut failed = None;
    for directory in directories {
        if armed.contains_key(directory) {
            continue;
        }
        if let Some(file_system) = silent(directory) {
            let directory = directory.clone();
            failed = Some(WatchError::Silent {
                directory,
                file_system,
            });
            continue;
        }
        // The identity comes first. If another directory takes its place in between, the next call sees
        // the difference.
        let identity = match identity_of(directory) {
            Ok(identity) => identity,
            // It has gone since the scan, and the next scan names another place.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                is_new = true;
                continue;
            }
            Err(error) if is_closed(&error) => continue,
            Err(error) => {
                is_new = true;
                failed = Some(watch_error(directory, &notify::Error::io(error)));
                continue;
            }
        };
        match notifier.watch(directory, RecursiveMode::NonRecursive) {
            Ok(()) => {
                is_new = true;
                armed.insert(directory.clone(), identity);
            }
            Err(error) if matches!(error.kind, ErrorKind::PathNotFound) => is_new = true,
            // The system tells of no change in a directory that this user may not list, as `/home` may be one.
            Err(error) if matches!(&error.kind, ErrorKind::Io(error) if is_closed(error)) => {}
            Err(error) => {
                is_new = true;
                let error = watch_error(directory, &error);
                let is_limit = matches!(error, WatchError::Limit);
                failed = Some(error);
                if is_limit {
                    break;
                }
            }
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(is_new),
    }
}

fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn identity_of(directory: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(directory)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn watch_error(directory: &Path, error: &notify::Error) -> WatchError {
    let is_limit = match &error.kind {
        ErrorKind::MaxFilesWatch => true,
        ErrorKind::Io(error) => matches!(
            Errno::from_io_error(error),
            Some(Errno::NOSPC | Errno::MFILE | Errno::NFILE | Errno::NOMEM)
        ),
        _ => false,
    };
    if is_limit {
        return WatchError::Limit;
    }
    let reason = match &error.kind {
        ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    };
    WatchError::Failed {
        directory: directory.to_owned(),
        reason,
    }
}

impl Shared {
    /// Sets what is of interest from now on, and returns which watches may be gone. The caller holds no lock
    /// while it changes watches, because the thread that changes them also delivers events.
    fn expect(&self, interests: HashMap<PathBuf, Interest>) -> (HashSet<PathBuf>, bool) {
        let mut state = lock(&self.state);
        state.interests = interests;
        let all_stale = std::mem::take(&mut state.all_stale);
        (std::mem::take(&mut state.stale), all_stale)
    }

    fn notifier(self: &Arc<Self>) -> Result<RecommendedWatcher, WatchError> {
        let shared = Arc::clone(self);
        let receive = move |event| shared.receive(event);
        notify::recommended_watcher(receive).map_err(|error| watch_error(Path::new("/"), &error))
    }

    fn receive(&self, event: notify::Result<Event>) {
        let signal = lock(&self.state).judge(&event);
        if let Some(signal) = signal {
            lock(&self.on_signal)(signal);
        }
    }
}

impl State {
    /// Returns the signal for an event, if there is one.
    fn judge(&mut self, event: &notify::Result<Event>) -> Option<Signal> {
        let event = match event {
            // A lost queue names no path, so this comes before the paths.
            Ok(event) if !event.need_rescan() => event,
            _ => {
                self.all_stale = true;
                return Some(Signal::Lost);
            }
        };
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        if event.kind.is_access() && event.kind != written {
            return None;
        }
        let is_gone =
            event.kind.is_remove() || matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)));
        let mut signal = None;
        for path in &event.paths {
            let is_place = self.interests.contains_key(path);
            if is_place && is_gone {
                self.stale.insert(path.clone());
            }
            if is_place || self.is_of_interest(path) {
                signal = Some(Signal::Changed);
            }
        }
        signal
    }

    fn is_of_interest(&self, path: &Path) -> bool {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return false;
        };
        let interest = self.interests.get(directory);
        interest.is_some_and(|interest| interest.includes(name))
    }
}

/// Locks a mutex. A panic elsewhere leaves nothing half-done behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{Flag, MetadataKind, RenameMode};

    fn state() -> State {
        let names = Interest::Names(["AGENTS.md".into()].into());
        State {
            interests: [("/w".into(), names), ("/w/skills".into(), Interest::All)].into(),
            ..State::default()
        }
    }

    #[test]
    fn a_kernel_that_says_nothing_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let silent = |_: &Path| Ok(());
        assert!(!hears(directory.path(), Duration::from_millis(1), silent));
    }

    #[test]
    fn events_are_judged() {
        let check = |kind: EventKind, path: &str, expected| {
            let event = Ok(Event::new(kind).add_path(path.into()));
            assert_eq!(state().judge(&event), expected, "{event:?}");
        };
        let changed = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        check(changed, "/w/AGENTS.md", Some(Signal::Changed));
        check(changed, "/w/agents.md", None);
        check(changed, "/w/skills", Some(Signal::Changed));
        check(changed, "/w/skills/any", Some(Signal::Changed));
        check(changed, "/w/skills/any/deeper", None);
        check(changed, "/w", Some(Signal::Changed));
        check(changed, "/", None);
        for access in [
            AccessKind::Open(AccessMode::Any),
            AccessKind::Read,
            AccessKind::Close(AccessMode::Read),
        ] {
            check(EventKind::Access(access), "/w/AGENTS.md", None);
        }
        let written = AccessKind::Close(AccessMode::Write);
        check(
            EventKind::Access(written),
            "/w/AGENTS.md",
            Some(Signal::Changed),
        );
    }

    #[test]
    fn a_lost_queue_names_no_path() {
        let mut state = state();
        let event = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(state.judge(&Ok(event)), Some(Signal::Lost));
        assert!(state.all_stale);
        assert_eq!(
            state.judge(&Err(notify::Error::generic("x"))),
            Some(Signal::Lost)
        );
    }

    #[test]
    fn a_place_that_moved_is_stale() {
        let mut state = state();
        let moved = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        let _ = state.judge(&Ok(Event::new(moved).add_path("/w/skills".into())));
        assert_eq!(state.stale, ["/w/skills".into()].into());
    }

    #[test]
    fn a_watcher_takes_its_share_of_watches() {
        let mut watcher = Watcher::new(|_| {});
        let mut places: Vec<_> = (0..=WATCHES_MAX)
            .map(|index| Place {
                directory: format!("/does not exist/{index}").into(),
                interest: Interest::All,
            })
            .collect();
        let crowded = watcher.set_places(&places).unwrap_err();
        assert!(
            crowded
                .to_string()
                .starts_with("8193 directories would have to be watched, and at most 8192 are"),
            "{crowded}"
        );
        places.swap_remove(0);
        places.push(places[0].clone());
        watcher.set_places(&places).unwrap();
    }

    #[test]
    fn limits_are_told_apart() {
        let check = |error: notify::Error, is_limit| {
            let told = watch_error(Path::new("/w"), &error);
            assert_eq!(matches!(told, WatchError::Limit), is_limit, "{told}");
        };
        check(notify::Error::new(ErrorKind::MaxFilesWatch), true);
        check(notify::Error::io(Errno::MFILE.into()), true);
        check(notify::Error::io(Errno::NOSPC.into()), true);
        check(notify::Error::io(Errno::ACCESS.into()), false);
    }
}
