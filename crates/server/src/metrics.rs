//! The server's metrics, in the text format of OpenMetrics 1.0.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Who may read the metrics of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsReaders {
    /// Every caller who reaches the port.
    Everybody,
    /// Auditors and admins, with a token of the scope `read`.
    Auditors,
}

/// The media type of the text.
pub(crate) const METRICS_MEDIA_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The buckets of the durations, in seconds: from a cached prompt to the deadline.
const DURATION_BOUNDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

/// The metrics of one server. Every label has a bounded set of values: a route is a template, and a
/// method one of the known ones.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    watches: Gauge,
    pushes: Family<VerdictLabels, Counter>,
    hydrated: Counter<u64, AtomicU64>,
    users_warned: Family<LimitLabels, Gauge>,
    statements: Counter<u64, AtomicU64>,
    round_trips: Counter<u64, AtomicU64>,
}

impl Metrics {
    /// Returns metrics that are all zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("ctxpin");
        let requests = Family::default();
        let durations: Family<RouteLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(DURATION_BOUNDS));
        let (watches, pushes, hydrated) = (Gauge::default(), Family::default(), Counter::default());
        registry.register(
            "http_requests",
            "Answered requests by method, route and status",
            Family::clone(&requests),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to the head of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("watches", "Open watches", Gauge::clone(&watches));
        registry.register(
            "pushes",
            "Pushes by what became of them",
            Family::clone(&pushes),
        );
        registry.register(
            "chats_hydrated",
            "Chats that a push gave their first pin",
            Counter::clone(&hydrated),
        );
        let users_warned = Family::default();
        registry.register(
            "quota_users_warned",
            "Users who have at least 80 % of what they may have, by what it is, a minute ago",
            Family::clone(&users_warned),
        );
        let (statements, round_trips) = (Counter::default(), Counter::default());
        registry.register(
            "database_statements",
            "Statements that the database was asked",
            Counter::clone(&statements),
        );
        registry.register(
            "database_round_trips",
            "Times that somebody waited for the database",
            Counter::clone(&round_trips),
        );
        Self {
            registry,
            requests,
            durations,
            watches,
            pushes,
            hydrated,
            users_warned,
            statements,
            round_trips,
        }
    }

    /// Counts a request. `route` is its template, or `None` if no route matched.
    pub fn request(&self, method: &Method, route: Option<&str>, status: u16, took: Duration) {
        let (method, route) = (known(method), route.unwrap_or("none").to_owned());
        let labels = RequestLabels {
            method,
            route: route.clone(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&RouteLabels { method, route })
            .observe(took.as_secs_f64());
    }

    /// Counts a push and the chats that it pinned.
    pub fn push(&self, verdict: &'static str, hydrated: u64) {
        self.pushes.get_or_create(&VerdictLabels { verdict }).inc();
        self.hydrated.inc_by(hydrated);
    }

    /// Counts a watch as open until the returned guard is dropped.
    pub fn watch_open(&self) -> OpenWatch {
        self.watches.inc();
        OpenWatch(self.watches.clone())
    }

    /// Sets how many users have nearly used up a limit.
    pub fn users_warned(&self, limit: &'static str, users: u64) {
        let gauge = self.users_warned.get_or_create(&LimitLabels { limit });
        gauge.set(i64::try_from(users).unwrap_or(i64::MAX));
    }

    /// Sets the statements and round trips of the database so far.
    pub fn database(&self, statements: u64, round_trips: u64) {
        for (counter, now) in [
            (&self.statements, statements),
            (&self.round_trips, round_trips),
        ] {
            // Concurrent requests may arrive in another order.
            counter.inc_by(now.saturating_sub(counter.get()));
        }
    }

    /// Returns all metrics as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            // Writing to a String does not fail. If it did, the text would say so.
            let _ = write!(text, "# {error}");
        }
        text
    }
}

/// A guard that counts a watch as open.
pub(crate) struct OpenWatch(Gauge);

impl Drop for OpenWatch {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN
        .iter()
        .find(|known| **known == method.as_str())
        .copied()
        .unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_as_text() {
        let metrics = Metrics::new();
        let took = Duration::from_millis(3);
        metrics.request(&Method::GET, Some("/api/v1/chats/{chat}"), 200, took);
        metrics.request(&Method::from_bytes(b"BREW").unwrap(), None, 404, took);
        metrics.push("accepted", 3);
        metrics.database(7, 9);
        metrics.database(8, 9);
        metrics.users_warned("agents", 2);
        let open = metrics.watch_open();
        let text = metrics.text();
        for line in [
            r#"ctxpin_http_requests_total{method="GET",route="/api/v1/chats/{chat}",status="200"} 1"#,
            r#"ctxpin_http_requests_total{method="other",route="none",status="404"} 1"#,
            r#"ctxpin_http_request_duration_seconds_count{method="GET",route="/api/v1/chats/{chat}"} 1"#,
            r#"ctxpin_pushes_total{verdict="accepted"} 1"#,
            "ctxpin_chats_hydrated_total 3",
            r#"ctxpin_quota_users_warned{limit="agents"} 2"#,
            "ctxpin_database_statements_total 8",
            "ctxpin_database_round_trips_total 9",
            "ctxpin_watches 1",
        ] {
            assert!(text.lines().any(|there| there == line), "{line}\n{text}");
        }
        drop(open);
        assert!(metrics.text().contains("ctxpin_watches 0\n"));
    }
}
