//! The canonical encoding whose bytes are hashed: equal meanings have equal bytes.
//!
//! `docs/hashing.md` specifies it for other languages, and `testdata/hashing/` has vectors. A *field*
//! is a tag of one byte, the length of its value in four bytes (big-endian) and the value. A *record*
//! is a sequence of fields. The first field of the outermost record names the encoding and its
//! version. An absent optional value adds no bytes, so a later release can add an optional field
//! without changing a hash.

use crate::hash::{BlobHash, ContextHash, SnapshotId, ToolsHash};
use crate::resource::{Content, Kind, Resource, SkillFile, Status};
use crate::snapshot::{Addresses, Facts, Snapshot};

/// Tags of the fields of the outermost record.
mod top {
    pub const VERSION: u8 = 0;
    pub const FACTS: u8 = 1;
    pub const ERROR: u8 = 2;
    pub const RESOURCE: u8 = 3;
}

/// Tags of the fields of the facts.
mod fact {
    pub const OS: u8 = 1;
    pub const DIRECTORY: u8 = 2;
    pub const PROFILE: u8 = 3;
    pub const RULES: u8 = 4;
    pub const SETTINGS: u8 = 5;
}

/// Tags of the fields of a resource.
mod resource {
    pub const KIND: u8 = 1;
    pub const SOURCE: u8 = 2;
    pub const STATUS: u8 = 3;
    pub const ERROR: u8 = 4;
    pub const NAME: u8 = 5;
    pub const DESCRIPTION: u8 = 6;
    pub const PINNED: u8 = 7;
    pub const CLAIMED: u8 = 8;
    pub const SIZE: u8 = 9;
    pub const ROOT: u8 = 10;
    pub const DETAIL: u8 = 11;
    pub const FILE: u8 = 12;
    pub const APPLIES: u8 = 13;
    pub const IMPORTED_BY: u8 = 14;
}

/// Tags of the fields that say which files an instruction file is for.
mod applies {
    pub const BELOW: u8 = 1;
    pub const GLOB: u8 = 2;
    pub const ALSO: u8 = 3;
    pub const BEHIND: u8 = 4;
}

/// Tags of the fields of a skill's file.
mod file {
    pub const PATH: u8 = 1;
    pub const PINNED: u8 = 2;
    pub const CLAIMED: u8 = 3;
    pub const SIZE: u8 = 4;
    pub const EXECUTABLE: u8 = 5;
    pub const ERROR: u8 = 6;
}

impl Snapshot {
    /// Computes the hashes, in time linear in the number of resources, whatever their sizes.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            id: SnapshotId::of(&snapshot(self)),
            context_hash: ContextHash::of(&context(self)),
            tools_hash: ToolsHash::of(&tools(self)),
        }
    }
}

/// Returns the bytes whose hash is the snapshot id: everything that is stored, in its order.
pub fn snapshot(snapshot: &Snapshot) -> Vec<u8> {
    let mut record = Record::versioned("ctxpin-snapshot-1");
    record.nested(top::FACTS, facts(&snapshot.facts));
    record.optional_text(top::ERROR, snapshot.error.as_deref());
    for item in &snapshot.resources {
        let mut entry = Record::default();
        entry.text(resource::KIND, item.kind.as_str());
        entry.text(resource::SOURCE, &item.source);
        entry.text(resource::STATUS, item.status.as_str());
        entry.optional_text(resource::ERROR, item.error.as_deref());
        entry.optional_text(resource::NAME, item.name.as_deref());
        entry.optional_text(resource::DESCRIPTION, item.description.as_deref());
        entry.content(resource::PINNED, resource::CLAIMED, item.content);
        entry.number(resource::SIZE, item.size);
        entry.optional_text(resource::ROOT, item.root.as_deref());
        entry.detail(item);
        for item in by_path(&item.files) {
            let mut entry_file = Record::default();
            entry_file.text(file::PATH, &item.path);
            entry_file.content(file::PINNED, file::CLAIMED, item.content);
            entry_file.number(file::SIZE, item.size);
            entry_file.flag(file::EXECUTABLE, item.executable);
            entry_file.optional_text(file::ERROR, item.error.as_deref());
            entry.nested(resource::FILE, entry_file);
        }
        entry.standing(item);
        record.nested(top::RESOURCE, entry);
    }
    record.0
}

/// Returns the bytes whose hash is the context hash: the facts, then the `ok` instruction files, then
/// the `ok` skills, both in the snapshot's order, with the pinned files of the skills.
pub fn context(snapshot: &Snapshot) -> Vec<u8> {
    let mut record = Record::versioned("ctxpin-context-1");
    record.nested(top::FACTS, facts(&snapshot.facts));
    for item in snapshot.instruction_files().chain(snapshot.skills()) {
        record.nested(top::RESOURCE, context_entry(item));
    }
    record.0
}

/// Returns the record of one resource within the context hash. Resources with equal records are equal
/// to a model.
pub(crate) fn context_entry(item: &Resource) -> Record {
    let mut entry = Record::default();
    entry.text(resource::KIND, item.kind.as_str());
    entry.text(resource::SOURCE, &item.source);
    entry.held_by_context(item);
    entry
}

