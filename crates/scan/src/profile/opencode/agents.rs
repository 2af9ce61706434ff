//! opencode's subagents, which Markdown files and configurations describe. Its model is told of each, and no pin holds that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ctxpin_model::profile::SkillPermission;
use ctxpin_model::resource::Kind;
use ctxpin_model::skill::frontmatter_as;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use super::super::definitions::{self, Definition, shown};
use super::super::{excluded, passed_over};
use super::entry::is_filled_in;
use super::permission::Permissions;
use crate::gather::Gathering;
use crate::path_text::source_text;
use crate::settings;
use crate::trust::Trust;

/// The folders of agents in a directory with a configuration.
const FOLDERS: [&str; 2] = ["agent", "agents"];

/// Those of agents that are never subagents.
const MODE_FOLDERS: [&str; 2] = ["mode", "modes"];

/// What ends the name of an agent's file.
const ENDING: &str = ".md";

/// The permission that a model needs to start a subagent.
const TASK: &str = "task";

/// The mode of an agent that is no subagent, and of one that is nothing else.
const PRIMARY: &str = "primary";
const SUBAGENT: &str = "subagent";

/// opencode's own agents, in its order. What describes one with such a name says more of that agent.
const OWN: [&str; 7] = [
    "build",
    "plan",
    "general",
    "explore",
    "compaction",
    "title",
    "summary",
];

/// Those of its own agents that are subagents.
const OWN_SUBAGENTS: [&str; 2] = ["explore", "general"];

/// Those of its own agents that it runs without a session of the person.
const OWN_HIDDEN: [&str; 3] = ["compaction", "summary", "title"];

/// Why an agent is listed that opencode tells its model of.
const GIVEN: &str =
    "opencode gives its model the description of this subagent, but no pin holds it";

/// What a configuration with the prompt of the agent with which sessions begin gives the model.
const PROMPT: &str = "the prompt in it of the agent with which sessions begin";

/// What a file or a configuration says of an agent.
#[derive(Debug, Default, Deserialize)]
struct Said {
    mode: Option<String>,
    disable: Option<bool>,
    hidden: Option<bool>,
    description: Option<String>,
}

/// What a configuration says of an agent.
#[derive(Debug)]
pub struct Configured {
    name: String,
    /// The path of the configuration.
    file: String,
    said: Said,
    /// Whether the older member says it, which counts behind everything else.
    is_mode: bool,
}

/// The members of a configuration that describe agents, and the older one for those that are never subagents.
#[derive(Default, Deserialize)]
struct Members {
    agent: Option<IndexMap<String, Value>>,
    mode: Option<IndexMap<String, Value>>,
}

/// What counts together: a configuration, and the folder whose agents count behind it.
pub struct Layer {
    pub configured: Vec<Configured>,
    pub folder: Option<PathBuf>,
}

/// What all layers say of an agent, the last one last.
#[derive(Default)]
struct Agent {
    mode: Option<String>,
    is_disabled: bool,
    is_hidden: Option<bool>,
    description: Option<Place>,
    /// The last configuration that names it.
    configuration: Option<String>,
    /// The last Markdown file of its name.
    file: Option<PathBuf>,
}

/// Where the description of an agent stands.
enum Place {
    File,
    Configuration(String),
}

impl Agent {
    fn change(&mut self, said: Said, place: Place) {
        self.mode = said.mode.or(self.mode.take());
        self.is_disabled = said.disable.unwrap_or(self.is_disabled);
        self.is_hidden = said.hidden.or(self.is_hidden);
        if said.description.is_some() {
            self.description = Some(place);
        }
    }

    /// Returns the configuration that tells the model of an agent, if a configuration does.
    fn teller(&self, name: &str) -> Option<&String> {
        match &self.description {
            Some(Place::Configuration(configuration)) => Some(configuration),
            // The model is told the name alone.
            None if self.file.is_none() && !is_own(name) => self.configuration.as_ref(),
            Some(Place::File) | None => None,
        }
    }

    /// Returns whether it is an agent of opencode's own with which sessions begin, as nobody says otherwise.
    fn is_own_primary(&self, name: &str) -> bool {
        let is_primary = self.mode.as_deref().is_none_or(|mode| mode == PRIMARY);
        is_primary && is_own(name) && !OWN_SUBAGENTS.contains(&name)
    }
}

