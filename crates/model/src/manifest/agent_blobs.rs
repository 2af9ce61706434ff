//! The blobs that an agent has proved to have. A hash alone proves nothing: an agent that learns a
//! hash must not read the bytes of somebody else.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::hash::BlobHash;
use crate::resource::{Bodies, SkillFile};
use crate::snapshot::Snapshot;

/// The blobs that an agent has proved to have: those of its head, those that it uploaded, and those
/// that come with the push.
#[derive(Debug, Default)]
pub struct AgentBlobs {
    facts: BTreeMap<BlobHash, BlobFacts>,
    /// The bytes of those that were read.
    bytes: Bodies,
}

/// The properties of a blob without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BlobFacts {
    size: u64,
    /// Whether the head has it as an `ok` instruction file or skill, and so it is UTF-8.
    is_text: bool,
}

impl AgentBlobs {
    /// Returns the blobs of an agent's head and its uploads, whose sizes are given by hash.
    pub fn new(head: Option<&Snapshot>, uploads: BTreeMap<BlobHash, u64>) -> Self {
        let of_size = |size, is_text| BlobFacts { size, is_text };
        let uploads = uploads.into_iter();
        let mut facts: BTreeMap<_, _> = uploads
            .map(|(hash, size)| (hash, of_size(size, false)))
            .collect();
        for resource in head.into_iter().flat_map(|head| &head.resources) {
            let files = resource.files.iter();
            for (hash, file) in files.filter_map(|file| Some((SkillFile::body(file)?, file))) {
                facts.entry(hash).or_insert(of_size(file.size, false));
            }
            if let Some(hash) = resource.body() {
                facts.insert(hash, of_size(resource.size, true));
            }
        }
        Self {
            facts,
            bytes: Bodies::new(),
        }
    }

    /// Adds the bytes of blobs. Each has the hash under which it is given.
    pub fn add(&mut self, bodies: &Bodies) {
        for (hash, bytes) in bodies {
            self.facts.entry(*hash).or_insert(BlobFacts {
                size: bytes.len() as u64,
                is_text: false,
            });
            self.bytes.insert(*hash, Arc::clone(bytes));
        }
    }

    /// Returns the bytes that were added, by their hash.
    pub fn read(&self) -> &Bodies {
        &self.bytes
    }

    pub(super) fn has(&self, hash: BlobHash) -> bool {
        self.facts.contains_key(&hash)
    }

    pub(super) fn size(&self, hash: BlobHash) -> u64 {
        self.facts.get(&hash).map_or(0, |facts| facts.size)
    }

    pub(super) fn is_text(&self, hash: BlobHash) -> bool {
        self.facts.get(&hash).is_some_and(|facts| facts.is_text)
    }

    pub(super) fn bytes(&self, hash: BlobHash) -> Option<&[u8]> {
        self.bytes.get(&hash).map(|bytes| &bytes[..])
    }
}
