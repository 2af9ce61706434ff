//! Turns: generations by a model, each recorded with what was in force for it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::evidence::{Findings, TurnEvidence};
use super::skills::SkillEntry;
use super::words::Delivery;

/// A generation by a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Turn {
    /// The turn's number in the chat, counted from 1.
    pub number: i64,
    /// The pinned snapshot; null if the chat had no pin.
    #[schema(required = true)]
    pub snapshot: Option<String>,
    /// The snapshot with which the turn began, if its pin was `unconfirmed` and evidence has shown since that the client
    /// read another one, which `snapshot` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub believed_snapshot: Option<String>,
    /// The number of the pin in the chat's history; absent without a pin, and for a turn from before this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_seq: Option<i64>,
    /// The SHA-256 of the prompt; null if the chat had no pin.
    #[schema(required = true)]
    pub prompt_hash: Option<String>,
    /// The snapshot that the tools came from; null if there were none.
    #[schema(required = true)]
    pub tools_snapshot: Option<String>,
    #[schema(value_type = Delivery)]
    pub delivery: String,
    /// The caller's id for the turn, unique within the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub started_at: DateTime<Utc>,
    /// What the requests of the turn gave the model; absent if nobody handed in evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<TurnEvidence>,
}

/// A request to begin a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnBegin {
    /// The caller's id for the turn, 1 to 200 characters. A request with the same id returns the
    /// same turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub reference: Option<String>,
    /// The default is the chat's mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Delivery>)]
    pub delivery: Option<String>,
}

/// A turn that has begun, with the context to give to the model. A token without the scope `read`
/// gets no `prompt`, `prompt_tokens`, `skills` and `tools`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TurnBegun {
    #[serde(flatten)]
    pub turn: Turn,
    /// The system prompt; empty without a pin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The estimated number of tokens of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// What to tell the model besides the prompt; null if nothing.
    #[schema(required = true)]
    pub notices: Option<String>,
    /// The skills that the model may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<SkillEntry>>,
    /// The tools that the model may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<ToolOffer>>,
    /// A message for the caller: why there is no prompt, or that the policy or the tools have
    /// changed what a provider caches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// A turn with what it gave to the model besides the text of the prompt. A caller who may not read the
/// chat's bodies gets no `skills` and `tools`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TurnGiven {
    #[serde(flatten)]
    pub turn: Turn,
    /// The size of the prompt; null if the chat had no pin.
    #[schema(required = true)]
    pub prompt_size_bytes: Option<u64>,
    /// The estimated number of tokens of the prompt; null if the chat had no pin.
    #[schema(required = true)]
    pub prompt_tokens: Option<u64>,
    /// The version of the renderer that made the prompt; null if the chat had no pin.
    #[schema(required = true)]
    pub renderer: Option<i64>,
    /// The skills that the model could ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<SkillEntry>>,
    /// The tools that the model could call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<ToolOffer>>,
    /// The rows of evidence, and what they say of each resource; absent if nobody handed in evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Findings>,
}

/// A tool that a model is offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolOffer {
    /// `server__tool`: at most 64 letters, digits, `_` and `-`.
    pub name: String,
    /// The name of the MCP server.
    pub server: String,
    /// The server's name for the tool.
    pub tool: String,
    /// The server's description, for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema of the tool's input.
    #[schema(value_type = Object)]
    pub input_schema: Map<String, Value>,
}

/// The tools that a turn of a chat would offer, in a page that holds the whole list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolList {
    /// The tools by name.
    pub items: Vec<ToolOffer>,
    /// Always null, because there is one page.
    #[schema(required = true)]
    pub next: Option<String>,
    /// The tools that are not offered, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid: Vec<ToolInvalid>,
}

/// A tool of an MCP server that a model is not offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolInvalid {
    /// The name of the MCP server.
    pub server: String,
    /// The server's name for the tool.
    pub tool: String,
    /// Why it is not offered, for people.
    pub reason: String,
}
