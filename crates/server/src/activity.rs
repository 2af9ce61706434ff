//! What happens on one connection, to tell when nothing does: no request is worked on, and nothing
//! of an answer is taken. It covers a client that sends nothing more, one that does not read, and one
//! that keeps the window of an HTTP/2 stream shut. It also tells whether a token was ever good there.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use axum::{BoxError, Router};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tower::{Service, ServiceExt as _};

use crate::authority::LocalAddress;
use crate::limits::TOKENS_REFUSED_MAX;

/// Most bytes of an answer that are handed on at once, so that a large one shows how it gets on.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// What happens on one connection. Cloning it shares everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Activity(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// A number that no other connection has.
    id: u64,
    /// Whether a token was good on it.
    is_known: AtomicBool,
    /// How many requests were refused for their token.
    refused: AtomicUsize,
    became_unwelcome: Notify,
    /// Lets one token after the other be looked up, until one is good.
    turn: Semaphore,
    /// Requests that were read and are not answered.
    under_way: AtomicUsize,
    /// Requests and pieces of answers so far.
    steps: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            is_known: AtomicBool::default(),
            refused: AtomicUsize::default(),
            became_unwelcome: Notify::new(),
            turn: Semaphore::new(1),
            under_way: AtomicUsize::default(),
            steps: AtomicU64::default(),
        }
    }
}

/// A request that is worked on.
struct UnderWay(Activity);

impl Activity {
    fn begin(&self) -> UnderWay {
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
        self.step();
        UnderWay(self.clone())
    }

    /// The number of the connection.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// How many of its requests are read and not answered.
    pub fn under_way(&self) -> usize {
        self.0.under_way.load(Ordering::Relaxed)
    }

    /// Whether there was ever a whole head.
    pub fn has_begun(&self) -> bool {
        self.0.steps.load(Ordering::Relaxed) > 0
    }

    /// Whether there was a whole head but no good token, and nothing is worked on.
    pub fn is_at_rest_unknown(&self) -> bool {
        self.has_begun() && !self.is_known() && self.under_way() == 0
    }

    /// Whether a token was ever good.
    pub fn is_known(&self) -> bool {
        self.0.is_known.load(Ordering::Relaxed)
    }

    /// Notes that a token was good.
    pub fn become_known(&self) {
        self.0.is_known.store(true, Ordering::Relaxed);
        self.0.turn.close();
    }

    /// Waits until no other token is looked up for the connection, if none was good yet.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.turn.acquire().await.ok()
    }

    /// Notes that a token opened nothing.
    fn refuse(&self) {
        let refused = self.0.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if refused >= TOKENS_REFUSED_MAX && !self.is_known() {
            self.0.became_unwelcome.notify_one();
        }
    }

    /// Whether tokens were tried in vain as often as may be.
    pub fn is_unwelcome(&self) -> bool {
        !self.is_known() && self.0.refused.load(Ordering::Relaxed) >= TOKENS_REFUSED_MAX
    }

    /// Waits until tokens were tried in vain as often as may be.
    pub async fn unwelcome(&self) {
        self.0.became_unwelcome.notified().await;
    }

    fn step(&self) {
        self.0.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until nothing has happened for so long, looking that often.
    pub async fn quiet(&self, time: Duration) {
        let steps = || self.0.steps.load(Ordering::Relaxed);
        loop {
            let before = steps();
            tokio::time::sleep(time).await;
            let is_idle = self.under_way() == 0;
            if is_idle && steps() == before {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.step();
        self.0.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A router whose requests and answers are noted.
#[derive(Clone)]
pub(crate) struct NotedRouter {
    pub router: Router,
    pub activity: Activity,
    /// Where the connection came in, if the system tells.
    pub local: Option<LocalAddress>,
}

impl<B> Service<Request<B>> for NotedRouter
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Noted>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let under_way = self.activity.begin();
        let Self {
            router,
            activity,
            local,
        } = self.clone();
        request.extensions_mut().insert(activity.clone());
        if let Some(local) = local {
            request.extensions_mut().insert(local);
        }
        Box::pin(async move {
            let response = match activity.is_unwelcome() {
                // The connection ends in a moment: nothing is done for it any more.
                true => Ok(StatusCode::UNAUTHORIZED.into_response()),
                false => router.oneshot(request).await,
            };
            let status = response.as_ref().map(Response::status);
            if status == Ok(StatusCode::UNAUTHORIZED) {
                activity.refuse();
            }
            drop(under_way);
            response.map(|response| {
                response.map(|body| Noted {
                    body,
                    rest: Bytes::new(),
                    activity,
                })
            })
        })
    }
}

/// The body of an answer; whoever takes a piece of it does something.
pub(crate) struct Noted {
    body: Body,
    rest: Bytes,
    activity: Activity,
}

impl http_body::Body for Noted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            self.activity.step();
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        self.activity.step();
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
