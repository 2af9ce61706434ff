//! What Claude Code gives its model and no pin holds. A scan lists it, and does not read it.

use std::path::{Path, PathBuf};

use ctxpin_model::resource::Kind;

use super::super::repository;
use super::super::{excluded, passed_over};
use super::RULES;
use super::commands::Judge;
use super::permissions::Denied;
use super::settings::{FOLDER, MACHINE, Unpinned};
use crate::gather::Gathering;
use crate::known_files::SKILLS;
use crate::path_text::source_text;

/// The folder of agents.
const AGENTS: &str = "agents";

/// The folder of styles of output.
const OUTPUT_STYLES: &str = "output-styles";

/// The folders of a home with what Claude Code notes of each project, and with plugins.
const PROJECTS: &str = "projects";
const PLUGINS: &str = "plugins";

/// The file of notes of a project.
const MEMORY: [&str; 2] = ["memory", "MEMORY.md"];

/// The longest name of a folder of notes. Claude Code shortens a longer one in a way that is not known here.
const PROJECT_NAME_CHARS_MAX: usize = 200;

/// Adds the folder with the rules of the machine, and Claude Code's notes of the project.
pub fn instruction_files(home: &Path, working: &Path, has_memory: bool, gathering: &mut Gathering) {
    let rules = Path::new(MACHINE).join(FOLDER).join(RULES);
    if rules.is_dir() {
        let reason =
            "Claude Code gives its model the machine's rules in it, but they belong to no project";
        add(
            Kind::InstructionFile,
            &rules,
            Path::new(MACHINE),
            reason,
            gathering,
        );
    }
    let Some(memory) = memory(home, working).filter(|_| has_memory) else {
        return;
    };
    gathering.places.awaited(&memory);
    if memory.is_file() {
        let reason = "Claude Code gives these notes of its own to its model, and changes them while it works; no pin holds them";
        add(Kind::InstructionFile, &memory, home, reason, gathering);
    }
}

/// Adds the folders of commands and agents, the machine's skills, and plugins. `directories` are those of the project.
pub fn skills<'d>(
    home: &'d Path,
    directories: impl Iterator<Item = &'d Path>,
    unpinned: &Unpinned,
    denied: &Denied,
    judge: &Judge,
    gathering: &mut Gathering,
) {
    let folders: Vec<_> = folders(home, directories).collect();
    let commands = judge.commands(&folders, gathering);
    for ((folder, root), commands) in folders.into_iter().zip(commands) {
        for command in commands {
            gathering.add(command);
        }
        let agents = folder.join(AGENTS);
        gathering.places.awaited(&agents);
        if agents.is_dir() {
            let reason = denied.of_agents();
            let source = source_text(&agents).0;
            let listed = match denied.has_no_agents {
                true => passed_over,
                false => excluded,
            };
            gathering.add(listed(Kind::InstructionFile, &source, root, &reason));
        }
    }
    let of_machine = Path::new(MACHINE).join(FOLDER).join(SKILLS);
    if of_machine.is_dir() {
        let reason = "Claude Code lists the machine's skills in it to its model, but they belong to no project";
        add(
            Kind::Skill,
            &of_machine,
            Path::new(MACHINE),
            reason,
            gathering,
        );
    }
    plugins(home, unpinned, gathering);
}

/// Adds the folder of installed plugins if the settings turn some on, and the plugins in directories that a variable names.
fn plugins(home: &Path, unpinned: &Unpinned, gathering: &mut Gathering) {
    let folder = home.join(PLUGINS);
    gathering.places.awaited(&folder);
    let names = &unpinned.plugins;
    if !names.is_empty() && (unpinned.has_own_plugins || folder.is_dir()) {
        let names = names.join(", ");
        let reason = format!(
            "Claude Code gives its model the skills and agents of the plugins that its settings turn on ({names}), and runs \
             their hooks, but no pin holds them"
        );
        add(Kind::Skill, &folder, home, &reason, gathering);
    }
    for directory in &unpinned.plugin_directories {
        gathering.places.awaited(directory);
        if directory.is_dir() {
            let reason = "Claude Code gives its model the skills and agents of the plugin in it, which `CLAUDE_CODE_PLUGIN_DIRS` \
                          names, but no pin holds them";
            add(Kind::Skill, directory, directory, reason, gathering);
        }
    }
}

/// Adds the folders in which the style of output may be that the settings choose. `directories` are those of the project.
pub fn output_style<'d>(
    home: &'d Path,
    directories: impl Iterator<Item = &'d Path>,
    name: &str,
    gathering: &mut Gathering,
) {
    for (folder, root) in folders(home, directories) {
        let styles = folder.join(OUTPUT_STYLES);
        gathering.places.awaited(&styles);
        if styles.is_dir() {
            let reason = format!(
                "Claude Code gives its model the style of output that its settings choose (`{name}`) if it is in it, but \
                 no pin holds it"
            );
            add(Kind::InstructionFile, &styles, root, &reason, gathering);
        }
    }
}

/// Returns the folders of Claude Code's files: those of a project's directories, and the home. Each comes with its root.
fn folders<'d>(
    home: &'d Path,
    directories: impl Iterator<Item = &'d Path>,
) -> impl Iterator<Item = (PathBuf, &'d Path)> {
    let of_project = directories.map(|directory| (directory.join(FOLDER), directory));
    of_project.chain([(home.to_owned(), home)])
}

fn add(kind: Kind, path: &Path, root: &Path, reason: &str, gathering: &mut Gathering) {
    let source = source_text(path).0;
    gathering.add(excluded(kind, &source, root, reason));
}

/// Returns the path of Claude Code's notes of a project.
fn memory(home: &Path, working: &Path) -> Option<PathBuf> {
    let project = repository::root(working).unwrap_or(working);
    let name = project.to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let is_known = name.len() <= PROJECT_NAME_CHARS_MAX;
    is_known.then(|| {
        home.join(PROJECTS)
            .join(name)
            .join(MEMORY[0])
            .join(MEMORY[1])
    })
}
