//! opencode's configuration: where its files are, how they are merged, and where a project ends.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use ctxpin_model::profile::{OpencodeSettings, SkillPermission};
use ctxpin_model::resource::Kind;
use serde_json::{Map, Value};

use super::super::{excluded, worktree};
use super::agents::{self, Agents, Configured};
use super::entry::{is_filled_in, plain_entry};
use super::permission::Permissions;
use super::{jsonc, plugins};
use crate::file::oversize;
use crate::gather::{Finding, Gathering};
use crate::path_text::source_text;
use crate::roots::Request;
use crate::settings::{SETTINGS_BYTES_MAX, settings, shorten};

/// The environment variables that decide what is found.
pub(in super::super) const VARIABLES: [&str; 11] = [
    XDG_CONFIG_HOME,
    CONFIG,
    CONFIG_CONTENT,
    CONFIG_DIR,
    DISABLE_CLAUDE_CODE,
    DISABLE_CLAUDE_CODE_PROMPT,
    DISABLE_CLAUDE_CODE_SKILLS,
    DISABLE_EXTERNAL_SKILLS,
    DISABLE_PROJECT_CONFIG,
    PURE,
    PERMISSION,
];

const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
const CONFIG: &str = "OPENCODE_CONFIG";
const CONFIG_CONTENT: &str = "OPENCODE_CONFIG_CONTENT";
const CONFIG_DIR: &str = "OPENCODE_CONFIG_DIR";
const DISABLE_CLAUDE_CODE: &str = "OPENCODE_DISABLE_CLAUDE_CODE";
const DISABLE_CLAUDE_CODE_PROMPT: &str = "OPENCODE_DISABLE_CLAUDE_CODE_PROMPT";
const DISABLE_CLAUDE_CODE_SKILLS: &str = "OPENCODE_DISABLE_CLAUDE_CODE_SKILLS";
const DISABLE_EXTERNAL_SKILLS: &str = "OPENCODE_DISABLE_EXTERNAL_SKILLS";
const DISABLE_PROJECT_CONFIG: &str = "OPENCODE_DISABLE_PROJECT_CONFIG";
const PURE: &str = "OPENCODE_PURE";
const PERMISSION: &str = "OPENCODE_PERMISSION";

/// The names of a configuration, of which the later one counts.
const NAMES: [&str; 2] = ["opencode.json", "opencode.jsonc"];

/// The names in the directory of a person's own configuration.
const OWN_NAMES: [&str; 3] = ["config.json", "opencode.json", "opencode.jsonc"];

/// The folder of a project, or of the home, with a configuration and skills.
const FOLDER: &str = ".opencode";

/// The members of a configuration that describe agents. The second is older.
const AGENT_MEMBERS: [&str; 2] = ["agent", "mode"];

/// The folders with agents, which Markdown files describe.
const AGENT_FOLDERS: [&str; 4] = ["agent", "agents", "mode", "modes"];

/// The configuration that the machine's administrator fixed.
const MANAGED: &str = "/etc/opencode";

/// The greatest number of configured instruction files and folders of skills that are kept.
const ENTRIES_MAX: usize = 32;

/// The longest pattern of a permission, in bytes.
const PATTERN_BYTES_MAX: usize = 256;

/// What a remark calls these lists.
const CONFIGURED: &str = "the paths that opencode's configuration lists";

/// The greatest number of directories above the working directory that are looked at.
const ANCESTORS_MAX: usize = 100;

/// The configuration in force.
pub(super) struct Configuration {
    pub settings: OpencodeSettings,
    /// The directory of a person's own configuration, with the file of instructions. It is not resolved, because
    /// opencode names its files so.
    pub home: PathBuf,
    /// The directories whose files count, from the working directory to the root of the worktree. Outside of a
    /// repository, these are all directories above.
    pub chain: Vec<PathBuf>,
    /// The directories that have a configuration or skills, in opencode's order.
    pub folders: Vec<PathBuf>,
    /// The configured folders of skills, as they are written.
    pub skill_paths: Vec<String>,
    /// The configured addresses of skills, without what may be secret in them.
    pub skill_addresses: Vec<String>,
    pub reads_claude_code_skills: bool,
    pub reads_external_skills: bool,
    /// The configured plugins: the path of a file or directory, or the name of a package.
    pub plugins: Vec<String>,
    pub runs_plugins: bool,
    pub permissions: Permissions,
    pub agents: Agents,
    /// The configuration with the prompt of the agent with which sessions begin.
    pub prompt: Option<String>,
}

