//! What is found by the rules of one tool. Each tool has a module.

mod below;
mod claude_code;
mod codex;
mod definitions;
mod neutral;
mod opencode;
mod repository;
mod skill_folder;
mod worktree;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ctxpin_model::limits::INSTRUCTION_FILE_BYTES_MAX;
use ctxpin_model::profile::{Profile, Rules};
use ctxpin_model::resource::{Kind, Status};
use rustix::fs::{Access, access};

use crate::ScanError;
use crate::boundary::{Boundaries, Boundary, Located, Outcome};
use crate::directory::Directory;
use crate::file;
use crate::gather::{Finding, Gathering};
use crate::path_text::{for_a_shell, source_text};
use crate::refused::Refused;
use crate::roots::{Request, Roots, USER_ROOT_NAMES};
use crate::skill;
use crate::unused::Unused;

/// What a tool does with a folder of skills.
const IN_FOLDER: &str = "the tool lists the skills in it to its model";

/// Adds what the request's profile finds to a gathering, in its order. Returns the rules that the snapshot
/// states, which are none under the neutral profile.
pub(crate) fn find(
    request: &Request,
    roots: &Roots,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Result<Option<Rules>, ScanError> {
    match request.profile {
        Profile::Neutral => neutral::find(roots, boundaries, gathering).map(|()| None),
        Profile::ClaudeCode => claude_code::find(request, roots, boundaries, gathering).map(Some),
        Profile::Codex => codex::find(request, roots, boundaries, gathering).map(Some),
        Profile::Opencode => opencode::find(request, roots, boundaries, gathering).map(Some),
    }
}

/// Returns the files with Claude Code's settings for a session in a working directory, by the home of its settings. Of
/// a member that several files set, the last counts. The machine's file is the last.
pub fn claude_code_settings(home: &Path, working: &Path) -> [PathBuf; 5] {
    claude_code::settings_files(home, working).map(|file| file.directory.join(file.name))
}

/// Returns the names of the environment variables that decide what a profile's tool finds.
pub fn variables(profile: Profile) -> &'static [&'static str] {
    match profile {
        Profile::Neutral | Profile::Codex => &[],
        Profile::ClaudeCode => &claude_code::VARIABLES,
        Profile::Opencode => &opencode::VARIABLES,
    }
}

/// Returns the folders of the person's own files that are scanned under a tool's profile: those in the home, and the
/// tool's.
pub(crate) fn personal_folders(request: &Request) -> Vec<PathBuf> {
    let own = match request.profile {
        _ if !request.user_roots => return Vec::new(),
        Profile::Neutral => return Vec::new(),
        Profile::Opencode => opencode::personal_folders(request),
        Profile::ClaudeCode | Profile::Codex => request.tool.home.clone().into_iter().collect(),
    };
    let shared = USER_ROOT_NAMES.iter().map(|name| request.home.join(name));
    shared.chain(own).collect()
}

/// Returns whether the tool of the request's profile seems to be used here: its home exists, or files that it
/// alone reads. The neutral profile is used everywhere.
pub fn is_used(request: &Request) -> bool {
    match request.profile {
        Profile::Neutral => true,
        Profile::ClaudeCode => claude_code::is_used(request),
        Profile::Codex => codex::is_used(request),
        Profile::Opencode => opencode::is_used(request),
    }
}

/// Reads an entry of a directory as an instruction file, for a tool that follows each link and gives a file
/// once for each of its names. Returns `None` if the entry is no file. A file that the tool gives its model but
/// a scan may not read is `excluded`, with the reason.
fn entry(
    boundary: &Boundary,
    directory: &Directory,
    name: &str,
    root: &Path,
    gathering: &mut Gathering,
) -> Option<Finding> {
    let source = directory.path.join(name);
    entry_as(boundary, directory, name, &source, root, gathering)
}

/// Returns why a scan leaves out what a tool gives, because it lies in a directory that the scan may not read.
fn outside(given: &str, directory: &Path) -> String {
    let directory = for_a_shell(directory);
    format!("{given}, but it lies outside of the project; --allow-root {directory} reads it")
}

