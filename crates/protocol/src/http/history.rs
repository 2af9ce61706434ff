//! A chat's pin history, and the query for a page of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::page::PageQuery;

/// The page of a chat's history to return.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// The `next` of the previous page; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The greatest number of items, from 1 to 500. The default is 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

impl From<PageQuery> for HistoryQuery {
    fn from(page: PageQuery) -> Self {
        Self {
            cursor: page.cursor,
            limit: page.limit,
        }
    }
}

/// An entry of a chat's history: a move of its pin, or a decision that left the pin where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// `move`, `decline` or `undecline`. A decline and an undecline name the pin that was kept.
    #[serde(default = "move_kind")]
    #[schema(required = true)]
    pub kind: String,
    /// The head that was declined, or that waits for a decision again; absent for a move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The number of the move in the chat's history, counted from 1. For a decision, the number of the move to the pin that
    /// was kept.
    pub seq: i64,
    /// The pinned snapshot; null if the pin was cleared.
    #[schema(required = true)]
    pub snapshot: Option<String>,
    /// The hash of what a model gets through the pin; null if the pin was cleared.
    #[schema(required = true)]
    pub context_hash: Option<String>,
    /// The agent that the chat was bound to.
    #[schema(required = true)]
    pub agent_id: Option<Uuid>,
    /// `create`, `hydrate`, `refresh`, `rebind`, `rollback`, `inherit`, `follow`, `additive`,
    /// `append`, `settle`, `clear`, `render` or `observe`; for a decision its kind.
    pub reason: String,
    /// The version of the renderer that made the prompt; null if the pin was cleared.
    #[schema(required = true)]
    pub renderer: Option<i64>,
    /// Whether every MCP server had answered or failed at that time.
    pub mcp_settled: bool,
    /// True if the client of an observed chat may have read other files than those of the snapshot, because nobody watched
    /// or no scan was awaited when it read them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub unconfirmed: bool,
    /// The number of the turn whose evidence has shown that the client read the snapshot, for a pin that was
    /// `unconfirmed` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_turn: Option<i64>,
    pub actor: Actor,
    pub at: DateTime<Utc>,
}

/// Returns the kind of an entry of a server that tells of moves alone.
fn move_kind() -> String {
    MOVE.to_owned()
}

/// The kind of a move.
pub const MOVE: &str = "move";

/// The user, the agent or the system that moved a pin or decided, and the door through which the request came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    /// `user`, `agent` or `system`.
    pub kind: String,
    /// The id of the user or the agent; absent for the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The name of the user or the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The way into the server: `api`, `page` (the web page), `agent` or `system`.
    pub door: String,
}
