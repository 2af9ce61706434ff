//! A directory that is held by a descriptor, so that every lookup goes to the same directory.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

/// The greatest number of entries of one directory that are looked at. A larger directory holds data and no
/// skills, and listing it at every change would stall the agent.
pub(crate) const LISTING_MAX: usize = 10_000;

/// On Linux, a process can hold a directory and look names up in it without the permission to list it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const HOLD: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const HOLD: OFlags = OFlags::RDONLY;

/// A directory, held by its descriptor.
#[derive(Debug)]
pub(crate) struct Directory {
    /// The canonical path at the time of opening.
    pub path: PathBuf,
    /// Whether everybody may create files in it, or in a directory on the way from the one that it was
    /// opened from.
    pub is_open: bool,
    fd: OwnedFd,
}

/// The names in a directory.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Sorted by their bytes.
    pub names: Vec<OsString>,
    /// Whether these are all names. There may be more than [`LISTING_MAX`].
    pub whole: bool,
}

impl Directory {
    /// Opens a canonical absolute path. Follows no link.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd = openat(CWD, "/", directory_flags(), Mode::empty())?;
        let top = Self {
            path: "/".into(),
            is_open: false,
            fd,
        };
        let relative = path.strip_prefix("/").map_err(io::Error::other)?;
        let directory = top.descend(relative)?;
        // The choice of a root checks what lies above it.
        let is_open = is_open(&directory.fd)?;
        Ok(Self {
            is_open,
            ..directory
        })
    }

    /// Opens the directory at a canonical path below this one. Follows no link.
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

    /// Checks that names can be looked up in the directory.
    ///
    /// # Errors
    ///
    /// Fails if the user has no permission to search it.
    pub fn searchable(&self) -> io::Result<()> {
        statat(&self.fd, ".", AtFlags::empty())?;
        Ok(())
    }

    /// Returns the metadata of an entry, without following a link. Returns `None` if there is no entry.
    pub fn entry(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Lists at most [`LISTING_MAX`] names.
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

    /// Returns whether an entry that was found under `name` is spelled exactly so. Some file systems ignore
    /// case: they find `agents.md` under `AGENTS.md`, and under any other spelling.
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

/// Returns whether everybody may create files in a directory.
fn is_open(directory: &OwnedFd) -> io::Result<bool> {
    let stat = fstat(directory)?;
    Ok(Mode::from_raw_mode(stat.st_mode).contains(Mode::WOTH))
}

/// Removes `.` and `..` from a path, by its text alone.
pub fn plain_path(path: &Path) -> PathBuf {
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
