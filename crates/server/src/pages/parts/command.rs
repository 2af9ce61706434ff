//! Commands that do the same as a button, or that a person needs next.

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
    fill: Option<&'static str>,
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

    /// Lets the script put what the form holds into the command: `source=--source PATH` puts the value of each chosen
    /// field `source` into the place of the last word. Entries are separated by semicolons. Words that the command
    /// does not have are added to it, and a word that is no placeholder stays, as for a flag.
    pub fn filled(self, fill: &'static str) -> Self {
        let fill = Some(fill);
        Self { fill, ..self }
    }
}

impl HtmlSafe for Command {}
