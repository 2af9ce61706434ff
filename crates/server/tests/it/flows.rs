//! What people do on the pages, in a real browser.

use ctxpin_testing::workspace::Workspace;

use crate::browser::create_chat;
use crate::chromium::Chromium;
use crate::server::{Agent, Server};

/// Returns a workspace of one file with ten lines before and after this one.
fn edition(line: &str) -> Workspace {
    let others: String = (0..10).map(|number| format!("Rule {number}.\n")).collect();
    Workspace::with_agents_md("/w", &format!("{others}{line}\n{others}"))
}

#[tokio::test]
async fn drift_appears_while_the_page_is_open_and_is_taken_and_undone() {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let mut browser = Chromium::start().await;
    let sign_in = format!("/sign-in?next=/chats/{chat}");
    browser
        .open(server.url.join(&sign_in).unwrap().as_str())
        .await;
    let token = serde_json::json!(server.token);
    browser
        .evaluate(&format!(
            "document.querySelector('input[name=token]').value = {token}"
        ))
        .await;
    browser.click("[data-sign-in] button[type=submit]").await;
    browser.loaded().await;
    browser
        .until("document.getElementById('stream')?.dataset.stream === 'live'")
        .await;
    browser
        .until("document.querySelector('.state h2')?.textContent === 'Nothing waits'")
        .await;

    // Somebody types a new title while the workspace moves on.
    browser
        .evaluate(
            "document.querySelector('details.inline').open = true; \
             const field = document.querySelector('details.inline input[name=title]'); \
             field.focus(); field.value = 'Half a title'",
        )
        .await;
    agent.push(&edition("Be quick.")).await;
    browser
        .until("document.querySelector('#diff ins') !== null")
        .await;
    let typed = browser
        .evaluate("document.activeElement.name + ': ' + document.activeElement.value")
        .await;
    assert_eq!(typed, "title: Half a title");

    // The lines above and below are there on demand.
    for left in [1, 0] {
        browser.click("tr.gap a").await;
        browser
            .until(&format!(
                "document.querySelectorAll('tr.gap').length === {left}"
            ))
            .await;
    }
    let lines = browser
        .evaluate("document.querySelectorAll('#diff tr').length")
        .await;
    // One of the 21 lines is removed and added.
    assert_eq!(lines, 22);

    browser.click("#decision button[value=all]").await;
    browser
        .until("document.querySelector('.toast p')?.textContent === 'Taken.' && !document.querySelector('#diff')")
        .await;
    assert!(!server.client.context(chat).await.unwrap().pin.dirty);
    browser.click(".toast button[data-keys=u]").await;
    browser
        .until("document.querySelector('#diff') !== null")
        .await;
    assert!(server.client.context(chat).await.unwrap().pin.dirty);
    browser.assert_no_errors();
    server.stop().await;
}
