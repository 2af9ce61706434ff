//! A headless Chromium, driven through its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).
//! Requests and responses go through two named pipes, so the browser opens no port.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};
use tokio::process::Child;
use tokio::time::timeout;

/// Longest wait for a response or an event. A loaded machine starts a browser slowly.
const SOON: Duration = Duration::from_secs(60);

/// Makes the pipes, and becomes the browser with them as its file descriptors 3 and 4.
const SCRIPT: &str = "exec \"$@\" 3<requests 4>responses";

/// A browser with one open tab.
pub struct Chromium {
    _process: Child,
    _directory: TempDir,
    requests: Sender,
    responses: BufReader<Receiver>,
    last_id: u64,
    session: Option<String>,
    /// The events that nobody has waited for yet.
    events: Vec<Value>,
}

impl Chromium {
    /// Starts the browser, and installs it if it is missing.
    ///
    /// # Errors
    ///
    /// Fails if the browser cannot be installed or started.
    pub async fn start() -> Result<Self> {
        if Command::new("chromium").arg("--version").output().is_err() {
            let why = "The pages are looked at in a browser";
            ctxpin_cluster::install::package("chromium", why)?;
        }
        let directory = tempfile::tempdir()?;
        let path = |name: &str| directory.path().join(name);
        for pipe in ["requests", "responses"] {
            let made = Command::new("mkfifo").arg(path(pipe)).status()?;
            ensure!(made.success(), "mkfifo failed");
        }
        // Both ends are opened at once, so that neither side waits for the other.
        let mut options = OpenOptions::new();
        options.read_write(true);
        let requests = options.open_sender(path("requests"))?;
        let responses = options.open_receiver(path("responses"))?;
        let process = started(directory.path())?;
        let mut browser = Self {
            _process: process,
            _directory: directory,
            requests,
            responses: BufReader::new(responses),
            last_id: 0,
            session: None,
            events: Vec::new(),
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = target.await?["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Log.enable", "Runtime.enable"] {
            browser.call(domain, json!({})).await?;
        }
        Ok(browser)
    }

    /// Opens a page, and waits until it is loaded.
    ///
    /// # Errors
    ///
    /// Fails if the page reports an error, or is not loaded within a minute.
    pub async fn open(&mut self, url: &str) -> Result<()> {
        self.call("Page.navigate", json!({ "url": url })).await?;
        self.loaded().await
    }

    /// Waits until the next page is loaded.
    ///
    /// # Errors
    ///
    /// Fails if the page reports an error, or is not loaded within a minute.
    pub async fn loaded(&mut self) -> Result<()> {
        loop {
            let event = match self.events.is_empty() {
                true => self.message().await?,
                false => self.events.remove(0),
            };
            if event["method"] == "Page.loadEventFired" {
                return Ok(());
            }
            if is_failure(&event) {
                bail!("the page reports {event}");
            }
        }
    }

    /// Evaluates an expression in the page, and returns its value. A promise is awaited.
    ///
    /// # Errors
    ///
    /// Fails if the expression throws.
    pub async fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let params = json!({
            "expression": expression,
            "awaitPromise": true,
            "returnByValue": true,
        });
        let found = self.call("Runtime.evaluate", params).await?;
        let exception = &found["exceptionDetails"];
        ensure!(exception.is_null(), "{expression}: {exception}");
        Ok(found["result"]["value"].clone())
    }

    /// Waits until an expression is true in the page, which is looked at whenever the page changes.
    ///
    /// # Errors
    ///
    /// Fails if the expression throws, or is not true within a minute.
    pub async fn until(&mut self, expression: &str) -> Result<()> {
        let promise = format!(
            "new Promise((resolve) => {{
                const look = () => {{ if ({expression}) {{ observer.disconnect(); resolve(true); }} }};
                const observer = new MutationObserver(look);
                observer.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                look();
            }})"
        );
        self.evaluate(&promise)
            .await
            .with_context(|| format!("waiting for {expression}"))?;
        Ok(())
    }

    /// Clicks the element of a selector.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub async fn click(&mut self, selector: &str) -> Result<()> {
        let selector = json!(selector);
        self.evaluate(&format!("document.querySelector({selector}).click()"))
            .await?;
        Ok(())
    }

    /// Checks that the pages have reported no error, such as a script that their policy forbids.
    ///
    /// # Errors
    ///
    /// Fails with the reported errors.
    pub fn no_errors(&self) -> Result<()> {
        let errors: Vec<_> = self
            .events
            .iter()
            .filter(|event| is_failure(event))
            .collect();
        ensure!(errors.is_empty(), "{errors:?}");
        Ok(())
    }

    /// Sends a request, and returns its result. Events that come before it are kept.
    async fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&request)?;
        bytes.push(0);
        self.requests.write_all(&bytes).await?;
        loop {
            let message = self.message().await?;
            if message["id"] == id {
                let error = &message["error"];
                ensure!(error.is_null(), "{method}: {error}");
                return Ok(message["result"].clone());
            }
            self.events.push(message);
        }
    }

    /// Reads a message, which a NUL ends.
    async fn message(&mut self) -> Result<Value> {
        let mut bytes = Vec::new();
        let read = self.responses.read_until(0, &mut bytes);
        let read = timeout(SOON, read).await;
        let length = read.context("the browser sent nothing for a minute")??;
        ensure!(length > 0, "the browser has ended");
        bytes.pop();
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// Returns whether an event is an error of a page.
fn is_failure(event: &Value) -> bool {
    event["method"] == "Runtime.exceptionThrown"
        || (event["method"] == "Log.entryAdded"
            && event["params"]["entry"]["level"] == "error"
            && event["params"]["entry"]["source"] != "network")
}

fn started(directory: &Path) -> Result<Child> {
    let mut command = tokio::process::Command::new("sh");
    command
        .args(["-c", SCRIPT, "sh", "chromium", "--headless=new"])
        // The page under test is the server's own, and root may start no sandbox.
        .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--no-default-browser-check"])
        .args(["--disable-background-networking", "--no-proxy-server"])
        .args(["--remote-debugging-pipe", "--user-data-dir=profile"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command.spawn().context("starting chromium")
}
