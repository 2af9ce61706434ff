//! The condition that the first scan waits for, so that no chat is pinned to a workspace that is only half
//! set up.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// The pause between two checks for a file.
const FILE_INTERVAL: Duration = Duration::from_millis(200);

/// The pause after a command's first failure. It doubles with each further one.
const COMMAND_PAUSE_MIN: Duration = Duration::from_millis(200);

/// Longest pause between two runs of a command.
const COMMAND_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The prefix of ctxpin's environment variables. They may hold tokens and passwords, which a ready command
/// does not need.
const VARIABLE_PREFIX: &[u8] = b"CTXPIN_";

/// The ctxpin variables that hold no secret. A command may need them to call `ctxpin` itself.
const VARIABLES_KEPT: [&str; 3] = ["CTXPIN_DATA_DIR", "CTXPIN_CHAT", "CTXPIN_LOG"];

/// The condition for a workspace to be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Something exists at this path.
    File(PathBuf),
    /// This command, which `sh -c` runs in the workspace, succeeds. It may take any time.
    Command(String),
}

/// Waits until a workspace is ready. Calls `not_ready` with the reason at the start, and whenever the
/// reason changes. Dropping the future kills a running command and its children.
pub(crate) async fn wait(
    readiness: &Readiness,
    directory: &Path,
    mut not_ready: impl FnMut(String),
) {
    let mut last_reason = None;
    let mut pause = match readiness {
        Readiness::File(_) => FILE_INTERVAL,
        Readiness::Command(_) => COMMAND_PAUSE_MIN,
    };
    if let Readiness::Command(_) = readiness {
        // The command may run for long, and the user should know what the agent waits for.
        not_ready("the ready command runs".to_owned());
    }
    while let Err(reason) = attempt(readiness, directory).await {
        if last_reason.as_ref() != Some(&reason) {
            not_ready(reason.clone());
            last_reason = Some(reason);
        }
        tokio::time::sleep(pause).await;
        if let Readiness::Command(_) = readiness {
            pause = (pause * 2).min(COMMAND_PAUSE_MAX);
        }
    }
}

/// Checks once whether a workspace is ready. The error says why it is not.
async fn attempt(readiness: &Readiness, directory: &Path) -> Result<(), String> {
    match readiness {
        Readiness::File(path) => {
            let path = directory.join(path);
            match tokio::fs::metadata(&path).await {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("waiting for {}: {error}", path.display())),
            }
        }
        Readiness::Command(command) => {
            let ran = run(command, directory).await;
            let status = ran.map_err(|error| format!("the ready command cannot run: {error}"))?;
            match status.success() {
                true => Ok(()),
                false => Err(format!("the ready command failed ({status})")),
            }
        }
    }
}

async fn run(command: &str, directory: &Path) -> std::io::Result<std::process::ExitStatus> {
    let names = std::env::vars_os().map(|(name, _)| name);
    let mut shell = Command::new("sh");
    for name in names.filter(|name| may_be_secret(name)) {
        shell.env_remove(name);
    }
    let child = shell
        .arg("-c")
        .arg(command)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let mut group = ProcessGroup(child);
    group.0.wait().await
}

/// Returns whether a variable may hold a secret of ctxpin. Unlisted variables of ctxpin count as secret.
fn may_be_secret(name: &OsStr) -> bool {
    let is_ours = name.as_bytes().starts_with(VARIABLE_PREFIX);
    is_ours && !VARIABLES_KEPT.iter().any(|kept| name == *kept)
}

/// A child process that leads a process group. Dropping this kills the group.
struct ProcessGroup(Child);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // Until the child has been waited for, no other process gets its id. Afterwards there is no id, and
        // processes that the child left running on purpose continue.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            // An error says that the group has ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_22_what_may_be_a_secret_is_kept_from_a_command() {
        for name in [
            "CTXPIN_TOKEN",
            "CTXPIN_DATABASE",
            "CTXPIN_SERVER",
            "CTXPIN_NEW",
        ] {
            assert!(may_be_secret(OsStr::new(name)), "{name}");
        }
        for name in [
            "PATH",
            "CTXPIN_DATA_DIR",
            "CTXPIN_CHAT",
            "MY_CTXPIN_TOKEN",
            "",
        ] {
            assert!(!may_be_secret(OsStr::new(name)), "{name}");
        }
    }
}
