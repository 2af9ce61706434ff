//! The server that is attacked: a process of the built program.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::api::{Caller, Connection, request};
use crate::database::Fresh;

/// Longest wait for the server to be ready, and to end by itself.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How often it is looked whether it is ready.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// A server, killed when this is dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    directory: PathBuf,
}

impl Server {
    /// Starts the server on an empty database and waits until it is ready.
    pub async fn start(program: &Path, fresh: &Fresh, options: &[&str]) -> anyhow::Result<Self> {
        // Another process could take the port before the server does, which then does not start.
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
        let address = listener.local_addr()?;
        drop(listener);
        let directory = fresh.directory().join("data");
        let log = fresh.directory().join("log");
        let mut command = Command::new(program);
        command
            .args(["serve", "--listen", &address.to_string(), "--data-dir"])
            .arg(&directory)
            .args(options)
            .env_remove("CTXPIN_DATABASE")
            .env_remove("CTXPIN_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).context("making the server's log")?)
            .kill_on_drop(true);
        if let Some(url) = fresh.url()? {
            command.arg("--database").arg(url);
        }
        let mut child = command.spawn().context("starting the server")?;
        let begun = Instant::now();
        let ready = request("GET", "/readyz", None, None);
        loop {
            if let Ok(mut connection) = Connection::open(address).await
                && let Ok(answer) = connection.ask(&ready).await
                && answer.status == 200
            {
                return Ok(Self {
                    child,
                    address,
                    directory,
                });
            }
            if child.try_wait()?.is_some() || begun.elapsed() > WAIT_MAX {
                let said = fs::read_to_string(&log).unwrap_or_default();
                bail!("the server did not get ready; it says:\n{said}");
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Returns a caller for the first user, who may do everything.
    pub fn admin(&self) -> anyhow::Result<Caller> {
        let token = fs::read_to_string(self.directory.join("admin-token"))
            .context("reading the first user's token")?;
        Ok(Caller::new(self.address, token.trim()))
    }

    /// Resets the peak of the server's memory.
    pub fn forget_peak(&self) -> anyhow::Result<()> {
        fs::write(self.of_process("clear_refs")?, "5").context("forgetting the peak of memory")
    }

    /// Returns the peak of the resident memory, in bytes.
    pub fn peak_bytes(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(self.of_process("status")?)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        let kibibytes: u64 = kibibytes.context("no peak of memory is told")?.parse()?;
        Ok(kibibytes * 1024)
    }

    fn of_process(&self, file: &str) -> anyhow::Result<PathBuf> {
        let id = self.child.id().context("the server has ended")?;
        Ok(PathBuf::from(format!("/proc/{id}/{file}")))
    }

    /// Ends the server as an operator would, or by force if that fails.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            let id = Pid::from_raw(id).context("no process id")?;
            kill_process(id, Signal::TERM)?;
        }
        if timeout(WAIT_MAX, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }
}
