//! Accepts connections, serves HTTP/1.1 or HTTP/2 on them, and ends them at the shutdown.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Service};

use crate::connection::{Connection, ConnectionService, LocalAddress};
use crate::limits::{
    CONNECTION_WINDOW_BYTES, CONNECTIONS_CROWDED_PERCENT, HEAD_BYTES_MAX, HEADER_LIST_BYTES_MAX,
    Limits, STREAM_WINDOW_BYTES, STREAMS_BROKEN_MAX, STREAMS_CANCELLED_MAX, STREAMS_MAX,
};
use crate::opening::Opening;

/// The most connections that wait to be accepted. The system may allow fewer.
const QUEUE_MAX: u32 = 4096;

/// The interval of pings on a silent HTTP/2 connection, and the time for a reply.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(30);

/// The longest graceful shutdown of a quiet connection.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);

/// The longest graceful shutdown of a connection whose requests were refused too often.
const FAREWELL_TIME_SHORT: Duration = Duration::from_millis(100);

/// The number of oldest connections that are searched for one to end.
const SEARCHED_MAX: usize = 64;

/// The time of a head on a bad line. A connection that has sent no head for longer ends first if room is
/// needed.
const HEAD_TIME_FAIR: Duration = Duration::from_secs(1);

/// The pause after a connection could not be accepted, for example because no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Binds a listener to an address, with a long queue of connections that are not accepted yet. A caller who
/// finds the queue full retries a second later.
///
/// # Errors
///
/// Fails if the system refuses the address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a previous server may still be closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE_MAX)
}

/// Serves until `shutdown` is cancelled. Then it waits for the requests in progress, at most
/// [`Limits::drain_time_max`].
///
/// Each request has a [`Connection`] and, if the system reports it, a [`LocalAddress`] as extensions.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    shutdown: &CancellationToken,
    limits: Limits,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Default + Send + Unpin + 'static,
{
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
                let (connection, cut) = (Connection::default(), CancellationToken::new());
                if connections.len() * 100 >= limits.connections_max * CONNECTIONS_CROWDED_PERCENT {
                    open.make_room();
                }
                let id = connection.id();
                open.0
                    .insert(id, (connection.clone(), Instant::now(), cut.clone()));
                let service = ConnectionService {
                    service: service.clone(),
                    connection,
                    local: stream.local_addr().ok().map(LocalAddress::new),
                };
                let serving = serve_connection(stream, service, shutdown.clone(), limits);
                connections.spawn(async move {
                    tokio::select! {
                        () = serving => {}
                        () = cut.cancelled() => {}
                    }
                    drop(place);
                    id
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // New callers must not wait for a server that stops.
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_time_max, drained)
        .await
        .is_err()
    {
        let cut = connections.len();
        tracing::warn!(cut, "connections were cut because they did not end in time");
        connections.shutdown().await;
    }
}

/// The open connections with no known caller, oldest first, with the time at which each began and the token that
/// cuts it. A connection whose caller became known is removed at the next search.
#[derive(Default)]
struct Open(BTreeMap<u64, (Connection, Instant, CancellationToken)>);

impl Open {
    /// Removes a connection that has ended. One that panicked returns no id, and is removed when it would be
    /// cut.
    fn ended(&mut self, ended: Result<u64, JoinError>) {
        if let Ok(id) = ended {
            self.0.remove(&id);
        }
    }

    /// Cuts the oldest connection that has sent no complete head in time, or else the oldest unknown one
    /// without a request in progress, or else the oldest without a complete head.
    fn make_room(&mut self) {
        let oldest = self.0.iter().take(SEARCHED_MAX);
        let known = oldest.filter(|(_, (connection, ..))| connection.is_known());
        for id in known.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.0.remove(&id);
        }
        let oldest = |is_meant: fn(&Connection) -> bool| {
            let mut oldest = self.0.iter().take(SEARCHED_MAX);
            oldest.find(|(_, (connection, ..))| is_meant(connection))
        };
        let silent = || oldest(|connection| !connection.has_begun());
        let found = silent()
            .filter(|(_, (_, since, _))| since.elapsed() > HEAD_TIME_FAIR)
            .or_else(|| oldest(Connection::is_at_rest_unknown))
            .or_else(silent);
        let found = found.map(|(id, _)| *id);
        if let Some((.., cut)) = found.and_then(|id| self.0.remove(&id)) {
            cut.cancel();
        }
    }
}

/// Accepts a connection once there is room for it. Until then it waits in the system's queue.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = match Arc::clone(room).try_acquire_owned() {
        Ok(place) => place,
        Err(_) => {
            tracing::warn!("the limit of connections is reached; the next one waits");
            let place = Arc::clone(room).acquire_owned().await;
            // The semaphore is never closed.
            place.map_err(io::Error::other)?
        }
    };
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Returns whether the error is of one connection, so that the next one can be accepted at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

async fn serve_connection<S, B>(
    stream: TcpStream,
    service: ConnectionService<S>,
    shutdown: CancellationToken,
    limits: Limits,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Default + Send + Unpin + 'static,
{
    // Responses are written whole, so that Nagle's algorithm would only delay them.
    let _ = stream.set_nodelay(true);
    let connection = service.connection.clone();
    let builder = builder(&limits);
    let service = TowerToHyperService::new(service);
    let opening = Opening::new(stream, connection.clone(), limits.head_time_max);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(opening), service));
    let farewell = tokio::select! {
        served = serving.as_mut() => return ended(served),
        () = shutdown.cancelled() => None,
        () = connection.quiet(limits.quiet_time_max) => Some(FAREWELL_TIME_MAX),
        () = connection.unwelcome() => Some(FAREWELL_TIME_SHORT),
    };
    serving.as_mut().graceful_shutdown();
    match farewell {
        None => ended(serving.await),
        Some(time_max) => match tokio::time::timeout(time_max, serving).await {
            Ok(served) => ended(served),
            Err(_) => ended(Err("it was quiet, or was refused too often".into())),
        },
    }
}

fn ended(served: Result<(), BoxError>) {
    if let Err(error) = served {
        // Clients often disconnect in the middle of a request.
        tracing::debug!(error, "a connection ended");
    }
}

/// Returns the settings of HTTP/1.1 and HTTP/2.
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
