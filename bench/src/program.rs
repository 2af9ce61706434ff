//! Processes: servers and agents of the built program, and the server of the limits.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ctxpin_model::profile::Profile;
use tokio::process::{Child, Command};

use crate::database::Fresh;
use crate::wire::{self, Connection};

/// Quotas and rates above the need of every case, so that no case reaches one. They are variables and not
/// options, so that a program without quotas can be compared too.
const BOUNDLESS: [&str; 8] = [
    "CTXPIN_CONTENT_QUOTA",
    "CTXPIN_AGENTS_QUOTA",
    "CTXPIN_CHATS_QUOTA",
    "CTXPIN_TOKENS_QUOTA",
    "CTXPIN_PUSHES_PER_MINUTE",
    "CTXPIN_UPLOAD_PER_MINUTE",
    "CTXPIN_TURNS_PER_MINUTE",
    "CTXPIN_MOVES_PER_MINUTE",
];

/// Longest wait for a process to be ready. It is reached only by a failure.
const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// How often it is looked whether it is.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// A process, killed when this is dropped.
pub struct Process {
    child: Child,
}

/// A running server.
pub struct Server {
    process: Process,
    /// The address of its socket.
    pub address: SocketAddr,
    /// The time from its start until it is ready.
    pub ready_after: Duration,
}

impl Process {
    fn spawn(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = File::create(log).with_context(|| format!("making {}", log.display()))?;
        let child = command
            .env_remove("CTXPIN_DATABASE")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("starting a process")?;
        Ok(Self { child })
    }

    /// Returns the resident memory of the process, in bytes.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        self.bytes_of("VmRSS:")
    }

    /// Returns the most memory that the process has had resident, in bytes.
    pub fn most_resident_bytes(&self) -> anyhow::Result<u64> {
        self.bytes_of("VmHWM:")
    }

    /// Returns how many directories the process watches.
    pub fn file_watches(&self) -> anyhow::Result<usize> {
        let id = self.child.id().context("the process has ended")?;
        let mut count = 0;
        for entry in std::fs::read_dir(format!("/proc/{id}/fdinfo"))? {
            // A descriptor may be closed meanwhile.
            let Ok(info) = std::fs::read_to_string(entry?.path()) else {
                continue;
            };
            let watches = info.lines().filter(|line| line.starts_with("inotify wd:"));
            count += watches.count();
        }
        Ok(count)
    }

    fn bytes_of(&self, name: &str) -> anyhow::Result<u64> {
        let id = self.child.id().context("the process has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        let kibibytes: u64 = kibibytes.context("no resident size is told")?.parse()?;
        Ok(kibibytes * 1024)
    }

    /// Ends the process as an operator would, and waits until it has ended.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.child.id().context("the process has ended")?;
        let id = rustix::process::Pid::from_raw(i32::try_from(id)?).context("no process id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        let ended = tokio::time::timeout(READY_TIME_MAX, self.child.wait()).await;
        ended.context("the process does not end")??;
        Ok(())
    }
}

impl Server {
    /// Starts `ctxpin serve` on a database, as its replica of that number.
    pub async fn start(program: &Path, fresh: &Fresh, replica: usize) -> anyhow::Result<Self> {
        let port = free_port()?;
        let directory = match fresh.url() {
            // SQLite's file lies in it.
            None => fresh.directory().to_owned(),
            Some(_) => fresh.directory().join(format!("server-{replica}")),
        };
        let mut command = Command::new(program);
        command
            .arg("serve")
            .envs(BOUNDLESS.map(|quota| (quota, "1000000000000")))
            .arg("--listen")
            .arg(format!("127.0.0.1:{port}"))
            .arg("--data-dir")
            .arg(&directory);
        if let Some(url) = fresh.url() {
            command.arg("--database").arg(url);
        }
        let log = fresh.directory().join(format!("server-{replica}.log"));
        Self::start_command(command, port, &log, "/readyz").await
    }

    /// Starts this program's server of the limits on a database.
    pub async fn start_limits(fresh: &Fresh) -> anyhow::Result<Self> {
        let port = free_port()?;
        let own = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(own);
        command.args(["limits", "--port", &port.to_string()]);
        match fresh.url() {
            None => command.arg("--sqlite").arg(fresh.sqlite_path()),
            Some(url) => command.arg("--postgres").arg(url),
        };
        let log = fresh.directory().join("limits.log");
        Self::start_command(command, port, &log, "/constant").await
    }

    async fn start_command(
        mut command: Command,
        port: u16,
        log: &Path,
        ready_path: &str,
    ) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut process = Process::spawn(&mut command, log)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let request = wire::request("GET", ready_path, &[], "");
        loop {
            if let Ok(mut connection) = Connection::open(address).await
                && let Ok(answer) = connection.ask(&request).await
                && answer.status == 200
            {
                return Ok(Self {
                    process,
                    address,
                    ready_after: begun.elapsed(),
                });
            }
            if process.child.try_wait()?.is_some() || begun.elapsed() > READY_TIME_MAX {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("a server did not get ready; it says:\n{said}");
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Returns the resident memory of the process, in bytes.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        self.process.resident_bytes()
    }

    /// Stops the server and waits for its end.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}

/// Starts `ctxpin agent run` on a directory. The agent keeps its own files in `place`.
pub fn agent_start(
    program: &Path,
    server: SocketAddr,
    token: &str,
    directory: &Path,
    place: &Path,
    profile: Profile,
) -> anyhow::Result<Process> {
    let mut command = Command::new(program);
    command
        .args(["agent", "run", "--server"])
        .arg(format!("http://{server}"))
        .arg("--dir")
        .arg(directory)
        .arg("--state-dir")
        .arg(place.join("state"))
        .args(["--profile", profile.as_str()])
        .env("CTXPIN_TOKEN", token)
        // Nothing of the caller's own shall be found.
        .env("HOME", place);
    Process::spawn(&mut command, &place.join("agent.log"))
}

/// Returns a port that is free now. Another process could take it before the server does, which
/// would show as a server that does not start.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    Ok(listener.local_addr()?.port())
}
