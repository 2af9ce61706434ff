//! A route: its handlers and what holds for its requests and responses. The routes are listed in
//! `router.rs`; nothing else decides how long a request may be or take, and who may keep a response.

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
use utoipa_axum::router::UtoipaMethodRouter;

use crate::api_error::ApiError;
use crate::app::App;
use crate::limits::{OTHER_BYTES_MAX, REQUEST_TIME_MAX};

/// Handlers of one path, by method, with what holds for them.
pub(crate) struct Route {
    pub policy: RoutePolicy,
    pub methods: UtoipaMethodRouter<App>,
}

/// What holds for the requests and responses of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutePolicy {
    pub cache: Cache,
    /// Longest time from the last byte of a request to the head of its response. The events of a
    /// watch come after that.
    pub time_max: Duration,
    pub body: BodyLimit,
}

/// Who may keep a successful response. A problem is never kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// Nobody: most responses hold what people wrote, so that no proxy or browser may have them. A caller
    /// of ours keeps what it read by its `ETag` all the same.
    NoStore,
    /// Everybody, if they ask the server again before they use it, with `If-None-Match` where there is an
    /// `ETag`. An event stream says so too, because proxies know it from there.
    Revalidate,
}

/// How long a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit {
    /// The longest body, in bytes, before and after it is decompressed.
    pub bytes_max: u64,
    /// What its sender must be allowed to do before the server reads a long one.
    pub operation: Option<Operation>,
}

impl RoutePolicy {
    /// What holds for most routes.
    pub(crate) const USUAL: Self = Self {
        cache: Cache::NoStore,
        time_max: REQUEST_TIME_MAX,
        body: BodyLimit {
            bytes_max: OTHER_BYTES_MAX,
            operation: None,
        },
    };
}

impl Route {
    /// A route for which the usual policy holds.
    pub fn new(methods: UtoipaMethodRouter<App>) -> Self {
        Self {
            policy: RoutePolicy::USUAL,
            methods,
        }
    }

    /// Lets a caller keep successful responses.
    pub fn cached(mut self, cache: Cache) -> Self {
        self.policy.cache = cache;
        self
    }

    /// Takes longer bodies, from callers who are allowed the operation.
    pub fn body(mut self, bytes_max: u64, operation: Operation) -> Self {
        self.policy.body = BodyLimit {
            bytes_max,
            operation: Some(operation),
        };
        self
    }
}

impl Cache {
    /// Returns the value of `Cache-Control` (RFC 9111, section 5.2).
    pub fn header(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::Revalidate => "no-cache",
        }
    }
}

/// When the server gives up a request without a response. It stands in the request's extensions; cloning it
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

    /// Begins anew, because something of the body came. The body's pace bounds how long that may go on.
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

/// Serves a request by the policy of its route. A request that takes too long ends, and whatever it was doing
/// is rolled back.
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
            let detail = format!("The request took longer than {most} s; try again.");
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
