//! opencode: the files of one name from the working directory to the root of its worktree, one of the person, and
//! those that its configuration lists; and the skills of several tools.
//!
//! These rules were read off opencode 1.18.33 and 1.17.0 as they ran. Of the files that match one pattern, opencode lists
//! those of a directory in the reverse of the order in which the file system lists them, and directories of one depth as it
//! finishes reading them; here both are in the order of their names.

mod agents;
mod configuration;
mod entry;
mod jsonc;
mod pattern;
mod permission;
mod plugins;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::profile::{Rules, Settings};
use ctxpin_model::resource::{Applies, Kind};
use ctxpin_model::skill::SKILL_FILE_NAME;
use rustix::fs::FileType;

use super::skill_folder::SkillFolder;
use super::{below, entry_as, excluded, forbidden, outside, passed_over, skill, step, unread};
use crate::ScanError;
use crate::boundary::{Boundaries, Boundary, Reach};
use crate::directory::{Directory, Listing, plain_path};
use crate::gather::Gathering;
use crate::known_files::SKILLS;
use crate::path_text::source_text;
use crate::roots::{Request, Roots};
use crate::searches::Wanted;

use configuration::Configuration;
pub(super) use configuration::{is_used, personal_folders};
use entry::{address, is_filled_in, path};
use pattern::{Part, Segment, matches, read};

pub(super) use configuration::VARIABLES;

/// The file of instructions in the directory of a person's own configuration.
const OWN_NAME: &str = "AGENTS.md";

/// The names of a project's instruction files. Only files of the first one that is there count.
const NAMES: [&str; 3] = ["AGENTS.md", CLAUDE_CODE_NAME, "CONTEXT.md"];

const CLAUDE_CODE_NAME: &str = "CLAUDE.md";

const CLAUDE_CODE_FOLDER: &str = ".claude";

/// The folder of skills that several tools share, in a project and in the home.
const SHARED_FOLDER: &str = ".agents";

/// The folders of skills in a directory with a configuration.
const OWN_SKILLS: [&str; 2] = ["skill", SKILLS];

/// The folders of the home that hold a person's own files.
const PERSONAL_FOLDERS: [&str; 4] = [CLAUDE_CODE_FOLDER, SHARED_FOLDER, ".opencode", ".codex"];

/// The greatest number of directories that the patterns of one scan look into.
const PATTERN_DIRECTORIES_MAX: usize = 5_000;

/// The greatest number of files that the patterns of one scan give.
const PATTERN_FILES_MAX: usize = 1_000;

/// Why files of the project are left out.
const PROJECT_OFF: &str = "`OPENCODE_DISABLE_PROJECT_CONFIG` turns the project's files off";
const CLAUDE_CODE_OFF: &str =
    "`OPENCODE_DISABLE_CLAUDE_CODE` or `OPENCODE_DISABLE_CLAUDE_CODE_PROMPT` turns it off";

/// Why a file of the person is left out.
const PERSONAL: &str =
    "opencode gives this file of yours to its model; it is read only with --user-roots";

