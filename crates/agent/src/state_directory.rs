//! The directory in which one agent keeps what survives it, and where it is reached. Nobody else
//! may enter it, and one agent at a time holds it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

use crate::error::AgentError;

/// The file that the running agent has locked. The system unlocks it when the process ends, in
/// whatever way.
const LOCK_NAME: &str = "agent.lock";

/// A state directory that this process holds until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _lock: File,
}

/// Makes the directory if it is not there, and takes hold of it.
pub(crate) fn hold(directory: &Path) -> Result<Held, AgentError> {
    let failed = |error: io::Error| AgentError::state(directory, &error);
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(directory).map_err(failed)?;
    let metadata = fs::metadata(directory).map_err(failed)?;
    if let Some(reason) = unfit(metadata.uid(), metadata.mode(), geteuid().as_raw()) {
        return Err(AgentError::State {
            path: directory.to_owned(),
            reason,
        });
    }
    let path = directory.join(LOCK_NAME);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let lock = options.open(&path);
    let lock = lock.map_err(|error| AgentError::state(&path, &error))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Held { _lock: lock }),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(AgentError::AlreadyRuns { lock: path }),
        Err(error) => Err(AgentError::state(&path, &error.into())),
    }
}

/// Why a directory of that owner and mode is not for an agent of the user `own`.
fn unfit(owner: u32, mode: u32, own: u32) -> Option<String> {
    if owner != own {
        let remedy = match owner {
            0 => format!("; if sudo made it, `sudo chown -R {own}` makes it yours"),
            _ => String::new(),
        };
        return Some(format!(
            "it belongs to the user {owner}, and the agent runs as {own}{remedy}"
        ));
    }
    if mode & 0o077 != 0 {
        let mode = mode & 0o777;
        return Some(format!(
            "others may enter it (mode {mode:o}), so it is no place for the agent's state; use another directory, or `chmod 700` it"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_for_its_owner_alone() {
        assert_eq!(unfit(7, 0o40_700, 7), None);
        assert_eq!(unfit(7, 0o40_500, 7), None);
        for (owner, mode) in [(8, 0o40_700), (7, 0o40_701), (7, 0o40_750), (7, 0o41_777)] {
            assert!(unfit(owner, mode, 7).is_some(), "{owner} {mode:o}");
        }
    }

    #[test]
    fn one_agent_at_a_time() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("a/b");
        let held = hold(&directory).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        let error = hold(&directory).unwrap_err();
        assert!(matches!(error, AgentError::AlreadyRuns { .. }), "{error}");
        drop(held);
        hold(&directory).unwrap();
    }
}
