//! One load of a page.

use anyhow::Context as _;
use ctxpin_browser::Chromium;
use serde_json::json;
use url::Url;

/// Resolves to the milliseconds from the start of the navigation until the first content is painted.
const FIRST_CONTENT: &str = "new Promise((resolve) => {
    const look = (list) => {
        const [entry] = list.getEntriesByName('first-contentful-paint');
        if (entry) resolve(entry.startTime);
    };
    new PerformanceObserver(look).observe({ type: 'paint', buffered: true });
})";

/// The page listens to the stream.
const IS_LIVE: &str = "document.getElementById('stream').dataset.stream === 'live'";

/// Resolves when a fetch that news cause would have begun.
const QUIET: &str = "new Promise((resolve) => setTimeout(resolve, 1000))";

/// What one load of a page took.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// From the start of the navigation until the first content is painted.
    pub first_content_ms: f64,
    /// From the start of the navigation until the first byte of the page.
    pub first_byte_ms: f64,
    /// Bytes of responses with their heads, as they travel.
    pub transferred_bytes: u64,
    /// Requests besides the stream.
    pub requests: u64,
}

impl Load {
    /// Loads a page with an empty cache, and waits until it listens to news.
    pub async fn cold(browser: &mut Chromium, url: &Url) -> anyhow::Result<Self> {
        browser.open("about:blank").await?;
        browser.call("Network.clearBrowserCache", json!({})).await?;
        browser.take_transfers();
        browser.open(url.as_str()).await?;
        let first_content = browser.evaluate(FIRST_CONTENT).await?;
        browser.until(IS_LIVE).await?;
        browser.evaluate(QUIET).await?;
        let first_byte = "performance.getEntriesByType('navigation')[0].responseStart";
        let first_byte = browser.evaluate(first_byte).await?;
        let transfers = browser.take_transfers();
        let counted = || transfers.iter().filter(|one| one.kind != "EventSource");
        Ok(Self {
            first_content_ms: first_content.as_f64().context("no time of a paint")?,
            first_byte_ms: first_byte.as_f64().context("no time of a byte")?,
            transferred_bytes: counted().map(|one| one.bytes).sum(),
            requests: counted().count() as u64,
        })
    }
}
