//! A text that a turn had, and the snapshots around the turn that hold it.

use crate::hash::BlobHash;
use crate::resource::{Kind, ResourceId};

/// A resource of snapshots around a turn, with one of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldText {
    pub kind: Kind,
    pub source: String,
    pub content: BlobHash,
    /// The number of the newest of these pins that has the text.
    pub pin: Option<i64>,
    /// The number of the newest of these heads that has it.
    pub head: Option<i64>,
}

impl HeldText {
    /// Returns the id of the resource.
    pub fn id(&self) -> ResourceId {
        ResourceId::of(self.kind, &self.source)
    }
}
