//! Commands that do the same as a button, or that a person needs next.

use askama::Template;
use askama::filters::HtmlSafe;

/// The button "…" beside an action, which copies the action's command.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/command.html")]
pub(crate) struct Command {
    pub command: String,
    /// The label of the action.
    pub label: &'static str,
}

impl Command {
    /// Returns the button beside the action `label`.
    pub fn new(label: &'static str, command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            label,
        }
    }
}

impl HtmlSafe for Command {}
