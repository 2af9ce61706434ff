//! Calls of an agent, with its own token.

use bytes::Bytes;
use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::http::agents::{EPOCH_HEADER, Refreshed, Session, SessionOpen};
use ctxpin_protocol::http::push::{Push, PushAnswer};
use reqwest::Method;

use crate::connection::{Client, with_body, with_json};
use crate::error::ClientError;

impl Client {
    /// Opens the session of a process. A repeat by the same process returns the same session.
    ///
    /// # Errors
    ///
    /// Fails with `agent-replaced` if another agent has replaced this one.
    pub async fn session_open(&self, process: &SessionOpen) -> Result<Session, ClientError> {
        let request = self.request(Method::POST, &["agent", "session"])?;
        self.json(with_json(request, process).await?).await
    }

    /// Pushes a snapshot.
    ///
    /// # Errors
    ///
    /// Fails with `fenced` if a newer process has taken over, and with `missing-blobs` if the server lacks
    /// bytes that the push names.
    pub async fn push(&self, push: &Push) -> Result<PushAnswer, ClientError> {
        let request = self.request(Method::PUT, &["agent", "context"])?;
        self.json(with_json(request, push).await?).await
    }

    /// Uploads bytes that are too large to be part of a push. A later push refers to them by their
    /// hash.
    ///
    /// # Errors
    ///
    /// Fails with `fenced` if a newer process has taken over.
    pub async fn blob_upload(
        &self,
        epoch: i64,
        hash: BlobHash,
        bytes: Bytes,
    ) -> Result<(), ClientError> {
        let request = self
            .request(Method::PUT, &["agent", "blobs", &hash.to_string()])?
            .header(EPOCH_HEADER, epoch);
        self.execute(with_body(request, "application/octet-stream", bytes).await?)
            .await
    }

    /// Refreshes every drifted chat of the agent that belongs to the agent's owner.
    ///
    /// # Errors
    ///
    /// Fails with `forbidden` unless the agent was created with `may_refresh`.
    pub async fn agent_refresh(&self, epoch: i64) -> Result<Refreshed, ClientError> {
        let request = self.request(Method::POST, &["agent", "refresh"])?;
        self.json(request.header(EPOCH_HEADER, epoch)).await
    }
}
