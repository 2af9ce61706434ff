//! The skills of a pin.

use ctxpin_model::resource::Resource;

use super::resources::skill_file;
use crate::http::skills::{Skill, SkillEntry};

/// Returns the wire shape of a skill in the prompt's index.
pub fn entry(skill: &Resource) -> SkillEntry {
    SkillEntry {
        name: skill.name.clone().unwrap_or_default(),
        description: skill.description.clone().unwrap_or_default(),
        source: skill.source.clone(),
        content_hash: skill
            .body()
            .map(|hash| hash.to_string())
            .unwrap_or_default(),
    }
}

/// Returns the wire shape of a skill with its text.
pub fn skill(skill: &Resource, body: String) -> Skill {
    Skill {
        entry: entry(skill),
        files: skill.files.iter().map(skill_file).collect(),
        body,
    }
}