/// Adds what opencode reads to a gathering: the person's file, those of the project from the working directory
/// upwards, the configured ones, then the skills.
pub(super) fn find(
    request: &Request,
    roots: &Roots,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Result<Rules, ScanError> {
    let configuration = Configuration::read(request, &roots.directory, gathering);
    let mut search = Search {
        request,
        roots,
        configuration,
        boundaries,
        given: HashSet::new(),
        off: Vec::new(),
        directories_left: PATTERN_DIRECTORIES_MAX,
        files_left: PATTERN_FILES_MAX,
    };
    search.own_file(gathering)?;
    search.project_files(gathering)?;
    search.configured_files(gathering)?;
    search.files_below(gathering)?;
    search.files_off(gathering);
    if search.configuration.runs_plugins {
        let configuration = &search.configuration;
        let (folders, named) = (&configuration.folders, &configuration.plugins);
        plugins::add(folders, named, &roots.directory, gathering);
    }
    let folders = &search.configuration.folders;
    let permissions = &search.configuration.permissions;
    plugins::add_tools(folders, permissions, &request.trust, gathering);
    let configuration = &mut search.configuration;
    let (agents, prompt) = (&configuration.agents, configuration.prompt.take());
    agents::add(agents, prompt, &configuration.permissions, gathering);
    search.skills(gathering)?;
    Ok(Rules::newest(Settings::Opencode(
        search.configuration.settings,
    )))
}

/// What decides where opencode looks.
struct Search<'a> {
    request: &'a Request,
    roots: &'a Roots,
    configuration: Configuration,
    boundaries: &'a mut Boundaries,
    /// The paths of the instruction files that were added.
    given: HashSet<PathBuf>,
    /// The instruction files of the project that a variable turns off, with the reason.
    off: Vec<(PathBuf, &'static str)>,
    directories_left: usize,
    files_left: usize,
}

/// A directory that may be looked into.
struct Open {
    boundary: Rc<Boundary>,
    directory: Directory,
    /// Whether its files may be read, and not only named.
    is_used: bool,
}

impl Search<'_> {
    /// Adds the person's own file, or else the one of Claude Code. Whatever has the name counts, even a directory.
    fn own_file(&mut self, gathering: &mut Gathering) -> Result<(), ScanError> {
        let own = self.configuration.home.join(OWN_NAME);
        let of_claude_code = self
            .request
            .home
            .join(CLAUDE_CODE_FOLDER)
            .join(CLAUDE_CODE_NAME);
        let is_second_disabled = self.configuration.settings.is_claude_code_disabled;
        let paths = [Some(own), (!is_second_disabled).then_some(of_claude_code)];
        for path in paths.into_iter().flatten() {
            gathering.places.awaited(&path);
            if path.exists() {
                return self.give(&path, gathering);
            }
        }
        Ok(())
    }

    /// Returns the names of a project's instruction files that count.
    fn names(&self) -> Vec<&'static str> {
        let is_disabled = self.configuration.settings.is_claude_code_disabled;
        let names = NAMES.into_iter();
        let names = names.filter(|name| !(is_disabled && *name == CLAUDE_CODE_NAME));
        names.collect()
    }

    /// Adds the file of each directory below the working directory: the first name that is there.
    fn files_below(&mut self, gathering: &mut Gathering) -> Result<(), ScanError> {
        let names = self.names();
        let wanted = Wanted {
            working: self.roots.directory.clone(),
            names: names.clone(),
            closed: ".git",
            tool: "opencode",
        };
        for directory in below::directories(wanted, gathering)? {
            gathering.places.names(&directory, &names);
            let mut paths = names.iter().map(|name| directory.join(name));
            if let Some(path) = paths.find(|path| path.exists()) {
                let applies = Applies::to(source_text(&directory).0, Vec::new());
                self.give_as(&path, Some(applies), gathering)?;
            }
        }
        Ok(())
    }

    /// Adds the project's files of the first name that any directory of the chain has. Those that a variable turns off are
    /// listed with the reason.
    fn project_files(&mut self, gathering: &mut Gathering) -> Result<(), ScanError> {
        let settings = &self.configuration.settings;
        let is_claude_code_disabled = settings.is_claude_code_disabled;
        let is_off = settings.is_project_disabled;
        let chain = self.configuration.chain.clone();
        for directory in &chain {
            gathering.places.names(directory, &NAMES);
        }
        for name in NAMES {
            let paths = chain.iter().map(|directory| directory.join(name));
            let paths: Vec<_> = paths.filter(|path| path.exists()).collect();
            let is_passed_over = is_claude_code_disabled && name == CLAUDE_CODE_NAME;
            let off = is_off.then_some(PROJECT_OFF);
            let reason = off.or(is_passed_over.then_some(CLAUDE_CODE_OFF));
            for path in &paths {
                match reason {
                    Some(reason) => self.off.push((path.clone(), reason)),
                    None => self.give(path, gathering)?,
                }
            }
            if !paths.is_empty() && !is_passed_over {
                break;
            }
        }
        Ok(())
    }

    /// Adds the files of the project that a variable turns off, unless opencode gives them for another reason.
    fn files_off(&self, gathering: &mut Gathering) {
        for (path, reason) in &self.off {
            let is_of_project = path.starts_with(self.roots.project());
            if is_of_project && path.is_file() && !self.given.contains(path) {
                let source = source_text(path).0;
                let root = path.parent().unwrap_or(path);
                gathering.add(passed_over(Kind::InstructionFile, &source, root, reason));
            }
        }
    }

    /// Adds the files that the configuration lists.
    fn configured_files(&mut self, gathering: &mut Gathering) -> Result<(), ScanError> {
        let home = self.request.home.clone();
        for listed in self.configuration.settings.instructions.clone() {
            if address(&listed).is_some() {
                let reason = "opencode fetches it at each start, so nobody can pin it";
                let root = self.roots.directory.clone();
                gathering.add(excluded(Kind::InstructionFile, &listed, &root, reason));
                continue;
            }
            if is_filled_in(&listed) {
                gathering.remark(format!(
                    "opencode's instructions have `{listed}`, and ctxpin reads no variable or file for it"
                ));
                continue;
            }
            let is_fixed = listed.starts_with("~/") || listed.starts_with('/');
            let (directories, form, sees_hidden) = if is_fixed {
                let path = path(&listed, &home, Path::new("/"));
                let Some((parent, name)) = path.parent().zip(path.file_name()) else {
                    continue;
                };
                let name = name.to_string_lossy().into_owned();
                (vec![parent.to_owned()], name, false)
            } else if self.configuration.settings.is_project_disabled {
                (vec![self.configuration.home.clone()], listed.clone(), true)
            } else {
                (self.configuration.chain.clone(), listed.clone(), true)
            };
            let Some(alternatives) = read(&form) else {
                gathering.remark(format!(
                    "opencode's instructions have `{listed}`, a form of pattern that ctxpin does not follow"
                ));
                continue;
            };
            for directory in &directories {
                let mut found = Vec::new();
                for segments in &alternatives {
                    let mut of_one = Vec::new();
                    self.matching(directory, segments, sees_hidden, &mut of_one, gathering)?;
                    of_one.sort_unstable();
                    found.append(&mut of_one);
                }
                // opencode looks into one depth after the other, in each for all choices of braces, which mostly come in
                // their order.
                found.sort_by_cached_key(|path| path.components().count());
                for path in found {
                    self.give(&path, gathering)?;
                }
            }
        }
        Ok(())
    }

    /// Finds the files below a directory that match a pattern.
    fn matching(
        &mut self,
        directory: &Path,
        segments: &[Segment],
        sees_hidden: bool,
        found: &mut Vec<PathBuf>,
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        let names = segments.iter().map_while(|segment| match segment {
            Segment::Name(name) => Some(name.as_str()),
            _ => None,
        });
        let names: Vec<_> = names.collect();
        let begin = plain_path(&directory.join(names.iter().collect::<PathBuf>()));
        let rest = &segments[names.len()..];
        gathering.places.awaited(&begin);
        if rest.is_empty() {
            found.extend(Some(begin).filter(|path| path.exists()));
            return Ok(());
        }
        let Ok(real) = begin.canonicalize() else {
            return Ok(());
        };
        match self.open(&real) {
            Ok(open) => {
                let mut walk = Walk {
                    boundary: &open.boundary,
                    sees_hidden,
                    directories_left: &mut self.directories_left,
                    files_left: &mut self.files_left,
                    found,
                };
                // Only a `**` behind other names follows a link.
                let links = usize::from(!names.is_empty());
                walk.step(open.directory, &begin, rest, links, gathering)
            }
            Err(_) => {
                let begin = source_text(&begin).0;
                gathering.remark(format!(
                    "opencode also looks for instruction files below {begin}, which ctxpin does not read"
                ));
                Ok(())
            }
        }
    }

    /// Adds the instruction file at a path, which every request holds.
    fn give(&mut self, path: &Path, gathering: &mut Gathering) -> Result<(), ScanError> {
        self.give_as(path, None, gathering)
    }

    /// Adds the instruction file at a path, once. What is no file gives nothing.
    fn give_as(
        &mut self,
        path: &Path,
        applies: Option<Applies>,
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        gathering.go_on()?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(());
        };
        let (Ok(real), Some(name)) = (parent.canonicalize(), name.to_str()) else {
            return Ok(());
        };
        if !self.given.insert(path.to_owned()) {
            return Ok(());
        }
        gathering.places.path(&real.join(name));
        let source = source_text(path).0;
        match self.open(&real) {
            Ok(open) if open.is_used => {
                let Open {
                    boundary,
                    directory,
                    ..
                } = &open;
                let found = entry_as(boundary, directory, name, path, parent, gathering);
                if let Some(mut finding) = found {
                    finding.resource.applies = applies;
                    gathering.add(finding);
                }
            }
            refused if path.is_file() => {
                let reason = refused.err().unwrap_or_else(|| PERSONAL.to_owned());
                let kind = Kind::InstructionFile;
                let found = forbidden(path, parent);
                gathering.add(found.unwrap_or_else(|| unread(kind, &source, parent, &reason)));
            }
            _ => {}
        }
        Ok(())
    }

    /// Opens a directory at a canonical path.
    ///
    /// # Errors
    ///
    /// Fails with the reason, for people, if nothing in it may be looked at.
    fn open(&mut self, real: &Path) -> Result<Open, String> {
        let admitting = self.roots.admitting();
        let mut is_used = true;
        let (root, reach) = if real.starts_with(self.roots.project()) {
            (self.roots.project().to_owned(), Reach::Project)
        } else if let Some(root) = self.personal_root(real) {
            is_used = self.request.user_roots;
            (root, Reach::Personal)
        } else if let Some((root, reach, _)) = admitting.admits(real) {
            (root.to_owned(), reach)
        } else {
            return Err(outside("opencode gives it to its model", real));
        };
        let unreadable = |error: std::io::Error| format!("its directory cannot be read: {error}");
        let boundary = self.boundaries.at(&root, reach).map_err(unreadable)?;
        let directory = boundary.descend(real).map_err(unreadable)?;
        Ok(Open {
            boundary,
            directory,
            is_used,
        })
    }

    /// Returns the folder of the person that a canonical path lies in.
    fn personal_root(&self, real: &Path) -> Option<PathBuf> {
        let folders = PERSONAL_FOLDERS.map(|name| self.request.home.join(name));
        let own = self.configuration.folders.first().cloned();
        let roots = folders.into_iter().chain(own);
        let roots = roots.chain([self.configuration.home.clone()]);
        let mut roots = roots.filter_map(|root| root.canonicalize().ok());
        roots.find(|root| real.starts_with(root))
    }

    /// Adds the skills of the home, of the project from the working directory upwards, of the directories with
    /// a configuration, and of the configured folders. Of two of one name, the later one counts.
    fn skills(&mut self, gathering: &mut Gathering) -> Result<(), ScanError> {
        let configuration = &self.configuration;
        let home = &self.request.home;
        let mut containers = Vec::new();
        if configuration.reads_external_skills {
            let folders = [CLAUDE_CODE_FOLDER, SHARED_FOLDER].into_iter();
            let folders = folders.filter(|folder| {
                configuration.reads_claude_code_skills || *folder != CLAUDE_CODE_FOLDER
            });
            let folders: Vec<_> = folders.collect();
            for directory in std::iter::once(home).chain(&configuration.chain) {
                let paths = folders
                    .iter()
                    .map(|folder| directory.join(folder).join(SKILLS));
                containers.extend(paths.map(|path| (path, true)));
            }
        }
        for folder in &configuration.folders {
            let paths = OWN_SKILLS.iter().map(|name| folder.join(name));
            containers.extend(paths.map(|path| (path, false)));
        }
        let addresses = configuration.skill_addresses.iter();
        for address in addresses.filter(|listed| address(listed).is_some()) {
            let reason = "opencode fetches the skills there at each start, so nobody can pin them";
            let working = &self.roots.directory;
            gathering.add(excluded(Kind::Skill, address, working, reason));
        }
        let listed = configuration.skill_paths.iter();
        let listed = listed.map(|listed| path(listed, home, &self.roots.directory));
        containers.extend(listed.map(|path| (path, false)));
        for (container, sees_hidden) in containers {
            gathering.places.awaited(&container);
            self.container(&container, sees_hidden, gathering)?;
        }
        Ok(())
    }

    /// Adds the skills in a folder of skills and in the directories below it.
    fn container(
        &mut self,
        container: &Path,
        sees_hidden: bool,
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        let Some(real) = container.canonicalize().ok().filter(|real| real.is_dir()) else {
            return Ok(());
        };
        let root = container.parent().unwrap_or(container);
        let open = match self.open(&real) {
            Ok(open) => open,
            Err(reason) => {
                let source = source_text(container).0;
                gathering.add(unread(Kind::Skill, &source, root, &reason));
                return Ok(());
            }
        };
        let folder = SkillFolder {
            boundary: &open.boundary,
            depth_max: usize::MAX,
            sees_hidden,
            name: container,
            root,
        };
        let path = container.to_owned();
        let visit = |directory, path: &Path, listing: &Listing, gathering: &mut Gathering| {
            if !listing.names.iter().any(|name| name == SKILL_FILE_NAME) {
                return Ok(());
            }
            let source = path.join(SKILL_FILE_NAME);
            let reason = (!open.is_used).then_some(PERSONAL);
            skill(directory, &source, root, reason, gathering)
        };
        folder.visit(open.directory, path, gathering, visit)
    }
}

