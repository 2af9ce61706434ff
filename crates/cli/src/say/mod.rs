//! Output for people: texts, tables, colours, times and failures.
//!
//! Results go to standard output, and notes about them to standard error. Colours and progress are for
//! terminals; output to a file or a pipe is plain.

mod clean;
mod count;
mod failure;
mod hint;
mod holdings;
mod progress;
mod quota;
mod short;
mod style;
mod table;
mod time;
mod viewpoint;
mod wait;
mod warning;

pub use clean::{json, line, path, text};
pub use count::counted;
pub use failure::Failure;
pub use hint::{Hint, NextCommand, Setting};
pub use holdings::{holdings, removed, removed_bytes};
pub use progress::Progress;
pub use quota::{amount, quota_warning};
pub use short::{DIGITS_MIN, ends_with, hash, hash_starts_with, id};
pub use style::{ADDED, BOLD, FAINT, GOOD, HUNK, REMOVED, STRUCK, WARNING, paint};
pub use table::Table;
pub use time::{ago, date, now, since, size, stamp};
pub use viewpoint::Viewpoint;
pub use wait::{TOLD_AFTER, waited};
pub use warning::{noted, together as warnings, warning};

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use serde::Serialize;

/// Prints text for people to standard output, with control characters escaped. A closed pipe, such as one
/// to `head`, is not an error.
///
/// # Errors
///
/// Fails if the output cannot be written, as to a full disk.
pub fn print(text: &str) -> Result<(), Failure> {
    stream(text).map(drop)
}

/// Prints text as [`print`] does. Breaks if the pipe is closed, so that a command that goes on printing ends with its
/// reader.
///
/// # Errors
///
/// Fails if the output cannot be written.
pub fn stream(text: &str) -> Result<ControlFlow<()>, Failure> {
    let mut out = anstream::stdout().lock();
    let text = clean::painted(text);
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        result => written(result).map(ControlFlow::Continue),
    }
}

/// Writes bytes to standard output as they are, or to a terminal as text with control characters escaped.
///
/// # Errors
///
/// Fails if they cannot be written.
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    if is_terminal() {
        return print(&text(&String::from_utf8_lossy(bytes)));
    }
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Prints a value of the API as JSON to standard output, with control characters and invisible characters as JSON
/// escapes.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn print_json(shape: &impl Serialize) -> Result<(), Failure> {
    let mut json = serde_json::to_string_pretty(shape)
        .map_err(|error| Failure::new("the result cannot be written as JSON").because(error))?;
    json.push('\n');
    print_bytes(clean::json(&json).as_bytes())
}

/// Prints a note to standard error. If that fails, it is ignored.
pub fn note(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{}{}", progress::erasure(), clean::painted(text));
}

/// Prints a question to standard error, and stays on its line. If that fails, it is ignored.
pub fn ask(question: &str) {
    let mut err = anstream::stderr().lock();
    let _ = write!(err, "{question}").and_then(|()| err.flush());
}

/// Prints a hint to standard error.
pub fn hint(text: &str) {
    let label = anstyle::AnsiColor::Cyan.on_default().bold();
    note(&format!("{} {}", paint(label, "hint:"), line(text)));
}

/// Returns whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Returns whether standard output shows colours.
pub fn has_colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new("the output cannot be written").because(error))
        }
        _ => Ok(()),
    }
}
