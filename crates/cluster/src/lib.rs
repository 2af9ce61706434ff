//! A private PostgreSQL cluster in a temporary directory, reachable through a Unix socket there
//! and through nothing else. It is made to be fast and to be thrown away. [`clock`] moves the wall clocks of
//! processes under test.

mod address;
pub mod clock;
pub mod command;
pub mod install;
pub mod programs;

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use tempfile::TempDir;

pub use crate::address::Address;
use crate::programs::Programs;

/// The settings of every cluster. 200 connections are more than the tests of one machine open at a
/// time.
const SETTINGS: &str = "
listen_addresses = ''
max_connections = 200
shared_buffers = 64MB
";

/// Spares what only standbys need.
const SETTINGS_ALONE: &str = "
wal_level = minimal
max_wal_senders = 0
";

/// Settings without durability, for a cluster that does not outlive the run and is never killed in
/// it.
const SETTINGS_FAST: &str = "
fsync = off
synchronous_commit = off
full_page_writes = off
";

/// The name that PostgreSQL gives the socket of its default port.
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// The longest path of a socket, in bytes, that both Linux (107) and macOS (103) accept.
const SOCKET_PATH_MAX: usize = 103;

/// A running cluster. Dropping it stops the server and removes its files.
#[derive(Debug)]
pub struct Cluster {
    programs: Programs,
    directory: TempDir,
    owner: Option<Owner>,
    url: String,
    running: bool,
}

/// The user that the server runs as, when we are root: PostgreSQL refuses to run as root.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    name: String,
    uid: u32,
    gid: u32,
}

impl Cluster {
    /// Creates a cluster, starts its server, and waits until it accepts connections.
    pub fn start(programs: &Programs) -> anyhow::Result<Self> {
        Self::start_with(programs, &format!("{SETTINGS_ALONE}{SETTINGS_FAST}"))
    }

    /// Starts a cluster like [`Self::start`], with the settings that a standby needs.
    pub fn start_primary(programs: &Programs) -> anyhow::Result<Self> {
        Self::start_with(programs, SETTINGS_FAST)
    }

    /// Starts a cluster like [`Self::start_primary`], with PostgreSQL's own durability.
    pub fn start_durable_primary(programs: &Programs) -> anyhow::Result<Self> {
        Self::start_with(programs, "")
    }

    /// Starts a cluster like [`Self::start`], with PostgreSQL's own durability: acknowledged writes
    /// survive [`Self::crash`]. `settings` are further lines of its configuration, which take
    /// precedence.
    pub fn start_durable(programs: &Programs, settings: &str) -> anyhow::Result<Self> {
        Self::start_with(programs, &format!("{SETTINGS_ALONE}{settings}"))
    }

    /// Starts a standby that follows this one.
    pub fn start_standby(&self) -> anyhow::Result<Self> {
        let mut standby = Self::prepare(&self.programs)?;
        command::output_of(
            standby
                .program("pg_basebackup")
                .args(["--username=postgres", "--checkpoint=fast", "--no-sync"])
                .args(["--wal-method=stream", "--write-recovery-conf"])
                .arg("--host")
                .arg(self.directory.path())
                .arg("--pgdata")
                .arg(standby.data()),
        )?;
        // The last one counts.
        standby.configure("")?;
        standby.launch()?;
        Ok(standby)
    }

    /// Promotes a standby to a primary, and waits until it accepts writes.
    pub fn promote(&self) -> anyhow::Result<()> {
        command::output_of(
            self.program("pg_ctl")
                .arg("promote")
                .arg("--pgdata")
                .arg(self.data())
                .args(["--wait", "--timeout=30", "--silent"]),
        )
        .map(drop)
        .context("promoting a standby")
    }

    /// Stops a primary and starts it as a standby that follows nobody.
    pub fn demote(&mut self) -> anyhow::Result<()> {
        self.halt()?;
        let signal = self.data().join("standby.signal");
        std::fs::write(&signal, "").with_context(|| format!("writing {}", signal.display()))?;
        self.launch()
    }

    /// Ends the server without a shutdown, as a loss of power would: it recovers from its log at
    /// the next start.
    pub fn crash(&mut self) -> anyhow::Result<()> {
        self.halt()
    }

