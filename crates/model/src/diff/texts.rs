//! The differences of one change, with its texts, within a budget.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::attributes::attributes;
use super::lines::{Bounds, Hunk, LineCounts, hunks};
use super::{Change, line_ends};
use crate::hash::BlobHash;
use crate::limits::json_bytes;
use crate::resource::{Bodies, Resource, Status};
use crate::snapshot::Snapshot;

/// The differences of one change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// A message for each difference that is not in a text.
    pub sentences: Vec<String>,
    /// The texts that differ: the resource's own first, then a skill's files by path below its directory.
    pub files: Vec<FileDifference>,
}

/// The difference of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDifference {
    /// The path in the pin. `None` if the file is new.
    pub pinned: Option<String>,
    /// The path in the head. `None` if the file is removed.
    pub head: Option<String>,
    /// A message, if only the line ends differ.
    pub line_ends: Option<String>,
    pub lines: Lines,
}

/// The different lines of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lines {
    Hunks(Vec<Hunk>),
    /// At least one side is not text.
    Binary,
    /// The hunks exceed the budget.
    TooLarge {
        pinned: Option<Stored>,
        head: Option<Stored>,
    },
}

/// The hash and the size, in bytes, of one side of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub hash: BlobHash,
    pub size: u64,
}

/// The limits of computing a difference.
#[derive(Clone, Copy)]
pub struct Budget<'b> {
    /// The limits of its texts. Bytes are counted as by [`Difference::bytes`].
    pub bounds: Bounds,
    /// Returns whether to stop, because of a deadline or because no caller waits any more.
    pub is_over: &'b dyn Fn() -> bool,
}

impl Budget<'_> {
    /// Returns the budget with another limit of bytes.
    fn within(self, bytes_max: u64) -> Self {
        let bounds = Bounds {
            bytes_max,
            ..self.bounds
        };
        Self { bounds, ..self }
    }
}

/// The two sides of a text that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pinned: Option<Part>,
    head: Option<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    source: String,
    stored: Stored,
}

impl Pair {
    /// Iterates over the sides that exist.
    pub fn stored(&self) -> impl Iterator<Item = Stored> {
        let sides = [&self.pinned, &self.head].into_iter().flatten();
        sides.map(|part| part.stored)
    }

    /// Returns the hashes of both sides. They alone decide how many lines differ.
    pub fn hashes(&self) -> PairHashes {
        [&self.pinned, &self.head].map(|part| part.as_ref().map(|part| part.stored.hash))
    }

    /// Counts the lines that differ. A side that is not text has no lines. `None` if `bodies` lacks a side.
    pub fn line_counts(&self, bodies: &Bodies, deadline: Instant) -> Option<LineCounts> {
        let [pinned, head] = self.bytes(bodies)?;
        Some(match (text(&pinned), text(&head)) {
            (Some(pinned), Some(head)) => LineCounts::between(pinned, head, deadline),
            _ => LineCounts::default(),
        })
    }

    /// Returns the bytes of both sides, where a missing side is empty. `None` if `bodies` lacks a side.
    fn bytes(&self, bodies: &Bodies) -> Option<[Arc<[u8]>; 2]> {
        let bytes = |part: &Option<Part>| match part {
            Some(part) => bodies.get(&part.stored.hash).cloned(),
            None => Some(Arc::default()),
        };
        Some([bytes(&self.pinned)?, bytes(&self.head)?])
    }

    fn difference(&self, lines: Lines, line_ends: Option<String>) -> FileDifference {
        let source = |part: &Option<Part>| part.as_ref().map(|part| part.source.clone());
        FileDifference {
            pinned: source(&self.pinned),
            head: source(&self.head),
            line_ends,
            lines,
        }
    }

    fn too_large(&self) -> FileDifference {
        let stored = |part: &Option<Part>| part.as_ref().map(|part| part.stored);
        let lines = Lines::TooLarge {
            pinned: stored(&self.pinned),
            head: stored(&self.head),
        };
        self.difference(lines, None)
    }

    /// Compares the two sides. `None` if `bodies` lacks one of them, or if the budget is used up.
    fn compared(&self, bodies: &Bodies, budget: Budget<'_>) -> Option<FileDifference> {
        if (budget.is_over)() {
            return None;
        }
        let [pinned, head] = self.bytes(bodies)?;
        let (Some(pinned), Some(head)) = (text(&pinned), text(&head)) else {
            return Some(self.difference(Lines::Binary, None));
        };
        let lines = Lines::Hunks(hunks(pinned, head, budget.bounds)?);
        let both = self.pinned.as_ref().zip(self.head.as_ref());
        let ends = both.and_then(|_| line_ends(pinned, head));
        Some(self.difference(lines, ends))
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok();
    text.filter(|text| !text.contains('\0'))
}

/// The hashes of the two sides of a text. `None` stands for a side that does not exist.
pub type PairHashes = [Option<BlobHash>; 2];

/// Counts the lines that differ in the details of an MCP configuration or server, as indented JSON.
pub fn detail_line_counts(change: &Change<'_>, deadline: Instant) -> LineCounts {
    let json = |resource| detail_of(resource).map_or_else(String::new, |(_, json)| json);
    LineCounts::between(&json(change.pinned), &json(change.head), deadline)
}

/// Returns the texts that differ in a change: the resource's own first, then a skill's files by path.
pub fn pairs(change: &Change<'_>) -> Vec<Pair> {
    let (mut pinned, mut head) = (parts(change.pinned), parts(change.head));
    let paths: BTreeSet<_> = pinned.keys().chain(head.keys()).copied().collect();
    let pairs = paths.into_iter().map(|path| Pair {
        pinned: pinned.remove(&path),
        head: head.remove(&path),
    });
    let hash = |part: &Option<Part>| part.as_ref().map(|part| part.stored.hash);
    pairs
        .filter(|pair| hash(&pair.pinned) != hash(&pair.head))
        .collect()
}

/// Returns the pinned body of a resource under `None`, and the pinned files of a skill under their paths.
fn parts(resource: Option<&Resource>) -> BTreeMap<Option<&str>, Part> {
    let Some(resource) = resource else {
        return BTreeMap::new();
    };
    let body = resource.body().map(|hash| {
        let source = resource.source.clone();
        let size = resource.size;
        let stored = Stored { hash, size };
        (None, Part { source, stored })
    });
    let directory = resource
        .source
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory);
    let files = resource.files.iter().filter_map(|file| {
        let (hash, size) = (file.body()?, file.size);
        let source = format!("{directory}/{}", file.path);
        let stored = Stored { hash, size };
        Some((Some(file.path.as_str()), Part { source, stored }))
    });
    body.into_iter().chain(files).collect()
}

