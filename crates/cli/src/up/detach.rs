//! `ctxpin up --detach`: this process starts another one in the background, and waits until the
//! other one is ready.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Stdio;

use ctxpin_private_files::file;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{Announcement, Place, Voice};
use crate::data_directory::{DataDirectory, unwritable};
use crate::owned::file_demand;
use crate::say::{self, Failure, Hint, Progress};

/// The option of a background process. The process that started it reads its announcements.
const STARTED_FLAG: &str = "--started";

/// Maximum size of the log when a process opens it, in bytes.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How many bytes stay of a longer log: those at its end.
const LOG_BYTES_KEPT: u64 = 1024 * 1024;

/// Starts this command again in the background, and waits until it is ready.
///
/// # Errors
///
/// Fails if the process cannot be started, or ends before it is ready.
pub async fn start() -> Result<(), Failure> {
    let data = DataDirectory::locate()?;
    data.create()?;
    file_demand(&data.log_file())?;
    let log = log_open(&data.log_file());
    let log = log.map_err(|error| unwritable(&data.log_file(), error))?;
    let program = env::current_exe().map_err(cannot)?;
    // The flag follows the verb, where it cannot be mistaken for a value.
    let mut arguments = env::args_os().skip(1);
    let mut child = Command::new(program)
        .args(arguments.by_ref().take(1))
        .arg(STARTED_FLAG)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(cannot)?;
    let output = child
        .stdout
        .take()
        .ok_or_else(|| Failure::new("cannot read what the process in the background prints"))?;
    let mut lines = BufReader::new(output).lines();
    let mut progress = Progress::new();
    progress.tell("starting");
    while let Some(line) = lines.next_line().await.map_err(cannot)? {
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
            // This line is not an announcement, but output of a library.
            Err(_) => {}
        }
    }
    drop(progress);
    match child.wait().await {
        Ok(status) if status.success() => Ok(()),
        _ => Err(
            Failure::new("the process in the background ended before it was ready").hint(
                Hint::say(format!("its log is {}", say::path(&data.log_file()))),
            ),
        ),
    }
}

/// Opens the log, and truncates a long log to its end.
fn log_open(path: &Path) -> io::Result<File> {
    let mut log = file::open(path, OpenOptions::new().read(true).append(true))?;
    let length = log.metadata()?.len();
    if length > LOG_BYTES_MAX {
        let mut end = Vec::new();
        log.seek(SeekFrom::Start(length - LOG_BYTES_KEPT))?;
        (&log).take(LOG_BYTES_KEPT).read_to_end(&mut end)?;
        let first_line = end.iter().position(|byte| *byte == b'\n');
        // Other processes append after what is kept.
        log.set_len(0)?;
        log.write_all(&end[first_line.map_or(0, |at| at + 1)..])?;
    }
    Ok(log)
}

/// Changes to the root directory, so that the directory of the caller can be unmounted.
pub fn leave_directory() {
    // If this fails, the process works in the old directory just as well.
    let _ = env::set_current_dir("/");
}

/// Detaches from the terminal of the starting process.
pub fn leave() -> Voice {
    // This fails only if the process is a session leader already.
    let _ = rustix::process::setsid();
    Voice::Starter { listens: true }
}

fn cannot(error: io::Error) -> Failure {
    Failure::new("cannot start ctxpin in the background").because(error)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn of_a_long_log_the_end_is_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("up.log");
        log_open(&path).unwrap().write_all(b"first\n").unwrap();
        log_open(&path).unwrap().write_all(b"second\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\nsecond\n");
        let line = format!("{}\n", "x".repeat(99));
        let long = line.repeat(usize::try_from(LOG_BYTES_MAX).unwrap() / line.len() + 1);
        fs::write(&path, &long).unwrap();
        let mut writing_before = OpenOptions::new().append(true).open(&path).unwrap();
        let mut log = log_open(&path).unwrap();
        writing_before.write_all(b"before\n").unwrap();
        log.write_all(b"now\n").unwrap();
        let kept = fs::read_to_string(&path).unwrap();
        assert!(kept.len() as u64 <= LOG_BYTES_KEPT + 11, "{}", kept.len());
        assert!(kept.starts_with(&line) && kept.ends_with("x\nbefore\nnow\n"));
    }
}
