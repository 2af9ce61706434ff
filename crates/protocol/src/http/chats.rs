//! Chats, and the requests to create, change and list them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::context::ChatContext;
use super::evidence::LastVerdict;
use super::page::PageQuery;
use super::present;
use super::words::{Mode, Policy, ToolsMode, Verdict};

/// A conversation with a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Chat {
    pub id: Uuid,
    /// The user that the chat belongs to; absent in the answer of a server of an older release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = true)]
    pub owner_id: Option<Uuid>,
    #[schema(required = true)]
    pub title: Option<String>,
    /// The name of the program that holds the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// That program's id for the chat, unique for each owner and client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The agent that the chat is bound to.
    #[schema(required = true)]
    pub agent_id: Option<Uuid>,
    /// The chat from which this one was forked, or for which it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<Uuid>,
    // A server of an older release names none, and has no others.
    #[serde(default = "delivered")]
    #[schema(value_type = Mode, required = true)]
    pub mode: String,
    #[schema(value_type = Policy)]
    pub policy: String,
    #[schema(value_type = ToolsMode)]
    pub tools: String,
    pub archived: bool,
    pub created_at: DateTime<Utc>,
    /// When a turn last began or a request last changed the chat. Drift and moves of the pin do not
    /// count.
    pub updated_at: DateTime<Utc>,
    /// The pin and its drift in brief.
    pub context: ChatContext,
    /// Absent if no turn has evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verdict: Option<LastVerdict>,
}

fn delivered() -> String {
    ctxpin_model::mode::Mode::Delivered.to_string()
}

/// A request to create a chat, or to return the one of the same client and reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatCreate {
    /// The name of the program that holds the conversation, 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub client: Option<String>,
    /// That program's id for the chat, 1 to 200 characters. A request with the same client and
    /// reference returns the same chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub reference: Option<String>,
    /// The agent to bind the chat to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<Uuid>,
    /// The chat whose pin and agent the new one starts with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<Uuid>,
    /// 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub title: Option<String>,
    /// The default is the parent's mode, or `delivered` without a parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Mode>)]
    pub mode: Option<String>,
    /// The default is `manual`, the only policy of an observed chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Policy>)]
    pub policy: Option<String>,
    /// The default is `live`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ToolsMode>)]
    pub tools: Option<String>,
}

/// A change of a chat. An absent member leaves its value as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatChange {
    /// The new title, 1 to 200 characters; null removes it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = bool, required = false)]
    pub archived: Option<bool>,
    /// The agent to bind the chat to; null unbinds it and keeps the pin.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<Uuid>)]
    pub agent_id: Option<Option<Uuid>>,
    /// The chat from which this observed one was forked, once. The pin stays. The parent must be the older chat. A
    /// token of the scope `observe` may change this and nothing else.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Uuid, required = false)]
    pub parent_id: Option<Uuid>,
    /// With `observed`, the policy becomes `manual`. The pin stays until the client tells that it read its files. A
    /// session that runs goes on as it began.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Mode, required = false)]
    pub mode: Option<String>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Policy, required = false)]
    pub policy: Option<String>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = ToolsMode, required = false)]
    pub tools: Option<String>,
}

/// A message that a client, or its hook, sends when a session begins or goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatStart {
    /// What happened: `startup`, `resume`, `fork`, `clear`, `compact` or `turn`. Claude Code (`claude-code`) reads its
    /// files at all but `turn`, Codex (`codex`) at all but `compact` and `turn`, opencode (`opencode`) at `turn`
    /// alone, and other clients at each of them.
    pub source: String,
    /// The head of a scan that began after the event: the `snapshot` that `ctxpin agent resync --json` prints. Without it, the
    /// pin moves to the head as it is, and the history notes it as `unconfirmed`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false)]
    pub head: Option<String>,
}

/// The filters and the page of a list of chats. A chat must meet every filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChatQuery {
    /// Chats bound to this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Uuid>,
    /// Chats of this user, for auditors and admins. Others find no chats of another user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Uuid>,
    /// Chats that have drifted, or with `false` those that have not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
    /// Chats of this mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Mode>)]
    pub mode: Option<String>,
    /// Chats with this verdict about the newest turn that has evidence; `deviates` also lists those that are `disputed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Verdict>)]
    pub verdict: Option<String>,
    /// Chats that are archived, or with `false` those that are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// Chats of this client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Chats with this reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Chats whose title contains this text, whatever its case. Such a page may have fewer items than its `limit`, or
    /// none, and a `next`: the server reads 10,000 titles for each page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The `next` of the previous page; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The greatest number of items, from 1 to 500. The default is 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

impl From<PageQuery> for ChatQuery {
    fn from(page: PageQuery) -> Self {
        Self {
            cursor: page.cursor,
            limit: page.limit,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_of_an_older_server_is_delivered() {
        let chat: Chat = serde_json::from_str(
            r#"{
                "id": "01a22094-3a09-7e07-b182-bf8db57cbc39", "title": "t", "agent_id": null, "policy": "manual",
                "tools": "live", "archived": false, "created_at": "2026-11-01T00:00:00Z",
                "updated_at": "2026-11-01T00:00:00Z",
                "context": {"snapshot": null, "context_hash": null, "pinned_at": null, "dirty": false,
                            "dirty_since": null, "declined": false, "error": null, "renderer": null}
            }"#,
        )
        .unwrap();
        assert_eq!(chat.mode, "delivered");
    }
}
