//! What axe (https://github.com/dequelabs/axe-core) finds on the pages, and whether they fit into a window.
//!
//! axe is kept in `tests/testdata/axe` as it was published, under the Mozilla Public License 2.0. No program
//! contains it.

use anyhow::Result;
use ctxpin_browser::Chromium;
use ctxpin_protocol::http::people::{TokenCreate, TokenRevoke};
use ctxpin_testing::workspace::Workspace;
use serde_json::{Value, json};

use crate::browser::{Browser, create_chat};
use crate::flows::signed_in;
use crate::scene::{self, Content};
use crate::server::Server;

const AXE: &str = include_str!("../testdata/axe/axe.min.js");

/// Lists what axe finds, each with the first element.
const RUN: &str = "axe.run(document, { resultTypes: ['violations'], preload: false }).then(({ violations }) =>
    violations.map(({ id, nodes }) => `${id} ${nodes.length} ${nodes[0].html} ${nodes[0].failureSummary}`))";

/// The widths of a phone, a tablet, a laptop and a large screen.
const WIDTHS: [u32; 4] = [360, 768, 1024, 1440];

/// Lists the elements that are wider than the window, the tables that scroll sideways, and the width of the page if it
/// does.
pub const OVERFLOW: &str = "(() => {
    const width = document.documentElement.clientWidth;
    const isCut = (element) => {
        for (let one = element.parentElement; one; one = one.parentElement) {
            if (getComputedStyle(one).overflowX !== 'visible') return true;
        }
        return false;
    };
    const wide = [...document.body.querySelectorAll('*')].filter((element) =>
        element.getBoundingClientRect().right > width + 0.1 && !isCut(element) && element.checkVisibility());
    const found = wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 150));
    const tables = [...document.querySelectorAll('.table')].filter((table) => table.scrollWidth > table.clientWidth);
    for (const table of tables) found.push(`${table.innerText.slice(0, 50)} scrolls to ${table.scrollWidth}`);
    if (document.documentElement.scrollWidth > width) found.push(`scrolls to ${document.documentElement.scrollWidth}`);
    return found;
})()";

/// Opens the turns of a list, which then load what they hold.
const OPEN: &str =
    "document.querySelectorAll('details.turn').forEach((turn) => { turn.open = true })";

/// Lists the words that break within, with the elements they are in. What is longer than our words may break.
const BROKEN: &str = r"(() => {
    const found = [];
    const range = document.createRange();
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode;
        const element = text.parentElement;
        if (element.closest('.unseen, pre, .lines') || !element.checkVisibility({ visibilityProperty: true })) continue;
        for (const { 0: word, index } of text.data.matchAll(/(?<![\p{L}\d_])\p{L}{2,20}(?![\p{L}\d_])/gu)) {
            range.setStart(text, index);
            range.setEnd(text, index + word.length);
            const lines = new Set(Array.from(range.getClientRects(), ({ top }) => Math.round(top)));
            if (lines.size > 1) found.push(`${word} breaks in ${element.outerHTML.slice(0, 150)}`);
        }
    }
    return found.slice(0, 3);
})()";

/// Lists the links that stand among words and that only their colour tells from these.
const COLOUR_ALONE: &str = r"(() => {
    const blockOf = (node) => {
        let block = node.parentElement;
        while (getComputedStyle(block).display === 'inline') block = block.parentElement;
        return block;
    };
    const wordsBeside = (link) => {
        const block = blockOf(link);
        const texts = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode;
            const isOther = text.parentElement.closest('a, button, summary, .unseen');
            if (!isOther && blockOf(text) === block && /\p{L}{2}/u.test(text.data)) return true;
        }
        return false;
    };
    const links = [...document.querySelectorAll('main a[href]')].filter((link) =>
        link.checkVisibility() && !link.closest('.row, .filters, h1, h2') && getComputedStyle(link).display === 'inline'
        && !getComputedStyle(link).textDecorationLine.includes('underline') && wordsBeside(link));
    return links.slice(0, 3).map((link) => `${link.outerHTML.slice(0, 100)} is told by its colour alone`);
})()";

