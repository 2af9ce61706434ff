//! Styles. They are always written, and removed again if the output is not a terminal.

use anstyle::{AnsiColor, Style};

/// The style of headings.
pub const BOLD: Style = Style::new().bold();
/// The style of minor details.
pub const FAINT: Style = Style::new().dimmed();
/// The style of removed text.
pub const STRUCK: Style = AnsiColor::Red.on_default().strikethrough();
/// The style of a good state.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// The style of a state that needs a decision.
pub const WARNING: Style = AnsiColor::Yellow.on_default();
/// The style of an added line.
pub const ADDED: Style = AnsiColor::Green.on_default();
/// The style of a removed line.
pub const REMOVED: Style = AnsiColor::Red.on_default();
/// The style of the heading of a hunk.
pub const HUNK: Style = AnsiColor::Cyan.on_default();

/// Returns `text` in a style.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
