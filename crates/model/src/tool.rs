//! The tools that a model is offered.

use serde_json::{Map, Value};

/// Longest name of a tool in characters: what the model providers accept.
pub const TOOL_NAME_CHARS_MAX: usize = 64;

/// The tools of a snapshot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tools {
    /// What is offered to the model, by name in byte order. No two have the same name.
    pub offered: Vec<Offered>,
    /// What is not, by server and tool in byte order.
    pub refused: Vec<Refused>,
}

/// A tool that is offered to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered {
    /// The model's name for it, `server__tool`: 1 to [`TOOL_NAME_CHARS_MAX`] of `[A-Za-z0-9_-]`.
    pub name: String,
    /// The name of its server.
    pub server: String,
    /// The server's own name for it, with which it is called.
    pub tool: String,
    /// What it does, in the server's words.
    pub description: Option<String>,
    /// JSON Schema of its input, as the server gave it; an empty one is an empty object.
    pub input_schema: Map<String, Value>,
}

/// A tool that a server has and a model is not offered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// The name of its server.
    pub server: String,
    /// The server's own name for it.
    pub tool: String,
    /// Why it is not offered, for people.
    pub reason: String,
}
