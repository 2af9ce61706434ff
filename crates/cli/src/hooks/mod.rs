//! The hooks of tools: the commands that a tool runs when a session starts, gets a prompt or ends. opencode runs them by
//! a plugin.

pub mod installation;
pub mod plugin_file;
pub mod program;
mod settings_file;
mod settings_text;
pub mod switches;
pub mod trust;

use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;

use crate::data_directory::DataDirectory;

/// The tools that have hooks.
pub const TOOLS: &[Profile] = &[Profile::ClaudeCode, Profile::Codex, Profile::Opencode];

/// The events that ctxpin is told of. Claude Code and Codex name them so.
pub const EVENTS: [&str; 6] = [
    "SessionStart",
    "UserPromptSubmit",
    "SubagentStart",
    "SubagentStop",
    "Stop",
    "SessionEnd",
];

/// Returns the seconds after which a tool goes on without the hook of an event. The hook itself ends 2 s after it has
/// begun, which on a busy machine is later than the tool has started it.
pub fn seconds_max(event: &str) -> u64 {
    match event {
        // Codex gives no more, and asks the person to review a hook that wants more.
        "SessionEnd" => 3,
        _ => 5,
    }
}

/// Returns the file in which a tool looks for hooks, in the home of its settings.
pub fn settings_file(tool: Profile, home: &Path) -> PathBuf {
    match tool {
        Profile::Codex => home.join("hooks.json"),
        Profile::Neutral | Profile::ClaudeCode | Profile::Opencode => home.join("settings.json"),
    }
}

/// Returns the beginning of what follows the program in a command of ctxpin's hooks.
fn words(tool: Profile) -> String {
    format!(" hook run {tool} ")
}

/// The command by which a tool tells ctxpin of its sessions.
#[derive(Debug)]
pub struct HookCommand {
    pub tool: Profile,
    /// The absolute path of the program.
    pub program: PathBuf,
    pub options: Vec<(&'static str, PathBuf)>,
}

impl HookCommand {
    /// Returns the command as a line for a shell.
    pub fn line(&self) -> String {
        line(&self.words())
    }

    /// Returns the program and its arguments.
    pub fn words(&self) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut words = vec![text(&self.program)];
        words.extend(self::words(self.tool).split_whitespace().map(str::to_owned));
        for (option, value) in &self.options {
            words.extend([(*option).to_owned(), text(value)]);
        }
        words
    }
}

/// Returns the words of a command as a line for a shell.
pub fn line(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// Returns the settings that hold nothing but the hooks with a command.
pub fn settings_of(command: &str) -> String {
    let edited = settings_text::insert("", &EVENTS, command, seconds_max);
    edited.map_or(String::new(), |edited| edited.text)
}

/// Returns whether a command is one of ctxpin's hooks, of whatever program and options.
fn is_ours(tool: Profile, command: &str) -> bool {
    command.contains(&words(tool))
}

/// Returns whether a character means itself in a shell.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/._-+:@%".contains(c)
}

/// Returns where other data directories note what `note` is for here: those to which these commands of hooks belong.
fn other_notes<'c>(
    tool: Profile,
    commands: impl IntoIterator<Item = &'c str>,
    note: &Path,
) -> Vec<PathBuf> {
    let own = note.parent().unwrap_or(Path::new("/"));
    let name = note.file_name().unwrap_or_default();
    let others = commands.into_iter().filter_map(|command| {
        let data = program::Named::of(tool, command)?.data?;
        let hooks = data.join("hooks");
        let is_other = hooks != own && !program::is_same(&hooks, own);
        let other = is_other.then(|| DataDirectory::named(&data).ok());
        Some(other??.hooks().join(name))
    });
    let mut others: Vec<_> = others.collect();
    others.dedup();
    others
}

/// Returns a text as one word of a shell.
fn quoted(text: &str) -> String {
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_word_for_each_path() {
        let command = HookCommand {
            tool: Profile::Codex,
            program: PathBuf::from("/opt/ctxpin"),
            options: vec![("--data-dir", PathBuf::from("/home/o'b c/data"))],
        };
        let command = command.line();
        assert_eq!(
            command,
            r"/opt/ctxpin hook run codex --data-dir '/home/o'\''b c/data'"
        );
        assert!(is_ours(Profile::Codex, &command));
        assert!(!is_ours(Profile::ClaudeCode, &command));
    }
}
