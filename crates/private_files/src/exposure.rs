//! Checks who besides the user controls a file or a directory.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::FileType;
use rustix::process::geteuid;

/// A demand on the owner and the mode of a file or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// The permission bits that must not be set.
    forbidden: u32,
    is_root_trusted: bool,
}

impl Demand {
    /// Demands that the user owns the file or directory, and nobody else may write it.
    pub const fn nobody_else_writes() -> Self {
        Self {
            forbidden: 0o022,
            is_root_trusted: false,
        }
    }

    /// Demands that the user owns the file or directory, and nobody else may read, write or enter it.
    pub const fn nobody_else_enters() -> Self {
        Self {
            forbidden: 0o077,
            is_root_trusted: false,
        }
    }

    /// Demands that the user owns the file or directory, and nobody outside its group may write it.
    pub const fn only_the_group_writes() -> Self {
        Self {
            forbidden: 0o002,
            is_root_trusted: false,
        }
    }

    /// Allows root as the owner too.
    pub const fn or_roots(self) -> Self {
        Self {
            is_root_trusted: true,
            ..self
        }
    }

    /// Returns how a file with this owner and mode breaks the demand of the user `own`.
    fn broken_by(self, owner: u32, mode: u32, own: u32) -> Option<Exposure> {
        if owner != own && !(self.is_root_trusted && owner == 0) {
            return Some(Exposure::ForeignOwner { owner, own });
        }
        if mode & self.forbidden == 0 {
            return None;
        }
        Some(match self.forbidden {
            0o077 => Exposure::OthersEnter { mode },
            _ => Exposure::OthersWrite { mode },
        })
    }
}

/// The reason why others control a file or a directory too. The text says the fact and no remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exposure {
    /// Another user owns it.
    #[error("it belongs to the user {owner}, and this process runs as {own}")]
    ForeignOwner {
        /// The user id of its owner.
        owner: u32,
        /// The effective user id of this process.
        own: u32,
    },
    /// Its mode allows others to write it.
    #[error("others may write {} (mode {:o})", object(*.mode), .mode & 0o7777)]
    OthersWrite {
        /// The mode with the bits of the file's type, as the system gives it.
        mode: u32,
    },
    /// Its mode allows others to read, write or enter it.
    #[error("others may {} it (mode {:o})", access(*.mode), .mode & 0o7777)]
    OthersEnter {
        /// The mode with the bits of the file's type, as the system gives it.
        mode: u32,
    },
    /// It is a symbolic link, which may lead anywhere.
    #[error("it is a link")]
    Link,
}

impl Exposure {
    /// Returns how an opened file or directory breaks a demand.
    pub fn of(metadata: &Metadata, demand: Demand) -> Option<Self> {
        demand.broken_by(metadata.uid(), metadata.mode(), geteuid().as_raw())
    }

    /// Returns how a directory breaks a demand. A missing directory breaks none. For a link, the target
    /// counts.
    ///
    /// # Errors
    ///
    /// Fails if the metadata of the directory cannot be read.
    pub fn of_directory(path: &Path, demand: Demand) -> io::Result<Option<Self>> {
        let found = if_there(fs::metadata(path))?;
        Ok(found.and_then(|metadata| Self::of(&metadata, demand)))
    }

    /// Returns how a file breaks a demand. A missing file breaks none, and a link breaks every one.
    ///
    /// # Errors
    ///
    /// Fails if the metadata of the file cannot be read.
    pub fn of_file(path: &Path, demand: Demand) -> io::Result<Option<Self>> {
        let found = if_there(fs::symlink_metadata(path))?;
        Ok(found.and_then(|metadata| match metadata.is_symlink() {
            true => Some(Self::Link),
            false => Self::of(&metadata, demand),
        }))
    }
}

/// Returns `None` if the file or directory does not exist.
fn if_there(found: io::Result<Metadata>) -> io::Result<Option<Metadata>> {
    match found {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_directory(mode: u32) -> bool {
    FileType::from_raw_mode(mode).is_dir()
}

fn object(mode: u32) -> &'static str {
    if is_directory(mode) { "in it" } else { "it" }
}

fn access(mode: u32) -> &'static str {
    if is_directory(mode) {
        "enter"
    } else {
        "read or write"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_and_a_mode_are_judged() {
        let check = |demand: Demand, owner, mode, own, expected: Option<&str>| {
            let found = demand.broken_by(owner, mode, own);
            let found = found.map(|exposure| exposure.to_string());
            assert_eq!(
                found.as_deref(),
                expected,
                "{demand:?} {owner} {mode:o} {own}"
            );
        };
        let writes = Demand::nobody_else_writes();
        check(writes, 7, 0o40_700, 7, None);
        check(writes, 7, 0o40_755, 7, None);
        check(writes, 7, 0o100_644, 7, None);
        check(writes, 0, 0o40_700, 0, None);
        let foreign = "it belongs to the user 8, and this process runs as 7";
        check(writes, 8, 0o40_700, 7, Some(foreign));
        let roots = "it belongs to the user 0, and this process runs as 7";
        check(writes, 0, 0o40_755, 7, Some(roots));
        let users = "it belongs to the user 7, and this process runs as 0";
        check(writes, 7, 0o40_700, 0, Some(users));
        let in_it = "others may write in it (mode 770)";
        check(writes, 7, 0o40_770, 7, Some(in_it));
        let everybody = "others may write in it (mode 1777)";
        check(writes, 7, 0o41_777, 7, Some(everybody));
        let it = "others may write it (mode 620)";
        check(writes, 7, 0o100_620, 7, Some(it));

        let enters = Demand::nobody_else_enters();
        check(enters, 7, 0o40_700, 7, None);
        check(enters, 7, 0o40_500, 7, None);
        check(enters, 8, 0o40_700, 7, Some(foreign));
        let enter = "others may enter it (mode 701)";
        check(enters, 7, 0o40_701, 7, Some(enter));
        let read = "others may read or write it (mode 640)";
        check(enters, 7, 0o100_640, 7, Some(read));

        let operators = Demand::only_the_group_writes().or_roots();
        for (owner, mode) in [(0, 0o100_644), (7, 0o100_664), (0, 0o100_600)] {
            check(operators, owner, mode, 7, None);
        }
        check(operators, 8, 0o100_600, 7, Some(foreign));
        let others = "others may write it (mode 646)";
        check(operators, 0, 0o100_646, 7, Some(others));

        check(writes.or_roots(), 0, 0o100_600, 7, None);
        check(writes.or_roots(), 8, 0o100_600, 7, Some(foreign));
        check(writes.or_roots(), 0, 0o100_620, 7, Some(it));
    }
}
