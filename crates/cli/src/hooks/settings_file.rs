//! A file of a tool's settings, which is the person's.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ctxpin_private_files::file;

use crate::data_directory::{unreadable, unwritable};
use crate::say::Failure;

/// The greatest size of a tool's settings, in bytes.
const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;

/// A file of a tool's settings. It may be a link, which stays.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
}

impl SettingsFile {
    /// Returns the file with this path. It need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the text, or `None` if there is no file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, is too large or is not UTF-8.
    pub fn read(&self) -> Result<Option<String>, Failure> {
        let bytes = match file::read(&self.path, SETTINGS_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => {
                read.map_err(|error| unreadable(&self.path).because(error))?
                    .0
            }
        };
        let text = String::from_utf8(bytes);
        text.map(Some)
            .map_err(|_| unreadable(&self.path).because("it is not UTF-8"))
    }

    /// Replaces the file atomically by one of the same mode, or deletes it. The target of a link is replaced.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written. It then stays as it is.
    pub fn write(&self, text: Option<&str>) -> Result<(), Failure> {
        let failed = |error: io::Error| unwritable(&self.path).because(error);
        let Some(text) = text else {
            return fs::remove_file(&self.path).map_err(failed);
        };
        let (path, mode) = match self.path.canonicalize() {
            Ok(path) => {
                let metadata = fs::metadata(&path).map_err(failed)?;
                (path, metadata.permissions().mode() & 0o777)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (self.path.clone(), 0o600),
            Err(error) => return Err(failed(error)),
        };
        let directory = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(directory).map_err(failed)?;
        let written = tempfile::Builder::new()
            .prefix(".ctxpin-")
            .tempfile_in(directory)
            .and_then(|mut draft| {
                draft.write_all(text.as_bytes())?;
                let file = draft.as_file();
                file.set_permissions(fs::Permissions::from_mode(mode))?;
                file.sync_all()?;
                draft.persist(&path)?;
                Ok(())
            });
        written.map_err(failed)
    }
}
