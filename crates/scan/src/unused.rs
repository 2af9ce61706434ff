//! Why a scan does not use what it lists.

use std::path::PathBuf;

/// Why a resource is listed but not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unused {
    /// The tool gives it to its model, but it is nothing that a pin can hold: a command, an agent, a plugin.
    Unholdable,
    /// The tool gives it to its model, but ctxpin may not read it or cannot use it.
    Unread,
    /// A snapshot has no room for it.
    NoRoom,
    /// Another skill of its name counts.
    Shadowed {
        /// Whether the tool lists both all the same.
        is_listed: bool,
    },
    /// Another file of its directory has the same bytes.
    SameBytes,
}

impl Unused {
    /// Returns whether the tool gives it to its model although no pin holds it.
    pub fn is_given(self) -> bool {
        match self {
            Self::Unholdable | Self::Unread | Self::NoRoom => true,
            Self::Shadowed { is_listed } => is_listed,
            Self::SameBytes => false,
        }
    }
}

/// An import of a file that exists, which the tool does not follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfollowed {
    /// The file with the import.
    pub source: String,
    pub line: Option<u64>,
    /// The file that it names.
    pub path: PathBuf,
    pub reason: String,
}
