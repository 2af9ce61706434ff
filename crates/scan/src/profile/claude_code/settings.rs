//! What Claude Code's own settings say about its instruction files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ctxpin_model::claude_code::is_yes;
use ctxpin_model::limits::{FACT_BYTES_MAX, cut};
use ctxpin_model::profile::{
    ClaudeCodeSettings, InstructionFiles, SKILL_LISTINGS_MAX, SkillListing, TEXTS_MAX,
};
use ctxpin_model::resource::Kind;
use serde_json::{Map, Value};

use super::super::excluded;
use super::super::repository;
use super::permissions::{Denied, Rule};
use crate::gather::Gathering;
use crate::path_text::source_text;
use crate::roots::Request;
use crate::settings::{settings, shorten};

/// The folder of a project, and of a home, with settings, rules and skills.
pub const FOLDER: &str = ".claude";

/// The settings of a home or a project, and those of the person in a project.
const NAME: &str = "settings.json";
const LOCAL_NAME: &str = "settings.local.json";

/// The settings of the machine, which nobody can change.
pub const MACHINE: &str = "/etc/claude-code";
const MACHINE_NAME: &str = "managed-settings.json";

/// What Claude Code remembers of each project, and the older file that counts in its place if it exists.
const STATE_NAME: &str = ".claude.json";
const OLD_STATE_NAME: &str = ".config.json";

/// The built-in plugin that reads `AGENTS.md`.
const PLUGIN: &str = "cc-plugin-agents-md@builtin";

/// What ends the name of a plugin that is part of Claude Code.
const BUILT_IN: &str = "@builtin";

/// The variable that turns instruction files off.
const DISABLE: &str = "CLAUDE_CODE_DISABLE_CLAUDE_MDS";

/// The environment variables that decide what is found. A file of settings can set them too, and then counts.
pub(in super::super) const VARIABLES: [&str; 4] = [
    DISABLE,
    PLUGIN_DIRECTORIES,
    NOT_FOLLOWED[0].0,
    NOT_FOLLOWED[1].0,
];

/// Variables of the process that ctxpin does not follow, with what they do. In the settings they do nothing.
const NOT_FOLLOWED: [(&str, &str); 2] = [
    (
        "CLAUDE_CODE_SIMPLE",
        "Claude Code gives its model no instruction file and no skill with it",
    ),
    (
        "CLAUDE_CODE_DISABLE_ATTACHMENTS",
        "Claude Code gives its model no list of skills, and nothing below the working directory with it",
    ),
];

/// The members of the machine's settings with a text for the model, and that keep what people and projects configure from
/// it.
const MACHINE_TEXT: &str = "claudeMd";
const MACHINE_ONLY: &str = "strictPluginOnlyCustomization";

/// The variable that names directories of plugins, between colons.
const PLUGIN_DIRECTORIES: &str = "CLAUDE_CODE_PLUGIN_DIRS";

/// The greatest number of such directories that are listed.
const PLUGIN_DIRECTORIES_MAX: usize = 32;

/// The greatest number of globs that are kept.
const EXCLUDES_MAX: usize = TEXTS_MAX;

/// The greatest number of rules of `permissions.deny` that are used. Each is compared with each file.
const DENIED_MAX: usize = 1_000;

/// The word in `skillOverrides` for a skill that is listed whole.
const WHOLE: &str = "on";

/// How much of a glob a remark shows, in bytes.
const GLOB_SHOWN_BYTES_MAX: usize = 200;

/// How much of the name of a style of output a reason shows, in bytes.
const NAME_SHOWN_BYTES_MAX: usize = 200;

/// What begins the alternatives of an extended glob, or a class of characters.
const EXTENDED: [&str; 6] = ["@(", "!(", "+(", "?(", "*(", "[[:"];

/// The members of one file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Layer {
    excludes: Vec<String>,
    is_disabled: Option<bool>,
    plugins: BTreeMap<String, bool>,
    plugin_directories: Option<String>,
    instruction_files: Option<InstructionFiles>,
    has_memory: Option<bool>,
    output_style: Option<String>,
    /// How skills are listed. `None` if whole.
    skills: BTreeMap<String, Option<SkillListing>>,
    /// The rules of `permissions.deny`.
    denied: Vec<String>,
    /// Whether the file has the members of the machine's settings.
    has_text: bool,
    is_strict: bool,
}

