//! Which texts of Claude Code's transcript are of a skill that is used, and which are of a command.
//!
//! The text of a used skill begins with the skill's directory, and that of a command in `.claude/commands` can begin so too. The
//! transcript has both in the same form, but it says by which name a text is used: in the result of the tool, in the
//! person's prompt, or beside the text. A command has another name than the skill that it imitates, because of two with one
//! name Claude Code uses the skill.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::frame::skill_file;
use crate::hashed::Hashed;
use crate::known::Known;
use crate::record::transcript::{Named, Row, SKILL, Used};

/// How many names are known of what is used, the newest ones. The text follows soon.
const NAMES_MAX: usize = 64;

/// The folder of a directory's skills.
const FOLDER: &str = "/.claude/skills";

/// The names of what is used, by the ids of the lines that say them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Names(VecDeque<(String, Name)>);

/// A name, without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Name {
    hashed: Hashed,
    /// The number of the name, if lists have skills by it.
    number: Option<usize>,
}

impl Names {
    /// Notes what a line says to be used. Returns whether its text can be that of a skill, as far as its name is known.
    pub fn is_skill(&mut self, known: &Known, row: &Row) -> bool {
        if let Some(Named { id, name }) = &row.named {
            self.0.push_back((id.clone(), Name::of(known, name)));
            let surplus = self.0.len().saturating_sub(NAMES_MAX);
            self.0.drain(..surplus);
        }
        let used_as = row.used_as.as_ref().filter(|_| row.is_skill);
        let mut names = self.0.iter().rev();
        let name = used_as.and_then(|used_as| names.find(|(id, _)| id == used_as));
        let Some((_, name)) = name else {
            return true;
        };
        let mut texts = row
            .content
            .iter()
            .filter_map(|block| block["text"].as_str());
        texts.all(|text| !text.starts_with(SKILL) || name.is_of(known, text))
    }
}

impl Name {
    fn of(known: &Known, name: &str) -> Self {
        Self {
            hashed: Hashed::of(known.polynomial(), name),
            number: known.name(name),
        }
    }

    /// Returns whether the text of a skill is used by this name: that of its directory, or the one that lists have it by.
    fn is_of(&self, known: &Known, text: &str) -> bool {
        let Some(rest) = text.strip_prefix(SKILL) else {
            return false;
        };
        let directory = rest.split('\n').next().unwrap_or_default();
        let directory = directory.trim_end_matches('/');
        let file = skill_file(directory);
        let name = self.number.and_then(|number| known.names.get(number));
        let mut owners = name.into_iter().flat_map(|name| &name.owners);
        self.is_of_directory(known, directory)
            || owners.any(|owner| known.resource(*owner).source == file)
    }

    /// Returns whether it is the name of a skill's directory. The directory below which the skill counts may stand before it.
    fn is_of_directory(&self, known: &Known, directory: &str) -> bool {
        let is_name = |name: &str| Hashed::of(known.polynomial(), name) == self.hashed;
        let Some((folder, own)) = directory.rsplit_once('/') else {
            return false;
        };
        let below = folder.strip_suffix(FOLDER).and_then(|below| {
            let length = self.hashed.length.checked_sub(own.len() + 1)?;
            let (above, below) = below.split_at_checked(below.len().checked_sub(length)?)?;
            let is_whole = !below.is_empty() && (above.is_empty() || above.ends_with('/'));
            is_whole.then_some(below)
        });
        is_name(own) || below.is_some_and(|below| is_name(&format!("{below}:{own}")))
    }
}

/// Returns where the texts of commands stand in a text of the client with what was used. Returns `None` if nobody can tell.
pub fn commands_in(known: &Known, text: &str, used: &[Used]) -> Option<Vec<(usize, usize)>> {
    let is_command = |used: &Used| !Name::of(known, &used.name).is_of(known, &used.text);
    let are_commands: Vec<_> = used.iter().map(is_command).collect();
    let mut places = Vec::new();
    if !are_commands.contains(&true) {
        return Some(places);
    }
    let mut from = 0;
    for (used, is_command) in used.iter().zip(are_commands) {
        let begin = from + text[from..].find(used.text.trim())?;
        from = begin + used.text.trim().len();
        if is_command {
            places.push((begin, from));
        }
    }
    Some(places)
}
