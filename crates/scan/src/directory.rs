//! A directory that is held by a descriptor, so that what is found in it is found in that very one.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

/// Most entries of one directory that are looked at. More than that is no folder of skills but
/// somebody's data, and listing it at every change would stall the agent.
pub(crate) const LISTING_MAX: usize = 10_000;

/// On Linux a directory can be held, and looked up in, without the permission to list it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const HOLD: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const HOLD: OFlags = OFlags::RDONLY;

/// A directory, held by its descriptor.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Its canonical path when it was opened.
    pub path: PathBuf,
    /// Whether everybody may put something into it, or into one on the way from where it was opened.
    pub is_open: bool,
    fd: OwnedFd,
}

/// The names in a directory.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Sorted by their bytes.
    pub names: Vec<OsString>,
    /// False if there were more than [`LISTING_MAX`].
    pub whole: bool,
}

impl Directory {
    /// Opens a canonical absolute path, following no link.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd = openat(CWD, "/", directory_flags(), Mode::empty())?;
        let top = Self {
            path: "/".into(),
            is_open: false,
            fd,
        };
        let relative = path.strip_prefix("/").map_err(io::Error::other)?;
        let directory = top.descend(relative)?;
        // What lies above is judged where a root is chosen.
        let is_open = is_open(&directory.fd)?;
        Ok(Self {
            is_open,
            ..directory
        })
    }

    /// Opens the directory at a canonical path below this one, following no link.
    pub fn descend(&self, relative: &Path) -> io::Result<Self> {
        let mut path = self.path.clone();
        let mut is_way_open = self.is_open;
        let mut fd = None;
        for component in relative.components() {
            let Component::Normal(name) = component else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let parent = fd.as_ref().unwrap_or(&self.fd);
            let next = openat(parent, name, directory_flags(), Mode::empty())?;
            is_way_open |= is_open(&next)?;
            fd = Some(next);
            path.push(name);
        }
        let fd = fd.map_or_else(|| self.fd.try_clone(), Ok)?;
        Ok(Self {
            path,
            is_open: is_way_open,
            fd,
        })
    }

    /// Returns the open file descriptor of the directory.
    pub fn descriptor(&self) -> &OwnedFd {
        &self.fd
    }

    /// Whether names can be looked up in it at all.
    pub fn searchable(&self) -> io::Result<()> {
        statat(&self.fd, ".", AtFlags::empty())?;
        Ok(())
    }

    /// What an entry is, links not followed; `None` if there is none.
    pub fn entry(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Its names, as many as are looked at.
    pub fn list(&self) -> io::Result<Listing> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(&self.fd, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        let mut whole = true;
        for entry in Dir::new(fd)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == LISTING_MAX {
                whole = false;
                break;
            }
            names.push(OsString::from_vec(name));
        }
        names.sort_unstable();
        Ok(Listing { names, whole })
    }

    /// Whether an entry that was found under `name` is really spelled so. Some file systems find
    /// `agents.md` under `AGENTS.md`: those also find it under any third spelling.
    pub fn spells(&self, name: &OsStr) -> bool {
        let swapped: Vec<u8> = name
            .as_bytes()
            .iter()
            .map(|byte| byte ^ case_bit(*byte))
            .collect();
        let swapped = OsStr::from_bytes(&swapped);
        if swapped == name || !matches!(self.entry(swapped), Ok(Some(_))) {
            return true;
        }
        let listing = self.list();
        listing.map_or(true, |listing| {
            !listing.whole || listing.names.iter().any(|n| n == name)
        })
    }
}

/// Whether everybody may put something into a directory.
fn is_open(directory: &OwnedFd) -> io::Result<bool> {
    let stat = fstat(directory)?;
    Ok(Mode::from_raw_mode(stat.st_mode).contains(Mode::WOTH))
}

/// A path without `.` and `..`, worked out from its text alone.
pub(crate) fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

fn directory_flags() -> OFlags {
    HOLD | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn case_bit(byte: u8) -> u8 {
    if byte.is_ascii_alphabetic() { 0x20 } else { 0 }
}
