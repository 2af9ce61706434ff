//! Reads opened files: each once in a scan, and all of them together within a limit.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use ctxpin_model::hash::{BlobHash, BlobHasher};
use ctxpin_model::limits::format_bytes;
use ctxpin_model::resource::Status;
use rustix::fs::Stat;

use crate::refused::Refused;

/// The greatest number of bytes that one scan reads.
const SCAN_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The greatest number of bytes that are read of a file that is too large. They and its size identify
/// it.
const BEGINNING_BYTES_MAX: u64 = 64 * 1024;

/// The result of reading a regular file.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Its canonical path.
    pub path: PathBuf,
    /// The whole content. `None` if the file is larger than the caller allows.
    pub bytes: Option<Arc<[u8]>>,
    /// The hash of the content. For a file that is too large, the hash of its size (eight bytes,
    /// big-endian) and its first 64 KiB.
    pub hash: BlobHash,
    /// The size of the whole file, in bytes.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// Reads the files of one scan.
#[derive(Debug)]
pub(crate) struct Reader {
    /// How many more bytes the scan may read.
    left: u64,
    /// By device and inode: two names of one file are one file.
    known: HashMap<(u64, u64), Known>,
}

#[derive(Debug, Clone)]
struct Known {
    /// The whole content, if it was read.
    bytes: Option<Arc<[u8]>>,
    hash: BlobHash,
    size: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            left: SCAN_BYTES_MAX,
            known: HashMap::new(),
        }
    }
}

impl Reader {
    /// Reads an opened file, and returns its bytes if there are at most `bytes_max`.
    ///
    /// # Errors
    ///
    /// Refuses the file as `excluded` if the scan has no room left for it, and as `unreadable` if it cannot
    /// be read.
    pub fn read(
        &mut self,
        file: File,
        stat: &Stat,
        path: PathBuf,
        bytes_max: u64,
    ) -> Result<Reading, Refused> {
        let identity = identity(stat);
        // A file that is too large for one place may fit another.
        let is_enough = |known: &&Known| known.bytes.is_some() || known.size > bytes_max;
        let known = match self.known.get(&identity).filter(is_enough) {
            Some(known) => known.clone(),
            None => {
                let known = self.take(file, stat, bytes_max)?;
                self.known.insert(identity, known.clone());
                known
            }
        };
        let known = match &known.bytes {
            Some(bytes) if known.size > bytes_max => Known::beginning(bytes, known.size),
            _ => known,
        };
        Ok(Reading {
            path,
            bytes: known.bytes,
            hash: known.hash,
            size: known.size,
            executable: stat.st_mode & 0o100 != 0,
        })
    }

    /// Returns the first bytes of an opened file, at most `bytes_max`. Returns none if the file cannot be
    /// read or the scan has no room left.
    pub fn begin(&mut self, file: File, stat: &Stat, bytes_max: u64) -> Vec<u8> {
        let known = self.known.get(&identity(stat));
        if let Some(bytes) = known.and_then(|known| known.bytes.as_ref()) {
            let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
            return bytes[..bytes.len().min(bytes_max)].to_vec();
        }
        let begin = self.up_to(file, size(stat), bytes_max);
        begin.unwrap_or_default()
    }

    fn take(&mut self, file: File, stat: &Stat, bytes_max: u64) -> Result<Known, Refused> {
        let size = size(stat);
        if size > bytes_max {
            let begin = self.up_to(file, size, BEGINNING_BYTES_MAX)?;
            return Ok(Known::beginning(&begin, size));
        }
        // The file may have grown since it was opened.
        let bytes = self.up_to(file, size, bytes_max + 1)?;
        let read = bytes.len() as u64;
        Ok(match read > bytes_max {
            true => Known::beginning(&bytes, read),
            false => Known {
                hash: BlobHash::of(&bytes),
                size: read,
                bytes: Some(bytes.into()),
            },
        })
    }

