//! The main job in one go, over HTTP and on both databases.

use ctxpin_client::{Client, Prompt};
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::{ChatCreate, ChatQuery};
use ctxpin_protocol::http::context::ContextMove;
use ctxpin_protocol::http::diff::DiffQuery;
use ctxpin_protocol::http::history::HistoryQuery;
use ctxpin_protocol::http::instructions::InstructionQuery;
use ctxpin_protocol::http::page::PageQuery;
use ctxpin_protocol::http::people::{TokenCreate, UserCreate};
use ctxpin_protocol::http::skills::SkillQuery;
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_testing::databases::create_postgres_database;
use ctxpin_testing::workspace::Workspace;
use reqwest::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use reqwest::{Method, StatusCode};

use crate::server::{Agent, Server};

#[tokio::test]
async fn the_thread_on_sqlite() {
    thread(Server::start().await).await;
}

#[tokio::test]
async fn the_thread_on_postgres() {
    thread(Server::start_on(Some(create_postgres_database().await)).await).await;
}

async fn thread(server: Server) {
    let client = &server.client;
    client.readiness_check().await.unwrap();
    let mut agent = Agent::create(&server).await;
    let opened = client.chat_create(&chat_of(&agent)).await.unwrap();
    assert!(opened.is_new);
    let again = client.chat_create(&chat_of(&agent)).await.unwrap();
    assert_eq!((again.is_new, again.chat.id), (false, opened.chat.id));
    let chat = ChatId::from(opened.chat.id);
    let unpinned = client.prompt(chat, None).await.unwrap();
    let nothing = Prompt::Bytes {
        bytes: "".into(),
        etag: None,
    };
    assert_eq!(unpinned, nothing);
    let unpinned = client.instructions(chat, &reading("src/a.rs")).await;
    let unpinned = unpinned.unwrap();
    assert_eq!((unpinned.snapshot, unpinned.path), (None, None));

    let first = Workspace::with_agents_md("/w", "Be kind.\n").skill(
        "pdf",
        "Reads PDFs.",
        &[("scripts/run me.sh", "echo\n")],
    );
    let first = first.file_for("rust.md", "No <!-- x -->unsafe.\n", "/w", &["*.rs"]);
    let pushed = agent.push(&first).await;
    assert!(pushed.accepted && pushed.reason.is_none());
    assert_eq!((pushed.seq, pushed.hydrated), (Some(1), 1));
    let second = first.clone().file("AGENTS.md", "Be quick.\n");
    agent.push(&second).await;
    let unchanged = agent.push(&second).await;
    assert_eq!(unchanged.reason.as_deref(), Some("unchanged"));
    assert!(unchanged.accepted);

    let context = client.context(chat).await.unwrap();
    assert!(context.pin.dirty && context.pin.dirty_since.is_some());
    assert_eq!(context.changes.len(), 1);
    assert_eq!(context.changes[0].source, "/w/AGENTS.md");
    let diff = client.diff(chat, &DiffQuery::default()).await.unwrap();
    let text = diff.changes[0].text.as_deref().unwrap();
    assert!(text.contains("-Be kind.\n+Be quick.\n"), "{text}");
    let query = ChatQuery {
        dirty: Some(true),
        agent: Some(agent.id),
        ..ChatQuery::default()
    };
    assert_eq!(client.chats(&query).await.unwrap().items.len(), 1);

    prompt(&server, chat).await;
    instructions(&server, chat).await;
    skills(&server, chat).await;
    moves(&server, chat, pushed.snapshot.as_deref().unwrap()).await;
    turns(client, chat).await;
    others(&server, chat).await;
    server.stop().await;
}

fn chat_of(agent: &Agent) -> ChatCreate {
    ChatCreate {
        client: Some("test".into()),
        reference: Some("1".into()),
        agent_id: Some(agent.id),
        title: Some("first".into()),
        ..ChatCreate::default()
    }
}

async fn prompt(server: &Server, chat: ChatId) {
    let prompt = server.client.prompt(chat, None).await.unwrap();
    let Prompt::Bytes { bytes, etag } = prompt else {
        panic!("nothing was known");
    };
    assert!(String::from_utf8_lossy(&bytes).contains("Be kind."));
    let etag = etag.unwrap();
    assert!(etag.starts_with("\"sha256:"), "{etag}");
    let again = server.client.prompt(chat, Some(&etag)).await.unwrap();
    assert_eq!(again, Prompt::Unchanged);
    let path = format!("/api/v1/chats/{chat}/prompt");
    let other = format!("\"sha256:{}\"", "0".repeat(64));
    for (known, status) in [
        (format!("W/{etag}"), StatusCode::NOT_MODIFIED),
        (format!("{other}, {etag}"), StatusCode::NOT_MODIFIED),
        ("*".to_owned(), StatusCode::NOT_MODIFIED),
        (other, StatusCode::OK),
        ("nonsense".to_owned(), StatusCode::OK),
    ] {
        let request = server.request(Method::GET, &path);
        let request = request.header(IF_NONE_MATCH, &known);
        let response = request
            .header(ACCEPT_ENCODING, "gzip")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{known}");
        let headers = response.headers();
        assert!(
            !headers.contains_key(CONTENT_ENCODING),
            "the tag names the bytes"
        );
        assert_eq!(headers[ETAG], etag);
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        if status == StatusCode::OK {
            assert_eq!(headers[CONTENT_TYPE], "text/markdown; charset=utf-8");
        }
    }
}

