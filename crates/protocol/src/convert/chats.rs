//! Chats.

use ctxpin_model::chat::ChatRecord;
use ctxpin_model::id::{AgentId, ChatId};

use super::quotas::refused;
use crate::http::chats::Chat;
use crate::http::context::ChatContext;

/// Returns the wire shape of a chat.
pub fn chat(chat: &ChatRecord) -> Chat {
    Chat {
        id: chat.id.uuid(),
        title: chat.title.clone(),
        client: chat.client.clone(),
        reference: chat.reference.clone(),
        agent_id: chat.agent.map(AgentId::uuid),
        parent_id: chat.parent.map(ChatId::uuid),
        policy: chat.policy.to_string(),
        tools: chat.tools.to_string(),
        archived: chat.archived_at.is_some(),
        created_at: chat.created_at.utc(),
        updated_at: chat.updated_at.utc(),
        context: context_brief(chat),
    }
}

/// Returns the wire shape of a chat's pin in brief.
pub fn context_brief(chat: &ChatRecord) -> ChatContext {
    let (pin, drift) = (chat.pin.as_ref(), chat.drift());
    ChatContext {
        snapshot: pin.map(|pin| pin.pin.snapshot.to_string()),
        context_hash: pin.map(|pin| pin.pin.hashes.context.to_string()),
        pinned_at: pin.map(|pin| pin.pinned_at.utc()),
        dirty: drift.is_some(),
        dirty_since: drift.map(|drift| drift.since.utc()),
        declined: drift.is_some_and(|drift| drift.declined),
        error: pin.and_then(|pin| pin.error.clone()),
        renderer: pin.map(|pin| pin.pin.prompt.renderer),
        agent_refused: chat.agent_refused.map(refused),
    }
}
