//! What a scan of a workspace would push, as `ctxpin scan --json` prints it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::push::Facts;
use super::resources::{Note, Resource};

/// A snapshot that was made and sent nowhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scan {
    /// The snapshot's id.
    pub snapshot: String,
    /// What of it would reach a model through the pin.
    pub context_hash: String,
    /// What of it would reach a model as tools.
    pub tools_hash: String,
    /// What kept the scan from being whole, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What would be told to a model about the workspace itself.
    pub facts: Facts,
    /// Everything found, in order.
    pub resources: Vec<Resource>,
    /// What there is to know of the workspace that no resource tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}
