//! Calls for contents, by their hash.

use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::http::exposure::{ChatExposure, Exposure, KnownHashes};
use ctxpin_protocol::http::page::{Page, PageQuery};
use reqwest::Method;

use crate::connection::Client;
use crate::error::ClientError;

impl Client {
    /// Returns the chats and turns that had a content in force, among those that the caller may read about.
    pub async fn exposure(&self, content: BlobHash) -> Result<Exposure, ClientError> {
        let content = content.to_string();
        self.json(self.request(Method::GET, &["content", &content, "exposure"])?)
            .await
    }

    /// Returns the contents, contexts and snapshots whose hashes begin so. `beginning` has at least 8 digits.
    pub async fn known_hashes(&self, beginning: &str) -> Result<KnownHashes, ClientError> {
        self.json(self.request(Method::GET, &["hashes", beginning])?)
            .await
    }

    /// Returns a page of the chats that had a content, a context or a snapshot in force.
    pub async fn exposed_chats(
        &self,
        hash: &str,
        page: &PageQuery,
    ) -> Result<Page<ChatExposure>, ClientError> {
        self.json(self.query_request(&["hashes", hash, "chats"], page)?)
            .await
    }
}
