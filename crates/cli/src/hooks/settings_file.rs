//! A file of a tool's settings, which is the person's.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ctxpin_private_files::file;

use crate::data_directory::{not_written, unreadable, unwritable};
use crate::say::{Failure, Hint};

/// The greatest size of a tool's settings, in bytes.
const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;

/// How many links one after another the kernel follows.
const LINKS_MAX: usize = 40;

/// A file of a tool's settings. It may be a link, which stays, also where the file that it names is missing.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
}

impl SettingsFile {
    /// Returns the file with this path. It need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the text, or `None` if there is no file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, is too large or is not UTF-8.
    pub fn read(&self) -> Result<Option<String>, Failure> {
        let bytes = match file::read(&self.path, SETTINGS_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => {
                read.map_err(|error| unreadable(&self.path).because(error))?
                    .0
            }
        };
        let text = String::from_utf8(bytes);
        text.map(Some)
            .map_err(|_| unreadable(&self.path).because("it is not UTF-8"))
    }

    /// Replaces the file atomically by one of the same mode, or deletes it. The target of a link is replaced or deleted.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written, or has another name. It then stays as it is.
    pub fn write(&self, text: Option<&str>) -> Result<(), Failure> {
        self.demand_one_name()?;
        let written = self.target().and_then(|target| match text {
            Some(text) => mode_of(&target).and_then(|mode| replace(&target, text, mode)),
            None => fs::remove_file(target),
        });
        written.map_err(|error| unwritable(&self.path, error))
    }

    /// Checks that the file has no second name. The other name of a hard link would keep the text of before, and a text that
    /// is written into a file in place can be cut off.
    ///
    /// # Errors
    ///
    /// Fails if it has one.
    pub fn demand_one_name(&self) -> Result<(), Failure> {
        match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() && metadata.nlink() > 1 => Err(not_written(
                &self.path,
            )
            .because("the file has another name, which would keep the text of before")
            .hint(Hint::say(
                "replace one of the names by a symbolic link (`ln -s`), and run the command again",
            ))),
            _ => Ok(()),
        }
    }

    /// Returns the directories that are missing on the way to the file, the outermost first.
    ///
    /// # Errors
    ///
    /// Fails if the file is a link that leads to nothing that can be named.
    pub fn directories_missing(&self) -> Result<Vec<PathBuf>, Failure> {
        let target = self.target();
        let target = target.map_err(|error| unwritable(&self.path, error))?;
        let directory = target.parent().unwrap_or(Path::new("/"));
        Ok(directories_missing(directory))
    }

    /// Returns the path of the file itself, behind all links.
    fn target(&self) -> io::Result<PathBuf> {
        let mut path = self.path.clone();
        for _ in 0..LINKS_MAX {
            match fs::read_link(&path) {
                Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
                Err(error) if is_no_link(&error) => return Ok(path),
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("it is a link to itself"))
    }
}

/// Returns whether a path could not be read as a link because it is another file, or missing.
fn is_no_link(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
    )
}

/// Returns the directories that are missing on the way to this one and itself, the outermost first.
pub fn directories_missing(directory: &Path) -> Vec<PathBuf> {
    let missing = directory
        .ancestors()
        .take_while(|directory| !directory.exists());
    let mut missing: Vec<_> = missing.map(Path::to_path_buf).collect();
    missing.reverse();
    missing
}

/// Deletes directories, the last one first. One that holds something else stays.
pub fn directories_remove(directories: &[PathBuf]) {
    for directory in directories.iter().rev() {
        let _ = fs::remove_dir(directory);
    }
}

/// Returns the mode of a file, or that of a new one.
fn mode_of(path: &Path) -> io::Result<u32> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.permissions().mode() & 0o777),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0o600),
        Err(error) => Err(error),
    }
}

/// Replaces a file atomically by one of this mode. Creates missing directories.
pub fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let mut draft = tempfile::Builder::new()
        .prefix(".ctxpin-")
        .tempfile_in(directory)?;
    draft.write_all(text.as_bytes())?;
    let file = draft.as_file();
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    draft.persist(path)?;
    Ok(())
}
