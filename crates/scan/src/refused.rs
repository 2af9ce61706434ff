//! Why an entry of a workspace is not used.

use std::io;
use std::path::PathBuf;

use ctxpin_model::resource::Status;
use rustix::fs::FileType;
use rustix::io::Errno;

/// The reason for not using an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Anything but `ok`.
    pub status: Status,
    pub reason: String,
    /// The target, if the entry is a link that may not be followed. The scan may reach the same file by
    /// another path.
    pub target: Option<PathBuf>,
}

impl Refused {
    /// Refuses what breaks a rule.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self {
            status: Status::Invalid,
            reason: reason.into(),
            target: None,
        }
    }

    /// Refuses what could not be read.
    pub fn unreadable(reason: impl Into<String>) -> Self {
        Self {
            status: Status::Unreadable,
            reason: reason.into(),
            target: None,
        }
    }

    /// Refuses what the system failed to read.
    pub fn failed(error: &io::Error) -> Self {
        Self::unreadable(format!("cannot be read: {error}"))
    }

    pub fn leading_to(self, target: PathBuf) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }
}

/// Refuses an entry of a kind that is no regular file.
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

/// Refuses a link that could not be resolved.
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
