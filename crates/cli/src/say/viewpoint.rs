//! Where the person stands, so that paths are told as they would type them.

use std::path::{Path, PathBuf};

use super::short;

/// Where the person stands.
pub struct Viewpoint {
    current: PathBuf,
    home: PathBuf,
}

impl Viewpoint {
    /// Here. Where that cannot be found out, paths are told whole.
    pub fn here() -> Self {
        let current = std::env::current_dir().and_then(|directory| directory.canonicalize());
        let home = etcetera::home_dir().ok();
        Self {
            current: current.unwrap_or_default(),
            home: home.unwrap_or_default(),
        }
    }

    /// Whether a path is the directory where the person stands.
    pub fn is_here(&self, path: &str) -> bool {
        Path::new(path) == self.current
    }

    /// A path as it would be typed here, in one line that a terminal can show.
    pub fn path(&self, path: &str) -> String {
        super::line(&short::path(path, &self.current, &self.home)).into_owned()
    }
}
