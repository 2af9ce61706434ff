//! Running other programs: to the end with their output shown, or for the text that they print.

use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
pub use ctxpin_cluster::command::{line, output_of};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::interrupt::Interrupt;

/// Returns a command for the cargo that started this program, in `directory`. It uses the toolchain that
/// the caller chose.
///
/// The command lacks the variables that `cargo run` sets for this package. Build scripts that read them
/// (ring's) would see other values than in a call by hand, and cargo would rebuild everything above them
/// each time.
pub fn cargo(directory: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(directory);
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&variable);
        }
    }
    command
}

/// Runs a command with its output shown, in a process group of its own that a signal to us ends.
/// True if it succeeded.
pub fn run_shown(command: &mut Command, interrupt: &Interrupt) -> anyhow::Result<bool> {
    let name = line(command);
    finish(spawn(command)?, interrupt).with_context(|| format!("waiting for `{name}`"))
}

/// Runs a command like [`run_shown`], and passes on each line of its standard output.
pub fn run_heard(
    command: &mut Command,
    interrupt: &Interrupt,
    hear: impl FnMut(&str),
) -> anyhow::Result<bool> {
    command.stdout(Stdio::piped());
    listen(command, interrupt, |child| child.stdout.take(), hear)
}

/// Runs a command like [`run_heard`], and passes on each line of its standard error.
pub fn run_overheard(
    command: &mut Command,
    interrupt: &Interrupt,
    hear: impl FnMut(&str),
) -> anyhow::Result<bool> {
    command.stderr(Stdio::piped());
    listen(command, interrupt, |child| child.stderr.take(), hear)
}

/// How long what a command started may hold its output after the command itself has ended. Without a
/// limit, one forgotten process would keep us waiting for the end of the output for ever.
const LEFT_TIME_MAX: Duration = Duration::from_secs(10);

/// Runs a command, one of whose outputs is piped to us, and hands on each line of it.
///
/// Fails if a process that the command started still holds the output [`LEFT_TIME_MAX`] after the
/// command has ended. It is killed.
fn listen<R: io::Read>(
    command: &mut Command,
    interrupt: &Interrupt,
    piped: impl FnOnce(&mut Child) -> Option<R>,
    hear: impl FnMut(&str),
) -> anyhow::Result<bool> {
    let name = line(command);
    let mut child = spawn(command)?;
    interrupt.watch_over(process(&child));
    let group = process(&child);
    let output = piped(&mut child).context("its output was piped")?;
    let (read, all_read) = mpsc::channel::<()>();
    let (heard, passed, left) = thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let passed = finish(child, interrupt);
            // The sender is dropped, so that nothing comes, when all output is read.
            let left = all_read.recv_timeout(LEFT_TIME_MAX) == Err(RecvTimeoutError::Timeout);
            if left && let Some(group) = group {
                // It may have ended by itself just now.
                kill_process_group(group, Signal::KILL).ok();
            }
            (passed, left)
        });
        let heard = each_line(output, hear);
        drop(read);
        let (passed, left) = waiting.join().expect("waiting does not panic");
        (heard, passed, left)
    });
    heard.with_context(|| format!("listening to `{name}`"))?;
    ensure!(
        !left,
        "`{name}` has left a process running that held its output, which is killed now"
    );
    passed.with_context(|| format!("waiting for `{name}`"))
}

fn each_line(output: impl io::Read, mut hear: impl FnMut(&str)) -> io::Result<()> {
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        hear(&line);
    }
    Ok(())
}

/// Builds packages of the workspace at `root` as they are released, and returns the directory of their
/// programs.
///
/// # Errors
///
/// Fails if the packages do not build.
pub fn build_released(
    root: &Path,
    packages: &[&str],
    interrupt: &Interrupt,
) -> anyhow::Result<PathBuf> {
    let mut build = cargo(root);
    build.args(["build", "--release"]);
    for package in packages {
        build.args(["-p", package]);
    }
    ensure!(
        run_shown(&mut build, interrupt)?,
        "the program does not build"
    );
    Ok(target_directory()?.join("release"))
}

/// Returns the directory in which cargo builds. It is the parent of the profile's directory, which holds
/// this program.
pub fn target_directory() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let target = own.parent().and_then(Path::parent);
    target
        .map(Path::to_path_buf)
        .context("this program lies in no directory of cargo's")
}

fn spawn(command: &mut Command) -> anyhow::Result<Child> {
    let name = line(command);
    let command = command.stdin(Stdio::null()).process_group(0);
    command
        .spawn()
        .with_context(|| format!("starting `{name}`"))
}

fn process(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn finish(mut child: Child, interrupt: &Interrupt) -> io::Result<bool> {
    interrupt.watch_over(process(&child));
    let status = child.wait();
    interrupt.watch_over(None);
    Ok(status?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_tells_whether_it_succeeded() {
        let interrupt = Interrupt::default();
        let run = |script| run_shown(Command::new("sh").args(["-c", script]), &interrupt);
        assert!(run("exit 0").expect("it runs"));
        assert!(!run("exit 1").expect("it runs"));
    }

    #[test]
    fn a_command_is_heard_line_by_line() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; exit 1"]);
        let hear = |line: &str| lines.push(line.to_owned());
        let passed = run_heard(&mut command, &Interrupt::default(), hear);
        assert!(!passed.expect("it runs"));
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_command_that_complains_is_heard_too() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2"]);
        let hear = |line: &str| lines.push(line.to_owned());
        let passed = run_overheard(&mut command, &Interrupt::default(), hear);
        assert!(passed.expect("it runs"));
        assert_eq!(lines, ["two"]);
    }

    #[test]
    fn what_a_command_forgets_is_killed_and_told() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo one"]);
        let hear = |line: &str| lines.push(line.to_owned());
        let failure = run_heard(&mut command, &Interrupt::default(), hear).unwrap_err();
        assert!(
            failure.to_string().contains("has left a process running"),
            "{failure:#}"
        );
        assert_eq!(lines, ["one"]);
    }

    #[test]
    fn an_interruption_ends_the_command_and_what_it_started() {
        let interrupt = Interrupt::default();
        interrupt.interrupt();
        // The shell waits for its child, which holds no terminal and would stay for a minute.
        let script = "sleep 60 & wait";
        let passed = run_shown(Command::new("sh").args(["-c", script]), &interrupt);
        assert!(!passed.expect("it runs"));
        assert!(interrupt.happened());
    }
}
