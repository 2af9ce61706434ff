//! A resource: one thing found in a workspace.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::hash::BlobHash;
use crate::limits::{SOURCE_BYTES_MAX, cut, json_bytes};
use crate::skill::files;

/// The bytes of the bodies of a snapshot, by their hash.
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

            /// The one spelling of this variant.
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

/// A word that is none of those that are known where it stands.
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
    /// What a resource is.
    Kind {
        /// A text that a model reads at every turn, such as `AGENTS.md`.
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
    /// Whether a resource of this kind reaches the model through the prompt and the skills; the
    /// others reach it as tools.
    pub fn is_context(self) -> bool {
        matches!(self, Self::InstructionFile | Self::Skill)
    }
}

spelled! {
    /// Whether a resource can be used, and if not, why.
    Status {
        /// It is used.
        Ok = "ok",
        /// It is larger than its limit.
        Oversize = "oversize",
        /// It could not be read, or did not start.
        Unreadable = "unreadable",
        /// It breaks a rule of its kind.
        Invalid = "invalid",
        /// It is sound, but something else is used in its place or no room is left.
        Excluded = "excluded",
    }
}

/// What is known of a thing's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The bytes are stored and belong to the snapshot.
    Pinned(BlobHash),
    /// The bytes never left the workspace. The hash tells that they changed, and opens nothing.
    Claimed(BlobHash),
}

impl Content {
    /// The hash, whatever it is good for.
    pub fn hash(self) -> BlobHash {
        match self {
            Self::Pinned(hash) | Self::Claimed(hash) => hash,
        }
    }

    /// The hash of bytes that are stored.
    pub fn pinned(self) -> Option<BlobHash> {
        match self {
            Self::Pinned(hash) => Some(hash),
            Self::Claimed(_) => None,
        }
    }
}

/// The short name of a resource within any snapshot: the first 8 bytes of the SHA-256 of its kind,
/// a NUL and its source. Equal in every snapshot that has the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId([u8; 8]);

impl ResourceId {
    /// The id of the resource of that kind and source.
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

/// One thing found in a workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// What it is.
    pub kind: Kind,
    /// Where it is: the absolute path of a file-backed resource (a skill's is its `SKILL.md`), the
    /// name of an MCP server. Unique per kind within a snapshot, at most
    /// [`SOURCE_BYTES_MAX`] bytes.
    pub source: String,
    /// Whether it is used.
    pub status: Status,
    /// Why it is not used, for people.
    pub error: Option<String>,
    /// What is known of its bytes; a skill's are those of its `SKILL.md`. [`Content::Pinned`]
    /// exactly when the status is `ok` and the kind is an instruction file or a skill.
    pub content: Option<Content>,
    /// Real size of the file in bytes, also where it was not read to its end.
    pub size: u64,
    /// A skill's name.
    pub name: Option<String>,
    /// A skill's description.
    pub description: Option<String>,
    /// The root that contributed it: an absolute path.
    pub root: Option<String>,
    /// What a configuration or a server consists of.
    pub detail: Option<Detail>,
    /// A skill's supporting files, by path.
    pub files: Vec<SkillFile>,
}

impl Resource {
    /// A resource of which nothing else is known yet.
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
        }
    }

    /// Its short name.
    pub fn id(&self) -> ResourceId {
        ResourceId::of(self.kind, &self.source)
    }

    /// The hash of its stored body, if it has one.
    pub fn body(&self) -> Option<BlobHash> {
        self.content.and_then(Content::pinned)
    }

    /// Whether it reaches a model from the pin: an `ok` instruction file or skill.
    pub fn reaches_context(&self) -> bool {
        self.status == Status::Ok && self.kind.is_context()
    }

    /// The hashes of all bytes that the snapshot stores for it: its body and its files'.
    pub fn stored(&self) -> impl Iterator<Item = BlobHash> {
        let files = self.files.iter().filter_map(SkillFile::body);
        self.body().into_iter().chain(files)
    }

    /// How long it is in an answer, in bytes: about what it takes as JSON, and seldom less.
    pub fn json_bytes(&self) -> u64 {
        let texts = [&self.error, &self.name, &self.description, &self.root];
        let texts = texts.into_iter().flatten().chain([&self.source]);
        let files = self.files.iter().map(|file| {
            let error = file.error.as_deref().unwrap_or_default();
            256 + json_bytes(&file.path) + json_bytes(error)
        });
        let detail = self
            .detail
            .as_ref()
            .map(|detail| detail.canonical_json().len() as u64);
        512 + texts.map(|text| json_bytes(text)).sum::<u64>() + files.chain(detail).sum::<u64>()
    }

    /// How many bytes it has, with a skill's files.
    pub fn total_bytes(&self) -> u64 {
        let files = self.files.iter().map(|file| file.size);
        files.fold(self.size, u64::saturating_add)
    }

    /// Takes the resource out of use: its bytes and its detail are no longer part of the snapshot,
    /// the hashes of its bytes stay as claims, so that a change still shows; those of a skill's files
    /// as one.
    pub fn demote(&mut self, status: Status, reason: impl Into<String>) {
        let claim = |content: Option<Content>| content.map(|c| Content::Claimed(c.hash()));
        self.status = status;
        self.error = Some(reason.into());
        self.content = claim(self.content);
        self.detail = None;
        self.files = files::summarise(std::mem::take(&mut self.files));
    }
}

/// A supporting file of a skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillFile {
    /// Path below the skill's directory, with `/`, at most [`SOURCE_BYTES_MAX`] bytes.
    pub path: String,
    /// What is known of its bytes.
    pub content: Option<Content>,
    /// Real size in bytes.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Why its bytes are not part of the snapshot, for people.
    pub error: Option<String>,
}

