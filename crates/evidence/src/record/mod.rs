//! The records that clients make of their requests, line by line. Each kind of record has a module.

mod json;
mod lines;
pub mod plugin;
pub mod rollout;
pub mod transcript;

use ctxpin_model::client_version::ClientVersion;
use serde_json::Value;

pub use lines::{Line, LineCounts, Lines};

/// Who says a string in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The client, where it puts its files or its skills.
    Instruction,
    /// The system prompt, and what else instructs the model. A person can put texts there, but the client puts no files
    /// there.
    Prompt,
    /// A message of the system of Claude Code, which has the words of the client, of persons and of hooks.
    Beside,
    User,
    Tool,
    Assistant,
}

/// A string of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<'s> {
    pub role: Role,
    pub text: &'s str,
}

/// The longest id that is kept, in characters.
const ID_CHARS_MAX: usize = 128;

/// Returns an id that a record names, if it is one: what a client puts there could be any text.
pub fn id(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let is_id = !text.is_empty() && text.len() <= ID_CHARS_MAX && text.chars().all(is_plain);
    is_id.then(|| text.to_owned())
}

/// Returns the version of the client that a record names, if it is one.
fn version(value: &Value) -> Option<ClientVersion> {
    value.as_str()?.parse().ok()
}
