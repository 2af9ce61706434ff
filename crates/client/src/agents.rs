//! Calls for the owner of agents.

use ctxpin_model::id::AgentId;
use ctxpin_protocol::http::agents::{Agent, AgentCreate, AgentCreated, TimelineHead};
use ctxpin_protocol::http::page::{Page, PageQuery};
use reqwest::Method;

use crate::connection::{Client, with_json};
use crate::error::ClientError;

impl Client {
    /// Creates an agent. Only this response shows its token.
    pub async fn agent_create(&self, agent: &AgentCreate) -> Result<AgentCreated, ClientError> {
        let request = self.request(Method::POST, &["agents"])?;
        self.json(with_json(request, agent).await?).await
    }

    /// Returns a page of agents.
    pub async fn agents(&self, page: &PageQuery) -> Result<Page<Agent>, ClientError> {
        self.json(self.query_request(&["agents"], page)?).await
    }

    /// Reads an agent.
    pub async fn agent(&self, agent: AgentId) -> Result<Agent, ClientError> {
        let request = self.request(Method::GET, &["agents", &agent.to_string()])?;
        self.json(request).await
    }

    /// Replaces the token of an agent. Only this response shows the new token. The old token ends
    /// at once.
    pub async fn agent_token_rotate(&self, agent: AgentId) -> Result<AgentCreated, ClientError> {
        let request = self.request(Method::POST, &["agents", &agent.to_string(), "token"])?;
        self.json(request).await
    }

    /// Deletes an agent. Its chats keep their pins.
    pub async fn agent_delete(&self, agent: AgentId) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &["agents", &agent.to_string()])?;
        self.execute(request).await
    }

    /// Returns a page of an agent's heads, the timeline of its workspace's context.
    pub async fn agent_heads(
        &self,
        agent: AgentId,
        page: &PageQuery,
    ) -> Result<Page<TimelineHead>, ClientError> {
        let agent = agent.to_string();
        self.json(self.query_request(&["agents", &agent, "heads"], page)?)
            .await
    }
}
