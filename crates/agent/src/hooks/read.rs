//! What a session's client has read, and what its person was told. It outlives the process.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::Profile;
use ctxpin_private_files::file;
use ctxpin_protocol::convert::resources;
use serde::{Deserialize, Serialize};

use super::state_files::StateFiles;
use crate::session::LocalSnapshot;
use crate::shared::lock;

/// What is kept of sessions: those of some weeks.
const FILES: StateFiles = StateFiles {
    count_max: 256,
    bytes_max: 64 * 1024 * 1024,
};

/// The greatest size of what is kept of one session, in bytes. Two listings of as many resources as a snapshot has fit.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How many subagents of a session are known at once. The record of one that began before is read when it ends.
const SUBAGENTS_MAX: usize = 64;

/// How many turns of a session with a compaction are known at once. Their evidence is seldom late by more.
const REREADS_MAX: usize = 64;

/// The length of Codex's id of a thread, which the name of its record ends with.
const THREAD_BYTES: usize = 36;

/// The extension of a file with what is kept of a session, and of one that notes a start of which nobody was told.
const KEPT: &str = "json";
const MISSED: &str = "missed";

/// What the client has read, what its person was told, and the subagents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Read {
    /// Where the client began. A model may change into another directory.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// The snapshot at the session's last start.
    pub snapshot: Option<Listing>,
    /// The snapshot of which the person was told last that it differs.
    pub told: Option<Listing>,
    /// The client's id of the session's last turn.
    #[serde(default)]
    pub turn: Option<String>,
    /// What the client read anew within turns, because it compacted: the last of each turn, the oldest first.
    #[serde(default)]
    pub rereads: Vec<Reread>,
    /// The subagents that began, and whose record may have something new.
    #[serde(default)]
    pub subagents: Vec<Subagent>,
}

/// What a client read within a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reread {
    /// The client's id of the turn.
    pub turn: String,
    pub snapshot: String,
}

/// A subagent of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subagent {
    /// The client's id of it.
    pub id: String,
    /// Where the client records it.
    pub record: PathBuf,
    /// Whether the client has told of its end. It may write the rest of the record later.
    #[serde(default)]
    pub has_ended: bool,
    /// Whether it is a review of Codex, whose prompt and turn are those of the session.
    #[serde(default)]
    pub is_review: bool,
}

impl Subagent {
    /// Returns the subagent that begins in a session, or `None` if it has no record. Codex names its record. Claude Code
    /// names the session's, beside which it is.
    pub fn of(client: Profile, id: &str, named: &str) -> Option<Self> {
        let record = match client {
            Profile::Codex => named.into(),
            Profile::ClaudeCode => {
                let beside = Path::new(named).with_extension("").join("subagents");
                beside.join(format!("agent-{id}.jsonl"))
            }
            Profile::Opencode | Profile::Neutral => return None,
        };
        Some(Self {
            id: id.to_owned(),
            record,
            has_ended: false,
            is_review: false,
        })
    }

    /// Returns the review that a prompt of a session of Codex begins, by the record that the prompt names. That of a review
    /// has the name of another thread.
    pub fn review(client: Profile, session: &str, named: &str) -> Option<Self> {
        let record = Path::new(named);
        let stem = record.file_stem()?.to_str()?;
        if client != Profile::Codex || stem.ends_with(session) {
            return None;
        }
        let id = stem.get(stem.len().checked_sub(THREAD_BYTES)?..)?;
        Some(Self {
            id: id.to_owned(),
            record: record.to_owned(),
            has_ended: false,
            is_review: true,
        })
    }
}

impl Read {
    /// Notes that the client compacted in the last turn, and read what the session has read last.
    pub fn compacted(&mut self) {
        let (Some(turn), Some(read)) = (&self.turn, &self.snapshot) else {
            return;
        };
        self.rereads.retain(|reread| reread.turn != *turn);
        self.rereads.push(Reread {
            turn: turn.clone(),
            snapshot: read.snapshot.clone(),
        });
        let surplus = self.rereads.len().saturating_sub(REREADS_MAX);
        self.rereads.drain(..surplus);
    }

    /// Notes that a subagent began.
    pub fn began(&mut self, subagent: Subagent) {
        self.forget(&subagent.id);
        self.subagents.push(subagent);
        let surplus = self.subagents.len().saturating_sub(SUBAGENTS_MAX);
        self.subagents.drain(..surplus);
    }

