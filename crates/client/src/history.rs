//! Calls for a chat's pin history.

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::history::Pin;
use ctxpin_protocol::http::page::{Page, PageQuery};

use crate::connection::Client;
use crate::error::ClientError;

impl Client {
    /// Lists every pin that a chat had.
    pub async fn history(&self, chat: ChatId, page: &PageQuery) -> Result<Page<Pin>, ClientError> {
        let chat = chat.to_string();
        self.json(self.query_request(&["chats", &chat, "context", "history"], page)?)
            .await
    }
}
