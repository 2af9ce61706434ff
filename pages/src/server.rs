//! A server of the built program, on SQLite in a directory of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ctxpin_browser::Chromium;
use ctxpin_client::Client;
use ctxpin_protocol::http::people::Secret;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use url::Url;

use crate::clock::Clock;

/// Quotas and rates above the need of every scene.
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

/// Longest wait for the server to be ready, and to end by itself.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How often the server is asked whether it is ready.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// A running server. Dropping it kills the process and removes its files.
pub struct Server {
    pub url: Url,
    /// The token of the first user, who may do everything.
    pub token: Secret,
    child: Child,
    _directory: TempDir,
}

impl Server {
    /// Starts the program as a server on an empty database, with a clock of its own if there is one, and
    /// waits until it is ready.
    ///
    /// # Errors
    ///
    /// Fails with the server's log if it does not get ready.
    pub async fn start(program: &Path, clock: Option<&Clock>) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("ctxpin-pages-").tempdir()?;
        // Another process could take the port before the server does, which then does not start.
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
        let address = listener.local_addr()?;
        drop(listener);
        let url: Url = format!("http://{address}").parse()?;
        let log = directory.path().join("log");
        let data = directory.path().join("data");
        let mut child = spawn(program, &address.to_string(), &data, &log, clock)?;
        let probe = Client::new(url.clone(), Secret::new("none"))?;
        let begun = Instant::now();
        while probe.readiness_check().await.is_err() {
            if child.try_wait()?.is_some() || begun.elapsed() > WAIT_MAX {
                let said = fs::read_to_string(&log).unwrap_or_default();
                bail!("the server did not get ready; it says:\n{said}");
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        let token = fs::read_to_string(data.join("admin-token"))
            .context("reading the first user's token")?;
        Ok(Self {
            url,
            token: Secret::new(token.trim()),
            child,
            _directory: directory,
        })
    }

    /// Returns a client with a token.
    pub fn client(&self, token: &Secret) -> anyhow::Result<Client> {
        Ok(Client::new(self.url.clone(), token.clone())?)
    }

    /// Signs a browser in with a token, and opens a page.
    pub async fn sign_in(
        &self,
        browser: &mut Chromium,
        token: &Secret,
        path: &str,
    ) -> anyhow::Result<()> {
        let mut page = self.url.join("/sign-in")?;
        page.query_pairs_mut().append_pair("next", path);
        browser.open(page.as_str()).await?;
        let token = json!(token.expose());
        let field = "document.querySelector('input[name=token]')";
        browser
            .evaluate(&format!("{field}.value = {token}"))
            .await?;
        browser.follow("[data-sign-in] button[type=submit]").await
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

fn spawn(
    program: &Path,
    address: &str,
    data: &PathBuf,
    log: &Path,
    clock: Option<&Clock>,
) -> anyhow::Result<Child> {
    let mut command = Command::new(program);
    if let Some(clock) = clock {
        clock.give(&mut command);
    }
    command
        .args(["serve", "--listen", address, "--data-dir"])
        .arg(data)
        .args(BOUNDLESS)
        .env_remove("CTXPIN_DATABASE")
        .env_remove("CTXPIN_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(log).context("making the server's log")?)
        .kill_on_drop(true)
        .spawn()
        .context("starting the server")
}
