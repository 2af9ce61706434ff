//! Files of the user below a directory, where somebody else names the path.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::process::geteuid;

/// Opens a regular file of the user for reading. `path` must lie below `directory`, and no component below it may be a
/// link. Does not wait for the other end of a FIFO. The directory itself may be reached by links.
///
/// # Errors
///
/// Fails if the file cannot be opened, lies elsewhere, is reached through a link, is not a regular file, or belongs to
/// somebody else; so does the directory.
pub fn open(directory: &Path, path: &Path) -> io::Result<File> {
    let canonical = directory.canonicalize()?;
    let below = path.strip_prefix(directory);
    let below = below.or_else(|_| path.strip_prefix(&canonical));
    let below = below.map_err(|_| refused(&format!("it is not below {}", directory.display())))?;
    let names: Option<Vec<_>> = below
        .components()
        .map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    let names = names.ok_or_else(|| refused("its path has `..`"))?;
    let Some((name, parents)) = names.split_last() else {
        return Err(refused("its path names no file"));
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mut parent = openat(CWD, &canonical, flags | OFlags::DIRECTORY, Mode::empty())?;
    require_own(&parent)?;
    let flags = flags | OFlags::NOFOLLOW;
    for name in parents {
        parent = openat(&parent, *name, flags | OFlags::DIRECTORY, Mode::empty())?;
    }
    let file = openat(&parent, *name, flags | OFlags::NONBLOCK, Mode::empty())?;
    require_own(&file)?;
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file.into()),
        _ => Err(refused("it is no regular file")),
    }
}

fn require_own(file: &OwnedFd) -> io::Result<()> {
    match fstat(file)?.st_uid == geteuid().as_raw() {
        true => Ok(()),
        false => Err(refused("it belongs to another user")),
    }
}

fn refused(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_below_is_opened_without_following_a_link() {
        let base = tempfile::tempdir().unwrap();
        let home = base.path().join("home");
        fs::create_dir_all(home.join("a/b")).unwrap();
        fs::write(home.join("a/b/file"), "text").unwrap();
        fs::write(base.path().join("outside"), "other").unwrap();
        symlink(&home, base.path().join("linked")).unwrap();
        symlink("b", home.join("a/link")).unwrap();
        symlink("b/file", home.join("a/file")).unwrap();
        rustix::fs::mkfifoat(CWD, home.join("fifo"), 0o600.into()).unwrap();
        let check = |directory: &str, path: &str, expected: Result<&str, &str>| {
            let opened = open(&base.path().join(directory), &base.path().join(path));
            let read = opened.map(|mut file| {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                text
            });
            match (read, expected) {
                (Ok(text), Ok(expected)) => assert_eq!(text, expected, "{path}"),
                (Err(error), Err(expected)) => {
                    let error = error.to_string();
                    assert!(error.contains(expected), "{path}: {error}");
                }
                (read, _) => panic!("{path}: {read:?}"),
            }
        };
        check("home", "home/a/b/file", Ok("text"));
        check("linked", "linked/a/b/file", Ok("text"));
        check("linked", "home/a/b/file", Ok("text"));
        check("home", "home/a/link/file", Err("ot a directory"));
        check("home", "home/a/file", Err("symbolic link"));
        check("home", "home/a/b", Err("no regular file"));
        check("home", "home/fifo", Err("no regular file"));
        check("home", "home/a/missing", Err("No such file"));
        check("home", "home/a/../../outside", Err("has `..`"));
        check("home", "outside", Err("it is not below"));
        check("home", "home", Err("names no file"));
    }
}
