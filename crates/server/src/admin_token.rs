//! The file with the token of the first user.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ctxpin_model::token::Token;
use ctxpin_private_files::file;

/// The name of the file in the data directory.
const NAME: &str = "admin-token";

/// Most files of other databases that are kept beside it.
const OLD_FILES_MAX: u32 = 1_000;

/// The file with the token of the first user. Nothing that stood there before is ever lost: it
/// may open another database.
pub(crate) struct AdminToken {
    directory: PathBuf,
    was_written: AtomicBool,
}

impl AdminToken {
    /// The file in that directory.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            was_written: AtomicBool::new(false),
        }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Whether it is there.
    ///
    /// # Errors
    ///
    /// If that cannot be told.
    pub fn exists(&self) -> io::Result<bool> {
        self.path().try_exists()
    }

    /// Writes it so that it is there whole or not at all, and readable by its owner alone. It may
    /// be asked for again with another token, as long as none was taken.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or what stands there cannot be kept.
    pub fn write(&self, token: &Token) -> io::Result<()> {
        let path = self.path();
        if !self.was_written.load(Ordering::SeqCst) && path.try_exists()? {
            self.keep(&path)?;
        }
        file::replace(&path, format!("{}\n", token.reveal()).as_bytes())?;
        self.was_written.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Puts what stands there under a name of its own.
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
            "there are {OLD_FILES_MAX} old ones beside it; remove those that are not needed"
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
    fn it_is_written_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = AdminToken::new(directory.path());
        assert!(!file.exists().unwrap());
        file.write(&token(1)).unwrap();
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, format!("{}\n", token(1).reveal()));
        // The transaction was tried again: the token before was never taken.
        file.write(&token(2)).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_stood_there_is_kept() {
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
    fn a_directory_that_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = AdminToken::new(&directory.path().join("missing"));
        assert!(file.write(&token(1)).is_err());
    }
}
