//! Turns.

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::turns::{Turn, TurnBegin, TurnBegun};
use reqwest::Method;

use crate::connection::{Client, with_json};
use crate::error::ClientError;

impl Client {
    /// Begins a turn, or repeats the request that did.
    ///
    /// # Errors
    ///
    /// Those of any call; `archived` if the chat is put away.
    pub async fn turn_begin(
        &self,
        chat: ChatId,
        turn: &TurnBegin,
    ) -> Result<TurnBegun, ClientError> {
        let request = self.request(Method::POST, &["chats", &chat.to_string(), "turns"])?;
        self.snapshots(with_json(request, turn).await?).await
    }

    /// Lists the turns of a chat.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn turns(&self, chat: ChatId, page: &PageQuery) -> Result<Page<Turn>, ClientError> {
        let chat = chat.to_string();
        self.json(self.query_request(&["chats", &chat, "turns"], page)?)
            .await
    }
}
