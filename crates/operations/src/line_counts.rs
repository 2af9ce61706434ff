//! How many lines changes add and remove. A text never changes, so the counts of a pair of texts are kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ctxpin_model::diff::Change;
use ctxpin_model::diff::lines::LineCounts;
use ctxpin_model::diff::texts::{Pair, detail_line_counts, pairs};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::Bodies;
use ctxpin_store::kept::LineCountCache;

use crate::workshop::Watch;

/// The most bytes of texts that one count reads.
const READ_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The longest count.
pub(crate) const COUNTING_TIME_MAX: Duration = Duration::from_secs(2);

/// The texts of one or several changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangedTexts {
    pairs: Vec<Pair>,
    /// The lines of the details of MCP configurations and servers, which have no body.
    details: LineCounts,
}

impl ChangedTexts {
    /// Returns the texts that differ in some changes.
    pub fn of<'c>(changes: impl IntoIterator<Item = &'c Change<'c>>, deadline: Instant) -> Self {
        let mut texts = Self::default();
        for change in changes {
            texts.pairs.extend(pairs(change));
            let details = detail_line_counts(change, deadline);
            texts.details = [texts.details, details].into_iter().sum();
        }
        texts
    }
}

/// A count of lines within the limits of one response.
pub(crate) struct Counting {
    kept: Arc<LineCountCache>,
    texts: Vec<ChangedTexts>,
    blobs: BTreeSet<BlobHash>,
    bytes: u64,
}

impl Counting {
    /// Plans to count the lines of several changes. Only pairs whose counts are not kept are read, and only as many
    /// as fit.
    pub fn of(kept: Arc<LineCountCache>, texts: Vec<ChangedTexts>) -> Self {
        let (mut blobs, mut bytes) = (BTreeSet::new(), 0);
        for pair in texts.iter().flat_map(|texts| &texts.pairs) {
            let more: u64 = pair.stored().map(|stored| stored.size).sum();
            if kept.get(&pair.hashes()).is_none() && bytes + more <= READ_BYTES_MAX {
                bytes += more;
                blobs.extend(pair.stored().map(|stored| stored.hash));
            }
        }
        Self {
            kept,
            texts,
            blobs,
            bytes,
        }
    }

    /// Returns the hashes of the texts to read.
    pub fn blobs(&self) -> &BTreeSet<BlobHash> {
        &self.blobs
    }

    /// Returns the number of bytes to read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts the lines. `None` stands for what exceeds the limits. The next count finds what this one kept.
    pub fn counts(&self, bodies: &Bodies, watch: &Watch) -> Vec<Option<LineCounts>> {
        let counts = self.texts.iter().map(|texts| {
            let pairs = texts.pairs.iter();
            let counts: Option<LineCounts> =
                pairs.map(|pair| self.of_pair(pair, bodies, watch)).sum();
            counts.map(|counts| [counts, texts.details].into_iter().sum())
        });
        counts.collect()
    }

    fn of_pair(&self, pair: &Pair, bodies: &Bodies, watch: &Watch) -> Option<LineCounts> {
        let hashes = pair.hashes();
        if let Some(kept) = self.kept.get(&hashes) {
            return Some(kept);
        }
        if watch.is_over() {
            return None;
        }
        let counts = pair.line_counts(bodies, watch.deadline())?;
        if watch.is_over() {
            // The comparison may have been cut short.
            return None;
        }
        self.kept.keep(hashes, counts);
        Some(counts)
    }
}
