//! What open pages request: as little as possible, and nothing that they know already.

use std::time::Instant;

use anyhow::Result;
use ctxpin_browser::{Chromium, Transfer};
use ctxpin_testing::workspace::Workspace;
use serde_json::json;

use crate::browser::create_chat;
use crate::flows::signed_in;
use crate::server::{Agent, Server};

/// The least time between two requests of a page because of news.
const REFRESH_EVERY_MS: u128 = 500;

/// Resolves to whether the page was read after all news so far, so that it plans no request.
const HAS_SEEN_ALL: &str = "new Promise((resolve) => {
    const source = new EventSource('/api/v1/watch?state=false');
    source.addEventListener('ready', (event) => {
        source.close();
        resolve(event.lastEventId === document.body.dataset.mark);
    });
})";

fn edition(line: &str) -> Workspace {
    Workspace::with_agents_md("/w", &format!("{line}\n"))
}

/// Returns the paths that pages have fetched since the last call.
fn take_fetches(browser: &mut Chromium) -> Vec<String> {
    let transfers = browser.take_transfers();
    let fetches = transfers.into_iter().filter(|one| one.kind == "Fetch");
    fetches.map(|Transfer { url, .. }| url).collect()
}

async fn has_seen_all(browser: &mut Chromium) -> Result<bool> {
    let seen = browser.evaluate(HAS_SEEN_ALL).await?;
    Ok(seen == true)
}

#[tokio::test]
async fn a_page_is_three_requests() -> Result<()> {
    let server = Server::start().await;
    let chat = create_chat(&server, None, "Before").await;
    let path = format!("/chats/{chat}");
    let mut browser = signed_in(&server, &path).await?;
    browser.call("Network.clearBrowserCache", json!({})).await?;
    browser.take_transfers();
    browser.open(server.url.join(&path)?.as_str()).await?;
    browser
        .until("document.getElementById('stream')?.dataset.stream === 'live'")
        .await?;
    assert!(has_seen_all(&mut browser).await?);
    let transfers = browser.take_transfers();
    let kinds = transfers.iter().map(|one| one.kind.as_str());
    let mut kinds: Vec<_> = kinds.filter(|kind| *kind != "EventSource").collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["Document", "Script", "Stylesheet"], "{transfers:?}");
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

/// A browser lays out what is near the window, and shows the beginning of a long list sooner.
#[tokio::test]
async fn what_is_far_below_is_not_laid_out() -> Result<()> {
    const FILES: usize = 300;
    let workspace = |text: &str| {
        (0..FILES).fold(Workspace::new("/w"), |workspace, number| {
            workspace.file(
                &format!("{number:03}/AGENTS.md"),
                &format!("{text} {number}\n"),
            )
        })
    };
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&workspace("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Long").await;
    agent.push(&workspace("Be quick.")).await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    for (tab, items) in [("", ".diff-entry > a"), ("/context", ".node > a")] {
        let url = server.url.join(&format!("/chats/{chat}{tab}"))?;
        browser.open(url.as_str()).await?;
        let is_near = "(item) => item.checkVisibility({ contentVisibilityAuto: true })";
        let items = format!("[...document.querySelectorAll('{items}')]");
        // The first frame decides what is near.
        browser.until(&format!("{items}.some({is_near})")).await?;
        let counts = format!("[{items}.length, {items}.filter({is_near}).length]");
        let counts = browser.evaluate(&counts).await?;
        let [all, near] = [&counts[0], &counts[1]].map(|count| count.as_u64().unwrap_or(0));
        assert_eq!(all, FILES as u64, "{items}");
        assert!((1..all / 2).contains(&near), "{near} of {all} {items}");
    }
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_page_fetches_nothing_that_it_knows() -> Result<()> {
    let server = Server::start().await;
    let chat = create_chat(&server, None, "Before").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    assert!(has_seen_all(&mut browser).await?);
    assert_eq!(take_fetches(&mut browser), [""; 0]);
    // After a write of the reader, the page is read once, although the stream tells of the write as well.
    browser
        .evaluate(
            "document.querySelector('details.inline').open = true; \
             document.querySelector('details.inline input[name=title]').value = 'After'",
        )
        .await?;
    browser.click("details.inline button[type=submit]").await?;
    browser
        .until("document.querySelector('h1').textContent.includes('After')")
        .await?;
    assert!(has_seen_all(&mut browser).await?);
    let page = server.url.join(&format!("/chats/{chat}")).unwrap();
    assert_eq!(
        take_fetches(&mut browser),
        [page.as_str(), page.as_str()],
        "the write and the page"
    );
    // A second tab knows everything too.
    browser.open_tab().await?;
    browser.open(page.as_str()).await?;
    browser
        .until("document.getElementById('stream')?.dataset.stream === 'live'")
        .await?;
    assert!(has_seen_all(&mut browser).await?);
    assert_eq!(take_fetches(&mut browser), [""; 0]);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_push_to_an_agent_of_many_chats_updates_a_page_with_one_request() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    for number in 0..300 {
        create_chat(&server, Some(agent.id), &format!("Chat {number}")).await;
    }
    let mut browser = signed_in(&server, "/chats").await?;
    assert_eq!(take_fetches(&mut browser), [""; 0]);
    agent.push(&edition("Be quick.")).await;
    browser
        .until("document.querySelectorAll('.chat-row .sign.drifted').length === 50")
        .await?;
    assert!(has_seen_all(&mut browser).await?);
    assert_eq!(take_fetches(&mut browser).len(), 1);

    // Many pushes are few requests.
    let begun = Instant::now();
    for number in 1..=40 {
        agent.push(&edition(&format!("Rule {number}."))).await;
    }
    agent.push(&edition("Be kind.")).await;
    browser
        .until("document.querySelectorAll('.chat-row .sign.clean').length === 50")
        .await?;
    let most = begun.elapsed().as_millis() / REFRESH_EVERY_MS + 2;
    let fetched = take_fetches(&mut browser).len() as u128;
    assert!(fetched <= most, "{fetched} requests, and not {most}");
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_hidden_tab_fetches_when_it_is_shown() -> Result<()> {
    /// Tells the page that its tab is hidden or shown.
    async fn hide(browser: &mut Chromium, hidden: bool) -> Result<()> {
        browser
            .evaluate(&format!(
                "Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }}); \
                 document.dispatchEvent(new Event('visibilitychange'))"
            ))
            .await?;
        Ok(())
    }
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    create_chat(&server, Some(agent.id), "Split the payment step").await;
    let mut browser = signed_in(&server, "/chats").await?;
    hide(&mut browser, true).await?;
    // This timer is set after the one of a page that would not wait, and runs longer.
    browser
        .evaluate(
            "new Promise((resolve) => {
                const source = new EventSource('/api/v1/watch?state=false');
                source.addEventListener('ready', resolve);
                window.heard = new Promise((resolve) => source.addEventListener('changed', () => {
                    source.close();
                    setTimeout(resolve, 600);
                }));
            }).then(() => true)",
        )
        .await?;
    agent.push(&edition("Be quick.")).await;
    browser.evaluate("window.heard.then(() => true)").await?;
    assert_eq!(take_fetches(&mut browser), [""; 0]);
    hide(&mut browser, false).await?;
    browser
        .until("document.querySelector('.chat-row .sign.drifted') !== null")
        .await?;
    assert_eq!(take_fetches(&mut browser).len(), 1);
    server.stop().await;
    Ok(())
}