/// A search for the files that match a pattern.
struct Walk<'w> {
    boundary: &'w Boundary,
    /// Whether a form can stand for a hidden name.
    sees_hidden: bool,
    directories_left: &'w mut usize,
    files_left: &'w mut usize,
    found: &'w mut Vec<PathBuf>,
}

impl Walk<'_> {
    /// Adds the entries of a directory that match the rest of a pattern, and those below it. `links` is the number of
    /// links that a `**` may still follow.
    fn step(
        &mut self,
        directory: Directory,
        path: &Path,
        rest: &[Segment],
        links: usize,
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        gathering.go_on()?;
        let Some((first, behind)) = rest.split_first() else {
            return Ok(());
        };
        if let Segment::Name(name) = first {
            return self.name(&directory, path, name, behind, gathering);
        }
        let Some(left) = self.directories_left.checked_sub(1) else {
            gathering.remark(format!(
                "only {PATTERN_DIRECTORIES_MAX} directories were searched for opencode's instructions"
            ));
            return Ok(());
        };
        *self.directories_left = left;
        gathering.places.all(&directory.path);
        let Ok(listing) = directory.list() else {
            return Ok(());
        };
        for name in &listing.names {
            let below = path.join(name);
            match first {
                Segment::Form(form) => {
                    if matches(form, name, self.sees_hidden) {
                        self.entry(&directory, below, name, behind, gathering)?;
                    }
                }
                _ => {
                    let is_hidden = !matches(&[Part::Many], name, self.sees_hidden);
                    let is_link = is_link(&directory, name);
                    if is_hidden || (is_link && links == 0) {
                        continue;
                    }
                    if let Some(next) = name
                        .to_str()
                        .and_then(|name| step(self.boundary, &directory, name))
                    {
                        let links = links - usize::from(is_link);
                        self.step(next, &below, rest, links, gathering)?;
                    }
                }
            }
        }
        match first {
            Segment::Any => self.step(directory, path, behind, links, gathering),
            _ => Ok(()),
        }
    }

    /// Goes on at the entry of exactly this name.
    fn name(
        &mut self,
        directory: &Directory,
        path: &Path,
        name: &str,
        behind: &[Segment],
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        let name = OsStr::new(name);
        if directory.entry(name).ok().flatten().is_none() {
            gathering.places.names(&directory.path, &[name]);
            return Ok(());
        }
        self.entry(directory, path.join(name), name, behind, gathering)
    }

    /// Adds an entry that matches, or goes on in it.
    fn entry(
        &mut self,
        directory: &Directory,
        path: PathBuf,
        name: &OsStr,
        behind: &[Segment],
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        if behind.is_empty() {
            match self.files_left.checked_sub(1) {
                Some(left) => {
                    *self.files_left = left;
                    self.found.push(path);
                }
                None => gathering.remark(format!(
                    "of the files that match opencode's instructions, only {PATTERN_FILES_MAX} were used"
                )),
            }
            return Ok(());
        }
        match name
            .to_str()
            .and_then(|name| step(self.boundary, directory, name))
        {
            Some(next) => self.step(next, &path, behind, 1, gathering),
            None => Ok(()),
        }
    }
}

fn is_link(directory: &Directory, name: &OsStr) -> bool {
    let mode = directory.entry(name).ok().flatten();
    mode.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}
