//! The activity of one connection, and the service that records it.
//!
//! A connection is quiet while no request is in progress and the client reads nothing of a response. That
//! covers a client that sends nothing, one that does not read, and one that keeps the window of an HTTP/2
//! stream closed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::{Request, Response, StatusCode};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tower::{Service, ServiceExt as _};

use crate::limits::REFUSED_MAX;

/// The most bytes of a response that are passed on at once, so that a large response shows progress.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// A connection. It is an extension of each of its requests. A clone shares its state.
#[derive(Debug, Clone, Default)]
pub struct Connection(Arc<State>);

#[derive(Debug)]
struct State {
    id: u64,
    is_known: AtomicBool,
    /// The number of requests that got 401.
    refused: AtomicUsize,
    became_unwelcome: Notify,
    /// Lets the service check one caller at a time, until one is known.
    turn: Semaphore,
    in_progress: AtomicUsize,
    /// The number of requests and pieces of responses so far.
    steps: AtomicU64,
}

impl Default for State {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            is_known: AtomicBool::default(),
            refused: AtomicUsize::default(),
            became_unwelcome: Notify::new(),
            turn: Semaphore::new(1),
            in_progress: AtomicUsize::default(),
            steps: AtomicU64::default(),
        }
    }
}

/// A request without a response yet.
struct InProgress(Connection);

impl Connection {
    fn begin_request(&self) -> InProgress {
        self.0.in_progress.fetch_add(1, Ordering::Relaxed);
        self.step();
        InProgress(self.clone())
    }

    /// Returns the number of the connection, unique in the process.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Returns the number of requests that have no response yet.
    pub fn in_progress(&self) -> usize {
        self.0.in_progress.load(Ordering::Relaxed)
    }

    /// Returns whether the connection has sent a complete head.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.steps.load(Ordering::Relaxed) > 0
    }

    /// Returns whether the connection has sent a complete head, no caller is known, and no request is in
    /// progress.
    pub(crate) fn is_at_rest_unknown(&self) -> bool {
        self.has_begun() && !self.is_known() && self.in_progress() == 0
    }

    /// Returns whether any caller of the connection is known.
    pub fn is_known(&self) -> bool {
        self.0.is_known.load(Ordering::Relaxed)
    }

    /// Marks a caller as known. From then on no request waits for a [`Connection::turn`], and the
    /// connection is not cut to make room.
    pub fn become_known(&self) {
        self.0.is_known.store(true, Ordering::Relaxed);
        self.0.turn.close();
    }

    /// Waits until the service checks no other caller of the connection. Returns `None` at once if a caller
    /// is known.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.turn.acquire().await.ok()
    }

    /// Counts a request whose caller is unknown. The connection counts each response 401 by itself.
    pub fn note_refused(&self) {
        let refused = self.0.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if refused >= REFUSED_MAX && !self.is_known() {
            self.0.became_unwelcome.notify_one();
        }
    }

    /// Returns whether the connection has reached the limit of refused requests, and no caller is known.
    pub fn is_unwelcome(&self) -> bool {
        !self.is_known() && self.0.refused.load(Ordering::Relaxed) >= REFUSED_MAX
    }

    /// Waits until the connection reaches the limit of refused requests.
    pub(crate) async fn unwelcome(&self) {
        self.0.became_unwelcome.notified().await;
    }

    fn step(&self) {
        self.0.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until the connection was quiet for `time`, which it checks at that interval.
    pub(crate) async fn quiet(&self, time: Duration) {
        let steps = || self.0.steps.load(Ordering::Relaxed);
        loop {
            let before = steps();
            tokio::time::sleep(time).await;
            let is_idle = self.in_progress() == 0;
            if is_idle && steps() == before {
                return;
            }
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.step();
        self.0.0.in_progress.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The server's address of a connection. It is an extension of each request, if the system reports it.
#[derive(Debug, Clone, Copy)]
pub struct LocalAddress(pub SocketAddr);

impl LocalAddress {
    /// Returns the address, with an IPv4-mapped IPv6 address as IPv4.
    pub fn new(address: SocketAddr) -> Self {
        Self(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

/// The service of one connection. It adds the connection to each request, and records requests and
/// responses.
#[derive(Clone)]
pub(crate) struct ConnectionService<S> {
    pub service: S,
    pub connection: Connection,
    pub local: Option<LocalAddress>,
}

impl<S, R, B> Service<Request<R>> for ConnectionService<S>
where
    S: Service<Request<R>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    R: Send + 'static,
    B: Default,
{
    type Response = Response<NotedBody<B>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let in_progress = self.connection.begin_request();
        let Self {
            service,
            connection,
            local,
        } = self.clone();
        request.extensions_mut().insert(connection.clone());
        if let Some(local) = local {
            request.extensions_mut().insert(local);
        }
        Box::pin(async move {
            let response = match connection.is_unwelcome() {
                // The connection is about to end, so the service does no work for it.
                true => {
                    let mut refused = Response::new(B::default());
                    *refused.status_mut() = StatusCode::UNAUTHORIZED;
                    refused
                }
                false => match service.oneshot(request).await {
                    Ok(response) => response,
                },
            };
            if response.status() == StatusCode::UNAUTHORIZED {
                connection.note_refused();
            }
            drop(in_progress);
            Ok(response.map(|body| NotedBody {
                body,
                rest: Bytes::new(),
                connection,
            }))
        })
    }
}

/// The body of a response. It records each piece that the client reads.
pub(crate) struct NotedBody<B> {
    body: B,
    rest: Bytes,
    connection: Connection,
}

impl<B: Body<Data = Bytes> + Unpin> Body for NotedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            self.connection.step();
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        self.connection.step();
        let length = self.rest.len().min(PIECE_BYTES_MAX);
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.size_hint();
        let rest = self.rest.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
