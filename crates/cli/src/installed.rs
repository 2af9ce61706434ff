//! The tools of this machine, and whether one is newer than the one that its profile was compared with.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, thread};

use ctxpin_model::profile::Profile;
use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::say;

/// How long a tool may take to print its version. The scan itself takes less.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

/// The greatest number of bytes of the answer that are read.
const ANSWER_BYTES_MAX: u64 = 1_024;

/// A tool of this machine.
#[derive(Debug)]
pub struct Installed {
    program: PathBuf,
    version: [u64; 3],
}

/// The result of looking for a tool.
#[derive(Debug)]
pub enum Found {
    Installed(Installed),
    /// It did not say its version in time.
    Silent,
    /// There is none, or it says no version.
    Nothing,
}

impl Found {
    /// Returns the tool, if it said its version.
    pub fn installed(self) -> Option<Installed> {
        match self {
            Self::Installed(installed) => Some(installed),
            Self::Silent | Self::Nothing => None,
        }
    }
}

impl Installed {
    /// Returns the version, as `1.2.3`.
    pub fn version(&self) -> String {
        let [major, minor, patch] = self.version;
        format!("{major}.{minor}.{patch}")
    }
}

/// Returns a remark if the installed tool of a profile is newer than the one that the profile was compared with.
pub fn remark(profile: Profile, project: &Path) -> Option<String> {
    let compared = profile.compared_with()?;
    let installed = find(profile, project).installed()?;
    (installed.version > version(compared)?).then(|| {
        format!(
            "{} is version {}, and these rules were compared with {compared}: a newer one may give its model something \
             else",
            say::path(&installed.program),
            installed.version()
        )
    })
}

/// Finds the tool of a profile, and asks it for its version. Starts no program that lies in the project, because a
/// project is read and never run.
pub fn find(profile: Profile, project: &Path) -> Found {
    let name = match profile {
        Profile::Neutral => return Found::Nothing,
        Profile::ClaudeCode => "claude",
        Profile::Codex => "codex",
        Profile::Opencode => "opencode",
    };
    let directories = outside(project);
    let program = directories.iter().find_map(|directory| {
        let program = directory.join(name);
        let is_program = program.is_file() && access(&program, Access::EXEC_OK).is_ok();
        let is_inside = || {
            program
                .canonicalize()
                .is_ok_and(|real| real.starts_with(project))
        };
        (is_program && !is_inside()).then_some(program)
    });
    let Some(program) = program else {
        return Found::Nothing;
    };
    match answer(&program, &directories, ANSWER_TIME_MAX) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Found::Silent,
        answered => match answered.ok().and_then(|text| version(&text)) {
            Some(version) => Found::Installed(Installed { program, version }),
            None => Found::Nothing,
        },
    }
}

/// Returns the directories in which programs are looked for, without those of the project and without relative
/// ones.
fn outside(project: &Path) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).filter(|directory| directory.is_absolute());
    let is_outside = |directory: &PathBuf| {
        let real = fs::canonicalize(directory);
        real.is_ok_and(|real| !real.starts_with(project))
    };
    directories.filter(is_outside).collect()
}

/// Returns what a program prints about its version. Ends the program after the given time.
fn answer(program: &Path, directories: &[PathBuf], time_max: Duration) -> io::Result<String> {
    // A script finds its interpreter in the same directories.
    let path = env::join_paths(directories).unwrap_or_else(|_| OsString::new());
    let mut child = Command::new(program)
        .arg("--version")
        .env("PATH", path)
        // A tool reads the configuration of the directory in which it starts.
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let answer = read(&mut child, time_max);
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended already.
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.wait()?;
    answer.ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// Reads what a program prints, for at most the given time.
fn read(child: &mut Child, time_max: Duration) -> Option<String> {
    let output = child.stdout.take()?;
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
        // The receiver may have given up.
        let _ = sender.send(read.map(|_| bytes));
    });
    let bytes = receiver.recv_timeout(time_max).ok()?.ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the first version in a text: three numbers with dots between them.
fn version(text: &str) -> Option<[u64; 3]> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    let mut versions = words.filter_map(|word| {
        let mut numbers = word.split('.').map(str::parse);
        Some([
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
        ])
    });
    versions.next()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_first_version_counts() {
        for (text, expected) in [
            ("codex-cli 0.171.0\n", Some([0, 171, 0])),
            ("2.1.332 (Claude Code)", Some([2, 1, 332])),
            ("v1.18.33-beta.4", Some([1, 18, 33])),
            ("a 1.2, then 3.4.5", Some([3, 4, 5])),
            ("none", None),
            ("99999999999999999999.1.1", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
    }

    #[test]
    fn a_program_that_does_not_answer_is_ended_with_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("codex");
        fs::write(&program, "#!/bin/sh\nsleep 600 & sleep 600\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let directories = [PathBuf::from("/usr/bin"), PathBuf::from("/bin")];
        let answer = answer(&program, &directories, Duration::from_millis(10));
        assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
