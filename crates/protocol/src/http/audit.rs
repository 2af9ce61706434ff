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
    /// What it was done to; null for what concerns no single thing.
    #[schema(required = true)]
    pub object: Option<Party>,
    /// What became of it: `done` or `forbidden`.
    pub outcome: String,
    /// When.
    pub at: DateTime<Utc>,
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
