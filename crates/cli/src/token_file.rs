//! The file into which a command writes a new token.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ctxpin_private_files::file;

use crate::data_directory::unwritable;
use crate::say::{self, Failure, Hint, Setting};

/// A new file for a token. It is created before the token, so that a token is never lost because
/// its file cannot be created. If no token is written, dropping this deletes the file.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl TokenFile {
    /// Creates the file, readable by its owner only. An existing file is not touched and a link is
    /// not followed, since they may belong to another user or hold another token.
    ///
    /// # Errors
    ///
    /// Fails if the path exists already, or the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let file = file::create_new(path).map_err(|error| {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Failure::new(format!("{} cannot be created", say::path(&path)))
                    .because(error);
            }
            Failure::new(format!(
                "{} already exists and may hold another token; no token was created",
                say::path(&path)
            ))
            .hint(Hint::set(Setting::WriteToken, "names a new file"))
            .hint(Hint::say("or remove that file first"))
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            is_written: false,
        })
    }

    /// Writes the token. From then on, dropping this keeps the file.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn write(&mut self, token: &str) -> Result<(), Failure> {
        let text = format!("{token}\n");
        let written = self.file.write_all(text.as_bytes());
        written
            .and_then(|()| self.file.sync_all())
            .map_err(|error| unwritable(&self.path, error))?;
        self.is_written = true;
        Ok(())
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        if !self.is_written {
            // If this fails too, an empty file stays, which does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn it_is_new_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let mut file = TokenFile::create(&path).unwrap();
        file.write("secret").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret\n");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(TokenFile::create(&path).unwrap_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret\n");
    }

    #[test]
    fn it_goes_if_there_is_no_token() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        drop(TokenFile::create(&path).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target");
        let link = directory.path().join("link");
        symlink(&target, &link).unwrap();
        assert!(TokenFile::create(&link).is_err());
        assert!(!target.exists(), "a dangling one is not filled");
        fs::write(&target, "mine").unwrap();
        assert!(TokenFile::create(&link).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    }
}
