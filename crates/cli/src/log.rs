//! What a server and an agent tell whoever operates them.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::setting::variable;

/// Chooses what is told, in the words of `tracing-subscriber`'s filters.
const LOG_VARIABLE: &str = "CTXPIN_LOG";

/// Begins to write the log to standard error. A filter that cannot be read is told and replaced.
pub fn start() {
    start_with("info");
}

/// The same, with the level of what is told where nothing else was chosen.
pub fn start_with(level: &str) {
    // A directory that is gone took its watch with it. `notify` warns of that; nothing is wrong.
    // That the tables are there already is news to nobody.
    let default = &format!("{level},notify=error,sqlx::postgres::notice=warn");
    let filter = match variable(LOG_VARIABLE) {
        Some(filter) => EnvFilter::try_new(filter.to_string_lossy()).unwrap_or_else(|error| {
            crate::say::note(&format!("{LOG_VARIABLE} cannot be read: {error}"));
            EnvFilter::new(default)
        }),
        None => EnvFilter::new(default),
    };
    // It fails only where a log was begun before, which then goes on.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .try_init();
}
