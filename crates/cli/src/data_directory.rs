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
//!   unwatched                 written when a hook told that nothing watches the directory any more
//!   <database>/               its id and token at the server with that database
//!   <profile>/<database>/     those of the directory's agent of another profile than `neutral`
//! hooks/                      what the hooks of tools need
//!   <tool>.json               what installing them has changed in the tool's settings
//!   codex-trust.json          what was changed so that Codex trusts them
//!   token                     the token that they send to the server of `ctxpin up`
//!   <server>/token            the one that they send to another server
//!   <tool>.called             written when a hook was last called
//!   paused                    while they do nothing
//!   log                       why they did nothing
//! runs/<directory>/           one for each directory on which `ctxpin agent run` ran
//!   agent.json                which agent of which server that was
//!   state/                    the agent's own, unless --state-dir names another place
//!   <server>/                 its id and token at that server, if it got them by a code
//!   <profile>/                the same of an agent of another profile than `neutral`
//! ```

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use ctxpin_client::leads_to_this_machine;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::Profile;
use ctxpin_private_files::remedy::remedy;
use ctxpin_private_files::{directory, file};
use etcetera::BaseStrategy;
use serde::de::DeserializeOwned;
use url::Url;

use crate::owned;
use crate::say::{self, Failure, Hint, Setting};
use crate::setting::{DATA_DIRECTORY_VARIABLE, variable};

/// Number of hexadecimal digits of a hash in a file name. With 16 digits, collisions do not occur in
/// practice.
const KEY_DIGITS: usize = 16;

/// The key of the SQLite database in the data directory.
const SQLITE_KEY: &str = "sqlite";

/// The user's data directory.
#[derive(Debug, Clone)]
pub struct DataDirectory {
    path: PathBuf,
}

