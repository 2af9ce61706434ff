//! Reads opened files: each once in a scan, and no more of all together than a scan may read.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

use ctxpin_model::hash::{BlobHash, BlobHasher};
use ctxpin_model::limits::PROMPT_FILE_BYTES_MAX;
use ctxpin_model::resource::Status;
use rustix::fs::Stat;

use crate::boundary::Refused;

/// Most bytes that one scan reads.
const SCAN_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Most bytes of one file that are read and hashed. Whatever a limit allows is far below; a larger
/// file is told by its size and the hash of its beginning.
const HASHED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Most bytes of one file that are kept: what the largest limit of a file allows.
const KEPT_BYTES_MAX: u64 = PROMPT_FILE_BYTES_MAX;

/// What was read of a regular file.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Its canonical path.
    pub path: PathBuf,
    /// All of its bytes, unless there are more than were asked for.
    pub bytes: Option<Arc<[u8]>>,
    /// The hash of what was read: of everything, up to 16 MiB.
    pub hash: BlobHash,
    /// Real size in bytes.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// What a scan has read so far.
#[derive(Debug)]
pub(crate) struct Reader {
    left: u64,
    /// By device and inode: two names of one file are one file.
    known: HashMap<(u64, u64), Known>,
}

#[derive(Debug, Clone)]
struct Known {
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
    /// Reads a file that was opened, keeping its bytes if there are no more than `bytes_max`. One that
    /// a scan has no more room to read is `excluded`.
    pub fn read(
        &mut self,
        file: File,
        stat: &Stat,
        path: PathBuf,
        bytes_max: u64,
    ) -> Result<Reading, Refused> {
        // The types of both differ between platforms, and all of them fit.
        #[allow(clippy::unnecessary_cast)]
        let identity = (stat.st_dev as u64, stat.st_ino as u64);
        let known = match self.known.get(&identity) {
            Some(known) => known.clone(),
            None => {
                let known = self.take(file, stat)?;
                self.known.insert(identity, known.clone());
                known
            }
        };
        Ok(Reading {
            path,
            bytes: known.bytes.filter(|_| known.size <= bytes_max),
            hash: known.hash,
            size: known.size,
            executable: stat.st_mode & 0o100 != 0,
        })
    }

    fn take(&mut self, mut file: File, stat: &Stat) -> Result<Known, Refused> {
        // Every platform's type of a size fits, and a negative one means nothing.
        let size_at_opening = u64::try_from(stat.st_size).unwrap_or(0);
        if size_at_opening.min(HASHED_BYTES_MAX) > self.left {
            return Err(too_much());
        }
        let mut kept = Vec::new();
        let mut hasher = BlobHasher::default();
        let mut read = 0_u64;
        let mut buffer = [0; 32 * 1024];
        let ended = loop {
            let room = usize::try_from(HASHED_BYTES_MAX - read).unwrap_or(usize::MAX);
            if room == 0 {
                break false;
            }
            let room = room.min(buffer.len());
            let count = match file.read(&mut buffer[..room]) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Refused::failed(&error)),
            };
            if count == 0 {
                break true;
            }
            // It may have grown since it was opened.
            self.left = self.left.checked_sub(count as u64).ok_or_else(too_much)?;
            hasher.update(&buffer[..count]);
            read += count as u64;
            if read <= KEPT_BYTES_MAX {
                kept.extend_from_slice(&buffer[..count]);
            }
        };
        Ok(Known {
            bytes: (ended && read <= KEPT_BYTES_MAX).then(|| kept.into()),
            hash: hasher.finish(),
            size: if ended {
                read
            } else {
                size_at_opening.max(read)
            },
        })
    }
}

fn too_much() -> Refused {
    Refused {
        status: Status::Excluded,
        ..Refused::invalid(format!(
            "one scan reads at most {} MiB",
            SCAN_BYTES_MAX / (1024 * 1024)
        ))
    }
}
