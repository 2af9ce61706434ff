//! The pages on a phone, 360 pixels wide.

use anyhow::Result;
use ctxpin_browser::Chromium;
use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::http::people::TokenCreate;
use ctxpin_testing::workspace::Workspace;
use serde_json::{Value, json};

use crate::accessibility::OVERFLOW;
use crate::browser::{Browser, create_chat};
use crate::evidence::{Reader, result};
use crate::flows::signed_in;
use crate::rude::drifted;
use crate::server::{Agent, Server};

/// Returns a browser of the width of a phone that has signed in, and shows a page.
async fn phone(server: &Server, path: &str) -> Result<Chromium> {
    let mut browser = signed_in(server, "/").await?;
    browser.resize(360, 800).await?;
    browser.open(server.url.join(path)?.as_str()).await?;
    browser.until(crate::flows::LIVE).await?;
    Ok(browser)
}

/// The words of the cells of lines that can be seen, from the top.
const LINES: &str = "[...document.querySelectorAll('.lines .text')]
    .filter((cell) => cell.checkVisibility())
    .map((cell) => [cell.getBoundingClientRect().top, cell.textContent])
    .sort(([a], [b]) => a - b)
    .map(([, words]) => words)";

#[tokio::test]
async fn side_by_side_shows_the_old_lines_before_the_new_ones() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    let text = |lines: &str| Workspace::with_agents_md("/w", &format!("Before.\n{lines}After.\n"));
    agent.push(&text("Old one.\nOld two.\n")).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    agent.push(&text("New one.\nNew two.\nNew three.\n")).await;
    let path = format!("/chats/{chat}?view=split");
    let mut browser = phone(&server, &path).await?;
    let unified = json!([
        "Before.",
        "Old one.",
        "Old two.",
        "New one.",
        "New two.",
        "New three.",
        "After."
    ]);
    assert_eq!(browser.evaluate(LINES).await?, unified);
    let said =
        "getComputedStyle(document.querySelector('[data-keep=\"view=split\"]'), '::after').content";
    assert_eq!(browser.evaluate(said).await?, "\" in a wider window\"");
    // The number of a line leads to it here too.
    browser.resize(360, 200).await?;
    browser
        .evaluate("scrollTo(0, 0); document.querySelector('.lines a[href$=R3]').click()")
        .await?;
    browser
        .until("(() => { const { top, bottom } = document.querySelector(':target').getBoundingClientRect(); \
                return top >= 0 && bottom <= innerHeight && scrollY > 0 })()")
        .await?;
    browser.resize(1_000, 800).await?;
    let pairs = json!([
        "Before.",
        "Before.",
        "Old one.",
        "New one.",
        "Old two.",
        "New two.",
        "",
        "New three.",
        "After.",
        "After."
    ]);
    assert_eq!(browser.evaluate(LINES).await?, pairs);
    assert_eq!(browser.evaluate(said).await?, "none");
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_toast_covers_nothing_however_many_lines_it_has() -> Result<()> {
    let server = Server::start().await;
    let mut browser = phone(&server, "/chats").await?;
    let covered = "document.querySelector('.toast').getBoundingClientRect().bottom \
                   > document.querySelector('main h1').getBoundingClientRect().top";
    for lines in [1, 3, 6] {
        let words = "The server refused this. ".repeat(lines * 2);
        browser
            .evaluate(&format!(
                "document.querySelector('.toast')?.remove(); \
                 document.getElementById('toasts').innerHTML = \
                 '<div class=toast><p>{words}</p><button>Undo</button></div>'"
            ))
            .await?;
        browser.drawn().await?;
        assert_eq!(browser.evaluate(covered).await?, Value::Bool(false));
        let height = browser
            .evaluate("document.querySelector('.toast').offsetHeight")
            .await?;
        assert!(height.as_u64() > Some(20 * lines as u64), "{height}");
    }
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_label_of_a_token_is_whole() -> Result<()> {
    let server = Server::start().await;
    let label = "Deploys the staging environment of the checkout, every night at three";
    let token = TokenCreate {
        label: Some(label.into()),
        ..TokenCreate::default()
    };
    server.client.token_create(&token).await.unwrap();
    let mut browser = phone(&server, "/settings").await?;
    let cut = "[...document.querySelectorAll('.token-row b')] \
               .filter((label) => label.scrollWidth > label.clientWidth).map((label) => label.textContent)";
    assert_eq!(browser.evaluate(cut).await?, Value::Array(Vec::new()));
    let labels = browser
        .evaluate("document.querySelector('main').textContent")
        .await?;
    assert!(labels.as_str().unwrap().contains(label), "{labels}");
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_choice_moves_no_button() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    let workspace = |text: &str| Workspace::with_agents_md("/w", text);
    agent.push(&workspace("Be kind.\n")).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    let skills = workspace("Be quick.\n").skill("triage", "Sorts issues.", &[]);
    agent.push(&skills).await;
    let mut browser = phone(&server, &format!("/chats/{chat}")).await?;
    let buttons = |state: &str| {
        format!(
            "document.getElementById('decision').dataset.chosen === '{state}' &&
             [...document.querySelectorAll('.foot [type=submit]')]
                .filter((button) => button.checkVisibility({{ visibilityProperty: true }}))
                .map((button) => [button.textContent, ...Object.values(button.getBoundingClientRect().toJSON())])"
        )
    };
    let names = |found: &Value| {
        let found = found.as_array().into_iter().flatten();
        found.map(|one| one[0].clone()).collect::<Vec<_>>()
    };
    let places = |found: &Value| {
        let found = found.as_array().into_iter().flatten();
        let places = found.map(|one| one.as_array().map(|one| one[1..].to_vec()));
        places.collect::<Vec<_>>()
    };
    let before = browser.evaluate(&buttons("none")).await?;
    assert_eq!(names(&before), ["Take all", "Keep the pin"]);
    browser
        .evaluate("document.querySelector('.diff-tree [type=checkbox]').click()")
        .await?;
    let after = browser.evaluate(&buttons("some")).await?;
    assert_eq!(names(&after), ["Take 1 of 2", "Keep the pin"]);
    assert_eq!(places(&before), places(&after));
    // A key presses the button that is to be seen.
    browser.press("t").await?;
    browser
        .until("document.querySelector('.toast p')?.textContent.startsWith('Took ')")
        .await?;
    let context = server.client.context(chat).await.unwrap();
    assert!(context.pin.dirty, "one of two changes was taken");
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

/// The results of a search for a hash say much in a row: turns that had it, and some that may have had it.
#[tokio::test]
async fn what_a_search_for_a_hash_finds_fits() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    let text = |line: &str| format!("{line}\n");
    let workspace = |line: &str| Workspace::with_agents_md("/srv/shop", &text(line));
    agent.push(&workspace("Be kind.")).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let head = agent.push(&workspace("Be quick.")).await;
    let reader = Reader::new(&server).await;
    let file = |outcome, line: &str| {
        result(
            "instruction_file",
            "/srv/shop/AGENTS.md",
            outcome,
            &text(line),
        )
    };
    reader.turn(chat, "as-pinned", Vec::new()).await;
    reader
        .turn(chat, "as-pinned", vec![file("given", "Be kind.")])
        .await;
    reader
        .turn(
            chat,
            "deviates",
            vec![reader.foreign("notes.md", "Nobody has this.\n")],
        )
        .await;
    let shown = server.client.context(chat).await.unwrap();
    let mut queries: Vec<_> = [
        "Be kind.",
        "Be quick.",
        "Nobody has this.",
        "Nobody had this.",
    ]
    .map(|line| BlobHash::of(text(line).as_bytes()).to_string())
    .into();
    queries.extend(
        [head.snapshot, shown.pin.snapshot, shown.pin.context_hash]
            .into_iter()
            .flatten(),
    );
    let short: Vec<_> = queries
        .iter()
        .map(|hash| hash["sha256:".len()..][..10].to_owned())
        .collect();
    queries.extend(short);
    let mut browser = phone(&server, "/search").await?;
    let mut found = Vec::new();
    for query in &queries {
        let path = format!("/search?q={query}");
        browser.open(server.url.join(&path)?.as_str()).await?;
        browser.until(crate::flows::LIVE).await?;
        let wide = browser.evaluate(OVERFLOW).await?;
        let wide = wide.as_array().into_iter().flatten();
        found.extend(wide.map(|wide| format!("{path}: {wide}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_row_of_changes_has_its_button_at_every_width() -> Result<()> {
    let server = Server::start().await;
    drifted(&server).await;
    let mut browser = phone(&server, "/").await?;
    let buttons = "[...document.querySelectorAll('.row-actions button')]
        .filter((button) => button.checkVisibility({ visibilityProperty: true }))
        .filter((button) => button.getBoundingClientRect().right <= innerWidth)
        .map((button) => button.value)";
    for width in [360, 768, 900, 1_024, 1_200] {
        browser.resize(width, 800).await?;
        assert_eq!(browser.evaluate(buttons).await?, json!(["all"]), "{width}");
        let wide = browser.evaluate(OVERFLOW).await?;
        assert_eq!(wide, json!([]), "{width}");
        // A long path leaves its kind whole.
        let kind =
            "(() => { const [path, kind] = document.querySelector('.change-row .what').children;
                path.textContent = '.agents/skills/database-migration';
                return kind.clientWidth > 20 && kind.clientWidth >= kind.scrollWidth })()";
        assert_eq!(browser.evaluate(kind).await?, json!(true), "{width}");
    }
    browser.resize(360, 800).await?;
    browser.click(".row-actions [value=all]").await?;
    browser
        .until("document.querySelector('.toast p')?.textContent.startsWith('Took ')")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn news_cover_no_title_and_a_foot_little_of_a_phone() -> Result<()> {
    let server = Server::start().await;
    let path = drifted(&server).await;
    let mut browser = phone(&server, &path).await?;
    for (page, box_) in [(&*path, ".diff-tree"), ("/", ".row"), ("/chats", ".row")] {
        browser.open(server.url.join(page)?.as_str()).await?;
        browser.until(crate::flows::LIVE).await?;
        let chosen = format!(
            "document.querySelector('{box_} [type=checkbox]')?.click(); \
             const held = document.getElementById('held'); \
             held.hidden = false; held.textContent = 'This has changed, show'; \
             const [title, news, foot] = ['main h1', '#held', '.foot'].map((one) => document.querySelector(one).getBoundingClientRect()); \
             [news.top > title.bottom, news.bottom <= foot.top, foot.height < 90]"
        );
        let found = browser.evaluate(&chosen).await?;
        assert_eq!(found, json!([true, true, true]), "{page}");
    }
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_foot_covers_nothing_at_the_end_of_a_page() -> Result<()> {
    let server = Server::start().await;
    let path = drifted(&server).await;
    let mut browser = phone(&server, &path).await?;
    browser.resize(360, 420).await?;
    for (page, box_) in [(&*path, ".diff-tree"), ("/", ".row"), ("/chats", ".row")] {
        browser.open(server.url.join(page)?.as_str()).await?;
        browser.until(crate::flows::LIVE).await?;
        let end = format!(
            "document.querySelector('{box_} [type=checkbox]')?.click(); scrollTo(0, document.documentElement.scrollHeight); \
             const foot = document.querySelector('.foot'); \
             const [above, below] = [foot.previousElementSibling, foot].map((one) => one.getBoundingClientRect()); \
             [above.height > 0, Math.round(below.top) >= Math.round(above.bottom)]"
        );
        let found = browser.evaluate(&end).await?;
        assert_eq!(found, json!([true, true]), "{page}");
    }
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_long_title_leaves_room_for_the_client() -> Result<()> {
    let server = Server::start().await;
    let agent = Agent::create(&server).await;
    create_chat(&server, Some(agent.id), &"A long title. ".repeat(14)).await;
    let mut browser = signed_in(&server, "/chats").await?;
    let within = "(() => { const [row, client] = ['.chat-row .what', '.chat-row .what > .also']
            .map((one) => document.querySelector(one).getBoundingClientRect());
        return client.width > 20 && client.right < row.right })()";
    for width in [1_280, 1_440] {
        browser.resize(width, 800).await?;
        assert_eq!(
            browser.evaluate(within).await?,
            Value::Bool(true),
            "{width}"
        );
    }
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_words_of_a_form_are_no_wider_than_one_reads() -> Result<()> {
    let server = Server::start().await;
    let mut browser = signed_in(&server, "/workspaces/new").await?;
    browser.resize(1_440, 900).await?;
    let width = "document.querySelector('main > .sentence').offsetWidth";
    let width = browser.evaluate(width).await?;
    assert!(width.as_u64() < Some(700), "{width}");
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_empty_list_says_nothing_of_its_order() {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&Workspace::with_agents_md("/w", "One.")).await;
    create_chat(&server, Some(agent.id), "A chat").await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let order = "Those come first";
    let none = browser.page("/chats?show=drifted").await;
    assert!(
        none.contains("None of them") && !none.contains(order),
        "{none}"
    );
    agent.push(&Workspace::with_agents_md("/w", "Two.")).await;
    assert!(browser.page("/chats?show=drifted").await.contains(order));
    server.stop().await;
}
