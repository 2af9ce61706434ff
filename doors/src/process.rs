//! Processes of tools, each in an environment of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::timeout;

/// Returns a command with no environment but a usual path, this home and a language.
pub fn clean(program: &Path, working: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(working)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home)
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

/// Runs a tool, and returns what it prints.
///
/// # Errors
///
/// Fails if the tool fails, or does not end in time. It is ended then.
pub async fn answer(command: Command, time_max: Duration) -> anyhow::Result<String> {
    let mut command = tokio::process::Command::from(command);
    let output = timeout(time_max, command.kill_on_drop(true).output()).await;
    let output = output.context("the tool did not end")??;
    let last_words = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the tool failed: {}",
        last_words.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
