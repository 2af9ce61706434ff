//! The hooks of tools: the commands that a tool runs when a session starts, gets a prompt or ends.

pub mod installation;
mod settings_text;

use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;

/// The tools that have hooks.
pub const TOOLS: &[Profile] = &[Profile::ClaudeCode, Profile::Codex];

/// The events that ctxpin is told of. Both tools name them so.
pub const EVENTS: [&str; 6] = [
    "SessionStart",
    "UserPromptSubmit",
    "SubagentStart",
    "SubagentStop",
    "Stop",
    "SessionEnd",
];

/// The seconds after which a tool goes on without a hook. The hook itself ends before.
pub const SECONDS_MAX: u64 = 2;

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

/// Returns the command that a tool runs, for a shell.
pub fn command(tool: Profile, program: &Path, options: &[(&str, &Path)]) -> String {
    let mut command = quoted(program) + words(tool).trim_end();
    for (option, value) in options {
        command += &format!(" {option} {}", quoted(value));
    }
    command
}

/// Returns the settings that hold nothing but the hooks with a command.
pub fn settings_of(command: &str) -> String {
    let edited = settings_text::insert("", &EVENTS, command, SECONDS_MAX);
    edited.map_or(String::new(), |edited| edited.text)
}

/// Returns whether a command is one of ctxpin's hooks, of whatever program and options.
fn is_ours(tool: Profile, command: &str) -> bool {
    command.contains(&words(tool))
}

/// Returns a path as one word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    match text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_word_for_each_path() {
        let data = Path::new("/home/o'b c/data");
        let command = command(
            Profile::Codex,
            Path::new("/opt/ctxpin"),
            &[("--data-dir", data)],
        );
        assert_eq!(
            command,
            r"/opt/ctxpin hook run codex --data-dir '/home/o'\''b c/data'"
        );
        assert!(is_ours(Profile::Codex, &command));
        assert!(!is_ours(Profile::ClaudeCode, &command));
    }
}