fn reading(path: &str) -> InstructionQuery {
    InstructionQuery { path: path.into() }
}

async fn instructions(server: &Server, chat: ChatId) {
    let client = &server.client;
    let found = client.instructions(chat, &reading("src/a.rs")).await;
    let found = found.unwrap();
    assert_eq!(found.path.as_deref(), Some("/w/src/a.rs"));
    let rule = &found.items[0];
    assert_eq!(rule.source, "/w/rust.md");
    assert_eq!(
        (rule.applies.below.as_str(), rule.applies.globs.as_slice()),
        ("/w", &["*.rs".to_owned()][..])
    );
    let text = "<context-file source=\"/w/rust.md\">\nNo unsafe.\n</context-file>\n";
    assert_eq!(rule.text, text);
    assert_eq!(
        rule.content_hash,
        BlobHash::of(b"No <!-- x -->unsafe.\n").to_string()
    );
    let nothing = client.instructions(chat, &reading("a.py")).await.unwrap();
    assert!(nothing.snapshot.is_some() && nothing.items.is_empty());

    let path = |query: &str| format!("/api/v1/chats/{chat}/instructions{query}");
    let get = async |query: &str, known: &str| {
        let request = server.request(Method::GET, &path(query));
        request.header(IF_NONE_MATCH, known).send().await.unwrap()
    };
    let response = get("?path=src/a.rs", "nonsense").await;
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    let etag = response.headers()[ETAG].to_str().unwrap().to_owned();
    let again = get("?path=/w/src/a.rs", &etag).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers()[ETAG], etag);
    assert_eq!(get("?path=b.rs", &etag).await.status(), StatusCode::OK);
    for query in [
        "",
        "?path=",
        "?path=../a",
        "?path=/etc/passwd",
        "?path=a%00b",
        "?path=.",
        "?file=a",
    ] {
        let response = get(query, "nonsense").await;
        assert_eq!(
            response.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{query}"
        );
    }
    let outside = client
        .instructions(chat, &reading("../a"))
        .await
        .unwrap_err();
    assert_eq!(
        outside.problem().unwrap().detail,
        "`path`: it is not below /w, the directory of the pin; name a file there."
    );
    assert_eq!(outside.problem().unwrap().members["member"], "path");
}

async fn skills(server: &Server, chat: ChatId) {
    let client = &server.client;
    let skills = client.skills(chat).await.unwrap();
    assert_eq!(skills.items[0].name, "pdf");
    let raw = SkillQuery { raw: true };
    let skill = client.skill(chat, "pdf", &raw).await.unwrap();
    assert!(skill.body.starts_with("---\nname: pdf\n"));
    assert_eq!(skill.files[0].path, "scripts/run me.sh");
    let file = client.skill_file(chat, "pdf", "scripts/run me.sh").await;
    assert_eq!(&file.unwrap()[..], b"echo\n");
    let path = format!("/api/v1/chats/{chat}/skills/pdf/files/scripts/run%20me.sh");
    let response = server.request(Method::GET, &path).send().await.unwrap();
    let headers = response.headers();
    for (name, value) in [
        (CONTENT_TYPE, "application/octet-stream"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"run_me.sh\"; filename*=UTF-8''run%20me.sh",
        ),
    ] {
        assert_eq!(headers[&name], value);
    }
    let etag = headers[ETAG].clone();
    let request = server.request(Method::GET, &path);
    let response = request.header(IF_NONE_MATCH, etag).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    let missing = client.skill(chat, "none", &raw).await.unwrap_err();
    assert_eq!(missing.problem_name(), Some(ProblemName::NotFound));
    assert!(client.tools(chat).await.unwrap().items.is_empty());
}

