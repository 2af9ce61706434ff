//! Handlers of a chat's pin history.

use axum::Json;
use axum::extract::State;
use ctxpin_operations::history;
use ctxpin_protocol::convert::history::{entry, history_request};
use ctxpin_protocol::convert::pages::page;
use ctxpin_protocol::http::history::{HistoryEntry, HistoryQuery};
use ctxpin_protocol::http::page::Page;

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::params::{PathParams, QueryParams};

/// List the moves of a chat's pin, and the decisions that left it where it was
#[utoipa::path(get, path = "/chats/{chat}/context/history", operation_id = "history_read", tag = "context",
    params(("chat" = Uuid, Path), HistoryQuery),
    responses((status = 200, body = Page<HistoryEntry>), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<HistoryQuery>,
) -> ApiResult<Json<Page<HistoryEntry>>> {
    let request = history_request(&query)?;
    let entries = history::list(&app.service, credential, path.id("chat")?, request).await?;
    Ok(Json(page(entries, entry)))
}
