//! The page of a context, as it says which instruction files come with which files.

use ctxpin_testing::workspace::Workspace;

use crate::browser::{Browser, create_chat};
use crate::pages::check_golden;
use crate::server::{Agent, Server};

#[tokio::test]
async fn a_context_says_which_files_bring_which_instructions() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    let workspace = Workspace::with_agents_md("/srv/shop", "Write the test first.\n")
        .file_for(
            "rules/types.md",
            "Name every type.\n",
            "/srv/shop",
            &["src/**/*.ts", "src/**/*.tsx"],
        )
        .at("/srv/shop/pay")
        .file_for("AGENTS.md", "Keep functions short.\n", "/srv/shop/pay", &[])
        .at("/srv/shop");
    agent.push(&workspace).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let page = browser.page(&format!("/chats/{chat}/context")).await;
    let page = page.replace("<wbr>", "");
    for text in [
        "Given with files that match src/**/*.ts, src/**/*.tsx",
        "Given when a file below pay is read",
        "Which instructions come with this file?",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let asking = |file: &str| format!("/chats/{chat}/context?file={file}");
    let page = browser.page(&asking("pay/api/refund.ts")).await;
    check_golden("chat-context-on-demand", &page);
    let page = browser.page(&asking("README.md")).await;
    assert!(
        page.contains("Besides the prompt, nothing comes with"),
        "{page}"
    );
    let page = browser.page(&asking("../secret")).await;
    let mistake = "It is not below /srv/shop, the directory of the pin; name a file there.";
    assert!(page.contains(mistake), "{page}");

    // No prompt has these files, so a provider's cache stays.
    agent
        .push(&workspace.file_for("rules/new.md", "New.\n", "/srv/shop", &[]))
        .await;
    let page = browser.page(&format!("/chats/{chat}")).await;
    for text in [
        "Keeps what a provider has cached",
        "given with certain files only",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    server.stop().await;
}
