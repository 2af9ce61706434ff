//! The running server of `ctxpin up`, and how other processes of the user find it.

use std::io;
use std::path::Path;
use std::time::Duration;

use ctxpin_client::{Client, PlainHttp};
use ctxpin_private_files::lock::Lock;
use ctxpin_private_files::token::{self, TokenError};
use ctxpin_protocol::http::people::Secret;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::data_directory::{
    DataDirectory, DatabaseKey, file_write, json_read, unreadable, unwritable,
};
use crate::owned;
use crate::process::Process;
use crate::say::{self, Failure, Hint, Setting};

/// The name of the file in which a server writes the token of its first user.
pub const ADMIN_TOKEN_NAME: &str = "admin-token";

/// A running server of `ctxpin up`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningServer {
    pub url: Url,
    /// The id of the process that runs the server.
    pub pid: u32,
    pub database: DatabaseKey,
}

/// The content of `server.json`.
#[derive(Serialize, Deserialize)]
struct ServerFile {
    url: String,
    pid: u32,
    database: String,
}

impl RunningServer {
    /// Finds the running server. The file that describes it is valid only while a process holds the lock,
    /// because a process that takes the lock deletes the file first.
    ///
    /// # Errors
    ///
    /// Fails if the lock or the file cannot be read.
    pub fn find(data: &DataDirectory) -> Result<Option<Self>, Failure> {
        if !is_locked(&data.server_lock())? {
            return Ok(None);
        }
        Self::read(data)
    }

    /// Reads the file. The lock must be held. Returns `None` while the server starts or stops.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or if the server runs in another container or on another machine,
    /// since another process may listen at its address here.
    pub fn read(data: &DataDirectory) -> Result<Option<Self>, Failure> {
        if let Some(process) = Process::noted(&data.server_lock())
            && !process.shares_addresses()
        {
            return Err(elsewhere(&process));
        }
        let path = data.server_file();
        owned::file_demand(&path)?;
        let Some(file) = json_read::<ServerFile>(&path)? else {
            return Ok(None);
        };
        let url = Url::parse(&file.url).map_err(|error| unreadable(&path).because(error))?;
        let database = DatabaseKey::noted(&file.database)
            .ok_or_else(|| unreadable(&path).because("it names no database"))?;
        Ok(Some(Self {
            url,
            pid: file.pid,
            database,
        }))
    }

    /// Writes the file. The caller must hold the lock.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn write(&self, data: &DataDirectory) -> Result<(), Failure> {
        let file = ServerFile {
            url: self.url.to_string(),
            pid: self.pid,
            database: self.database.as_str().to_owned(),
        };
        let json = serde_json::to_vec_pretty(&file)
            .map_err(|error| Failure::new("the server's file cannot be written").because(error))?;
        file_write(&data.server_file(), &json)
    }

    /// Returns the token of the server's first user.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn admin_token(&self, data: &DataDirectory) -> Result<Secret, Failure> {
        let path = data.server(&self.database).join(ADMIN_TOKEN_NAME);
        owned::file_demand(&path)?;
        token_read(&path).map_err(|failure| {
            failure.hint(Hint::set(
                Setting::TokenFile,
                "gives a token of yours, if the database was set up from elsewhere",
            ))
        })
    }
}

fn elsewhere(process: &Process) -> Failure {
    Failure::new(format!(
        "the server of `ctxpin up` runs in another container or on another machine ({})",
        process.name_with_host()
    ))
    .hint(Hint::say("run the command there"))
    .hint(Hint::set(
        Setting::Server,
        "names a server that can be reached from here, for commands that only ask one",
    ))
}

/// Pause between two checks whether a starting server is ready.
pub const READY_INTERVAL: Duration = Duration::from_millis(25);

/// Returns a client for requests that need no token, such as readiness.
///
/// # Errors
///
/// Fails if the address is not one of a server.
pub fn prober(url: &Url) -> Result<Client, Failure> {
    let client = Client::with_plain_http(url.clone(), Secret::new("none"), PlainHttp::Allowed);
    Ok(client?)
}