/// What the settings turn on that no pin holds.
#[derive(Debug)]
pub struct Unpinned {
    /// Whether the model gets Claude Code's notes of the project.
    pub has_memory: bool,
    /// The names of the plugins that are on, without those that are part of Claude Code.
    pub plugins: Vec<String>,
    /// Whether a file of the person or of the machine turns one on. Claude Code then loads it from where it is, also without
    /// having installed it.
    pub has_own_plugins: bool,
    /// The directories that a variable names, each with a plugin.
    pub plugin_directories: Vec<PathBuf>,
    /// The name of the style of output.
    pub output_style: Option<String>,
}

/// A file of settings.
#[derive(Debug)]
pub(in super::super) struct SettingsFile {
    pub directory: PathBuf,
    pub name: &'static str,
    /// The directory at which the paths of its permissions start that begin with one `/`.
    root: PathBuf,
    /// Whether the person or the machine wrote it, who alone configure plugins.
    is_trusted: bool,
}

/// Returns the files in the order in which they count: the person's, the project's, the person's in the project, first
/// those of the working directory and then those of the main repository, and the machine's.
pub(in super::super) fn files(home: &Path, working: &Path) -> [SettingsFile; 5] {
    let repository = repository::main_root(working);
    let repository = repository.as_deref().unwrap_or(working);
    let file = |directory: &Path, name, is_trusted| SettingsFile {
        directory: directory.to_owned(),
        name,
        root: if is_trusted { directory } else { working }.to_owned(),
        is_trusted,
    };
    [
        file(home, NAME, true),
        file(&working.join(FOLDER), NAME, false),
        file(&working.join(FOLDER), LOCAL_NAME, false),
        file(&repository.join(FOLDER), LOCAL_NAME, false),
        file(Path::new(MACHINE), MACHINE_NAME, true),
    ]
}

/// Reads all layers. The globs and the permissions of all of them count together. Of another member that several set, the last counts.
pub fn read(
    request: &Request,
    home: &Path,
    working: &Path,
    gathering: &mut Gathering,
) -> (ClaudeCodeSettings, Unpinned, Denied) {
    let repository = repository::main_root(working);
    let repository = repository.as_deref().unwrap_or(working);
    let mut found = ClaudeCodeSettings::defaults(source_text(home).0);
    let disable = request.tool.variables.get(DISABLE);
    found.is_disabled = disable.is_some_and(|value| is_yes(value));
    for (name, effect) in NOT_FOLLOWED {
        let value = request.tool.variables.get(name);
        if value.is_some_and(|value| is_yes(value)) {
            gathering.remark(format!(
                "`{name}` is set, which ctxpin does not follow; {effect}"
            ));
        }
    }
    let mut plugins = BTreeMap::from([(PLUGIN.to_owned(), true)]);
    let mut has_own_plugins = false;
    let mut plugin_directories = request.tool.variables.get(PLUGIN_DIRECTORIES).cloned();
    let mut has_memory = true;
    let mut output_style = None;
    let mut skills = BTreeMap::new();
    let mut denied = Vec::new();
    for layer in files(home, working) {
        let (is_trusted, root) = (layer.is_trusted, layer.root);
        let is_of_machine = layer.directory == Path::new(MACHINE);
        let layer = file(request, &layer.directory, layer.name, gathering).unwrap_or_default();
        if is_of_machine {
            of_machine(&layer, gathering);
        }
        let new: Vec<_> = layer
            .excludes
            .into_iter()
            .filter(|glob| !found.excludes.contains(glob))
            .collect();
        found.excludes.extend(new);
        found.is_disabled = layer.is_disabled.unwrap_or(found.is_disabled);
        has_memory = layer.has_memory.unwrap_or(has_memory);
        output_style = layer.output_style.or(output_style);
        has_own_plugins |= is_trusted && layer.plugins.values().any(|is_on| *is_on);
        plugins.extend(layer.plugins);
        let directories = layer.plugin_directories.filter(|_| is_trusted);
        plugin_directories = directories.or(plugin_directories);
        skills.extend(layer.skills);
        denied.extend(layer.denied.into_iter().map(|text| Rule {
            text,
            root: root.clone(),
        }));
        let names = layer.instruction_files.filter(|_| is_trusted);
        found.instruction_files = names.unwrap_or(found.instruction_files);
    }
    plugins.retain(|_, is_on| *is_on);
    if !plugins.contains_key(PLUGIN) {
        found.instruction_files = InstructionFiles::ClaudeMd;
    }
    if let Some(glob) = found.excludes.iter().find(|glob| is_extended(glob)) {
        gathering.remark(format!(
            "`{}` in Claude Code's `claudeMdExcludes` is an extended glob, which is not read here; Claude Code may pass \
             over files that are listed",
            cut(glob, GLOB_SHOWN_BYTES_MAX)
        ));
    }
    let excludes = "Claude Code's `claudeMdExcludes`";
    shorten(&mut found.excludes, EXCLUDES_MAX, excludes, gathering);
    let skills = skills.into_iter();
    let skills = skills.filter(|(name, _)| !name.contains('\0'));
    let mut skills = skills.filter_map(|(name, listing)| Some((name, listing?)));
    let listings = skills.by_ref().take(SKILL_LISTINGS_MAX);
    found.skill_listings = listings.collect();
    if skills.next().is_some() {
        gathering.remark(format!(
            "of Claude Code's `skillOverrides`, only {SKILL_LISTINGS_MAX} are used"
        ));
    }
    found.allows_external_imports = is_approved(request, home, repository, gathering);
    let plugins = plugins.into_keys().filter(|name| !name.ends_with(BUILT_IN));
    let unpinned = Unpinned {
        has_memory,
        plugins: plugins.collect(),
        has_own_plugins,
        plugin_directories: paths(plugin_directories.as_deref().unwrap_or_default()),
        output_style,
    };
    if denied.len() > DENIED_MAX {
        gathering.remark(format!(
            "of the rules in Claude Code's `permissions.deny`, only {DENIED_MAX} are used"
        ));
        denied.truncate(DENIED_MAX);
    }
    let denied = Denied::by(&denied, working, &request.home);
    (found, unpinned, denied)
}

