//! Locks that end with the process that holds them, however it ends.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::file;

/// A lock that this process holds until this is dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock at a path, and creates its file with the mode 0600 if it is missing. Returns `None`
    /// if another process holds the lock.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened or locked, or is a link.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = file::open_to_write(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock at a path as [`Lock::take`] does, and blocks the thread until it is free.
    ///
    /// # Errors
    ///
    /// Fails as [`Lock::take`] does.
    pub fn wait(path: &Path) -> io::Result<Self> {
        let file = file::open_to_write(path)?;
        loop {
            match file.lock() {
                Ok(()) => return Ok(Self(file)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns whether another process holds the lock at a path. Concurrent checks do not disturb each
    /// other.
    ///
    /// # Errors
    ///
    /// Fails if the file exists and cannot be opened or locked.
    pub fn is_held(path: &Path) -> io::Result<bool> {
        let mut options = OpenOptions::new();
        let options = options
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file = match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Replaces the content of the lock's file, for processes that find the lock held.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = &self.0;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(bytes)
    }

    /// Returns whether a path still names the locked file. Otherwise, another process can take a lock at
    /// that path.
    pub fn is_at(&self, path: &Path) -> bool {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        match (fs::metadata(path), self.0.metadata()) {
            (Ok(named), Ok(held)) => identity(named) == identity(held),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn a_lock_is_held_once() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("lock");
        assert!(!Lock::is_held(&path).unwrap());
        let held = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::is_held(&path).unwrap());
        assert!(Lock::take(&path).unwrap().is_none());
        drop(held);
        assert!(!Lock::is_held(&path).unwrap());
        assert!(Lock::take(&path).unwrap().is_some());
    }

    #[test]
    fn whoever_waits_gets_the_lock_when_it_is_dropped() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("lock");
        let held = Lock::take(&path).unwrap().unwrap();
        let (sender, receiver) = mpsc::channel();
        let waiting = path.clone();
        let waiter = thread::spawn(move || sender.send(Lock::wait(&waiting).unwrap()));
        assert!(receiver.try_recv().is_err());
        drop(held);
        let held = receiver.recv().unwrap();
        waiter.join().unwrap().unwrap();
        assert!(Lock::is_held(&path).unwrap());
        assert!(held.is_at(&path));
        fs::remove_file(&path).unwrap();
        assert!(!held.is_at(&path));
        fs::write(&path, "").unwrap();
        assert!(!held.is_at(&path));
    }

    #[test]
    fn a_lock_says_what_was_written_last() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("lock");
        fs::write(&path, "something longer that was there before").unwrap();
        let held = Lock::take(&path).unwrap().unwrap();
        for text in ["first", "2nd"] {
            held.write(text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_link_is_no_lock() {
        let base = tempfile::tempdir().unwrap();
        let (path, target) = (base.path().join("lock"), base.path().join("target"));
        symlink(&target, &path).unwrap();
        assert!(Lock::take(&path).is_err());
        assert!(Lock::wait(&path).is_err());
        assert!(!target.exists());
    }
}
