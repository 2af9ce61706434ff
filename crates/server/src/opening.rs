//! A connection whose protocol must show in time: what is read first tells HTTP/1.1 from HTTP/2, and
//! neither of them is at work yet to bound how long that takes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails if its first bytes do not come in time.
pub(crate) struct Opening<S> {
    stream: S,
    /// How many bytes of the preface there were, and how long there may be no more; none once it
    /// is clear what is spoken.
    awaited: Option<(usize, Pin<Box<Sleep>>)>,
}

impl<S> Opening<S> {
    /// A stream on which nothing was read yet.
    pub fn new(stream: S, time_max: Duration) -> Self {
        Self {
            stream,
            awaited: Some((0, Box::pin(sleep(time_max)))),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let filled = buffer.filled().len();
        let Some((known, time)) = &mut this.awaited else {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        };
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            let read_now = &buffer.filled()[filled..];
            *known += read_now.len();
            let expected = PREFACE.get(*known - read_now.len()..*known);
            if *known >= PREFACE.len() || expected != Some(read_now) {
                this.awaited = None;
            }
            return Poll::Ready(read);
        }
        ready!(time.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
