//! opencode's subagents that Markdown files describe. Its model is told of each, and no pin holds that.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ctxpin_model::profile::SkillPermission;
use ctxpin_model::resource::Kind;
use ctxpin_model::skill::frontmatter_as;
use serde::Deserialize;

use super::super::{excluded, passed_over};
use super::permission::Permissions;
use crate::directory::Directory;
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

/// The most agents of one folder that are listed.
const AGENTS_MAX: usize = 64;

/// How deep the folders of agents are looked at. opencode names an agent by the folders around it.
const DEPTH_MAX: usize = 4;

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
            let path = folder.join(name);
            gathering.places.awaited(&path);
            let mut found = Vec::new();
            if !find(&path, "", 0, &mut found, gathering) {
                let path = source_text(&path).0;
                gathering.remark(format!("only {} agents of {path} are listed", found.len()));
            }
            agents.extend(found.into_iter().map(|(name, path)| (name, path, folder)));
        }
    }
    let last = agents
        .iter()
        .map(|(name, path, _)| (name.clone(), path.clone()));
    let last: HashMap<String, PathBuf> = last.collect();
    for (name, path, folder) in agents {
        gathering.places.awaited(&path);
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

/// Finds the agents in a folder and below, where the folders around them are `around`. Returns whether these are all.
fn find(
    folder: &Path,
    around: &str,
    depth: usize,
    found: &mut Vec<(String, PathBuf)>,
    gathering: &mut Gathering,
) -> bool {
    let Ok(real) = folder.canonicalize() else {
        return true;
    };
    if depth > DEPTH_MAX {
        return false;
    }
    gathering.places.all(&real);
    let listing = Directory::open(&real).and_then(|directory| directory.list());
    let Ok(listing) = listing else {
        return true;
    };
    let mut is_whole = listing.whole;
    for own in &listing.names {
        let path = folder.join(own);
        let own = own.to_string_lossy();
        if path.is_dir() {
            is_whole &= find(
                &path,
                &format!("{around}{own}/"),
                depth + 1,
                found,
                gathering,
            );
        } else if let Some(own) = own.strip_suffix(ENDING) {
            if found.len() == AGENTS_MAX {
                return false;
            }
            found.push((format!("{around}{own}"), path));
        }
    }
    is_whole
}

/// Returns what a file says of its agent. Of one that cannot be read, nothing is known.
fn described(path: &Path, trust: &Trust) -> Described {
    let bytes = settings::listed(path, trust);
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let described = text.and_then(|text| frontmatter_as(text.trim_start_matches('\u{feff}')));
    described.unwrap_or_default()
}