async fn moves(server: &Server, chat: ChatId, first: &str) {
    let client = &server.client;
    let refresh = ContextMove::default();
    let other: SnapshotId = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let refused = client.context_move(chat, &refresh, Some(other)).await;
    let refused = refused.unwrap_err();
    assert_eq!(
        refused.problem_name(),
        Some(ProblemName::PreconditionFailed)
    );
    let pinned: SnapshotId = first.parse().unwrap();
    let context = client.context_move(chat, &refresh, Some(pinned)).await;
    let context = context.unwrap();
    assert!(!context.pin.dirty && context.changes.is_empty());
    let decline = ContextMove {
        decline: Some("sha256:00".into()),
        ..ContextMove::default()
    };
    let refused = client.context_move(chat, &decline, None).await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::InvalidRequest));

    let query = HistoryQuery {
        limit: Some(1),
        ..HistoryQuery::default()
    };
    let newest = client.history(chat, &query).await.unwrap();
    assert_eq!(newest.items[0].reason, "refresh");
    assert_eq!(newest.items[0].actor.kind, "user");
    assert_eq!(newest.items[0].actor.door, "api");
    let query = HistoryQuery {
        cursor: newest.next,
        ..query
    };
    let oldest = client.history(chat, &query).await.unwrap();
    assert_eq!(oldest.items[0].reason, "hydrate");
    assert_eq!(oldest.next, None);
    let between = DiffQuery {
        from: Some(1),
        to: Some(2),
        ..DiffQuery::default()
    };
    let diff = client.diff(chat, &between).await.unwrap();
    assert_eq!(diff.pinned.as_deref(), Some(first));
    assert_eq!(diff.changes.len(), 1);
    let unknown = DiffQuery {
        from: Some(9),
        to: None,
        ..DiffQuery::default()
    };
    let refused = client.diff(chat, &unknown).await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::InvalidRequest));
}

async fn turns(client: &Client, chat: ChatId) {
    let turn = TurnBegin {
        reference: Some("t1".into()),
        delivery: None,
    };
    let begun = client.turn_begin(chat, &turn).await.unwrap();
    assert!(begun.prompt.as_deref().unwrap().contains("Be quick."));
    assert!(begun.prompt_tokens.unwrap() > 0);
    assert_eq!(begun.turn.number, 1);
    let again = client.turn_begin(chat, &turn).await.unwrap();
    assert_eq!(again.turn, begun.turn);
    let listed = client.turns(chat, &PageQuery::default()).await.unwrap();
    assert_eq!(listed.items, [begun.turn]);
}

/// Checks the responses to an auditor and to a stranger.
async fn others(server: &Server, chat: ChatId) {
    let caller = async |name: &str, roles: &[&str]| {
        let roles = roles.iter().map(ToString::to_string).collect();
        let name = name.to_owned();
        let user = UserCreate { name, roles };
        let user = server.client.user_create(&user).await.unwrap();
        let token = TokenCreate {
            user: Some(user.id),
            ..TokenCreate::default()
        };
        let token = server.client.token_create(&token).await.unwrap();
        Client::new(server.url.clone(), token.secret).unwrap()
    };
    let auditor = caller("auditor", &["auditor"]).await;
    let told = |context: &ctxpin_protocol::http::context::Context| {
        let described = |r: &&ctxpin_protocol::http::resources::Resource| r.description.is_some();
        context.resources.iter().filter(described).count()
    };
    assert_eq!(told(&server.client.context(chat).await.unwrap()), 1);
    assert_eq!(told(&auditor.context(chat).await.unwrap()), 0);
    let refused = auditor.prompt(chat, None).await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::Forbidden));
    let detail = &refused.problem().unwrap().detail;
    assert_eq!(detail, "Only its owner may do this.");

    let stranger = caller("stranger", &["member"]).await;
    for refused in [
        stranger.context(chat).await.unwrap_err(),
        stranger.chat_watch(chat).await.err().unwrap(),
    ] {
        assert_eq!(refused.problem_name(), Some(ProblemName::NotFound));
    }
    let refused = stranger.users(&PageQuery::default()).await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::Forbidden));
    let taken = UserCreate {
        name: "auditor".into(),
        roles: Vec::new(),
    };
    let refused = server.client.user_create(&taken).await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::Conflict));

    let response = server
        .request(Method::GET, "/api/v1/audit?limit=500")
        .send();
    let log = response.await.unwrap().text().await.unwrap();
    assert!(
        log.contains(r#""action":"pin_move","object":{"kind":"chat","#),
        "{log}"
    );
    let metrics = server.request(Method::GET, "/metrics").send();
    let metrics = metrics.await.unwrap().text().await.unwrap();
    for line in [
        "ctxpin_pushes_total{verdict=\"accepted\"} 2",
        "ctxpin_pushes_total{verdict=\"unchanged\"} 1",
        "ctxpin_chats_hydrated_total 1",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{metrics}");
    }
}

#[tokio::test]
async fn a_context_is_told_before_the_first_push_and_whole_after_a_move() {
    let server = Server::start().await;
    let client = &server.client;
    let mut agent = Agent::create(&server).await;
    let chat = client.chat_create(&chat_of(&agent)).await.unwrap().chat;
    let id = ChatId::from(chat.id);
    let waiting = client.context(id).await.unwrap();
    assert_eq!(waiting.pin, chat.context);
    assert!(waiting.pin.snapshot.is_none() && !waiting.pin.dirty);
    assert!(waiting.head.is_none() && waiting.resources.is_empty());
    for text in ["One.\n", "Two.\n"] {
        agent.push(&Workspace::with_agents_md("/w", text)).await;
    }
    let refresh = ContextMove::default();
    let moved = client.context_move(id, &refresh, None).await.unwrap();
    assert_eq!(moved.resources.len(), 1);
    assert_eq!(moved, client.context(id).await.unwrap());
    server.stop().await;
}
