//! Skills of a pin.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::resources::SkillFile;

/// A skill as the prompt's index lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkillEntry {
    /// Its name; unique within a pin.
    pub name: String,
    /// What it is for, for the model.
    pub description: String,
    /// The absolute path of its `SKILL.md`.
    pub source: String,
    /// SHA-256 of its `SKILL.md`.
    pub content_hash: String,
}

/// A skill with its text and the list of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skill {
    /// The skill as the index lists it.
    #[serde(flatten)]
    pub entry: SkillEntry,
    /// Its supporting files, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SkillFile>,
    /// Its `SKILL.md`: sanitised like the prompt, or verbatim if `raw` was asked for.
    pub body: String,
}

/// How a skill is to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SkillQuery {
    /// Whether the `SKILL.md` is told verbatim, for people; false without it.
    #[serde(default)]
    pub raw: bool,
}
