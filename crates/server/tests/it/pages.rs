//! The pages as a browser without JavaScript gets them.

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::context::ContextMove;
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_testing::databases::create_postgres_database;
use ctxpin_testing::workspace::Workspace;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, LOCATION, ORIGIN};

use crate::browser::{Browser, between, box_value, create_chat, hidden, page_value};
use crate::enrolment::enrolled;
use crate::server::{Agent, Server};

/// Compares a page with its golden file.
pub fn check_golden(name: &str, page: &str) {
    insta::with_settings!({
        snapshot_path => "../golden/pages",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, steady(page)) });
}

/// Returns a page with the same words in place of what differs between runs: ids, times, the page's value, and
/// the names of the assets.
fn steady(page: &str) -> String {
    let mut steady = page.to_owned();
    if page.contains("name=\"ctxpin-page\"") {
        let value = page_value(page);
        if !value.is_empty() {
            steady = steady.replace(&value, "PAGE-VALUE");
        }
    }
    for (number, id) in ids(&steady).into_iter().enumerate() {
        let (bold, rest) = id[id.len() - 8..].split_at(4);
        steady = steady
            .replace(&id, &format!("ID-{number}"))
            .replace(
                &format!("<b>{bold}</b>{rest}"),
                &format!("<b>id</b>-{number}"),
            )
            .replace(&format!("{bold}{rest}"), &format!("id-{number}"));
    }
    steady = replaced(&steady, "<time ", "</time>", "<time>TIME</time>");
    steady = replaced(
        &steady,
        "data-stream=\"off\">",
        "</p>",
        "data-stream=\"off\">NOW</p>",
    );
    steady = replaced(&steady, "<svg height=", "</svg>", "<svg>LANE</svg>");
    // The news that the page has seen differ between runs, and only the script reads them.
    steady = replaced(&steady, " data-mark=\"", "\"", "");
    steady = replaced(
        &steady,
        "CTXPIN_SERVER=http://",
        " ",
        "CTXPIN_SERVER=SERVER ",
    );
    steady = replaced(&steady, "data-map=\"", "\"", "data-map=\"RANGE\"");
    // Each change of the style or the script changes them. A test of its own compares them with the files.
    steady = replaced(&steady, " integrity=\"", "\"", "");
    steady = replaced(&steady, "/assets/page-", ".", "/assets/page-HASH.");
    steady = replaced(&steady, "data:image/svg+xml;base64,", "\"", "data:ICON\"");
    steady
}

/// Replaces each part of a text that begins and ends so.
fn replaced(text: &str, begin: &str, end: &str, new: &str) -> String {
    let mut parts = text.split(begin);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(end) {
            Some((_, rest)) => replaced += &format!("{new}{rest}"),
            None => replaced += &format!("{begin}{part}"),
        }
    }
    replaced
}

