//! Decisions in a real browser: what is chosen, what is offered, and what the page says afterwards.

use anyhow::Result;
use ctxpin_protocol::http::chats::ChatQuery;

use crate::browser::create_chat;
use crate::flows::{LIVE, edition, signed_in};
use crate::pages::chat_behind;
use crate::server::{Agent, Server};

#[tokio::test]
async fn forty_chats_are_decided_at_once_and_two_of_them_are_gone() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let mut chats = Vec::new();
    for number in 0..40 {
        chats.push(create_chat(&server, Some(agent.id), &format!("Chat {number}")).await);
    }
    agent.push(&edition("Be quick.")).await;
    let mut browser = signed_in(&server, "/").await?;
    browser.follow(".change-row .row-link").await?;
    browser.until(LIVE).await?;
    browser
        .until("document.querySelectorAll('input[name=chat]').length === 40")
        .await?;
    browser
        .evaluate("document.querySelectorAll('input[name=chat]').forEach((box) => box.click())")
        .await?;
    browser
        .until("document.querySelector('[value=chosen]').textContent === 'Take for 40 of 40 chats'")
        .await?;
    // The rows stay under the reader's choice, and are marked.
    for chat in &chats[..2] {
        server.client.chat_delete(*chat).await.unwrap();
    }
    browser
        .until("document.querySelectorAll('.is-gone').length === 2")
        .await?;
    browser.click("[value=chosen]").await?;
    browser
        .until("document.querySelectorAll('.toast.failed .failures li').length === 2")
        .await?;
    browser
        .until("document.querySelector('h1').textContent === 'Taken for 38 chats'")
        .await?;
    let drifted = ChatQuery {
        dirty: Some(true),
        ..ChatQuery::default()
    };
    assert!(
        server
            .client
            .chats(&drifted)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_only_change_shows_its_lines_at_once() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    create_chat(&server, Some(agent.id), "Chat").await;
    agent.push(&edition("Be quick.")).await;
    let mut browser = signed_in(&server, "/").await?;
    browser.until(LIVE).await?;
    let has_lines = "document.querySelector('#diff').textContent.includes('Be quick.')";
    browser.until(has_lines).await?;
    browser.follow(".diff-tools a[href$='view=split']").await?;
    browser.until(has_lines).await?;
    let layout = "document.querySelector('.diff-tools [aria-current]').textContent";
    assert_eq!(browser.evaluate(layout).await?, "Side by side");
    browser.until(LIVE).await?;
    browser.press("j").await?;
    browser.press("t").await?;
    let decided = "document.querySelector('h1').textContent === 'Nothing waits' && !document.querySelector('#diff')";
    browser.until(decided).await?;
    // Among several, a reader chooses.
    let several = edition("Be slow.").skill("pdf", "Reads PDFs.", &[]);
    agent.push(&several).await;
    browser.open(server.url.as_str()).await?;
    let rows = "document.querySelectorAll('.change-row[data-key]').length";
    assert_eq!(browser.evaluate(rows).await?, 2);
    let has_diff = "document.querySelector('#diff') !== null";
    assert_eq!(browser.evaluate(has_diff).await?, false);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_tick_stands_for_what_was_seen() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Chat").await;
    let two = |skill| edition("Be quick.").skill("pdf", skill, &[]);
    agent.push(&two("Reads PDFs.")).await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    browser.until(LIVE).await?;
    let tick = "document.querySelectorAll('input[name=source]').forEach((box) => box.click())";
    browser.evaluate(tick).await?;
    agent.push(&two("Reads and writes PDFs.")).await;
    browser
        .until("document.getElementById('held').textContent === 'This has changed, show'")
        .await?;
    browser.click("#decision [value=chosen]").await?;
    let ticked =
        "[...document.querySelectorAll('input[name=source]')].map((box) => box.checked).join()";
    let words = "document.querySelector('#decision [value=chosen]').textContent";
    let is_kept = format!("{ticked} === 'true,false' && {words} === 'Take 1 of 2'");
    browser.until(&is_kept).await?;
    browser.evaluate("window.isBefore = true").await?;
    browser.click(".toast [data-again]").await?;
    browser
        .until(&format!("window.isBefore === undefined && {is_kept}"))
        .await?;
    browser.until(LIVE).await?;
    // A push that changes nothing of it changes nothing on the page, and the decision holds.
    let head = server.client.context(chat).await?.head.unwrap().snapshot;
    let unused = two("Reads and writes PDFs.").broken("skills/csv/SKILL.md", "no text");
    agent.push(&unused).await;
    let newest = server.client.context(chat).await?.head.unwrap().snapshot;
    assert_ne!(newest, head);
    browser.click("#decision [value=chosen]").await?;
    browser
        .until("document.querySelector('.toast p').textContent === 'Took AGENTS.md.'")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_refused_choice_arms_nothing_until_somebody_chooses_anew() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Chat").await;
    let changes = async || server.client.context(chat).await.unwrap().changes.len();
    let two = edition("Be quick.").skill("csv", "Reads tables.", &[]);
    let three = two.clone().skill("pdf", "Reads PDFs.", &[]);
    let mut browser = signed_in(&server, "/").await?;
    browser.resize(1200, 900).await?;
    for asks_first in [false, true] {
        agent.push(&three).await;
        browser
            .open(server.url.join(&format!("/chats/{chat}"))?.as_str())
            .await?;
        browser.until(LIVE).await?;
        let clock = "window.now = performance.now(); performance.now = () => window.now;";
        browser.evaluate(clock).await?;
        browser
            .click("input[name=source][value$='/pdf/SKILL.md']")
            .await?;
        agent.push(&two).await;
        browser
            .until("document.getElementById('held').textContent === 'This has changed, show'")
            .await?;
        // What is counted is what is shown.
        let counted = "[document.querySelector('.tabs .count'), document.querySelector('main [data-say] [data-hold-with]'), \
                       document.querySelector('.diff-tools span'), document.querySelector('[value=chosen]')] \
                       .map((one) => one.textContent.trim().match(/^(Take 1 of )?\\d/)[0]).join()";
        assert_eq!(browser.evaluate(counted).await?, "3,3,3,Take 1 of 3");
        if asks_first {
            browser.click("#held").await?;
        } else {
            browser.hover("#decision [value=chosen]").await?;
            browser.click_pointer().await?;
            browser
                .until("document.querySelector('.toast.failed [data-again]') !== null")
                .await?;
        }
        let is_shut = "document.querySelector('#decision [value=all]').disabled && document.querySelector('#decision [value=decline]').disabled \
             && document.querySelector('.tabs .count').textContent === '2' \
             && document.querySelector('#decision [data-if=lost]').checkVisibility()";
        browser.until(is_shut).await?;
        browser.evaluate("window.now += 1000").await?;
        browser.hover("#decision [value=all]").await?;
        browser.click_pointer().await?;
        browser.press("t").await?;
        browser
            .until("document.getElementById('toasts').textContent.includes('This has changed since you chose')")
            .await?;
        let idle = "document.querySelector('[aria-busy]') === null";
        assert_eq!(browser.evaluate(idle).await?, true);
        assert_eq!(changes().await, 2);
    }
    browser
        .click("input[name=source][value$='/csv/SKILL.md']")
        .await?;
    browser.click("#decision [value=chosen]").await?;
    browser
        .until("document.querySelector('.toast:last-child p').textContent === 'Took skill csv.'")
        .await?;
    assert_eq!(changes().await, 1);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_key_takes_no_other_row_after_a_refusal() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Chat").await;
    let changes = async || server.client.context(chat).await.unwrap().changes.len();
    let two = edition("Be quick.").skill("csv", "Reads tables.", &[]);
    let mut browser = signed_in(&server, "/").await?;
    for is_ticked in [false, true] {
        agent
            .push(&two.clone().skill("pdf", "Reads PDFs.", &[]))
            .await;
        browser.open(server.url.as_str()).await?;
        browser.until(LIVE).await?;
        browser
            .evaluate("document.querySelector('a[title$=\"pdf\"]').focus()")
            .await?;
        if is_ticked {
            browser.press("x").await?;
        }
        agent.push(&two).await;
        browser
            .until("document.querySelector('.is-gone') !== null")
            .await?;
        browser.press("t").await?;
        browser
            .until("document.querySelector('.toast.failed .failures') && document.querySelectorAll('.change-row[data-key]').length === 2")
            .await?;
        browser.press("t").await?;
        browser
            .until("document.getElementById('toasts').textContent.includes('This has changed since you chose')")
            .await?;
        assert_eq!(changes().await, 2);
    }
    // Who goes to another row chooses that.
    browser.press("j").await?;
    browser.press("t").await?;
    browser
        .until("document.querySelector('.toast:last-child p').textContent.startsWith('Took ')")
        .await?;
    assert_eq!(changes().await, 1);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_row_that_changed_since_it_was_chosen_is_chosen_no_more() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    create_chat(&server, Some(agent.id), "Chat").await;
    agent.push(&edition("Be quick.")).await;
    let mut browser = signed_in(&server, "/chats").await?;
    browser.until(LIVE).await?;
    let tick = "document.querySelector('input[name=chat]').click()";
    browser.evaluate(tick).await?;
    agent.push(&edition("Be slow.")).await;
    browser
        .until("document.querySelector('.toast p')?.textContent.startsWith('What you chose has changed since')")
        .await?;
    let state = "[document.querySelector('input[name=chat]').checked, document.getElementById('selection').dataset.chosen, \
                  document.querySelectorAll('.row[data-dropped]').length].join()";
    browser
        .until(&format!("{state} === 'false,none,1'"))
        .await?;
    browser.evaluate(tick).await?;
    assert_eq!(browser.evaluate(state).await?, "true,some,0");
    // Looked at again, it is decided.
    browser.click("#selection [value=all]").await?;
    browser
        .until("document.querySelector('.toast:last-child p').textContent === 'Took all changes for 1 chat.'")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

/// Lists what can be pressed, but lies under a toast.
const UNDER_A_TOAST: &str = "[...document.querySelectorAll('a, button, summary, input')].filter((element) => {
    if (element.closest('.toasts') || !element.checkVisibility({ visibilityProperty: true })) return false;
    const box = element.getBoundingClientRect();
    return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)?.closest('.toast');
}).map((element) => element.outerHTML.slice(0, 100))";

