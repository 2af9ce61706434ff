//! Turns: generations by the model, stamped with what was in force.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::skills::SkillEntry;

/// One generation by the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Turn {
    /// Its place in the chat, from 1.
    pub number: i64,
    /// The snapshot that was in force; null while the chat was unpinned.
    #[schema(required = true)]
    pub snapshot: Option<String>,
    /// SHA-256 of the prompt that was in force; null while the chat was unpinned.
    #[schema(required = true)]
    pub prompt_hash: Option<String>,
    /// The snapshot that the tools came from; null without any.
    #[schema(required = true)]
    pub tools_snapshot: Option<String>,
    /// `delivered` if ctxpin handed the context to the model, `observed` if it only looked on.
    pub delivery: String,
    /// The caller's own id for it; unique within the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// Begins a turn, or repeats the request that did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnBegin {
    /// The caller's own id for it, 1 to 200 characters. Repeating it answers the same turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub reference: Option<String>,
    /// `delivered` (without it) or `observed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
}

/// A turn that has begun, with what the model is to be given. Bodies are told to tokens that may read: without
/// the scope `read` the answer has no `prompt`, `prompt_tokens`, `skills` and `tools`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TurnBegun {
    /// The turn.
    #[serde(flatten)]
    pub turn: Turn,
    /// The system prompt; empty while the chat is unpinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// About how many tokens the prompt has: an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// What is to be told to the model beside the prompt; null where nothing is.
    #[schema(required = true)]
    pub notices: Option<String>,
    /// The skills that may be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<SkillEntry>>,
    /// The tools that may be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<ToolOffer>>,
    /// What the caller should know: why there is no prompt, or that the policy or the tools have
    /// changed what a provider caches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// A tool as it is offered to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolOffer {
    /// `server__tool`, of at most 64 letters, digits, `_` and `-`.
    pub name: String,
    /// The MCP server.
    pub server: String,
    /// The server's own name for the tool.
    pub tool: String,
    /// What it does, for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its input.
    #[schema(value_type = Object)]
    pub input_schema: Map<String, Value>,
}

/// The tools that a turn of a chat would offer. Read as a page, it is the whole list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolList {
    /// The tools that may be called, by name.
    pub items: Vec<ToolOffer>,
    /// Always null: there is one page.
    #[schema(required = true)]
    pub next: Option<String>,
    /// The tools that are not offered, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid: Vec<ToolInvalid>,
}

/// A tool that an MCP server has and a model is not offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolInvalid {
    /// The MCP server.
    pub server: String,
    /// The server's own name for the tool.
    pub tool: String,
    /// Why it is not offered, for people.
    pub reason: String,
}
