//! Calls for the pin of a chat and the prompt made from it.

use bytes::Bytes;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_model::resource::ResourceId;
use ctxpin_protocol::http::context::{Context, ContextMove};
use ctxpin_protocol::http::diff::{Diff, DiffQuery};
use ctxpin_protocol::http::resources::ResourceText;
use reqwest::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::connection::{Client, with_json};
use crate::error::ClientError;

/// The prompt of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// The prompt still has the `etag` that the caller sent.
    Unchanged,
    Bytes {
        /// Markdown in UTF-8; empty while the chat is unpinned.
        bytes: Bytes,
        /// The value for the next call, so that the server does not send the same bytes again.
        etag: Option<String>,
    },
}

impl Client {
    /// Reads the pin of a chat and its drift.
    pub async fn context(&self, chat: ChatId) -> Result<Context, ClientError> {
        self.snapshots(self.context_request(Method::GET, chat)?)
            .await
    }

    /// Moves the pin of a chat. With `only_from`, the current pin must be this snapshot.
    ///
    /// # Errors
    ///
    /// Fails with `precondition-failed` if the pin or the head has changed, and with `no-head` if there is
    /// no head to move to.
    pub async fn context_move(
        &self,
        chat: ChatId,
        to: &ContextMove,
        only_from: Option<SnapshotId>,
    ) -> Result<Context, ClientError> {
        let request = if_match(self.context_request(Method::PUT, chat)?, only_from);
        self.snapshots(with_json(request, to).await?).await
    }

    /// Clears the pin of a chat. With `only_from`, the current pin must be this snapshot.
    ///
    /// # Errors
    ///
    /// Fails with `precondition-failed` if the pin has changed.
    pub async fn context_clear(
        &self,
        chat: ChatId,
        only_from: Option<SnapshotId>,
    ) -> Result<(), ClientError> {
        let request = if_match(self.context_request(Method::DELETE, chat)?, only_from);
        self.execute(request).await
    }

    /// Reads the differences with their texts. A text that does not fit into the response has `more`.
    pub async fn diff(&self, chat: ChatId, query: &DiffQuery) -> Result<Diff, ClientError> {
        let chat = chat.to_string();
        self.snapshots(self.query_request(&["chats", &chat, "context", "diff"], query)?)
            .await
    }

    /// Reads one pinned resource with its text.
    pub async fn resource(
        &self,
        chat: ChatId,
        resource: ResourceId,
    ) -> Result<ResourceText, ClientError> {
        let (chat, resource) = (chat.to_string(), resource.to_string());
        let segments = ["chats", &chat, "context", "resources", &resource];
        self.json(self.request(Method::GET, &segments)?).await
    }

    /// Reads the prompt of a chat, unless it still has the `etag`.
    pub async fn prompt(&self, chat: ChatId, etag: Option<&str>) -> Result<Prompt, ClientError> {
        let mut request = self.request(Method::GET, &["chats", &chat.to_string(), "prompt"])?;
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = self.send(request).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(Prompt::Unchanged);
        }
        let etag = response.headers().get(ETAG);
        let etag = etag.and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let bytes = self.read_bytes(response).await?;
        Ok(Prompt::Bytes { bytes, etag })
    }

    fn context_request(&self, method: Method, chat: ChatId) -> Result<RequestBuilder, ClientError> {
        self.request(method, &["chats", &chat.to_string(), "context"])
    }
}

fn if_match(request: RequestBuilder, only_from: Option<SnapshotId>) -> RequestBuilder {
    match only_from {
        Some(snapshot) => request.header(IF_MATCH, format!("\"{snapshot}\"")),
        None => request,
    }
}
