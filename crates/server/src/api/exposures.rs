//! The handler of exposures: which chats and turns used a content.

use axum::Json;
use axum::extract::State;
use ctxpin_operations::exposures;
use ctxpin_protocol::convert::exposures::exposure;
use ctxpin_protocol::convert::members::hash;
use ctxpin_protocol::http::exposure::Exposure;

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::params::PathParams;

/// List the chats and turns that used a content
///
/// Lists those whose metadata the caller may read. A skill's files and tools are contents too.
#[utoipa::path(get, path = "/content/{hash}/exposure", operation_id = "exposure_read", tag = "content",
    params(("hash" = String, Path)),
    responses((status = 200, body = Exposure), Problems))]
pub(crate) async fn read(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<Exposure>> {
    let content = hash("hash", path.text("hash"))?;
    let found = exposures::read(&app.service, credential, content).await?;
    Ok(Json(exposure(found)))
}
