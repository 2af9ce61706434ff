//! Resources, what they consist of, and how they change.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One thing found in a workspace, as a snapshot holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Resource {
    /// 16 hexadecimal digits, the same in every snapshot that has the resource: the start of the
    /// SHA-256 of its kind, a NUL and its source.
    pub id: String,
    /// `instruction_file`, `skill`, `mcp_config` or `mcp_server`.
    pub kind: String,
    /// The absolute path of what is a file (a skill's is its `SKILL.md`), the name of an
    /// `mcp_server`.
    pub source: String,
    /// `ok`, `oversize`, `unreadable`, `invalid` or `excluded`.
    pub status: String,
    /// Why it is not used, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// SHA-256 of its bytes; a skill's is that of its `SKILL.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// Real size in bytes.
    pub size_bytes: u64,
    /// The root that contributed it: an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// A skill's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A skill's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A skill's supporting files, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SkillFile>,
    /// The tools of an `mcp_server`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// What an `mcp_config` says, without any value that could be a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// What a person should know of it although it is used. Absent too until it has been worked out,
    /// which takes a moment after an upgrade.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// What a model is not given of its text; absent if that is nothing, or not worked out yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
}

/// What a person should know of a resource, or of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// What is warned of, such as `comment-kept`: a stable word.
    pub code: String,
    /// The line of the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What the code says of this case, such as a name or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Something that a person should know of a workspace and that no resource tells, such as an import that
/// leads nowhere or an entry that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// The file or directory that it is about: an absolute path of at most 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it is, such as `import-missing`: a stable word.
    pub code: String,
    /// The line of the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What the code says of this case, such as a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How many bytes a model is not given of a text, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// Comments, processing instructions, declarations and CDATA sections outside of code.
    pub comment: u64,
    /// Characters without shape, and those that turn the direction of others.
    pub invisible: u64,
    /// Blanks at the end of lines and blank lines past the first, outside of code.
    pub blank: u64,
}

/// A supporting file of a skill.
///
/// Read leniently in a push too, since it is the same shape in answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkillFile {
    /// Path below the skill's directory, with `/`.
    pub path: String,
    /// SHA-256 of its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// Real size in bytes.
    pub size_bytes: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Why its bytes are not part of the snapshot, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A tool of an MCP server, by the server's own name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tool {
    /// The server's own name for it.
    pub name: String,
    /// What it does, for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its input.
    #[schema(value_type = Object)]
    pub input_schema: Map<String, Value>,
}

/// What may be told of an `.mcp.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shape {
    /// Its servers by name.
    pub servers: Vec<ServerShape>,
}

/// What may be told of one server in an `.mcp.json`: never a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerShape {
    /// Its key under `mcpServers`, or `(unfit name)` for one that could hold a secret.
    pub name: String,
    /// `stdio`, `http`, `sse`, `streamable-http` or `(unknown)`.
    pub transport: String,
    /// The program of a local server, without its directory and arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The host of a remote server, as far as it is made of words, without user, port, path or query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Names of its environment variables, sorted.
    #[serde(default)]
    pub env: Vec<String>,
    /// Names of its headers, sorted.
    #[serde(default)]
    pub headers: Vec<String>,
}

/// One resource of a pin with its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResourceText {
    /// The resource.
    #[serde(flatten)]
    pub resource: Resource,
    /// Its bytes as text, as they were in the workspace; null where the snapshot holds none.
    #[schema(required = true)]
    pub body: Option<String>,
}

/// The effect that an older server does not tell: it may be the strongest.
pub(super) fn effect_unknown() -> String {
    "prompt".to_owned()
}

/// One thing that differs between a pin and a head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// The kind of the resource, or `facts`.
    pub kind: String,
    /// The source of the resource; empty for the facts.
    pub source: String,
    /// `added`, `removed`, `modified` or `moved` (the same content in another order).
    pub change: String,
    /// What of that which a model is given differs: `prompt`, `skill`, `tools` or `none`.
    #[serde(default = "effect_unknown")]
    #[schema(required = true)]
    pub effect: String,
    /// Why it differs, where the workspace is as it was: `rules`, if the same bytes are read by other
    /// rules since an upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The resource as the pin has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Resource>,
    /// The resource as the head has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Resource>,
}
