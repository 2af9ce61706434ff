//! Handlers of pending changes.

use axum::Json;
use axum::extract::State;
use ctxpin_operations::pending_changes::{self, PendingItem};
use ctxpin_protocol::convert::bulk_moves::pending_change_id;
use ctxpin_protocol::convert::pages::{page, page_request};
use ctxpin_protocol::convert::pending_changes::{self as convert, ChatsOfChange};
use ctxpin_protocol::http::page::Page;
use ctxpin_protocol::http::pending_changes::{
    PendingChange, PendingChangePage, PendingChangeQuery, PendingChat,
};

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::params::{PathParams, QueryParams};

/// List the changes that chats have not taken
///
/// Equal changes of several chats are one item. It concerns the chats that the caller may read; archived ones
/// and those that declined the head are left out.
#[utoipa::path(get, path = "/changes", operation_id = "pending_change_list", tag = "changes",
    params(PendingChangeQuery),
    responses((status = 200, body = PendingChangePage), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    QueryParams(query): QueryParams<PendingChangeQuery>,
) -> ApiResult<Json<PendingChangePage>> {
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let own = query.own.unwrap_or_default();
    let list = pending_changes::list(&app.service, credential, own, &asked).await?;
    let changes = list.page.items.iter();
    let changes: Vec<_> = changes.map(|item| (&item.change, &*item.chats)).collect();
    let dates = pending_changes::dates(&app.service, credential, &changes).await?;
    let mut page = page(list.page, wire_change);
    for (item, came_at) in page.items.iter_mut().zip(dates) {
        item.came_at = came_at.map(|at| at.utc());
    }
    Ok(Json(PendingChangePage {
        items: page.items,
        next: page.next,
        chat_count: list.chat_count as u64,
        complete: list.is_complete,
    }))
}

/// List the chats that have not taken a change
///
/// The list is empty if no chat has the change any more.
#[utoipa::path(get, path = "/changes/{change}/chats", operation_id = "pending_chat_list", tag = "changes",
    params(("change" = String, Path), PendingChangeQuery),
    responses((status = 200, body = Page<PendingChat>), Problems))]
pub(crate) async fn chats(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<PendingChangeQuery>,
) -> ApiResult<Json<Page<PendingChat>>> {
    let id = pending_change_id("change", path.text("change"))?;
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let own = query.own.unwrap_or_default();
    let found = pending_changes::chats(&app.service, credential, own, id, &asked).await?;
    let chats = found.page;
    let next = chats.next.map(|next| next.to_string());
    let items = chats.items.iter().filter_map(wire_chat).collect();
    Ok(Json(Page { items, next }))
}

fn wire_change(item: PendingItem) -> PendingChange {
    let chats = ChatsOfChange {
        since: item.since,
        came_at: None,
        chat_count: item.chat_count,
        observed_count: item.observed_count,
        workspace_count: item.workspace_count,
        lines: item.lines,
        newest: item.chats.iter().filter_map(wire_chat).collect(),
    };
    convert::pending_change(item.change, chats)
}

fn wire_chat(pending: &pending_changes::PendingChat) -> Option<PendingChat> {
    let drifted = &pending.drifted;
    convert::pending_chat(&drifted.chat, &drifted.workspace, &pending.place)
}
