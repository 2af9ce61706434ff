//! The user's data directory: what `ctxpin up` keeps, and where.
//!
//! ```text
//! server.lock                 held by the process in which the server runs, which it names
//! server.json                 where that server is
//! port                        the port that was taken first, and is kept
//! up.log                      what `ctxpin up --detach` has to say
//! servers/<database>/         the server's own: its database if that is SQLite, its first token
//! agents/<directory>/         one for each watched directory, named after its path
//!   directory                 that path
//!   up.lock                   held by the `ctxpin up` of the directory, which it names
//!   state/                    the agent's own: its control socket, its declared sources
//!   <database>/               its id and token at the server with that database
//! runs/<directory>/           one for each directory on which `ctxpin agent run` ran
//!   agent.json                which agent of which server that was
//!   state/                    the agent's own, unless --state-dir names another place
//! ```

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use ctxpin_model::hash::BlobHash;
use ctxpin_private_files::{directory, file};
use etcetera::BaseStrategy;
use serde::de::DeserializeOwned;

use crate::owned;
use crate::say::{self, Failure, Hint, Setting};
use crate::setting::{DATA_DIRECTORY_VARIABLE, variable};

/// Digits of a hash that stand for a path or an address in a name: enough that two never meet.
const KEY_DIGITS: usize = 16;

/// The key of the database in the data directory.
const SQLITE_KEY: &str = "sqlite";

/// The user's data directory.
#[derive(Debug, Clone)]
pub struct DataDirectory {
    path: PathBuf,
}

impl DataDirectory {
    /// Where it is, whether or not it exists.
    ///
    /// # Errors
    ///
    /// If nothing says where the user's data is kept, or if it is another user's or others may write in it.
    pub fn locate() -> Result<Self, Failure> {
        let named = variable(DATA_DIRECTORY_VARIABLE);
        let path = match named {
            Some(path) => std::path::absolute(PathBuf::from(path)).map_err(|error| {
                Failure::new(format!("{DATA_DIRECTORY_VARIABLE} names no directory")).because(error)
            })?,
            None => etcetera::choose_base_strategy()
                .map_err(|_| {
                    Failure::new("your home directory cannot be found")
                        .hint(Hint::set(Setting::Home, "names it"))
                        .hint(Hint::set(
                            Setting::DataDirectoryVariable,
                            "names a data directory",
                        ))
                })?
                .data_dir()
                .join("ctxpin"),
        };
        owned::directory_demand(&path)?;
        Ok(Self { path })
    }

    /// One at a path, for tests.
    #[cfg(test)]
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Creates it, for its user alone.
    ///
    /// # Errors
    ///
    /// If it cannot be created, or would be root's in the home of another user.
    pub fn create(&self) -> Result<(), Failure> {
        owned::place_demand(&self.path)?;
        directory_create(&self.path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock of the process in which the server runs.
    pub fn server_lock(&self) -> PathBuf {
        self.path.join("server.lock")
    }

    /// Where the running server is described.
    pub fn server_file(&self) -> PathBuf {
        self.path.join("server.json")
    }

    /// Where the port is kept.
    pub fn port_file(&self) -> PathBuf {
        self.path.join("port")
    }

    /// Where processes in the background say what they have to say.
    pub fn log_file(&self) -> PathBuf {
        self.path.join("up.log")
    }

    /// The directory of the server with that database.
    pub fn server(&self, database: &DatabaseKey) -> PathBuf {
        self.path.join("servers").join(&database.0)
    }

    /// What is kept of a watched directory, by its canonical path.
    pub fn agent(&self, directory: &Path) -> AgentDirectory {
        let path = self.path.join("agents").join(path_key(directory));
        AgentDirectory { path }
    }

    /// What is kept of every directory that was ever watched by `ctxpin up`.
    ///
    /// # Errors
    ///
    /// If the list cannot be read.
    pub fn agents(&self) -> Result<Vec<AgentDirectory>, Failure> {
        let agents = self.path.join("agents");
        let unreadable = |error: io::Error| unreadable(&agents).because(error);
        let entries = match fs::read_dir(&agents) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(unreadable)?,
        };
        entries
            .map(|entry| {
                let path = entry.map_err(unreadable)?.path();
                Ok(AgentDirectory { path })
            })
            .collect()
    }

    /// What `ctxpin agent run` keeps of an agent on that canonical path.
    fn run(&self, directory: &Path) -> PathBuf {
        self.path.join("runs").join(path_key(directory))
    }

    /// Where `ctxpin agent run` keeps the state of an agent on that canonical path.
    pub fn run_state(&self, directory: &Path) -> PathBuf {
        self.run(directory).join("state")
    }

    /// Where `ctxpin agent run` notes which agent runs on that canonical path.
    pub fn run_note(&self, directory: &Path) -> PathBuf {
        self.run(directory).join("agent.json")
    }
}

/// What is kept of one watched directory.
#[derive(Debug, Clone)]
pub struct AgentDirectory {
    path: PathBuf,
}

impl AgentDirectory {
    /// Creates it, and notes of which directory it is.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    pub fn create(&self, directory: &Path) -> Result<(), Failure> {
        directory_create(&self.state())?;
        file_write(
            &self.path.join("directory"),
            directory.as_os_str().as_bytes(),
        )
    }

