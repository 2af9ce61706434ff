//! Chats.

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::agents::Refreshed;
use ctxpin_protocol::http::chats::{Chat, ChatChange, ChatCreate, ChatQuery};
use ctxpin_protocol::http::context::RefreshFilter;
use ctxpin_protocol::http::page::Page;
use reqwest::{Method, StatusCode};

use crate::connection::{Client, with_json};
use crate::error::ClientError;

/// The chat that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatOpened {
    /// The chat.
    pub chat: Chat,
    /// Whether it was made just now; else there was one of the same client and reference.
    pub is_new: bool,
}

impl Client {
    /// Creates a chat, or answers the one of the same client and reference.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn chat_create(&self, chat: &ChatCreate) -> Result<ChatOpened, ClientError> {
        let request = self.request(Method::POST, &["chats"])?;
        let response = self.answer(with_json(request, chat).await?).await?;
        let is_new = response.status() == StatusCode::CREATED;
        let chat = self.json_of(response).await?;
        Ok(ChatOpened { chat, is_new })
    }

    /// Lists chats.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn chats(&self, query: &ChatQuery) -> Result<Page<Chat>, ClientError> {
        self.json(self.query_request(&["chats"], query)?).await
    }

    /// Reads a chat.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn chat(&self, chat: ChatId) -> Result<Chat, ClientError> {
        let request = self.request(Method::GET, &["chats", &chat.to_string()])?;
        self.json(request).await
    }

    /// Changes a chat's title, archive, binding, policy or tools.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn chat_change(
        &self,
        chat: ChatId,
        change: &ChatChange,
    ) -> Result<Chat, ClientError> {
        let request = self.request(Method::PATCH, &["chats", &chat.to_string()])?;
        self.json(with_json(request, change).await?).await
    }

    /// Deletes a chat with its history and turns.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn chat_delete(&self, chat: ChatId) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &["chats", &chat.to_string()])?;
        self.nothing(request).await
    }

    /// Refreshes chats of anybody, for administrators.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn chats_refresh(&self, filter: &RefreshFilter) -> Result<Refreshed, ClientError> {
        let request = self.request(Method::POST, &["chats", "refresh"])?;
        self.json(with_json(request, filter).await?).await
    }
}
