//! Watches: streams of events.

use std::pin::Pin;

use ctxpin_model::id::ChatId;
use ctxpin_protocol::watch::Event;
use futures_util::{Stream, StreamExt};
use reqwest::Method;
use reqwest::header::ACCEPT;
use sse_stream::{Sse, SseStream};

use crate::connection::{ANSWER_TIME_MAX, Client, content_type_is};
use crate::error::ClientError;

/// The media type of Server-Sent Events.
const EVENT_STREAM: &str = "text/event-stream";

/// Events as they come: the state, [`Event::Ready`], then changes. It ends with the connection and
/// is not resumed: whoever wants more watches again, and is told the state again.
pub type Watch = Pin<Box<dyn Stream<Item = Result<Event, ClientError>> + Send>>;

impl Client {
    /// Watches everything that the caller may see.
    ///
    /// # Errors
    ///
    /// Those of any call. Those of the stream itself are items of it.
    pub async fn watch(&self) -> Result<Watch, ClientError> {
        self.events(&["watch"]).await
    }

    /// Watches one chat.
    ///
    /// # Errors
    ///
    /// Those of any call. Those of the stream itself are items of it.
    pub async fn chat_watch(&self, chat: ChatId) -> Result<Watch, ClientError> {
        self.events(&["chats", &chat.to_string(), "watch"]).await
    }

    async fn events(&self, segments: &[&str]) -> Result<Watch, ClientError> {
        let request = self.stream_request(Method::GET, segments)?;
        let answer = self.answer(request.header(ACCEPT, EVENT_STREAM));
        let response = tokio::time::timeout(ANSWER_TIME_MAX, answer)
            .await
            .map_err(|_| ClientError::Silent {
                server: self.server().to_string(),
                after: ANSWER_TIME_MAX,
            })??;
        if !content_type_is(response.headers(), EVENT_STREAM) {
            return Err(self.unexpected(response.status(), "and no events".into()));
        }
        let client = self.clone();
        let events = SseStream::from_bytes_stream(response.bytes_stream());
        Ok(Box::pin(events.filter_map(move |event| {
            std::future::ready(client.event(event).transpose())
        })))
    }

    /// Reads one event; `None` for one that this version does not know.
    fn event(&self, event: Result<Sse, sse_stream::Error>) -> Result<Option<Event>, ClientError> {
        let broken = |reason: String| ClientError::StreamBroken {
            server: self.server().to_string(),
            reason,
        };
        let event = event.map_err(|error| broken(error.to_string()))?;
        let name = event.event.unwrap_or_default();
        let data = event.data.unwrap_or_default();
        Event::parse(&name, &data).map_err(|error| broken(format!("event `{name}`: {error}")))
    }
}
