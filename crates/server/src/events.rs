//! Watches as Server-Sent Events. The server looks for the next event only after the client has read the
//! last one, so a slow client delays only itself.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use ctxpin_model::pass::Pass;
use ctxpin_model::token::Credential;
use ctxpin_model::watch::{Detail, Subject};
use ctxpin_operations::news::NewsMark;
use ctxpin_operations::watches::{self, Watch};
use ctxpin_protocol::convert;
use ctxpin_protocol::problem::{Problem, ProblemName};
use ctxpin_protocol::watch as wire;
use futures_util::stream;
use tokio::time::{Instant, sleep_until};

use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::metrics::OpenWatch;

/// The interval of comments on a quiet stream. They keep proxies from closing the connection, and reveal a
/// dead one.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

/// The interval of the events on a quiet stream of a web page. A page sees no comments, and takes a longer silence for
/// a server that hangs.
const PAGE_ALIVE_EVERY: Duration = Duration::from_secs(5);

/// The event that tells a web page nothing but that the server is there.
const ALIVE: &str = "alive";

/// The interval at which the server looks whether the session of a quiet watch has ended. It has usually heard of the
/// end before.
const SESSION_CHECKED_EVERY: Duration = Duration::from_secs(30);

/// The header that stops nginx and other proxies from buffering events.
const X_ACCEL_BUFFERING: &str = "x-accel-buffering";

/// A watch whose events are being sent.
struct EventStream {
    app: App,
    watch: Watch,
    /// The session of the web page that opened the watch, with the time of its next check.
    session: Option<(Pass, Instant)>,
    detail: Detail,
    is_over: bool,
    _open: OpenWatch,
}

/// Starts a watch and returns its events as a stream, which ends when the server stops, or with the session that
/// opened it.
///
/// # Errors
///
/// Fails if the caller may not watch the subject.
pub(crate) async fn events(
    app: App,
    credential: Credential,
    session: Option<Pass>,
    subject: Subject,
    query: &wire::WatchQuery,
) -> ApiResult<Response> {
    let detail = convert::watches::detail(query);
    let watch = watches::watch(&app.service, credential, subject, detail).await?;
    let watch = watch.of_session(session.clone());
    let keep_alive = match session {
        Some(_) => KeepAlive::new()
            .interval(PAGE_ALIVE_EVERY)
            // A browser drops an event without data.
            .event(SseEvent::default().event(ALIVE).data("{}")),
        None => KeepAlive::new().interval(KEEP_ALIVE_EVERY),
    };
    let events = EventStream {
        watch,
        detail,
        session: session.map(|session| (session, Instant::now() + SESSION_CHECKED_EVERY)),
        is_over: false,
        _open: app.metrics.watch_open(),
        app,
    };
    let stream = stream::unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((Ok::<_, Infallible>(to_sse(&event, events.mark())), events))
    });
    let sse = Sse::new(stream).keep_alive(keep_alive);
    Ok(([(X_ACCEL_BUFFERING, "no")], sse).into_response())
}

impl EventStream {
    async fn next(&mut self) -> Option<wire::Event> {
        if self.is_over {
            return None;
        }
        let next = loop {
            let check_at = self.session.as_ref().map(|(_, at)| *at);
            let next = tokio::select! {
                // The shutdown comes first, or a busy watch would never end.
                biased;
                () = self.app.shutdown.cancelled() => {
                    let detail = "The server is stopping; watch again.";
                    return Some(self.close(Problem::new(ProblemName::Unavailable, detail)));
                }
                next = self.watch.next() => Some(next),
                () = passed(check_at) => None,
            };
            if let Err(error) = self.check_session().await {
                return Some(self.close(error.into_problem()));
            }
            if let Some(next) = next {
                break next;
            }
        };
        match next {
            Ok(event) => event.map(|event| convert::watches::event(event, self.app.now())),
            Err(error) => Some(self.close(ApiError::from(error).into_problem())),
        }
    }

    /// Checks that the session which opened the watch has not ended.
    async fn check_session(&mut self) -> ApiResult<()> {
        if let Some((session, at)) = &mut self.session {
            self.app.callers.session(&self.app.service, session).await?;
            *at = Instant::now() + SESSION_CHECKED_EVERY;
        }
        Ok(())
    }

    /// Returns the mark of an event for a watcher that reads the objects itself.
    fn mark(&self) -> Option<NewsMark> {
        (self.detail == Detail::Ids).then(|| self.watch.mark())
    }

    fn close(&mut self, problem: Problem) -> wire::Event {
        self.is_over = true;
        wire::Event::Closed(problem)
    }
}

/// Waits for a time. Without one, waits for ever.
async fn passed(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn to_sse(event: &wire::Event, mark: Option<NewsMark>) -> SseEvent {
    // Every event has a JSON form.
    let data = event.data().unwrap_or_default();
    let sse = SseEvent::default().event(event.name()).data(data);
    match mark {
        Some(mark) => sse.id(mark.to_string()),
        None => sse,
    }
}
