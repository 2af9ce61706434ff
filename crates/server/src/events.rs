//! Watches as Server-Sent Events. A watch is pulled: the next event is looked for once the last one
//! has been taken, so that a slow client holds back nothing but itself.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use ctxpin_model::token::Credential;
use ctxpin_model::watch::Subject;
use ctxpin_operations::watches::{self, Watch};
use ctxpin_protocol::convert;
use ctxpin_protocol::problem::{Problem, ProblemName};
use ctxpin_protocol::watch as wire;
use futures_util::stream;

use crate::app::App;
use crate::metrics::OpenWatch;
use crate::respond::{Answer, Refusal};

/// A comment is sent when nothing else was for so long, so that proxies keep the connection and a
/// dead one is noticed.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

/// Has a proxy pass each event on as it comes; nginx and others keep what is answered until it is much.
const X_ACCEL_BUFFERING: &str = "x-accel-buffering";

/// A watch that is being told.
struct Telling {
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
) -> Answer<Response> {
    let detail = convert::watches::detail(query);
    let watch = watches::watch(&app.service, credential, subject, detail).await?;
    let telling = Telling {
        watch,
        is_over: false,
        _open: app.metrics.watch_open(),
        app,
    };
    let stream = stream::unfold(telling, |mut telling| async move {
        let event = telling.next().await?;
        Some((Ok::<_, Infallible>(sent(&event)), telling))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE_EVERY);
    let events = Sse::new(stream).keep_alive(keep_alive);
    Ok(([(X_ACCEL_BUFFERING, "no")], events).into_response())
}

impl Telling {
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
                Some(wire::Event::Closed(Refusal::from(error).into_problem()))
            }
        }
    }
}

fn sent(event: &wire::Event) -> Sent {
    // What the shapes hold always has a JSON form.
    let data = event.data().unwrap_or_default();
    Sent::default().event(event.name()).data(data)
}
