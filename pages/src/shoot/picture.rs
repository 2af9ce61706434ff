//! The camera: a browser that shows a page in each theme and at each width.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctxpin_browser::Chromium;
use serde_json::{Value, json};

use super::Scene;
use crate::server::Server;

/// The windows, in pixels: a phone, a small laptop, and a screen.
const WINDOWS: [(u32, u32); 3] = [(360, 740), (1024, 768), (1440, 900)];

/// Whether the open page follows the news of the server, if it follows any.
const LIVE: &str = "document.body.dataset.watch === undefined || \
    document.getElementById('stream').dataset.stream === 'live'";

const THEMES: [&str; 2] = ["light", "dark"];

/// The window of a picture in the documents.
const PUBLISHED: (u32, u32) = (1024, 640);

/// A browser, and the directory of its pictures.
pub struct Camera {
    browser: Chromium,
    directory: PathBuf,
    is_whole: bool,
}

impl Camera {
    /// Starts a browser. With `is_whole`, pictures show whole pages.
    pub async fn new(directory: &Path, is_whole: bool) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut browser = Chromium::start().await?;
        let hidden = json!({ "hidden": true });
        browser
            .call("Emulation.setScrollbarsHidden", hidden)
            .await?;
        Ok(Self {
            browser,
            directory: directory.to_owned(),
            is_whole,
        })
    }

    /// Opens a page as its person.
    pub async fn open(&mut self, server: &Server, scene: &Scene<'_>) -> anyhow::Result<()> {
        let nothing = json!({});
        self.browser
            .call("Network.clearBrowserCookies", nothing)
            .await?;
        match scene.who {
            None => {
                let page = server.url.join(&scene.path)?;
                self.browser.open(page.as_str()).await
            }
            Some(token) => {
                server
                    .sign_in(&mut self.browser, token, &scene.path)
                    .await?;
                self.browser.until(LIVE).await
            }
        }
    }

    /// Takes pictures of the open page.
    pub async fn take(&mut self, name: &str) -> anyhow::Result<()> {
        for theme in THEMES {
            self.prefer(theme).await?;
            for (width, height) in WINDOWS {
                self.resize(width, height).await?;
                let picture = json!({ "format": "png", "captureBeyondViewport": self.is_whole });
                let path = self.directory.join(format!("{name}-{theme}-{width}.png"));
                self.capture(picture, &path).await?;
            }
        }
        Ok(())
    }

    /// Takes pictures of the open page for the documents, twice as fine and compressed.
    pub async fn publish(&mut self, name: &str, into: &Path) -> anyhow::Result<()> {
        let (width, height) = PUBLISHED;
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": false });
        let metrics = "Emulation.setDeviceMetricsOverride";
        self.browser.call(metrics, size).await?;
        for theme in THEMES {
            self.prefer(theme).await?;
            let picture = json!({ "format": "webp", "quality": 70 });
            self.capture(picture, &into.join(format!("{name}-{theme}.webp")))
                .await?;
        }
        Ok(())
    }

    /// Decides on the open page, waits until it says what it did, and shows its beginning.
    pub async fn decide(&mut self, decision: &str) -> anyhow::Result<()> {
        let button = format!("button[name=move][value={decision}]");
        self.browser.click(&button).await?;
        self.browser
            .until("document.querySelector('.toast [data-keys=u]') !== null")
            .await?;
        self.browser.evaluate("scrollTo(0, 0)").await?;
        Ok(())
    }

    /// Waits until the open page says that it has lost its server.
    pub async fn wait_until_stale(&mut self) -> anyhow::Result<()> {
        self.browser
            .until("document.getElementById('stream').dataset.stream === 'stale'")
            .await
    }

    /// Ends the browser.
    ///
    /// # Errors
    ///
    /// Fails if a page has reported an error.
    pub fn close(self) -> anyhow::Result<()> {
        self.browser.no_errors()
    }

    async fn prefer(&mut self, theme: &str) -> anyhow::Result<()> {
        let scheme = json!({ "name": "prefers-color-scheme", "value": theme });
        // Nothing is under way in a picture.
        let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        let media = json!({ "features": [scheme, still] });
        self.browser
            .call("Emulation.setEmulatedMedia", media)
            .await?;
        Ok(())
    }

    async fn capture(&mut self, picture: Value, path: &Path) -> anyhow::Result<()> {
        let taken = self.browser.call("Page.captureScreenshot", picture).await?;
        let bytes = taken["data"].as_str().context("no picture")?;
        fs::write(path, STANDARD.decode(bytes)?)
            .with_context(|| format!("writing {}", path.display()))
    }

    async fn resize(&mut self, width: u32, height: u32) -> anyhow::Result<()> {
        let mut size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let metrics = "Emulation.setDeviceMetricsOverride";
        self.browser.call(metrics, size.clone()).await?;
        if self.is_whole {
            let whole = "document.documentElement.scrollHeight";
            size["height"] = self.browser.evaluate(whole).await?;
            self.browser.call(metrics, size).await?;
        }
        Ok(())
    }
}
