//! Handlers of usage and quotas.

use axum::Json;
use axum::extract::State;
use ctxpin_operations::quotas;
use ctxpin_protocol::convert::quotas::{change, usage};
use ctxpin_protocol::http::quotas::{QuotaChange, Usage};

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::json_body::JsonBody;
use crate::params::PathParams;

/// Read the caller's usage and quotas
#[utoipa::path(get, path = "/me/usage", operation_id = "own_usage_read", tag = "people",
    responses((status = 200, body = Usage), Problems))]
pub(crate) async fn read_own(
    State(app): State<App>,
    Identity(credential): Identity,
) -> ApiResult<Json<Usage>> {
    let view = quotas::usage(&app.service, credential, None).await?;
    Ok(Json(usage(&view)))
}

/// Read a user's usage and quotas
#[utoipa::path(get, path = "/users/{user}/usage", operation_id = "usage_read", tag = "people", params(("user" = Uuid, Path)),
    responses((status = 200, body = Usage), Problems))]
pub(crate) async fn read(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<Usage>> {
    let view = quotas::usage(&app.service, credential, Some(path.id("user")?)).await?;
    Ok(Json(usage(&view)))
}

/// Change a user's quotas
#[utoipa::path(patch, path = "/users/{user}/quota", operation_id = "quota_change", tag = "people", params(("user" = Uuid, Path)),
    request_body = QuotaChange, responses((status = 200, body = Usage), Problems))]
pub(crate) async fn change_quota(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    JsonBody(body): JsonBody<QuotaChange>,
) -> ApiResult<Json<Usage>> {
    let change = change(&body)?;
    let view = quotas::change(&app.service, credential, path.id("user")?, &change).await?;
    Ok(Json(usage(&view)))
}
