//! The handler of the audit log.

use axum::Json;
use axum::extract::State;
use ctxpin_operations::people;
use ctxpin_protocol::convert::audit::{audit_filter, entry};
use ctxpin_protocol::convert::pages::{page, page_request};
use ctxpin_protocol::http::audit::{AuditEntry, AuditQuery};
use ctxpin_protocol::http::page::Page;

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::params::QueryParams;

/// List the audit log
#[utoipa::path(get, path = "/audit", operation_id = "audit_read", tag = "people", params(AuditQuery),
    responses((status = 200, body = Page<AuditEntry>), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    QueryParams(query): QueryParams<AuditQuery>,
) -> ApiResult<Json<Page<AuditEntry>>> {
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let filter = audit_filter(&query)?;
    let log = people::audit_log(&app.service, credential, &filter, &asked).await?;
    Ok(Json(page(log, entry)))
}