/// Returns the ids of a text, in the order of their first use.
fn ids(text: &str) -> Vec<String> {
    let is_id = |part: &str| {
        part.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let mut ids = Vec::new();
    for start in 0..text.len() {
        let Some(part) = text.get(start..start + 36) else {
            continue;
        };
        if is_id(part) && !ids.iter().any(|id| id == part) {
            ids.push(part.to_owned());
        }
    }
    ids
}

/// Returns the keys of the rows of a page.
fn keys(page: &str) -> Vec<String> {
    let parts = page.split(" data-key=\"").skip(1);
    let keys = parts.filter_map(|part| part.split_once('"'));
    keys.map(|(key, _)| key.to_owned()).collect()
}

/// The workspace before and after the changes that the tests look at.
pub fn editions() -> [Workspace; 2] {
    let first =
        Workspace::with_agents_md("/srv/shop", "# Rules\n\nBe kind.\nKeep functions short.\n")
            .file(
                "api/AGENTS.md",
                "Every route is in the matrix.\n<!-- owner: platform -->\n",
            )
            .skill("pdf", "Reads PDFs.", &[("scripts/run.sh", "echo\n")]);
    let second = first
        .clone()
        .file(
            "AGENTS.md",
            "# Rules\n\nBe kind.\nKeep functions short, and names long.\n",
        )
        .file(
            "api/AGENTS.md",
            "Every route is in the matrix.\n<!-- owner: checkout -->\n",
        )
        .skill(
            "pdf",
            "Reads PDFs.",
            &[("scripts/run.sh", "echo\n"), ("scripts/new.sh", "ls\n")],
        );
    [first, second]
}

#[tokio::test]
async fn pages_as_reviewed_on_sqlite() {
    pages_as_reviewed(Server::start().await).await;
}

#[tokio::test]
async fn pages_as_reviewed_on_postgres() {
    pages_as_reviewed(Server::start_on(Some(create_postgres_database().await)).await).await;
}

/// Makes a chat, whose workspace then moves on from the first edition to the second.
pub async fn chat_behind(server: &Server) -> ChatId {
    let mut agent = Agent::create(server).await;
    let [first, second] = editions();
    agent.push(&first).await;
    let chat = create_chat(server, Some(agent.id), "Split the payment step").await;
    agent.push(&second).await;
    chat
}

async fn pages_as_reviewed(server: Server) {
    let mut browser = Browser::sign_in(&server, &server.token).await;
    let cookies = std::mem::take(&mut browser.cookies);
    check_golden("sign-in", &browser.page("/sign-in?next=/chats").await);
    browser.cookies = cookies;
    check_golden("chats-none", &browser.page("/chats").await);
    check_golden("changes-none", &browser.page("/").await);
    check_golden("workspaces-none", &browser.page("/workspaces").await);
    let mut agent = Agent::create(&server).await;
    let waiting = create_chat(&server, Some(agent.id), "Waits").await;
    check_golden(
        "chat-unpinned",
        &browser.page(&format!("/chats/{waiting}")).await,
    );
    let [first, second] = editions();
    agent.push(&first).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let loose = create_chat(&server, None, "Has no workspace").await;
    let path = format!("/chats/{chat}");
    check_golden("chat-clean", &browser.page(&path).await);
    agent.push(&second).await;
    check_golden("chats", &browser.page("/chats").await);
    check_golden("chats-drifted", &browser.page("/chats?show=drifted").await);
    check_golden("chat-drifted", &browser.page(&path).await);
    check_golden(
        "chat-split",
        &browser.page(&format!("{path}?view=split")).await,
    );
    check_golden(
        "chat-loose",
        &browser.page(&format!("/chats/{loose}")).await,
    );
    for tab in ["context", "prompt", "turns", "history"] {
        check_golden(
            &format!("chat-{tab}"),
            &browser.page(&format!("{path}/{tab}")).await,
        );
    }
    check_golden(
        "chat-settings",
        &browser.page(&format!("{path}/settings")).await,
    );
    check_golden(
        "chat-delete",
        &browser.page(&format!("{path}/delete")).await,
    );
    let changes = browser.page("/").await;
    check_golden("changes", &changes);
    let (_, change) = changes.split_once("href=\"/changes/").unwrap();
    let (change, _) = change.split_once('"').unwrap();
    check_golden("change", &browser.page(&format!("/changes/{change}")).await);
    check_golden("chat-new", &browser.page("/chats/new").await);
    check_golden("workspaces", &browser.page("/workspaces").await);
    check_golden(
        "workspace",
        &browser.page(&format!("/workspaces/{}", agent.id)).await,
    );
    for (name, path) in [
        ("workspace-compare", "/compare?from=1&to=2"),
        ("workspace-delete", "/delete"),
    ] {
        let path = format!("/workspaces/{}{path}", agent.id);
        check_golden(name, &browser.page(&path).await);
    }
    check_golden(
        "workspaces-gone",
        &browser.page("/workspaces?show=gone").await,
    );
    let connect = browser.page("/workspaces/new").await;
    check_golden("workspace-new", &connect);
    connects_a_workspace(&server, &browser, &connect).await;
    check_golden("search", &browser.page("/search").await);
    check_golden(
        "search-versions",
        &browser.page(&format!("/search?agent={}", agent.id)).await,
    );
    let text = first.snapshot().resources[0].body().unwrap();
    check_golden(
        "search-found",
        &browser.page(&format!("/search?q={text}")).await,
    );
    check_golden("search-title", &browser.page("/search?q=PAYMENT").await);
    check_golden(
        "search-none",
        &browser.page(&format!("/search?q={}", "0".repeat(64))).await,
    );
    let tokens = browser.page("/settings").await;
    check_golden("settings-tokens", &tokens);
    let token = between(&tokens, "href=\"/settings/tokens/", "\"");
    let revoke = browser.page(&format!("/settings/tokens/{token}")).await;
    check_golden("settings-token-revoke", &revoke);
    // Sign-ins that look alike are folded.
    for _ in 0..3 {
        Browser::sign_in(&server, &server.token).await;
    }
    let mut sessions = browser.page("/settings/sessions").await;
    for (number, key) in keys(&sessions).into_iter().enumerate() {
        sessions = sessions.replace(&key, &format!("KEY-{number}"));
    }
    check_golden("settings-sessions", &sessions);
    check_golden("settings-usage", &browser.page("/settings/usage").await);
    check_golden("settings-users", &browser.page("/settings/users").await);
    check_golden("settings-audit", &browser.page("/settings/audit").await);
    let gone = browser.get("/chats/00000000-0000-0000-0000-000000000001");
    let gone = gone.send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    check_golden("problem", &gone.text().await.unwrap());
    server.stop().await;
}

/// Makes a code on the page, and looks at the page at each stage until the code's workspace is removed.
async fn connects_a_workspace(server: &Server, browser: &Browser<'_>, page: &str) {
    let origin = server.url.origin().ascii_serialization();
    let steady = |page: &str| page.replace(&origin, "http://127.0.0.1:7878");
    let value = page_value(page);
    let fields = [("workspace", "payments <b>"), ("page", value.as_str())];
    let made = browser.post("/workspaces/new", &fields).await;
    assert_eq!(made.status(), StatusCode::OK);
    let made = made.text().await.unwrap();
    let code = between(&made, "enrol-code\"><code>", "</code>").to_owned();
    let shown = steady(&made).replace(&code, "CODE");
    check_golden("workspace-new-code", &shown);
    let address = between(&made, "data-address=\"", "\"").to_owned();
    let again = browser.page(&address).await;
    assert!(!again.contains(&code), "{again}");
    check_golden("workspace-new-again", &steady(&again));
    // An open page leaves the code where it is as long as the version is the same.
    let version = |page: &str| between(page, "id=\"code\" data-version=\"", "\"").to_owned();
    assert_eq!(version(&made), version(&again));
    let mut agent = enrolled(server, &code.parse().unwrap()).await;
    let used = browser.page(&address).await;
    check_golden("workspace-new-used", &used);
    let waits = browser.page(&format!("/workspaces/{}", agent.id)).await;
    assert!(waits.contains("The map begins with"), "{waits}");
    agent.push(&editions()[0]).await;
    let pushed = browser.page(&address).await;
    check_golden("workspace-new-pushed", &pushed);
    let empty = browser.page(&format!("/workspaces/{}", agent.id)).await;
    check_golden("workspace-empty", &empty);
    let versions = [version(&made), version(&used), version(&pushed)];
    assert!(versions[0] != versions[1] && versions[1] != versions[2]);
    server.client.agent_delete(agent.id.into()).await.unwrap();
    check_golden("workspace-new-gone", &browser.page(&address).await);
}

#[tokio::test]
async fn a_chat_is_decided_without_javascript() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let chat = chat_behind(&server).await;
    let (path, moves) = (format!("/chats/{chat}"), format!("/chats/{chat}/moves"));
    let changes = async || server.client.context(chat).await.unwrap().changes.len();
    assert_eq!(changes().await, 3);

    let page = browser.page(&path).await;
    let (pin, head) = (hidden(&page, "pin"), hidden(&page, "head"));
    let source = box_value(&page, "instruction_file /srv/shop/AGENTS.md");
    let some = [
        ("move", "chosen"),
        ("source", source),
        ("pin", pin),
        ("head", head),
    ];
    assert_eq!(browser.submit(&page, &moves, &some).await, path);
    assert_eq!(changes().await, 2);

    // The page shows another pin by now.
    let value = page_value(&page);
    let stale = [
        ("move", "all"),
        ("pin", pin),
        ("head", head),
        ("page", &value),
    ];
    let refused = browser.post(&moves, &stale).await;
    assert_eq!(refused.status(), StatusCode::PRECONDITION_FAILED);
    let refused = refused.text().await.unwrap();
    assert!(refused.contains("This has changed meanwhile"), "{refused}");

    // Each field takes many times its bytes in memory.
    let many = vec![("a", ""); 5_000];
    let refused = browser.post(&moves, &many).await;
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);

    // The script gets the way back.
    let page = browser.page(&path).await;
    let all = [
        ("move", "all"),
        ("pin", hidden(&page, "pin")),
        ("head", head),
    ];
    let taken = browser
        .form(&moves, &all)
        .header("ctxpin-page", page_value(&page))
        .header("ctxpin-fragment", "true");
    let taken = taken.send().await.unwrap().text().await.unwrap();
    let value = page_value(&page);
    let (value, _) = value.split_once('.').unwrap();
    check_golden("toast", &taken.replace(value, "PAGE-VALUE"));
    assert_eq!(changes().await, 0);
    let back = [
        ("move", "rollback"),
        ("snapshot", hidden(&taken, "snapshot")),
    ];
    browser.submit(&page, &moves, &back).await;
    assert_eq!(changes().await, 2);

    check_golden(
        "chat-history-moved",
        &browser.page(&format!("{path}/history")).await,
    );
    let compared = browser
        .page(&format!("{path}/history/compare?from=1&to=2"))
        .await;
    check_golden("chat-compare", &compared);
    for (query, status) in [
        ("from=1&to=99", StatusCode::UNPROCESSABLE_ENTITY),
        ("from=1", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let refused = browser.get(&format!("{path}/history/compare?{query}"));
        assert_eq!(refused.send().await.unwrap().status(), status, "{query}");
    }

    let declined = [
        ("move", "decline"),
        ("pin", hidden(&page, "pin")),
        ("head", head),
    ];
    let is_declined = async || server.client.context(chat).await.unwrap().pin.declined;
    browser.submit(&page, &moves, &declined).await;
    assert!(is_declined().await);
    let page = browser.page(&path).await;
    assert!(page.contains("Decide again"), "{page}");
    let again = [("move", "undecline"), ("head", head)];
    browser.submit(&page, &moves, &again).await;
    assert!(!is_declined().await);
    check_golden(
        "chat-history-declined",
        &browser.page(&format!("{path}/history")).await,
    );

    let page = browser.page(&path).await;
    browser
        .submit(&page, &path, &[("title", "Another name")])
        .await;
    browser.submit(&page, &path, &[("archived", "true")]).await;
    let record = server.client.chat(chat).await.unwrap();
    assert_eq!(record.title.as_deref(), Some("Another name"));
    assert!(record.archived);
    // An archived chat is asked about nothing.
    let page = browser.page(&path).await;
    assert!(page.contains("<h2>Archived</h2>"), "{page}");
    assert!(!page.contains("Take all"), "{page}");
    assert!(
        browser
            .page("/chats?show=archived")
            .await
            .contains("Another name")
    );
    let bound = [("agent", ""), ("policy", "follow")];
    browser.submit(&page, &path, &bound).await;
    let record = server.client.chat(chat).await.unwrap();
    assert_eq!((record.agent_id, record.policy.as_str()), (None, "follow"));
    let next = browser.submit(&page, &format!("{path}/delete"), &[]).await;
    assert_eq!(next, "/chats");
    assert!(server.client.chat(chat).await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn a_write_needs_our_origin_and_our_page() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let chat = create_chat(&server, None, "One").await;
    let path = format!("/chats/{chat}");
    let value = page_value(&browser.page(&path).await);
    let fields = [("title", "Two"), ("page", value.as_str())];
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let mut request = browser.form(&path, &fields).build().unwrap();
        request
            .headers_mut()
            .insert(ORIGIN, origin.parse().unwrap());
        let refused = server.http.execute(request).await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    let mut request = browser.form(&path, &fields).build().unwrap();
    request.headers_mut().remove(ORIGIN);
    let refused = server.http.execute(request).await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    for value in ["", "x"] {
        let refused = browser
            .post(&path, &[("title", "Two"), ("page", value)])
            .await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{value}");
    }
    let record = server.client.chat(chat).await.unwrap();
    assert_eq!(record.title.as_deref(), Some("One"));
    let sent = browser.post(&path, &fields).await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    server.stop().await;
}

#[tokio::test]
async fn a_page_leads_a_stranger_to_sign_in_and_back() {
    let server = Server::start().await;
    let mut browser = Browser::sign_in(&server, &server.token).await;
    let signed_in = std::mem::take(&mut browser.cookies);
    let away = browser.get("/chats?show=drifted").send().await.unwrap();
    assert_eq!(away.status(), StatusCode::SEE_OTHER);
    let to = away.headers()[LOCATION].to_str().unwrap();
    assert_eq!(to, "/sign-in?next=%2Fchats%3Fshow%3Ddrifted");
    let page = browser.page(to).await;
    assert_eq!(hidden(&page, "next"), "/chats?show=drifted");
    let fields = [
        ("token", server.token.as_str()),
        ("next", "/chats?show=drifted"),
    ];
    let back = browser.post("/sign-in", &fields).await;
    assert_eq!(back.headers()[LOCATION], "/chats?show=drifted");
    // The whole address would not fit into what the server reads of a stranger.
    let long = format!("%2Fsearch%3Fq%3D{}", "%25D0%25B6".repeat(200));
    let page = browser.page(&format!("/sign-in?next={long}")).await;
    let fields = [
        ("token", server.token.as_str()),
        ("next", hidden(&page, "next")),
    ];
    let back = browser.post("/sign-in", &fields).await;
    assert_eq!(back.headers()[LOCATION], "/search");
    let unknown = format!("ctxpin_{}_{}", "0".repeat(32), "0".repeat(64));
    for token in ["", "x", &unknown] {
        let refused = browser.post("/sign-in", &[("token", token)]).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{token}");
        assert!(refused.text().await.unwrap().contains("field-error"));
    }
    browser.cookies = signed_in;
    let page = browser.page("/chats").await;
    assert_eq!(browser.submit(&page, "/sign-out", &[]).await, "/sign-in");
    server.stop().await;
}

#[tokio::test]
async fn assets_are_kept_forever() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let page = browser.page("/chats").await;
    let icon = browser.get("/favicon.ico").send().await.unwrap();
    for path in [
        between(&page, "rel=\"stylesheet\" href=\"", "\""),
        between(&page, "type=\"module\" src=\"", "\""),
        icon.headers()[LOCATION].to_str().unwrap(),
    ] {
        let asset = browser.get(path).header(ACCEPT_ENCODING, "gzip");
        let asset = asset.send().await.unwrap();
        assert_eq!(asset.headers()[CONTENT_ENCODING], "gzip", "{path}");
        let cached = "public, max-age=31536000, immutable";
        assert_eq!(asset.headers()[CACHE_CONTROL], cached, "{path}");
    }
    assert_eq!(
        browser
            .get("/assets/page-0.css")
            .send()
            .await
            .unwrap()
            .status(),
        StatusCode::NOT_FOUND
    );
    let page = browser.get("/chats").send().await.unwrap();
    assert_eq!(page.headers()[CACHE_CONTROL], "no-store");
    server.stop().await;
}