/// The members of a configuration that decide what is found.
#[derive(Debug, Default)]
struct Layer {
    instructions: Option<Vec<String>>,
    skill_paths: Option<Vec<String>>,
    skill_addresses: Option<Vec<String>>,
    plugins: Vec<String>,
    permissions: Permissions,
    /// The files that give an agent its prompt, by its name.
    prompts: BTreeMap<String, String>,
    agents: Vec<Configured>,
    /// Whether a member about skills has a placeholder that opencode fills in.
    has_placeholder: bool,
}

/// What the Markdown files of one folder say of an agent.
#[derive(Default)]
struct Described {
    permissions: Permissions,
    /// Their texts, each of which is a prompt that no pin holds.
    prompts: Vec<Finding>,
}

impl Configuration {
    /// Reads all layers in opencode's order: the person's own, the file that a variable names, those of the
    /// directories from the worktree's root to the working directory, the folders, the text of a variable, and
    /// what the machine's administrator fixed. The instruction files of all of them count.
    pub fn read(request: &Request, working: &Path, gathering: &mut Gathering) -> Self {
        let variable = |name: &str| {
            request
                .tool
                .variables
                .get(name)
                .filter(|text| !text.is_empty())
        };
        if variable(PERMISSION).is_some() {
            gathering.remark(format!(
                "`{PERMISSION}` is set, which ctxpin does not read; it can keep skills out of opencode's list"
            ));
        }
        let path_of = |name: &str| variable(name).map(|path| working.join(path));
        let is_set = |name: &str| {
            let set = variable(name).map(|text| text.to_lowercase());
            matches!(set.as_deref(), Some("1" | "true"))
        };
        let is_project_disabled = is_set(DISABLE_PROJECT_CONFIG);
        let own = own_directory(request);
        let named = path_of(CONFIG_DIR);
        let chain = chain(working, request);
        let mut reading = Reading { request, gathering };
        // Each with the folder whose agents count behind it.
        let mut layers = vec![(reading.own(&own), None)];
        if let Some(path) = path_of(CONFIG) {
            layers.push((reading.file(&path), None));
        }
        let of_project = chain.iter().rev().filter(|_| !is_project_disabled);
        for directory in of_project {
            layers.push((reading.files(directory), None));
        }
        let folders = folders(
            &mut reading,
            &own,
            &chain,
            named.as_ref(),
            is_project_disabled,
        );
        for folder in &folders {
            let layer = match folder.ends_with(FOLDER) || Some(folder) == named.as_ref() {
                true => reading.files(folder),
                false => Layer::default(),
            };
            layers.push((layer, Some(folder)));
        }
        match variable(CONFIG_CONTENT) {
            Some(text) if text.len() as u64 > SETTINGS_BYTES_MAX => {
                let reason = oversize(text.len() as u64, SETTINGS_BYTES_MAX);
                let remark = format!("ctxpin does not read {CONFIG_CONTENT}, because {reason}");
                reading.gathering.remark(remark);
            }
            Some(text) => layers.push((reading.parsed(CONFIG_CONTENT, text), None)),
            None => {}
        }
        layers.push((reading.files(Path::new(MANAGED)), None));
        let agents = layers.iter_mut().map(|(layer, folder)| agents::Layer {
            configured: std::mem::take(&mut layer.agents),
            folder: folder.cloned(),
        });
        let agents = Agents::read(agents.collect(), &request.trust, reading.gathering);
        let (layer, prompt) = reading.merged(layers, &agents);
        let home = named.unwrap_or(own);
        let is_claude_code_disabled = is_set(DISABLE_CLAUDE_CODE);
        let mut instructions = layer.instructions.unwrap_or_default();
        let mut skill_paths = layer.skill_paths.unwrap_or_default();
        let mut skill_addresses = layer.skill_addresses.unwrap_or_default();
        for entries in [&mut instructions, &mut skill_paths, &mut skill_addresses] {
            shorten(entries, ENTRIES_MAX, CONFIGURED, gathering);
        }
        let mut plugins = layer.plugins;
        shorten(&mut plugins, ENTRIES_MAX, CONFIGURED, gathering);
        let skill_permissions = usable(layer.permissions.of_skills(), gathering);
        Self {
            settings: OpencodeSettings {
                home: source_text(&home).0,
                instructions,
                is_claude_code_disabled: is_claude_code_disabled
                    || is_set(DISABLE_CLAUDE_CODE_PROMPT),
                is_project_disabled,
                skill_permissions,
            },
            home,
            chain,
            folders,
            skill_paths,
            skill_addresses,
            reads_claude_code_skills: !is_claude_code_disabled
                && !is_set(DISABLE_CLAUDE_CODE_SKILLS),
            reads_external_skills: !is_set(DISABLE_EXTERNAL_SKILLS),
            plugins,
            runs_plugins: !is_set(PURE),
            permissions: layer.permissions,
            agents,
            prompt,
        }
    }
}

