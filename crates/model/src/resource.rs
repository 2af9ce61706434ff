//! Resources: what a scan finds in a workspace.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::glob::IgnoreRules;
use crate::hash::BlobHash;
use crate::limits::{SNAPSHOT_LISTED_MAX, SOURCE_BYTES_MAX, cut, json_bytes};
use crate::mcp::Detail;

/// The bodies of a snapshot, which are the bytes of its instruction files and skills, by their hash.
pub type Bodies = BTreeMap<BlobHash, Arc<[u8]>>;

/// Declares an enum whose variants have one spelling, which the wire, the stores and people share.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the spelling of this variant.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::resource::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|variant| variant.as_str() == text)
                    .ok_or_else(|| $crate::resource::UnknownWord::new(
                        text,
                        Self::ALL.iter().map(|variant| variant.as_str()),
                    ))
            }
        }
    };
}
pub(crate) use spelled;

/// Returns `about` with the meaning of each word: "Where the tools come from: `live` from the agent,
/// `pinned` from the pin".
pub(crate) fn explained<W: Copy + fmt::Display>(
    about: &str,
    words: &[W],
    meaning: fn(W) -> &'static str,
) -> String {
    let words = words.iter();
    let words = words.map(|word| format!("`{word}` {}", meaning(*word)));
    format!("{about}: {}", words.collect::<Vec<_>>().join(", "))
}

/// The error of parsing a word that is no spelling of an enum's variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not one of {known}")]
pub struct UnknownWord {
    word: String,
    known: String,
}

impl UnknownWord {
    pub(crate) fn new(word: &str, known: impl Iterator<Item = &'static str>) -> Self {
        Self {
            word: cut(word, 80).to_owned(),
            known: known.collect::<Vec<_>>().join(", "),
        }
    }
}

spelled! {
    /// The kind of a resource.
    Kind {
        /// A text that a model gets at every turn, such as `AGENTS.md`.
        InstructionFile = "instruction_file",
        /// A directory with a `SKILL.md` (agentskills.io).
        Skill = "skill",
        /// A `.mcp.json`, of which only the shape leaves the workspace.
        McpConfig = "mcp_config",
        /// A running MCP server with its tools.
        McpServer = "mcp_server",
    }
}

impl Kind {
    /// Returns whether resources of this kind reach a model through the prompt and the skills. The
    /// other kinds reach it as tools.
    pub fn is_context(self) -> bool {
        matches!(self, Self::InstructionFile | Self::Skill)
    }
}

spelled! {
    /// Whether a resource can be used, and if not, why.
    Status {
        /// It is used.
        Ok = "ok",
        /// It exceeds its size limit.
        Oversize = "oversize",
        /// It could not be read, or the MCP server did not start.
        Unreadable = "unreadable",
        /// It breaks a rule of its kind.
        Invalid = "invalid",
        /// It is valid, but shadowed by another resource or past a limit of the snapshot.
        Excluded = "excluded",
    }
}

/// The hash of a resource's or file's bytes, and whether the snapshot has the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The bytes are part of the snapshot and stored.
    Pinned(BlobHash),
    /// The bytes never left the workspace. The hash shows changes, and gives access to no bytes.
    Claimed(BlobHash),
}

impl Content {
    /// Returns the hash, pinned or claimed.
    pub fn hash(self) -> BlobHash {
        match self {
            Self::Pinned(hash) | Self::Claimed(hash) => hash,
        }
    }

    /// Returns the hash if the bytes are pinned.
    pub fn pinned(self) -> Option<BlobHash> {
        match self {
            Self::Pinned(hash) => Some(hash),
            Self::Claimed(_) => None,
        }
    }
}

/// The id of a resource, which is the same in every snapshot: the first 8 bytes of the SHA-256 of its
/// kind, a NUL and its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId([u8; 8]);

impl ResourceId {
    /// Returns the id of the resource with this kind and source.
    pub fn of(kind: Kind, source: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(kind.as_str());
        hasher.update([0]);
        hasher.update(source);
        let hash: [u8; 32] = hasher.finalize().into();
        let mut short = [0; 8];
        short.copy_from_slice(&hash[..8]);
        Self(short)
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for ResourceId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut short = [0; 8];
        hex::decode_to_slice(text, &mut short)?;
        Ok(Self(short))
    }
}

/// An instruction file, skill, MCP configuration or MCP server of a workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub kind: Kind,
    /// The absolute path of a file (a skill's is its `SKILL.md`), or the name of an MCP server. Unique
    /// for each kind within a snapshot, at most [`SOURCE_BYTES_MAX`] bytes.
    pub source: String,
    pub status: Status,
    /// Why the resource is not used, as a message for people.
    pub error: Option<String>,
    /// The content of the file (a skill's is its `SKILL.md`). It is [`Content::Pinned`] exactly if the
    /// status is `ok` and the kind is an instruction file or a skill.
    pub content: Option<Content>,
    /// The size of the whole file in bytes, even if only a part was read.
    pub size: u64,
    /// The name of a skill. That of a skill for some files begins with their directory, see
    /// [`crate::skill::scoped_name`].
    pub name: Option<String>,
    /// The description of a skill.
    pub description: Option<String>,
    /// The absolute path of the root in which the resource was found.
    pub root: Option<String>,
    pub detail: Option<Detail>,
    /// The supporting files of a skill, by path.
    pub files: Vec<SkillFile>,
    /// Which files an instruction file or a skill is for. `None` if it is for the whole work.
    pub applies: Option<Applies>,
    /// The source of the instruction file that imports this one.
    pub imported_by: Option<String>,
}