/// Waits until a server is ready.
///
/// # Errors
///
/// Fails if the address is not one of a server.
pub async fn until_ready(url: &Url) -> Result<(), Failure> {
    let prober = prober(url)?;
    while prober.readiness_check().await.is_err() {
        tokio::time::sleep(READY_INTERVAL).await;
    }
    Ok(())
}

/// Reads a token from a file. The file may be a link, as mounted secrets are, and may belong to root.
///
/// # Errors
///
/// Fails if the file is not a regular file, cannot be read, is empty or too long, or if another user can
/// have written it: the token decides whose account is used.
pub fn token_read(path: &Path) -> Result<Secret, Failure> {
    let unreadable = || Failure::new(format!("the token in {} cannot be read", say::path(&path)));
    let (token, metadata) = token::read(path).map_err(|error| match error {
        TokenError::Exposed(exposure) => owned::token_refusal(path, exposure),
        TokenError::Empty => Failure::new(format!("{} holds no token", say::path(&path))),
        TokenError::Unreadable(_) | TokenError::NotText => unreadable().because(error),
    })?;
    if owned::is_for_all(&metadata) {
        let shown = say::path(&path);
        say::note(&format!(
            "every user of this machine can read the token in {shown}; `chmod 600 {shown}` ends that"
        ));
    }
    Ok(Secret::new(token))
}

/// Takes the lock at `path` without waiting, and creates its file if it is missing. Returns `None` if
/// another process holds the lock.
///
/// # Errors
///
/// Fails if the lock's file does not belong to the user, or cannot be opened, or locking fails for another
/// reason.
pub fn lock_take(path: &Path) -> Result<Option<Lock>, Failure> {
    owned::file_demand(path)?;
    Lock::take(path).map_err(|error| lock_failure(path, error))
}

/// Writes into a lock that this process holds it, for processes that wait for it or want to stop this one.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn lock_note(path: &Path, lock: &Lock) -> Result<(), Failure> {
    Process::own()
        .note(lock)
        .map_err(|error| unwritable(path, error))
}

/// Returns whether another process holds a lock. Concurrent checks do not disturb each other.
///
/// # Errors
///
/// Fails if the lock's file does not belong to the user, or cannot be opened or tested.
pub fn is_locked(path: &Path) -> Result<bool, Failure> {
    owned::file_demand(path)?;
    Lock::is_held(path).map_err(|error| lock_failure(path, error))
}

fn lock_failure(path: &Path, error: io::Error) -> Failure {
    Failure::new(format!("{} cannot be locked", say::path(&path))).because(error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// These requests send no token, so plain HTTP is allowed.
    #[test]
    fn a_server_on_the_network_is_asked_whether_it_is_ready() {
        for address in ["http://192.0.2.1:7878", "http://[2001:db8::1]:7878"] {
            assert!(prober(&Url::parse(address).unwrap()).is_ok(), "{address}");
        }
    }

    #[test]
    fn a_token_is_read_without_its_line_end() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("token");
        assert!(token_read(&path).is_err());
        fs::write(&path, "abc\n").unwrap();
        assert_eq!(token_read(&path).unwrap().expose(), "abc");
        fs::write(&path, "\n").unwrap();
        assert!(token_read(&path).is_err());
    }

    #[test]
    fn finding_20_a_token_that_others_could_have_chosen_is_not_read() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("token");
        fs::write(&path, "abc").unwrap();
        let link = temporary.path().join("link");
        symlink("token", &link).unwrap();
        assert_eq!(token_read(&link).unwrap().expose(), "abc");
        for mode in [0o666, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = format!("{:?}", token_read(&link).unwrap_err());
            assert!(said.contains("others may write it"), "{said}");
            assert!(
                said.contains("chmod 600") && said.contains("ctxpin token revoke"),
                "{said}"
            );
        }
        // A FIFO does not block, and an endless file is not read.
        let fifo = temporary.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
        for (path, reason) in [
            (fifo.as_path(), "no regular file"),
            (Path::new("/dev/zero"), "no regular file"),
            (temporary.path(), "no regular file"),
        ] {
            let said = format!("{:?}", token_read(path).unwrap_err());
            assert!(said.contains(reason), "{said}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "a".repeat(5_000)).unwrap();
        let said = format!("{:?}", token_read(&path).unwrap_err());
        assert!(said.contains("longer than 4096 bytes"), "{said}");
    }
}
