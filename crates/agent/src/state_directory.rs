//! The state directory of one agent, with its files and its control socket. Only the user may enter it, and
//! one agent at a time holds it.

use std::fs::Metadata;
use std::io;
use std::path::Path;

use ctxpin_private_files::exposure::Demand;
use ctxpin_private_files::lock::Lock;
use ctxpin_private_files::remedy::with_remedy;
use ctxpin_private_files::{directory, file};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::AgentError;

/// The file that the running agent has locked.
const LOCK_NAME: &str = "agent.lock";

/// Longest configuration or list, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Creates the directory if it is missing, and takes its lock, which this process holds until the lock is dropped.
pub(crate) fn hold(directory: &Path) -> Result<Lock, AgentError> {
    directory::open(directory, Demand::nobody_else_enters())
        .map_err(|error| AgentError::state(directory, &error))?;
    let path = directory.join(LOCK_NAME);
    match Lock::take(&path) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(AgentError::AlreadyRuns { lock: path }),
        Err(error) => Err(AgentError::state(&path, &error)),
    }
}

/// Reads a file and its metadata. Returns `None` if it does not exist.
pub(crate) fn read(path: &Path) -> Result<Option<(Vec<u8>, Metadata)>, AgentError> {
    match file::read(path, FILE_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read
            .map(Some)
            .map_err(|error| AgentError::state(path, &error)),
    }
}

/// What a list of the state directory holds, for the error that it cannot be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListKind {
    pub what: &'static str,
    /// What the user can do about one that is corrupt.
    pub remedy: &'static str,
}

impl ListKind {
    /// Returns the error that the list at a path is corrupt.
    pub fn corrupt(self, path: &Path, reason: String) -> AgentError {
        AgentError::Corrupt {
            path: path.to_owned(),
            what: self.what,
            reason,
            remedy: self.remedy,
        }
    }

    /// Reads the list at a path. A missing file is the empty list.
    pub fn read<T: DeserializeOwned + Default>(self, path: &Path) -> Result<T, AgentError> {
        let Some((bytes, _)) = read(path)? else {
            return Ok(T::default());
        };
        serde_json::from_slice(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            self.corrupt(path, format!("at line {line} column {column}"))
        })
    }
}

/// Replaces the list at a path in one step.
pub(crate) fn replace_list(path: &Path, list: &impl Serialize) -> Result<(), String> {
    let json = serde_json::to_vec_pretty(list).map_err(|error| error.to_string())?;
    file::replace(path, &json).map_err(|error| {
        format!(
            "{} cannot be written: {}",
            path.display(),
            with_remedy(&error)
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_is_for_its_owner_alone() {
        let base = tempfile::tempdir().unwrap();
        fs::set_permissions(base.path(), Permissions::from_mode(0o750)).unwrap();
        let error = hold(base.path()).unwrap_err().to_string();
        assert!(error.contains("others may enter it (mode 750)"), "{error}");
        assert!(error.contains("`chmod 700` it"), "{error}");
    }

    #[test]
    fn one_agent_at_a_time() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("a/b");
        let held = hold(&directory).unwrap();
        let error = hold(&directory).unwrap_err();
        assert!(matches!(error, AgentError::AlreadyRuns { .. }), "{error}");
        drop(held);
        hold(&directory).unwrap();
    }
}
