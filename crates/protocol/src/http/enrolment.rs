//! One-time codes with which agents create themselves.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::agents::Agent;
use super::people::Secret;

/// A one-time code with which an agent creates itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentCode {
    /// 16 letters and digits in groups of four, such as `K7QD-M2XP-90AB-CDEF`. No other response shows it.
    #[schema(value_type = String)]
    pub code: Secret,
    /// When the code ceases to be valid.
    pub expires_at: DateTime<Utc>,
}

/// A request of a new agent to exchange a code for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentEnrol {
    /// The code. Its case, blanks and dashes do not matter.
    #[schema(value_type = String)]
    pub code: Secret,
    /// The hash of 32 random bytes. The agent draws these bytes and keeps them: in hexadecimal digits they are the
    /// second half of its token.
    pub secret_hash: String,
    /// The profile that the agent will follow. The default is `neutral`. The server refuses another one than the code
    /// was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// A new agent. Its token is `ctxpin_`, the token's id without dashes, `_`, and the secret that the agent drew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentEnrolled {
    pub agent: Agent,
    pub token_id: Uuid,
}
