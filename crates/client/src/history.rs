//! Calls for a chat's pin history.

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::history::{HistoryEntry, HistoryQuery};
use ctxpin_protocol::http::page::Page;

use crate::connection::Client;
use crate::error::ClientError;

impl Client {
    /// Returns a page of a chat's pin history.
    pub async fn history(
        &self,
        chat: ChatId,
        query: &HistoryQuery,
    ) -> Result<Page<HistoryEntry>, ClientError> {
        let chat = chat.to_string();
        self.json(self.query_request(&["chats", &chat, "context", "history"], query)?)
            .await
    }
}
