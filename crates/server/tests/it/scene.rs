//! Every page in every state that it has, for tests that look at all of them.

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::agents::AgentCreate;
use ctxpin_protocol::http::chats::ChatChange;
use ctxpin_protocol::http::context::ContextMove;
use ctxpin_protocol::http::people::{TokenCreate, UserCreate};
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_testing::workspace::Workspace;
use reqwest::StatusCode;

use crate::browser::{Browser, between, create_chat, create_observed};
use crate::evidence::{Reader, result};
use crate::server::{Agent, Server};

/// The routes of the pages, as the server declares them.
const ROUTES: &str = include_str!("../../src/pages/routes.rs");

/// What people and workspaces wrote.
pub struct Content {
    /// The workspace as chats are pinned to it, as it is now, and as it was before both.
    pub editions: [Workspace; 3],
    /// The name of the workspace, the title of each chat, the reference of each turn, the name of a user and the
    /// label of a token.
    pub name: String,
}

/// Fills a server, and returns the paths of its pages.
pub async fn set(server: &Server, content: &Content) -> Vec<String> {
    let Content { editions, name } = content;
    let [pinned, now, before] = editions;
    let mut agent = create_agent(server, name).await;
    let waiting = create_chat(server, Some(agent.id), name).await;
    agent.push(before).await;
    let moved = create_chat(server, Some(agent.id), name).await;
    agent.push(pinned).await;
    let refresh = ContextMove::default();
    let client = &server.client;
    client.context_move(moved, &refresh, None).await.unwrap();
    let (drifted, kept) = (
        create_chat(server, Some(agent.id), name).await,
        create_chat(server, Some(agent.id), name).await,
    );
    let turn = TurnBegin {
        reference: Some(name.clone()),
        ..TurnBegin::default()
    };
    client.turn_begin(moved, &turn).await.unwrap();
    let observed = create_observed(server, Some(agent.id), name).await;
    let head = agent.push(now).await.snapshot;
    let decline = ContextMove {
        decline: head,
        ..ContextMove::default()
    };
    client.context_move(kept, &decline, None).await.unwrap();
    client
        .turn_begin(moved, &TurnBegin::default())
        .await
        .unwrap();
    let clean = create_chat(server, Some(agent.id), name).await;
    let archived = create_chat(server, Some(agent.id), name).await;
    let archive = ChatChange {
        archived: Some(true),
        ..ChatChange::default()
    };
    client.chat_change(archived, &archive).await.unwrap();
    let mut failing = create_agent(server, name).await;
    failing.push(pinned).await;
    let failed = create_chat(server, Some(failing.id), name).await;
    failing.push(&now.clone().error(name)).await;
    let loose = create_chat(server, None, name).await;
    create_people(server, name).await;

    let reader = Browser::sign_in(server, &server.token).await;
    let inbox = reader.page("/").await;
    let change = between(&inbox, "href=\"/changes/", "\"");
    let hash = pinned.snapshot().resources[0].body().unwrap();
    let mut paths: Vec<_> = [
        "/",
        "/chats",
        "/chats?show=drifted",
        "/chats?show=archived",
        "/chats?show=observed",
        "/chats?show=deviates",
        "/chats?show=error",
        "/chats/new",
        "/workspaces/new",
        "/chats/00000000-0000-0000-0000-000000000001",
        "/workspaces",
        "/workspaces?show=refused",
        "/search",
        "/settings",
        "/settings/sessions",
        "/settings/usage",
        "/settings/users",
        "/settings/audit",
        "/sign-in",
    ]
    .map(str::to_owned)
    .into();
    paths.push(format!("/changes/{change}"));
    let tokens = reader.page("/settings").await;
    let token = between(&tokens, "href=\"/settings/tokens/", "\"");
    paths.push(format!("/settings/tokens/{token}"));
    for page in [
        "",
        "/compare?from=1&to=3",
        "/compare?from=2&to=3&view=split",
        "/delete",
    ] {
        paths.push(format!("/workspaces/{}{page}", agent.id));
    }
    paths.push(format!("/search?agent={}", agent.id));
    paths.push(format!("/search?q={hash}"));
    paths.push(format!("/search?q={}", "0".repeat(64)));
    for chat in [waiting, kept, clean, archived, failed, loose] {
        paths.push(format!("/chats/{chat}"));
    }
    paths.extend(pages_of_chat(&reader, drifted).await);
    let reader_of_records = Reader::new(server).await;
    let worst = vec![
        reader_of_records.foreign(&name_on_one_line(name), "Nobody has this.\n"),
        result(
            "instruction_file",
            &name_on_one_line(name),
            "stale",
            "before",
        ),
    ];
    reader_of_records.turn(observed, "deviates", worst).await;
    for tab in ["", "/history", "/settings", "/turns", "/turns/1"] {
        paths.push(format!("/chats/{observed}{tab}"));
    }
    paths.extend(pages_of_text(server, &reader, name).await);
    paths.extend(
        [
            "/history",
            "/history/compare?from=1&to=2",
            "/turns",
            "/turns/1",
        ]
        .map(|tab| format!("/chats/{moved}{tab}")),
    );
    check_complete(&paths);
    for path in &paths {
        let status = reader.get(path).send().await.unwrap().status();
        let is_missing = path.contains("00000000-0000-0000");
        assert!(status == StatusCode::OK || is_missing, "{path}: {status}");
    }
    paths
}