/// Lists the cells of rows whose texts overlap.
const OVERLAPS: &str = "[...document.querySelectorAll('.row')].flatMap((row) => {
    const cells = [...row.children].filter((cell) => cell.checkVisibility()).flatMap((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        const { left, right, top, bottom, width } = range.getBoundingClientRect();
        return width > 0 && !cell.matches('.what') ? [{ cell, left, right, top, bottom }] : [];
    });
    return cells.filter((one, at) => cells.slice(at + 1).some((other) =>
        one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1))
        .map(({ cell }) => `${cell.textContent} overlaps another cell of ${row.textContent}`);
}).slice(0, 3)";

/// Lists the numbers and nouns that do not agree.
const PLURALS: &str = r"(() => {
    const nouns = 'lines|chats|heads|changes|requests|tokens|tools|files|turns|pins|days|servers|workspaces';
    const labels = Array.from(document.querySelectorAll('[aria-label]'), (element) => element.ariaLabel);
    const words = [document.querySelector('main').textContent, ...labels].join('\n');
    return words.match(new RegExp(`(?<![\\d.,:] ?)1 (${nouns})\\b.*`, 'g')) ?? [];
})()";

/// What a reader of the screen can do something with, as Chromium's accessibility tree calls it.
const CONTROLS: [&str; 9] = [
    "button",
    "link",
    "checkbox",
    "radio",
    "textbox",
    "searchbox",
    "combobox",
    "DisclosureTriangle",
    "image",
];

/// Returns what is wrong with the names in the accessibility tree of a page.
async fn misnamed(browser: &mut Chromium) -> Result<Vec<String>> {
    let tree = browser
        .call("Accessibility.getFullAXTree", json!({}))
        .await?;
    let nodes = tree["nodes"].as_array().into_iter().flatten();
    let mut faults = Vec::new();
    for node in nodes.filter(|node| node["ignored"] != true) {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        let name = node["name"]["value"].as_str().unwrap_or_default().trim();
        if !CONTROLS.contains(&role) {
            continue;
        }
        let word = name.split([' ', ':']).next().unwrap_or_default();
        if name.is_empty() {
            faults.push(format!("a {role} has no name"));
        } else if name != word && name.ends_with(&format!(": {word}")) {
            faults.push(format!("a {role} says one thing twice: {name}"));
        } else if role == "button" && name == "Copy" {
            faults.push("a button does not say what it copies".to_owned());
        }
    }
    Ok(faults)
}

/// A payment service with instructions, skills and servers, of which some cannot be used.
fn shop() -> Content {
    let rules: String = (1..40)
        .map(|number| format!("{number}. Keep function {number} short.\n"))
        .collect();
    let before = Workspace::with_agents_md("/srv/shop", "# Rules\n\nBe kind.\n");
    let pinned = before
        .clone()
        .file("AGENTS.md", &format!("# Rules\n\nBe kind.\nKeep names short.\n\n{rules}"))
        .file(
            "services/payment/api/AGENTS.md",
            "Every route is in the matrix.\n<!-- owner: platform -->\n\n| route | who |\n|---|---|\n| `/pay` | [all](https://example.com) |\n",
        )
        .skill("release-notes", "Writes release notes.", &[("scripts/run.sh", "echo\n")])
        .mcp_config("{}")
        .server("git", &["status", "commit"])
        .broken("CLAUDE.md", "the file is not UTF-8");
    let now = pinned
        .clone()
        .file(
            "AGENTS.md",
            &format!("# Rules\n\nBe kind.\nKeep names long.\n\n{rules}1. And more.\n"),
        )
        .file(
            "services/payment/api/AGENTS.md",
            "Every route is in the matrix.\n<!-- owner: checkout -->\n",
        )
        .skill(
            "release-notes",
            "Writes release notes.",
            &[("scripts/run.sh", "echo\n"), ("scripts/new.sh", "ls\n")],
        )
        .skill("triage", "Sorts new issues.", &[]);
    Content {
        editions: [pinned, now, before],
        name: "Split the payment step".into(),
    }
}

