//! The file with the token of the first user.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ctxpin_model::token::Token;
use ctxpin_private_files::file;

/// The name of the file in the data directory.
const NAME: &str = "admin-token";

/// The most old files that are kept beside it.
const OLD_FILES_MAX: u32 = 1_000;

/// The file with the token of the first user. An older file is renamed and never lost, because its token
/// may belong to another database.
pub(crate) struct AdminToken {
    directory: PathBuf,
    was_written: AtomicBool,
}

impl AdminToken {
    /// Returns the file in that directory.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            was_written: AtomicBool::new(false),
        }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Returns whether the file exists.
    ///
    /// # Errors
    ///
    /// Fails if the system cannot say.
    pub fn exists(&self) -> io::Result<bool> {
        self.path().try_exists()
    }

    /// Writes the file atomically, readable by its owner alone. A retry may write another token.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written, or an older one cannot be renamed.
    pub fn write(&self, token: &Token) -> io::Result<()> {
        let path = self.path();
        if !self.was_written.load(Ordering::SeqCst) && path.try_exists()? {
            self.keep(&path)?;
        }
        file::replace(&path, format!("{}\n", token.reveal()).as_bytes())?;
        self.was_written.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Renames the older file.
    fn keep(&self, path: &Path) -> io::Result<()> {
        for number in 1..=OLD_FILES_MAX {
            let kept = self.directory.join(format!("{NAME}.old-{number}"));
            match fs::hard_link(path, &kept) {
                Ok(()) => {
                    tracing::warn!(
                        "{} belongs to another database and is now {}",
                        path.display(),
                        kept.display()
                    );
                    return fs::remove_file(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(format!(
            "there are {OLD_FILES_MAX} old files beside it; remove those that you do not need"
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn token(byte: u8) -> Token {
        Token::new(uuid::Uuid::from_u128(byte.into()).into(), [byte; 32])
    }

    #[test]
    fn only_the_owner_may_read_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = AdminToken::new(directory.path());
        assert!(!file.exists().unwrap());
        file.write(&token(1)).unwrap();
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, format!("{}\n", token(1).reveal()));
        // A retry of the transaction replaces the token.
        file.write(&token(2)).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn older_files_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        for byte in 1..=3 {
            AdminToken::new(directory.path())
                .write(&token(byte))
                .unwrap();
        }
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert!(read("admin-token").starts_with(&token(3).reveal()));
        assert!(read("admin-token.old-1").starts_with(&token(1).reveal()));
        assert!(read("admin-token.old-2").starts_with(&token(2).reveal()));
    }

    #[test]
    fn a_missing_directory() {
        let directory = tempfile::tempdir().unwrap();
        let file = AdminToken::new(&directory.path().join("missing"));
        assert!(file.write(&token(1)).is_err());
    }
}
