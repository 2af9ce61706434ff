//! Which directories to watch, and for which names in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::directory::plain_path;
use crate::project::REPOSITORY_NAME;
use crate::roots::Roots;

/// The most links in a row whose targets are waited for.
pub(crate) const LINKS_MAX: usize = 8;

/// A directory to watch. Changes of the directory itself (it is removed or moved, or its permissions
/// change) are always of interest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A canonical path. The watch is not recursive.
    pub directory: PathBuf,
    /// What in it is of interest.
    pub interest: Interest,
}

/// What in a directory is of interest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    All,
    /// The entries of these names.
    Names(BTreeSet<OsString>),
}

impl Interest {
    /// Returns whether an entry of that name is of interest.
    pub fn includes(&self, name: &OsStr) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.contains(name),
        }
    }

    /// Adds the interest of another.
    pub fn widen(&mut self, other: Interest) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (Self::Names(names), Self::Names(more)) => names.extend(more),
        }
    }
}

/// Returns what to watch while a path does not exist: its nearest existing ancestor, for the next name on the way.
/// When that name appears, the next scan watches one step further. Returns `None` if no ancestor can be reached.
pub fn awaited(path: &Path) -> Option<Place> {
    let (existing, name) = nearest(path)?;
    Some(Place {
        directory: existing.canonicalize().ok()?,
        interest: Interest::Names(BTreeSet::from([name.to_owned()])),
    })
}

/// Returns the nearest existing ancestor of a path, and the next name on the way.
fn nearest(path: &Path) -> Option<(&Path, &OsStr)> {
    let ways: Vec<_> = path.ancestors().collect();
    // From the longest to `/`. A path below a missing directory is missing too.
    let above = ways.get(1..).unwrap_or_default();
    let nearest = above.partition_point(|way| !way.is_dir());
    above.get(nearest).copied().zip(ways[nearest].file_name())
}

/// The places of a scan, each directory once.
#[derive(Debug, Default)]
pub(crate) struct Places {
    by_directory: BTreeMap<PathBuf, Interest>,
    /// The canonical paths of directories in which the scan waits for something.
    canonical: HashMap<PathBuf, PathBuf>,
}

impl Places {
    /// Watches every entry of a directory.
    pub fn all(&mut self, directory: &Path) {
        self.add(directory, Interest::All);
    }

    /// Watches some entries of a directory.
    pub fn names<N: AsRef<OsStr>>(&mut self, directory: &Path, names: &[N]) {
        let names = names.iter().map(|name| name.as_ref().to_owned()).collect();
        self.add(directory, Interest::Names(names));
    }

    /// Watches a path by its name in its directory, which must exist.
    pub fn path(&mut self, path: &Path) {
        if let (Some(directory), Some(name)) = (path.parent(), path.file_name()) {
            self.names(directory, &[name]);
        }
    }

    /// Watches for a path that does not exist, as [`awaited`] does. If a link is on the way, also for what it leads to beside
    /// it or below, because more may not be read.
    pub fn awaited(&mut self, path: &Path) {
        let Some((directory, name)) = self.await_next(path) else {
            return;
        };
        let mut link = directory.join(name);
        for _ in 0..LINKS_MAX {
            let (Ok(target), Some(parent)) = (fs::read_link(&link), link.parent()) else {
                return;
            };
            let target = plain_path(&parent.join(target));
            if !target.starts_with(&directory) {
                return;
            }
            let Some((parent, name)) = self.await_next(&target) else {
                return;
            };
            link = parent.join(name);
        }
    }

    /// Watches for the next name on the way to a path. Returns it and the canonical path of its directory.
    fn await_next<'p>(&mut self, path: &'p Path) -> Option<(PathBuf, &'p OsStr)> {
        let (existing, name) = nearest(path)?;
        let real = match self.canonical.get(existing) {
            Some(real) => real.clone(),
            None => {
                let real = existing.canonicalize().ok()?;
                let key = existing.to_path_buf();
                self.canonical.entry(key).or_insert(real).clone()
            }
        };
        self.names(&real, &[name]);
        Some((real, name))
    }

    /// Watches for a repository that begins in the working directory, because it changes the project.
    pub fn await_repository(&mut self, roots: &Roots) {
        if roots.list.iter().any(|root| root.path == roots.directory) {
            self.names(&roots.directory, &[REPOSITORY_NAME]);
        }
    }

    /// Returns all places, sorted by directory.
    pub fn finish(self) -> Vec<Place> {
        let place = |(directory, interest)| Place {
            directory,
            interest,
        };
        self.by_directory.into_iter().map(place).collect()
    }

    fn add(&mut self, directory: &Path, interest: Interest) {
        match self.by_directory.get_mut(directory) {
            Some(present) => present.widen(interest),
            None => {
                self.by_directory.insert(directory.to_owned(), interest);
            }
        }
    }
}
