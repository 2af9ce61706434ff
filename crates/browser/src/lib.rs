//! A headless Chromium, driven through its DevTools protocol (<https://chromedevtools.github.io/devtools-protocol/>).
//! Requests and responses go through two named pipes, so the browser opens no port.

mod transfers;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};
use tokio::process::Child;
use tokio::time::timeout;

pub use transfers::Transfer;
use transfers::Transfers;

/// Longest wait for a response or for something on a page. A loaded machine starts a browser slowly.
const SOON: Duration = Duration::from_secs(60);

/// Makes the pipes, and becomes the browser with them as its file descriptors 3 and 4.
const SCRIPT: &str = "exec \"$@\" 3<requests 4>responses";

/// A browser. Its methods go to one of its tabs, the first one until another is opened.
pub struct Chromium {
    _process: Child,
    _directory: TempDir,
    requests: Sender,
    responses: BufReader<Receiver>,
    /// What has come of the next message.
    partial: Vec<u8>,
    last_id: u64,
    tab: Tab,
    /// The sessions of the tabs that have loaded a page, as far as nobody has waited for it.
    loaded: Vec<String>,
    /// The sessions of the tabs that are closed.
    closed: Vec<String>,
    failures: Vec<Value>,
    transfers: Transfers,
    /// Where the pointer is, as `x` and `y`.
    pointer: Value,
}

/// An open tab.
#[derive(Debug, Clone, Default)]
pub struct Tab {
    target: String,
    /// Empty as long as requests go to the browser itself.
    session: String,
}

