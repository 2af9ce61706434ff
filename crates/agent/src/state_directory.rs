//! The state directory of one agent, with its files and its control socket. Only the user may enter it, and
//! one agent at a time holds it.

use std::path::Path;

use ctxpin_private_files::directory;
use ctxpin_private_files::exposure::Demand;
use ctxpin_private_files::lock::Lock;

use crate::error::AgentError;

/// The file that the running agent has locked.
const LOCK_NAME: &str = "agent.lock";

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
