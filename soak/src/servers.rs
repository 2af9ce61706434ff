//! The servers under test: processes of the built program, each with a port and a data directory
//! that it keeps through every restart.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ctxpin_client::Client;
use ctxpin_protocol::http::people::Secret;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use url::Url;

use crate::clocks::{self, Clocks};

/// Quotas and rates above the load, which is more than honest callers send.
const BOUNDLESS: [&str; 8] = [
    "--content-quota=1000000000000",
    "--agents-quota=1000000000000",
    "--chats-quota=1000000000000",
    "--tokens-quota=1000000000000",
    "--pushes-per-minute=1000000000000",
    "--upload-per-minute=1000000000000",
    "--turns-per-minute=1000000000000",
    "--moves-per-minute=1000000000000",
];

/// Longest wait for a server to be ready, and for a loaded database to recover.
pub const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// How often a condition is looked at while it is waited for.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// The servers of one database. Dropping them kills every process and removes their files.
pub struct Servers {
    program: PathBuf,
    database: Option<String>,
    ignores_limits: bool,
    replicas: Vec<Replica>,
    directory: TempDir,
    /// The port of the proxy, for which the servers prove themselves.
    pub proxy_port: u16,
    /// Their clocks, if they have some of their own.
    pub clocks: Option<Clocks>,
    /// How many processes were started after the first of each replica.
    pub restarts: u64,
    /// How many processes were killed.
    pub kills: u64,
    /// How many ended by themselves before they served. A server that starts while its database is
    /// down ends.
    pub ended_starting: u64,
    /// How many ended by themselves while they served. None may.
    pub ended_serving: u64,
}

/// The text in a server's log that shows that it serves.
const SERVING: &str = "storage=\"";

struct Replica {
    port: u16,
    child: Child,
    /// How much of its log was written by processes before this one.
    log_begin: u64,
}