impl Difference {
    /// Computes the difference of a change between two snapshots. `None` if it exceeds the budget.
    pub fn whole(
        change: &Change<'_>,
        snapshots: (&Snapshot, &Snapshot),
        bodies: &Bodies,
        budget: Budget<'_>,
    ) -> Option<Self> {
        Self::of(change, snapshots, bodies, budget, |_| None)
    }

    /// Computes the difference of a change between two snapshots. Texts that exceed the budget are
    /// [`Lines::TooLarge`].
    pub fn within(
        change: &Change<'_>,
        snapshots: (&Snapshot, &Snapshot),
        bodies: &Bodies,
        budget: Budget<'_>,
    ) -> Self {
        Self::of(change, snapshots, bodies, budget, Some).unwrap_or_default()
    }

    fn of(
        change: &Change<'_>,
        (pinned, head): (&Snapshot, &Snapshot),
        bodies: &Bodies,
        budget: Budget<'_>,
        past: impl Fn(FileDifference) -> Option<FileDifference>,
    ) -> Option<Self> {
        let sentences = attributes(change, pinned, head);
        let mut difference = Self {
            sentences,
            files: Vec::new(),
        };
        let mut left = budget.bounds.bytes_max.saturating_sub(difference.bytes());
        for pair in pairs(change) {
            let file = match pair.compared(bodies, budget.within(left)) {
                Some(file) => file,
                None => past(pair.too_large())?,
            };
            left = left.saturating_sub(file.bytes());
            difference.files.push(file);
        }
        if let Some(file) = detail(change, budget.within(left)) {
            let is_past = matches!(file.lines, Lines::TooLarge { .. });
            let file = if is_past { past(file)? } else { file };
            difference.files.push(file);
        }
        Some(difference)
    }

    /// Estimates the size of the difference as JSON, in bytes. The estimate is never too low, and at most
    /// about twice too high.
    pub fn bytes(&self) -> u64 {
        let sentences = self.sentences.iter().map(|line| json_bytes(line) + 1);
        let files = self.files.iter().map(FileDifference::bytes);
        sentences.chain(files).sum()
    }
}

impl FileDifference {
    /// Counts the lines that differ. A text that is binary or too large has none.
    pub fn line_counts(&self) -> LineCounts {
        match &self.lines {
            Lines::Hunks(hunks) => LineCounts::of(hunks),
            Lines::Binary | Lines::TooLarge { .. } => LineCounts::default(),
        }
    }

    fn bytes(&self) -> u64 {
        let paths = [&self.pinned, &self.head, &self.line_ends]
            .into_iter()
            .flatten();
        let lines = match &self.lines {
            Lines::Hunks(hunks) => hunks.iter().map(Hunk::bytes).sum(),
            Lines::Binary => 0,
            Lines::TooLarge { .. } => 256,
        };
        128 + paths.map(|path| json_bytes(path)).sum::<u64>() + lines
    }
}

/// Returns the difference of the details of an MCP configuration or server, as indented JSON. `None` if
/// they are equal.
fn detail(change: &Change<'_>, budget: Budget<'_>) -> Option<FileDifference> {
    let (pinned, head) = (detail_of(change.pinned), detail_of(change.head));
    let json = |side: &Option<(String, String)>| match side {
        Some((_, json)) => json.clone(),
        None => String::new(),
    };
    let (before, now) = (json(&pinned), json(&head));
    if before == now {
        return None;
    }
    let lines = match hunks(&before, &now, budget.bounds) {
        Some(hunks) => Lines::Hunks(hunks),
        None => {
            let stored = |json: String| Stored {
                hash: BlobHash::of(json.as_bytes()),
                size: json.len() as u64,
            };
            Lines::TooLarge {
                pinned: pinned.as_ref().map(|_| stored(before)),
                head: head.as_ref().map(|_| stored(now)),
            }
        }
    };
    let source = |side: Option<(String, String)>| side.map(|(source, _)| source);
    Some(FileDifference {
        pinned: source(pinned),
        head: source(head),
        line_ends: None,
        lines,
    })
}

/// Returns the source and the detail of a usable MCP configuration or server.
fn detail_of(resource: Option<&Resource>) -> Option<(String, String)> {
    let resource = resource.filter(|resource| resource.status == Status::Ok)?;
    let json = resource.detail.as_ref()?.indented_json();
    Some((resource.source.clone(), json))
}
