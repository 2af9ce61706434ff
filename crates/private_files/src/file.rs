//! Private files.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};

/// Opens a file with the given options, and creates it with the mode 0600 if it is missing. Does not follow a
/// link, and does not wait for the other end of a FIFO.
///
/// # Errors
///
/// Fails if the file cannot be opened, or is a link or not a regular file.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options
        .create(true)
        .mode(0o600)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)?;
    regular(&file)?;
    Ok(file)
}

/// Opens a file for writing as [`open`] does, and keeps its content.
///
/// # Errors
///
/// Fails as [`open`] does.
pub fn open_to_write(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().write(true).truncate(false))
}

/// Creates a file with the mode 0600 and opens it for writing.
///
/// # Errors
///
/// Fails with [`io::ErrorKind::AlreadyExists`] if the path exists, even as a dangling link, and if the file
/// cannot be created.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Sets the time of a file's last change to now. Does not follow a link.
///
/// # Errors
///
/// Fails if the file does not exist, or is not this user's.
pub fn touch(path: &Path) -> io::Result<()> {
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps {
        last_access: time(UTIME_OMIT),
        last_modification: time(UTIME_NOW),
    };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Reads a file of at most `bytes_max` bytes, and returns its bytes and its metadata. Follows links, since
/// mounted secrets are links. Does not wait for the other end of a FIFO.
///
/// # Errors
///
/// Fails if the file cannot be read or is not a regular file, and with [`io::ErrorKind::FileTooLarge`] if
/// it is longer.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<(Vec<u8>, Metadata)> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    let metadata = regular(&file)?;
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is longer than {bytes_max} bytes"),
        ));
    }
    Ok((bytes, metadata))
}

/// Replaces a file atomically by one with the mode 0600, even if the machine stops. A link is replaced and
/// not followed.
///
/// # Errors
///
/// Fails if the file cannot be written. The old file then stays.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path names no file",
        ));
    };
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    // A temporary file has the mode 0600.
    let mut draft = tempfile::Builder::new()
        .prefix(&prefix)
        .tempfile_in(directory)?;
    draft.write_all(bytes)?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    // Sync the directory too, so that the name is durable.
    File::open(directory)?.sync_all()
}

fn regular(file: &File) -> io::Result<Metadata> {
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok(metadata),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::thread;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn opened_files_are_for_their_owner_and_no_links() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("file");
        open_to_write(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        fs::write(&path, "kept").unwrap();
        open_to_write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        let link = base.path().join("link");
        let target = base.path().join("elsewhere");
        symlink(&target, &link).unwrap();
        assert!(open_to_write(&link).is_err());
        assert!(!target.exists());
    }

    #[test]
    fn nothing_is_waited_for_and_nothing_is_read_without_an_end() {
        let base = tempfile::tempdir().unwrap();
        let fifo = base.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
        for path in [&fifo, Path::new("/dev/zero"), base.path()] {
            let refused = read(path, 10).unwrap_err();
            assert_eq!(refused.to_string(), "it is no regular file", "{path:?}");
        }
        assert!(open_to_write(&fifo).is_err());
        let path = base.path().join("file");
        fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 10).unwrap().0, b"0123456789");
        let refused = read(&path, 9).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(refused.to_string(), "it is longer than 9 bytes");
        let missing = read(&base.path().join("missing"), 9).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_new_file_takes_the_place_of_nothing() {
        let base = tempfile::tempdir().unwrap();
        let (path, link) = (base.path().join("file"), base.path().join("link"));
        create_new(&path).unwrap().write_all(b"mine").unwrap();
        assert_eq!(mode(&path), 0o600);
        symlink(base.path().join("elsewhere"), &link).unwrap();
        for taken in [&path, &link] {
            let refused = create_new(taken).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert!(!base.path().join("elsewhere").exists());
    }

    #[test]
    fn finding_20_a_replaced_link_is_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let (path, other) = (base.path().join("a"), base.path().join("other"));
        fs::write(&other, "kept").unwrap();
        symlink(&other, &path).unwrap();
        replace(&path, b"new").unwrap();
        assert!(!path.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(&other).unwrap(), b"kept");
        assert_eq!(mode(&path), 0o600);
        assert!(replace(&base.path().join("missing/a"), b"").is_err());
        assert!(replace(Path::new("/"), b"").is_err());
    }

    #[test]
    fn whoever_reads_while_others_replace_reads_one_whole_file() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("file");
        let text = |writer: u8| vec![b'a' + writer; 10_000];
        replace(&path, &text(0)).unwrap();
        thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        replace(path, &text(writer)).unwrap();
                        let read = read(path, 10_000).unwrap().0;
                        assert_eq!(read, text(read[0] - b'a'));
                    }
                });
            }
        });
        let names = fs::read_dir(base.path()).unwrap();
        assert_eq!(names.count(), 1, "a draft was left behind");
    }
}
