//! The output of `ctxpin scan --json`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::push::Facts;
use super::resources::{Note, Resource};

/// The snapshot that a scan would push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scan {
    /// The snapshot's id.
    pub snapshot: String,
    /// The hash of what a model would get through the pin.
    pub context_hash: String,
    /// The hash of what a model would get as tools.
    pub tools_hash: String,
    /// Why the scan is not complete, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a model would be told about the workspace itself.
    pub facts: Facts,
    /// The resources in order.
    pub resources: Vec<Resource>,
    /// Notes about the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}
