//! The id, the log line and the metrics of every request.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use crate::metrics::Metrics;

/// The header with the request's id in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Logs and counts a request. The log has its method and the template of its path, but neither query nor
/// headers nor bodies, which hold what people wrote.
pub(crate) async fn observe(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    // If the caller could choose the id, the caller could write into the log.
    let id = Uuid::new_v4().to_string();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let span = tracing::info_span!("request", id, %method, route = route.unwrap_or("none"));
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    metrics.request(&method, route, status, took);
    span.in_scope(|| tracing::debug!(status, took_ms = took.as_millis() as u64, "answered"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
