//! Connections: taken in, served over HTTP/1.1 or HTTP/2, and ended with the server.

use std::io;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Longest wait for the first bytes of a connection, and for the whole head of a request: whoever
/// sends more slowly holds a connection for nothing.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);

/// How often a silent HTTP/2 connection is asked whether it still lives, and how long it may take.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(30);

/// Most requests that one HTTP/2 connection has under way.
const STREAMS_MAX: u32 = 128;

/// How long what is under way may take to end once the server is to end; the rest is cut.
pub(crate) const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// Pause after a connection could not be taken in, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `shutdown`. What is under way then goes on, but no longer than `drain_time_max`.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: &CancellationToken,
    drain_time_max: Duration,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), shutdown.clone()));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be taken in");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // Nobody new is kept waiting for a server that ends.
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(drain_time_max, drained).await.is_err() {
        let cut = connections.len();
        tracing::warn!(cut, "connections were cut, for they did not end in time");
        connections.shutdown().await;
    }
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

async fn connection(stream: TcpStream, router: Router, shutdown: CancellationToken) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let first_bytes = tokio::select! {
        first_bytes = tokio::time::timeout(HEAD_TIME_MAX, stream.readable()) => first_bytes,
        () = shutdown.cancelled() => return,
    };
    if !matches!(first_bytes, Ok(Ok(()))) {
        return;
    }
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_EVERY)
        .keep_alive_timeout(KEEP_ALIVE_EVERY)
        .max_concurrent_streams(STREAMS_MAX);
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        // A client that leaves in the middle is an everyday thing.
        tracing::debug!(error, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;

    use super::*;

    /// A request that is under way in a server that is told to end.
    async fn under_way(request: &[u8], drain_time_max: Duration) -> (TcpStream, Arc<Notify>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            move || async move {
                begun.notify_one();
                go_on.notified().await;
                "done"
            }
        };
        let router = Router::new().route("/", get(handler));
        let shutdown = CancellationToken::new();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(request).await.unwrap();
        tokio::spawn({
            let shutdown = shutdown.clone();
            async move { serve(listener, router, &shutdown, drain_time_max).await }
        });
        begun.notified().await;
        shutdown.cancel();
        (client, go_on)
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    async fn read_to_end(mut client: TcpStream) -> String {
        let mut answer = String::new();
        let read = client.read_to_string(&mut answer);
        let read = tokio::time::timeout(Duration::from_secs(5), read).await;
        read.expect("the connection ends").unwrap();
        answer
    }

    #[tokio::test]
    async fn what_is_under_way_may_end() {
        let (client, go_on) = under_way(REQUEST, DRAIN_TIME_MAX).await;
        go_on.notify_one();
        let answer = read_to_end(client).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("done"));
    }

    #[tokio::test]
    async fn what_does_not_end_is_cut() {
        let (client, _) = under_way(REQUEST, Duration::from_millis(20)).await;
        assert_eq!(read_to_end(client).await, "");
    }
}
