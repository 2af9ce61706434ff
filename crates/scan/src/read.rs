//! Opens and reads files so that what was checked is what is read.
//!
//! A directory is held by a descriptor, and a file below it is opened by walking its canonical
//! path, component by component, without ever following a link. So a link that appears between
//! the check and the opening makes the opening fail; it cannot lead anywhere. Opening never
//! blocks, and only what the opened descriptor itself says is a regular file is read.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::hash::{BlobHash, BlobHasher};
use ctxpin_model::resource::Status;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

/// Most entries of one directory that are looked at. More than that is no folder of skills but
/// somebody's data, and listing it at every change would stall the agent.
pub(crate) const LISTING_MAX: usize = 10_000;

/// Most bytes of one file that are read and hashed. Whatever a limit allows is far below; a larger
/// file is told by its size and the hash of its beginning.
const HASHED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How often a file is looked up anew when it changes between check and opening. An editor that
/// replaces its file does so once.
const ATTEMPTS_MAX: usize = 3;

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
            fd,
        };
        let relative = path.strip_prefix("/").map_err(io::Error::other)?;
        top.descend(relative)
    }

    /// Opens the directory at a canonical path below this one, following no link.
    pub fn descend(&self, relative: &Path) -> io::Result<Self> {
        let mut path = self.path.clone();
        let mut fd = None;
        for component in relative.components() {
            let Component::Normal(name) = component else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let parent = fd.as_ref().unwrap_or(&self.fd);
            fd = Some(openat(parent, name, directory_flags(), Mode::empty())?);
            path.push(name);
        }
        let fd = fd.map_or_else(|| self.fd.try_clone(), Ok)?;
        Ok(Self { path, fd })
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

/// Which components a link may lead through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Of hidden ones only those that agents keep their context in.
    Root,
    /// Only those that are part of a skill.
    Skill,
}

impl Reach {
    fn allows(self, name: &OsStr) -> bool {
        match self {
            Self::Root => {
                let known = [".agents", ".claude", ".codex", ".cursorrules"];
                !name.as_bytes().starts_with(b".") || known.iter().any(|known| name == *known)
            }
            Self::Skill => is_skill_part(name),
        }
    }
}

/// Whether an entry of that name belongs to a skill. The others are made by tools, or hidden.
pub(crate) fn is_skill_part(name: &OsStr) -> bool {
    !name.as_bytes().starts_with(b".") && name != "__pycache__" && name != "node_modules"
}

/// The first component of a path below a root that a link may not lead through, if there is one.
pub(crate) fn hidden_component(relative: &Path, reach: Reach) -> Option<&OsStr> {
    let mut components = relative.components().map(Component::as_os_str);
    components.find(|name| !reach.allows(name))
}

/// The directory that links may not leave.
#[derive(Debug)]
pub(crate) struct Boundary {
    /// The directory itself.
    pub directory: Directory,
    /// Which components a link may lead through.
    pub reach: Reach,
}

/// The boundaries of the roots, each opened once in a scan.
#[derive(Debug, Default)]
pub(crate) struct Boundaries(HashMap<PathBuf, Rc<Boundary>>);

impl Boundaries {
    /// The boundary at a canonical path.
    pub fn at(&mut self, path: &Path) -> io::Result<Rc<Boundary>> {
        if let Some(boundary) = self.0.get(path) {
            return Ok(Rc::clone(boundary));
        }
        let boundary = Rc::new(Boundary {
            directory: Directory::open(path)?,
            reach: Reach::Root,
        });
        self.0.insert(path.to_owned(), Rc::clone(&boundary));
        Ok(boundary)
    }
}

/// Where a name in a directory leads. Paths are canonical.
#[derive(Debug)]
pub(crate) enum Located {
    /// Nowhere: there is no such entry.
    Absent,
    /// To a regular file inside the boundary.
    File(PathBuf),
    /// To a directory inside the boundary.
    Directory(PathBuf),
    /// To something that must not or cannot be used.
    Refused(Refused),
}

/// Why something is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// `unreadable` or `invalid`.
    pub status: Status,
    /// For people.
    pub reason: String,
    /// Where a link leads that may not be followed: the thing may be found there by another way.
    pub target: Option<PathBuf>,
}

impl Refused {
    /// It breaks a rule.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self {
            status: Status::Invalid,
            reason: reason.into(),
            target: None,
        }
    }

    /// It could not be read.
    pub fn unreadable(reason: impl Into<String>) -> Self {
        Self {
            status: Status::Unreadable,
            reason: reason.into(),
            target: None,
        }
    }

    /// The system would not let it be read.
    pub fn failed(error: &io::Error) -> Self {
        Self::unreadable(format!("cannot be read: {error}"))
    }

    fn leading_to(self, target: PathBuf) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }
}

/// What came of reading a name in a directory.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There is no such entry.
    Absent,
    /// It was read.
    Read(Reading),
    /// It was not.
    Refused(Refused),
}

/// What was read of a regular file.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Its canonical path.
    pub path: PathBuf,
    /// All of its bytes, unless there are more than were asked for.
    pub bytes: Option<Vec<u8>>,
    /// The hash of what was read: of everything, up to 16 MiB.
    pub hash: BlobHash,
    /// Real size in bytes.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
}