    /// Notes that the client told of a subagent's end. Returns whether it was known.
    pub fn ended(&mut self, id: &str) -> bool {
        let mut subagents = self.subagents.iter_mut();
        let subagent = subagents.find(|subagent| subagent.id == id);
        subagent.is_some_and(|subagent| {
            subagent.has_ended = true;
            true
        })
    }

    /// Forgets a subagent. Returns whether it was known.
    pub fn forget(&mut self, id: &str) -> bool {
        let before = self.subagents.len();
        self.subagents.retain(|subagent| subagent.id != id);
        self.subagents.len() < before
    }
}

/// What a snapshot lists, as far as a change is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listing {
    pub snapshot: String,
    /// A hash of each resource, by its kind and its source.
    pub resources: BTreeMap<String, BTreeMap<String, String>>,
}

impl Listing {
    /// Lists the resources of a snapshot.
    pub fn of(local: &LocalSnapshot) -> Self {
        let mut listed: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for resource in &local.snapshot().resources {
            let shape = resources::resource(resource, None);
            let json = serde_json::to_vec(&shape).unwrap_or_default();
            let of_kind = listed.entry(shape.kind).or_default();
            of_kind.insert(shape.source, BlobHash::of(&json).hex());
        }
        Self {
            snapshot: local.id.to_string(),
            resources: listed,
        }
    }

    /// Returns the sources of the resources that differ, by kind and source.
    pub fn changed_to<'l>(&'l self, other: &'l Self) -> Vec<&'l str> {
        let [before, after] = [self, other].map(|listing| {
            let kinds = listing.resources.iter();
            let resources = kinds.flat_map(|(kind, resources)| {
                let resources = resources.iter();
                resources.map(move |(source, hash)| ((kind.as_str(), source.as_str()), hash))
            });
            resources.collect::<HashMap<_, _>>()
        });
        let names = before.keys().chain(after.keys());
        let mut names: Vec<_> = names
            .filter(|name| before.get(*name) != after.get(*name))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|(_, source)| *source).collect()
    }
}

/// The directory with what is kept of sessions.
#[derive(Debug)]
pub(super) struct KeptReads {
    directory: PathBuf,
    /// Held while something is kept.
    keeping: Mutex<()>,
}

impl KeptReads {
    /// Returns what is kept in a state directory.
    pub fn of(state_directory: &Path) -> Self {
        Self {
            directory: state_directory.join("sessions"),
            keeping: Mutex::default(),
        }
    }

    /// Returns what is kept of a session. What another release or somebody else has written counts as nothing.
    pub fn read(&self, session: &str) -> Read {
        let read = file::read(&self.path(session), FILE_BYTES_MAX).ok();
        let read = read.and_then(|(json, _)| serde_json::from_slice(&json).ok());
        read.unwrap_or_default()
    }

    /// Keeps what a session has read by then. Of two calls, the later one keeps the newer.
    pub fn keep(&self, session: &str, read: impl FnOnce() -> Read) -> io::Result<()> {
        let _alone = lock(&self.keeping);
        let json = serde_json::to_vec(&read())?;
        match json.len() as u64 <= FILE_BYTES_MAX {
            true => FILES.write(&self.path(session), &json),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    /// Returns whether a session had a start of which a hook could tell nobody, and forgets that.
    pub fn take_missed(&self, session: &str) -> bool {
        fs::remove_file(self.path(session).with_extension(MISSED)).is_ok()
    }

    /// Notes a start of a session of which a hook could tell nobody, if something is kept of the session.
    pub fn note_missed(&self, session: &str) -> io::Result<()> {
        match self.has(session) {
            true => file::replace(&self.path(session).with_extension(MISSED), b""),
            false => Ok(()),
        }
    }

    /// Returns whether something is kept of a session.
    pub fn has(&self, session: &str) -> bool {
        self.path(session).exists()
    }

    /// Returns whether something was ever kept of a session.
    pub fn has_any(&self) -> bool {
        self.directory.exists()
    }

    fn path(&self, session: &str) -> PathBuf {
        let name = BlobHash::of(session.as_bytes()).hex();
        self.directory.join(format!("{name}.{KEPT}"))
    }
}
