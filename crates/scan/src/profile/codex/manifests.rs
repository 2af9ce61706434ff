//! The manifests of plugins, whose names Codex puts before those of the skills at and below their directories.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::skill::plugin_skill_name;
use serde::Deserialize;

use super::Search;
use crate::boundary::{Admitting, Annexes, Boundaries, Boundary, Located, Outcome, Reach};
use crate::directory::Directory;
use crate::file::{self, oversize};
use crate::gather::Gathering;
use crate::path_text::source_text;
use crate::settings::SETTINGS_BYTES_MAX;

/// The folders of a directory that can have a manifest. The first that has one counts.
const FOLDERS: [&str; 3] = [".codex-plugin", ".claude-plugin", ".cursor-plugin"];
const NAME: &str = "plugin.json";

/// What Codex reads of a manifest, in an object or a list. One of another form counts for nothing.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    name: String,
}

/// The names of the plugins to which skills belong, by the sources of these.
#[derive(Debug, Default)]
pub struct PluginNames(HashMap<String, String>);

impl PluginNames {
    /// Looks for the plugins of the skills of a gathering. The nearest directory at or above the real path of a skill counts,
    /// also one above the project.
    pub fn find(search: &Search, boundaries: &mut Boundaries, gathering: &mut Gathering) -> Self {
        let mut known = HashMap::new();
        let mut names = HashMap::new();
        for skill_md in gathering.skill_files() {
            let mut directories = skill_md.ancestors().skip(1);
            let name = directories.find_map(|directory| {
                let known = known.entry(directory.to_owned());
                let name = known.or_insert_with(|| named(search, directory, boundaries, gathering));
                name.clone()
            });
            if let Some(name) = name {
                names.insert(source_text(&skill_md).0, name);
            }
        }
        Self(names)
    }

    /// Returns the name by which Codex knows a skill.
    pub fn full(&self, source: &str, own: &str) -> String {
        match self.0.get(source) {
            None => own.to_owned(),
            Some(plugin) => format!("{plugin}:{own}"),
        }
    }

    /// Gives the skills of plugins the names by which Codex lists them.
    pub fn give(&self, gathering: &mut Gathering) {
        gathering.name_skills(|skill| {
            let (own, plugin) = (skill.name.as_ref()?, self.0.get(&skill.source)?);
            Some(plugin_skill_name(own, plugin))
        });
    }
}

/// Returns the name of the plugin in a directory.
fn named(
    search: &Search,
    directory: &Path,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Option<String> {
    gathering.places.names(directory, &FOLDERS);
    let mut first = None;
    for folder in FOLDERS {
        let path = directory.join(folder).join(NAME);
        gathering.places.awaited(&path);
        await_target(search, directory, folder, boundaries, gathering);
        if first.is_none() && path.is_file() {
            first = Some((folder, path));
        }
    }
    let (folder, path) = first?;
    let text = read(search, directory, folder, boundaries, gathering);
    let text = text.unwrap_or_else(|reason| {
        let path = source_text(&path).0;
        gathering.remark(format!(
            "ctxpin does not read {path}, because {reason}; Codex may put a name of it before the names of skills"
        ));
        None
    });
    let Manifest { name } = serde_json::from_str(&text?).ok()?;
    let of_directory = directory.file_name().and_then(OsStr::to_str);
    let of_directory = of_directory.filter(|_| name.trim().is_empty());
    Some(of_directory.map_or(name, str::to_owned))
}

/// Watches for what a dangling link leads to, if the folder of a manifest or the manifest is one.
fn await_target(
    search: &Search,
    directory: &Path,
    folder: &str,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) {
    let folder = directory.join(folder);
    let real = folder.canonicalize();
    let links = [real.as_ref().unwrap_or(&folder).join(NAME), folder];
    let is_dangling = |link: &&PathBuf| link.is_symlink() && !link.exists();
    let Some(link) = links.iter().find(is_dangling) else {
        return;
    };
    let held = search.held(directory, boundaries).map(Ok);
    let held = held.unwrap_or_else(|| own_boundary(directory, gathering));
    if let Ok((boundary, _)) = held {
        file::await_target(&boundary, link, gathering);
    }
}

/// Reads the manifest in a folder of a directory. Returns `None` if it is not UTF-8.
///
/// # Errors
///
/// Fails with a message for people if the scan may not read it.
fn read(
    search: &Search,
    directory: &Path,
    folder: &str,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Result<Option<String>, String> {
    let (boundary, held) = match search.held(directory, boundaries) {
        Some(found) => found,
        None => own_boundary(directory, gathering).map_err(|error| error.to_string())?,
    };
    let real = match boundary.locate(&held, OsStr::new(folder)) {
        Located::Directory(real) => real,
        Located::Refused(refused) => return Err(refused.reason),
        Located::Absent | Located::File(_) => return Ok(None),
    };
    let held = boundary.descend(&real).map_err(|error| error.to_string())?;
    let (name, reader) = (OsStr::new(NAME), &mut gathering.reader);
    match boundary.read(&held, name, SETTINGS_BYTES_MAX, reader) {
        Outcome::Absent => Ok(None),
        Outcome::Refused(refused) => Err(refused.reason),
        Outcome::Read(reading) => {
            gathering.places.path(&reading.path);
            match reading.bytes {
                Some(bytes) if gathering.may_parse(bytes.len()) => {
                    Ok(str::from_utf8(&bytes).ok().map(str::to_owned))
                }
                Some(_) => Err("one scan parses no more of such files".to_owned()),
                None => Err(oversize(reading.size, SETTINGS_BYTES_MAX)),
            }
        }
    }
}

/// Opens a directory outside of the project, which links in it may not leave.
fn own_boundary(
    directory: &Path,
    gathering: &Gathering,
) -> std::io::Result<(Rc<Boundary>, Directory)> {
    let common = Rc::clone(&gathering.common);
    let mut boundaries = Boundaries::new(&Annexes::default(), Admitting::default(), common);
    let boundary = boundaries.at(directory, Reach::Project)?;
    let held = boundary.descend(directory)?;
    Ok((boundary, held))
}
