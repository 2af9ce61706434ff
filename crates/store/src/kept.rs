//! A cache of immutable content: snapshots and rendered prompts, by their hash, and how many lines two texts differ in. The database still decides
//! each time what a caller may read and which prompt a chat has. Only the content comes from here.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use ctxpin_model::diff::lines::LineCounts;
use ctxpin_model::diff::texts::PairHashes;
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::ChatId;
use ctxpin_model::resource::Resource;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_model::treatment::{TreatedSnapshot, Treatment};

/// The most memory for snapshots, in bytes: about a thousand snapshots of 50 resources.
const SNAPSHOT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The most memory for prompts, in bytes: a few hundred large ones.
const PROMPT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The most chats whose last prompt is remembered. Each takes about 100 bytes.
const CHATS_MAX: usize = 65_536;

/// The most pairs of texts whose line counts are kept. Each takes about 150 bytes.
const LINE_COUNTS_MAX: usize = 65_536;

// The usual sizes, from which the caches derive how many entries they allocate at first.
const SNAPSHOT_BYTES_USUAL: u64 = 32 * 1024;
const PROMPT_BYTES_USUAL: u64 = 64 * 1024;

/// The snapshots that were most recently read or pushed.
pub(crate) struct SnapshotCache(Cache<SnapshotId, KeptSnapshot, SnapshotSize>);

/// A snapshot with its approximate size in memory. The size is computed once, because the cache asks for
/// it on every insertion and eviction.
#[derive(Clone)]
struct KeptSnapshot {
    snapshot: Arc<TreatedSnapshot>,
    bytes: u64,
}

#[derive(Clone)]
struct SnapshotSize;

impl Weighter<SnapshotId, KeptSnapshot> for SnapshotSize {
    fn weight(&self, _: &SnapshotId, kept: &KeptSnapshot) -> u64 {
        kept.bytes
    }
}

/// Returns the approximate size of a resource in memory, in bytes.
fn bytes_of(resource: &Resource) -> u64 {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let texts = resource.source.len()
        + text(&resource.error)
        + text(&resource.name)
        + text(&resource.description)
        + text(&resource.root);
    let file = size_of::<ctxpin_model::resource::SkillFile>();
    let files = resource.files.iter().map(|f| file + f.path.len());
    // A JSON tree takes a few times the size of its text.
    let detail = resource.detail.as_ref();
    let detail = detail.map_or(0, |detail| 4 * detail.canonical_json().len());
    (size_of::<Resource>() + texts + files.sum::<usize>() + detail) as u64
}

impl Default for SnapshotCache {
    fn default() -> Self {
        let count = (SNAPSHOT_BYTES_MAX / SNAPSHOT_BYTES_USUAL) as usize;
        Self(Cache::with_weighter(
            count,
            SNAPSHOT_BYTES_MAX,
            SnapshotSize,
        ))
    }
}

impl SnapshotCache {
    pub fn get(&self, id: SnapshotId) -> Option<Arc<TreatedSnapshot>> {
        self.0.get(&id).map(|kept| kept.snapshot)
    }

    /// Caches a snapshot if all its treatments by the renderer are known. Otherwise the next read may find
    /// more of them.
    pub fn keep(&self, id: SnapshotId, snapshot: &Arc<TreatedSnapshot>, renderer: i64) {
        if !snapshot.treatments.cover(snapshot, renderer) {
            return;
        }
        let resources = snapshot.resources.iter().map(bytes_of);
        let treatments = snapshot.treatments.iter().map(|(key, treatment)| {
            let details = treatment
                .warnings
                .iter()
                .flat_map(|warning| &warning.detail);
            let details: usize = details.map(String::len).sum();
            let warnings = size_of_val(&treatment.warnings[..]);
            (size_of_val(key) + size_of::<Treatment>() + warnings + details) as u64
        });
        let bytes = resources.chain(treatments).sum::<u64>() + size_of::<Snapshot>() as u64;
        let snapshot = Arc::clone(snapshot);
        self.0.insert(id, KeptSnapshot { snapshot, bytes });
    }
}

/// The prompts that were most recently read, and which of them each chat had then.
pub(crate) struct PromptCache {
    of_chats: Cache<ChatId, BlobHash>,
    bytes: Cache<BlobHash, Bytes, PromptSize>,
}

#[derive(Clone)]
struct PromptSize;

impl Weighter<BlobHash, Bytes> for PromptSize {
    fn weight(&self, _: &BlobHash, bytes: &Bytes) -> u64 {
        bytes.len() as u64
    }
}

impl Default for PromptCache {
    fn default() -> Self {
        let count = (PROMPT_BYTES_MAX / PROMPT_BYTES_USUAL) as usize;
        Self {
            of_chats: Cache::new(CHATS_MAX),
            bytes: Cache::with_weighter(count, PROMPT_BYTES_MAX, PromptSize),
        }
    }
}

impl PromptCache {
    /// Returns the prompt that a chat had at the last read. The chat may have another one by now.
    pub fn last_of(&self, chat: ChatId) -> Option<(BlobHash, Bytes)> {
        let hash = self.of_chats.get(&chat)?;
        Some((hash, self.bytes.get(&hash)?))
    }

    pub fn keep(&self, chat: ChatId, hash: BlobHash, bytes: &Bytes) {
        self.of_chats.insert(chat, hash);
        self.bytes.insert(hash, bytes.clone());
    }
}

/// The line counts of the pairs of texts that were most recently compared. A text never changes, so neither do
/// its counts.
pub struct LineCountCache(Cache<PairHashes, LineCounts>);

impl Default for LineCountCache {
    fn default() -> Self {
        Self(Cache::new(LINE_COUNTS_MAX))
    }
}

impl LineCountCache {
    /// Returns the counts of a pair, if they are kept.
    pub fn get(&self, pair: &PairHashes) -> Option<LineCounts> {
        self.0.get(pair)
    }

    /// Keeps the counts of a pair.
    pub fn keep(&self, pair: PairHashes, counts: LineCounts) {
        self.0.insert(pair, counts);
    }
}