/// Says what the machine's settings do that ctxpin does not follow.
fn of_machine(layer: &Layer, gathering: &mut Gathering) {
    let machine = Path::new(MACHINE);
    let source = source_text(&machine.join(MACHINE_NAME)).0;
    if layer.has_text {
        let reason = format!(
            "Claude Code gives its model what `{MACHINE_TEXT}` in it says, but it belongs to no project"
        );
        gathering.add(excluded(Kind::InstructionFile, &source, machine, &reason));
    }
    if layer.is_strict {
        gathering.remark(format!(
            "{source} has `{MACHINE_ONLY}`, which ctxpin does not follow; it can keep what projects and people configure \
             from Claude Code's model"
        ));
    }
}

/// Returns the absolute paths in a list with colons.
fn paths(list: &str) -> Vec<PathBuf> {
    let paths = list.split(':').map(PathBuf::from);
    let paths = paths.filter(|path| path.is_absolute());
    paths.take(PLUGIN_DIRECTORIES_MAX).collect()
}

/// Returns whether Claude Code reads more in a glob than ctxpin does.
fn is_extended(glob: &str) -> bool {
    let has_range = glob.contains('{') && glob.contains("..");
    has_range || EXTENDED.iter().any(|mark| glob.contains(mark))
}

/// Reads a file of settings. One that cannot be read counts as empty, and the snapshot's error says so.
fn file(
    request: &Request,
    directory: &Path,
    name: &str,
    gathering: &mut Gathering,
) -> Option<Layer> {
    let path = directory.join(name);
    let object = object(request, directory, name, gathering)?;
    match Layer::parse(&object) {
        Some(layer) => Some(layer),
        None => {
            let path = source_text(&path).0;
            gathering.remark(format!(
                "{path} has a setting of another type than Claude Code wants; it ignores the file"
            ));
            None
        }
    }
}

