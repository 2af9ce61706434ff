//! The instruction files that a model gets when it reads a file.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::resources::Applies;

/// The file that the model reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InstructionQuery {
    /// A path below the working directory of the pin: absolute, or relative to that directory. At most
    /// 1,024 bytes. The file need not exist.
    // Without it, the problem is that of an empty path, after the check of the token.
    #[serde(default)]
    #[param(required = true)]
    pub path: String,
}

/// What a chat's pin gives its model when the model reads a file, besides the prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Instructions {
    /// The pinned snapshot; null without a pin.
    #[schema(required = true)]
    pub snapshot: Option<String>,
    /// The absolute path of the file; null without a pin.
    #[schema(required = true)]
    pub path: Option<String>,
    /// The instruction files and then the skills that come with that file, in the order in which the tool gives them. Those
    /// that the prompt has are not among them.
    pub items: Vec<Instruction>,
}

/// An instruction file that comes with a file, or a skill that is listed with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Instruction {
    /// The id of the resource.
    pub id: String,
    /// The absolute path of the instruction file, or of the skill's `SKILL.md`.
    pub source: String,
    /// Which files it is for, and so why it comes with this one.
    pub applies: Applies,
    /// The SHA-256 of its bytes in the workspace.
    pub content_hash: String,
    /// The text for the model: in the form of the tool, and sanitised like the prompt. A skill's is its line of the list
    /// of skills.
    pub text: String,
}
