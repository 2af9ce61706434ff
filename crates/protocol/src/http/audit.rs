//! The audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id.
    pub id: Uuid,
    /// Who acted.
    pub actor: Party,
    /// The operation's name.
    pub action: String,
    /// What it was done to, of several refusals the first; null for what concerns no single thing.
    #[schema(required = true)]
    pub object: Option<Party>,
    /// What became of it: `done` or `forbidden`.
    pub outcome: String,
    /// When; of several refusals the first.
    pub at: DateTime<Utc>,
    /// How often: refusals of one actor and action within one minute are one row.
    pub count: u64,
}

/// Who acted, or what was acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Party {
    /// `user`, `agent`, `system`, `chat` or `token`.
    pub kind: String,
    /// The id; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}