/// Reads a file with a JSON object, and watches for it.
fn object(
    request: &Request,
    directory: &Path,
    name: &str,
    gathering: &mut Gathering,
) -> Option<Map<String, Value>> {
    let path = directory.join(name);
    gathering.places.awaited(&path);
    if !directory.is_dir() {
        return None;
    }
    let read = settings(directory, name, &request.trust).and_then(|bytes| {
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        let text = str::from_utf8(&bytes).map_err(|_| "is not UTF-8".to_owned())?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let object = serde_json::from_str(text).map_err(|_| "is no JSON object".to_owned())?;
        Ok(Some(object))
    });
    read.unwrap_or_else(|reason| {
        let path = source_text(&path).0;
        gathering.remark(format!("{path} {reason}; Claude Code ignores it"));
        None
    })
}

impl Layer {
    /// Reads the members of a file. Returns `None` if one of them has another type.
    fn parse(object: &Map<String, Value>) -> Option<Self> {
        let excludes = match object.get("claudeMdExcludes") {
            None => Vec::new(),
            Some(value) => serde_json::from_value(value.clone()).ok()?,
        };
        let skills = match object.get("skillOverrides") {
            None => BTreeMap::new(),
            Some(value) => skills(value)?,
        };
        let denied = match object.get("permissions") {
            None => Vec::new(),
            Some(permissions) => denied(permissions)?,
        };
        let variable = |name: &str| object.get("env").and_then(|env| env.get(name)?.as_str());
        let plugins = object.get("enabledPlugins").and_then(Value::as_object);
        let plugins = plugins.into_iter().flatten();
        let plugins = plugins.filter_map(|(name, value)| Some((name.clone(), value.as_bool()?)));
        let options = object
            .get("pluginConfigs")
            .and_then(|configs| configs.get(PLUGIN))
            .and_then(|config| config.get("options"));
        let names = options.and_then(|options| options.get("instructionFiles"));
        Some(Self {
            excludes,
            is_disabled: variable(DISABLE).map(is_yes),
            plugins: plugins.collect(),
            plugin_directories: variable(PLUGIN_DIRECTORIES).map(str::to_owned),
            instruction_files: names
                .and_then(Value::as_str)
                .and_then(|word| word.parse().ok()),
            has_memory: object.get("autoMemoryEnabled").and_then(Value::as_bool),
            output_style: object
                .get("outputStyle")
                .and_then(Value::as_str)
                .map(|name| cut(name, NAME_SHOWN_BYTES_MAX).to_owned()),
            skills,
            denied,
            has_text: object.contains_key(MACHINE_TEXT),
            is_strict: object.contains_key(MACHINE_ONLY),
        })
    }
}

/// Reads the rules that deny something. What is no text in the list is passed over. Returns `None` if there is no list.
fn denied(permissions: &Value) -> Option<Vec<String>> {
    let rules = match permissions.as_object()?.get("deny") {
        None => return Some(Vec::new()),
        Some(rules) => rules.as_array()?,
    };
    let rules = rules.iter().filter_map(Value::as_str);
    Some(
        rules
            .map(|rule| cut(rule, FACT_BYTES_MAX).to_owned())
            .collect(),
    )
}

/// Reads how skills are listed. Returns `None` if one of the words is unknown, or the text of a name cannot be kept.
fn skills(value: &Value) -> Option<BTreeMap<String, Option<SkillListing>>> {
    let skills = value.as_object()?.iter().map(|(name, word)| {
        let listing = match word.as_str()? {
            WHOLE => None,
            word => Some(word.parse().ok()?),
        };
        Some((cut(name, FACT_BYTES_MAX).to_owned(), listing))
    });
    skills.collect()
}

/// Returns whether the person lets the project import files from elsewhere.
fn is_approved(
    request: &Request,
    home: &Path,
    repository: &Path,
    gathering: &mut Gathering,
) -> bool {
    let directory: &PathBuf = request.tool.home.as_ref().unwrap_or(&request.home);
    gathering.places.awaited(&home.join(OLD_STATE_NAME));
    let state = match home.join(OLD_STATE_NAME).exists() {
        true => object(request, home, OLD_STATE_NAME, gathering),
        false => object(request, directory, STATE_NAME, gathering),
    };
    let state = state.unwrap_or_default();
    let projects = state.get("projects");
    let project = projects.and_then(|projects| projects.get(repository.to_string_lossy().as_ref()));
    let approved = project.and_then(|project| project.get("hasClaudeMdExternalIncludesApproved"));
    approved == Some(&Value::Bool(true))
}
