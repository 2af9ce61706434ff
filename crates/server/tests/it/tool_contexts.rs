//! The page of a context on agents of a tool.

use ctxpin_protocol::http::agents::AgentCreate;
use ctxpin_testing::workspace::Workspace;

use crate::browser::{Browser, create_chat};
use crate::pages::check_golden;
use crate::server::{Agent, Server};

#[tokio::test]
async fn a_context_adds_up_towards_the_limit_of_its_tool() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let request = AgentCreate {
        workspace: "shop".into(),
        profile: Some("codex".into()),
        ..AgentCreate::default()
    };
    let mut agent = Agent::create_from(&server, &request).await;
    let workspace = Workspace::new("/home/ada/.codex")
        .file("AGENTS.md", "Mine.\n")
        .at("/srv/shop")
        .file("AGENTS.md", "Write the test first.\n")
        .file("pay/AGENTS.md", "Keep functions short.\n")
        .file("pay/api/AGENTS.md", "Ask before a release.\n")
        .codex(30);
    agent.push(&workspace).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let page = browser.page(&format!("/chats/{chat}/context")).await;
    check_golden("chat-context-codex", &page);
    for text in [
        "What codex gives its model",
        "30 B of at most 30 B",
        "cut at byte 8",
        "Not given: the 30 bytes are used up by the files above.",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let page = browser.page(&format!("/workspaces/{}", agent.id)).await;
    assert!(page.contains("<dt>Profile</dt><dd>codex</dd>"), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn a_context_of_claude_code_adds_up_without_a_limit() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let request = AgentCreate {
        workspace: "shop".into(),
        profile: Some("claude-code".into()),
        ..AgentCreate::default()
    };
    let mut agent = Agent::create_from(&server, &request).await;
    let workspace = Workspace::new("/home/ada/.claude")
        .file("CLAUDE.md", "Mine.\n")
        .at("/srv/shop")
        .file("CLAUDE.md", "Write the test first.\n")
        .file("notes.md", "<!-- nothing -->\n")
        .file_for(
            "pay/CLAUDE.md",
            "Keep functions short.\n",
            "/srv/shop/pay",
            &[],
        )
        .skill("pdf", "Reads.", &[])
        .claude_code(&[]);
    agent.push(&workspace).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let page = browser.page(&format!("/chats/{chat}/context")).await;
    check_golden("chat-context-claude-code", &page);
    let page = page.replace("<wbr>", "");
    for text in [
        "What claude-code gives its model",
        "35 B, about 9 tokens",
        "26 B of 35 B with this",
        "Not in the sum: on demand, with a file below /srv/shop/pay.",
        "Not given: nothing in it is for the model.",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    server.stop().await;
}