/// The files that an instruction file is for. A tool gives it to its model as soon as it reads one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applies {
    /// The absolute path of a directory. The files lie below it.
    pub below: String,
    /// Globs as in a `.gitignore`, from that directory. Without any, all files below it count.
    pub globs: Vec<String>,
    /// Further files, at most [`ALSO_MAX`] times.
    pub also: Vec<Also>,
}

/// Further files that an instruction file is for, such as because a file of another directory imports it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Also {
    /// The absolute path of a directory. The files lie below it.
    pub below: String,
    /// Globs from that directory, as in [`Applies::globs`].
    pub globs: Vec<String>,
    /// The source of the instruction file behind which the tool gives this one then. `None` if it gives it in the
    /// snapshot's order.
    pub behind: Option<String>,
}

impl Applies {
    /// Returns the files below a directory that match one of the globs, or all of them without any.
    pub fn to(below: impl Into<String>, globs: Vec<String>) -> Self {
        Self {
            below: below.into(),
            globs,
            also: Vec::new(),
        }
    }

    /// Adds further files, unless they are among the present ones as far as their directories and globs say.
    pub fn add(&mut self, also: Also) {
        let is_among = |below: &str, globs: &[String]| {
            let is_same = below == also.below && globs == also.globs;
            is_same || globs.is_empty() && is_below(&also.below, below)
        };
        let mut known = self.also.iter();
        let is_known = is_among(&self.below, &self.globs)
            || known.any(|known| is_among(&known.below, &known.globs));
        if !is_known {
            self.also.push(also);
        }
    }

    /// Reads what [`Self::canonical_json`] returns. Returns `None` if the text is something else.
    pub fn from_canonical_json(json: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(json).ok()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let globs = |value: &Value| serde_json::from_value(value.get("globs")?.clone()).ok();
        let also = value.get("also").map(|also| {
            let also = also.as_array()?.iter().map(|also| {
                let behind = also.get("behind").map(|behind| text(behind).ok_or(()));
                Some(Also {
                    below: text(also.get("below")?)?,
                    globs: globs(also)?,
                    behind: behind.transpose().ok()?,
                })
            });
            also.collect::<Option<Vec<_>>>()
        });
        Some(Self {
            below: text(value.get("below")?)?,
            globs: globs(&value)?,
            also: also.unwrap_or_else(|| Some(Vec::new()))?,
        })
    }

    /// Returns the canonical JSON (RFC 8785), as stores keep it.
    pub fn canonical_json(&self) -> String {
        let mut json = json!({ "below": self.below, "globs": self.globs });
        if !self.also.is_empty() {
            let also = self.also.iter().map(|also| {
                let mut json = json!({ "below": also.below, "globs": also.globs });
                if let Some(behind) = &also.behind {
                    json["behind"] = json!(behind);
                }
                json
            });
            json["also"] = also.collect();
        }
        serde_jcs::to_string(&json).expect("a JSON value always has a canonical form")
    }

    /// Returns whether a file is one of them, by its absolute path.
    pub fn covers(&self, path: &str) -> bool {
        self.covers_first(path) || self.also.iter().any(|also| also.covers(path))
    }

    /// Returns whether a file is one of those that need no [`Also`].
    pub(crate) fn covers_first(&self, path: &str) -> bool {
        covers(&self.below, &self.globs, path)
    }

    /// Estimates the size as JSON, in bytes.
    fn json_bytes(&self) -> u64 {
        let behind = self.also.iter().filter_map(|also| also.behind.as_ref());
        let behind: u64 = behind.map(|source| json_bytes(source)).sum();
        let ways = self.ways().map(|(below, globs)| {
            let globs: u64 = globs.iter().map(|glob| json_bytes(glob) + 1).sum();
            64 + json_bytes(below) + globs
        });
        behind + ways.sum::<u64>()
    }

    /// Returns the directories, each with its globs.
    pub fn ways(&self) -> impl Iterator<Item = (&str, &[String])> {
        let first = (self.below.as_str(), self.globs.as_slice());
        let also = self.also.iter();
        [first]
            .into_iter()
            .chain(also.map(|also| (also.below.as_str(), also.globs.as_slice())))
    }
}

impl Also {
    /// Returns whether a file is one of them, by its absolute path.
    pub(crate) fn covers(&self, path: &str) -> bool {
        covers(&self.below, &self.globs, path)
    }
}

/// The greatest number of further groups of files that one instruction file is for.
pub const ALSO_MAX: usize = SNAPSHOT_LISTED_MAX;

