//! The audit log, as it is stored.

use uuid::Uuid;

use crate::id::AuditId;
use crate::moment::Moment;

/// A row of the audit log.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    /// Its id.
    pub id: AuditId,
    /// `user`, `agent` or `system`.
    pub actor_kind: String,
    /// Which user or agent.
    pub actor_id: Option<Uuid>,
    /// The operation's name.
    pub action: String,
    /// What kind of thing it was done to.
    pub object_kind: Option<String>,
    /// To which; of several refusals to the first.
    pub object_id: Option<Uuid>,
    /// `done` or `forbidden`.
    pub outcome: String,
    /// When; of several refusals when the first was.
    pub at: Moment,
    /// How often. More than once only for refusals of one actor and action within one minute.
    pub count: u64,
}
