//! Watches, which are streams of events.

use std::pin::Pin;

use ctxpin_model::id::ChatId;
use ctxpin_protocol::watch::Event;
use futures_util::{Stream, StreamExt};
use reqwest::header::ACCEPT;
use reqwest::{Method, StatusCode};
use sse_stream::{Sse, SseStream};

use crate::connection::{Client, RESPONSE_TIME_MAX, content_type_is};
use crate::error::ClientError;

/// Longest event, in bytes, with the comments before it. The longest event of a server is a chat with the
/// longest error.
const EVENT_BYTES_MAX: usize = 256 * 1024;

/// The media type of Server-Sent Events.
const EVENT_STREAM: &str = "text/event-stream";

/// Events in order: the state, [`Event::Ready`], then changes. The stream ends with the connection and
/// cannot be resumed. A new watch begins with the state again.
pub type Watch = Pin<Box<dyn Stream<Item = Result<Event, ClientError>> + Send>>;

impl Client {
    /// Watches everything that the caller may see.
    ///
    /// # Errors
    ///
    /// Fails if the stream cannot be opened. Later errors are items of the stream.
    pub async fn watch(&self) -> Result<Watch, ClientError> {
        self.events(&["watch"]).await
    }

    /// Watches one chat.
    ///
    /// # Errors
    ///
    /// Fails if the stream cannot be opened. Later errors are items of the stream.
    pub async fn chat_watch(&self, chat: ChatId) -> Result<Watch, ClientError> {
        self.events(&["chats", &chat.to_string(), "watch"]).await
    }

    async fn events(&self, segments: &[&str]) -> Result<Watch, ClientError> {
        let request = self.stream_request(Method::GET, segments)?;
        let response = self.send(request.header(ACCEPT, EVENT_STREAM));
        let response = tokio::time::timeout(RESPONSE_TIME_MAX, response)
            .await
            .map_err(|_| ClientError::TimedOut {
                server: self.server().to_string(),
                after: RESPONSE_TIME_MAX,
            })??;
        if !content_type_is(response.headers(), EVENT_STREAM) {
            return Err(self.unexpected(response.status(), "and no events".into()));
        }
        let client = self.clone();
        let mut unended = UnendedEvent::default();
        let pieces = response.bytes_stream().map(move |piece| {
            let piece = piece.map_err(PieceError::Broken)?;
            unended.add(&piece).map(|()| piece)
        });
        let events = SseStream::from_bytes_stream(pieces);
        Ok(Box::pin(events.filter_map(move |event| {
            std::future::ready(client.event(event).transpose())
        })))
    }

    /// Parses an event. Returns `None` for an unknown event of a later version.
    fn event(&self, event: Result<Sse, sse_stream::Error>) -> Result<Option<Event>, ClientError> {
        let broken = |reason: String| ClientError::StreamBroken {
            server: self.server().to_string(),
            reason,
        };
        let event = event.map_err(|error| match &error {
            sse_stream::Error::Body(piece) if is_too_long(piece.as_ref()) => {
                let reason = format!("and an event of more than {EVENT_BYTES_MAX} bytes");
                self.unexpected(StatusCode::OK, reason)
            }
            _ => broken(error.to_string()),
        })?;
        let name = event.event.unwrap_or_default();
        let data = event.data.unwrap_or_default();
        Event::parse(&name, &data).map_err(|error| broken(format!("event `{name}`: {error}")))
    }
}

/// The reason why a piece of a stream cannot be read.
#[derive(Debug, thiserror::Error)]
enum PieceError {
    #[error(transparent)]
    Broken(reqwest::Error),
    #[error("an event has more than {EVENT_BYTES_MAX} bytes")]
    EventTooLong,
}

fn is_too_long(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let error = error.downcast_ref::<PieceError>();
    matches!(error, Some(PieceError::EventTooLong))
}

/// An event that has begun: the bytes since the last empty line.
#[derive(Debug, Default)]
struct UnendedEvent {
    bytes: usize,
    /// Whether the current line is empty so far.
    is_line_empty: bool,
}

impl UnendedEvent {
    /// Counts the bytes of the stream's next piece.
    ///
    /// # Errors
    ///
    /// Returns [`PieceError::EventTooLong`] if an event exceeds [`EVENT_BYTES_MAX`].
    fn add(&mut self, piece: &[u8]) -> Result<(), PieceError> {
        for byte in piece {
            match byte {
                b'\n' if self.is_line_empty => self.bytes = 0,
                b'\n' => self.is_line_empty = true,
                b'\r' => {}
                _ => self.is_line_empty = false,
            }
            self.bytes += 1;
            if self.bytes > EVENT_BYTES_MAX {
                return Err(PieceError::EventTooLong);
            }
        }
        Ok(())
    }
}
