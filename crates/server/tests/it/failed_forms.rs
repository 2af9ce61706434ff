//! Forms that fail, in a browser without JavaScript and as the script gets them.

use reqwest::StatusCode;
use reqwest::header::{REFERER, SET_COOKIE};

use crate::browser::{Browser, between, box_value, create_chat, hidden, is_ticked, page_value};
use crate::flows::edition;
use crate::pages::check_golden;
use crate::server::{Agent, Server};

#[tokio::test]
async fn a_form_that_failed_is_shown_again_as_it_was_typed() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let page = browser.page("/workspaces/new").await;
    let value = page_value(&page);
    let fields = [
        ("workspace", "  "),
        ("name", "\"<second>\""),
        ("profile", "codex"),
        ("may_refresh", "yes"),
        ("page", value.as_str()),
    ];
    let failed = browser.post("/workspaces/new", &fields).await;
    assert_eq!(failed.status(), StatusCode::UNPROCESSABLE_ENTITY);
    check_golden("workspace-new-failed", &failed.text().await.unwrap());
    let form = browser.form("/workspaces/new", &fields);
    let failed = form.header("ctxpin-fragment", "true").send().await.unwrap();
    check_golden("failed-field", &failed.text().await.unwrap());
    server.stop().await;
}

/// Sends a form with one wrong field, and returns the page that shows it again.
async fn failed(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)]) -> String {
    let page = browser.page("/settings").await;
    let value = page_value(&page);
    let fields = [fields, &[("page", value.as_str())]].concat();
    let response = browser.post(path, &fields).await;
    let status = response.status();
    let page = response.text().await.unwrap();
    assert!(status.is_client_error(), "{path}: {status} {page}");
    assert!(page.contains("This did not work."), "{path}: {page}");
    page
}

