//! Which processes may watch a directory, and whether one did before.

use std::path::{Path, PathBuf};

use ctxpin_agent::hooks::has_followed;
use ctxpin_model::profile::Profile;

use crate::data_directory::DataDirectory;
use crate::running::is_locked;
use crate::say;

/// A directory in which a process followed sessions that has ended.
pub struct Left {
    pub directory: PathBuf,
    /// The state directory of the process.
    pub state: PathBuf,
}

impl Left {
    /// Returns the nearest such directory, from one upwards.
    pub fn find(data: &DataDirectory, directory: &Path, tool: Profile) -> Option<Self> {
        let directory = directory.canonicalize().ok()?;
        directory.ancestors().find_map(|watched| {
            // One that runs waits for a server.
            let is_running = is_locked(&data.agent(watched).lock()).unwrap_or(true);
            let mut states = states_of(data, watched, tool).into_iter();
            let state = states.find(|state| has_followed(state))?;
            let directory = watched.to_owned();
            (!is_running).then_some(Self { directory, state })
        })
    }

    /// Says that the process has ended.
    pub fn reason(&self) -> String {
        format!("nothing watches {} any more", say::path(&self.directory))
    }
}

/// Returns the state directories of the processes that may watch a directory, or one above it, the nearest first.
pub fn states(data: &DataDirectory, directory: &Path, tool: Profile) -> Vec<PathBuf> {
    let Ok(directory) = directory.canonicalize() else {
        return Vec::new();
    };
    let watched = directory.ancestors();
    let states = watched.flat_map(|watched| states_of(data, watched, tool));
    states.collect()
}

/// Returns the state directories of the processes that may watch a directory itself.
fn states_of(data: &DataDirectory, watched: &Path, tool: Profile) -> [PathBuf; 2] {
    [data.agent(watched).state(), data.run_state(watched, tool)]
}
