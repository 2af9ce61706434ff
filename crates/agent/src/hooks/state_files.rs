//! Directories of private files in the state directory, of which those that were needed least recently make room.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use ctxpin_private_files::{directory, file};

/// How many files a directory has at most, and their size together, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct StateFiles {
    pub count_max: usize,
    pub bytes_max: u64,
}

impl StateFiles {
    /// Replaces a file, and removes those of its directory that are too many.
    pub fn write(self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let parent = path.parent().unwrap_or(path);
        directory::create(parent)?;
        file::replace(path, bytes)?;
        let mut others = Vec::new();
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if entry.path() != path {
                others.push((modified, metadata.size(), entry.path()));
            }
        }
        others.sort();
        let (mut count, mut size) = (1, bytes.len() as u64);
        for (_, bytes, path) in others.into_iter().rev() {
            count += 1;
            size += bytes;
            if count > self.count_max || size > self.bytes_max {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use ctxpin_private_files::file::touch;

    #[test]
    fn the_oldest_files_make_room() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("a/b");
        let files = StateFiles {
            count_max: 3,
            bytes_max: 10,
        };
        let path = |name: &str| directory.join(name);
        let age = |name: &str, seconds: u64| {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let file = fs::File::options().write(true).open(path(name)).unwrap();
            file.set_modified(at).unwrap();
        };
        let names = || {
            let entries = fs::read_dir(&directory).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        for (seconds, name) in ["c", "b", "a"].into_iter().enumerate() {
            files.write(&path(name), b"123").unwrap();
            age(name, seconds as u64);
        }
        assert_eq!(names(), ["a", "b", "c"]);
        touch(&path("c")).unwrap();
        files.write(&path("d"), b"123").unwrap();
        assert_eq!(names(), ["a", "c", "d"]);
        files.write(&path("d"), b"12345678").unwrap();
        assert_eq!(names(), ["d"]);
        assert!(touch(&path("a")).is_err());
    }
}