fn covers(below: &str, globs: &[String], path: &str) -> bool {
    rest_below(path, below).is_some_and(|rest| {
        globs.is_empty() || IgnoreRules::new(globs.iter().map(String::as_str)).matches(rest)
    })
}

/// Returns whether a path is a directory or lies below it.
fn is_below(path: &str, directory: &str) -> bool {
    path == directory || rest_below(path, directory).is_some()
}

/// Returns what of a path is below a directory.
fn rest_below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    rest.strip_prefix('/')
}

impl Resource {
    /// Makes a resource with nothing but a kind, a source and a status.
    pub fn new(kind: Kind, source: impl Into<String>, status: Status) -> Self {
        Self {
            kind,
            source: source.into(),
            status,
            error: None,
            content: None,
            size: 0,
            name: None,
            description: None,
            root: None,
            detail: None,
            files: Vec::new(),
            applies: None,
            imported_by: None,
        }
    }

    /// Returns the id of the resource.
    pub fn id(&self) -> ResourceId {
        ResourceId::of(self.kind, &self.source)
    }

    /// Returns the name that a skill gives itself, without the directory for whose files it is.
    pub fn own_name(&self) -> Option<&str> {
        let name = self.name.as_deref()?;
        let is_scoped = self.kind == Kind::Skill && self.applies.is_some();
        let own = name.split_once(':').filter(|_| is_scoped);
        Some(own.map_or(name, |(_, own)| own))
    }

    /// Returns the hash of the pinned body, if there is one.
    pub fn body(&self) -> Option<BlobHash> {
        self.content.and_then(Content::pinned)
    }

    /// Returns whether the resource is an `ok` instruction file or skill, and so reaches a model from
    /// the pin.
    pub fn reaches_context(&self) -> bool {
        self.status == Status::Ok && self.kind.is_context()
    }

    /// Iterates over the hashes of the pinned body and of the pinned files.
    pub fn stored(&self) -> impl Iterator<Item = BlobHash> {
        let files = self.files.iter().filter_map(SkillFile::body);
        self.body().into_iter().chain(files)
    }

    /// Estimates the size of the resource as JSON, in bytes. The estimate is seldom too low.
    pub fn json_bytes(&self) -> u64 {
        let texts = [
            &self.error,
            &self.name,
            &self.description,
            &self.root,
            &self.imported_by,
        ];
        let texts = texts.into_iter().flatten().chain([&self.source]);
        let applies = self.applies.iter();
        let applies: u64 = applies.map(Applies::json_bytes).sum();
        let files = self.files.iter().map(|file| {
            let error = file.error.as_deref().unwrap_or_default();
            256 + json_bytes(&file.path) + json_bytes(error)
        });
        let detail = self
            .detail
            .as_ref()
            .map(|detail| detail.canonical_json().len() as u64);
        let texts: u64 = texts.map(|text| json_bytes(text)).sum();
        512 + texts + applies + files.chain(detail).sum::<u64>()
    }

    /// Returns the size of the resource and of its files, in bytes.
    pub fn total_bytes(&self) -> u64 {
        let files = self.files.iter().map(|file| file.size);
        files.fold(self.size, u64::saturating_add)
    }
}

/// A supporting file of a skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillFile {
    /// The path below the skill's directory, separated by `/`, at most [`SOURCE_BYTES_MAX`] bytes.
    pub path: String,
    pub content: Option<Content>,
    /// The size of the whole file in bytes.
    pub size: u64,
    /// Whether the file's owner may execute it.
    pub executable: bool,
    /// Why the file is not pinned, as a message for people.
    pub error: Option<String>,
}

impl SkillFile {
    /// Returns the hash of the file's bytes, if they are pinned.
    pub fn body(&self) -> Option<BlobHash> {
        self.content.and_then(Content::pinned)
    }
}

/// Shortens a source or a path to [`SOURCE_BYTES_MAX`]. A shortened one ends with the hash of the
/// whole, so different sources stay different.
pub fn fit_source(source: &str) -> String {
    if source.len() <= SOURCE_BYTES_MAX {
        return source.to_owned();
    }
    let digits = &BlobHash::of(source.as_bytes()).hex()[..16];
    let room = SOURCE_BYTES_MAX - digits.len() - 1;
    format!("{}~{digits}", cut(source, room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sources_stay_apart() {
        let a = fit_source(&format!("/{}a", "é".repeat(600)));
        let b = fit_source(&format!("/{}b", "é".repeat(600)));
        assert!(a.len() <= SOURCE_BYTES_MAX && b.len() <= SOURCE_BYTES_MAX);
        assert_ne!(a, b);
        assert_eq!(fit_source("/short"), "/short");
    }

    #[test]
    fn words_have_one_spelling() {
        assert_eq!("mcp_server".parse(), Ok(Kind::McpServer));
        let error = "Skill".parse::<Kind>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`Skill` is not one of instruction_file, skill, mcp_config, mcp_server"
        );
    }
}
