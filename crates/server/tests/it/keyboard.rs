//! The pages in a real browser, without a pointer.

use anyhow::Result;
use ctxpin_browser::Chromium;
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_testing::workspace::Workspace;
use serde_json::Value;

use crate::browser::create_chat;
use crate::flows::{LIVE, edition, signed_in};
use crate::server::{Agent, Server};

/// Returns the words of the element that has the focus.
async fn focus(browser: &mut Chromium) -> Result<Value> {
    browser
        .evaluate("document.activeElement === document.body ? 'nothing' : document.activeElement.textContent.trim()")
        .await
}

async fn press_all(browser: &mut Chromium, keys: &[&str]) -> Result<()> {
    for key in keys {
        browser.press(key).await?;
    }
    Ok(())
}

#[tokio::test]
async fn chats_are_decided_with_keys_alone() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let mut chats = Vec::new();
    for number in 0..3 {
        chats.push(create_chat(&server, Some(agent.id), &format!("Chat {number}")).await);
    }
    agent.push(&edition("Be quick.")).await;
    let dirty = async |chat| server.client.context(chat).await.unwrap().pin.dirty;
    let mut browser = signed_in(&server, "/chats?show=drifted").await?;

    // All have been behind for equally long, so the oldest chat is the first row.
    press_all(&mut browser, &["j", "j", "j", "k"]).await?;
    assert_eq!(focus(&mut browser).await?, "Chat 1");
    press_all(&mut browser, &["x"]).await?;
    browser
        .until("document.querySelector('#selection [data-words]').textContent === '1 chosen'")
        .await?;
    press_all(&mut browser, &["t"]).await?;
    // The row goes, and the next one has the focus.
    browser
        .until("document.querySelectorAll('.chat-row[data-key]').length === 2 && document.activeElement.textContent === 'Chat 2'")
        .await?;
    assert!(!dirty(chats[1]).await);
    press_all(&mut browser, &["u"]).await?;
    browser
        .until("document.querySelectorAll('.chat-row[data-key]').length === 3")
        .await?;
    assert!(dirty(chats[1]).await);
    assert_ne!(focus(&mut browser).await?, "nothing");

    // To the chat, to its diff, and to the other tabs and back.
    press_all(&mut browser, &["Enter"]).await?;
    browser
        .until("document.querySelector('#diff') !== null")
        .await?;
    browser.until(LIVE).await?;
    press_all(&mut browser, &["t"]).await?;
    browser
        .until("document.querySelector('.toast [data-keys=u]') !== null && document.querySelector('#diff') === null")
        .await?;
    // An undo can be undone, and says so. The key of *Undo* does not do that.
    for (key, toast, has_diff) in [
        ("u", "Undone. Redo", true),
        ("u", "Undone. Redo", true),
        ("", "Redone. Undo", false),
        ("u", "Undone. Redo", true),
    ] {
        match key {
            "" => browser.click(".toast form [type=submit]").await?,
            key => press_all(&mut browser, &[key]).await?,
        }
        let shown = "[...document.querySelectorAll('.toast :is(p, [type=submit])')].map(({ textContent }) => textContent).join(' ')";
        browser
            .until(&format!(
                "(document.querySelector('#diff') !== null) === {has_diff} && {shown} === '{toast}'"
            ))
            .await?;
    }
    browser.follow(".tabs a[href$='/context']").await?;
    browser.until(LIVE).await?;
    press_all(&mut browser, &["d"]).await?;
    browser
        .until("document.querySelector('#diff') !== null")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn files_of_a_diff_are_chosen_and_seen() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    let texts = |agents_md: &str, style: &str| {
        Workspace::with_agents_md("/w", agents_md).file("style.md", style)
    };
    agent.push(&texts("Be kind.\n", "Be short.\n")).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    agent.push(&texts("Be quick.\n", "Be long.\n")).await;
    let path = format!("/chats/{chat}");
    let mut browser = signed_in(&server, &path).await?;
    press_all(&mut browser, &["j", "j", "x"]).await?;
    let chosen = "[...document.querySelectorAll('.diff-entry')].map((line) => line.querySelector('input').checked).join()";
    browser.until(&format!("{chosen} === 'false,true'")).await?;
    let seen = "[...document.querySelectorAll('.diff-entry.is-seen .cut')].map((link) => link.textContent).join()";
    browser.click(".file:first-of-type [data-seen]").await?;
    browser.until(&format!("{seen} === 'AGENTS.md'")).await?;
    // A file that changes again is unseen, and the others stay seen.
    browser.click(".file:last-of-type [data-seen]").await?;
    agent.push(&texts("Be early.\n", "Be long.\n")).await;
    browser.open(server.url.join(&path)?.as_str()).await?;
    browser.until(LIVE).await?;
    assert_eq!(browser.evaluate(seen).await?, "style.md");
    // Where nothing can be chosen, the same change is seen too.
    let workspace = format!("/workspaces/{}/compare?from=1&to=3", agent.id);
    browser.open(server.url.join(&workspace)?.as_str()).await?;
    browser.until(&format!("{seen} === 'style.md'")).await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_focus_goes_on_where_somebody_decides() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    for number in 0..5 {
        create_chat(&server, Some(agent.id), &format!("Chat {number}")).await;
    }
    agent.push(&edition("Be quick.")).await;
    let mut browser = signed_in(&server, "/chats?show=drifted").await?;
    let is_at = |rows: usize, row: &str| {
        format!(
            "document.querySelectorAll('.chat-row[data-key]').length === {rows} && \
             document.querySelector('[aria-busy]') === null && document.activeElement.textContent === '{row}'"
        )
    };
    // Of the rows that go, two are at the cursor or above it. No row is passed over.
    press_all(&mut browser, &["j", "x", "j", "x", "t"]).await?;
    browser.until(&is_at(3, "Chat 2")).await?;
    // The cursor was on the second of those that come back, and goes there again.
    press_all(&mut browser, &["u"]).await?;
    browser.until(&is_at(5, "Chat 1")).await?;
    press_all(&mut browser, &["j", "x", "t"]).await?;
    browser.until(&is_at(4, "Chat 3")).await?;
    // Who presses the button of an undo goes to what came back, and who closes a notice goes on where they were.
    let focus_on = |selector: &str| format!("document.querySelector('{selector}').focus()");
    browser.evaluate(&focus_on(".toast [data-keys=u]")).await?;
    press_all(&mut browser, &["Enter"]).await?;
    browser.until(&is_at(5, "Chat 2")).await?;
    browser.evaluate(&focus_on(".toast [data-close]")).await?;
    press_all(&mut browser, &["Enter"]).await?;
    browser.until(&is_at(5, "Chat 2")).await?;
    // The bar goes with what was chosen.
    press_all(&mut browser, &["x"]).await?;
    browser
        .evaluate(&focus_on("#selection [value=decline]"))
        .await?;
    press_all(&mut browser, &["Enter"]).await?;
    browser.until(&is_at(4, "Chat 3")).await?;
    // The last decision of a page leaves nothing to go to but the page, until it is undone.
    press_all(&mut browser, &["Enter"]).await?;
    browser
        .until("document.querySelector('#diff') !== null")
        .await?;
    browser.until(LIVE).await?;
    press_all(&mut browser, &["j", "t"]).await?;
    browser
        .until("document.querySelector('#diff') === null && document.activeElement.id === 'main'")
        .await?;
    press_all(&mut browser, &["u"]).await?;
    browser
        .until("document.activeElement.closest('.file') !== null")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn letters_can_be_turned_off() -> Result<()> {
    let server = Server::start().await;
    create_chat(&server, None, "A chat").await;
    let mut browser = signed_in(&server, "/chats").await?;
    press_all(&mut browser, &["/"]).await?;
    assert_eq!(browser.evaluate("document.activeElement.name").await?, "q");
    // In a field, a letter is a letter.
    press_all(&mut browser, &["j", "?"]).await?;
    assert_eq!(
        browser.evaluate("document.activeElement.value").await?,
        "j?"
    );
    press_all(&mut browser, &["Escape", "?"]).await?;
    browser
        .until("document.getElementById('keys').open")
        .await?;
    // The dialog has the focus, and Tab stays in it.
    for _ in 0..3 {
        browser.press("Tab").await?;
        let inside = "document.activeElement.closest('#keys') !== null || document.activeElement === document.body";
        assert_eq!(browser.evaluate(inside).await?, true);
    }
    browser
        .evaluate("document.querySelector('[data-keys-off]').focus()")
        .await?;
    press_all(&mut browser, &["Space", "Escape"]).await?;
    // What is hidden loses the focus only when the browser next renders.
    browser
        .until("!document.getElementById('keys').open && document.activeElement === document.body")
        .await?;
    for key in ["j", "?", "/"] {
        browser.press(key).await?;
        assert_eq!(focus(&mut browser).await?, "nothing", "{key}");
    }
    let page = browser.evaluate("location.href").await?;
    browser.open(page.as_str().unwrap()).await?;
    press_all(&mut browser, &["j"]).await?;
    assert_eq!(focus(&mut browser).await?, "nothing");
    assert_eq!(
        browser
            .evaluate("document.querySelector('[data-keys-off]').checked")
            .await?,
        true
    );
    // Tab and Enter always work: the first stop leads over the bar to the content.
    press_all(&mut browser, &["Tab", "Enter"]).await?;
    assert_eq!(browser.evaluate("document.activeElement.id").await?, "main");
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

/// Whether the row that has the focus can be seen whole: no bar and no foot lies over it.
const ROW_IS_SEEN: &str = "(() => {
    const row = document.activeElement.closest('.row, .turn > summary, .lane') ?? document.activeElement;
    const { left, top, bottom } = row.getBoundingClientRect();
    const isRow = (y) => row.contains(document.elementFromPoint(left + 40, y));
    return isRow(top + 2) && isRow(bottom - 2);
})()";

