//! opencode's subagents that Markdown files describe. Its model is told of each, and no pin holds that.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ctxpin_model::profile::SkillPermission;
use ctxpin_model::resource::Kind;
use ctxpin_model::skill::frontmatter_as;
use serde::Deserialize;

use super::super::{definitions, excluded, passed_over};
use super::permission::Permissions;
use crate::gather::Gathering;
use crate::path_text::source_text;
use crate::settings;
use crate::trust::Trust;

/// The folders of agents in a directory with a configuration. The agents in `mode` and `modes` are never subagents.
const FOLDERS: [&str; 2] = ["agent", "agents"];

/// What ends the name of an agent's file.
const ENDING: &str = ".md";

/// The permission that a model needs to start a subagent.
const TASK: &str = "task";

/// opencode's own agents that are no subagents. A file with one of these names describes that agent.
const PRIMARY: [&str; 5] = ["build", "compaction", "plan", "summary", "title"];

/// Why an agent is listed that opencode tells its model of.
const GIVEN: &str =
    "opencode gives its model the description of this subagent, but no pin holds it";

/// What a file says of its agent.
#[derive(Default, Deserialize)]
struct Described {
    mode: Option<String>,
    disable: Option<bool>,
}

/// Adds the agents in the folders with a configuration. Of two of one name, the one of the last folder counts.
pub fn add(
    folders: &[PathBuf],
    permissions: &Permissions,
    trust: &Trust,
    gathering: &mut Gathering,
) {
    let rules = permissions.of(TASK);
    let is_denied = |name: &str| {
        let mut rules = rules.iter().rev();
        let rule = rules.find(|rule| SkillPermission::is_match(&rule.pattern, name));
        rule.is_some_and(|rule| rule.is_denied)
    };
    let mut agents = Vec::new();
    for folder in folders {
        for name in FOLDERS {
            let found = definitions::find(&folder.join(name), ENDING, "agents", gathering);
            agents.extend(
                found
                    .into_iter()
                    .map(|agent| (agent.name, agent.path, folder)),
            );
        }
    }
    let last = agents
        .iter()
        .map(|(name, path, _)| (name.clone(), path.clone()));
    let last: HashMap<String, PathBuf> = last.collect();
    for (name, path, folder) in agents {
        let described = described(&path, trust);
        let is_disabled = described.disable.or(permissions.is_disabled(&name));
        // Such a file says more of an agent with which sessions begin.
        if described.mode.is_none() && PRIMARY.contains(&name.as_str()) {
            continue;
        }
        let is_primary = described.mode.as_deref() == Some("primary");
        let source = source_text(&path).0;
        let reason = match last.get(&name).filter(|other| **other != path) {
            Some(other) => format!(
                "opencode takes another file of its name: {}",
                source_text(other).0
            ),
            None if is_disabled == Some(true) => "`disable` turns this agent off".to_owned(),
            None if is_primary => {
                "opencode tells its model of no agent whose `mode` is `primary`".to_owned()
            }
            None if is_denied(&name) => {
                "the permission `task` keeps this agent from the model".to_owned()
            }
            None => {
                gathering.add(excluded(Kind::InstructionFile, &source, folder, GIVEN));
                continue;
            }
        };
        gathering.add(passed_over(Kind::InstructionFile, &source, folder, &reason));
    }
}

/// Returns what a file says of its agent. Of one that cannot be read, nothing is known.
fn described(path: &Path, trust: &Trust) -> Described {
    let bytes = settings::listed(path, trust);
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let described = text.and_then(|text| frontmatter_as(text.trim_start_matches('\u{feff}')));
    described.unwrap_or_default()
}
