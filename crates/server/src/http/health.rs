//! What operators ask, without a token, and the API's own document.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::app::App;
use crate::metrics::METRICS_MEDIA_TYPE;
use crate::respond::{Answer, Problems};

/// The API's document as JSON. Every answer shares it: anybody may ask, and leave it unread.
#[derive(Clone)]
pub(crate) struct Document(pub Bytes);

/// Tell that the process is up
#[utoipa::path(get, path = "/healthz", operation_id = "health", tag = "operation", security(()),
    responses((status = 200, body = Object)))]
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// Tell whether the database answers
#[utoipa::path(get, path = "/readyz", operation_id = "readiness", tag = "operation", security(()),
    responses((status = 200, body = Object), Problems))]
pub(crate) async fn ready(State(app): State<App>) -> Answer<Json<Value>> {
    app.service.ping().await?;
    Ok(Json(json!({ "status": "ok" })))
}

/// Tell what was counted
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operation", security(()),
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let content_type = HeaderValue::from_static(METRICS_MEDIA_TYPE);
    let asked = app.service.counts();
    app.metrics.database(asked.statements, asked.round_trips);
    ([(CONTENT_TYPE, content_type)], app.metrics.text()).into_response()
}

/// Read this document
#[utoipa::path(get, path = "/openapi.json", operation_id = "document", tag = "operation", security(()),
    responses((status = 200, body = Object)))]
pub(crate) async fn document(Extension(Document(json)): Extension<Document>) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, content_type)], json).into_response()
}
