//! Processes of tools, each in an environment of its own.

use std::fs;
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

/// Ends the processes whose programs lie below a directory. Codex 0.171.0 leaves one that keeps its server up to date.
pub fn end_below(directory: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        // What has ended since, or is another user's, has no program that can be read.
        let program = fs::read_link(entry.path().join("exe")).unwrap_or_default();
        if program.starts_with(directory) {
            // It may have ended.
            Command::new("kill").arg(entry.file_name()).status()?;
        }
    }
    Ok(())
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

    #[test]
    fn a_program_below_a_directory_is_ended() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().canonicalize().unwrap().join("program");
        fs::copy("/bin/sleep", &program).unwrap();
        let mut child = Command::new(&program).arg("60").spawn().unwrap();
        end_below(program.parent().unwrap()).unwrap();
        assert!(!child.wait().unwrap().success());
    }

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
