//! Calls for contents, by their hash.

use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::http::exposure::Exposure;
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
}
