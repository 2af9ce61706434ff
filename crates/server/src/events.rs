//! Watches as Server-SseEvent Events. A watch is pulled: the next event is looked for once the last one
//! has been taken, so that a slow client holds back nothing but itself.

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

/// A comment is sent when nothing else was for so long, so that proxies keep the connection and a
/// dead one is noticed.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

/// Has a proxy pass each event on as it comes; nginx and others keep what is answered until it is much.
const X_ACCEL_BUFFERING: &str = "x-accel-buffering";

/// A watch that is being told.
struct EventStream {
    app: App,
    watch: Watch,
    is_over: bool,
    _open: OpenWatch,
}

/// Begins to watch, and answers the events as a stream. It ends when the server does.
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
            // Ending comes first, or a busy watch would never end.
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
    // What the shapes hold always has a JSON form.
    let data = event.data().unwrap_or_default();
    SseEvent::default().event(event.name()).data(data)
}
