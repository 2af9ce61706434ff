//! Calls that make one-time codes, and exchange them for agents.

use ctxpin_protocol::http::agents::AgentCreate;
use ctxpin_protocol::http::enrolment::{AgentEnrol, AgentEnrolled, EnrolmentCode};
use reqwest::Method;

use crate::connection::{Client, with_json};
use crate::error::ClientError;

impl Client {
    /// Makes a one-time code with which an agent creates itself. Only this response shows it.
    pub async fn enrolment_code_create(
        &self,
        agent: &AgentCreate,
    ) -> Result<EnrolmentCode, ClientError> {
        let request = self.request(Method::POST, &["enrolment-codes"])?;
        self.json(with_json(request, agent).await?).await
    }

    /// Exchanges a code for an agent. A repeated call with the same hash has the same result. It is for a client
    /// that [`Client::enrolling`] returns.
    pub async fn agent_enrol(&self, enrol: &AgentEnrol) -> Result<AgentEnrolled, ClientError> {
        let request = self.request(Method::POST, &["enrolments"])?;
        self.json(with_json(request, enrol).await?).await
    }
}
