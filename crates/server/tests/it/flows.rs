//! What people do on the pages, in a real browser.

use std::time::Duration;

use anyhow::Result;
use ctxpin_browser::Chromium;
use ctxpin_client::Client;
use ctxpin_protocol::http::context::ContextMove;
use ctxpin_protocol::http::page::PageQuery;
use ctxpin_protocol::http::people::{TokenCreate, TokenRevoke, UserChange, UserCreate};
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_testing::workspace::Workspace;
use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use crate::browser::create_chat;
use crate::pages::editions;
use crate::server::{Agent, Server};

/// Returns a workspace of one file with ten lines before and after this one.
pub fn edition(line: &str) -> Workspace {
    let others: String = (0..10).map(|number| format!("Rule {number}.\n")).collect();
    Workspace::with_agents_md("/w", &format!("{others}{line}\n{others}"))
}

/// Returns a browser that has signed in as the first user, and shows a page with the news of the server.
pub async fn signed_in(server: &Server, path: &str) -> Result<Chromium> {
    let mut browser = Chromium::start().await?;
    sign_in(&mut browser, server, &server.token, path).await?;
    Ok(browser)
}

/// Signs in with a token, and waits until the page shows the news of the server.
pub async fn sign_in(
    browser: &mut Chromium,
    server: &Server,
    token: &str,
    path: &str,
) -> Result<()> {
    let page = server.url.join(&format!("/sign-in?next={path}"))?;
    browser.open(page.as_str()).await?;
    let token = serde_json::json!(token);
    browser
        .evaluate(&format!(
            "document.querySelector('input[name=token]').value = {token}"
        ))
        .await?;
    browser.follow("[data-sign-in] button[type=submit]").await?;
    browser.until(LIVE).await
}

/// Whether the page shows the news of the server.
pub const LIVE: &str = "document.getElementById('stream').dataset.stream === 'live'";

#[tokio::test]
async fn drift_appears_while_the_page_is_open_and_is_taken_and_undone() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    browser
        .until("document.querySelector('.state h2')?.textContent === 'Nothing waits'")
        .await?;

    // Somebody types a new title while the workspace moves on.
    browser
        .evaluate(
            "document.querySelector('details.inline').open = true; \
             const field = document.querySelector('details.inline input[name=title]'); \
             field.focus(); field.value = 'Half a title'",
        )
        .await?;
    agent.push(&edition("Be quick.")).await;
    browser
        .until("document.querySelector('#diff ins') !== null")
        .await?;
    let typed = browser
        .evaluate("document.activeElement.name + ': ' + document.activeElement.value")
        .await?;
    assert_eq!(typed, "title: Half a title");

    // The lines above and below are there on demand.
    for left in [1, 0] {
        browser.click("tr.gap a").await?;
        browser
            .until(&format!(
                "document.querySelectorAll('tr.gap').length === {left}"
            ))
            .await?;
    }
    let lines = browser
        .evaluate("document.querySelectorAll('#diff tr').length")
        .await?;
    // One of the 21 lines is removed and added.
    assert_eq!(lines, 22);

    browser.click("#decision button[value=all]").await?;
    browser
        .until("document.querySelector('.toast p')?.textContent === 'Took AGENTS.md.' && !document.querySelector('#diff')")
        .await?;
    assert!(!server.client.context(chat).await.unwrap().pin.dirty);
    browser.click(".toast button[data-keys=u]").await?;
    browser
        .until("document.querySelector('#diff') !== null")
        .await?;
    assert!(server.client.context(chat).await.unwrap().pin.dirty);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_open_page_says_that_its_chat_or_the_server_is_gone() -> Result<()> {
    let server = Server::start().await;
    let chat = create_chat(&server, None, "Soon gone").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    server.client.chat_delete(chat).await.unwrap();
    browser
        .until("document.querySelector('h1').textContent === '“Soon gone” was deleted'")
        .await?;
    let way_on = "document.querySelector('main a[href=\"/chats\"]') !== null && document.title === '“Soon gone” was deleted'";
    assert_eq!(browser.evaluate(way_on).await?, true);
    server.stop().await;
    browser
        .until("document.getElementById('stream').dataset.stream === 'reconnecting'")
        .await?;
    Ok(())
}

