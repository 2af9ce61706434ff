//! Short paths to sockets in deep directories. The system accepts about a hundred bytes.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// The directory in which Linux shows a process its open files.
const OPEN_FILES: &str = "/proc/self/fd";

/// The name of the link to the directory.
const LINK_NAME: &str = "d";

/// A path that leads to a socket until this is dropped.
#[derive(Debug)]
pub(crate) struct ShortPath {
    path: PathBuf,
    _opened: Option<File>,
    _link: Option<Link>,
}

/// A directory that only this user can write to, with a link in it. Dropping this removes both.
#[derive(Debug)]
struct Link(PathBuf);

impl ShortPath {
    /// Returns a path to `socket`, which need not exist.
    ///
    /// # Errors
    ///
    /// Fails if its directory cannot be opened.
    pub fn of(socket: &Path) -> io::Result<Self> {
        if fits(socket) {
            return Ok(Self {
                path: socket.to_owned(),
                _opened: None,
                _link: None,
            });
        }
        let directory = socket.parent().unwrap_or(Path::new("/"));
        let name = socket.file_name().unwrap_or_default();
        match Path::new(OPEN_FILES).exists() {
            true => Self::opened(directory, name),
            false => Self::linked(directory, name),
        }
    }

    /// Returns the path to bind or to connect to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn opened(directory: &Path, name: &OsStr) -> io::Result<Self> {
        let opened = File::open(directory)?;
        let path = Path::new(OPEN_FILES).join(opened.as_raw_fd().to_string());
        Ok(Self {
            path: path.join(name),
            _opened: Some(opened),
            _link: None,
        })
    }

    fn linked(directory: &Path, name: &OsStr) -> io::Result<Self> {
        let directory = std::path::absolute(directory)?;
        let base = std::env::temp_dir().join(format!("ctxpin-{}", Uuid::new_v4().simple()));
        // This fails if the directory exists already.
        DirBuilder::new().mode(0o700).create(&base)?;
        let link = Link(base);
        symlink(directory, link.path())?;
        Ok(Self {
            path: link.path().join(name),
            _opened: None,
            _link: Some(link),
        })
    }
}

impl Link {
    fn path(&self) -> PathBuf {
        self.0.join(LINK_NAME)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // A link that is left behind gives no new access.
        let _ = fs::remove_file(self.path());
        let _ = fs::remove_dir(&self.0);
    }
}

fn fits(path: &Path) -> bool {
    SocketAddr::from_pathname(path).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn case_b06_a_socket_lies_as_deep_as_it_likes() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("x".repeat(200));
        fs::create_dir(&directory).unwrap();
        let name = OsStr::new("a.sock");
        for way in [ShortPath::opened, ShortPath::linked] {
            let socket = directory.join(name);
            let bound = way(&directory, name).unwrap();
            assert!(fits(bound.path()), "{}", bound.path().display());
            let listener = UnixListener::bind(bound.path()).unwrap();
            drop(bound);
            assert!(socket.exists());
            let short = way(&directory, name).unwrap();
            UnixStream::connect(short.path()).unwrap();
            listener.accept().unwrap();
            let link = short._link.as_ref().map(|link| link.0.clone());
            drop(short);
            assert!(!link.is_some_and(|link| link.exists()));
            fs::remove_file(socket).unwrap();
        }
        let missing = ShortPath::of(&directory.join("missing").join(name)).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let near = ShortPath::of(Path::new("/run/a.sock")).unwrap();
        assert_eq!(near.path(), Path::new("/run/a.sock"));
    }
}
