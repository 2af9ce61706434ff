//! Pages in a world that is not kind to them: a slow network, a server that is killed, paper, the narrowest window, and
//! a reader who loses a permission.

use anyhow::Result;
use ctxpin_browser::Chromium;
use ctxpin_protocol::http::chats::ChatChange;
use ctxpin_protocol::http::people::UserChange;
use serde_json::json;

use crate::browser::create_chat;
use crate::flows::{LIVE, auditor, edition, sign_in, signed_in};
use crate::server::{Agent, Server};

const SILENT: &str =
    "document.querySelector('.toast p')?.textContent.startsWith('The server did not answer.')";

/// Returns a chat that is behind its workspace.
pub async fn drifted(server: &Server) -> String {
    let mut agent = Agent::create(server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(server, Some(agent.id), "Split the payment step").await;
    agent.push(&edition("Be quick.")).await;
    format!("/chats/{chat}")
}

#[tokio::test]
async fn a_click_on_a_slow_network_is_sent_once_and_shows_at_once() -> Result<()> {
    let server = Server::start().await;
    let path = drifted(&server).await;
    let mut browser = signed_in(&server, &path).await?;
    let slow = json!({
        "offline": false, "latency": 1_500, "downloadThroughput": -1, "uploadThroughput": -1,
    });
    browser
        .call("Network.emulateNetworkConditions", slow)
        .await?;
    browser.take_transfers();
    let button = "document.querySelector('#decision button[value=all]')";
    let busy = format!("{button}.click(); {button}.click(); {button}.ariaBusy");
    assert_eq!(browser.evaluate(&busy).await?, "true");
    browser
        .until("document.querySelector('.toast p')?.textContent === 'Took AGENTS.md.' && !document.querySelector('#diff')")
        .await?;
    let sent = browser.take_transfers();
    let moves = sent
        .iter()
        .filter(|one| one.url.ends_with("/moves"))
        .count();
    assert_eq!(moves, 1, "{sent:?}");
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_killed_takes_nothing_from_a_reader() -> Result<()> {
    let mut server = Server::start().await;
    let path = drifted(&server).await;
    let mut browser = signed_in(&server, &path).await?;
    let field = "document.querySelector('.title [name=title]')";
    let typed = format!("{field}.closest('details').open = true; {field}.value = 'Half a title'");
    browser.evaluate(&typed).await?;
    server.halt().await;
    browser
        .until("document.getElementById('stream').dataset.stream !== 'live'")
        .await?;
    // What the reader opens is not there, and the diff stays.
    browser.click("tr.gap a").await?;
    browser.until(SILENT).await?;
    let stays = format!(
        "location.pathname === '{path}' && document.querySelector('#diff ins') !== null && \
         document.querySelector('[aria-busy]') === null"
    );
    browser.until(&stays).await?;
    browser.click(".toast [data-close]").await?;
    browser.click(".title [type=submit]").await?;
    browser.until(SILENT).await?;
    assert_eq!(
        browser.evaluate(&format!("{field}.value")).await?,
        "Half a title"
    );
    server.resume().await;
    browser.until(&format!("{LIVE} && !({SILENT})")).await?;
    assert_eq!(
        browser.evaluate(&format!("{field}.value")).await?,
        "Half a title"
    );
    browser.click("tr.gap a").await?;
    browser
        .until("document.querySelectorAll('tr.gap').length === 1")
        .await?;
    browser.click(".title [type=submit]").await?;
    browser
        .until("document.querySelector('h1').textContent === 'Half a title'")
        .await?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_page_on_paper_is_light_and_has_nothing_to_press() -> Result<()> {
    let server = Server::start().await;
    let path = drifted(&server).await;
    let mut browser = signed_in(&server, &path).await?;
    browser
        .evaluate("document.cookie = 'ctxpin-theme=dark; path=/'; true")
        .await?;
    for page in [
        path.clone(),
        format!("{path}/history"),
        "/chats".to_owned(),
        "/".to_owned(),
    ] {
        browser.open(server.url.join(&page)?.as_str()).await?;
        let paper = json!({ "media": "print" });
        browser.call("Emulation.setEmulatedMedia", paper).await?;
        let found = browser
            .evaluate(
                "[getComputedStyle(document.documentElement).colorScheme, \
                  ...[...document.querySelectorAll('body *')].filter((one) => one.checkVisibility()) \
                    .filter((one) => ['fixed', 'sticky'].includes(getComputedStyle(one).position) \
                      || one.matches('button:not(.id), .button, summary, input')) \
                    .map((one) => one.outerHTML.slice(0, 120))].join(' ')",
            )
            .await?;
        assert_eq!(found, "light", "{page}");
    }
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_row_on_paper_keeps_its_columns_and_its_words() -> Result<()> {
    let server = Server::start().await;
    drifted(&server).await;
    let mut browser = signed_in(&server, "/").await?;
    // An A4 sheet across and upright, less its margins.
    for width in [1_047, 718] {
        browser.resize(width, 700).await?;
        for page in ["/", "/chats", "/search?q=Split"] {
            browser.open(server.url.join(page)?.as_str()).await?;
            let paper = json!({ "media": "print" });
            browser.call("Emulation.setEmulatedMedia", paper).await?;
            let found = browser
                .evaluate(
                    "(() => { const left = (one) => one?.getBoundingClientRect().left; \
                      const rows = [...document.querySelectorAll('.row[data-key]')]; \
                      const heads = [...document.querySelectorAll('.rows-head')].filter((one) => one.checkVisibility()); \
                      return [rows.length > 0, rows.every((row) => row.offsetHeight < 120), \
                        heads.every((head) => left(head.children[2]) === left(head.parentElement.querySelector('.what')))] })()",
                )
                .await?;
            assert_eq!(found, json!([true, true, true]), "{page} at {width}");
        }
    }
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn without_a_script_one_button_is_the_first() -> Result<()> {
    let server = Server::start().await;
    let path = drifted(&server).await;
    let mut browser = signed_in(&server, "/").await?;
    let no_script = json!({ "value": true });
    let method = "Emulation.setScriptExecutionDisabled";
    browser.call(method, no_script).await?;
    browser.open(server.url.join(&path)?.as_str()).await?;
    let filled = "[...document.querySelectorAll('.foot [type=submit]')] \
        .filter((one) => getComputedStyle(one).fontWeight === '600').map((one) => one.value)";
    assert_eq!(browser.evaluate(filled).await?, json!(["all"]));
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_frame_fits_into_the_narrowest_window() -> Result<()> {
    let server = Server::start().await;
    let path = drifted(&server).await;
    let mut browser = signed_in(&server, &path).await?;
    browser.resize(320, 640).await?;
    for page in [&*path, "/", "/chats", "/workspaces", "/settings"] {
        browser.open(server.url.join(page)?.as_str()).await?;
        let wide = browser
            .evaluate(
                "['html', '.tabs', '.places'].map((one) => document.querySelector(one)) \
                 .filter((one) => one && one.scrollWidth > one.clientWidth).map((one) => one.outerHTML.slice(0, 200)).join()",
            )
            .await?;
        assert_eq!(wide, "", "{page}");
    }
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_page_of_a_reader_who_lost_the_permission_shows_nothing_more() -> Result<()> {
    let server = Server::start().await;
    let path = drifted(&server).await;
    let mut browser = Chromium::start().await?;
    let (user, _, auditor) = auditor(&server).await;
    sign_in(&mut browser, &server, &auditor, &path).await?;
    let shown = "document.querySelector('h1').textContent";
    assert_eq!(browser.evaluate(shown).await?, "Split the payment step");
    let change = UserChange {
        roles: Some(vec!["member".into()]),
        ..UserChange::default()
    };
    server
        .client
        .user_change(user.into(), &change)
        .await
        .unwrap();
    // The next news of the chat are none for this reader.
    let change = ChatChange {
        title: Some(Some("A new title".into())),
        ..ChatChange::default()
    };
    let chat = path.trim_start_matches("/chats/").parse().unwrap();
    server.client.chat_change(chat, &change).await.unwrap();
    browser
        .until(&format!("{shown} === 'This is not here'"))
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}