/// Returns what a configuration says of agents, in its order. `json` is its text, and `file` its path.
pub fn configured(json: &str, file: &str) -> Vec<Configured> {
    let Members { agent, mode } = serde_json::from_str(json).unwrap_or_default();
    let agents = agent.into_iter().flatten().map(|named| (named, false));
    let modes = mode.into_iter().flatten().map(|named| (named, true));
    let configured = agents.chain(modes).map(|((name, agent), is_mode)| {
        let text = |name: &str| agent.get(name)?.as_str().map(str::to_owned);
        let said = Said {
            mode: is_mode.then(|| PRIMARY.to_owned()).or(text("mode")),
            disable: agent.get("disable").and_then(Value::as_bool),
            hidden: agent.get("hidden").and_then(Value::as_bool),
            description: text("description"),
        };
        Configured {
            name,
            file: file.to_owned(),
            said,
            is_mode,
        }
    });
    configured.collect()
}

/// What all layers say of agents.
pub struct Agents {
    /// Those that something describes, by their names, in the order in which opencode takes them.
    described: IndexMap<String, Agent>,
    /// The files that describe some, each with the folder that it is found for.
    files: Vec<(Definition, PathBuf)>,
}

/// Adds the Markdown files that describe agents, and the configurations that tell the model of one. `prompt` is the
/// configuration with the prompt of the agent with which sessions begin.
pub fn add(
    agents: &Agents,
    prompt: Option<String>,
    permissions: &Permissions,
    gathering: &mut Gathering,
) {
    let rules = permissions.of(TASK);
    let is_denied = |name: &str| {
        let mut rules = rules.iter().rev();
        let rule = rules.find(|rule| SkillPermission::is_match(&rule.pattern, name));
        rule.is_some_and(|rule| rule.is_denied)
    };
    let Agents { described, files } = agents;
    // Why opencode does not tell its model of an agent.
    let reason = |name: &str, agent: &Agent| {
        if agent.is_disabled {
            Some("`disable` turns this agent off")
        } else if agent.mode.as_deref() == Some(PRIMARY) {
            Some("opencode tells its model of no agent whose `mode` is `primary`")
        } else if is_denied(name) {
            Some("the permission `task` keeps this agent from the model")
        } else {
            None
        }
    };
    for (Definition { name, path }, folder) in files {
        let agent = &described[name];
        if agent.is_own_primary(name) {
            continue;
        }
        let source = source_text(path).0;
        let last = agent.file.as_ref().filter(|last| *last != path);
        let reason = match (last, reason(name, agent), &agent.description) {
            (Some(last), ..) => {
                let last = source_text(last).0;
                format!("opencode takes another file of its name: {last}")
            }
            (None, Some(reason), _) => reason.to_owned(),
            (None, None, Some(Place::Configuration(other))) => {
                format!("opencode takes the description of this subagent in {other}")
            }
            (None, None, _) => {
                gathering.add(excluded(Kind::InstructionFile, &source, folder, GIVEN));
                continue;
            }
        };
        gathering.add(passed_over(Kind::InstructionFile, &source, folder, &reason));
    }
    let mut configurations: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    if let Some(prompt) = &prompt {
        configurations.entry(prompt).or_default();
    }
    let described: BTreeMap<_, _> = described.iter().collect();
    for (name, agent) in described {
        let is_told = !agent.is_own_primary(name) && reason(name, agent).is_none();
        if let Some(configuration) = agent.teller(name).filter(|_| is_told) {
            let names = configurations.entry(configuration).or_default();
            names.push(name.clone());
        }
    }
    // The text of a variable is in no file.
    configurations.retain(|path, _| Path::new(path).is_absolute());
    for (source, names) in configurations {
        let described = || format!("the descriptions of subagents in it ({})", shown(&names));
        let reason = match (prompt.as_deref() == Some(source), names.is_empty()) {
            (true, true) => format!("opencode gives its model {PROMPT}, but no pin holds it"),
            (true, false) => format!(
                "opencode gives its model {PROMPT} and {}, but no pin holds them",
                described()
            ),
            (false, _) => format!(
                "opencode gives its model {}, but no pin holds them",
                described()
            ),
        };
        let path = Path::new(source);
        let root = path.parent().unwrap_or(path);
        gathering.add(excluded(Kind::InstructionFile, source, root, &reason));
    }
}