impl SkillFile {
    /// The hash of its stored bytes, if they are stored.
    pub fn body(&self) -> Option<BlobHash> {
        self.content.and_then(Content::pinned)
    }
}

/// What a configuration or a server consists of, apart from any bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// The shape of an `mcp_config`: its servers by name, never a value that could be a secret.
    Shape(Vec<ServerShape>),
    /// The tools of an `mcp_server`, in the server's order.
    Tools(Vec<Tool>),
}

/// What may be told of one server in an `.mcp.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerShape {
    /// Its key under `mcpServers`, or `(unfit name)` for one that could hold a secret.
    pub name: String,
    /// `stdio`, `http`, `sse`, `streamable-http` or `(unknown)`.
    pub transport: String,
    /// The program of a local server, without its directory and arguments.
    pub command: Option<String>,
    /// The host of a remote server, as far as it is made of words, without user, port, path or query.
    pub host: Option<String>,
    /// Names of its environment variables, sorted.
    pub env: Vec<String>,
    /// Names of its headers, sorted.
    pub headers: Vec<String>,
}

/// A tool that an MCP server offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// The server's own name for it.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// JSON Schema of its input: always an object, and an empty one stays one.
    pub input_schema: Map<String, Value>,
}

impl Detail {
    /// Canonical JSON (RFC 8785): equal details have equal bytes. This is what is hashed and
    /// stored.
    pub fn canonical_json(&self) -> Vec<u8> {
        let value = match self {
            Self::Shape(servers) => {
                json!({ "servers": servers.iter().map(shape_value).collect::<Vec<_>>() })
            }
            Self::Tools(tools) => {
                json!({ "tools": tools.iter().map(tool_value).collect::<Vec<_>>() })
            }
        };
        serde_jcs::to_vec(&value).expect("a JSON value always has a canonical form")
    }

    /// Returns the same JSON for people: indented, with a line feed at its end.
    pub fn indented_json(&self) -> String {
        let value: Value = serde_json::from_slice(&self.canonical_json()).unwrap_or_default();
        format!("{value:#}\n")
    }

    /// Reads what [`Self::canonical_json`] wrote, in this release or another: a member that is not
    /// known is passed over. `None` if these are not such bytes.
    pub fn from_canonical_json(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        if let Some(servers) = value.get("servers") {
            let servers = servers.as_array()?.iter().map(shape_from_value);
            return servers.collect::<Option<_>>().map(Self::Shape);
        }
        let tools = value.get("tools")?.as_array()?.iter().map(tool_from_value);
        tools.collect::<Option<_>>().map(Self::Tools)
    }
}

fn shape_value(server: &ServerShape) -> Value {
    let mut object = Map::new();
    object.insert("name".into(), server.name.clone().into());
    object.insert("transport".into(), server.transport.clone().into());
    if let Some(command) = &server.command {
        object.insert("command".into(), command.clone().into());
    }
    if let Some(host) = &server.host {
        object.insert("host".into(), host.clone().into());
    }
    object.insert("env".into(), server.env.clone().into());
    object.insert("headers".into(), server.headers.clone().into());
    object.into()
}

fn shape_from_value(value: &Value) -> Option<ServerShape> {
    let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    let names = |key: &str| -> Option<Vec<String>> {
        let names = value.get(key)?.as_array()?.iter();
        names.map(|name| name.as_str().map(str::to_owned)).collect()
    };
    Some(ServerShape {
        name: text("name")?,
        transport: text("transport")?,
        command: text("command"),
        host: text("host"),
        env: names("env")?,
        headers: names("headers")?,
    })
}

fn tool_value(tool: &Tool) -> Value {
    let mut object = Map::new();
    object.insert("name".into(), tool.name.clone().into());
    if let Some(description) = &tool.description {
        object.insert("description".into(), description.clone().into());
    }
    object.insert("input_schema".into(), tool.input_schema.clone().into());
    object.into()
}

fn tool_from_value(value: &Value) -> Option<Tool> {
    Some(Tool {
        name: value.get("name")?.as_str()?.to_owned(),
        description: value
            .get("description")
            .and_then(Value::as_str)
            .map(str::to_owned),
        input_schema: value.get("input_schema")?.as_object()?.clone(),
    })
}

/// Cuts a source or a path that is longer than [`SOURCE_BYTES_MAX`] and ends it with the hash of
/// the whole, so that two long sources stay two.
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
    fn a_detail_reads_back() {
        let shape = Detail::Shape(vec![ServerShape {
            name: "files".into(),
            transport: "stdio".into(),
            command: Some("npx".into()),
            host: None,
            env: vec!["TOKEN".into()],
            headers: vec![],
        }]);
        let json = shape.canonical_json();
        assert_eq!(
            String::from_utf8_lossy(&json),
            r#"{"servers":[{"command":"npx","env":["TOKEN"],"headers":[],"name":"files","transport":"stdio"}]}"#
        );
        assert_eq!(Detail::from_canonical_json(&json), Some(shape));
        let tools = Detail::Tools(vec![Tool {
            name: "read".into(),
            description: None,
            input_schema: Map::new(),
        }]);
        let json = tools.canonical_json();
        assert_eq!(
            String::from_utf8_lossy(&json),
            r#"{"tools":[{"input_schema":{},"name":"read"}]}"#
        );
        assert_eq!(Detail::from_canonical_json(&json), Some(tools));
        assert_eq!(Detail::from_canonical_json(b"{}"), None);
    }

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