/// Returns the permissions that a snapshot can state.
fn usable(permissions: Vec<SkillPermission>, gathering: &mut Gathering) -> Vec<SkillPermission> {
    let all = permissions.len();
    let is_fit = |permission: &SkillPermission| {
        permission.pattern.len() <= PATTERN_BYTES_MAX && !permission.pattern.contains('\0')
    };
    let usable = permissions.into_iter().filter(is_fit).take(ENTRIES_MAX);
    let usable: Vec<_> = usable.collect();
    if usable.len() < all {
        let count = usable.len();
        gathering.remark(format!(
            "of opencode's permissions for skills, only {count} are used"
        ));
    }
    usable
}

/// Returns whether opencode's own configuration exists, or files in the working directory that only opencode reads.
pub fn is_used(request: &Request) -> bool {
    let here = |name: &str| request.directory.join(name).exists();
    own_directory(request).is_dir() || here(FOLDER) || NAMES.into_iter().any(here)
}

/// Returns the folders of a person's own configurations.
pub fn personal_folders(request: &Request) -> Vec<PathBuf> {
    vec![own_directory(request), request.home.join(FOLDER)]
}

/// Returns the directory of a person's own configuration.
fn own_directory(request: &Request) -> PathBuf {
    if let Some(home) = &request.tool.home {
        return home.clone();
    }
    let configurations = match request.tool.variables.get(XDG_CONFIG_HOME) {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => request.home.join(".config"),
    };
    configurations.join("opencode")
}

/// Returns the directories from the working directory to the root of its worktree, or to the root of the file
/// system.
fn chain(working: &Path, request: &Request) -> Vec<PathBuf> {
    let worktree = worktree::root(working, &request.trust);
    let is_beyond = |directory: &&Path| worktree.is_some_and(|root| !directory.starts_with(root));
    let above = working.ancestors().take_while(|path| !is_beyond(path));
    let above = above.take(ANCESTORS_MAX + 1);
    above.map(Path::to_path_buf).collect()
}

/// Returns the directories that have a configuration or skills, each once, and watches for those that may come.
fn folders(
    reading: &mut Reading,
    own: &Path,
    chain: &[PathBuf],
    named: Option<&PathBuf>,
    is_project_disabled: bool,
) -> Vec<PathBuf> {
    let of_project = chain.iter().filter(|_| !is_project_disabled);
    let of_project = of_project.map(|directory| directory.join(FOLDER));
    let of_home = [reading.request.home.join(FOLDER)];
    let mut folders = vec![own.to_owned()];
    for folder in of_project.chain(of_home) {
        reading.gathering.places.awaited(&folder);
        if folder.exists() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders.extend(named.filter(|named| !folders.contains(named)).cloned());
    folders
}

/// Reads configurations, and watches for them.
struct Reading<'r, 'g, 'c> {
    request: &'r Request,
    gathering: &'g mut Gathering<'c>,
}