/// Returns a name as a path of evidence, which is sanitised and has a bound.
fn name_on_one_line(name: &str) -> String {
    let is_visible = |character: &char| character.is_ascii_graphic();
    let path: String = name.chars().filter(is_visible).take(1_000).collect();
    format!("/w/{path}.md")
}

/// Returns the pages of a drifted chat, with every resource and every form of its text.
async fn pages_of_chat(reader: &Browser<'_>, chat: ChatId) -> Vec<String> {
    let chat = format!("/chats/{chat}");
    let mut paths: Vec<_> = [
        "?view=unified",
        "?view=split",
        "/context",
        "/context?file=src/main.rs",
        "/context?file=..",
        "/prompt",
        "/turns",
        "/history",
        "/settings",
        "/delete",
    ]
    .map(|tab| format!("{chat}{tab}"))
    .into();
    let context = reader.page(&format!("{chat}/context")).await;
    for link in context.split("class=\"cut\" href=\"").skip(1) {
        let (link, _) = link.split_once('"').unwrap();
        // The file of a skill is a download.
        let Some(query) = link.split_once("/context?").map(|(_, query)| query) else {
            continue;
        };
        for form in ["rendered", "raw", "removed"] {
            paths.push(format!("{chat}/context?{query}&as={form}"));
        }
    }
    paths
}

/// Returns the pages of a turn that had an earlier text, and of this text.
async fn pages_of_text(server: &Server, reader: &Browser<'_>, text: &str) -> [String; 2] {
    let mut agent = create_agent(server, text).await;
    let edition = |line| Workspace::with_agents_md("/w", &format!("{text}\n{line}\n"));
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(server, Some(agent.id), text).await;
    agent.push(&edition("Be quick.")).await;
    let refresh = ContextMove::default();
    let moved = server.client.context_move(chat, &refresh, None).await;
    moved.unwrap();
    let earlier = format!("{text}\nBe kind.\n");
    let stale = result("instruction_file", "/w/AGENTS.md", "stale", &earlier);
    let records = Reader::new(server).await;
    records.turn(chat, "deviates", vec![stale]).await;
    let turn = format!("/chats/{chat}/turns/1");
    let texts = format!("{turn}/texts/");
    let page = reader.page(&turn).await;
    let text = format!("{texts}{}", between(&page, &texts, "\""));
    [turn, text]
}

async fn create_agent(server: &Server, name: &str) -> Agent {
    let request = AgentCreate {
        workspace: name.into(),
        name: None,
        may_refresh: false,
        replaces: None,
        ..AgentCreate::default()
    };
    let created = server.client.agent_create(&request).await.unwrap();
    Agent::of(server, created.agent.id, created.token).await
}

async fn create_people(server: &Server, name: &str) {
    let user = UserCreate {
        name: name.into(),
        roles: vec!["auditor".into()],
    };
    server.client.user_create(&user).await.unwrap();
    let token = TokenCreate {
        label: Some(name.into()),
        ..TokenCreate::default()
    };
    server.client.token_create(&token).await.unwrap();
}

/// Checks that there is a path for each page of the server.
pub fn check_complete(paths: &[String]) {
    let routes = ROUTES.split("PageRoute::new(").skip(1);
    let pages = routes.filter(|route| route.contains("get("));
    for page in pages {
        let pattern = between(page, "\"", "\"");
        // Files, and texts without a page around them.
        let is_text = ["/file", "/download", "/raw"]
            .iter()
            .any(|end| pattern.ends_with(end));
        if pattern.starts_with("/assets/") || pattern.contains('.') || is_text {
            continue;
        }
        let is_shown = paths.iter().any(|path| is_of(path, pattern));
        assert!(is_shown, "no page of {pattern} in {paths:#?}");
    }
}

/// Returns whether a path belongs to a route.
fn is_of(path: &str, pattern: &str) -> bool {
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    let (path, pattern): (Vec<_>, Vec<_>) =
        (path.split('/').collect(), pattern.split('/').collect());
    path.len() == pattern.len()
        && path
            .iter()
            .zip(pattern)
            .all(|(part, wanted)| match wanted.starts_with('{') {
                // An id or a number, and not a word that is another route.
                true => part.contains(|character: char| character.is_ascii_digit()),
                false => *part == wanted,
            })
}
