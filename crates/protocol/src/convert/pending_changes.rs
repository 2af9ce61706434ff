//! Pending changes.

use ctxpin_model::chat::ChatRecord;
use ctxpin_model::diff::lines;
use ctxpin_model::id::AgentId;
use ctxpin_model::moment::Moment;
use ctxpin_model::pending_change::{self, Place};
use ctxpin_model::resource::Content;

use crate::http::pending_changes::{LineCounts, PendingChange, PendingChat};

/// The chats of a pending change, as they are told beside it.
#[derive(Debug, Clone)]
pub struct ChatsOfChange {
    pub since: Moment,
    pub came_at: Option<Moment>,
    pub chat_count: usize,
    pub observed_count: usize,
    pub workspace_count: usize,
    pub lines: Option<lines::LineCounts>,
    pub newest: Vec<PendingChat>,
}

/// Returns the wire shape of a pending change.
pub fn pending_change(
    change: pending_change::PendingChange,
    chats: ChatsOfChange,
) -> PendingChange {
    let hash = |content: Content| content.hash().to_string();
    PendingChange {
        id: change.id.to_string(),
        kind: change.subject.as_str().to_owned(),
        path: change.path,
        name: change.name,
        change: change.verb.to_string(),
        effect: change.effect.to_string(),
        cause: change.cause.map(|cause| cause.to_string()),
        pinned_hash: change.pinned.map(hash),
        head_hash: change.head.map(hash),
        since: chats.since.utc(),
        came_at: chats.came_at.map(Moment::utc),
        chat_count: chats.chat_count as u64,
        observed_count: chats.observed_count as u64,
        workspace_count: chats.workspace_count as u64,
        lines: chats.lines.map(line_counts),
        chats: chats.newest,
    }
}

/// Returns the wire shape of the number of lines that differ.
pub fn line_counts(counts: lines::LineCounts) -> LineCounts {
    LineCounts {
        added: counts.added,
        removed: counts.removed,
    }
}

/// Returns the wire shape of a chat that has not taken a pending change. `None` if it has no pin, no head or no
/// drift.
pub fn pending_chat(chat: &ChatRecord, workspace: &str, place: &Place) -> Option<PendingChat> {
    Some(PendingChat {
        chat_id: chat.id.uuid(),
        title: chat.title.clone(),
        agent_id: chat.agent.map(AgentId::uuid),
        workspace: workspace.to_owned(),
        source: place.source.clone(),
        resource: place.resource.map(|id| id.to_string()),
        pin: chat.pin.as_ref()?.pin.snapshot.to_string(),
        head: chat.head?.snapshot.to_string(),
        since: chat.drift()?.since.utc(),
        mode: chat.mode.to_string(),
        client: chat.client.clone(),
    })
}