/// Reads an entry as [`entry`] does, for a tool that knows it under another path. What cannot be read, the tool cannot
/// read either.
fn entry_as(
    boundary: &Boundary,
    directory: &Directory,
    name: &str,
    source: &Path,
    root: &Path,
    gathering: &mut Gathering,
) -> Option<Finding> {
    let (kind, name) = (Kind::InstructionFile, OsStr::new(name));
    let path = directory.path.join(name);
    let profile = gathering.profile;
    let refuse = |refused: Refused| match refused.status {
        Status::Unreadable => Finding::refused(kind, source, root, refused),
        _ => {
            let mut finding = Finding::new(kind, source, root);
            finding.refuse_here(profile, Status::Excluded, &refused.reason);
            finding
        }
    };
    match boundary.locate(directory, name) {
        Located::File(_) if directory.spells(name) => {}
        Located::Refused(refused) => {
            file::await_target(boundary, &path, gathering);
            let leads_to_file = refused
                .target
                .as_ref()
                .is_some_and(|target| target.is_file());
            return leads_to_file.then(|| refuse(refused));
        }
        Located::Absent | Located::File(_) | Located::Directory(_) => return None,
    }
    let bytes_max = INSTRUCTION_FILE_BYTES_MAX;
    let reading = match boundary.read(directory, name, bytes_max, &mut gathering.reader) {
        Outcome::Read(reading) => reading,
        Outcome::Refused(refused) => return Some(refuse(refused)),
        Outcome::Absent => return None,
    };
    if reading.path != path {
        gathering.places.path(&reading.path);
    }
    let mut finding = file::taken(kind, source, root, reading, gathering);
    // Each name gives the file once more.
    finding.identity = None;
    Some(finding)
}

/// Returns an instruction file that this user may not read, and so neither the tool. Opens nothing.
fn forbidden(path: &Path, root: &Path) -> Option<Finding> {
    let error = access(path, Access::READ_OK).err()?;
    let refused = Refused::failed(&error.into());
    Some(Finding::refused(Kind::InstructionFile, path, root, refused))
}

/// Makes a resource that the tool gives its model, but no pin can hold. It has neither hash nor size.
fn excluded(kind: Kind, source: &str, root: &Path, reason: &str) -> Finding {
    let mut finding = Finding::new(kind, Path::new(source), root);
    finding.refuse_as(Unused::Unholdable, Status::Excluded, reason);
    finding
}

/// Makes a resource that the tool gives its model, but ctxpin does not read. It has neither hash nor size.
fn unread(kind: Kind, source: &str, root: &Path, reason: &str) -> Finding {
    let mut finding = Finding::new(kind, Path::new(source), root);
    finding.refuse_as(Unused::Unread, Status::Excluded, reason);
    finding
}

/// Makes a resource that the tool passes over. It has neither hash nor size.
fn passed_over(kind: Kind, source: &str, root: &Path, reason: &str) -> Finding {
    let mut finding = Finding::new(kind, Path::new(source), root);
    finding.refuse(Status::Excluded, reason);
    finding
}

/// Enters the folder of skills at `path` below a directory, which `from` has open. One behind a link that a scan may not
/// follow is listed as left out, because the tool follows it.
fn skills_folder(
    boundary: &Boundary,
    from: &Directory,
    directory: &Path,
    path: &[&str],
    gathering: &mut Gathering,
) -> Option<Directory> {
    let mut entered: Option<Directory> = None;
    for (index, name) in path.iter().enumerate() {
        let located = boundary.locate(entered.as_ref().unwrap_or(from), OsStr::new(name));
        match located {
            Located::Directory(path) => entered = Some(boundary.descend(&path).ok()?),
            Located::Refused(refused) => {
                let rest: PathBuf = path[index + 1..].iter().collect();
                let target = refused.target.map(|target| target.join(rest));
                if target.is_some_and(|target| target.is_dir()) {
                    let path: PathBuf = path.iter().collect();
                    let source = source_text(&directory.join(path)).0;
                    let reason = refused.reason;
                    let reason = format!("{IN_FOLDER}, but {reason}");
                    gathering.add(unread(Kind::Skill, &source, directory, &reason));
                }
                return None;
            }
            Located::Absent | Located::File(_) => return None,
        }
    }
    entered
}

/// Reads a skill, whose SKILL.md has the path `source`. If a `reason` to leave it out is given, the skill is `excluded`
/// instead, although the tool lists it.
fn skill(
    directory: Directory,
    source: &Path,
    root: &Path,
    reason: Option<&str>,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    let Some(reason) = reason else {
        return skill::read(directory, source, root, gathering);
    };
    let source = source_text(source).0;
    gathering.add(unread(Kind::Skill, &source, root, reason));
    Ok(())
}

/// Enters a directory below another, through a link if that is allowed.
fn step(boundary: &Boundary, from: &Directory, name: &str) -> Option<Directory> {
    match boundary.locate(from, OsStr::new(name)) {
        Located::Directory(path) => boundary.descend(&path).ok(),
        Located::Absent | Located::File(_) | Located::Refused(_) => None,
    }
}