impl DataDirectory {
    /// Returns ctxpin's data directory, which may not exist yet: the value of `CTXPIN_DATA_DIR`,
    /// otherwise `ctxpin` in the place where the system keeps a user's data.
    ///
    /// # Errors
    ///
    /// Fails if the home directory cannot be found, or if ctxpin's data directory exists and belongs to
    /// another user or is writable for others.
    pub fn locate() -> Result<Self, Failure> {
        let named = variable(DATA_DIRECTORY_VARIABLE);
        let path = match named {
            Some(path) => std::path::absolute(PathBuf::from(path)).map_err(|error| {
                Failure::new(format!(
                    "{DATA_DIRECTORY_VARIABLE} does not name a directory"
                ))
                .because(error)
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

    /// Returns the data directory at an absolute path, whatever the environment says.
    ///
    /// # Errors
    ///
    /// Fails if it belongs to another user or is writable for others.
    pub fn named(path: &Path) -> Result<Self, Failure> {
        owned::directory_demand(path)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Returns the data directory at a path, for tests.
    #[cfg(test)]
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Creates the directory with access for its user only.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be created, or root would create it in the home of another user.
    pub fn create(&self) -> Result<(), Failure> {
        owned::place_demand(&self.path)?;
        directory_create(&self.path)
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the lock of the process that runs the server.
    pub fn server_lock(&self) -> PathBuf {
        self.path.join("server.lock")
    }

    /// Returns the path of the file that describes the running server.
    pub fn server_file(&self) -> PathBuf {
        self.path.join("server.json")
    }

    /// Returns the path of the file with the server's port.
    pub fn port_file(&self) -> PathBuf {
        self.path.join("port")
    }

    /// Returns the path of the file that leads a browser to the web page.
    pub fn page_file(&self) -> PathBuf {
        self.path.join("open.html")
    }

    /// Returns the path of the log of background processes.
    pub fn log_file(&self) -> PathBuf {
        self.path.join("up.log")
    }

    /// Returns the path of the directory of the server with this database.
    pub fn server(&self, database: &DatabaseKey) -> PathBuf {
        self.path.join("servers").join(&database.0)
    }

    /// Returns the directory that `ctxpin up` keeps for a watched directory with this canonical path.
    pub fn agent(&self, directory: &Path) -> AgentDirectory {
        let path = self.path.join("agents").join(path_key(directory));
        AgentDirectory { path }
    }

    /// Returns the directories that `ctxpin up` keeps, one for each directory that it ever watched.
    ///
    /// # Errors
    ///
    /// Fails if the list cannot be read.
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

    /// Returns the state directories of all processes that ever watched a directory here for a profile: of `ctxpin up`,
    /// and of `ctxpin agent run`.
    ///
    /// # Errors
    ///
    /// Fails if a list of them cannot be read.
    pub fn states(&self, profile: Profile) -> Result<Vec<PathBuf>, Failure> {
        let agents = self.agents()?;
        let mut states: Vec<_> = agents.iter().map(AgentDirectory::state).collect();
        let runs = self.path.join("runs");
        let unreadable = |error: io::Error| unreadable(&runs).because(error);
        match fs::read_dir(&runs) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            entries => {
                for entry in entries.map_err(unreadable)? {
                    let run = entry.map_err(unreadable)?.path();
                    states.push(of_profile(run, profile).join("state"));
                }
            }
        }
        Ok(states)
    }

    /// Returns the path of what the hooks of tools need.
    pub fn hooks(&self) -> PathBuf {
        self.path.join("hooks")
    }

    /// Returns the path of the file with the token that hooks send to a server, or to that of `ctxpin up`.
    pub fn hook_token(&self, server: Option<&Url>) -> PathBuf {
        let own = self.hooks();
        let directory = match server {
            Some(server) => own.join(key(server_name(server).as_bytes())),
            None => own,
        };
        directory.join("token")
    }

    /// Returns the path of the file whose time is that of the last call of a tool's hook.
    pub fn hook_called(&self, tool: Profile) -> PathBuf {
        self.hooks().join(format!("{tool}.called"))
    }

    /// Returns the path of the file that exists while hooks are paused.
    pub fn hooks_paused(&self) -> PathBuf {
        self.hooks().join("paused")
    }

    /// Returns the path of what `ctxpin agent run` keeps for a directory with this canonical path.
    fn run(&self, directory: &Path) -> PathBuf {
        self.path.join("runs").join(path_key(directory))
    }

    /// Returns the path of what `ctxpin agent run` keeps for a directory with this canonical path and for a profile.
    fn run_of(&self, directory: &Path, profile: Profile) -> PathBuf {
        of_profile(self.run(directory), profile)
    }

    /// Returns the path of the state directory of `ctxpin agent run` for a directory with this canonical
    /// path and for a profile.
    pub fn run_state(&self, directory: &Path, profile: Profile) -> PathBuf {
        self.run_of(directory, profile).join("state")
    }

    /// Returns the path of the directory with the id and the token that the agent of a directory with this canonical
    /// path and of a profile got by a code of the server at `server`.
    pub fn run_credentials(&self, directory: &Path, profile: Profile, server: &Url) -> PathBuf {
        let server = server_name(server);
        self.run_of(directory, profile).join(key(server.as_bytes()))
    }

    /// Returns the path of the file in which `ctxpin agent run` records the agent of a directory with this
    /// canonical path and of a profile.
    pub fn run_note(&self, directory: &Path, profile: Profile) -> PathBuf {
        self.run_of(directory, profile).join("agent.json")
    }
}

/// Returns whether two addresses are those of one server. All addresses of this machine with the same port
/// and path are, because a server there must prove that it knows the token.
pub fn is_one_server(one: &Url, other: &Url) -> bool {
    server_name(one) == server_name(other)
}

fn server_name(server: &Url) -> String {
    match leads_to_this_machine(server) {
        true => format!("{:?}{}", server.port_or_known_default(), server.path()),
        false => server.to_string(),
    }
}

/// The files that `ctxpin up` keeps for a watched directory.
#[derive(Debug, Clone)]
pub struct AgentDirectory {
    path: PathBuf,
}

impl AgentDirectory {
    /// Creates the state directory, and records the watched directory.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be created.
    pub fn create(&self, directory: &Path) -> Result<(), Failure> {
        directory_create(&self.state())?;
        file_write(
            &self.path.join("directory"),
            directory.as_os_str().as_bytes(),
        )
    }

    /// Returns the watched directory, or `None` if it was never recorded.
    pub fn directory(&self) -> Option<PathBuf> {
        let path = fs::read(self.path.join("directory")).ok()?;
        Some(PathBuf::from(std::ffi::OsString::from_vec(path)))
    }

    /// Returns the path of the lock of the `ctxpin up` that watches the directory.
    pub fn lock(&self) -> PathBuf {
        self.path.join("up.lock")
    }

    /// Returns the path of the agent's state directory.
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Returns the path of the directory with the id and the token of the agent of this profile at the server with this
    /// database.
    pub fn credentials(&self, database: &DatabaseKey, profile: Profile) -> PathBuf {
        of_profile(self.path.clone(), profile).join(&database.0)
    }
}

/// Returns the directory of a profile in another one. The neutral profile has none of its own.
fn of_profile(directory: PathBuf, profile: Profile) -> PathBuf {
    match profile == Profile::Neutral {
        true => directory,
        false => directory.join(profile.as_str()),
    }
}

/// The name of a database in file names, which does not reveal its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseKey(String);

impl DatabaseKey {
    /// Returns the key of the database at an address, or of SQLite without an address.
    pub fn of(address: Option<&str>) -> Self {
        Self(match address {
            None => SQLITE_KEY.to_owned(),
            Some(address) => format!("postgres-{}", key(address.as_bytes())),
        })
    }

    /// Parses a stored key. Returns `None` if the text is not a key.
    pub fn noted(text: &str) -> Option<Self> {
        let is_name = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        (!text.is_empty() && is_name(text)).then(|| Self(text.to_owned()))
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the database lies outside the data directory.
    pub fn is_remote(&self) -> bool {
        self.0 != SQLITE_KEY
    }

    /// Returns the name of the database system.
    pub fn describe(&self) -> &'static str {
        match self.is_remote() {
            false => "SQLite",
            true => "PostgreSQL",
        }
    }
}

/// Returns a short name for a path, for use as a file name.
pub fn path_key(path: &Path) -> String {
    key(path.as_os_str().as_bytes())
}

fn key(bytes: &[u8]) -> String {
    let mut digits = BlobHash::of(bytes).hex();
    digits.truncate(KEY_DIGITS);
    digits
}

/// Creates a directory and its parents with access for the user only.
///
/// # Errors
///
/// Fails if it cannot be created.
pub fn directory_create(path: &Path) -> Result<(), Failure> {
    directory::create(path).map_err(|error| {
        let remedy = remedy(&error).map(Hint::say);
        let failure = Failure::new(format!("{} cannot be created", say::path(&path)));
        let failure = remedy
            .into_iter()
            .fold(failure.because(error), Failure::hint);
        failure.hint(Hint::set(
            Setting::DataDirectoryVariable,
            "names a directory that you may write to",
        ))
    })
}

/// Reads a JSON file. Returns `None` if the file does not exist.
///
/// # Errors
///
/// Fails if it cannot be read.
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

/// Writes a file that only its user may read. The write is atomic, even if the machine stops.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn file_write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    file::replace(path, bytes).map_err(|error| unwritable(path, error))
}

/// Deletes a file, which need not exist.
///
/// # Errors
///
/// Fails if the file cannot be deleted.
pub fn file_remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(path, error)),
        _ => Ok(()),
    }
}

/// Returns the failure that a file cannot be written, with what helps.
pub fn unwritable(path: &Path, error: io::Error) -> Failure {
    let remedy = remedy(&error).map(Hint::say);
    let failure = not_written(path).because(error);
    remedy.into_iter().fold(failure, Failure::hint)
}

/// Returns the failure that a file is not written. The caller adds the cause.
pub fn not_written(path: &Path) -> Failure {
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
    fn a_server_of_this_machine_has_many_names() {
        let data = DataDirectory::at(Path::new("/data"));
        let at = |server: &str| {
            let server = Url::parse(server).unwrap();
            data.run_credentials(Path::new("/srv/app"), Profile::Neutral, &server)
        };
        let own = at("http://127.0.0.1:7878");
        assert_eq!(at("http://x.localhost:7878/"), own);
        assert_eq!(at("http://[::1]:7878"), own);
        for other in [
            "http://127.0.0.1:7879",
            "http://127.0.0.1:7878/below",
            "http://ctxpin.example:7878",
            "https://ctxpin.example:7878",
        ] {
            assert_ne!(at(other), own, "{other}");
        }
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