#[tokio::test]
async fn one_change_of_three_is_taken_rolled_back_and_the_chat_archived() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    let [first, second] = editions();
    agent.push(&first).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let prompt = async || {
        let request = server.request(Method::GET, &format!("/api/v1/chats/{chat}/prompt"));
        request.send().await.unwrap().text().await.unwrap()
    };
    let before = prompt().await;
    agent.push(&second).await;
    let changes = async || server.client.context(chat).await.unwrap().changes.len();
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    browser
        .click("input[name=source][value$='/srv/shop/AGENTS.md']")
        .await?;
    browser
        .until("document.querySelector('[value=chosen]').textContent === 'Take 1 of 3'")
        .await?;
    // The way back ticks nothing, and the buttons say so.
    browser.follow(".tabs a[href$='/history']").await?;
    browser.evaluate("history.back()").await?;
    browser
        .until("document.querySelector('#decision')?.dataset.chosen === 'none'")
        .await?;
    browser
        .click("input[name=source][value$='/srv/shop/AGENTS.md']")
        .await?;
    browser.click("#decision [value=chosen]").await?;
    browser
        .until("document.querySelectorAll('#diff article.file').length === 2")
        .await?;
    assert_eq!(changes().await, 2);
    let taken = prompt().await;
    assert!(
        taken.contains("names long") && !taken.contains("new.sh"),
        "{taken}"
    );

    browser.follow(".tabs a[href$='/history']").await?;
    browser
        .until("document.querySelectorAll('.log-entry').length === 2")
        .await?;
    browser
        .click(".log-entry[data-key=pin-1] [value=rollback]")
        .await?;
    browser
        .until("document.querySelectorAll('.log-entry').length === 3")
        .await?;
    browser
        .until("document.querySelector('[data-key=pin-3] .what a').textContent === 'Back to pin 1: AGENTS.md'")
        .await?;
    assert_eq!(changes().await, 3);
    assert_eq!(prompt().await, before);

    let archived = async || server.client.chat(chat).await.unwrap().archived;
    for (words, is_archived) in [("Archive", true), ("Unarchive", false)] {
        browser.click(".head details.menu summary").await?;
        let button = "document.querySelector('button[name=archived]')";
        browser
            .until(&format!("{button}.textContent === '{words}'"))
            .await?;
        browser.click("button[name=archived]").await?;
        browser
            .until(&format!("{button}.value === '{}'", !is_archived))
            .await?;
        let sentence = "document.querySelector('.sentence').textContent";
        browser
            .until(&format!(
                "{sentence}.includes('It is archived.') === {is_archived}"
            ))
            .await?;
        assert_eq!(archived().await, is_archived);
    }
    // Nothing is left to undo when somebody else has moved the pin.
    browser
        .click(".log-entry[data-key=pin-2] [value=rollback]")
        .await?;
    browser
        .until("document.querySelector('.toast [name=pin]') !== null")
        .await?;
    let refresh = ContextMove::default();
    server
        .client
        .context_move(chat, &refresh, None)
        .await
        .unwrap();
    browser
        .until("document.querySelector('.toast') === null")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_form_says_at_its_field_what_is_wrong() -> Result<()> {
    let server = Server::start().await;
    let mut browser = signed_in(&server, "/workspaces/new").await?;
    let field = "document.querySelector('main input[name=workspace]')";
    // The browser itself refuses blanks.
    browser.evaluate(&format!("{field}.value = '  '")).await?;
    assert_eq!(
        browser
            .evaluate(&format!("{field}.validity.patternMismatch"))
            .await?,
        true
    );
    // What only the server refuses stands at the field, and what was typed stays.
    browser
        .evaluate(&format!("{field}.form.noValidate = true"))
        .await?;
    browser.click("main button[type=submit]").await?;
    browser
        .until(&format!(
            "{field}.nextElementSibling.textContent === 'It must not be empty.' && document.activeElement === {field}"
        ))
        .await?;
    let state = format!("[{field}.value, {field}.ariaInvalid].join('|')");
    assert_eq!(browser.evaluate(&state).await?, "  |true");
    browser
        .evaluate(&format!(
            "{field}.value = \"it's a <shop>\"; {field}.dispatchEvent(new Event('input', {{ bubbles: true }}))"
        ))
        .await?;
    assert_eq!(
        browser
            .evaluate("document.querySelector('.field-error')")
            .await?,
        serde_json::Value::Null
    );
    // The command beside the button has what was typed.
    browser.click("main .command").await?;
    let address = server.url.origin().ascii_serialization();
    let command = format!(
        r"Copied: CTXPIN_SERVER={address} ctxpin agent enrolment-code --workspace='it'\''s a <shop>' --profile=neutral"
    );
    browser
        .until(&format!(
            "document.querySelector('.toast p')?.textContent === String.raw`{command}`"
        ))
        .await?;
    // The sentence goes by itself.
    browser
        .until("document.querySelector('.toast') === null")
        .await?;
    browser.click("main button[type=submit]").await?;
    browser
        .until("document.querySelector('.enrol-code') !== null && location.search.startsWith('?code=')")
        .await?;
    // Boxes are one field: what is wrong stands below them, until one of them is ticked.
    browser.open(server.url.join("/settings")?.as_str()).await?;
    browser
        .evaluate(
            "document.querySelector('[name=label]').value = 'ci'; \
             document.querySelectorAll('[name=scope]').forEach((box) => { box.checked = false; })",
        )
        .await?;
    browser.click(".form button[type=submit]").await?;
    browser
        .until("document.querySelector('fieldset > .field-error:last-child') !== null")
        .await?;
    browser.click("[name=scope][value=write]").await?;
    browser
        .until("document.querySelector('.field-error') === null")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_copied_command_names_the_server() -> Result<()> {
    let server = Server::start().await;
    let chat = create_chat(&server, None, "Split the payment step").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}/settings")).await?;
    let address = server.url.origin().ascii_serialization();
    let copied = "document.querySelector('.toast p')?.textContent";
    browser.click("main form .command").await?;
    browser
        .until(&format!("{copied}?.startsWith('Copied: ')"))
        .await?;
    let command = browser.evaluate(copied).await?;
    let command = command.as_str().unwrap();
    let named = format!("CTXPIN_SERVER={address} ctxpin chat ");
    assert_eq!(
        command.matches(&named).count(),
        command.matches("ctxpin chat ").count(),
        "{command}"
    );
    assert!(command.contains(" && "), "{command}");
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_chat_is_renamed_in_its_place() -> Result<()> {
    let server = Server::start().await;
    let chat = create_chat(&server, None, "Split the payment step").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    let field = "document.querySelector('.title input[name=title]')";
    let open = "document.querySelector('.title details').open";
    let below = "['.menu .button', '.sentence', '.tabs'].map((one) => document.querySelector(one).getBoundingClientRect().top).join()";
    let place = browser.evaluate(below).await?;
    browser.click(".title summary").await?;
    browser
        .until(&format!("document.activeElement === {field}"))
        .await?;
    // The field is in the place of the title, and nothing below it has moved.
    let title = "document.querySelector('h1').checkVisibility({ visibilityProperty: true })";
    assert_eq!(browser.evaluate(title).await?, false);
    assert_eq!(browser.evaluate(below).await?, place);
    browser.evaluate(&format!("{field}.value = 'Half'")).await?;
    browser.press("Escape").await?;
    browser.until(&format!("!{open}")).await?;
    assert_eq!(
        browser.evaluate(&format!("{field}.value")).await?,
        "Split the payment step"
    );
    browser.click(".title summary").await?;
    // The field has the focus only some time after the form has opened, and the key must not come before.
    browser
        .until(&format!("document.activeElement === {field}"))
        .await?;
    browser
        .evaluate(&format!("{field}.value = 'Another name'"))
        .await?;
    browser.press("Enter").await?;
    browser
        .until(&format!(
            "document.querySelector('h1').textContent === 'Another name' && !{open}"
        ))
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_script_writes_times_as_the_server_does() -> Result<()> {
    let server = Server::start().await;
    let mut browser = signed_in(&server, "/chats").await?;
    let words = |days: i64, form: &str| {
        format!(
            "(() => {{ const time = document.createElement('time'); \
             const date = new Date(Date.now() + {days} * 86400000); \
             time.dateTime = date.toISOString(); time.dataset.time = '{form}'; time.textContent = '?'; \
             document.body.append(time); document.dispatchEvent(new Event('page-changed')); \
             const part = (options) => new Intl.DateTimeFormat('en-GB', options).format(date); \
             return time.textContent \
               .replace(part({{ day: 'numeric', month: 'short', year: 'numeric' }}), 'DATE') \
               .replace(part({{ weekday: 'short' }}), 'WEEKDAY') \
               .replace(part({{ hour: '2-digit', minute: '2-digit' }}), 'CLOCK'); }})()"
        )
    };
    for (days, form, expected) in [
        (0, "clock", "WEEKDAY CLOCK"),
        (-5, "clock", "WEEKDAY CLOCK"),
        (5, "clock", "WEEKDAY CLOCK"),
        (7, "clock", "DATE"),
        (30, "clock", "DATE"),
        (-400, "clock", "DATE CLOCK"),
        (0, "ago", "just now"),
        (-1, "ago", "24 h ago"),
        (1, "ago", "WEEKDAY CLOCK"),
    ] {
        let found = browser.evaluate(&words(days, form)).await?;
        assert_eq!(found, expected, "{days} {form}");
    }
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_ticks_of_a_map_are_in_the_zone_of_the_reader() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let mut browser = signed_in(&server, "/").await?;
    let zone = json!({ "timezoneId": "Asia/Kolkata" });
    browser.call("Emulation.setTimezoneOverride", zone).await?;
    // The time at the place of each tick, in the words of its label.
    let agree = "(() => {
        const [from, to] = document.querySelector('.map').dataset.map.split('/').map(Date.parse);
        const ticks = [...document.querySelectorAll('.map .when')].filter((tick) => tick.checkVisibility({ visibilityProperty: true }));
        return ticks.length > 3 && ticks.every((tick) => {
            const at = new Date(from + (parseFloat(tick.getAttribute('x')) / 100) * (to - from) + 30_000);
            const time = at.toTimeString().slice(0, 5);
            const words = tick.textContent;
            return words.includes(':') ? words.endsWith(` ${time}`) : time === '00:00' && parseInt(words) === at.getDate();
        });
    })()";
    for range in ["24h", "7d"] {
        let path = format!("/workspaces/{}?range={range}", agent.id);
        browser.open(server.url.join(&path)?.as_str()).await?;
        browser.until(LIVE).await?;
        assert_eq!(browser.evaluate(agree).await?, true, "{range}");
    }
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

/// Returns a new auditor, and the id and the secret of a token of theirs.
pub async fn auditor(server: &Server) -> (uuid::Uuid, uuid::Uuid, String) {
    let user = UserCreate {
        name: "mira".into(),
        roles: vec!["auditor".into()],
    };
    let user = server.client.user_create(&user).await.unwrap();
    let token = TokenCreate {
        user: Some(user.id),
        ..TokenCreate::default()
    };
    let token = server.client.token_create(&token).await.unwrap();
    (user.id, token.token.id, token.secret.expose().to_owned())
}

#[tokio::test]
async fn an_open_page_says_that_its_reader_has_lost_the_permission() -> Result<()> {
    let server = Server::start().await;
    let chat = create_chat(&server, None, "A chat of another").await;
    let path = format!("/chats/{chat}");
    let mut browser = Chromium::start().await?;
    let ended = "document.getElementById('stream').textContent === 'signed out'";
    let offer = "document.getElementById('held').textContent === 'Signed out, reload'";
    let to_sign_in =
        format!("location.pathname + location.search === '/sign-in?next=%2Fchats%2F{chat}'");

    let (user, token, secret) = auditor(&server).await;
    sign_in(&mut browser, &server, &secret, &path).await?;
    let revoke = TokenRevoke::default();
    server
        .client
        .token_revoke(token.into(), &revoke)
        .await
        .unwrap();
    for words in [ended, offer] {
        browser.until(words).await?;
    }
    browser.follow("#held").await?;
    browser.until(&to_sign_in).await?;

    let again = TokenCreate {
        user: Some(user),
        ..TokenCreate::default()
    };
    let again = server.client.token_create(&again).await.unwrap();
    sign_in(&mut browser, &server, again.secret.expose(), "/settings").await?;
    let disable = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    server
        .client
        .user_change(user.into(), &disable)
        .await
        .unwrap();
    for words in [ended, offer] {
        browser.until(words).await?;
    }
    // A reader who does not look at the bar writes, and is led to the same place.
    browser
        .evaluate(
            "document.querySelector('[name=label]').value = 'ci'; \
             document.querySelector('form[data-write]').requestSubmit()",
        )
        .await?;
    browser
        .until("location.pathname + location.search === '/sign-in?next=%2Fsettings'")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

/// A page that hears nothing of the server.
const DEAF: &str =
    "window.EventSource = class { addEventListener() {} close() {} static CLOSED = 2 }";

#[tokio::test]
async fn an_open_page_shows_nothing_of_others_to_who_is_no_auditor_any_more() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "A secret plan").await;
    server
        .client
        .turn_begin(chat, &TurnBegin::default())
        .await
        .unwrap();
    let (user, _, secret) = auditor(&server).await;
    let roles = async |roles: &[&str]| {
        let change = UserChange {
            roles: Some(roles.iter().map(ToString::to_string).collect()),
            ..UserChange::default()
        };
        let changed = server.client.user_change(user.into(), &change).await;
        changed.unwrap();
    };
    let gone = "document.querySelector('main h1')?.textContent === 'This is not here'";
    let told = "document.documentElement.outerHTML.includes('A secret plan')";
    let mut browser = Chromium::start().await?;
    let path = format!("/chats/{chat}/turns");
    sign_in(&mut browser, &server, &secret, &path).await?;
    assert_eq!(browser.evaluate(told).await?, true);
    // The news come at once, and take all of it away.
    roles(&["member"]).await;
    browser.until(gone).await?;
    assert_eq!(browser.evaluate(told).await?, false);
    assert_eq!(
        browser.evaluate("document.title.includes('plan')").await?,
        false
    );

    // Without news, the next act finds out.
    roles(&["auditor"]).await;
    browser
        .call(
            "Page.addScriptToEvaluateOnNewDocument",
            serde_json::json!({ "source": DEAF }),
        )
        .await?;
    for act in [
        "document.querySelector('.turn > summary').click()",
        "document.querySelector('.tabs a[href$=history]').click()",
    ] {
        browser.open(server.url.join(&path)?.as_str()).await?;
        assert_eq!(browser.evaluate(told).await?, true);
        roles(&["member"]).await;
        browser.evaluate(act).await?;
        browser.until(gone).await?;
        assert_eq!(browser.evaluate(told).await?, false, "{act}");
        roles(&["auditor"]).await;
    }
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn signing_out_ends_all_tabs_and_leaves_no_page_behind() -> Result<()> {
    let server = Server::start().await;
    create_chat(&server, None, "Split the payment step").await;
    let mut browser = signed_in(&server, "/chats").await?;
    let first = browser.tab();
    browser.open_tab().await?;
    browser.open(server.url.join("/chats")?.as_str()).await?;
    browser.until(LIVE).await?;
    browser.click(".bar details.menu summary").await?;
    browser.follow("form[action='/sign-out'] button").await?;
    browser.until("location.pathname === '/sign-in'").await?;
    // The way back leads to no page that somebody else could read.
    browser.evaluate("history.back()").await?;
    browser
        .until("location.pathname === '/sign-in' && location.search === '?next=%2Fchats'")
        .await?;
    browser.close_tab(first).await?;
    // The server looks for sessions every 30 seconds too. The other tab notices the end at once.
    let ended = "document.getElementById('stream').textContent === 'signed out'";
    timeout(Duration::from_secs(20), browser.until(ended)).await??;
    // It leaves the stream to a tab of the next session.
    browser.open_tab().await?;
    sign_in(&mut browser, &server, &server.token, "/chats").await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_link_of_another_user_asks_first() -> Result<()> {
    let server = Server::start().await;
    let (_, eve) = server.member("eve").await;
    let code = eve.sign_in_code().await.unwrap();
    let mut browser = signed_in(&server, "/chats").await?;
    let link = format!("/sign-in#code={}&next=/search", code.code.expose());
    browser
        .open(server.url.join(&link).unwrap().as_str())
        .await?;
    browser
        .until("document.activeElement.id === 'sign-in-question'")
        .await?;
    assert_eq!(browser.evaluate("location.hash").await?, "");
    let question = browser
        .evaluate("document.activeElement.textContent")
        .await?;
    let expected = "You are signed in as admin. This link signs in as eve.";
    assert_eq!(question, expected);
    browser.follow("main button[type=submit]").await?;
    browser
        .until("document.querySelector('.menu summary')?.textContent === 'eve'")
        .await?;
    assert_eq!(browser.evaluate("location.pathname").await?, "/search");
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_link_signs_in_where_the_page_waits_already() -> Result<()> {
    let server = Server::start().await;
    let mut browser = Chromium::start().await?;
    let link = async |client: &Client| {
        let code = client.sign_in_code().await.unwrap();
        format!("/sign-in#code={}&next=/search", code.code.expose())
    };
    let go = |link: &str| format!("location.assign({})", serde_json::json!(link));
    browser
        .open(server.url.join("/sign-in").unwrap().as_str())
        .await?;
    let used = "/sign-in#code=0";
    browser.evaluate(&go(used)).await?;
    browser
        .until("document.querySelector('#sign-in-note.field-error')?.textContent.startsWith('This link was used')")
        .await?;
    browser.evaluate(&go(&link(&server.client).await)).await?;
    browser.until("location.pathname === '/search'").await?;

    // The question about another user gives way to the next link.
    let (_, eve) = server.member("eve").await;
    let page = server.url.join(&link(&eve).await).unwrap();
    browser.open(page.as_str()).await?;
    browser
        .until("document.activeElement.id === 'sign-in-question'")
        .await?;
    browser.evaluate(&go(&link(&server.client).await)).await?;
    browser.until("location.pathname === '/search'").await?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_page_that_the_browser_kept_is_loaded_again() -> Result<()> {
    let server = Server::start().await;
    let mut browser = signed_in(&server, "/chats").await?;
    browser
        .evaluate(
            "window.left = true; \
             dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))",
        )
        .await?;
    browser.until(&format!("!window.left && {LIVE}")).await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_browser_is_signed_out_from_another_one() -> Result<()> {
    let server = Server::start().await;
    let mut lost = signed_in(&server, "/chats").await?;
    let mut browser = signed_in(&server, "/settings/sessions").await?;
    let rows = |count: u32| format!("document.querySelectorAll('.session-row').length === {count}");
    browser.until(&rows(2)).await?;
    browser
        .click(".session-row form[action$='/end'] button")
        .await?;
    browser.until(&rows(1)).await?;
    let ended = "document.getElementById('stream').textContent === 'signed out'";
    timeout(Duration::from_secs(20), lost.until(ended)).await??;
    browser.until(LIVE).await?;

    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(signed_in(&server, "/chats").await?);
    }
    // A sign-in is no news.
    browser.evaluate("location.reload()").await?;
    browser.until(&rows(3)).await?;
    browser
        .click("form[action='/settings/sessions/others/end'] button")
        .await?;
    browser.until(&rows(1)).await?;
    for other in &mut others {
        timeout(Duration::from_secs(20), other.until(ended)).await??;
    }
    let toast = "document.querySelector('.toast p').textContent === 'Ended 2 other sessions.'";
    browser.until(toast).await?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn each_new_token_is_shown_once() -> Result<()> {
    let server = Server::start().await;
    let mut browser = signed_in(&server, "/settings").await?;
    let shown = "document.querySelector('#token-made code')?.textContent";
    let mut before = serde_json::Value::Null;
    for label in ["first", "second"] {
        browser
            .evaluate(&format!(
                "document.querySelector('input[name=label]').value = '{label}'; true"
            ))
            .await?;
        browser
            .evaluate("document.querySelector('input[name=scope][value=admin]').checked = true")
            .await?;
        browser
            .click("form[action='/settings/tokens'] .primary")
            .await?;
        browser
            .until(&format!(
                "{shown} && {shown} !== {before} && \
                 [...document.querySelectorAll('.token-row b')].some((b) => b.textContent === '{label}')"
            ))
            .await?;
        before = browser.evaluate(shown).await?;
        let tokens = server.client.tokens(&PageQuery::default()).await?.items;
        assert_eq!(tokens[0].label.as_deref(), Some(label));
        assert_eq!(tokens[0].scopes, ["read", "write", "admin"]);
    }
    // News of others leave it there.
    create_chat(&server, None, "Another chat").await;
    browser
        .until("document.querySelector('a[href=\"/chats\"] .count').textContent === '1'")
        .await?;
    assert_eq!(browser.evaluate(shown).await?, before);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}
