//! Pinned files as a browser saves them.

use ctxpin_testing::workspace::Workspace;
use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};

use crate::browser::{Browser, between, create_chat};
use crate::server::{Agent, Server};

#[tokio::test]
async fn the_bytes_of_a_pinned_file_are_saved_as_they_are() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    let text = "\u{FEFF}# Rules\r\n<!-- hidden -->\u{202E}\u{200B}<script>\n";
    agent.push(&Workspace::with_agents_md("/w", text)).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    let context = browser.page(&format!("/chats/{chat}/context")).await;
    let path = between(&context, "data-copy-of=\"", "\"").to_owned();
    assert!(
        context.contains(&format!("<a href=\"{path}\" download>Download</a>")),
        "{context}"
    );
    let saved = browser.get(&path).send().await.unwrap();
    let headers = saved.headers();
    assert_eq!(headers[CONTENT_TYPE], "application/octet-stream");
    assert_eq!(
        headers[CONTENT_DISPOSITION],
        "attachment; filename=\"AGENTS.md\"; filename*=UTF-8''AGENTS.md"
    );
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers[CACHE_CONTROL], "no-store");
    assert_eq!(saved.text().await.unwrap(), text);
    // The search by its hash finds the chat.
    let search = between(&context, " download>Download</a> <a href=\"", "\"");
    let found = browser.page(search).await;
    assert!(found.contains(&format!("/chats/{chat}/history")), "{found}");
    let auditor = Browser::of_user(&server, "mira", &["auditor"], &["read"]).await;
    let refused = auditor.get(&path).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let unknown = browser.get(&format!(
        "/chats/{chat}/context/{}/download",
        "0".repeat(16)
    ));
    assert_eq!(
        unknown.send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    server.stop().await;
}
