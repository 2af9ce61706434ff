//! Claude Code's commands, an older form of skills. No pin holds them. A scan lists them, and reads of each only whether its
//! frontmatter keeps it out of the list.

use std::borrow::Cow;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ctxpin_model::claude_code::is_skill_hidden;
use ctxpin_model::profile::{ClaudeCodeSettings, SkillListing};
use ctxpin_model::resource::Kind;
use ctxpin_model::skill::SKILL_FILE_NAME;

use super::super::{excluded, passed_over};
use crate::directory::Directory;
use crate::gather::{Finding, Gathering};
use crate::path_text::source_text;
use crate::settings;
use crate::trust::Trust;

/// The name of the folder of commands.
const FOLDER: &str = "commands";

/// The most commands of one folder that are listed one by one, and the most folders that are looked at for them.
const COUNT_MAX: usize = 64;

/// How deep the folders of commands are looked at. Claude Code names a command by the folders around it.
const DEPTH_MAX: usize = 4;

/// The extension of a command.
const EXTENSION: &str = "md";

/// Why a command is listed that Claude Code tells its model of.
const GIVEN: &str = "Claude Code lists this command to its model, but no pin holds it; a skill in `.claude/skills` is the newer form of a command";

/// Why a folder with more commands is listed itself.
const TOO_MANY: &str = "Claude Code lists the commands in it to its model, but there are too many of them to list each; no pin holds them";

/// A folder of Claude Code's files, with its root.
pub type Folder<'f> = (PathBuf, &'f Path);

/// What decides which commands Claude Code lists.
pub struct Judge<'j> {
    pub settings: &'j ClaudeCodeSettings,
    pub trust: &'j Trust,
    /// The names of the skills that it lists at the start.
    pub skills: HashSet<String>,
}

impl Judge<'_> {
    /// Returns the commands of each folder, of which the last one is the person's. Of two commands of one name, the
    /// person's counts, then the one in the first folder. Of the paths of one file, the first in the same order.
    pub fn commands(&self, folders: &[Folder], gathering: &mut Gathering) -> Vec<Vec<Finding>> {
        let mut listed = HashMap::new();
        let mut files = HashMap::new();
        let found = folders.iter().map(|(folder, root)| {
            let folder = folder.join(FOLDER);
            gathering.places.awaited(&folder);
            let mut found = Commands::default();
            let is_whole = found.find(&folder, "", 0, gathering);
            (*root, found.commands, is_whole)
        });
        let found: Vec<_> = found.collect();
        let mut order: Vec<_> = (0..found.len()).collect();
        order.rotate_right(1);
        let mut findings: Vec<Vec<Finding>> = found.iter().map(|_| Vec::new()).collect();
        for index in order {
            let (root, commands, is_whole) = &found[index];
            let mut paths: Vec<_> = commands.iter().map(|command| &command.path).collect();
            paths.sort_unstable();
            for path in paths {
                files.entry(real(path)).or_insert(path);
            }
            let judged = commands.iter().map(|command| {
                let source = source_text(&command.path).0;
                let first = files[&real(&command.path)];
                let again = (*first != command.path).then(|| {
                    let first = source_text(first).0;
                    format!("Claude Code lists the same file once, as {first}").into()
                });
                match again.or_else(|| self.reason(command, &mut listed)) {
                    Some(reason) => passed_over(Kind::Skill, &source, root, &reason),
                    None => excluded(Kind::Skill, &source, root, GIVEN),
                }
            });
            let folder = source_text(&folders[index].0.join(FOLDER)).0;
            let all = (!is_whole).then(|| excluded(Kind::Skill, &folder, root, TOO_MANY));
            findings[index] = all.into_iter().chain(judged).collect();
        }
        findings
    }

    /// Returns why Claude Code does not list a command. `listed` are the commands that it lists, by their names.
    fn reason(
        &self,
        command: &Command,
        listed: &mut HashMap<String, String>,
    ) -> Option<Cow<'static, str>> {
        let Some(name) = &command.name else {
            return Some(
                "Claude Code takes only the SKILL.md of a folder of commands that has one".into(),
            );
        };
        let listing = self.settings.skill_listings.get(name);
        if matches!(
            listing,
            Some(SkillListing::Off | SkillListing::UserInvocableOnly)
        ) {
            return Some("`skillOverrides` keeps it out of the list".into());
        }
        let bytes = settings::listed(&command.path, self.trust);
        if bytes.is_some_and(|bytes| is_skill_hidden(&bytes)) {
            return Some("`disable-model-invocation` keeps it out of the list".into());
        }
        if self.skills.contains(name) {
            return Some("Claude Code lists the skill of its name instead".into());
        }
        match listed.entry(name.clone()) {
            Entry::Occupied(other) => Some(
                format!(
                    "Claude Code lists another command of its name: {}",
                    other.get()
                )
                .into(),
            ),
            Entry::Vacant(place) => {
                place.insert(source_text(&command.path).0);
                None
            }
        }
    }
}

/// Returns where a path leads to.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

struct Command {
    path: PathBuf,
    /// It has none in a folder that is a command itself.
    name: Option<String>,
}

/// The commands of a folder.
#[derive(Default)]
struct Commands {
    commands: Vec<Command>,
    /// How many folders were looked at.
    folders: usize,
    /// The folders around the one that is looked at, where they really are.
    around: Vec<PathBuf>,
}

impl Commands {
    /// Finds the commands in a folder and below, where the folders around them are `name`. Returns whether these are all.
    fn find(&mut self, folder: &Path, name: &str, depth: usize, gathering: &mut Gathering) -> bool {
        let Ok(real) = folder.canonicalize() else {
            return true;
        };
        // Claude Code takes nothing by a link to a folder around it.
        if self.around.contains(&real) {
            return true;
        }
        if depth > DEPTH_MAX || self.folders >= COUNT_MAX {
            return false;
        }
        self.folders += 1;
        gathering.places.all(&real);
        let listing = Directory::open(&real).and_then(|directory| directory.list());
        let Ok(listing) = listing else {
            // What the user may not read, Claude Code does not list either.
            return true;
        };
        let mut is_whole = listing.whole;
        let is_skill = |name: &OsStr| name.eq_ignore_ascii_case(SKILL_FILE_NAME);
        let has_skill = listing.names.iter().any(|name| is_skill(name));
        let below = |own: &str| match name {
            "" => own.to_owned(),
            _ => format!("{name}:{own}"),
        };
        // A file comes before a folder of its name.
        let paths = listing.names.iter().map(|name| folder.join(name));
        let (folders, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
        let files = files.into_iter().filter(|path| {
            let extension = path.extension();
            extension.is_some_and(|extension| extension == EXTENSION)
        });
        for path in files {
            gathering.places.awaited(&path);
            // What is no file, such as a link to nothing, gives no command.
            if !path.is_file() {
                continue;
            }
            if self.commands.len() == COUNT_MAX {
                return false;
            }
            let own = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = match path.file_name() {
                Some(own) if is_skill(own) && name.is_empty() => Some(FOLDER.to_owned()),
                Some(own) if is_skill(own) => Some(name.to_owned()),
                _ if has_skill => None,
                _ => Some(below(&own)),
            };
            self.commands.push(Command { path, name });
        }
        self.around.push(real);
        for path in folders {
            let own = path.file_name().unwrap_or_default().to_string_lossy();
            is_whole &= self.find(&path, &below(&own), depth + 1, gathering);
        }
        self.around.pop();
        is_whole
    }
}
