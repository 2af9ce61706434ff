//! Resources, their parts, and their changes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A resource as a snapshot holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Resource {
    /// 16 hexadecimal digits, the same in every snapshot: the start of the SHA-256 of the kind, a
    /// NUL and the source.
    pub id: String,
    /// `instruction_file`, `skill`, `mcp_config` or `mcp_server`.
    pub kind: String,
    /// The absolute path of a file, which is a skill's `SKILL.md`, or the name of an `mcp_server`.
    pub source: String,
    /// `ok`, `oversize`, `unreadable`, `invalid` or `excluded`.
    pub status: String,
    /// Why the resource is not used, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The SHA-256 of its bytes, which are a skill's `SKILL.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// The real size, even if it exceeds the limit.
    pub size_bytes: u64,
    /// The absolute path of the root that contributes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The name of a skill. That of a skill for some files is their directory from the working one on, a colon, and
    /// the skill's own name. Under the profile `codex`, that of a plugin's skill begins with the name of the plugin and a
    /// colon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The description of a skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The supporting files of a skill, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SkillFile>,
    /// The tools of an `mcp_server`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// The shape of an `mcp_config`: its servers, without values that could be secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// Which files an instruction file or a skill is for; absent if it is for the whole work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applies: Option<Applies>,
    /// The source of the instruction file that imports this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported_by: Option<String>,
    /// Warnings for people; the resource is used all the same. After an upgrade they are absent
    /// until the server has computed them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// How much of its text ctxpin's prompt leaves out; absent if it leaves out nothing, and until the
    /// server has computed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
}

/// The files that an instruction file is for. The tool gives it to its model when it reads one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Applies {
    /// The absolute path of a directory; the files lie below it.
    pub below: String,
    /// Globs as in a `.gitignore`, from that directory; without any, all files below it count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub globs: Vec<String>,
    /// Further files that it is for, such as those below another directory whose file imports it too. At most
    /// 2,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<AlsoApplies>,
}

/// Further files that an instruction file is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlsoApplies {
    /// The absolute path of a directory; the files lie below it.
    pub below: String,
    /// Globs as in a `.gitignore`, from that directory; without any, all files below it count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub globs: Vec<String>,
    /// The source of the instruction file behind which the tool gives this one then; absent if it gives it in the
    /// snapshot's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
}

/// A warning about a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// What the warning is about, such as `comment-kept`. Codes are stable.
    pub code: String,
    /// The line of the file, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What the code does not say, such as a name or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A warning about a workspace that belongs to no resource, such as an import that leads nowhere or
/// an entry that was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// The file or directory that it is about: an absolute path of at most 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What the note is about, such as `import-missing`. Codes are stable.
    pub code: String,
    /// The line of the file, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What the code does not say, such as a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The number of bytes of a text that ctxpin's prompt leaves out, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// Comments, processing instructions, declarations and CDATA sections outside of code.
    pub comment: u64,
    /// Invisible characters, and those that change the direction of text.
    pub invisible: u64,
    /// Blanks at line ends, and blank lines after another blank line, outside of code.
    pub blank: u64,
}

/// A supporting file of a skill.
///
/// A push may have unknown members in it, because responses have the same shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkillFile {
    /// The path below the skill's directory, with `/` as separator.
    pub path: String,
    /// The SHA-256 of its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// The real size, even if it exceeds the limit.
    pub size_bytes: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Why the snapshot does not have its bytes, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A tool of an MCP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tool {
    /// The server's name for the tool.
    pub name: String,
    /// The server's description, for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema of the tool's input.
    #[schema(value_type = Object)]
    pub input_schema: Map<String, Value>,
}

/// The shape of an `.mcp.json`: its servers, without values that could be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shape {
    /// The servers by name.
    pub servers: Vec<ServerShape>,
}

/// A server in an `.mcp.json`, with the names of its variables and headers but without their
/// values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerShape {
    /// The key under `mcpServers`, or `(unfit name)` if it could hold a secret.
    pub name: String,
    /// `stdio`, `http`, `sse`, `streamable-http` or `(unknown)`.
    pub transport: String,
    /// The program of a local server, without directory and arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The host of a remote server, as far as it consists of words, without user, port, path and
    /// query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The names of its environment variables, sorted.
    #[serde(default)]
    pub env: Vec<String>,
    /// The names of its headers, sorted.
    #[serde(default)]
    pub headers: Vec<String>,
}

/// A pinned resource with its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResourceText {
    #[serde(flatten)]
    pub resource: Resource,
    /// The bytes as text, as they were in the workspace; null if the snapshot has none.
    #[schema(required = true)]
    pub body: Option<String>,
}

/// Returns the effect to assume if an older server does not give it: the strongest.
pub(super) fn effect_unknown() -> String {
    "prompt".to_owned()
}

/// A difference between a pin and a head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// The kind of the resource, or `facts`.
    pub kind: String,
    /// The source of the resource; empty for the facts.
    pub source: String,
    /// `added`, `removed`, `modified` or `moved` (the same content in another order).
    pub change: String,
    /// What changes for a model: `prompt`, `on_demand` (an instruction file that it gets with certain
    /// files only), `skill`, `tools` or `none`.
    #[serde(default = "effect_unknown")]
    #[schema(required = true)]
    pub effect: String,
    /// Why there is a change although the workspace has none: `rules`, if an upgrade reads the same
    /// bytes by other rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The resource in the pin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Resource>,
    /// The resource in the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Resource>,
}
