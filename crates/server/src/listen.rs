//! Connections: taken in, served over HTTP/1.1 or HTTP/2, and ended with the server.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::{BoxError, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::activity::{Activity, NotedRouter};
use crate::authority::LocalAddress;
use crate::limits::{
    CONNECTION_WINDOW_BYTES, CONNECTIONS_CROWDED_PERCENT, HEAD_BYTES_MAX, HEADER_LIST_BYTES_MAX,
    Limits, STREAM_WINDOW_BYTES, STREAMS_BROKEN_MAX, STREAMS_CANCELLED_MAX, STREAMS_MAX,
};
use crate::opening::Opening;

/// How often a silent HTTP/2 connection is asked whether it still lives, and how long it may take.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(30);

/// How long a quiet connection may take to end in order, before it is cut.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// The same for one that tried tokens in vain.
const FAREWELL_TIME_SHORT: Duration = Duration::from_millis(100);

/// How many of the oldest connections are looked at to find one to end.
const SEARCHED_MAX: usize = 64;

/// How long a head takes on a bad line. Whoever sends none for longer goes first where it is crowded.
const HEAD_TIME_FAIR: Duration = Duration::from_secs(1);

/// Pause after a connection could not be taken in, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `shutdown`. What is under way then goes on, but no longer than the limit allows.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: &CancellationToken,
    limits: Limits,
) {
    let room = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    let mut open = Open::default();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => {
                open.ended(ended);
                continue;
            }
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let (activity, cut) = (Activity::default(), CancellationToken::new());
                if connections.len() * 100 >= limits.connections_max * CONNECTIONS_CROWDED_PERCENT {
                    open.make_room();
                }
                let id = activity.id();
                let (activity_of, cut_of) = (activity.clone(), cut.clone());
                open.0.insert(id, (activity_of, Instant::now(), cut_of));
                let service = NotedRouter {
                    router: router.clone(),
                    activity,
                    local: stream.local_addr().ok().map(LocalAddress::new),
                };
                let connection = connection(stream, service, shutdown.clone(), limits);
                connections.spawn(async move {
                    tokio::select! {
                        () = connection => {}
                        () = cut.cancelled() => {}
                    }
                    drop(place);
                    id
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken in");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Nobody new is kept waiting for a server that ends.
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_time_max, drained)
        .await
        .is_err()
    {
        let cut = connections.len();
        tracing::warn!(cut, "connections were cut, for they did not end in time");
        connections.shutdown().await;
    }
}

/// The open connections on which no token was good when they were last looked at, oldest first, with what
/// ends each.
#[derive(Default)]
struct Open(BTreeMap<u64, (Activity, Instant, CancellationToken)>);

impl Open {
    /// Forgets a connection that has ended. What panicked tells no number: it is forgotten when it is to make
    /// room.
    fn ended(&mut self, ended: Result<u64, JoinError>) {
        if let Ok(id) = ended {
            self.0.remove(&id);
        }
    }

    /// Ends the oldest connection that never had a whole head and has had time for it, or else the oldest
    /// that shows no token and is at rest, or else the oldest without a head.
    fn make_room(&mut self) {
        let oldest = self.0.iter().take(SEARCHED_MAX);
        let known = oldest.filter(|(_, (activity, ..))| activity.is_known());
        for id in known.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.0.remove(&id);
        }
        let oldest = |is_meant: fn(&Activity) -> bool| {
            let mut oldest = self.0.iter().take(SEARCHED_MAX);
            oldest.find(|(_, (activity, ..))| is_meant(activity))
        };
        let silent = || oldest(|activity| !activity.has_begun());
        let found = silent()
            .filter(|(_, (_, since, _))| since.elapsed() > HEAD_TIME_FAIR)
            .or_else(|| oldest(Activity::is_at_rest_unknown))
            .or_else(silent);
        let found = found.map(|(id, _)| *id);
        if let Some((.., cut)) = found.and_then(|id| self.0.remove(&id)) {
            cut.cancel();
        }
    }
}

/// Takes in a connection once there is room for it. Until then the system keeps it waiting.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = match Arc::clone(room).try_acquire_owned() {
        Ok(place) => place,
        Err(_) => {
            tracing::warn!("there are as many connections as may be; the next one waits");
            let place = Arc::clone(room).acquire_owned().await;
            // It is never closed.
            place.map_err(io::Error::other)?
        }
    };
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Whether it is the fault of one that was coming in, and the next may well be taken.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

async fn connection(
    stream: TcpStream,
    service: NotedRouter,
    shutdown: CancellationToken,
    limits: Limits,
) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let activity = service.activity.clone();
    let builder = builder(&limits);
    let service = TowerToHyperService::new(service);
    let stream = TokioIo::new(Opening::new(stream, activity.clone(), limits.head_time_max));
    let mut connection = std::pin::pin!(builder.serve_connection(stream, service));
    let farewell = tokio::select! {
        served = connection.as_mut() => return ended(served),
        () = shutdown.cancelled() => None,
        () = activity.quiet(limits.quiet_time_max) => Some(FAREWELL_TIME_MAX),
        () = activity.unwelcome() => Some(FAREWELL_TIME_SHORT),
    };
    connection.as_mut().graceful_shutdown();
    match farewell {
        None => ended(connection.await),
        Some(time_max) => match tokio::time::timeout(time_max, connection).await {
            Ok(served) => ended(served),
            Err(_) => ended(Err("it was quiet, or tried tokens in vain".into())),
        },
    }
}

fn ended(served: Result<(), BoxError>) {
    if let Err(error) = served {
        // A client that leaves in the middle is an everyday thing.
        tracing::debug!(error, "a connection ended");
    }
}

/// How HTTP is spoken.
fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_time_max)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_EVERY)
        .keep_alive_timeout(KEEP_ALIVE_EVERY)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(STREAMS_CANCELLED_MAX)
        .max_local_error_reset_streams(STREAMS_BROKEN_MAX);
    builder
}

#[cfg(test)]
mod tests;
