//! Bulk moves: one decision about the drift of several chats.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::present;
use crate::problem::Problem;

/// A decision about several chats. Without `changes`, `decline` and `undecline`, it moves each pin to the head.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkMove {
    /// 1 to 1,000 chats.
    #[schema(min_items = 1, max_items = 1000)]
    pub chats: Vec<SeenChat>,
    /// Take only these pending changes, by their ids. A chat that has none of them stays as it is.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Vec<String>, required = false, min_items = 1, max_items = 1000)]
    pub changes: Option<Vec<String>>,
    /// True keeps each pin and declines the head.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = bool, required = false)]
    pub decline: Option<bool>,
    /// True keeps each pin and takes back that the head was declined.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = bool, required = false)]
    pub undecline: Option<bool>,
}

/// A chat as the caller has seen it. Its result is `precondition-failed` if the pin is another one, or if the head's
/// diff from the one that was seen is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenChat {
    pub chat_id: Uuid,
    /// The pinned snapshot.
    pub pin: String,
    /// The snapshot of the agent's head.
    pub head: String,
}

/// The results of a bulk move, in the order of the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BulkMoved {
    pub results: Vec<BulkResult>,
    /// The number of chats that failed.
    pub failed_count: u64,
}

/// What a bulk move did to one chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BulkResult {
    pub chat_id: Uuid,
    /// `moved`, `declined`, `undeclined`, `unchanged` (there was nothing to take or to decline) or `failed`.
    pub outcome: String,
    /// The snapshot of the new pin of a chat that moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Why the chat failed. The same problem as that of a request for this chat alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}
