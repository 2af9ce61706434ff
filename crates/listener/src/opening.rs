//! The deadline of a connection's first head.
//!
//! hyper reads the first bytes to choose between HTTP/1.1 and HTTP/2, without a timeout. Its timeout for
//! HTTP/1.1 applies to the pauses between requests too, and is longer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::connection::Connection;

/// The first bytes of an HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails if the first head, or the preface of HTTP/2, does not come in time.
pub(crate) struct Opening<S> {
    stream: S,
    connection: Connection,
    /// The bytes of the preface that were read, or `None` for HTTP/1.1.
    preface: Option<usize>,
    /// The deadline, or `None` once the head or the preface was read.
    time: Option<Pin<Box<Sleep>>>,
}

impl<S> Opening<S> {
    /// Returns a stream from which nothing was read yet. `connection` reports the first complete head.
    pub fn new(stream: S, connection: Connection, time_max: Duration) -> Self {
        Self {
            stream,
            connection,
            preface: Some(0),
            time: Some(Box::pin(sleep(time_max))),
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
        if this.connection.has_begun() {
            this.time = None;
        }
        let Some(time) = &mut this.time else {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        };
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            let read_now = &buffer.filled()[filled..];
            if let Some(known) = &mut this.preface {
                let expected = &PREFACE[*known..];
                let length = expected.len().min(read_now.len());
                *known += length;
                if read_now[..length] != expected[..length] {
                    this.preface = None;
                } else if length == expected.len() {
                    this.time = None;
                }
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
