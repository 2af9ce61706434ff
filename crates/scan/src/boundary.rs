//! The directories that links may not leave, and how files in them are located and opened.
//!
//! A file below a held directory is opened by walking its canonical path, component by component,
//! without following any link. If a link appears between the check and the opening, the opening fails.
//! Opening never blocks, and a file is read only if its open descriptor is that of a regular file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use crate::barred_names::barred;
use crate::directory::Directory;
use crate::known_files::{gives_something, is_skill_part};
use crate::path_text::for_a_shell;
use crate::reader::{Reader, Reading};
use crate::refused::{Refused, no_regular_file, unresolved};
use crate::resolve::Resolver;
use crate::trust::{self, Trust};

/// How often a file is looked up if it changes between check and opening. An editor that replaces a file
/// changes it once.
const ATTEMPTS_MAX: usize = 3;

/// Which components a link may lead through. No link may lead through a barred name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// In a project: any.
    Project,
    /// In a home or above it: no hidden components, except those in which agents keep their context.
    Personal,
    /// In a skill: only its parts.
    Skill,
}

impl Reach {
    /// Returns why a link may not lead along a path below its boundary. Returns `None` if it may.
    pub fn refusal(self, below: &Path) -> Option<Refused> {
        if let Some(name) = barred(below) {
            return Some(Refused::invalid(format!(
                "the link leads through `{}`, which is never read for context",
                name.display()
            )));
        }
        let is_open = |name: &OsStr| match self {
            Self::Project => true,
            Self::Personal => {
                let known = [".agents", ".claude", ".codex", ".cursorrules"];
                !name.as_bytes().starts_with(b".") || known.iter().any(|known| name == *known)
            }
            Self::Skill => is_skill_part(name),
        };
        let mut names = below.iter();
        let closed = names.find(|name| !is_open(name))?;
        let what = match self {
            Self::Skill => "which is no part of a skill",
            _ => "which is hidden",
        };
        Some(Refused::invalid(format!(
            "the link leads through `{}`, {what}",
            closed.display()
        )))
    }
}

/// A directory that links may not leave, with other directories that they may lead into.
#[derive(Debug)]
pub(crate) struct Boundary {
    pub directory: Directory,
    pub reach: Reach,
    annexes: Rc<Vec<Annex>>,
    adviser: Rc<Adviser>,
    common: Rc<Common>,
}

/// A directory outside a boundary that links may lead into.
#[derive(Debug)]
struct Annex {
    directory: Directory,
    reach: Reach,
}

/// The directories below which a source may be declared.
#[derive(Debug, Default)]
pub(crate) struct Admitting(pub Vec<(PathBuf, Reach)>);

impl Admitting {
    /// Returns the first directory that admits a canonical path, what a scan may read there, and the path below
    /// the directory.
    pub fn admits<'p>(&self, path: &'p Path) -> Option<(&Path, Reach, &'p Path)> {
        self.0.iter().find_map(|(directory, reach)| {
            let below = path.strip_prefix(directory).ok()?;
            Some((directory.as_path(), *reach, below))
        })
    }
}

/// Finds the command that allows the target of a refused link. It remembers each result, because thousands
/// of links may lead to one place.
#[derive(Debug, Default)]
struct Adviser {
    admitting: Admitting,
    /// Whether links of a project lead into allowed directories. Else a declared source is needed too.
    follows: bool,
    given: RefCell<HashMap<(PathBuf, Reach), Option<String>>>,
}

/// What all boundaries of a scan share.
#[derive(Debug)]
pub(crate) struct Common {
    /// Follows links, within the limit of the whole scan.
    pub resolver: Resolver,
    /// Whose files are trusted, with canonical paths.
    pub trust: Trust,
}

impl Common {
    /// Returns what the boundaries of a new scan share.
    pub fn of(trust: Trust) -> Rc<Self> {
        Rc::new(Self {
            resolver: Resolver::default(),
            trust,
        })
    }
}

/// The boundaries of the roots. A scan opens each of them once.
#[derive(Debug)]
pub(crate) struct Boundaries {
    open: HashMap<(PathBuf, Reach), Rc<Boundary>>,
    of_personal: Rc<Vec<Annex>>,
    of_project: Rc<Vec<Annex>>,
    adviser: Rc<Adviser>,
    common: Rc<Common>,
}

/// The directories into which links may lead, besides their own boundaries.
#[derive(Debug, Default)]
pub(crate) struct Annexes {
    /// Of links of personal roots.
    pub of_personal: Vec<(PathBuf, Reach)>,
    /// Of links of a project. `None` if they never leave it.
    pub of_project: Option<Vec<(PathBuf, Reach)>>,
}

