//! A server and an agent, each in a process of its own, of which one can be missing.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::time::sleep;

use super::place::Place;
use super::speed::signal;

/// The longest wait for a process of ctxpin to be ready.
const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// The pause between two looks at what a process says.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// What a process that watches says when hooks can reach it.
pub const WATCHES: &str = " is open; ";

/// A process of ctxpin that ends with this value.
pub struct Running {
    process: Child,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Running {
    /// Starts a process, and waits until it says some words. `number` tells its log from others.
    async fn start(
        place: &Place<'_>,
        number: usize,
        arguments: &[&str],
        words: &str,
    ) -> anyhow::Result<Self> {
        let log = place.base().join(format!("{}-{number}.log", arguments[0]));
        let mut command = place.command_of_ctxpin();
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let running = Self {
            process: command.spawn()?,
            log,
        };
        let until = Instant::now() + READY_TIME_MAX;
        while !running.said()?.contains(words) {
            if Instant::now() > until {
                bail!("ctxpin {arguments:?} is not ready: {}", running.said()?);
            }
            sleep(LOOK_PAUSE).await;
        }
        Ok(running)
    }

    fn said(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// Returns the id of the process.
    pub fn pid(&self) -> String {
        self.process.id().to_string()
    }

    /// Sends the process a signal.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        signal(&self.pid(), name)
    }
}

/// A server and an agent of a place.
pub struct Halves<'p> {
    pub place: &'p Place<'p>,
    pub url: String,
    /// The file with the agent's token.
    pub token: PathBuf,
    pub server: Option<Running>,
    pub watcher: Option<Running>,
    /// How many processes were started.
    started: usize,
}

impl<'p> Halves<'p> {
    /// Starts a server, makes an agent on it that nobody runs yet, and installs the hooks.
    pub async fn begin(place: &'p Place<'p>) -> anyhow::Result<Self> {
        let name = place.sessions.client.name();
        let mut halves = Self {
            place,
            url: "http://127.0.0.1:0".to_owned(),
            token: place.base().join("agent-token"),
            server: None,
            watcher: None,
            started: 0,
        };
        halves.serve().await?;
        let said = halves.server.as_ref().context("it was started")?.said()?;
        let mut lines = said.lines();
        let url = lines.find_map(|line| line.strip_prefix("serving "));
        halves.url = url.context("the server names no address")?.to_owned();
        let admin = place.base().join("server/admin-token");
        place.ask_server(&halves.url, &admin)?;
        let token = halves.token.to_string_lossy();
        let create = [
            "agent",
            "create",
            "--workspace",
            "project",
            "--profile",
            name,
        ];
        place.ctxpin_of_server(&[&create[..], &["--write-token", &token]].concat())?;
        place.install()?;
        Ok(halves)
    }

    /// Starts the server, at the same address each time.
    pub async fn serve(&mut self) -> anyhow::Result<()> {
        let data = self.place.base().join("server");
        let listen = self.url.trim_start_matches("http://");
        let data = data.to_string_lossy();
        let serve = ["serve", "--listen", listen, "--data-dir", &data];
        // The server answers only after it has written the token.
        self.started += 1;
        let words = "/api/v1/openapi.json";
        let running = Running::start(self.place, self.started, &serve, words);
        self.server = Some(running.await?);
        Ok(())
    }

    /// Starts the process that watches.
    pub async fn watch(&mut self) -> anyhow::Result<()> {
        let name = self.place.sessions.client.name();
        let token = self.token.to_string_lossy();
        let run = ["agent", "run", "--profile", name, "--server", &self.url];
        let run = [&run[..], &["--token-file", &token]].concat();
        self.started += 1;
        let running = Running::start(self.place, self.started, &run, WATCHES);
        self.watcher = Some(running.await?);
        Ok(())
    }
}