#[tokio::test]
async fn hostile_content_is_inert() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    let markup = "<script>alert(1)</script><img src=x onerror=alert(1)>\n";
    let long = "x".repeat(100_000);
    let hostile =
        format!("{markup}[a](javascript:alert(1))\n\u{202E}reversed\n{long}\n\" onclick=\"x\n");
    agent.push(&Workspace::with_agents_md("/w", "a\n")).await;
    let title = "<script>alert(2)</script>\u{202E}\" onclick=\"x";
    let chat = create_chat(&server, Some(agent.id), title).await;
    let second = Workspace::with_agents_md("/w", &hostile)
        .file("<b>\" onclick=\"x/AGENTS.md", markup)
        .skill("pdf", "<script>", &[("<i>.sh", markup)]);
    agent.push(&second).await;
    let pinned = create_chat(&server, Some(agent.id), title).await;
    for path in [
        "/chats".to_owned(),
        format!("/chats/{chat}"),
        format!("/chats/{chat}?view=split"),
        format!("/chats/{pinned}/context"),
        format!("/chats/{pinned}/context?as=rendered"),
        format!("/chats/{pinned}/context?as=removed"),
        format!("/chats/{pinned}/prompt"),
        format!("/chats/{pinned}/history"),
        format!("/chats/{pinned}/settings"),
        "/".to_owned(),
        format!("/workspaces/{}", agent.id),
        "/chats/new".to_owned(),
    ] {
        // What a person edits and what a form sends stays as it is.
        let page = replaced(&browser.page(&path).await, " value=\"", "\"", "");
        // The one script is that of the page.
        assert_eq!(page.matches("<script").count(), 1, "{path}");
        for never in [
            "<img",
            "<b>\"",
            "<i>",
            "\" onclick",
            "href=\"javascript",
            "\u{202E}",
        ] {
            assert!(!page.contains(never), "{path}: {never} in {page}");
        }
        let shows_titles = path.starts_with("/chats") && path != "/chats/new";
        assert!(
            !shows_titles || page.contains("&lt;script&gt;alert(2)"),
            "{path}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn an_auditor_sees_that_something_changed_and_not_what() {
    let server = Server::start().await;
    let chat = chat_behind(&server).await;
    let browser = Browser::of_user(&server, "mira", &["auditor"], &["read"]).await;
    let page = browser.page(&format!("/chats/{chat}")).await;
    check_golden("chat-auditor", &page);
    assert!(!page.contains("names long"), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn chats_tokens_and_users_are_made_on_the_page() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let page = browser.page("/chats/new").await;
    let fields = [
        ("title", "From the page"),
        ("agent", ""),
        ("policy", "follow"),
    ];
    let chat = browser.submit(&page, "/chats", &fields).await;
    assert!(browser.page(&chat).await.contains("From the page"));
    let value = page_value(&page);
    let fields = [
        ("label", "ci"),
        ("scope", "read"),
        ("days", "30"),
        ("page", &value),
    ];
    let made = browser.post("/settings/tokens", &fields).await;
    let made = made.text().await.unwrap();
    let secret = between(&made, "<div class=\"copyable\"><code>", "</code>").to_owned();
    let other = Browser::sign_in(&server, &secret).await;
    assert!(other.page("/settings").await.contains("ci"));
    let id = between(&made, "href=\"/settings/tokens/", "/revoke").to_owned();
    let path = format!("/settings/tokens/{id}/revoke");
    let asks = browser.page(&path).await;
    assert!(
        asks.contains("<b>1 browser</b>") && !asks.contains("This browser"),
        "{asks}"
    );
    assert_eq!(browser.submit(&page, &path, &[]).await, "/settings");
    let gone = browser.get(&path).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    let refused = other.get("/settings").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SEE_OTHER);
    let fields = [("name", "mira"), ("role", "auditor")];
    browser.submit(&page, "/settings/users", &fields).await;
    let users = browser.page("/settings/users").await;
    assert!(users.contains("mira"), "{users}");
    server.stop().await;
}

#[tokio::test]
async fn a_turn_opens_to_what_it_was_given() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let begin = async |reference: &str| {
        let turn = TurnBegin {
            reference: Some(reference.into()),
            ..TurnBegin::default()
        };
        server.client.turn_begin(chat, &turn).await.unwrap()
    };
    begin("before the first push").await;
    let [first, second] = editions();
    agent.push(&first).await;
    let given = begin("message-1").await.prompt.unwrap();
    begin("message-2").await;
    agent.push(&second).await;
    server
        .client
        .context_move(chat, &ContextMove::default(), None)
        .await
        .unwrap();
    begin("message-3").await;

    let path = format!("/chats/{chat}/turns");
    check_golden("chat-turns-begun", &browser.page(&path).await);
    // The prompt is that of the turn, though the pin has moved since.
    let page = browser.page(&format!("{path}/2")).await;
    check_golden("chat-turn", &page);
    let raw = browser.get(&format!("{path}/2/prompt/raw"));
    let raw = raw.send().await.unwrap().text().await.unwrap();
    assert_eq!(raw, given);
    let facts = browser
        .get(&format!("{path}/2"))
        .header("ctxpin-fragment", "true");
    let facts = facts.send().await.unwrap().text().await.unwrap();
    check_golden("chat-turn-facts", &facts);
    // The page has the same facts, without a link to itself.
    let link = format!("<a href=\"{path}/2#prompt-title\">Read the prompt</a>, ");
    assert!(facts.contains(&link), "{facts}");
    assert!(page.contains(&facts.replace(&link, "")), "{page}");
    let unpinned = browser.page(&format!("{path}/1")).await;
    assert!(unpinned.contains("the chat had no pin"), "{unpinned}");
    for number in ["0", "5", "x", "99999999999999999999"] {
        let missing = browser.get(&format!("{path}/{number}")).send();
        assert_eq!(
            missing.await.unwrap().status(),
            StatusCode::NOT_FOUND,
            "{number}"
        );
    }

    let auditor = Browser::of_user(&server, "mira", &["auditor"], &["read"]).await;
    let page = auditor.page(&format!("{path}/2")).await;
    check_golden("chat-turn-auditor", &page);
    assert!(!page.contains("Keep functions short"), "{page}");
    let raw = auditor.get(&format!("{path}/2/prompt/raw")).send();
    assert_eq!(raw.await.unwrap().status(), StatusCode::FORBIDDEN);
    server.stop().await;
}

