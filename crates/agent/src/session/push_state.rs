//! The state of a session's pushes, for callers that wait for a push or report the status.

use std::time::Instant;

use ctxpin_model::moment::Moment;
use ctxpin_protocol::control::ResyncReply;
use ctxpin_protocol::http::quotas::QuotaWarning;
use uuid::Uuid;

use super::plan::PushStatus;

/// The state of a session's pushes.
#[derive(Debug, Clone, Default)]
pub(crate) struct PushState {
    /// `None` until the server has opened a session.
    pub epoch: Option<i64>,
    /// The agent, once the server has told it.
    pub agent: Option<Uuid>,
    /// The last push that the server acknowledged.
    pub acknowledged: Option<AcknowledgedPush>,
    pub status: PushStatus,
    /// The outcome of the last push that the server acknowledged or refused.
    pub outcome: Option<PushOutcome>,
    /// The last warnings of the server.
    pub quota_warnings: Vec<QuotaWarning>,
    /// The time at which the agent's token expires, according to the server's latest response.
    pub token_expires_at: Option<Moment>,
}

#[derive(Debug, Clone)]
pub(crate) struct AcknowledgedPush {
    /// The head's snapshot.
    pub snapshot: String,
    /// The head's number in the agent's timeline.
    pub seq: i64,
    pub at: Instant,
}

#[derive(Debug, Clone)]
pub(crate) struct PushOutcome {
    /// The number of the last resync that the push answered.
    pub resync: u64,
    /// The answer to the resync, or why the server refused the push.
    pub result: Result<ResyncReply, String>,
}

impl PushState {
    /// Returns why the next push waits or never comes, or `None` if it does not wait.
    pub fn waits_because(&self) -> Option<&str> {
        match &self.status {
            PushStatus::Waiting(retry) => Some(&retry.reason),
            PushStatus::Ended(reason) => Some(reason),
            PushStatus::Settled | PushStatus::Sending | PushStatus::Refused(_) => None,
        }
    }
}