impl Boundary {
    /// Finds where a name in a directory inside the boundary leads.
    pub fn locate(&self, directory: &Directory, name: &OsStr) -> Located {
        let path = directory.path.join(name);
        let stat = match directory.entry(name) {
            Ok(Some(stat)) => stat,
            Ok(None) => return Located::Absent,
            Err(error) => return Located::Refused(Refused::failed(&error)),
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Located::File(path),
            FileType::Directory => Located::Directory(path),
            FileType::Symlink => self.follow(directory, &path),
            other => Located::Refused(no_regular_file(other)),
        }
    }

    /// Reads a name in a directory inside the boundary, keeping its bytes if there are no more
    /// than `bytes_max`.
    pub fn read(&self, directory: &Directory, name: &OsStr, bytes_max: u64) -> Outcome {
        for _ in 0..ATTEMPTS_MAX {
            let path = match self.locate(directory, name) {
                Located::File(path) => path,
                Located::Absent => return Outcome::Absent,
                Located::Refused(refused) => return Outcome::Refused(refused),
                Located::Directory(path) => {
                    let refused = no_regular_file(FileType::Directory);
                    return Outcome::Refused(refused.leading_to(path));
                }
            };
            match self.open(&path) {
                Ok(Some((file, stat))) => {
                    return match take(file, &stat, path, bytes_max) {
                        Ok(reading) => Outcome::Read(reading),
                        Err(error) => Outcome::Refused(Refused::failed(&error)),
                    };
                }
                Ok(None) => {}
                Err(error) => return Outcome::Refused(Refused::failed(&error)),
            }
        }
        Outcome::Refused(Refused::unreadable("it changed while it was being read"))
    }

    fn follow(&self, directory: &Directory, link: &Path) -> Located {
        let target = match fs::canonicalize(link) {
            Ok(target) => target,
            Err(error) => return Located::Refused(unresolved(&error)),
        };
        let root = &self.directory.path;
        let Ok(below_boundary) = target.strip_prefix(root) else {
            let reason = format!("the link escapes {}", root.display());
            return Located::Refused(Refused::invalid(reason).leading_to(target));
        };
        // A working directory may itself lie below a hidden one; what counts is the way from it.
        let relative = target
            .strip_prefix(&directory.path)
            .unwrap_or(below_boundary);
        if let Some(hidden) = hidden_component(relative, self.reach) {
            let reason = format!(
                "the link leads through `{}`, which is not for context",
                hidden.display()
            );
            return Located::Refused(Refused::invalid(reason).leading_to(target));
        }
        match fs::symlink_metadata(&target).map(|metadata| metadata.file_type()) {
            Ok(kind) if kind.is_file() => Located::File(target),
            Ok(kind) if kind.is_dir() => Located::Directory(target),
            Ok(_) => Located::Refused(
                Refused::invalid("the link leads to something that is no regular file")
                    .leading_to(target),
            ),
            Err(error) => Located::Refused(unresolved(&error)),
        }
    }

    /// Opens a regular file at a canonical path inside the boundary. `None` if something else has
    /// taken its place since it was located.
    fn open(&self, path: &Path) -> io::Result<Option<(File, Stat)>> {
        let swapped = |error: &io::Error| {
            let errno = Errno::from_io_error(error);
            matches!(
                errno,
                Some(Errno::LOOP | Errno::NOTDIR | Errno::NOENT | Errno::NXIO)
            )
        };
        match self.open_without_links(path) {
            Ok((file, stat)) if is_regular(&stat) => Ok(Some((file, stat))),
            Ok(_) => Ok(None),
            Err(error) if swapped(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open_without_links(&self, path: &Path) -> io::Result<(File, Stat)> {
        let relative = path
            .strip_prefix(&self.directory.path)
            .map_err(io::Error::other)?;
        let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let parent = self.directory.descend(parent)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = openat(&parent.fd, name, flags | OFlags::NOCTTY, Mode::empty())?;
        let stat = fstat(&fd)?;
        Ok((File::from(fd), stat))
    }
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Why something that is there is no regular file.
pub(crate) fn no_regular_file(kind: FileType) -> Refused {
    let noun = match kind {
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    };
    Refused::invalid(format!("it is {noun}, not a regular file"))
}

/// Why a link could not be resolved.
pub(crate) fn unresolved(error: &io::Error) -> Refused {
    match error.kind() {
        io::ErrorKind::NotFound => {
            Refused::unreadable("a dangling link: what it leads to does not exist")
        }
        _ if Errno::from_io_error(error) == Some(Errno::LOOP) => {
            Refused::unreadable("a loop of links")
        }
        _ => Refused::failed(error),
    }
}

fn take(mut file: File, stat: &Stat, path: PathBuf, bytes_max: u64) -> io::Result<Reading> {
    // Every platform's type of a size fits, and a negative one means nothing.
    let size_at_opening = u64::try_from(stat.st_size).unwrap_or(0);
    let mut kept = Vec::new();
    let mut hasher = BlobHasher::default();
    let mut read = 0_u64;
    let mut buffer = [0; 32 * 1024];
    let ended = loop {
        let room = usize::try_from(HASHED_BYTES_MAX - read).unwrap_or(usize::MAX);
        if room == 0 {
            break false;
        }
        let room = room.min(buffer.len());
        let count = match file.read(&mut buffer[..room]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if count == 0 {
            break true;
        }
        hasher.update(&buffer[..count]);
        read += count as u64;
        if read <= bytes_max {
            kept.extend_from_slice(&buffer[..count]);
        }
    };
    Ok(Reading {
        path,
        bytes: (ended && read <= bytes_max).then_some(kept),
        hash: hasher.finish(),
        size: if ended {
            read
        } else {
            size_at_opening.max(read)
        },
        executable: stat.st_mode & 0o100 != 0,
    })
}