impl Reading<'_, '_, '_> {
    /// Takes one layer after the other, and behind each folder what it says of the agent with which a session begins. Returns
    /// the configuration with the prompt of that agent too.
    fn merged(
        &mut self,
        layers: Vec<(Layer, Option<&PathBuf>)>,
        agents: &Agents,
    ) -> (Layer, Option<String>) {
        let mut named = layers.iter().rev();
        let named = named.find_map(|(layer, _)| layer.permissions.default_agent());
        let begun = agents.begun(named.filter(|named| !named.is_empty()));
        if let Err(reason) = &begun {
            self.gathering.remark(format!(
                "opencode begins no session, because {reason}; it gives its model nothing"
            ));
        }
        let begun = begun.ok();
        let mut merged = Layer::default();
        for (layer, folder) in layers {
            merged.change(layer);
            let (Some(agent), Some(folder)) = (&begun, folder) else {
                continue;
            };
            let of_folder = self.agent(folder, agent);
            merged.permissions.change(of_folder.permissions);
            for prompt in of_folder.prompts {
                self.gathering.add(prompt);
            }
        }
        let Some(agent) = begun else {
            return (merged, None);
        };
        let prompt = merged.prompts.remove(&agent);
        merged.permissions.begin_with(agent);
        (merged, prompt)
    }

    /// Returns what the Markdown files in a folder say of an agent.
    fn agent(&mut self, folder: &Path, agent: &str) -> Described {
        let mut described = Described::default();
        let mut components = Path::new(agent).components();
        if !components.all(|component| matches!(component, Component::Normal(_))) {
            return described;
        }
        for name in AGENT_FOLDERS {
            let path = folder.join(name).join(format!("{agent}.md"));
            let source = source_text(&path).0;
            let text = match self.text(&path) {
                Ok(text) => text,
                Err(reason) => {
                    self.refuse(&source, &reason, UNREAD_AGENT);
                    continue;
                }
            };
            match Permissions::of_markdown(agent, &text) {
                Some(more) => described.permissions.change(more),
                None => self.refuse(&source, "has no frontmatter that can be read", UNREAD_AGENT),
            }
            let is_prompt = !prompt_of(&text).trim().is_empty();
            if is_prompt {
                let (kind, reason) = (Kind::InstructionFile, PROMPT);
                described
                    .prompts
                    .push(excluded(kind, &source, folder, reason));
            }
        }
        described
    }

    /// Returns the person's own configuration, which opencode passes over as a whole if it cannot read one of its
    /// files.
    fn own(&mut self, directory: &Path) -> Layer {
        let mut own = Layer::default();
        for name in OWN_NAMES {
            let path = directory.join(name);
            let text = self.text(&path);
            let has_placeholder = text.as_ref().is_ok_and(|text| is_filled_in(text));
            let name = source_text(&path).0;
            match text.and_then(|text| Layer::parse(&name, &text)) {
                Ok(layer) => {
                    self.note_placeholder(&name, &layer);
                    // Within this directory, a later list takes the place of an earlier one.
                    own.instructions = own.instructions.filter(|_| layer.instructions.is_none());
                    own.change(layer);
                }
                Err(reason) => {
                    let effect = match has_placeholder {
                        true => UNFILLED,
                        false => "opencode passes over all of your own configuration",
                    };
                    self.refuse(&name, &reason, effect);
                    return Layer::default();
                }
            }
        }
        own
    }

    /// Returns what the configurations of a directory say together.
    fn files(&mut self, directory: &Path) -> Layer {
        let mut layer = Layer::default();
        for name in NAMES {
            layer.change(self.file(&directory.join(name)));
        }
        layer
    }

    fn file(&mut self, path: &Path) -> Layer {
        match self.text(path) {
            Ok(text) => self.parsed(&source_text(path).0, &text),
            Err(reason) => {
                self.refuse(&source_text(path).0, &reason, NO_START);
                Layer::default()
            }
        }
    }

    fn parsed(&mut self, name: &str, text: &str) -> Layer {
        let layer = Layer::parse(name, text).unwrap_or_else(|reason| {
            let effect = match is_filled_in(text) {
                true => UNFILLED,
                false => NO_START,
            };
            self.refuse(name, &reason, effect);
            Layer::default()
        });
        self.note_placeholder(name, &layer);
        layer
    }

    fn refuse(&mut self, name: &str, reason: &str, effect: &str) {
        self.gathering.remark(format!("{name} {reason}; {effect}"));
    }

    /// Notes a member about skills that has a placeholder. What stands for it may be a secret, so it is not looked at.
    fn note_placeholder(&mut self, name: &str, layer: &Layer) {
        if layer.has_placeholder {
            self.gathering.remark(format!(
                "{name} has `{{env:}}` or `{{file:}}` in a member about skills, and ctxpin reads no variable or file for it"
            ));
        }
    }

    /// Returns the text of a file, which is empty if there is none.
    fn text(&mut self, path: &Path) -> Result<String, String> {
        self.gathering.places.awaited(path);
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(String::new());
        };
        if !directory.is_dir() {
            return Ok(String::new());
        }
        let bytes = settings(directory, &name.to_string_lossy(), &self.request.trust)?;
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(text.unwrap_or_default())
    }
}