#[tokio::test]
async fn every_form_keeps_what_was_typed() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let agent = Agent::create(&server).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let long = "t".repeat(201);
    let has = |page: &str, text: &str| assert!(page.contains(text), "no {text} in {page}");

    let fields = [
        ("title", long.as_str()),
        ("agent", ""),
        ("policy", "follow"),
    ];
    let page = failed(&browser, "/chats", &fields).await;
    has(&page, &format!("value=\"{long}\""));
    has(&page, "<small class=\"field-error\" id=\"error-title\">");
    has(&page, "<option value=\"\" selected>none yet");
    has(&page, "name=\"policy\" value=\"follow\" checked");

    let path = format!("/chats/{chat}");
    let page = failed(&browser, &path, &[("title", long.as_str())]).await;
    has(&page, "<details class=\"inline\" open>");
    has(&page, &format!("value=\"{long}\""));
    has(&page, "<h1>Split the payment step</h1>");
    let page = failed(
        &browser,
        &path,
        &[("policy", "additive"), ("agent", "none")],
    )
    .await;
    has(&page, "name=\"policy\" value=\"additive\" checked");
    has(&page, "<small class=\"field-error\" id=\"error-agent\">");

    let fields = [("label", " "), ("scope", "admin"), ("days", "365")];
    let page = failed(&browser, "/settings/tokens", &fields).await;
    has(&page, "<small class=\"field-error\" id=\"error-label\">");
    has(&page, "value=\"admin\" checked");
    assert!(!page.contains("value=\"read\" checked"), "{page}");
    has(&page, "<option value=\"365\" selected>");
    let page = failed(&browser, "/settings/tokens", &[("label", "ci")]).await;
    has(&page, "<small class=\"field-error\" id=\"error-scope\">");
    has(&page, "name=\"label\" value=\"ci\"");

    let taken = [("name", "admin"), ("role", "auditor")];
    let page = failed(&browser, "/settings/users", &taken).await;
    has(&page, "name=\"name\" value=\"admin\"");
    has(&page, "name=\"role\" value=\"auditor\" checked> Auditor");
    let me = server.client.me().await.unwrap().user.id;
    let path = format!("/settings/users/{me}");
    let page = failed(&browser, &path, &[("change", "roles"), ("role", "king")]).await;
    has(&page, &format!("id=\"user-{me}\" open>"));
    // Nothing of it stays: the next page is as it was.
    let page = browser.page("/settings/users").await;
    assert!(!page.contains("This did not work"), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn a_filter_that_is_wrong_keeps_what_was_typed() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let path = "/settings/audit?actor=28f0b76d&since=2026-01-02&action=pin_move";
    let response = browser.get(path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = response.text().await.unwrap();
    for text in [
        "value=\"28f0b76d\"",
        "value=\"2026-01-02\"",
        "<option value=\"pin_move\" selected>pin move",
        "id=\"error-actor\">This is not a whole id",
    ] {
        assert!(page.contains(text), "no {text} in {page}");
    }
    assert!(!page.contains("No such line"), "{page}");
    server.stop().await;
}

/// Without JavaScript, the names of fields that nobody sees would mean nothing.
#[tokio::test]
async fn a_refusal_has_no_raw_names_of_fields() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    let moves = format!("/chats/{chat}/moves");
    let value = page_value(&browser.page("/settings").await);
    let check = async |path: &str, fields: &[(&str, &str)], expected: &str| {
        let fields = [fields, &[("page", value.as_str())]].concat();
        let refused = browser.post(path, &fields).await;
        let status = refused.status();
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        let page = refused.text().await.unwrap();
        assert!(page.contains(expected), "no {expected} in {page}");
    };
    let ticked = [
        ("move", "all"),
        ("head", "sha256:1"),
        ("source", "instruction_file /w/AGENTS.md"),
    ];
    let words = "Some changes are ticked; take the ticked ones, or untick them to take all.</p>";
    check(&moves, &ticked, words).await;
    let incomplete = "<p>The form is not complete; load the page again.</p>";
    check(&moves, &[("move", "all")], incomplete).await;
    check(&moves, &[("move", "undo")], incomplete).await;
    check(&moves, &[], incomplete).await;
    check(
        "/chats/moves",
        &[("chat", "x")],
        "<p>This is not a chat of the page.</p>",
    )
    .await;
    let long = "t".repeat(10_000);
    let words = "<b>Title</b>: It has 10000 characters; shorten it to at most 200.";
    check("/chats", &[("title", &long)], words).await;
    check(
        "/settings/tokens",
        &[("label", "ci")],
        "<b>It may</b>: A token needs at least one.",
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_button_that_failed_leads_back() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let agent = Agent::create(&server).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    let value = page_value(&browser.page("/settings").await);
    let path = format!("/chats/{chat}/moves");
    let form = browser.form(&path, &[("move", "sideways"), ("page", &value)]);
    let referer = server.url.join(&format!("/chats/{chat}")).unwrap();
    let failed = form.header(REFERER, referer.as_str()).send().await.unwrap();
    assert_eq!(failed.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let kept = failed.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(kept.contains("&why=refused&"), "{kept}");
    let key = between(&kept, "ctxpin-unsent=key=", "&");
    let page = failed.text().await.unwrap();
    assert!(page.contains(&format!("?again={key}\"")), "{page}");
    check_golden("problem-form", &page.replace(key, "KEY"));
    server.stop().await;
}

#[tokio::test]
async fn ticks_stay_when_all_cannot_be_taken() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    let now = edition("Be quick.").skill("pdf", "Reads PDFs.", &[]);
    agent.push(&now).await;
    let page = browser.page(&format!("/chats/{chat}?view=split")).await;
    let ticked = box_value(&page, "instruction_file /w/AGENTS.md");
    let fields = [
        ("page", &*page_value(&page)),
        ("view", hidden(&page, "view")),
        ("pin", hidden(&page, "pin")),
        ("head", hidden(&page, "head")),
        ("source", ticked),
        ("move", "all"),
    ];
    let path = format!("/chats/{chat}/moves");
    let refused = browser.post(&path, &fields).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let again = refused.text().await.unwrap();
    let unified = format!("href=\"/chats/{chat}?view=unified\"");
    for text in [
        "Some changes are ticked; take the ticked ones, or untick them to take all.",
        "<table class=\"lines split\">",
        // The page of the form is not at the address that it was sent to.
        &unified,
    ] {
        assert!(again.contains(text), "no {text} in {again}");
    }
    let other = box_value(&again, "skill /w/.agents/skills/pdf/SKILL.md");
    assert!(is_ticked(&again, ticked) && !is_ticked(&again, other));
    let taken = [&fields[..5], &[("move", "chosen")]].concat();
    assert_eq!(
        browser.post(&path, &taken).await.status(),
        StatusCode::SEE_OTHER
    );
    server.stop().await;
}
