//! The handler of tool definitions.

use axum::Json;
use axum::extract::State;
use ctxpin_operations::skills;
use ctxpin_protocol::convert::tools::tool_list;
use ctxpin_protocol::http::turns::ToolList;

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::params::PathParams;

/// List the tools that a turn of the chat would offer
#[utoipa::path(get, path = "/chats/{chat}/tools", operation_id = "tool_list", tag = "context",
    params(("chat" = Uuid, Path)),
    responses((status = 200, body = ToolList), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<ToolList>> {
    let tools = skills::tools(&app.service, credential, path.id("chat")?).await?;
    Ok(Json(tool_list(tools)))
}
