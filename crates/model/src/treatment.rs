//! What a renderer makes of the bytes of one resource. Derived from the bytes alone, so that it is
//! worked out once and kept beside them.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::hash::BlobHash;
use crate::resource::{Kind, Resource};
use crate::snapshot::Snapshot;
use crate::warning::Warning;

/// What a renderer makes of an instruction file or of a `SKILL.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Treatment {
    /// The SHA-256 of the text that a model is given. The text of an instruction file that is left
    /// out of a prompt is empty.
    pub given: BlobHash,
    /// How much is taken out.
    pub removed: Removed,
    /// What a person should know of it, in the order of the file.
    pub warnings: Vec<Warning>,
}

/// Bytes that are taken out, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Of comments, processing instructions, declarations and CDATA sections.
    pub comment: u64,
    /// Of characters without shape, and of those that turn the direction of others.
    pub invisible: u64,
    /// Of blanks at the end of lines and of blank lines past the first.
    pub blank: u64,
}

impl Removed {
    /// Returns whether nothing is taken out.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// What is treated: bytes, as a resource of one kind, by one renderer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreatmentKey {
    /// The body.
    pub blob: BlobHash,
    /// As what it is read: a `SKILL.md` is treated otherwise than an instruction file.
    pub kind: Kind,
    /// The number of the renderer.
    pub renderer: i64,
}

/// Treatments of the resources of a snapshot, as far as they have been worked out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Treatments(BTreeMap<TreatmentKey, Treatment>);

impl Treatments {
    /// None at all.
    pub const NONE: Self = Self(BTreeMap::new());

    /// Returns the treatment of a resource's body, if it has one and that has been treated.
    pub fn of(&self, resource: &Resource, renderer: i64) -> Option<&Treatment> {
        let key = TreatmentKey {
            blob: resource.body()?,
            kind: resource.kind,
            renderer,
        };
        self.0.get(&key)
    }

    /// Returns the treatment of that key, if it has been worked out.
    pub fn get(&self, key: &TreatmentKey) -> Option<&Treatment> {
        self.0.get(key)
    }

    /// Adds a treatment.
    pub fn insert(&mut self, key: TreatmentKey, treatment: Treatment) {
        self.0.insert(key, treatment);
    }

    /// Returns every treatment.
    pub fn iter(&self) -> impl Iterator<Item = (&TreatmentKey, &Treatment)> {
        self.0.iter()
    }

    /// Returns whether every body of `snapshot` that reaches its context has been treated by that
    /// renderer.
    pub fn are_whole(&self, snapshot: &Snapshot, renderer: i64) -> bool {
        let mut resources = snapshot.resources.iter();
        resources
            .all(|resource| !resource.reaches_context() || self.of(resource, renderer).is_some())
    }
}

/// A snapshot with what is known of its bodies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TreatedSnapshot {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The treatments of its resources, by any renderer.
    pub treatments: Treatments,
}

impl Deref for TreatedSnapshot {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}
