//! The audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::context::Actor;

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id.
    pub id: Uuid,
    /// Who acted.
    pub actor: Actor,
    /// The operation's name.
    pub action: String,
    /// What it was done to: a kind and an id; null for what concerns no single thing.
    #[schema(required = true)]
    pub object: Option<String>,
    /// What became of it, such as `done` or `refused`.
    pub outcome: String,
    /// When.
    pub at: DateTime<Utc>,
}
