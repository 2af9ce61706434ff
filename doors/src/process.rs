//! Processes of tools, each in an environment of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::time::timeout;

/// How many characters of a tool's last words are shown.
const WORDS_MAX: usize = 300;

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
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the tool failed: {} {}",
        complaint.trim(),
        last_words(&printed)
    );
    Ok(printed)
}

/// Returns what a tool says in the last line that it prints, which may be JSON.
fn last_words(printed: &str) -> String {
    let last = printed.lines().last().unwrap_or_default();
    let line: Value = serde_json::from_str(last).unwrap_or_default();
    let members = ["/result", "/error/message", "/error/data/message"];
    let mut words = members
        .iter()
        .filter_map(|member| line.pointer(member)?.as_str());
    let words = words.next().unwrap_or(last);
    words.chars().take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tool_that_fails_is_quoted() {
        for (printed, words) in [
            (
                r#"{"is_error": true, "result": "Prompt is too long"}"#,
                "Prompt is too long",
            ),
            (
                r#"{"type": "turn.failed", "error": {"message": "No room"}}"#,
                "No room",
            ),
            ("Plain words", "Plain words"),
        ] {
            let mut command = Command::new("sh");
            command.args(["-c", "echo first; echo \"$0\"; exit 1", printed]);
            let error = answer(command, Duration::from_secs(60)).await.unwrap_err();
            assert_eq!(error.to_string(), format!("the tool failed:  {words}"));
        }
    }
}
