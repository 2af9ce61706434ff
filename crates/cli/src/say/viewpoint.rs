//! The current directory of the user, so that paths are printed as the user would type them.

use std::path::{Path, PathBuf};

use super::short;

/// The current directory and the home directory of the user.
pub struct Viewpoint {
    current: PathBuf,
    home: PathBuf,
}

impl Viewpoint {
    /// Returns the viewpoint of this process. If a directory cannot be read, paths are printed in
    /// full.
    pub fn here() -> Self {
        let current = std::env::current_dir().and_then(|directory| directory.canonicalize());
        let home = etcetera::home_dir().ok();
        Self {
            current: current.unwrap_or_default(),
            home: home.unwrap_or_default(),
        }
    }

    /// Returns whether a path is the current directory.
    pub fn is_here(&self, path: &str) -> bool {
        Path::new(path) == self.current
    }

    /// Returns a path as the user would type it, as one line that is safe for a terminal.
    pub fn path(&self, path: &str) -> String {
        super::line(&short::path(path, &self.current, &self.home)).into_owned()
    }
}
