//! Why claims are refused, with the member that breaks a rule.

use std::fmt::Display;

use crate::hash::BlobHash;
use crate::limits::cut;

/// Greatest length of a member's path in an error, in bytes.
const MEMBER_BYTES_MAX: usize = 200;

/// The error of claims that no correct agent sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    #[error("`{member}`: {reason}")]
    Member {
        /// The path of the member, such as `resources[3].source`.
        member: String,
        /// The rule that it breaks, for people.
        reason: String,
    },
    /// Bytes do not have the hash under which they were sent.
    #[error("`blobs.{claimed}`: the bytes under this hash have the hash {computed}")]
    HashMismatch {
        /// The hash under which they were sent.
        claimed: BlobHash,
        /// The hash that they have.
        computed: BlobHash,
    },
}

impl InvalidManifest {
    /// Returns the error of a member. A long path is cut.
    pub fn of_member(member: impl Display, reason: impl Into<String>) -> Self {
        Self::Member {
            member: cut(&member.to_string(), MEMBER_BYTES_MAX).to_owned(),
            reason: reason.into(),
        }
    }

    /// Returns the path of the member that breaks a rule.
    pub fn member(&self) -> String {
        match self {
            Self::Member { member, .. } => member.clone(),
            Self::HashMismatch { claimed, .. } => format!("blobs.{claimed}"),
        }
    }
}
