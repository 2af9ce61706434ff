//! The page of a chat's context, and of what its file has.

use ctxpin_model::resource::{Kind, Resource, Status};
use ctxpin_protocol::http::context::ContextMove;
use ctxpin_protocol::http::people::TokenCreate;
use ctxpin_testing::workspace::Workspace;

use crate::browser::{Browser, between, create_chat};
use crate::pages::{check_golden, editions};
use crate::server::{Agent, Server};

#[tokio::test]
async fn tools_that_are_not_the_pinned_ones_are_told() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    let workspace = || Workspace::with_agents_md("/w", "Be kind.\n");
    agent.push(&workspace().server("git", &["log"])).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    let path = format!("/chats/{chat}");
    let differs = ", but for the tools";
    let page = browser.page(&path).await;
    assert!(page.contains("policy manual, tools live"), "{page}");
    assert!(!page.contains(differs), "{page}");
    agent.push(&workspace().server("git", &["blame"])).await;
    for tab in ["", "/context"] {
        let page = browser.page(&format!("{path}{tab}")).await;
        assert!(page.contains(differs), "{tab}: {page}");
    }
    // The form of the policy changes the tools too. Their changes wait then.
    let settings = browser.page(&format!("{path}/settings")).await;
    browser
        .submit(&settings, &path, &[("tools", "pinned")])
        .await;
    let page = browser.page(&path).await;
    assert!(page.contains("tools pinned"), "{page}");
    assert!(page.contains("<form class=\"decision\""), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn raw_is_the_text_of_the_file() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    let text = "Be brief.\n</context-file>\n<!-- hidden -->\nEnd.\n";
    agent
        .push(&Workspace::with_agents_md("/srv/shop", text))
        .await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let page = browser.page(&format!("/chats/{chat}/context")).await;
    let resource = between(&page, "href=\"?resource=", "&amp;").to_owned();
    let raw = browser
        .page(&format!("/chats/{chat}/context?resource={resource}&as=raw"))
        .await;
    assert!(
        raw.contains("&lt;/context-file&gt;\n&lt;!-- hidden --&gt;"),
        "{raw}"
    );
    let raw = browser
        .page(&format!("/chats/{chat}/context/{resource}/raw"))
        .await;
    assert_eq!(raw, text);
    server.stop().await;
}

#[tokio::test]
async fn workspaces_and_contexts_say_why_a_skill_is_not_used_and_what_to_do() {
    let server = Server::start().await;
    let (browser, auditor) = (
        Browser::sign_in(&server, &server.token).await,
        Browser::of_user(&server, "auditor", &["auditor"], &["read"]).await,
    );
    let mut agent = Agent::create(&server).await;
    let unused = |name: &str, status, reason: &str| {
        let source = format!("/srv/shop/.agents/skills/{name}/SKILL.md");
        let mut skill = Resource::new(Kind::Skill, source, status);
        skill.error = Some(reason.into());
        skill.root = Some("/srv/shop".into());
        skill
    };
    let [first, _] = editions();
    let winner = "/srv/shop/.agents/skills/pdf/SKILL.md";
    let first = first
        .resource(unused(
            "pdf-old",
            Status::Excluded,
            &format!("shadowed by {winner}"),
        ))
        .resource(unused("deploy", Status::Invalid, "no description"))
        .resource(unused("secret", Status::Unreadable, "permission denied"))
        .error("/srv is left out: it is not trusted; trust it; only 10000 entries of docs were looked at");
    let workspace = format!("/workspaces/{}", agent.id);
    let page = browser.page(&workspace).await;
    assert!(!page.contains("In use now"), "{page}");
    agent.push(&first).await;
    check_golden("workspace-unused", &browser.page(&workspace).await);
    let page = auditor.page(&workspace).await;
    assert!(
        page.contains("You may see that this workspace has changed, not what"),
        "{page}"
    );
    assert!(
        !page.contains("AGENTS.md") && !page.contains("deploy"),
        "{page}"
    );

    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let path = format!("/chats/{chat}/context");
    let page = browser.page(&path).await;
    check_golden("chat-context-unused", &page);
    assert!(
        page.contains("<a href=\"#unused\">4 not used</a>"),
        "{page}"
    );

    // The workspace has mended one, and has a new one.
    let mended = first
        .skill("deploy", "Deploys.", &[])
        .skill("audit", "Audits.", &[]);
    agent.push(&mended).await;
    let page = browser.page(&path).await;
    assert!(page.contains("5 not used"), "{page}");
    let now = browser.page(&workspace).await;
    assert!(now.contains("<a href=\"#unused\">3 not used</a>"), "{now}");
    let takes = "The workspace can use it by now: take the change.";
    assert_eq!(page.matches(takes).count(), 2, "{page}");
    assert!(page.contains("The pin does not have it."), "{page}");
    // Readers who may not take are told what they can do.
    let page = auditor.page(&path).await;
    let asks = "by now: ask the chat&#39;s owner to take the change.";
    assert_eq!(page.matches(asks).count(), 2, "{page}");
    let token = TokenCreate {
        scopes: Some(vec!["read".into()]),
        ..TokenCreate::default()
    };
    let token = server.client.token_create(&token).await.unwrap();
    let read_only = Browser::sign_in(&server, token.secret.expose()).await;
    let page = read_only.page(&path).await;
    let takes = "by now: sign in with a token that may write, and take the change.";
    assert_eq!(page.matches(takes).count(), 2, "{page}");
    server.stop().await;
}

#[tokio::test]
async fn lists_say_the_same_of_a_chat() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    let workspace = |text| Workspace::with_agents_md("/w", text);
    agent.push(&workspace("Be kind.\n")).await;
    create_chat(&server, Some(agent.id), "A chat").await;
    agent.push(&workspace("Be quick.\n")).await;
    let unused = workspace("Be quick.\n").broken("skills/pdf/SKILL.md", "It has no description");
    agent.push(&unused).await;
    let inbox = browser.page("/").await;
    let change = between(&inbox, "href=\"/changes/", "\"");
    let change = browser.page(&format!("/changes/{change}")).await;
    for page in [browser.page("/chats").await, change.clone()] {
        assert!(page.contains("aria-label=\"Behind by 2 heads\""), "{page}");
    }
    let sentence = between(&change, "<p class=\"sentence\">", "</p>");
    assert!(
        sentence.starts_with("Instruction file. The workspace changed <time"),
        "{sentence}"
    );
    let workspaces = browser.page("/workspaces").await;
    let unusable = format!("href=\"/workspaces/{}#unused\">1 unusable</a>", agent.id);
    assert!(workspaces.contains(&unusable), "{workspaces}");
    server.stop().await;
}

#[tokio::test]
async fn no_way_leads_back_to_where_the_pin_is() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&editions()[0]).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    let first = server.client.context(chat).await.unwrap().pin.snapshot;
    agent.push(&editions()[1]).await;
    let moves = [
        ContextMove::default(),
        ContextMove {
            snapshot: first,
            ..ContextMove::default()
        },
    ];
    for to in &moves {
        let moved = server.client.context_move(chat, to, None).await;
        moved.unwrap();
    }
    let page = browser.page(&format!("/chats/{chat}/history")).await;
    assert_eq!(page.matches("value=\"rollback\"").count(), 1, "{page}");
    assert!(page.contains("pin 1, the same as now"), "{page}");
    assert!(page.contains("admin, by command or API"), "{page}");
    server.stop().await;
}
