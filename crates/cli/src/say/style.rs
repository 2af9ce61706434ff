//! Colours. They are written always and taken out again where nobody sees them.

use anstyle::{AnsiColor, Style};

/// What matters most in a text.
pub const BOLD: Style = Style::new().bold();
/// What is there for completeness.
pub const FAINT: Style = Style::new().dimmed();
/// What was taken out of a text.
pub const STRUCK: Style = AnsiColor::Red.on_default().strikethrough();
/// All is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Something waits for a decision.
pub const WARNING: Style = AnsiColor::Yellow.on_default();
/// A line that a diff adds.
pub const ADDED: Style = AnsiColor::Green.on_default();
/// A line that a diff takes away.
pub const REMOVED: Style = AnsiColor::Red.on_default();
/// Where a part of a diff begins.
pub const HUNK: Style = AnsiColor::Cyan.on_default();

/// `text` in a style.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