    /// Starts the server again after [`Self::crash`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.launch()
    }

    fn start_with(programs: &Programs, further: &str) -> anyhow::Result<Self> {
        let mut cluster = Self::prepare(programs)?;
        cluster.create(further)?;
        cluster.launch()?;
        Ok(cluster)
    }

    /// Creates an empty directory for a cluster.
    fn prepare(programs: &Programs) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("ctxpin-pg-")
            // The server asks for no password, so no other user may reach the socket.
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(temporary_root())
            .context("making a directory for PostgreSQL")?;
        let socket = directory.path().join(SOCKET_NAME);
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            bail!(
                "{} is too long a path for a socket: set TMPDIR to a shorter one",
                socket.display()
            );
        }
        let owner = owner()?;
        if let Some(owner) = &owner {
            chown(directory.path(), Some(owner.uid), Some(owner.gid))
                .with_context(|| format!("giving the directory to user {}", owner.name))?;
        }
        let url = url(directory.path())?;
        Ok(Self {
            programs: programs.clone(),
            directory,
            owner,
            url,
            running: false,
        })
    }

    /// Returns the URL of the `postgres` database, for the superuser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the directory of the cluster's files. Their owner is the user that the server runs
    /// as.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns a description for people.
    pub fn description(&self) -> String {
        let user = match &self.owner {
            Some(owner) => format!(" as user {}", owner.name),
            None => String::new(),
        };
        format!(
            "a private PostgreSQL {} from {}, running in {}{user}",
            self.programs.version,
            self.programs.directory.display(),
            self.directory.path().display()
        )
    }

    /// Stops the server. Dropping the cluster does the same, but cannot report an error.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.halt()
    }

    /// Creates the cluster's files. Its default collation is that of a language, so that tests find
    /// a query that does not name its collation.
    fn create(&self, further: &str) -> anyhow::Result<()> {
        command::output_of(
            self.program("initdb")
                .arg("--pgdata")
                .arg(self.data())
                .args(["--username=postgres", "--auth=trust", "--no-sync"])
                .args(["--encoding=UTF8", "--locale=C"])
                .args(["--locale-provider=icu", "--icu-locale=en-US"]),
        )?;
        self.configure(&format!("{SETTINGS}{further}"))
    }

    /// Writes the settings, among them the directory of the socket.
    fn configure(&self, further: &str) -> anyhow::Result<()> {
        let settings = self.data().join("postgresql.conf");
        let text = std::fs::read_to_string(&settings)
            .with_context(|| format!("reading {}", settings.display()))?;
        let socket = format!(
            "unix_socket_directories = '{}'\n",
            self.directory.path().display()
        );
        std::fs::write(&settings, text + further + &socket)
            .with_context(|| format!("writing {}", settings.display()))
    }

    fn launch(&mut self) -> anyhow::Result<()> {
        // From here on there may be a server to stop, even if the next command fails half-way.
        self.running = true;
        let log = self.directory.path().join("log");
        let started = command::output_of(
            self.program("pg_ctl")
                .arg("start")
                .arg("--pgdata")
                .arg(self.data())
                .arg("--log")
                .arg(&log)
                .args(["--wait", "--timeout=60", "--silent"]),
        );
        started.map(drop).with_context(|| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            format!("PostgreSQL did not start; its log says:\n{said}")
        })
    }

    /// Stops the server at once, because nothing in it needs an orderly shutdown.
    fn halt(&mut self) -> anyhow::Result<()> {
        if !std::mem::take(&mut self.running) || !self.data().join("postmaster.pid").exists() {
            return Ok(());
        }
        command::output_of(
            self.program("pg_ctl")
                .arg("stop")
                .arg("--pgdata")
                .arg(self.data())
                .args(["--mode=immediate", "--wait", "--timeout=30", "--silent"]),
        )
        .map(drop)
        .context("stopping PostgreSQL")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Returns a command for one of PostgreSQL's programs, as the right user. It has a process
    /// group of its own, so that Ctrl-C on the terminal does not reach the server, and none of the
    /// caller's PG* variables, which would change its behaviour.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.directory.join(name));
        command
            .current_dir(self.directory.path())
            .process_group(0)
            .env("HOME", self.directory.path())
            .env("LC_ALL", "C");
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("PG") {
                command.env_remove(variable);
            }
        }
        if let Some(owner) = &self.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.halt() {
            eprintln!("{error:#}");
        }
    }
}

/// Returns `/tmp` if it exists, because its path is short enough for a socket and every user may
/// enter it.
fn temporary_root() -> PathBuf {
    let short = Path::new("/tmp");
    if short.is_dir() {
        short.to_path_buf()
    } else {
        std::env::temp_dir()
    }
}

/// Returns the URL of a server whose socket is in a directory. sqlx and libpq take the directory
/// from the `host` parameter.
fn url(directory: &Path) -> anyhow::Result<String> {
    let directory = directory
        .to_str()
        .context("the temporary directory's path is not UTF-8")?;
    Ok(format!(
        "postgres://postgres@localhost/postgres?host={directory}"
    ))
}

/// Returns the user that the server runs as. It differs from the caller only if the caller is root.
fn owner() -> anyhow::Result<Option<Owner>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| user(&users, name))
        .map(Some)
        .context(
            "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody",
        )
}

/// Finds a user in the text of `/etc/passwd`.
fn user(users: &str, name: &str) -> Option<Owner> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (found, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (found == name).then(|| Owner {
            name: name.to_owned(),
            uid,
            gid,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\n\
                     broken line\n\
                     postgres-old:x:7:7::/:/bin/sh\n\
                     postgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        let found = user(users, "postgres").expect("it is listed");
        assert_eq!((found.uid, found.gid), (101, 104));
        assert_eq!(user(users, "nobody"), None);
        assert_eq!(user("postgres:x:many:1::/:/bin/sh", "postgres"), None);
    }

    #[test]
    fn the_url_names_the_directory_of_the_socket() {
        let url = url(Path::new("/tmp/ctxpin-pg-1")).expect("it is UTF-8");
        assert_eq!(
            url,
            "postgres://postgres@localhost/postgres?host=/tmp/ctxpin-pg-1"
        );
    }
}