impl Boundaries {
    /// Returns no boundaries yet.
    pub fn new(annexes: &Annexes, admitting: Admitting, common: Rc<Common>) -> Self {
        // A directory that does not exist admits nothing.
        let open = |(path, reach): &(PathBuf, Reach)| {
            Some(Annex {
                directory: Directory::open(path).ok()?,
                reach: *reach,
            })
        };
        let of_project = annexes.of_project.iter().flatten();
        Self {
            open: HashMap::new(),
            of_personal: Rc::new(annexes.of_personal.iter().filter_map(open).collect()),
            of_project: Rc::new(of_project.filter_map(open).collect()),
            adviser: Rc::new(Adviser {
                admitting,
                follows: annexes.of_project.is_some(),
                given: RefCell::default(),
            }),
            common,
        }
    }

    /// Returns the boundary at a canonical path, and opens it if it is not open.
    pub fn at(&mut self, path: &Path, reach: Reach) -> io::Result<Rc<Boundary>> {
        let key = (path.to_owned(), reach);
        if let Some(boundary) = self.open.get(&key) {
            return Ok(Rc::clone(boundary));
        }
        let annexes = match reach {
            Reach::Personal => &self.of_personal,
            _ => &self.of_project,
        };
        let boundary = Rc::new(Boundary {
            directory: Directory::open(path)?,
            reach,
            annexes: Rc::clone(annexes),
            adviser: Rc::clone(&self.adviser),
            common: Rc::clone(&self.common),
        });
        self.open.insert(key, Rc::clone(&boundary));
        Ok(boundary)
    }
}

/// Where a name in a directory leads. Paths are canonical.
#[derive(Debug)]
pub(crate) enum Located {
    /// There is no such entry.
    Absent,
    /// A regular file inside the boundary.
    File(PathBuf),
    /// A directory inside the boundary.
    Directory(PathBuf),
    /// Something that must not or cannot be used.
    Refused(Refused),
}

/// The result of reading an entry of a directory.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There is no such entry.
    Absent,
    Read(Reading),
    /// The entry must not or cannot be read.
    Refused(Refused),
}

/// An open file.
struct Opened {
    file: File,
    stat: Stat,
    /// Whether everybody may create files in its directory.
    is_open: bool,
}