/// Returns what is wrong with the page that a browser shows. The widths have the themes in turn, and every second
/// page has them the other way round.
async fn faults(browser: &mut Chromium, number: usize) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    browser.evaluate(&format!("{AXE}; true")).await?;
    browser.evaluate(OPEN).await?;
    browser
        .until("document.querySelector('details.turn > [data-version] > a[data-more]') === null")
        .await?;
    for (index, width) in WIDTHS.into_iter().enumerate() {
        browser.resize(width, 900).await?;
        let theme = ["light", "dark"][(number + index) % 2];
        // Colours that are on their way to the other theme say nothing.
        let preferences = [
            ("prefers-color-scheme", theme),
            ("prefers-reduced-motion", "reduce"),
        ];
        browser.prefer(&preferences).await?;
        for script in [RUN, OVERFLOW, BROKEN, COLOUR_ALONE] {
            let found = browser.evaluate(script).await?;
            for fault in found.as_array().into_iter().flatten() {
                faults.push(format!("{width} {theme}: {fault}"));
            }
        }
    }
    let found = browser.evaluate(PLURALS).await?;
    let found = found.as_array().into_iter().flatten();
    faults.extend(found.map(Value::to_string));
    faults.extend(misnamed(browser).await?);
    Ok(faults)
}

#[tokio::test]
async fn axe_finds_nothing_on_any_page_and_all_pages_fit() -> Result<()> {
    let server = Server::start().await;
    let paths = scene::set(&server, &shop()).await;
    let mut browser = signed_in(&server, "/").await?;
    let mut found = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        browser.open(server.url.join(path)?.as_str()).await?;
        for fault in faults(&mut browser, number).await? {
            found.push(format!("{path} {fault}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_times_of_a_revoked_token_stand_beside_each_other() -> Result<()> {
    let server = Server::start().await;
    let token = TokenCreate {
        label: Some("used and revoked".into()),
        ..TokenCreate::default()
    };
    let token = server.client.token_create(&token).await.unwrap();
    Browser::sign_in(&server, token.secret.expose()).await;
    let revoke = TokenRevoke::default();
    let revoked = server.client.token_revoke(token.token.id.into(), &revoke);
    revoked.await.unwrap();
    let mut browser = signed_in(&server, "/settings").await?;
    for width in WIDTHS {
        browser.resize(width, 900).await?;
        // The longest of what a time says.
        browser
            .evaluate(
                "document.querySelectorAll('.token-row time').forEach((time) => { time.textContent = '44 min ago' })",
            )
            .await?;
        let found = browser.evaluate(OVERLAPS).await?;
        assert_eq!(found, json!([]), "{width}");
    }
    server.stop().await;
    Ok(())
}

#[tokio::test]
async fn nothing_moves_for_readers_who_prefer_that() -> Result<()> {
    let server = Server::start().await;
    let chat = create_chat(&server, None, "Split the payment step").await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    let moving = "[...document.querySelectorAll('*')].filter((element) => {
        const style = getComputedStyle(element);
        const lasts = (durations) => durations.split(', ').some((one) => parseFloat(one) > 0);
        return lasts(style.transitionDuration) || lasts(style.animationDuration) || style.scrollBehavior !== 'auto';
    }).length";
    for (preference, moves) in [("no-preference", true), ("reduce", false)] {
        browser
            .prefer(&[("prefers-reduced-motion", preference)])
            .await?;
        let moving = browser.evaluate(moving).await?.as_u64().unwrap();
        assert_eq!(moving > 0, moves, "{preference}: {moving}");
    }
    server.stop().await;
    Ok(())
}