#[tokio::test]
async fn a_row_without_a_button_is_taken_with_a_key_or_says_why_not() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let behind = create_chat(&server, Some(agent.id), "Behind").await;
    agent.push(&edition("Be quick.")).await;
    create_chat(&server, Some(agent.id), "Clean").await;
    let mut browser = signed_in(&server, "/chats").await?;
    press_all(&mut browser, &["j", "t"]).await?;
    browser
        .until("document.querySelector('.toast p')?.textContent === 'Nothing waits in this chat.'")
        .await?;
    press_all(&mut browser, &["j"]).await?;
    assert_eq!(focus(&mut browser).await?, "Behind");
    // A search that somebody leaves leads back.
    press_all(&mut browser, &["/", "p", "Escape"]).await?;
    assert_eq!(focus(&mut browser).await?, "Behind");
    press_all(&mut browser, &["t"]).await?;
    browser
        .until("document.querySelector('.toast:last-child p')?.textContent === 'Took all changes for 1 chat.'")
        .await?;
    assert!(!server.client.context(behind).await?.pin.dirty);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn keys_go_through_a_long_list_and_to_its_next_page() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    for number in 0..60 {
        create_chat(&server, Some(agent.id), &format!("Chat {number}")).await;
    }
    agent.push(&edition("Be quick.")).await;
    let mut browser = signed_in(&server, "/chats").await?;
    browser.prefer(&[("prefers-color-scheme", "dark")]).await?;
    for width in [360, 1440] {
        browser.resize(width, 700).await?;
        browser.open(server.url.join("/chats")?.as_str()).await?;
        browser.until(LIVE).await?;
        let count =
            "document.querySelector('.group-head').textContent.replace(/\\s+/g, ' ').trim()";
        let count = browser.evaluate(count).await?;
        assert!(
            count.as_str().unwrap().ends_with("50 of 60 chats"),
            "{count}"
        );
        // A chosen row shows the foot, which lies over the end of the list.
        press_all(&mut browser, &["j", "x"]).await?;
        for number in (10..59).rev() {
            browser.press("j").await?;
            assert_eq!(
                focus(&mut browser).await?,
                format!("Chat {number}").as_str()
            );
            assert_eq!(
                browser.evaluate(ROW_IS_SEEN).await?,
                true,
                "{width} {number}"
            );
        }
        press_all(&mut browser, &["Escape", "j"]).await?;
        assert_eq!(focus(&mut browser).await?, "Next");
        browser.press("Enter").await?;
        browser
            .until("document.querySelectorAll('.chat-row[data-key]').length === 10")
            .await?;
        browser.until(LIVE).await?;
        press_all(&mut browser, &["j", "j"]).await?;
        assert_eq!(focus(&mut browser).await?, "Chat 8");
        // The way back leads to the row.
        press_all(&mut browser, &["Enter"]).await?;
        browser
            .until("document.querySelector('#diff') !== null")
            .await?;
        browser.evaluate("history.back()").await?;
        browser
            .until("document.querySelector('#diff') === null && document.activeElement?.textContent === 'Chat 8'")
            .await?;
        browser.until(LIVE).await?;
        // And back, from the last row.
        for _ in 0..9 {
            browser.press("j").await?;
        }
        assert_eq!(focus(&mut browser).await?, "Previous");
    }
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn keys_go_through_turns_and_the_lanes_of_a_map() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let mut chat = None;
    for number in 0..20 {
        chat = Some(create_chat(&server, Some(agent.id), &format!("Chat {number}")).await);
    }
    let chat = chat.unwrap();
    for _ in 0..60 {
        let turn = TurnBegin::default();
        server.client.turn_begin(chat, &turn).await.unwrap();
    }
    let mut browser = signed_in(&server, "/chats").await?;
    browser.resize(360, 500).await?;
    let turns = format!("/chats/{chat}/turns");
    let map = format!("/workspaces/{}", agent.id);
    for (path, down) in [(turns, 49), (map, 39)] {
        browser.open(server.url.join(&path)?.as_str()).await?;
        browser.until(LIVE).await?;
        for key in std::iter::repeat_n("j", down).chain(std::iter::repeat_n("k", down)) {
            browser.press(key).await?;
            assert_eq!(
                browser.evaluate(ROW_IS_SEEN).await?,
                true,
                "{path} {key} {}",
                focus(&mut browser).await?
            );
        }
    }
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}
