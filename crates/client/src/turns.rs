//! Calls for turns.

use bytes::Bytes;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::evidence::{EvidenceKey, EvidenceRow, TurnEvidence};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::turns::{Turn, TurnBegin, TurnBegun, TurnGiven};
use reqwest::Method;

use crate::connection::{Client, with_json};
use crate::error::ClientError;

impl Client {
    /// Begins a turn. A repeat with the same `reference` returns the same turn.
    ///
    /// # Errors
    ///
    /// Fails with `archived` if the chat is archived.
    pub async fn turn_begin(
        &self,
        chat: ChatId,
        turn: &TurnBegin,
    ) -> Result<TurnBegun, ClientError> {
        let request = self.request(Method::POST, &["chats", &chat.to_string(), "turns"])?;
        self.snapshots(with_json(request, turn).await?).await
    }

    /// Lists the turns of a chat.
    pub async fn turns(&self, chat: ChatId, page: &PageQuery) -> Result<Page<Turn>, ClientError> {
        let chat = chat.to_string();
        self.json(self.query_request(&["chats", &chat, "turns"], page)?)
            .await
    }

    /// Reads a turn with what it gave to the model.
    pub async fn turn(&self, chat: ChatId, number: i64) -> Result<TurnGiven, ClientError> {
        let (chat, number) = (chat.to_string(), number.to_string());
        self.json(self.request(Method::GET, &["chats", &chat, "turns", &number])?)
            .await
    }

    /// Returns the caller's key, under which rows of evidence name texts that no snapshot has.
    pub async fn evidence_key(&self) -> Result<EvidenceKey, ClientError> {
        let request = self.request(Method::POST, &["me", "evidence-key"])?;
        self.json(request).await
    }

    /// Hands in a row of evidence about a turn. Returns what all rows of the turn say together.
    pub async fn evidence_add(
        &self,
        chat: ChatId,
        number: i64,
        row: &EvidenceRow,
    ) -> Result<TurnEvidence, ClientError> {
        let (chat, number) = (chat.to_string(), number.to_string());
        let segments = ["chats", &chat, "turns", &number, "evidence"];
        let request = self.request(Method::POST, &segments)?;
        self.json(with_json(request, row).await?).await
    }

    /// Reads the prompt that a turn was given: Markdown in UTF-8, empty if the chat had no pin.
    pub async fn turn_prompt(&self, chat: ChatId, number: i64) -> Result<Bytes, ClientError> {
        let (chat, number) = (chat.to_string(), number.to_string());
        let segments = ["chats", &chat, "turns", &number, "prompt"];
        self.bytes(self.request(Method::GET, &segments)?).await
    }
}
