//! Faults: why a request is refused, with the member that is at fault.

use std::fmt::Display;

use crate::hash::BlobHash;
use crate::limits::cut;

/// Longest name of a member in a fault, in bytes.
const MEMBER_BYTES_MAX: usize = 200;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A member breaks a rule.
    #[error("`{member}`: {reason}")]
    Malformed {
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

impl Fault {
    /// Returns the fault of a member. A long name of a member is cut.
    pub fn malformed(member: impl Display, reason: impl Into<String>) -> Self {
        Self::Malformed {
            member: cut(&member.to_string(), MEMBER_BYTES_MAX).to_owned(),
            reason: reason.into(),
        }
    }

    /// Returns the path of the member that is at fault.
    pub fn member(&self) -> String {
        match self {
            Self::Malformed { member, .. } => member.clone(),
            Self::HashMismatch { claimed, .. } => format!("blobs.{claimed}"),
        }
    }
}

/// Returns why a text is refused: it has more than `bytes_max` bytes, or a NUL, which PostgreSQL
/// cannot store. `None` if it is sound.
pub fn of_text(text: &str, bytes_max: usize) -> Option<String> {
    if text.len() > bytes_max {
        let length = text.len();
        return Some(format!(
            "it has {length} bytes, and at most {bytes_max} are taken"
        ));
    }
    text.contains('\0')
        .then(|| "it holds a NUL character, which no text may".to_owned())
}

/// Returns why a list of `count` items is refused: it has more than `count_max`. `None` if it is
/// sound.
pub fn of_count(count: usize, count_max: usize) -> Option<String> {
    (count > count_max).then(|| format!("there are {count}, and at most {count_max} are taken"))
}