#[tokio::test]
async fn a_map_has_a_lane_for_each_chat_and_above_24_for_each_head() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    let path = format!("/workspaces/{}", agent.id);
    let [first, second] = editions();
    agent.push(&first).await;
    let kept = create_chat(&server, Some(agent.id), "Keeps its pin").await;
    let moved = create_chat(&server, Some(agent.id), "Moves on").await;
    agent.push(&second).await;
    let head = server.client.context(kept).await.unwrap().head.unwrap();
    let decline = ContextMove {
        decline: Some(head.snapshot),
        ..ContextMove::default()
    };
    server
        .client
        .context_move(kept, &decline, None)
        .await
        .unwrap();
    server
        .client
        .context_move(moved, &ContextMove::default(), None)
        .await
        .unwrap();
    let page = browser.page(&format!("{path}?range=24h")).await;
    check_golden("workspace-lanes", &page);
    // In the lane, and in the legend.
    assert_eq!(page.matches("class=\"declined\"").count(), 2, "{page}");
    assert!(
        page.contains("aria-label=\"Head 1, then head 2\""),
        "{page}"
    );

    for number in 0..23 {
        create_chat(&server, Some(agent.id), &format!("Chat {number}")).await;
    }
    // In a range as young as the workspace, each step of a crowd would be a part of a second.
    let page = browser.page(&format!("{path}?range=7d")).await;
    check_golden("workspace-crowd", &page);
    assert!(page.contains("Head 2: 24 of 25 now, at most 24"), "{page}");
    assert!(page.contains("Head 1: 1 of 25 now"), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn a_pin_is_not_compared_with_itself() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    let [first, _] = editions();
    agent.push(&first).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let page = browser
        .page(&format!("/chats/{chat}/history/compare?from=1&to=1"))
        .await;
    assert!(page.contains("<h1>Pin 1 twice</h1>"), "{page}");
    assert!(page.contains("Choose another one"), "{page}");
    server.stop().await;
}
