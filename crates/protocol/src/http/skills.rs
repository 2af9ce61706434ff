//! The skills of a pin.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::resources::SkillFile;

/// A skill as the prompt's index lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkillEntry {
    /// Unique within the pin.
    pub name: String,
    /// What the skill is for, for the model.
    pub description: String,
    /// The absolute path of its `SKILL.md`.
    pub source: String,
    /// The SHA-256 of its `SKILL.md`.
    pub content_hash: String,
}

/// A skill with its text and the list of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skill {
    #[serde(flatten)]
    pub entry: SkillEntry,
    /// The supporting files, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SkillFile>,
    /// The `SKILL.md`: sanitised like the prompt, or verbatim with `raw`.
    pub body: String,
}

/// The form of a skill in a response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SkillQuery {
    /// Whether the `SKILL.md` is verbatim, for people. The default is false.
    #[serde(default)]
    pub raw: bool,
}
