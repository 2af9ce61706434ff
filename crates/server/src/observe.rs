//! Around every request: its id, its log line, its place in the metrics, its deadline.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ctxpin_protocol::problem::ProblemName;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;
use uuid::Uuid;

use crate::metrics::Metrics;
use crate::respond::Refusal;

/// The header that tells the id under which a request is found in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// When a request that is not answered is given up. Stands in the request's extensions; cloning it
/// shares it.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    at: Arc<Mutex<Instant>>,
    time_max: Duration,
}

impl Deadline {
    fn new(time_max: Duration) -> Self {
        let at = Arc::new(Mutex::new(Instant::now() + time_max));
        Self { at, time_max }
    }

    /// Begins anew: something of the body came. How long that may go on is bounded by its pace.
    pub fn put_off(&self) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + self.time_max;
    }

    async fn passed(&self) {
        loop {
            let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
            if Instant::now() >= at {
                return;
            }
            sleep_until(at).await;
        }
    }
}

/// Logs and counts a request. What is logged is its method and the template of its path: neither
/// query nor headers nor bodies, which hold what people wrote.
pub(crate) async fn observe(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    // An id that the caller could choose would be a way to write into the log.
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

/// Ends a request that takes too long. Whatever it was doing is rolled back.
pub(crate) async fn in_time(
    State(time_max): State<Duration>,
    mut request: Request,
    next: Next,
) -> Response {
    let deadline = Deadline::new(time_max);
    request.extensions_mut().insert(deadline.clone());
    tokio::select! {
        response = next.run(request) => response,
        () = deadline.passed() => {
            let most = time_max.as_secs();
            let detail = format!("The request took longer than {most} s; try again.");
            Refusal::new(ProblemName::Unavailable, detail).into_response()
        }
    }
}
