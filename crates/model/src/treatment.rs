//! Treatments: the results of rendering one resource each. A treatment depends on the resource's
//! bytes alone, so the server computes it once and stores it beside them.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::hash::BlobHash;
use crate::resource::{Kind, Resource};
use crate::snapshot::Snapshot;
use crate::warning::Warning;

/// The result of rendering an instruction file or a `SKILL.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Treatment {
    /// The hash of the text that a model gets. An instruction file that is left out of the prompt has
    /// an empty text.
    pub given: BlobHash,
    pub removed: Removed,
    /// The warnings, in the order of the file.
    pub warnings: Vec<Warning>,
}

/// The number of bytes removed from a resource, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Comments, processing instructions, declarations and CDATA sections.
    pub comment: u64,
    /// Invisible characters, and those that change the direction of text.
    pub invisible: u64,
    /// Blanks at line ends, and blank lines after another blank line.
    pub blank: u64,
}

impl Removed {
    /// Returns whether no bytes are removed.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// The inputs that determine a treatment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreatmentKey {
    pub blob: BlobHash,
    /// The kind as which the blob is rendered. The same bytes give different treatments as an
    /// instruction file and as a skill.
    pub kind: Kind,
    /// The version of the renderer.
    pub renderer: i64,
}

/// The treatments of a snapshot's resources that are known so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Treatments(BTreeMap<TreatmentKey, Treatment>);

impl Treatments {
    /// An empty set of treatments.
    pub const NONE: Self = Self(BTreeMap::new());

    /// Returns the treatment of a resource's body by a renderer, if it is known.
    pub fn of(&self, resource: &Resource, renderer: i64) -> Option<&Treatment> {
        let key = TreatmentKey {
            blob: resource.body()?,
            kind: resource.kind,
            renderer,
        };
        self.0.get(&key)
    }

    /// Returns the treatment of `key`, if it is known.
    pub fn get(&self, key: &TreatmentKey) -> Option<&Treatment> {
        self.0.get(key)
    }

    /// Adds a treatment.
    pub fn insert(&mut self, key: TreatmentKey, treatment: Treatment) {
        self.0.insert(key, treatment);
    }

    /// Iterates over all treatments, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&TreatmentKey, &Treatment)> {
        self.0.iter()
    }

    /// Returns whether the treatment by `renderer` is known of every resource of `snapshot` that
    /// reaches a model.
    pub fn cover(&self, snapshot: &Snapshot, renderer: i64) -> bool {
        let mut resources = snapshot.resources.iter();
        resources
            .all(|resource| !resource.reaches_context() || self.of(resource, renderer).is_some())
    }
}

/// A snapshot with the known treatments of its resources.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TreatedSnapshot {
    pub snapshot: Snapshot,
    /// Treatments by any version of the renderer.
    pub treatments: Treatments,
}

impl Deref for TreatedSnapshot {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}
