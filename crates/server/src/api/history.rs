//! Handlers of a chat's pin history.

use axum::Json;
use axum::extract::State;
use ctxpin_operations::history;
use ctxpin_protocol::convert::history::{history_request, pin};
use ctxpin_protocol::convert::pages::page;
use ctxpin_protocol::http::history::{HistoryQuery, Pin};
use ctxpin_protocol::http::page::Page;

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::params::{PathParams, QueryParams};

/// List the pins that a chat had
#[utoipa::path(get, path = "/chats/{chat}/context/history", operation_id = "history_read", tag = "context",
    params(("chat" = Uuid, Path), HistoryQuery),
    responses((status = 200, body = Page<Pin>), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<HistoryQuery>,
) -> ApiResult<Json<Page<Pin>>> {
    let request = history_request(&query)?;
    let pins = history::list(&app.service, credential, path.id("chat")?, request).await?;
    Ok(Json(page(pins, pin)))
}
