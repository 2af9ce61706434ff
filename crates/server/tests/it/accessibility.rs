//! What axe (https://github.com/dequelabs/axe-core) finds on the pages, and whether they fit into a window.
//!
//! axe is kept in `tests/testdata/axe` as it was published, under the Mozilla Public License 2.0. No program
//! contains it.

use anyhow::Result;
use ctxpin_browser::Chromium;
use ctxpin_testing::workspace::Workspace;

use crate::browser::create_chat;
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
    for (index, width) in WIDTHS.into_iter().enumerate() {
        browser.resize(width, 900).await?;
        let theme = ["light", "dark"][(number + index) % 2];
        // Colours that are on their way to the other theme say nothing.
        let preferences = [
            ("prefers-color-scheme", theme),
            ("prefers-reduced-motion", "reduce"),
        ];
        browser.prefer(&preferences).await?;
        for script in [RUN, OVERFLOW] {
            let found = browser.evaluate(script).await?;
            for fault in found.as_array().into_iter().flatten() {
                faults.push(format!("{width} {theme}: {fault}"));
            }
        }
    }
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