impl Chromium {
    /// Starts the browser, and installs it if it is missing.
    ///
    /// # Errors
    ///
    /// Fails if the browser cannot be installed or started.
    pub async fn start() -> Result<Self> {
        ctxpin_cluster::install::program("chromium", "The pages are looked at in a browser")?;
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
            partial: Vec::new(),
            last_id: 0,
            tab: Tab::default(),
            loaded: Vec::new(),
            closed: Vec::new(),
            failures: Vec::new(),
            transfers: Transfers::default(),
            pointer: json!({ "x": 0, "y": 0 }),
        };
        browser.open_tab().await?;
        Ok(browser)
    }

    /// Opens another tab, in a window of its own so that both are visible. From now on, methods go to it.
    ///
    /// # Errors
    ///
    /// Fails if the browser opens none.
    pub async fn open_tab(&mut self) -> Result<Tab> {
        self.tab = Tab::default();
        let create = json!({ "url": "about:blank", "newWindow": true });
        let created = self.call("Target.createTarget", create).await?;
        let target = text(&created["targetId"]);
        let attach = json!({ "targetId": target, "flatten": true });
        let attached = self.call("Target.attachToTarget", attach).await?;
        let session = text(&attached["sessionId"]);
        self.tab = Tab { target, session };
        for domain in ["Page", "Log", "Runtime", "Network"] {
            self.call(&format!("{domain}.enable"), json!({})).await?;
        }
        Ok(self.tab.clone())
    }

    /// Returns the tab to which methods go.
    pub fn tab(&self) -> Tab {
        self.tab.clone()
    }

    /// From now on, methods go to this tab.
    pub fn turn_to(&mut self, tab: Tab) {
        self.tab = tab;
    }

    /// Closes the present tab, and waits until its page does nothing any more. From now on, methods go to another one.
    ///
    /// # Errors
    ///
    /// Fails if the tab is not closed within a minute.
    pub async fn close_tab(&mut self, next: Tab) -> Result<()> {
        let closed = std::mem::take(&mut self.tab);
        let close = json!({ "targetId": closed.target });
        self.call("Target.closeTarget", close).await?;
        let wait = async {
            while !self.closed.contains(&closed.session) {
                self.message().await?;
            }
            anyhow::Ok(())
        };
        timeout(SOON, wait).await.context("closing a tab")??;
        self.tab = next;
        Ok(())
    }

    /// Opens a page, and waits until it is loaded.
    ///
    /// # Errors
    ///
    /// Fails if the page is not loaded within a minute.
    pub async fn open(&mut self, url: &str) -> Result<()> {
        self.loaded.clear();
        self.call("Page.navigate", json!({ "url": url })).await?;
        self.until_loaded().await
    }

    /// Clicks an element that leads to another page, and waits until that is loaded.
    ///
    /// # Errors
    ///
    /// Fails if the element cannot be clicked, or the page is not loaded within a minute.
    pub async fn follow(&mut self, selector: &str) -> Result<()> {
        self.loaded.clear();
        self.click(selector).await?;
        self.until_loaded().await
    }

    async fn until_loaded(&mut self) -> Result<()> {
        let session = self.tab.session.clone();
        let wait = async {
            while !self.loaded.contains(&session) {
                self.message().await?;
            }
            Ok(())
        };
        timeout(SOON, wait).await.context("waiting for a page")?
    }

    /// Evaluates an expression in the page as if the reader had asked for it, and returns its value. A promise is
    /// awaited.
    ///
    /// # Errors
    ///
    /// Fails if the expression throws, or if its promise is not settled within a minute.
    pub async fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let params = json!({
            "expression": expression,
            "awaitPromise": true,
            "returnByValue": true,
            "userGesture": true,
        });
        let found = self.call("Runtime.evaluate", params).await?;
        let exception = &found["exceptionDetails"];
        ensure!(exception.is_null(), "{expression}: {exception}");
        Ok(found["result"]["value"].clone())
    }

    /// Waits until an expression is true in the page. It is evaluated whenever the page, the focus or a
    /// field changes, and counts as false if it throws. The page may give way to another one meanwhile.
    ///
    /// # Errors
    ///
    /// Fails if the expression is not true within a minute.
    pub async fn until(&mut self, expression: &str) -> Result<()> {
        let promise = format!(
            "new Promise((resolve) => {{
                const isSo = () => {{ try {{ return {expression}; }} catch {{ return false; }} }};
                const observer = new MutationObserver(look);
                const events = ['focusin', 'focusout', 'input', 'change', 'toggle', 'load'];
                function look() {{
                    if (!isSo()) return;
                    observer.disconnect();
                    for (const event of events) removeEventListener(event, look, true);
                    resolve(true);
                }}
                observer.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                for (const event of events) addEventListener(event, look, true);
                look();
            }})"
        );
        let wait = async {
            loop {
                match self.evaluate(&promise).await {
                    Err(error) if is_about_another_page(&error) => {}
                    Err(error) => return Err(error),
                    Ok(_) => return Ok(()),
                }
            }
        };
        let waited = match timeout(SOON, wait).await {
            Ok(waited) => waited,
            Err(elapsed) => Err(elapsed.into()),
        };
        if waited.is_err() {
            let shown = self.evaluate("location.href + ' ' + document.body.innerText");
            let shown = shown.await.unwrap_or_default();
            return waited.with_context(|| format!("waiting for {expression} in {shown}"));
        }
        Ok(())
    }

    /// Waits until the page has been drawn as it is now. What a `ResizeObserver` changes is drawn too.
    ///
    /// # Errors
    ///
    /// Fails if the page is not drawn within a minute.
    pub async fn drawn(&mut self) -> Result<()> {
        // An observer runs in a frame behind the callbacks of that frame.
        let frames = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn())))";
        self.evaluate(frames).await?;
        Ok(())
    }

    /// Clicks the element of a selector.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or if another element covers it.
    pub async fn click(&mut self, selector: &str) -> Result<()> {
        let click = self.at_middle(selector, "element.click();");
        self.evaluate(&click).await?;
        Ok(())
    }

    /// Moves the pointer to the element of a selector.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or if another element covers it.
    pub async fn hover(&mut self, selector: &str) -> Result<()> {
        let middle = self.at_middle(selector, "");
        let middle = self.evaluate(&middle).await?;
        self.pointer = middle;
        self.point("mouseMoved").await
    }

    /// Presses and releases the pointer's button where [`Self::hover`] has moved the pointer, whatever is there now.
    ///
    /// # Errors
    ///
    /// Fails if the browser does not answer.
    pub async fn click_pointer(&mut self) -> Result<()> {
        self.point("mousePressed").await?;
        self.point("mouseReleased").await
    }

    async fn point(&mut self, kind: &str) -> Result<()> {
        let event = json!({
            "type": kind, "x": self.pointer["x"], "y": self.pointer["y"], "button": "left", "clickCount": 1,
        });
        self.call("Input.dispatchMouseEvent", event).await?;
        Ok(())
    }

    /// Returns a script that brings the middle of an element into view, checks that it is not covered, does
    /// something with it, and returns the middle.
    fn at_middle(&self, selector: &str, act: &str) -> String {
        let selector = json!(selector);
        format!(
            "(() => {{
                const element = document.querySelector({selector});
                if (!element) throw new Error('there is no ' + {selector});
                element.scrollIntoView({{ block: 'center', inline: 'center', behavior: 'instant' }});
                if (!element.checkVisibility({{ visibilityProperty: true }})) throw new Error({selector} + ' is hidden');
                const box = [...element.getClientRects()].find((one) => one.width > 0 && one.height > 0);
                if (!box) throw new Error({selector} + ' has no size');
                const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
                const there = document.elementFromPoint(x, y);
                const isFree = there && (element.contains(there) || there.contains(element));
                if (!isFree) throw new Error({selector} + ' is covered by ' + there?.outerHTML.slice(0, 200));
                {act}
                return {{ x, y }};
            }})()"
        )
    }

    /// Presses and releases a key: a character, or one of `Enter`, `Tab`, `Escape` and `Space`.
    ///
    /// # Errors
    ///
    /// Fails if the browser does not answer.
    pub async fn press(&mut self, key: &str) -> Result<()> {
        let (key, text, code) = match key {
            "Enter" => ("Enter", "\r", 13),
            "Tab" => ("Tab", "", 9),
            "Escape" => ("Escape", "", 27),
            "Space" => (" ", " ", 32),
            character => (character, character, 0),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({
                "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code,
            });
            self.call("Input.dispatchKeyEvent", event).await?;
        }
        Ok(())
    }

    /// Sets the size of the window in pixels.
    ///
    /// # Errors
    ///
    /// Fails if the browser does not answer.
    pub async fn resize(&mut self, width: u32, height: u32) -> Result<()> {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size)
            .await?;
        Ok(())
    }

    /// Sets what the reader's system prefers, such as `prefers-color-scheme` to `dark`, and forgets what it
    /// preferred before.
    ///
    /// # Errors
    ///
    /// Fails if the browser does not answer.
    pub async fn prefer(&mut self, preferences: &[(&str, &str)]) -> Result<()> {
        let features = preferences.iter();
        let features = features.map(|(name, value)| json!({ "name": name, "value": value }));
        let features = json!({ "features": features.collect::<Vec<_>>() });
        self.call("Emulation.setEmulatedMedia", features).await?;
        Ok(())
    }

    /// Returns the requests that the pages have made since the last call.
    pub fn take_transfers(&mut self) -> Vec<Transfer> {
        self.transfers.take()
    }

    /// Checks that the pages have reported no error, such as a script that their policy forbids, and have
    /// opened no dialog of the browser.
    ///
    /// # Errors
    ///
    /// Fails with the reported errors.
    pub fn no_errors(&self) -> Result<()> {
        ensure!(self.failures.is_empty(), "{:?}", self.failures);
        Ok(())
    }

    /// Sends a request of the protocol to the present tab, and returns the result.
    ///
    /// # Errors
    ///
    /// Fails if the browser refuses the request, or does not answer within a minute.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if !self.tab.session.is_empty() {
            request["sessionId"] = json!(self.tab.session);
        }
        let mut bytes = serde_json::to_vec(&request)?;
        bytes.push(0);
        self.requests.write_all(&bytes).await?;
        let response = async {
            loop {
                let message = self.message().await?;
                if message["id"] == id {
                    return anyhow::Ok(message);
                }
            }
        };
        let response = timeout(SOON, response).await;
        let response = response.with_context(|| format!("{method} was not answered"))??;
        let error = &response["error"];
        ensure!(error.is_null(), "{method}: {error}");
        Ok(response["result"].clone())
    }

    /// Reads a message, which a NUL ends, and notes what matters of an event.
    async fn message(&mut self) -> Result<Value> {
        // A wait that is given up in the middle of a message leaves its beginning here.
        self.responses.read_until(0, &mut self.partial).await?;
        ensure!(self.partial.pop() == Some(0), "the browser has ended");
        let message: Value = serde_json::from_slice(&self.partial)?;
        self.partial.clear();
        if is_failure(&message) {
            self.failures.push(message.clone());
            // The page waits for an answer to its dialog, and nobody is there.
            ensure!(message["method"] != DIALOG, "the page opened {message}");
        }
        if message["method"] == "Page.loadEventFired" {
            self.loaded.push(text(&message["sessionId"]));
        }
        if message["method"] == "Target.detachedFromTarget" {
            self.closed.push(text(&message["params"]["sessionId"]));
        }
        self.transfers.note(&message);
        Ok(message)
    }
}

/// The event of a page that opens an alert, a question or a prompt.
const DIALOG: &str = "Page.javascriptDialogOpening";

/// Returns whether an event is an error of a page.
fn is_failure(event: &Value) -> bool {
    event["method"] == "Runtime.exceptionThrown"
        || event["method"] == DIALOG
        || (event["method"] == "Log.entryAdded"
            && event["params"]["entry"]["level"] == "error"
            && event["params"]["entry"]["source"] != "network")
}

/// Returns whether an expression has no value because its page gave way to another one.
fn is_about_another_page(error: &anyhow::Error) -> bool {
    let error = error.to_string();
    ["navigated", "context", "collected"]
        .iter()
        .any(|words| error.contains(words))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
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
