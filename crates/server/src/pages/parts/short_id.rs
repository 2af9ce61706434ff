//! Short forms of ids and hashes. A click copies the whole.

use std::fmt;

use askama::filters::HtmlSafe;
use ctxpin_model::hash::{HASH_PREFIX, SnapshotId};

/// The digits of an id that a search needs.
const ID_BOLD: usize = 4;

/// The digits of a hash that a search needs.
const HASH_BOLD: usize = 8;

/// The short form of an id or a hash: a button that copies the whole.
#[derive(Debug, Clone)]
pub(crate) struct ShortId {
    whole: String,
    short: String,
    /// The length of the part that is enough to find the whole.
    bold: usize,
    noun: &'static str,
}

impl ShortId {
    /// Returns the last 8 digits of an object's id, by which commands find it. `noun` says whose id it is.
    pub fn of_id(id: impl fmt::Display, noun: &'static str) -> Self {
        let whole = id.to_string();
        let short = last_digits(&whole).to_owned();
        let bold = ID_BOLD;
        Self {
            whole,
            short,
            bold,
            noun,
        }
    }

    /// Returns the first 12 digits of a hash. `noun` says of what.
    pub fn of_hash(hash: impl fmt::Display, noun: &'static str) -> Self {
        let whole = hash.to_string();
        let digits = whole.strip_prefix(HASH_PREFIX).unwrap_or(&whole);
        let short = digits.get(..12).unwrap_or(digits).to_owned();
        let bold = HASH_BOLD;
        Self {
            whole,
            short,
            bold,
            noun,
        }
    }

    /// Returns the first 12 digits of a snapshot.
    pub fn of_snapshot(snapshot: SnapshotId) -> Self {
        Self::of_hash(snapshot, "snapshot")
    }
}

/// Returns the last 8 digits of an id.
pub(crate) fn last_digits(id: &str) -> &str {
    id.len()
        .checked_sub(8)
        .and_then(|start| id.get(start..))
        .unwrap_or(id)
}

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            whole,
            short,
            bold,
            noun,
        } = self;
        let (bold, rest) = short.split_at_checked(*bold).unwrap_or((short, ""));
        write!(
            f,
            "<button type=\"button\" class=\"id\" data-copy=\"{whole}\" title=\"Copy {whole}\">\
             <span class=\"unseen\">Copy the {noun} </span><b>{bold}</b>{rest}</button>"
        )
    }
}

/// Ids and hashes are digits and hyphens.
impl HtmlSafe for ShortId {}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn short_forms() {
        let id = ShortId::of_id(Uuid::from_u128(0xabc_def0), "chat's id").to_string();
        assert!(id.contains("<b>0abc</b>def0</button>"), "{id}");
        assert!(
            id.contains("data-copy=\"00000000-0000-0000-0000-00000abcdef0\""),
            "{id}"
        );
        let hash = ShortId::of_snapshot(SnapshotId::of(b"abc")).to_string();
        assert!(hash.contains("<b>ba7816bf</b>8f01</button>"), "{hash}");
    }
}
