//! opencode's plugins and tools: programs that add to what its model gets, and that no pin holds.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ctxpin_model::resource::Kind;
use serde_json::Value;

use super::super::{excluded, passed_over};
use super::entry::plain_address;
use super::permission::Permissions;
use crate::directory::{Directory, plain_path};
use crate::gather::Gathering;
use crate::path_text::source_text;
use crate::settings;
use crate::trust::Trust;

/// The folders of plugins in a directory with a configuration.
const FOLDERS: [&str; 2] = ["plugin", "plugins"];

/// The folders of tools in a directory with a configuration.
const TOOL_FOLDERS: [&str; 2] = ["tool", "tools"];

/// What ends the name of a plugin or tool.
const EXTENSIONS: [&str; 2] = ["js", "ts"];

/// The plugin of ctxpin's own hooks, in the person's folder. It tells of sessions, and gives the model nothing.
const OWN: &str = "ctxpin.js";

/// What begins an entry that is a path as an address.
const FILE: &str = "file://";

/// The greatest number of plugins or tools of one folder that are listed.
const PROGRAMS_MAX: usize = 64;

/// Why a plugin is listed.
const REASON: &str = "opencode runs this plugin, whose code can add instructions and skills to what its model gets; no pin holds that";

/// Why a tool is listed.
const TOOL_REASON: &str =
    "opencode gives its model the tools that this program defines, and no pin holds them";

/// Why a tool is listed that its model does not get.
const TOOL_OFF: &str = "the permissions, or `tools`, keep the tools of this program from the model";

/// Returns the plugins that a configuration names, each as the path of a file or directory or as the name of a package.
/// `directory` is that of the configuration.
pub fn configured(plugins: Option<&Value>, directory: Option<&Path>) -> Vec<String> {
    let entries = plugins.and_then(Value::as_array).into_iter().flatten();
    // An entry can have options behind it.
    let entries = entries.filter_map(|entry| entry.as_str().or_else(|| entry.get(0)?.as_str()));
    let plugins = entries.map(|entry| {
        let path = entry.strip_prefix(FILE).unwrap_or(entry);
        let is_path = path.len() < entry.len() || path.starts_with(['.', '/']);
        match (directory.filter(|_| is_path), entry.split_once("://")) {
            (Some(directory), _) => source_text(&plain_path(&directory.join(path))).0,
            (None, Some((scheme, rest))) => plain_address(&format!("{scheme}://"), rest),
            (None, None) => entry.to_owned(),
        }
    });
    plugins.collect()
}

/// Adds the plugins in the folders with a configuration, of which the person's own is the first, and those that the
/// configuration names.
pub fn add(folders: &[PathBuf], plugins: &[String], working: &Path, gathering: &mut Gathering) {
    let own = folders.first();
    for folder in folders {
        for name in FOLDERS {
            let path = folder.join(name);
            let is_own = Some(folder) == own;
            for plugin in in_folder(&path, "plugins", gathering) {
                if !(is_own && plugin.ends_with(OWN)) {
                    list(&source_text(&plugin).0, folder, REASON, gathering);
                }
            }
        }
    }
    for plugin in plugins {
        let path = Path::new(plugin);
        if path.is_absolute() {
            gathering.places.awaited(path);
        }
        if !path.is_absolute() || path.exists() {
            list(
                plugin,
                path.parent()
                    .filter(|_| path.is_absolute())
                    .unwrap_or(working),
                REASON,
                gathering,
            );
        }
    }
}

/// Adds the tools in the folders with a configuration.
pub fn add_tools(
    folders: &[PathBuf],
    permissions: &Permissions,
    trust: &Trust,
    gathering: &mut Gathering,
) {
    for folder in folders {
        for name in TOOL_FOLDERS {
            for tool in in_folder(&folder.join(name), "tools", gathering) {
                let source = source_text(&tool).0;
                gathering.places.awaited(&tool);
                let names = tools_of(&tool, trust);
                let mut names = names.iter().flatten().peekable();
                if names.peek().is_some() && names.all(|name| permissions.turn_off(name)) {
                    let kind = Kind::InstructionFile;
                    gathering.add(passed_over(kind, &source, folder, TOOL_OFF));
                } else {
                    list(&source, folder, TOOL_REASON, gathering);
                }
            }
        }
    }
}

/// Returns the names of the tools that a program defines. Returns `None` if it is not known which these are.
fn tools_of(path: &Path, trust: &Trust) -> Option<Vec<String>> {
    let bytes = settings::listed(path, trust)?;
    let text = String::from_utf8_lossy(&bytes);
    let stem = path.file_stem()?.to_str()?;
    let mut names = Vec::new();
    let lines = text.lines().map(str::trim_start);
    for export in lines.filter_map(|line| line.strip_prefix("export ")) {
        let export = export.trim_start();
        let export = export.strip_prefix("async ").unwrap_or(export);
        let (keyword, rest) = export.split_once([' ', '{', '(']).unwrap_or((export, ""));
        match keyword {
            "default" => names.push(stem.to_owned()),
            "const" | "let" | "var" | "function" => {
                let is_end = |c: char| !(c.is_alphanumeric() || c == '_' || c == '$');
                let name = rest.trim_start().split(is_end).next();
                let name = name.filter(|name| !name.is_empty())?;
                names.push(format!("{stem}_{name}"));
            }
            "type" | "interface" => {}
            _ => return None,
        }
    }
    Some(names)
}

fn list(source: &str, root: &Path, reason: &str, gathering: &mut Gathering) {
    gathering.add(excluded(Kind::InstructionFile, source, root, reason));
}

/// Returns the plugins or tools in a folder, but not those in folders in it.
fn in_folder(folder: &Path, what: &str, gathering: &mut Gathering) -> Vec<PathBuf> {
    gathering.places.awaited(folder);
    let Ok(real) = folder.canonicalize() else {
        return Vec::new();
    };
    gathering.places.all(&real);
    let listing = Directory::open(&real).and_then(|directory| directory.list());
    let Ok(listing) = listing else {
        return Vec::new();
    };
    let paths = listing.names.iter().map(|name| folder.join(name));
    let is_program = |path: &PathBuf| {
        let extension = path.extension().and_then(OsStr::to_str);
        extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) && path.is_file()
    };
    let mut programs = paths.filter(is_program);
    let listed = programs.by_ref().take(PROGRAMS_MAX).collect();
    if programs.next().is_some() {
        let folder = source_text(folder).0;
        gathering.remark(format!("only {PROGRAMS_MAX} {what} of {folder} are listed"));
    }
    listed
}