    /// Reads the beginning of a file of the size `size`, if there is room for it.
    fn up_to(&mut self, file: File, size: u64, bytes_max: u64) -> Result<Vec<u8>, Refused> {
        if size.min(bytes_max) > self.left {
            return Err(too_much());
        }
        let mut bytes = Vec::new();
        let read = file
            .take(bytes_max.min(self.left.saturating_add(1)))
            .read_to_end(&mut bytes);
        read.map_err(|error| Refused::failed(&error))?;
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                Ok(bytes)
            }
            // The file has grown.
            None => {
                self.left = 0;
                Err(too_much())
            }
        }
    }
}

impl Known {
    /// Describes a file that is too large by its beginning.
    fn beginning(bytes: &[u8], size: u64) -> Self {
        let most = usize::try_from(BEGINNING_BYTES_MAX).unwrap_or(usize::MAX);
        let mut hasher = BlobHasher::default();
        hasher.update(&size.to_be_bytes());
        hasher.update(&bytes[..bytes.len().min(most)]);
        Self {
            bytes: None,
            hash: hasher.finish(),
            size,
        }
    }
}

/// Returns the device and the inode of a file.
fn identity(stat: &Stat) -> (u64, u64) {
    // The types of both differ between platforms, and all of them fit.
    #[allow(clippy::unnecessary_cast)]
    (stat.st_dev as u64, stat.st_ino as u64)
}

fn size(stat: &Stat) -> u64 {
    // The type of a size differs between platforms. No size is negative.
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn too_much() -> Refused {
    Refused {
        status: Status::Excluded,
        ..Refused::invalid(format!(
            "one scan reads at most {}",
            format_bytes(SCAN_BYTES_MAX)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a file, and returns how many bytes of the scan's limit that took.
    fn taken(reader: &mut Reader, path: &std::path::Path, bytes_max: u64) -> (Reading, u64) {
        let left = reader.left;
        let file = File::open(path).unwrap();
        let stat = rustix::fs::fstat(&file).unwrap();
        let reading = reader.read(file, &stat, path.to_owned(), bytes_max);
        (reading.unwrap(), left - reader.left)
    }

    #[test]
    fn finding_15_a_file_is_counted_once_and_one_that_is_too_large_by_its_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("a"), vec![7; 100_000]).unwrap();
        std::fs::hard_link(path("a"), path("b")).unwrap();
        let mut reader = Reader::default();
        let (large, bytes) = taken(&mut reader, &path("a"), 99_999);
        assert_eq!((large.bytes, large.size, bytes), (None, 100_000, 65_536));
        assert_eq!(taken(&mut reader, &path("b"), 99_999).1, 0);
        // With a larger limit the whole file is read and hashed.
        let (whole, bytes) = taken(&mut reader, &path("b"), 100_000);
        assert_eq!((whole.bytes.unwrap().len(), bytes), (100_000, 100_000));
        assert_ne!(whole.hash, large.hash);
        let (again, bytes) = taken(&mut reader, &path("a"), 10);
        assert_eq!((again.bytes, again.hash, bytes), (None, large.hash, 0));
        let begin = reader.begin(
            File::open(path("b")).unwrap(),
            &rustix::fs::stat(path("b")).unwrap(),
            3,
        );
        assert_eq!(begin, [7; 3]);
    }

    #[test]
    fn finding_15_past_its_share_a_scan_reads_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, vec![7; 1_000]).unwrap();
        let mut reader = Reader {
            left: 999,
            ..Reader::default()
        };
        let file = File::open(&path).unwrap();
        let stat = rustix::fs::fstat(&file).unwrap();
        let refused = reader.read(file, &stat, path.clone(), 1_000).unwrap_err();
        assert_eq!((refused.status, reader.left), (Status::Excluded, 999));
        reader.left = 1_000;
        assert_eq!(taken(&mut reader, &path, 1_000).1, 1_000);
    }
}