#[tokio::test]
async fn a_toast_covers_nothing_that_cannot_be_scrolled_from_under_it() -> Result<()> {
    let server = Server::start().await;
    let agent = two_chats_behind(&server).await;
    let chat = server.client.chats(&ChatQuery::default()).await.unwrap();
    let chat = format!("/chats/{}", chat.items[0].id);
    let workspace = format!("/workspaces/{}", agent.id);
    let mut browser = signed_in(&server, "/").await?;
    for (width, end) in [(360, "0"), (1440, "document.body.scrollHeight")] {
        browser.resize(width, 900).await?;
        for (path, button) in [
            (chat.as_str(), "[value=decline]"),
            (workspace.as_str(), "#selection [value=decline]"),
        ] {
            browser.open(server.url.join(path)?.as_str()).await?;
            browser.until(LIVE).await?;
            if path == workspace {
                browser.click("input[name=chat]").await?;
            }
            browser.click(button).await?;
            browser
                .until("document.querySelector('.toast [data-keys=u]') !== null")
                .await?;
            browser.drawn().await?;
            browser.evaluate(&format!("scrollTo(0, {end})")).await?;
            browser.drawn().await?;
            let under = browser.evaluate(UNDER_A_TOAST).await?;
            assert_eq!(under, serde_json::json!([]), "{path} {width}");
            browser.click(".toast [data-keys=u]").await?;
            browser
                .until("document.querySelector('.toast p').textContent.endsWith(' wait again.')")
                .await?;
        }
    }
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

/// Makes two chats, whose workspace then changes its file and gets a skill.
async fn two_chats_behind(server: &Server) -> Agent {
    let mut agent = Agent::create(server).await;
    agent.push(&edition("Be kind.")).await;
    for number in 0..2 {
        create_chat(server, Some(agent.id), &format!("Chat {number}")).await;
    }
    let second = edition("Be quick.").skill("pdf", "Reads PDFs.", &[]);
    agent.push(&second).await;
    agent
}

#[tokio::test]
async fn a_decision_in_the_inbox_stays_there_and_says_what_it_did() -> Result<()> {
    let server = Server::start().await;
    two_chats_behind(&server).await;
    let mut browser = signed_in(&server, "/").await?;
    let rows = "document.querySelectorAll('.change-row[data-key]').length";
    let toast = "document.querySelector('.toast p')?.textContent";
    let keep = "document.querySelector('.row-actions [value=decline]').textContent";
    assert_eq!(browser.evaluate(keep).await?, "Keep the pins, declines 2");
    browser
        .evaluate("document.querySelector('a[title=\"AGENTS.md\"]').focus()")
        .await?;
    browser.press("t").await?;
    browser
        .until(&format!(
            "{toast} === 'Took AGENTS.md for 2 chats.' && {rows} === 1"
        ))
        .await?;
    assert_eq!(browser.evaluate(keep).await?, "Keep the pins");
    browser.press("j").await?;
    browser.press("t").await?;
    browser
        .until(&format!(
            "{toast} === 'Took skill pdf for 2 chats.' && document.querySelector('h1').textContent === 'Nothing waits'"
        ))
        .await?;
    // The way back is there as long as the reader does nothing else.
    assert_eq!(
        browser
            .evaluate("document.querySelectorAll('.toast').length")
            .await?,
        1
    );
    browser.press("u").await?;
    browser.until(&format!("{rows} === 1")).await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_page_of_a_decided_change_says_so_and_leads_to_the_next() -> Result<()> {
    let server = Server::start().await;
    let mut agent = two_chats_behind(&server).await;
    let mut browser = signed_in(&server, "/").await?;
    browser.follow("a[title='AGENTS.md']").await?;
    browser.until(LIVE).await?;
    let says = |title: &str| format!("document.querySelector('h1').textContent === '{title}'");
    browser.click("#decision [value=all]").await?;
    browser.until(&says("Taken for 2 chats")).await?;
    let address = "location.search.startsWith('?taken=2&seal=')";
    assert_eq!(browser.evaluate(address).await?, true);
    // The page says the same when it is loaded again, and the undo brings the change back.
    browser.click(".toast button[data-keys=u]").await?;
    browser.until(&says("AGENTS.md")).await?;
    browser.click("#decision [value=decline]").await?;
    browser.until(&says("The pins of 2 chats are kept")).await?;
    browser.evaluate("location.reload()").await?;
    browser.until(LIVE).await?;
    browser.until(&says("The pins of 2 chats are kept")).await?;
    let next = "document.querySelector('main').textContent.includes('Nothing else waits')";
    assert_eq!(browser.evaluate(next).await?, true);

    // A chat that has kept its pin waits for what comes next.
    agent
        .push(&edition("Be brief.").skill("csv", "Reads tables.", &[]))
        .await;
    browser
        .until("document.querySelector('main .primary')?.textContent.startsWith('Next: ')")
        .await?;
    browser.follow("main .primary").await?;
    browser
        .until("document.querySelector('#decision') !== null")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_is_ticked_stays_ticked_in_the_other_layout() -> Result<()> {
    let server = Server::start().await;
    let chat = chat_behind(&server).await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    let one = "document.querySelector('[value=chosen]').textContent === 'Take 1 of 3' \
               && document.querySelector(\"input[name=source][value$='/srv/shop/AGENTS.md']\").checked";
    browser
        .click("input[name=source][value$='/srv/shop/AGENTS.md']")
        .await?;
    browser.until(one).await?;
    for view in ["split", "unified"] {
        browser
            .follow(&format!("[data-keep='view={view}']"))
            .await?;
        browser.until(LIVE).await?;
        browser.until(one).await?;
        let current = format!(
            "document.querySelector(\"[data-keep='view={view}']\").getAttribute('aria-current')"
        );
        assert_eq!(browser.evaluate(&current).await?, "true");
    }
    // The ticks are for the other layout alone: they do not come back later.
    browser.follow(".tabs a[href$='/history']").await?;
    browser.follow(".tabs a").await?;
    browser.until(LIVE).await?;
    let ticked = "document.querySelectorAll('#decision input:checked[name=source]').length";
    assert_eq!(browser.evaluate(ticked).await?, 0);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_bar_offers_decisions_only_for_chats_that_wait() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("Be kind.")).await;
    create_chat(&server, Some(agent.id), "Behind").await;
    agent.push(&edition("Be quick.")).await;
    create_chat(&server, Some(agent.id), "Clean").await;
    let mut browser = signed_in(&server, "/chats").await?;
    let offers = "[...document.querySelectorAll('#selection button:not(.command)')] \
                  .filter((button) => button.checkVisibility()).map((button) => button.textContent).join()";
    let tick = |title: &str| {
        format!(
            "[...document.querySelectorAll('.chat-row')].find((row) => row.textContent.includes('{title}')) \
             .querySelector('input').click()"
        )
    };
    browser.evaluate(&tick("Clean")).await?;
    browser
        .until(&format!("{offers} === 'Archive,Clear'"))
        .await?;
    browser.evaluate(&tick("Behind")).await?;
    browser
        .until(&format!(
            "{offers} === 'Take all changes,Keep the pins,Archive,Clear'"
        ))
        .await?;
    browser.evaluate(&tick("Behind")).await?;
    browser
        .until(&format!("{offers} === 'Archive,Clear'"))
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_second_click_presses_nothing_that_came_under_the_pointer() -> Result<()> {
    let server = Server::start().await;
    let chat = chat_behind(&server).await;
    let changes = async || server.client.context(chat).await.unwrap().changes.len();
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    // The foot stays at the lower edge of a low window.
    browser.resize(1000, 400).await?;
    // The clock of the page stands, so that the second click comes at once.
    let clock = "window.now = performance.now(); performance.now = () => window.now;";
    browser.evaluate(clock).await?;
    let idle = "document.querySelector('[aria-busy]') === null";

    browser
        .click("input[name=source][value$='/srv/shop/AGENTS.md']")
        .await?;
    browser
        .until("document.querySelector('[value=chosen]').textContent === 'Take 1 of 3'")
        .await?;
    browser.click("#decision [data-if=some] .command").await?;
    let chosen =
        "document.querySelector('.toast p')?.textContent.endsWith(' --source=/srv/shop/AGENTS.md')";
    browser.until(chosen).await?;
    browser.hover("#decision [value=chosen]").await?;
    browser.click_pointer().await?;
    browser
        .until(&format!(
            "document.querySelectorAll('#diff article.file').length === 2 && {idle}"
        ))
        .await?;
    // "Take all" stands where "Take 1 of 3" stood.
    browser.click_pointer().await?;
    assert_eq!(browser.evaluate(idle).await?, true);
    assert_eq!(changes().await, 2);
    // After a second, a click is a new wish.
    browser.evaluate("window.now += 1000").await?;
    browser.hover("#decision [value=all]").await?;
    browser.click_pointer().await?;
    browser
        .until(&format!(
            "document.querySelector('#diff') === null && {idle}"
        ))
        .await?;
    assert_eq!(changes().await, 0);

    browser.follow(".tabs a[href$='/history']").await?;
    browser.until(LIVE).await?;
    browser.evaluate(clock).await?;
    let rows = "document.querySelectorAll('.log-entry').length";
    browser
        .hover(".log-entry[data-key=pin-1] [value=rollback]")
        .await?;
    browser.click_pointer().await?;
    browser.until(&format!("{rows} === 4 && {idle}")).await?;
    browser.click_pointer().await?;
    assert_eq!(browser.evaluate(idle).await?, true);
    assert_eq!(changes().await, 3);
    // A pointer that has moved off presses what it points at.
    browser.hover(".brand").await?;
    browser
        .hover(".log-entry[data-key=pin-2] [value=rollback]")
        .await?;
    browser.click_pointer().await?;
    browser.until(&format!("{rows} === 5 && {idle}")).await?;
    assert_eq!(changes().await, 2);
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}
