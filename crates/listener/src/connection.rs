//! What happens on one connection, and the service that notes it.
//!
//! A connection is quiet while no request is in progress and nothing of a response is taken. That covers a
//! client that sends nothing more, one that does not read, and one that keeps the window of an HTTP/2
//! stream shut.

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

/// Most bytes of a response that are handed on at once, so that a large one shows how it gets on.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// One connection. It stands in the extensions of each of its requests. Cloning it shares everything.
#[derive(Debug, Clone, Default)]
pub struct Connection(Arc<State>);

#[derive(Debug)]
struct State {
    id: u64,
    is_known: AtomicBool,
    /// How many requests were refused with 401.
    refused: AtomicUsize,
    became_unwelcome: Notify,
    /// Lets the service check one caller after the other, until one is known.
    turn: Semaphore,
    in_progress: AtomicUsize,
    /// Requests and pieces of responses so far.
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

    /// Returns a number that no other connection of the process has.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Returns how many requests were read and have no response yet.
    pub fn in_progress(&self) -> usize {
        self.0.in_progress.load(Ordering::Relaxed)
    }

    /// Returns whether there was ever a whole head.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.steps.load(Ordering::Relaxed) > 0
    }

    /// Returns whether there was a whole head, no caller is known, and no request is in progress.
    pub(crate) fn is_at_rest_unknown(&self) -> bool {
        self.has_begun() && !self.is_known() && self.in_progress() == 0
    }

    /// Returns whether a caller of the connection was ever known.
    pub fn is_known(&self) -> bool {
        self.0.is_known.load(Ordering::Relaxed)
    }

    /// Notes that a caller is known. From then on nobody waits for a [`Connection::turn`], and the
    /// connection is not ended for others.
    pub fn become_known(&self) {
        self.0.is_known.store(true, Ordering::Relaxed);
        self.0.turn.close();
    }

    /// Waits until the service checks no other caller of the connection. Returns `None` at once if one
    /// was known already.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.turn.acquire().await.ok()
    }

    fn note_refused(&self) {
        let refused = self.0.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if refused >= REFUSED_MAX && !self.is_known() {
            self.0.became_unwelcome.notify_one();
        }
    }

    /// Returns whether as many requests were refused as may be, and none was known.
    pub fn is_unwelcome(&self) -> bool {
        !self.is_known() && self.0.refused.load(Ordering::Relaxed) >= REFUSED_MAX
    }

    /// Waits until as many requests were refused as may be.
    pub(crate) async fn unwelcome(&self) {
        self.0.became_unwelcome.notified().await;
    }

    fn step(&self) {
        self.0.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until nothing has happened for `time`, checking that often.
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

/// This server's end of a connection, as the caller names it. It stands in the extensions of each request,
/// if the system tells it.
#[derive(Debug, Clone, Copy)]
pub struct LocalAddress(pub SocketAddr);

impl LocalAddress {
    /// Takes an address of version 4 that came through a socket of version 6 as one of version 4.
    pub fn new(address: SocketAddr) -> Self {
        Self(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

/// The service of one connection: it puts the connection into each request, and notes requests and
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
                // The connection ends in a moment: the service does nothing for it any more.
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

/// The body of a response. It notes each piece that is taken.
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
