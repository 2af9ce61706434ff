//! When evidence about the sessions of a client was last handed in, which other processes can read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ctxpin_model::profile::Profile;
use ctxpin_private_files::file;

/// Returns when the process with this state directory last handed in evidence about a session of a client. `None` if it
/// never has.
pub fn handed_in_at(state_directory: &Path, client: Profile) -> Option<SystemTime> {
    let metadata = fs::metadata(path(state_directory, client)).ok()?;
    metadata.modified().ok()
}

/// Notes that evidence was handed in just now.
pub(crate) fn note(state_directory: &Path, client: Profile) -> io::Result<()> {
    let path = path(state_directory, client);
    file::open_to_write(&path)?;
    file::touch(&path)
}

fn path(state_directory: &Path, client: Profile) -> PathBuf {
    state_directory.join(format!("{client}.handed-in"))
}
