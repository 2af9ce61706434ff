//! The policy of a route: who may cache its responses, its deadline and the limit of its body. `routes.rs` says
//! which route has which policy.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ctxpin_model::access::Operation;
use ctxpin_protocol::problem::ProblemName;
use tokio::time::{Instant, sleep_until};

use crate::api_error::ApiError;
use crate::limits::{OTHER_BYTES_MAX, REQUEST_TIME_MAX};

/// The policy of a route's requests and responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutePolicy {
    pub cache: CachePolicy,
    /// The longest time from the last byte of a request to the head of its response. The events of a
    /// watch come after that.
    pub time_max: Duration,
    pub body: BodyLimit,
}

/// Who may cache a successful response. A problem is never cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CachePolicy {
    /// No proxy or browser, because most responses hold what people wrote. ctxpin's own client caches by
    /// `ETag` all the same.
    NoStore,
    /// Everyone, if they revalidate the response before each use, with `If-None-Match` where there is an
    /// `ETag`. Event streams use it too, because proxies expect it of them.
    Revalidate,
    /// Everyone, for a year and without asking, because the path holds the content's hash.
    Immutable,
}

/// The limit of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit {
    /// The longest body, in bytes, before and after decompression.
    pub bytes_max: u64,
    /// The operation that the sender must be allowed before the server reads a long body.
    pub operation: Option<Operation>,
}

impl RoutePolicy {
    /// The policy of most routes.
    pub(crate) const USUAL: Self = Self {
        cache: CachePolicy::NoStore,
        time_max: REQUEST_TIME_MAX,
        body: BodyLimit {
            bytes_max: OTHER_BYTES_MAX,
            operation: None,
        },
    };
}

impl CachePolicy {
    /// Returns the value of `Cache-Control` (RFC 9111, section 5.2).
    pub fn header(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::Revalidate => "no-cache",
            Self::Immutable => "public, max-age=31536000, immutable",
        }
    }
}

/// The time at which the server gives up a request without a response. It is an extension of the request; a
/// clone shares it.
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

    /// Restarts the deadline, because a part of the body came. The body's pace limits how often.
    pub fn restart(&self) {
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

/// Serves a request by the policy of its route. A request that takes too long is dropped, and its transaction
/// rolled back.
pub(crate) async fn serve_by_policy(
    State(policy): State<RoutePolicy>,
    mut request: Request,
    next: Next,
) -> Response {
    let deadline = Deadline::new(policy.time_max);
    request.extensions_mut().insert(deadline.clone());
    request.extensions_mut().insert(policy.body);
    let mut response = tokio::select! {
        response = next.run(request) => response,
        () = deadline.passed() => {
            let most = policy.time_max.as_secs();
            let detail = format!("The request took longer than {most} s; retry it.");
            ApiError::new(ProblemName::Unavailable, detail).into_response()
        }
    };
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        let value = HeaderValue::from_static(policy.cache.header());
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}