impl Servers {
    /// Starts `count` servers on the database of that URL, or on SQLite, and waits until they are
    /// ready.
    pub async fn start(
        program: &Path,
        count: usize,
        database: Option<String>,
    ) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("ctxpin-soak-").tempdir()?;
        Self::start_in(directory, program, count, database, false).await
    }

    /// Starts servers like [`Self::start`], with their data in `data-0` and so on of a given
    /// directory. With `ignores_limits`, a file that would exceed the limit of its size is an error
    /// for the server, as on a full disk, and does not end the server.
    pub async fn start_in(
        directory: TempDir,
        program: &Path,
        count: usize,
        database: Option<String>,
        ignores_limits: bool,
    ) -> anyhow::Result<Self> {
        // The servers run a copy, so that a build during the run does not change a restarted server.
        let copy = directory.path().join("ctxpin");
        std::fs::copy(program, &copy).with_context(|| format!("copying {}", program.display()))?;
        let mut servers = Self {
            program: copy,
            database,
            ignores_limits,
            replicas: Vec::new(),
            directory,
            proxy_port: free_port()?,
            clocks: None,
            restarts: 0,
            kills: 0,
            ended_starting: 0,
            ended_serving: 0,
        };
        for index in 0..count {
            let port = free_port()?;
            let child = servers.spawn(index, port)?;
            servers.replicas.push(Replica {
                port,
                child,
                log_begin: 0,
            });
            // One after the other, because the first one creates the first user and writes its
            // token.
            servers.await_all().await?;
        }
        Ok(servers)
    }

    /// Returns the count.
    pub fn count(&self) -> usize {
        self.replicas.len()
    }

    /// Returns the addresses of all replicas.
    pub fn addresses(&self) -> anyhow::Result<Vec<Url>> {
        let ports = self.replicas.iter().map(|replica| replica.port);
        ports.map(address).collect()
    }

    /// Returns the token of the first user.
    pub fn token(&self) -> anyhow::Result<Secret> {
        let path = self.data_directory(0).join("admin-token");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        let token = text.split_whitespace().next().context("it is empty")?;
        Ok(Secret::new(token))
    }

    /// Kills a server with SIGKILL and starts it again at the same address with the same data.
    pub async fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        self.end(index).await?;
        self.kills += 1;
        self.start_again(index)
    }

    /// Restarts the servers that have ended by themselves.
    pub fn tend(&mut self) -> anyhow::Result<()> {
        for index in 0..self.replicas.len() {
            if self.replicas[index].child.try_wait()?.is_some() {
                if self.has_served(index)? {
                    self.ended_serving += 1;
                } else {
                    self.ended_starting += 1;
                }
                self.start_again(index)?;
            }
        }
        Ok(())
    }

    /// Pauses a server wherever it is, like a machine that sleeps.
    pub fn pause(&self, index: usize) -> anyhow::Result<()> {
        self.signal(index, Signal::STOP)
    }

    /// Resumes a paused server.
    pub fn resume(&self, index: usize) -> anyhow::Result<()> {
        self.signal(index, Signal::CONT)
    }

    /// Returns the process of a server.
    pub fn process(&self, index: usize) -> anyhow::Result<u32> {
        let id = self.replicas[index].child.id();
        id.context("the server has ended")
    }

    fn signal(&self, index: usize, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.process(index)?)?;
        let process = Pid::from_raw(id).context("the server has no process")?;
        rustix::process::kill_process(process, signal).context("signalling a server")
    }

    /// Returns the directory of the servers' files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the program that the servers run.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Restarts every server, so that later responses come from stored data only.
    pub async fn restart_all(&mut self) -> anyhow::Result<()> {
        self.stop_all().await?;
        for index in 0..self.replicas.len() {
            self.start_again(index)?;
        }
        self.await_all().await
    }

    /// Ends every server.
    pub async fn stop_all(&mut self) -> anyhow::Result<()> {
        for index in 0..self.replicas.len() {
            self.end(index).await?;
        }
        Ok(())
    }

    /// Waits until every server is ready, and restarts those that have ended.
    pub async fn await_all(&mut self) -> anyhow::Result<()> {
        let token = Secret::new("none");
        for address in self.addresses()? {
            let client = Client::new(address, token.clone())?;
            let began = Instant::now();
            while let Err(error) = client.readiness_check().await {
                if began.elapsed() > READY_TIME_MAX {
                    bail!("{} is not ready: {error}", client.server());
                }
                self.tend()?;
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        }
        Ok(())
    }

    /// Returns the lines of the servers' logs that report a panic.
    pub fn panics(&self) -> anyhow::Result<Vec<String>> {
        let mut panics = Vec::new();
        for index in 0..self.replicas.len() {
            let path = self.log_path(index);
            let log =
                std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            let log = String::from_utf8_lossy(&log);
            let told = log.lines().filter(|line| line.contains("panicked at"));
            panics.extend(told.map(str::to_owned));
        }
        Ok(panics)
    }

    /// Returns the lines of the servers' logs that report errors, each once, at most `count_max`.
    pub fn errors(&self, count_max: usize) -> Vec<String> {
        let logs = (0..self.replicas.len()).map(|index| std::fs::read(self.log_path(index)));
        let mut errors = Vec::new();
        for log in logs.flatten() {
            for line in String::from_utf8_lossy(&log).lines() {
                if line.contains(" ERROR ") && errors.len() < count_max {
                    errors.push(line.to_owned());
                }
            }
        }
        errors
    }

    /// Returns whether the present process of a server, or the one that has just ended, has begun
    /// to serve.
    fn has_served(&self, index: usize) -> anyhow::Result<bool> {
        let path = self.log_path(index);
        let log = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let begin = usize::try_from(self.replicas[index].log_begin)?.min(log.len());
        let log = String::from_utf8_lossy(&log[begin..]);
        Ok(log.lines().any(is_serving))
    }

    fn start_again(&mut self, index: usize) -> anyhow::Result<()> {
        let log = std::fs::metadata(self.log_path(index));
        self.replicas[index].log_begin = log.map_or(0, |log| log.len());
        let child = self.spawn(index, self.replicas[index].port)?;
        self.replicas[index].child = child;
        self.restarts += 1;
        Ok(())
    }

    async fn end(&mut self, index: usize) -> anyhow::Result<()> {
        let child = &mut self.replicas[index].child;
        if let Some(process) = child.id() {
            child.kill().await.context("killing a server")?;
            clocks::clean_up(process);
        }
        Ok(())
    }

    fn spawn(&self, index: usize, port: u16) -> anyhow::Result<Child> {
        let mut command = if self.ignores_limits {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
                .arg(&self.program);
            shell
        } else {
            Command::new(&self.program)
        };
        command
            .arg("serve")
            .args(BOUNDLESS)
            .arg("--listen")
            .arg(format!("127.0.0.1:{port}"))
            .arg("--public-url")
            .arg(format!("http://127.0.0.1:{}", self.proxy_port))
            .arg("--data-dir")
            .arg(self.data_directory(index))
            .env_remove("CTXPIN_DATABASE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log(index)?)
            .kill_on_drop(true);
        if let Some(url) = &self.database {
            command.arg("--database").arg(url);
        }
        if let Some(clocks) = &self.clocks {
            clocks.give(index, &mut command)?;
        }
        let program = self.program.display();
        command
            .spawn()
            .with_context(|| format!("starting {program}"))
    }

    fn data_directory(&self, index: usize) -> PathBuf {
        self.directory.path().join(format!("data-{index}"))
    }

    fn log_path(&self, index: usize) -> PathBuf {
        self.directory.path().join(format!("log-{index}"))
    }

    fn log(&self, index: usize) -> anyhow::Result<File> {
        let path = self.log_path(index);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.with_context(|| format!("opening {}", path.display()))
    }
}

/// Returns whether a line of a server's log says that it serves.
fn is_serving(line: &str) -> bool {
    line.contains("serving") && line.contains(SERVING)
}

/// Returns a port that is free now. Another process could take it before the server does, which
/// would show as a server that does not start.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    Ok(listener.local_addr()?.port())
}

fn address(port: u16) -> anyhow::Result<Url> {
    Ok(Url::parse(&format!("http://127.0.0.1:{port}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_that_a_server_serves() {
        let line = "2026-01-01T00:00:00Z  INFO serving address=\"127.0.0.1:1\" storage=\"sqlite\"";
        assert!(is_serving(line));
        assert!(!is_serving(
            "ctxpin: cannot open the database: serving nobody"
        ));
    }
}
