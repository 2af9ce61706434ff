//! What people do on the pages, in a real browser.

use anyhow::Result;
use ctxpin_browser::Chromium;
use ctxpin_protocol::http::chats::ChatQuery;
use ctxpin_testing::workspace::Workspace;

use crate::browser::create_chat;
use crate::server::{Agent, Server};

/// Returns a workspace of one file with ten lines before and after this one.
fn edition(line: &str) -> Workspace {
    let others: String = (0..10).map(|number| format!("Rule {number}.\n")).collect();
    Workspace::with_agents_md("/w", &format!("{others}{line}\n{others}"))
}

/// Returns a browser that has signed in, and shows a page with the news of the server.
pub async fn signed_in(server: &Server, path: &str) -> Result<Chromium> {
    let mut browser = Chromium::start().await?;
    let sign_in = format!("/sign-in?next={path}");
    browser
        .open(server.url.join(&sign_in).unwrap().as_str())
        .await?;
    let token = serde_json::json!(server.token);
    browser
        .evaluate(&format!(
            "document.querySelector('input[name=token]').value = {token}"
        ))
        .await?;
    browser.follow("[data-sign-in] button[type=submit]").await?;
    browser
        .until("document.getElementById('stream')?.dataset.stream === 'live'")
        .await?;
    Ok(browser)
}

#[tokio::test]
async fn drift_appears_while_the_page_is_open_and_is_taken_and_undone() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    browser
        .until("document.querySelector('.state h2')?.textContent === 'Nothing waits'")
        .await?;

    // Somebody types a new title while the workspace moves on.
    browser
        .evaluate(
            "document.querySelector('details.inline').open = true; \
             const field = document.querySelector('details.inline input[name=title]'); \
             field.focus(); field.value = 'Half a title'",
        )
        .await?;
    agent.push(&edition("Be quick.")).await;
    browser
        .until("document.querySelector('#diff ins') !== null")
        .await?;
    let typed = browser
        .evaluate("document.activeElement.name + ': ' + document.activeElement.value")
        .await?;
    assert_eq!(typed, "title: Half a title");

    // The lines above and below are there on demand.
    for left in [1, 0] {
        browser.click("tr.gap a").await?;
        browser
            .until(&format!(
                "document.querySelectorAll('tr.gap').length === {left}"
            ))
            .await?;
    }
    let lines = browser
        .evaluate("document.querySelectorAll('#diff tr').length")
        .await?;
    // One of the 21 lines is removed and added.
    assert_eq!(lines, 22);

    browser.click("#decision button[value=all]").await?;
    browser
        .until("document.querySelector('.toast p')?.textContent === 'Taken.' && !document.querySelector('#diff')")
        .await?;
    assert!(!server.client.context(chat).await.unwrap().pin.dirty);
    browser.click(".toast button[data-keys=u]").await?;
    browser
        .until("document.querySelector('#diff') !== null")
        .await?;
    assert!(server.client.context(chat).await.unwrap().pin.dirty);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn forty_chats_are_decided_at_once_and_two_of_them_are_gone() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let mut chats = Vec::new();
    for number in 0..40 {
        chats.push(create_chat(&server, Some(agent.id), &format!("Chat {number}")).await);
    }
    agent.push(&edition("Be quick.")).await;
    let mut browser = signed_in(&server, "/").await?;
    browser
        .until("document.querySelectorAll('input[name=chat]').length === 40")
        .await?;
    browser
        .evaluate("document.querySelectorAll('input[name=chat]').forEach((box) => box.click())")
        .await?;
    browser
        .until("document.querySelector('[value=chosen]').textContent === 'Take for 40 of 40 chats'")
        .await?;
    // The rows stay under the reader's choice, and are marked.
    for chat in &chats[..2] {
        server.client.chat_delete(*chat).await.unwrap();
    }
    browser
        .until("document.querySelectorAll('.is-gone').length === 2")
        .await?;
    browser.click("[value=chosen]").await?;
    browser
        .until("document.querySelectorAll('.toast.failed .failures li').length === 2")
        .await?;
    browser
        .until("document.querySelector('h1').textContent === 'Nothing waits'")
        .await?;
    let drifted = ChatQuery {
        dirty: Some(true),
        ..ChatQuery::default()
    };
    assert!(
        server
            .client
            .chats(&drifted)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_open_page_says_that_its_chat_or_the_server_is_gone() -> Result<()> {
    let server = Server::start().await;
    let chat = create_chat(&server, None, "Soon gone").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    server.client.chat_delete(chat).await.unwrap();
    browser
        .until("document.querySelector('h1').textContent === 'This is not here'")
        .await?;
    server.stop().await;
    browser
        .until("document.getElementById('stream').dataset.stream === 'reconnecting'")
        .await?;
    Ok(())
}
