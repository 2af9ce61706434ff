//! What the first scan waits for, so that no half-started workspace is pinned.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// How often a file is looked for.
const FILE_INTERVAL: Duration = Duration::from_millis(200);

/// The pause after a command's first failure. It doubles with each.
const COMMAND_PAUSE_MIN: Duration = Duration::from_millis(200);

/// Longest pause between two runs of a command.
const COMMAND_PAUSE_MAX: Duration = Duration::from_secs(5);

/// How the environment variables begin that are for ctxpin. They may hold tokens and passwords, which no
/// command of others needs.
const VARIABLE_PREFIX: &[u8] = b"CTXPIN_";

/// Those of them that hold no secret, and that a command may need to call `ctxpin` in its turn.
const VARIABLES_KEPT: [&str; 3] = ["CTXPIN_DATA_DIR", "CTXPIN_CHAT", "CTXPIN_LOG"];

/// When a workspace is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// When this file, or anything else of that path, exists.
    File(PathBuf),
    /// When this command, given to `sh -c` in the workspace, succeeds. It may take its time.
    Command(String),
}

/// Waits until a workspace is ready. `tell` is given the reason why it is not, at the beginning and
/// whenever that changes. When dropped, it ends a command under way with its children.
pub(crate) async fn wait(readiness: &Readiness, directory: &Path, mut tell: impl FnMut(String)) {
    let mut told = None;
    let mut pause = match readiness {
        Readiness::File(_) => FILE_INTERVAL,
        Readiness::Command(_) => COMMAND_PAUSE_MIN,
    };
    if let Readiness::Command(_) = readiness {
        // It may run for long, and whoever watches should know what is waited for.
        tell("the ready command runs".to_owned());
    }
    while let Err(reason) = attempt(readiness, directory).await {
        if told.as_ref() != Some(&reason) {
            tell(reason.clone());
            told = Some(reason);
        }
        tokio::time::sleep(pause).await;
        if let Readiness::Command(_) = readiness {
            pause = (pause * 2).min(COMMAND_PAUSE_MAX);
        }
    }
}

/// Whether a workspace is ready now, and if not, why.
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
    for name in names.filter(|name| is_kept_from_others(name)) {
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
    let mut group = Group(child);
    group.0.wait().await
}

/// Whether a variable may hold a secret of ours: a new one does until it is known not to.
fn is_kept_from_others(name: &OsStr) -> bool {
    let is_ours = name.as_bytes().starts_with(VARIABLE_PREFIX);
    is_ours && !VARIABLES_KEPT.iter().any(|kept| name == *kept)
}

/// A child that is the first of a process group of its own.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // While the child was not waited for, its number belongs to nobody else. Afterwards there
        // is no number here, and what it left running on purpose goes on.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            // An error says that there is none any more.
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
            assert!(is_kept_from_others(OsStr::new(name)), "{name}");
        }
        for name in [
            "PATH",
            "CTXPIN_DATA_DIR",
            "CTXPIN_CHAT",
            "MY_CTXPIN_TOKEN",
            "",
        ] {
            assert!(!is_kept_from_others(OsStr::new(name)), "{name}");
        }
    }
}