    /// The watched directory; `None` if that was never noted.
    pub fn directory(&self) -> Option<PathBuf> {
        let path = fs::read(self.path.join("directory")).ok()?;
        Some(PathBuf::from(std::ffi::OsString::from_vec(path)))
    }

    /// The lock of the `ctxpin up` that watches the directory.
    pub fn lock(&self) -> PathBuf {
        self.path.join("up.lock")
    }

    /// Where the agent keeps its own state.
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Where the agent's id and token at the server with that database are kept.
    pub fn credentials(&self, database: &DatabaseKey) -> PathBuf {
        self.path.join(&database.0)
    }
}

/// Stands for a database in the names of files, without telling its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseKey(String);

impl DatabaseKey {
    /// The key of a database: SQLite without an address.
    pub fn of(address: Option<&str>) -> Self {
        Self(match address {
            None => SQLITE_KEY.to_owned(),
            Some(address) => format!("postgres-{}", key(address.as_bytes())),
        })
    }

    /// Reads a key that was written down.
    pub fn noted(text: &str) -> Option<Self> {
        let is_name = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        (!text.is_empty() && is_name(text)).then(|| Self(text.to_owned()))
    }

    /// The key as it is written down.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is elsewhere than in the data directory.
    pub fn is_remote(&self) -> bool {
        self.0 != SQLITE_KEY
    }

    /// What kind of database it is, for people.
    pub fn describe(&self) -> &'static str {
        match self.is_remote() {
            false => "SQLite",
            true => "PostgreSQL",
        }
    }
}

/// A name for a path that fits where the path does not.
pub fn path_key(path: &Path) -> String {
    key(path.as_os_str().as_bytes())
}

fn key(bytes: &[u8]) -> String {
    let mut digits = BlobHash::of(bytes).hex();
    digits.truncate(KEY_DIGITS);
    digits
}

/// Creates a directory and those above it, for the user alone.
///
/// # Errors
///
/// If it cannot be created.
pub fn directory_create(path: &Path) -> Result<(), Failure> {
    directory::create(path).map_err(|error| {
        Failure::new(format!("{} cannot be created", say::path(&path)))
            .because(error)
            .hint(Hint::set(
                Setting::DataDirectoryVariable,
                "names a directory that you may write to",
            ))
    })
}

/// Reads a file of JSON that is kept here; `None` if there is none.
///
/// # Errors
///
/// If it cannot be read.
pub fn json_read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path).because(error)),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| unreadable(path).because(error)),
    }
}

/// Returns the failure that a file or a directory cannot be read. The caller adds the cause.
pub fn unreadable(path: &Path) -> Failure {
    Failure::new(format!("{} cannot be read", say::path(&path)))
}

/// Writes a file that its user alone may read. It is there whole or not at all, whenever the
/// machine stops.
///
/// # Errors
///
/// If it cannot be written.
pub fn file_write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    file::replace(path, bytes).map_err(|error| unwritable(path).because(error))
}

/// Returns the failure that a file cannot be written. The caller adds the cause.
pub fn unwritable(path: &Path) -> Failure {
    Failure::new(format!("{} cannot be written", say::path(&path)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_database_key_tells_no_password() {
        let key = DatabaseKey::of(Some("postgres://ada:secret@db/ctxpin"));
        assert_eq!(key.describe(), "PostgreSQL");
        assert!(!key.as_str().contains("secret"));
        assert_eq!(DatabaseKey::noted(key.as_str()), Some(key));
        assert_eq!(DatabaseKey::of(None).as_str(), "sqlite");
        assert_eq!(DatabaseKey::noted("../x"), None);
        assert_eq!(DatabaseKey::noted(""), None);
    }

    #[test]
    fn what_is_written_is_private() {
        let temporary = tempfile::tempdir().unwrap();
        let data = DataDirectory::at(&temporary.path().join("data"));
        assert!(data.agents().unwrap().is_empty());
        let agent = data.agent(Path::new("/srv/app"));
        agent.create(Path::new("/srv/app")).unwrap();
        assert_eq!(agent.directory(), Some(PathBuf::from("/srv/app")));
        assert_eq!(data.agents().unwrap().len(), 1);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data.path), 0o700);
        assert_eq!(mode(&agent.path.join("directory")), 0o600);
    }
}
