//! Calls for chats.

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::agents::Refreshed;
use ctxpin_protocol::http::chats::{Chat, ChatChange, ChatCreate, ChatQuery, ChatStart};
use ctxpin_protocol::http::context::RefreshFilter;
use ctxpin_protocol::http::page::Page;
use reqwest::{Method, StatusCode};

use crate::connection::{Client, with_json};
use crate::error::ClientError;

/// The result of [`Client::chat_create`].
#[derive(Debug, Clone, PartialEq)]
pub struct ChatOpened {
    pub chat: Chat,
    /// Whether the call has created the chat. Otherwise a chat of the same client and reference
    /// existed.
    pub is_new: bool,
}

impl Client {
    /// Creates a chat, or returns the existing one of the same client and reference.
    pub async fn chat_create(&self, chat: &ChatCreate) -> Result<ChatOpened, ClientError> {
        let request = self.request(Method::POST, &["chats"])?;
        let response = self.send(with_json(request, chat).await?).await?;
        let is_new = response.status() == StatusCode::CREATED;
        let chat = self.read_json(response).await?;
        Ok(ChatOpened { chat, is_new })
    }

    /// Returns a page of chats.
    pub async fn chats(&self, query: &ChatQuery) -> Result<Page<Chat>, ClientError> {
        self.json(self.query_request(&["chats"], query)?).await
    }

    /// Reads a chat.
    pub async fn chat(&self, chat: ChatId) -> Result<Chat, ClientError> {
        let request = self.request(Method::GET, &["chats", &chat.to_string()])?;
        self.json(request).await
    }

    /// Changes a chat, except its pin.
    pub async fn chat_change(
        &self,
        chat: ChatId,
        change: &ChatChange,
    ) -> Result<Chat, ClientError> {
        let request = self.request(Method::PATCH, &["chats", &chat.to_string()])?;
        self.json(with_json(request, change).await?).await
    }

    /// Tells of an event in a chat's client, at which it may have read its files.
    pub async fn chat_start(&self, chat: ChatId, start: &ChatStart) -> Result<Chat, ClientError> {
        let request = self.request(Method::POST, &["chats", &chat.to_string(), "start"])?;
        self.json(with_json(request, start).await?).await
    }

    /// Deletes a chat with its history and turns.
    pub async fn chat_delete(&self, chat: ChatId) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &["chats", &chat.to_string()])?;
        self.execute(request).await
    }

    /// Refreshes chats of any user. Only administrators may.
    pub async fn chats_refresh(&self, filter: &RefreshFilter) -> Result<Refreshed, ClientError> {
        let request = self.request(Method::POST, &["chats", "refresh"])?;
        self.json(with_json(request, filter).await?).await
    }
}