impl Layer {
    /// Reads the members of the configuration with a name. An empty text has none.
    ///
    /// # Errors
    ///
    /// Fails if the text is no JSON with comments, or if a member has another type. The message quotes nothing of
    /// the text, which may hold secrets.
    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.is_empty() {
            return Ok(Self::default());
        }
        let json = jsonc::plain(text);
        let value: Value = serde_json::from_str(&json).map_err(|_| "is not valid JSON")?;
        let members = value.as_object().ok_or("is no JSON object")?;
        let skills = |name: &str| members.get("skills").and_then(|skills| skills.get(name));
        Ok(Self {
            instructions: texts(members.get("instructions"), "instructions")?,
            skill_paths: texts(skills("paths"), "skills.paths")?,
            skill_addresses: texts(skills("urls"), "skills.urls")?,
            plugins: plugins::configured(members.get("plugin"), Path::new(name).parent()),
            permissions: Permissions::parse(&json)?,
            prompts: AGENT_MEMBERS
                .iter()
                .filter_map(|member| members.get(*member)?.as_object())
                .flatten()
                .filter(|(_, agent)| agent.get("prompt").is_some())
                .map(|(agent, _)| (agent.clone(), name.to_owned()))
                .collect(),
            agents: agents::configured(&json, name),
            has_placeholder: about_skills(members).any(|value| is_filled_in(&value.to_string())),
        })
    }

    /// Takes what another layer says. Each text of the instructions counts once.
    fn change(&mut self, other: Self) {
        if let Some(entries) = other.instructions {
            let instructions = self.instructions.get_or_insert_default();
            for entry in entries {
                if !instructions.contains(&entry) {
                    instructions.push(entry);
                }
            }
        }
        self.skill_paths = other.skill_paths.or(self.skill_paths.take());
        self.skill_addresses = other.skill_addresses.or(self.skill_addresses.take());
        self.plugins.extend(other.plugins);
        self.permissions.change(other.permissions);
        self.prompts.extend(other.prompts);
        self.agents.extend(other.agents);
        self.has_placeholder |= other.has_placeholder;
    }
}

/// Returns the text behind the frontmatter.
fn prompt_of(text: &str) -> &str {
    let inner = text.trim_start_matches('\u{feff}').strip_prefix("---");
    let behind = inner.and_then(|inner| inner.split_once("\n---"));
    behind.map_or(text, |(_, behind)| behind)
}

/// Why the file of an agent is left out.
const PROMPT: &str = "opencode gives its model the prompt of this agent, with which sessions begin, but no pin holds it";

/// What it means that the file of an agent cannot be read.
const UNREAD_AGENT: &str = "ctxpin does not know which skills it denies to this agent";

/// What a configuration that cannot be read means, if opencode itself reads it so.
const NO_START: &str = "opencode does not start with it";

/// What it means if opencode fills something in before it reads the text.
const UNFILLED: &str = "opencode fills in its `{env:}` and `{file:}` first, for which ctxpin reads no variable or file";

/// Returns the members that decide which skills are listed.
fn about_skills(members: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let of_agents = ["agent", "mode"].into_iter();
    let of_agents = of_agents.filter_map(|name| members.get(name)?.as_object());
    let of_agents = of_agents.flat_map(Map::values).flat_map(|agent| {
        let names = ["permission", "tools"].into_iter();
        names.filter_map(|name| agent.get(name))
    });
    let names = ["permission", "tools", "skills", "default_agent"].into_iter();
    names.filter_map(|name| members.get(name)).chain(of_agents)
}

/// Returns a member that is a list of texts.
fn texts(value: Option<&Value>, name: &str) -> Result<Option<Vec<String>>, String> {
    let Some(value) = value else {
        return Ok(None);
    };
    let entries = value.as_array().map(|entries| {
        let entries = entries.iter().map(|entry| entry.as_str().map(plain_entry));
        entries.collect::<Option<Vec<_>>>()
    });
    match entries.flatten() {
        Some(entries) => Ok(Some(entries)),
        None => Err(format!("is not valid: `{name}` is not a list of texts")),
    }
}
