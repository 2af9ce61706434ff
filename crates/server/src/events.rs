//! Watches as Server-Sent Events. The server looks for the next event only after the client has read the
//! last one, so a slow client delays only itself.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use ctxpin_model::token::Credential;
use ctxpin_model::watch::Subject;
use ctxpin_operations::watches::{self, Watch};
use ctxpin_protocol::convert;
use ctxpin_protocol::problem::{Problem, ProblemName};
use ctxpin_protocol::watch as wire;
use futures_util::stream;

use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::metrics::OpenWatch;

/// The interval of comments on a quiet stream. They keep proxies from closing the connection, and reveal a
/// dead one.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

/// The header that stops nginx and other proxies from buffering events.
const X_ACCEL_BUFFERING: &str = "x-accel-buffering";

/// A watch whose events are being sent.
struct EventStream {
    app: App,
    watch: Watch,
    is_over: bool,
    _open: OpenWatch,
}

/// Starts a watch and returns its events as a stream, which ends when the server stops.
///
/// # Errors
///
/// Fails if the caller may not watch the subject.
pub(crate) async fn events(
    app: App,
    credential: Credential,
    subject: Subject,
    query: &wire::WatchQuery,
) -> ApiResult<Response> {
    let detail = convert::watches::detail(query);
    let watch = watches::watch(&app.service, credential, subject, detail).await?;
    let events = EventStream {
        watch,
        is_over: false,
        _open: app.metrics.watch_open(),
        app,
    };
    let stream = stream::unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((Ok::<_, Infallible>(to_sse(&event)), events))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE_EVERY);
    let sse = Sse::new(stream).keep_alive(keep_alive);
    Ok(([(X_ACCEL_BUFFERING, "no")], sse).into_response())
}

impl EventStream {
    async fn next(&mut self) -> Option<wire::Event> {
        if self.is_over {
            return None;
        }
        let next = tokio::select! {
            // The shutdown comes first, or a busy watch would never end.
            biased;
            () = self.app.shutdown.cancelled() => {
                self.is_over = true;
                let detail = "The server is stopping; watch again.";
                return Some(wire::Event::Closed(Problem::new(ProblemName::Unavailable, detail)));
            }
            next = self.watch.next() => next,
        };
        match next {
            Ok(event) => event.map(|event| convert::watches::event(event, self.app.now())),
            Err(error) => {
                self.is_over = true;
                Some(wire::Event::Closed(ApiError::from(error).into_problem()))
            }
        }
    }
}

fn to_sse(event: &wire::Event) -> SseEvent {
    // Every event has a JSON form.
    let data = event.data().unwrap_or_default();
    SseEvent::default().event(event.name()).data(data)
}
