//! What a page says after something was done: once, and the newest alone.

use anyhow::Result;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};

use crate::browser::{Browser, create_chat, hidden, page_value};
use crate::flows::{LIVE, edition, signed_in};
use crate::pages::chat_behind;
use crate::server::{Agent, Server};

/// The sentences of the notices on the page.
const TOASTS: &str = "[...document.querySelectorAll('.toast p')].map((one) => one.textContent.split('.')[0]).join('|')";

#[tokio::test]
async fn the_newest_notice_stands_alone() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Chat").await;
    agent.push(&edition("Be quick.")).await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    browser.resize(1200, 900).await?;
    let says = |words: &str| format!("{TOASTS} === '{words}'");
    let refused = says("The workspace or the pin changed while you were reading");
    // The page sends what it has seen, and does not hear of what comes.
    let field = "document.querySelector('#decision [name=head]')";
    let stale = format!("window.head = {field}.value; {field}.value = 'sha256:' + '0'.repeat(64)");
    for _ in 0..2 {
        browser.evaluate(&stale).await?;
        browser
            .evaluate("document.querySelector('#decision [value=all]').disabled = false")
            .await?;
        browser.click("#decision [value=all]").await?;
        browser.until(&refused).await?;
        browser
            .until("document.querySelector('[aria-busy]') === null")
            .await?;
    }
    browser.click(".toast [data-again]").await?;
    browser.until(&format!("{LIVE} && {TOASTS} === ''")).await?;
    browser.evaluate(&stale).await?;
    browser.click("#decision [value=all]").await?;
    browser.until(&refused).await?;
    browser
        .until("document.querySelector('[aria-busy]') === null")
        .await?;
    // A success takes the place of a refusal, and an undo that of what it undid. What the page only says leaves the way
    // back there.
    browser
        .evaluate(&format!("{field}.value = window.head; document.querySelector('#decision [value=decline]').disabled = false"))
        .await?;
    browser.click("#decision [value=decline]").await?;
    browser.until(&says("The pin is kept")).await?;
    browser.click(".toast .command").await?;
    browser
        .until("document.querySelectorAll('.toast').length === 1 && document.querySelector('.toast:has(form) .aside').textContent.startsWith('Copied: ')")
        .await?;
    for (verb, said) in [("undo", "Undone"), ("redo", "Redone"), ("undo", "Undone")] {
        browser
            .until(&format!(
                "document.querySelector('.toast [name=way]').value === '{verb}'"
            ))
            .await?;
        browser.click(".toast [type=submit]").await?;
        browser.until(&says(said)).await?;
    }
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn without_the_script_a_notice_is_shown_once() {
    let server = Server::start().await;
    let chat = chat_behind(&server).await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let path = format!("/chats/{chat}");
    let page = browser.page(&path).await;
    let value = page_value(&page);
    let fields = [
        ("page", value.as_str()),
        ("move", "decline"),
        ("pin", hidden(&page, "pin")),
        ("head", hidden(&page, "head")),
    ];
    let answer = browser.post(&format!("{path}/moves"), &fields).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let done = answer.headers()[SET_COOKIE].to_str().unwrap();
    let (done, _) = done.split_once(';').unwrap();
    let next = async |path: &str| {
        let cookies = format!("{}; {done}", browser.cookies);
        let page = browser.get(path).header("accept", "text/html");
        page.header(COOKIE, cookies).send().await.unwrap()
    };
    let forgets = |answer: &reqwest::Response| {
        let cookies = answer.headers().get_all(SET_COOKIE).iter();
        let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok());
        cookies.any(|cookie| cookie.starts_with("ctxpin-done=; ") && cookie.contains("Max-Age=0"))
    };
    // What is no page has no notice.
    let raw = next(&format!("{path}/prompt/raw")).await;
    assert!(
        !raw.headers()[CONTENT_TYPE]
            .to_str()
            .unwrap()
            .contains("html")
    );
    assert!(!forgets(&raw));
    let shown = next(&path).await;
    assert!(forgets(&shown));
    let shown = shown.text().await.unwrap();
    assert!(shown.contains("data-done><p>The pin is kept."), "{shown}");
    let later = browser.page("/chats").await;
    assert!(!later.contains("data-done"), "{later}");
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_workspace_is_named_with_what_became_of_its_chats() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    for title in ["One", "Two"] {
        create_chat(&server, Some(agent.id), title).await;
    }
    let mut browser = signed_in(&server, &format!("/workspaces/{}/delete", agent.id)).await?;
    browser.follow("main button.danger").await?;
    browser
        .until(
            "document.querySelector('.toast p')?.textContent === 'Deleted the workspace project. Its 2 chats keep their \
             pins and their history, and have no workspace now.'",
        )
        .await?;
    // It was said, and news of the deletion leave it there.
    browser.until(LIVE).await?;
    agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    browser
        .until("document.querySelectorAll('main [data-row]').length === 1 && document.querySelector('.toast') !== null")
        .await?;
    browser.evaluate("location.reload()").await?;
    browser.until(LIVE).await?;
    let toasts = browser.evaluate(TOASTS).await?;
    assert_eq!(toasts, "");
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}