impl Agents {
    /// Reads what the layers say, in their order, and watches for their files.
    pub fn read(layers: Vec<Layer>, trust: &Trust, gathering: &mut Gathering) -> Self {
        let mut agents = Self {
            described: IndexMap::new(),
            files: Vec::new(),
        };
        let mut modes = Vec::new();
        for layer in layers {
            let (behind, now): (Vec<_>, Vec<_>) = layer
                .configured
                .into_iter()
                .partition(|configured| configured.is_mode);
            modes.extend(behind);
            now.into_iter()
                .for_each(|configured| agents.configure(configured));
            let Some(folder) = layer.folder else {
                continue;
            };
            for found in found_in(&folder, FOLDERS, gathering) {
                let agent = agents.described.entry(found.name.clone()).or_default();
                agent.change(described(&found.path, trust), Place::File);
                agent.file = Some(found.path.clone());
                agents.files.push((found, folder.clone()));
            }
            for Definition { name, path } in found_in(&folder, MODE_FOLDERS, gathering) {
                let said = Said {
                    mode: Some(PRIMARY.to_owned()),
                    description: None,
                    ..described(&path, trust)
                };
                let agent = agents.described.entry(name).or_default();
                agent.change(said, Place::File);
            }
        }
        modes
            .into_iter()
            .for_each(|configured| agents.configure(configured));
        agents
    }

    fn configure(&mut self, configured: Configured) {
        let agent = self.described.entry(configured.name).or_default();
        agent.change(
            configured.said,
            Place::Configuration(configured.file.clone()),
        );
        agent.configuration = Some(configured.file);
    }

    /// Returns the agent with which a session begins. `named` is the one that a configuration names for it.
    ///
    /// # Errors
    ///
    /// Fails with the reason if opencode begins no session.
    pub fn begun(&self, named: Option<&str>) -> Result<String, String> {
        let Some(named) = named else {
            let more = self.described.keys().map(String::as_str);
            let mut all = OWN.into_iter().chain(more);
            let begun = all.find(|name| self.unfit(name).is_none());
            let none = || "there is no agent for it: each is off, hidden or a subagent".to_owned();
            return begun.map(str::to_owned).ok_or_else(none);
        };
        // A variable or a file may name another one.
        let reason = self.unfit(named).filter(|_| !is_filled_in(named));
        let Some(reason) = reason else {
            return Ok(named.to_owned());
        };
        let named = shown(&[named.to_owned()]);
        Err(format!(
            "`default_agent` of its configuration is {named}, and {reason}"
        ))
    }

    /// Returns why no session begins with an agent.
    fn unfit(&self, name: &str) -> Option<&'static str> {
        let agent = self.described.get(name);
        let is_subagent = match agent.and_then(|agent| agent.mode.as_deref()) {
            Some(mode) => mode == SUBAGENT,
            None => OWN_SUBAGENTS.contains(&name),
        };
        let is_hidden = agent.and_then(|agent| agent.is_hidden);
        if agent.is_none() && !is_own(name) {
            Some("there is no such agent")
        } else if agent.is_some_and(|agent| agent.is_disabled) {
            Some("`disable` turns this agent off")
        } else if is_subagent {
            Some("this agent is a subagent")
        } else if is_hidden.unwrap_or(OWN_HIDDEN.contains(&name)) {
            Some("this agent is hidden")
        } else {
            None
        }
    }
}

/// Returns whether opencode has an agent of this name itself.
fn is_own(name: &str) -> bool {
    OWN.contains(&name)
}

fn found_in(folder: &Path, names: [&str; 2], gathering: &mut Gathering) -> Vec<Definition> {
    let found =
        names.map(|name| definitions::find(&folder.join(name), ENDING, "agents", gathering));
    found.into_iter().flatten().collect()
}

/// Returns what a file says of its agent. Of one that cannot be read, nothing is known.
fn described(path: &Path, trust: &Trust) -> Said {
    let bytes = settings::listed(path, trust);
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let described = text.and_then(|text| frontmatter_as(text.trim_start_matches('\u{feff}')));
    described.unwrap_or_default()
}
