//! Calls for pending changes, and for decisions about several chats.

use ctxpin_protocol::http::bulk_moves::{BulkMove, BulkMoved};
use ctxpin_protocol::http::page::Page;
use ctxpin_protocol::http::pending_changes::{PendingChangePage, PendingChangeQuery, PendingChat};
use reqwest::Method;

use crate::connection::{Client, with_json};
use crate::error::ClientError;

impl Client {
    /// Returns a page of the changes that chats have not taken.
    pub async fn pending_changes(
        &self,
        query: &PendingChangeQuery,
    ) -> Result<PendingChangePage, ClientError> {
        self.json(self.query_request(&["changes"], query)?).await
    }

    /// Returns a page of the chats that have not taken a change.
    pub async fn pending_chats(
        &self,
        change: &str,
        query: &PendingChangeQuery,
    ) -> Result<Page<PendingChat>, ClientError> {
        let path = ["changes", change, "chats"];
        self.json(self.query_request(&path, query)?).await
    }

    /// Carries out one decision about several of the caller's chats. A chat that fails has its problem in the
    /// result.
    pub async fn bulk_move(&self, request: &BulkMove) -> Result<BulkMoved, ClientError> {
        let to = self.request(Method::POST, &["chats", "moves"])?;
        self.json(with_json(to, request).await?).await
    }
}
