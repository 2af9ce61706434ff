//! `ctxpin up` in the background: this process starts another one, and waits until that one runs.

use std::env;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{Announcement, Place, Voice};
use crate::data_directory::DataDirectory;
use crate::say::{self, Failure, Progress};

/// Tells a process that another one started it, and reads what it announces.
const STARTED_FLAG: &str = "--started";

/// Starts this very command again, in the background, and waits until it runs.
///
/// # Errors
///
/// If it cannot be started, or ends before it runs.
pub async fn start() -> Result<(), Failure> {
    let data = DataDirectory::locate()?;
    data.create()?;
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(data.log_file())
        .map_err(|error| cannot(&error))?;
    let program = env::current_exe().map_err(|error| cannot(&error))?;
    // The flag stands behind the verb, where nothing else can be meant by it.
    let mut arguments = env::args_os().skip(1);
    let mut child = Command::new(program)
        .args(arguments.by_ref().take(1))
        .arg(STARTED_FLAG)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|error| cannot(&error))?;
    let output = child
        .stdout
        .take()
        .ok_or_else(|| Failure::new("the process in the background cannot be listened to"))?;
    let mut lines = BufReader::new(output).lines();
    let mut progress = Progress::new();
    progress.tell("starting");
    while let Some(line) = lines.next_line().await.map_err(|error| cannot(&error))? {
        match serde_json::from_str(&line) {
            Ok(Announcement::Waiting(text)) => progress.tell(&text),
            Ok(Announcement::Told(text)) => {
                drop(progress);
                say::note(&say::text(&text));
                progress = Progress::new();
            }
            Ok(Announcement::Ready(summary, is_elsewhere)) => {
                drop(progress);
                return summary.print(match is_elsewhere {
                    true => Place::Elsewhere,
                    false => Place::Background,
                });
            }
            Ok(Announcement::Failed(failure)) => return Err(failure),
            // Not one of ours: some library wrote it.
            Err(_) => {}
        }
    }
    drop(progress);
    match child.wait().await {
        Ok(status) if status.success() => Ok(()),
        _ => Err(
            Failure::new("the process in the background ended before it was ready")
                .hint(format!("its log is {}", say::path(&data.log_file()))),
        ),
    }
}

/// Leaves the terminal of the process that started this one.
pub fn leave() -> Voice {
    // It fails only where it was done already.
    let _ = rustix::process::setsid();
    Voice::Starter { listens: true }
}

fn cannot(error: &io::Error) -> Failure {
    Failure::new(format!(
        "ctxpin cannot be started in the background: {error}"
    ))
}