/// Returns the record of what a resource holds, wherever it lies. It is part of no stored hash.
pub(crate) fn held(item: &Resource) -> Record {
    let mut record = Record::default();
    match item.kind.is_context() {
        true => record.held_by_context(item),
        false => record.held_by_tools(item),
    }
    record
}

/// Returns the bytes whose hash is the tools hash: the `ok` MCP configurations and servers in the
/// snapshot's order.
pub fn tools(snapshot: &Snapshot) -> Vec<u8> {
    let mut record = Record::versioned("ctxpin-tools-1");
    for item in &snapshot.resources {
        if item.status == Status::Ok && !item.kind.is_context() {
            record.nested(top::RESOURCE, tools_entry(item));
        }
    }
    record.0
}

/// Returns the record of one resource within the tools hash.
pub(crate) fn tools_entry(item: &Resource) -> Record {
    let mut entry = Record::default();
    entry.text(resource::KIND, item.kind.as_str());
    entry.text(resource::SOURCE, &item.source);
    entry.held_by_tools(item);
    entry
}

/// Returns the record of the facts within the context hash.
pub(crate) fn facts(facts: &Facts) -> Record {
    let mut record = Record::default();
    record.optional_text(fact::OS, facts.os.as_deref());
    record.optional_text(fact::DIRECTORY, facts.directory.as_deref());
    if let Some(rules) = &facts.rules {
        record.text(fact::PROFILE, rules.settings.profile().as_str());
        record.number(fact::RULES, rules.version.into());
        record.text(fact::SETTINGS, &rules.settings.canonical_json());
    }
    record
}

fn by_path(files: &[SkillFile]) -> Vec<&SkillFile> {
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    files
}

/// A sequence of fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record(Vec<u8>);

impl Record {
    /// Returns the fields, encoded.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn versioned(version: &str) -> Self {
        let mut record = Self::default();
        record.text(top::VERSION, version);
        record
    }

    fn field(&mut self, tag: u8, value: &[u8]) {
        let length =
            u32::try_from(value.len()).expect("a snapshot's limits keep fields below 4 GiB");
        self.0.push(tag);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
    }

    fn text(&mut self, tag: u8, value: &str) {
        self.field(tag, value.as_bytes());
    }

    fn optional_text(&mut self, tag: u8, value: Option<&str>) {
        if let Some(value) = value {
            self.text(tag, value);
        }
    }

    fn number(&mut self, tag: u8, value: u64) {
        self.field(tag, &value.to_be_bytes());
    }

    /// Adds a flag. A flag that is not set adds no bytes.
    fn flag(&mut self, tag: u8, value: bool) {
        if value {
            self.field(tag, &[1]);
        }
    }

    fn content(&mut self, pinned: u8, claimed: u8, content: Option<Content>) {
        match content {
            Some(Content::Pinned(hash)) => self.field(pinned, hash.bytes()),
            Some(Content::Claimed(hash)) => self.field(claimed, hash.bytes()),
            None => {}
        }
    }

    /// Adds what reaches a model of an instruction file or a skill.
    fn held_by_context(&mut self, item: &Resource) {
        self.optional_text(resource::NAME, item.name.as_deref());
        self.optional_text(resource::DESCRIPTION, item.description.as_deref());
        self.content(resource::PINNED, resource::CLAIMED, item.content);
        for item in by_path(&item.files)
            .into_iter()
            .filter(|file| file.body().is_some())
        {
            let mut entry_file = Self::default();
            entry_file.text(file::PATH, &item.path);
            entry_file.content(file::PINNED, file::CLAIMED, item.content);
            entry_file.flag(file::EXECUTABLE, item.executable);
            self.nested(resource::FILE, entry_file);
        }
        self.standing(item);
    }

    /// Adds when a model gets an instruction file, and by which other one.
    fn standing(&mut self, item: &Resource) {
        if let Some(files) = &item.applies {
            let mut record = Self::files_below(&files.below, &files.globs);
            for also in &files.also {
                let mut further = Self::files_below(&also.below, &also.globs);
                further.optional_text(applies::BEHIND, also.behind.as_deref());
                record.nested(applies::ALSO, further);
            }
            self.nested(resource::APPLIES, record);
        }
        self.optional_text(resource::IMPORTED_BY, item.imported_by.as_deref());
    }

    fn files_below(below: &str, globs: &[String]) -> Self {
        let mut record = Self::default();
        record.text(applies::BELOW, below);
        for glob in globs {
            record.text(applies::GLOB, glob);
        }
        record
    }

    /// Adds what counts of an MCP configuration or server.
    fn held_by_tools(&mut self, item: &Resource) {
        self.content(resource::PINNED, resource::CLAIMED, item.content);
        self.detail(item);
    }

    fn detail(&mut self, item: &Resource) {
        if let Some(detail) = &item.detail {
            self.field(
                resource::DETAIL,
                BlobHash::of(&detail.canonical_json()).bytes(),
            );
        }
    }

    fn nested(&mut self, tag: u8, record: Self) {
        self.field(tag, &record.0);
    }
}

/// The kinds of context, in the order of a prompt.
pub(crate) const CONTEXT_KINDS: [Kind; 2] = [Kind::InstructionFile, Kind::Skill];
