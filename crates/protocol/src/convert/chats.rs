//! Chats.

use std::str::FromStr;

use ctxpin_model::chat::{ChatChange, ChatCreate, ChatFilter, ChatRecord};
use ctxpin_model::chat_search::ChatSearch;
use ctxpin_model::client_event::ClientMessage;
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::resource::UnknownWord;

use super::evidence::last_verdict;
use super::members::{InvalidMember, chosen_name, hash, word};
use super::quotas::refused;
use crate::http::chats::{self, Chat};
use crate::http::context::ChatContext;

/// Returns the wire shape of a chat.
pub fn chat(chat: &ChatRecord) -> Chat {
    Chat {
        id: chat.id.uuid(),
        owner_id: Some(chat.owner.uuid()),
        title: chat.title.clone(),
        client: chat.client.clone(),
        reference: chat.reference.clone(),
        agent_id: chat.agent.map(AgentId::uuid),
        parent_id: chat.parent.map(ChatId::uuid),
        mode: chat.mode.to_string(),
        policy: chat.policy.to_string(),
        tools: chat.tools.to_string(),
        archived: chat.archived_at.is_some(),
        created_at: chat.created_at.utc(),
        updated_at: chat.updated_at.utc(),
        context: context_brief(chat),
        last_verdict: chat.last_verdict.as_ref().map(last_verdict),
    }
}

/// Returns the wire shape of a chat's pin in brief.
pub fn context_brief(chat: &ChatRecord) -> ChatContext {
    let (pin, drift) = (chat.pin.as_ref(), chat.drift());
    ChatContext {
        snapshot: pin.map(|pin| pin.pin.snapshot.to_string()),
        context_hash: pin.map(|pin| pin.pin.hashes.context.to_string()),
        pinned_at: pin.map(|pin| pin.pinned_at.utc()),
        unconfirmed: pin.is_some_and(|pin| pin.unconfirmed),
        dirty: drift.is_some(),
        dirty_since: drift.map(|drift| drift.since.utc()),
        declined: drift.is_some_and(|drift| drift.declined),
        error: pin.and_then(|pin| pin.error.clone()),
        renderer: pin.map(|pin| pin.pin.prompt.renderer),
        agent_refused: chat.agent_refused.map(refused),
    }
}

/// Reads a request to create a chat.
///
/// # Errors
///
/// Fails if a name is empty, too long or holds control characters, or a word is unknown.
pub fn chat_create(chat: chats::ChatCreate) -> Result<ChatCreate, InvalidMember> {
    Ok(ChatCreate {
        client: named("client", chat.client)?,
        reference: named("reference", chat.reference)?,
        agent: chat.agent_id.map(Into::into),
        parent: chat.parent_id.map(Into::into),
        title: named("title", chat.title)?,
        mode: known("mode", chat.mode)?,
        policy: known("policy", chat.policy)?.unwrap_or_default(),
        tools: known("tools", chat.tools)?.unwrap_or_default(),
    })
}

/// Reads a change of a chat.
///
/// # Errors
///
/// Fails if the title is empty, too long or holds control characters, or a word is unknown.
pub fn chat_change(change: chats::ChatChange) -> Result<ChatChange, InvalidMember> {
    let title = change.title.map(|title| named("title", title));
    Ok(ChatChange {
        title: title.transpose()?,
        archived: change.archived,
        agent: change.agent_id.map(|agent| agent.map(Into::into)),
        parent: change.parent_id.map(Into::into),
        mode: known("mode", change.mode)?,
        policy: known("policy", change.policy)?,
        tools: known("tools", change.tools)?,
    })
}

/// Reads the message of a chat's client.
///
/// # Errors
///
/// Fails if the event is unknown, or the hash malformed.
pub fn chat_start(start: chats::ChatStart) -> Result<ClientMessage, InvalidMember> {
    Ok(ClientMessage {
        event: word("source", &start.source)?,
        head: start.head.map(|head| hash("head", &head)).transpose()?,
    })
}

/// Reads the filter of a list of chats.
///
/// # Errors
///
/// Fails if a name is empty, too long or holds control characters, or a word is unknown.
pub fn chat_filter(query: chats::ChatQuery) -> Result<ChatFilter, InvalidMember> {
    Ok(ChatFilter {
        agent: query.agent.map(Into::into),
        owner: query.owner.map(Into::into),
        dirty: query.dirty,
        state: None,
        mode: known("mode", query.mode)?,
        verdict: known("verdict", query.verdict)?,
        archived: query.archived,
        client: named("client", query.client)?,
        reference: named("reference", query.reference)?,
        search: named("title", query.title)?.map(|title| ChatSearch::by_title(&title)),
        own: false,
    })
}

fn named(member: &str, text: Option<String>) -> Result<Option<String>, InvalidMember> {
    text.map(|text| chosen_name(member, text)).transpose()
}

fn known<W: FromStr<Err = UnknownWord>>(
    member: &str,
    text: Option<String>,
) -> Result<Option<W>, InvalidMember> {
    text.map(|text| word(member, &text)).transpose()
}
