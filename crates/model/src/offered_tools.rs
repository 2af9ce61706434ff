//! The tools that a model is offered.

use serde_json::{Map, Value};

/// The greatest length of a tool's name, in characters, that model providers accept.
pub const TOOL_NAME_CHARS_MAX: usize = 64;

/// The tools of a snapshot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tools {
    /// In the byte order of their names, which are unique.
    pub offered: Vec<OfferedTool>,
    /// In the byte order of their servers and tools.
    pub refused: Vec<RefusedTool>,
}

/// A tool that is offered to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedTool {
    /// The tool's name for the model, `server__tool`: 1 to [`TOOL_NAME_CHARS_MAX`] of `[A-Za-z0-9_-]`.
    pub name: String,
    /// The name of the tool's MCP server.
    pub server: String,
    /// The server's name for the tool, with which it is called.
    pub tool: String,
    /// The server's description.
    pub description: Option<String>,
    /// The JSON Schema of the tool's input, as the server gave it. It is an empty object if the server
    /// gave none.
    pub input_schema: Map<String, Value>,
}

/// A tool that a model is not offered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedTool {
    /// The name of the tool's MCP server.
    pub server: String,
    /// The server's name for the tool.
    pub tool: String,
    /// Why it is not offered, as a message for people.
    pub reason: String,
}
