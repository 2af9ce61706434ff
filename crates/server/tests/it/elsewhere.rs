//! What an open page does when somebody decides elsewhere about what its reader is looking at.

use anyhow::Result;
use ctxpin_browser::Chromium;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::{ChatChange, ChatQuery};
use ctxpin_protocol::http::context::ContextMove;

use crate::browser::create_chat;
use crate::flows::{LIVE, edition, signed_in};
use crate::server::{Agent, Server};

/// Pushes a change of the file and of a skill.
async fn push_two(agent: &mut Agent, text: &str) {
    let two = edition(text).skill("pdf", text, &[]);
    agent.push(&two).await;
}

/// Returns an agent, and a chat that has not taken its changes of the file and of a skill.
async fn drifted_by_two(server: &Server) -> (Agent, ChatId) {
    let mut agent = Agent::create(server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(server, Some(agent.id), "Chat").await;
    push_two(&mut agent, "Be quick.").await;
    (agent, chat)
}

/// Waits until the page offers to show what has happened.
async fn until_held(browser: &mut Chromium, words: &str) -> Result<()> {
    let held = format!("document.getElementById('held').textContent === '{words}, show'");
    browser.until(&held).await
}

/// Takes all changes of a chat with the API.
async fn take_all(server: &Server, chat: ChatId) {
    let all = ContextMove::default();
    server.client.context_move(chat, &all, None).await.unwrap();
}

const TICKS: &str = "document.querySelectorAll('#main input[type=checkbox][name]:checked').length";

#[tokio::test]
async fn a_way_back_ticks_nothing_that_nobody_ticked() -> Result<()> {
    let server = Server::start().await;
    let (mut agent, chat) = drifted_by_two(&server).await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    let skill = "input[name=source][value*='pdf']";
    browser.click(skill).await?;
    let leave = "document.querySelector('a[href=\"/search\"]').click()";
    browser.evaluate(leave).await?;
    browser.until("location.pathname === '/search'").await?;
    browser.until(LIVE).await?;
    // A browser fills in the boxes of a page again by their places, and this skill takes that of the other one.
    let three = edition("Be quick.").skill("aaa", "Be quick.", &[]);
    agent.push(&three.skill("pdf", "Be quick.", &[])).await;
    browser.evaluate("history.back()").await?;
    browser
        .until("document.querySelector(\"input[name=source][value*='aaa']\")")
        .await?;
    browser.until(LIVE).await?;
    let ticked = "[...document.querySelectorAll('#main input[type=checkbox][name]:checked')].map((box) => box.value)
        .filter((value) => !value.includes('pdf'))";
    assert_eq!(browser.evaluate(ticked).await?, serde_json::json!([]));
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_diff_that_somebody_reads_stays_and_the_page_says_who_decided() -> Result<()> {
    let server = Server::start().await;
    let (mut agent, chat) = drifted_by_two(&server).await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    let file = "input[name=source][value$='/AGENTS.md']";
    browser.click(file).await?;
    let pin = server.client.context(chat).await?.pin.snapshot.unwrap();
    let pin: SnapshotId = pin.parse()?;
    take_all(&server, chat).await;
    until_held(
        &mut browser,
        "Took changes (admin, by command or API); your ticks decide nothing now",
    )
    .await?;
    // What the head says is so now, and the diff is still the one that was ticked, without a button that decides.
    let is_kept = format!(
        "document.querySelector('.sentence').textContent.includes('which is what the workspace has now') \
         && document.querySelector('#diff ins').textContent.includes('quick') && {TICKS} === 1 \
         && [...document.querySelectorAll('#decision [type=submit]')].every((button) => button.disabled)"
    );
    browser.until(&is_kept).await?;
    // Other news leave it there.
    let title = ChatChange {
        title: Some(Some("Another title".into())),
        ..ChatChange::default()
    };
    server.client.chat_change(chat, &title).await?;
    browser
        .until("document.querySelector('h1').textContent === 'Another title'")
        .await?;
    browser.until(&is_kept).await?;
    browser.click("#held").await?;
    browser
        .until(
            "document.querySelector('#diff') === null \
             && document.querySelector('.state').textContent.includes('Took changes (admin, by command or API), ')",
        )
        .await?;

    // What was kept elsewhere, and rolled back.
    push_two(&mut agent, "Be late.").await;
    browser
        .until("document.querySelector('#diff') !== null")
        .await?;
    let head = server.client.context(chat).await?.head.unwrap().snapshot;
    let decline = ContextMove {
        decline: Some(head),
        ..ContextMove::default()
    };
    server.client.context_move(chat, &decline, None).await?;
    until_held(&mut browser, "Kept the pin (admin, by command or API)").await?;
    let offers =
        |verb: &str| format!("document.querySelector('#decision [value={verb}]') !== null");
    browser.until(&offers("decline")).await?;
    browser.click("#held").await?;
    browser.until(&offers("undecline")).await?;
    let back = ContextMove {
        snapshot: Some(pin.to_string()),
        ..ContextMove::default()
    };
    server.client.context_move(chat, &back, None).await?;
    until_held(&mut browser, "Rolled back (admin, by command or API)").await?;
    browser.click("#held").await?;

    // An archived chat asks about nothing.
    browser.click(file).await?;
    let archive = ChatChange {
        archived: Some(true),
        ..ChatChange::default()
    };
    server.client.chat_change(chat, &archive).await?;
    until_held(&mut browser, "Archived; your ticks decide nothing now").await?;
    assert_eq!(browser.evaluate(TICKS).await?, 1);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn ticks_of_a_list_stay_when_all_of_it_is_decided_elsewhere() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    push_two(&mut agent, "Be kind.").await;
    let chat = create_chat(&server, Some(agent.id), "Chat").await;
    let mut browser = signed_in(&server, "/").await?;
    for (text, path, first, words) in [
        ("Be quick.", "/", "[name=change]", "Nothing waits"),
        (
            "Be late.",
            "/chats?show=drifted",
            "[name=chat]",
            "None of them",
        ),
        ("Be slow.", "/", ".row-link", "This change is decided"),
    ] {
        push_two(&mut agent, text).await;
        browser.open(server.url.join(path)?.as_str()).await?;
        if first == ".row-link" {
            browser.follow(first).await?;
            browser.until(LIVE).await?;
            browser.click("[name=chat]").await?;
        } else {
            browser.until(LIVE).await?;
            browser.click(first).await?;
        }
        take_all(&server, chat).await;
        until_held(
            &mut browser,
            &format!("{words}; your ticks decide nothing now"),
        )
        .await?;
        assert_eq!(browser.evaluate(TICKS).await?, 1, "{words}");
        browser.click("#held").await?;
        browser.until(&format!("{TICKS} === 0")).await?;
    }
    // The diff of the only change is there without a tick.
    let one = edition("Be brief.").skill("pdf", "Be slow.", &[]);
    agent.push(&one).await;
    browser.open(server.url.as_str()).await?;
    browser.until(LIVE).await?;
    take_all(&server, chat).await;
    until_held(&mut browser, "Nothing waits").await?;
    let is_kept = "document.querySelector('#diff del') !== null && document.querySelector('h1').textContent === 'Nothing waits'";
    assert_eq!(browser.evaluate(is_kept).await?, true);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_group_that_goes_with_its_ticks_is_told() -> Result<()> {
    let server = Server::start().await;
    for title in ["One", "Two"] {
        let mut agent = Agent::create(&server).await;
        agent.push(&edition(title)).await;
        create_chat(&server, Some(agent.id), title).await;
    }
    let mut browser = signed_in(&server, "/chats").await?;
    browser.click("[name=chat]").await?;
    let chats = server.client.chats(&ChatQuery::default()).await?;
    let title = browser
        .evaluate("document.querySelector('.chat-row:has(:checked) .row-link').textContent")
        .await?;
    let chosen = chats
        .items
        .iter()
        .find(|chat| title == *chat.title.as_ref().unwrap());
    server.client.chat_delete(chosen.unwrap().id.into()).await?;
    browser
        .until(&format!(
            "{TICKS} === 0 && document.querySelector('.toast p').textContent.startsWith('What you chose has changed since, or is gone')"
        ))
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}
