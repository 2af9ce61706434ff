//! The log of a server and of an agent.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::setting::variable;

/// The variable with the log filter, in the syntax of `tracing-subscriber`.
const LOG_VARIABLE: &str = "CTXPIN_LOG";

/// Starts the log on standard error with the default level `info`. An invalid filter is reported
/// and replaced by the default.
pub fn start() {
    start_with("info");
}

/// Starts the log on standard error with a default level.
pub fn start_with(level: &str) {
    // `notify` warns when a watch ended with its directory, which is normal. PostgreSQL notices
    // that tables exist already, which is normal too.
    let default = &format!("{level},notify=error,sqlx::postgres::notice=warn");
    let filter = match variable(LOG_VARIABLE) {
        Some(filter) => EnvFilter::try_new(filter.to_string_lossy()).unwrap_or_else(|error| {
            crate::say::note(&format!("{LOG_VARIABLE} cannot be read: {error}"));
            EnvFilter::new(default)
        }),
        None => EnvFilter::new(default),
    };
    // This fails only if a log was started before. That log continues.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        // Its complaint about a log that cannot be written, such as on a full disk, goes to standard error too, and ends the
        // program if that fails.
        .log_internal_errors(false)
        .try_init();
}
