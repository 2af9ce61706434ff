//! What happens to an open page in a real browser by news from the server.

use anyhow::Result;
use ctxpin_browser::Transfer;
use ctxpin_protocol::http::chats::ChatChange;
use reqwest::Method;
use serde_json::json;

use crate::browser::create_chat;
use crate::flows::{LIVE, edition, signed_in};
use crate::server::{Agent, Server};

#[tokio::test]
async fn a_page_mends_itself_when_the_server_is_back() -> Result<()> {
    let mut server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    server.halt().await;
    let stream = "document.getElementById('stream').textContent";
    browser
        .until(&format!("{stream} === 'reconnecting'"))
        .await?;
    // The page looks at the clock each second.
    browser
        .evaluate("{ const now = Date.now; Date.now = () => now() + 21_000; }")
        .await?;
    browser
        .until(&format!("/^stale since \\d\\d:\\d\\d$/.test({stream})"))
        .await?;
    // A write says that it failed, and stays there.
    browser.click(".head details.menu summary").await?;
    browser.click("button[name=archived]").await?;
    browser
        .until("document.querySelector('.toast.failed p').textContent.startsWith('The server did not answer.')")
        .await?;
    server.resume().await;
    agent.push(&edition("Be quick.")).await;
    browser.until(LIVE).await?;
    browser
        .until("document.querySelector('#diff ins') !== null")
        .await?;
    let is_gone = "document.querySelector('.toast.failed') === null";
    browser.until(is_gone).await?;
    assert!(!server.client.chat(chat).await.unwrap().archived);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_was_typed_stays_on_the_page_of_a_server_that_has_another_address() -> Result<()> {
    let mut server = Server::start().await;
    let chat = create_chat(&server, None, "Split the payment step").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    browser
        .evaluate(
            "document.querySelector('details.inline').open = true; \
             document.querySelector('details.inline input[name=title]').value = 'Half a title'",
        )
        .await?;
    server.halt().await;
    // Each `ctxpin up` has a host of its own.
    let host = "ctxpin-another.localhost".to_owned();
    server
        .resume_with(|settings| settings.page_host = Some(host))
        .await;
    browser
        .until("document.getElementById('stream').textContent === 'session ended'")
        .await?;
    let kept = "document.querySelector('details.inline input[name=title]').value === 'Half a title' \
                && document.querySelector('.toast.failed p').textContent.includes('`ctxpin open`')";
    browser.until(kept).await?;
    // The page that another tab gets leads nowhere but to the command.
    browser.open(server.url.as_str()).await?;
    let links = "document.querySelectorAll('a, form').length";
    assert_eq!(browser.evaluate(links).await?, 0);
    assert_eq!(
        browser
            .evaluate("document.querySelector('.copyable code').textContent")
            .await?,
        "ctxpin open"
    );
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_time_takes_the_form_that_the_page_gives_it() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    // The agent was seen when it pushed: "behind for 28 min" gives way to "gone since Sat 19:10" of the same moment.
    let time = "document.querySelector('.sentence time')";
    browser
        .evaluate(&format!(
            "{time}.dataset.time = 'span'; {time}.firstChild.data = '28 min'"
        ))
        .await?;
    let title = ChatChange {
        title: Some(Some("Another title".into())),
        ..ChatChange::default()
    };
    server.client.chat_change(chat, &title).await.unwrap();
    browser
        .until("document.querySelector('h1').textContent === 'Another title'")
        .await?;
    let found = browser
        .evaluate(&format!(
            "[{time}.dataset.time, {time}.firstChild.data].join()"
        ))
        .await?;
    let found = found.as_str().unwrap();
    assert!(
        found.starts_with("clock,") && !found.contains("28 min"),
        "{found}"
    );
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_page_notices_at_once_that_the_network_is_gone() -> Result<()> {
    let server = Server::start().await;
    let mut browser = signed_in(&server, "/").await?;
    browser.until(LIVE).await?;
    let network = |is_offline: bool| json!({ "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    browser.call("Network.enable", json!({})).await?;
    browser
        .call("Network.emulateNetworkConditions", network(true))
        .await?;
    browser
        .until("document.getElementById('stream').textContent === 'reconnecting'")
        .await?;
    browser
        .call("Network.emulateNetworkConditions", network(false))
        .await?;
    browser.until(LIVE).await?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn tabs_share_a_stream_and_one_takes_it_over() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let mut browser = signed_in(&server, "/").await?;
    let first = browser.tab();
    let second = browser.open_tab().await?;
    browser.take_transfers();
    let path = server.url.join(&format!("/chats/{chat}"))?;
    browser.open(path.as_str()).await?;
    browser.until(LIVE).await?;
    let streams = |transfers: Vec<Transfer>| {
        let streams = transfers.iter().filter(|one| one.kind == "EventSource");
        streams.count()
    };
    assert_eq!(streams(browser.take_transfers()), 0);
    let metrics = server.request(Method::GET, "/metrics").send().await?;
    let metrics = metrics.text().await?;
    assert!(metrics.contains("\nctxpin_watches 1\n"), "{metrics}");

    // Both tabs have the news.
    agent.push(&edition("Be quick.")).await;
    browser
        .until("document.querySelector('#diff ins') !== null")
        .await?;
    browser.turn_to(first);
    browser
        .until("document.querySelector('#places .waits').textContent === '1 chat'")
        .await?;
    browser.close_tab(second.clone()).await?;
    agent.push(&edition("Be kind.")).await;
    browser
        .until("document.getElementById('held').textContent === 'Nothing waits, show'")
        .await?;
    browser.until(LIVE).await?;
    assert_eq!(streams(browser.take_transfers()), 1);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn no_row_moves_under_the_pointer() -> Result<()> {
    let server = Server::start().await;
    for number in 0..5 {
        create_chat(&server, None, &format!("Chat {number}")).await;
    }
    let mut browser = signed_in(&server, "/chats").await?;
    browser.hover(".chat-row[data-key]:nth-child(3)").await?;
    let pointed = "document.querySelector('.chat-row:hover').dataset.key";
    let before = browser.evaluate(pointed).await?;
    for number in 5..8 {
        create_chat(&server, None, &format!("Chat {number}")).await;
    }
    browser
        .until("document.getElementById('held').textContent === '3 new, show'")
        .await?;
    assert_eq!(browser.evaluate(pointed).await?, before);
    let rows = "document.querySelectorAll('.chat-row[data-key]').length";
    assert_eq!(browser.evaluate(rows).await?, 5);

    browser.click("#held").await?;
    assert_eq!(browser.evaluate(rows).await?, 8);
    // Nobody points at the list any more, so news come at once, with their edge.
    browser.hover(".brand").await?;
    create_chat(&server, None, "Chat 8").await;
    browser
        .until("document.querySelectorAll('.chat-row[data-key]').length === 9 && document.querySelectorAll('[data-news]').length === 1")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}