impl Boundary {
    /// Returns the boundary of a skill, which is its own directory.
    pub fn of_skill(directory: Directory, common: Rc<Common>) -> Self {
        Self {
            directory,
            reach: Reach::Skill,
            annexes: Rc::default(),
            adviser: Rc::default(),
            common,
        }
    }

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
            FileType::Symlink => self.follow(directory, name),
            other => Located::Refused(no_regular_file(other)),
        }
    }

    /// Resolves a way from the boundary's directory as [`Resolver::resolve`] does.
    pub fn resolve(&self, way: &Path) -> io::Result<PathBuf> {
        self.common.resolver.resolve(&self.directory.path, way)
    }

    /// Reads an entry of a directory inside the boundary. The reading has the bytes if there are at most
    /// `bytes_max`.
    pub fn read(
        &self,
        directory: &Directory,
        name: &OsStr,
        bytes_max: u64,
        reader: &mut Reader,
    ) -> Outcome {
        let read = self.opened(directory, name).and_then(|opened| {
            let read = opened.map(|(file, stat, path)| reader.read(file, &stat, path, bytes_max));
            read.transpose()
        });
        match read {
            Ok(Some(reading)) => Outcome::Read(reading),
            Ok(None) => Outcome::Absent,
            Err(refused) => Outcome::Refused(refused),
        }
    }

    /// Returns the first bytes of an entry of a directory inside the boundary, at most `bytes_max`. Returns
    /// none if it cannot be read.
    pub fn begin(
        &self,
        directory: &Directory,
        name: &OsStr,
        bytes_max: u64,
        reader: &mut Reader,
    ) -> Vec<u8> {
        match self.opened(directory, name) {
            Ok(Some((file, stat, _))) => reader.begin(file, &stat, bytes_max),
            _ => Vec::new(),
        }
    }

    /// Opens an entry of a directory inside the boundary as a regular file, and returns its canonical path
    /// too. Returns `None` if there is no such entry.
    fn opened(
        &self,
        directory: &Directory,
        name: &OsStr,
    ) -> Result<Option<(File, Stat, PathBuf)>, Refused> {
        for _ in 0..ATTEMPTS_MAX {
            let path = match self.locate(directory, name) {
                Located::File(path) => path,
                Located::Absent => return Ok(None),
                Located::Refused(refused) => return Err(refused),
                Located::Directory(path) => {
                    return Err(no_regular_file(FileType::Directory).leading_to(path));
                }
            };
            match self.open(&path) {
                Ok(Some(opened)) => {
                    self.require_known(&path, &opened)?;
                    return Ok(Some((opened.file, opened.stat, path)));
                }
                Ok(None) => {}
                Err(error) => return Err(Refused::failed(&error)),
            }
        }
        Err(Refused::unreadable("it changed while it was being read"))
    }

    fn follow(&self, directory: &Directory, link: &OsStr) -> Located {
        let target = match self
            .common
            .resolver
            .resolve(&directory.path, Path::new(link))
        {
            Ok(target) => target,
            Err(error) => return Located::Refused(unresolved(&error)),
        };
        let Some((held, reach, below)) = self.holder(&target) else {
            return Located::Refused(self.escape(target));
        };
        // A working directory may itself lie below a hidden one. Only the way from it counts.
        let from_directory = target.strip_prefix(&directory.path);
        let way = match held.path == self.directory.path {
            true => from_directory.unwrap_or(below),
            false => below,
        };
        if let Some(refused) = reach.refusal(way) {
            return Located::Refused(self.advised(refused, target));
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

    /// Returns the held directory that a canonical path lies below, its reach, and the way from it.
    fn holder<'p>(&self, path: &'p Path) -> Option<(&Directory, Reach, &'p Path)> {
        let annexes = self.annexes.iter();
        let annexes = annexes.map(|annex| (&annex.directory, annex.reach));
        let mut held = std::iter::once((&self.directory, self.reach)).chain(annexes);
        held.find_map(|(directory, reach)| {
            let below = path.strip_prefix(&directory.path).ok()?;
            Some((directory, reach, below))
        })
    }

    /// Opens the directory at a canonical path inside the boundary or an annex.
    pub fn descend(&self, path: &Path) -> io::Result<Directory> {
        let (held, _, below) = self.holder(path).ok_or(io::ErrorKind::NotFound)?;
        held.descend(below)
    }

    fn escape(&self, target: PathBuf) -> Refused {
        let root = self.directory.path.display();
        self.advised(Refused::invalid(format!("the link escapes {root}")), target)
    }

    /// Adds the target to a refusal, and the command that allows the target if there is one.
    fn advised(&self, mut refused: Refused, target: PathBuf) -> Refused {
        let advice = match self.reach {
            Reach::Skill => None,
            reach => self.adviser.advice(&target, reach),
        };
        if let Some(advice) = advice {
            refused.reason = format!("{}; {advice}", refused.reason);
        }
        refused.leading_to(target)
    }

    /// Refuses a file of an untrusted user in a directory where everybody may create files.
    fn require_known(&self, path: &Path, opened: &Opened) -> Result<(), Refused> {
        let owner = opened.stat.st_uid;
        if !opened.is_open || self.common.trust.is_believed(owner, path) {
            return Ok(());
        }
        let directory = path.parent().unwrap_or(path);
        Err(Refused::invalid(format!(
            "it belongs to the user {owner}, and stands where everybody may write; {}",
            trust::advice(directory)
        )))
    }

    /// Opens a regular file at a canonical path inside the boundary. Returns `None` if something else has
    /// taken its place since it was located.
    fn open(&self, path: &Path) -> io::Result<Option<Opened>> {
        let swapped = |error: &io::Error| {
            let errno = Errno::from_io_error(error);
            matches!(
                errno,
                Some(Errno::LOOP | Errno::NOTDIR | Errno::NOENT | Errno::NXIO)
            )
        };
        match self.open_without_links(path) {
            Ok(opened) if is_regular(&opened.stat) => Ok(Some(opened)),
            Ok(_) => Ok(None),
            Err(error) if swapped(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open_without_links(&self, path: &Path) -> io::Result<Opened> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let parent = self.descend(parent)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = openat(
            parent.descriptor(),
            name,
            flags | OFlags::NOCTTY,
            Mode::empty(),
        )?;
        let stat = fstat(&fd)?;
        Ok(Opened {
            file: File::from(fd),
            stat,
            is_open: parent.is_open,
        })
    }
}

impl Adviser {
    /// Returns the command that allows the target of a link, for a root of this reach.
    fn advice(&self, target: &Path, reach: Reach) -> Option<String> {
        let key = (target.to_owned(), reach);
        let mut given = self.given.borrow_mut();
        let advice = given
            .entry(key)
            .or_insert_with(|| advice(target, reach, self));
        advice.clone()
    }
}

/// Computes the result of [`Adviser::advice`].
fn advice(target: &Path, reach: Reach, adviser: &Adviser) -> Option<String> {
    if barred(target).is_some() || !gives_something(target) {
        return None;
    }
    let shown = for_a_shell(target);
    if !adviser.follows && adviser.admitting.admits(target).is_some() {
        return Some(format!("`ctxpin source add {shown}` reads it"));
    }
    let directory = match target.is_dir() {
        true => target,
        false => target.parent()?,
    };
    let directory = for_a_shell(directory);
    Some(match reach {
        _ if adviser.follows => format!("--allow-root {directory} allows it"),
        Reach::Personal => format!("--allow-root {directory} allows it"),
        _ => format!("--allow-root {directory} and `ctxpin source add {shown}` read it"),
    })
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}
