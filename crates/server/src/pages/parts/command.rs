//! Commands that do the same as a button, or that a person needs next.

use std::fmt::Display;

use askama::Template;
use askama::filters::HtmlSafe;

/// The button beside an action that copies the action's command.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/command.html")]
pub(crate) struct Command {
    pub command: String,
    /// The label of the action.
    pub label: &'static str,
    /// What the fields of the form around the button add to the command.
    fill: Option<String>,
}

impl Command {
    /// Returns the button beside the action `label`.
    pub fn new(label: &'static str, command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            label,
            fill: None,
        }
    }

    /// Lets the script put what the form holds into the command: `source=--source=PATH` puts the value of each chosen
    /// field `source` into the place of `PATH`. Entries are separated by semicolons. Words that the command does not
    /// have are added to it, and words without a placeholder stay, as for a flag. Without a value, an option is left
    /// out, or the words in the field's `data-none` take its place. A whole command is repeated for each value, and
    /// `chat?waits=` takes only the boxes with `data-waits`.
    pub fn filled(self, fill: impl Into<String>) -> Self {
        let fill = Some(fill.into());
        Self { fill, ..self }
    }

    /// Returns the button beside an action on chosen chats. `verb` is what follows `ctxpin chat`. What decides about
    /// changes passes over chats that wait for none.
    pub fn of_chosen(label: &'static str, verb: &str) -> Self {
        let command = format!("ctxpin chat {verb} CHAT");
        let chats = match verb.split(' ').next() {
            Some("archive") => "chat",
            _ => "chat?waits",
        };
        let fill = format!("{chats}={command}");
        Self::new(label, command).filled(fill)
    }
}

impl HtmlSafe for Command {}

/// Returns the command that does to a chat what a form calls `verb`.
pub(crate) fn chat_command(verb: &str, chat: &str) -> String {
    match verb {
        "undecline" => format!("ctxpin chat decline --undo {chat}"),
        "unarchive" => format!("ctxpin chat archive --undo {chat}"),
        verb => format!("ctxpin chat {verb} {chat}"),
    }
}

/// Returns the command that moves a chat back to a snapshot, with the policy that it had there.
pub(crate) fn rollback_command(chat: &str, to: impl Display, policy: impl Display) -> String {
    format!("ctxpin chat rollback {to} --policy {policy} --chat {chat}")
}
