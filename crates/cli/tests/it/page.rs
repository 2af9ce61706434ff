//! The web page of `ctxpin up` in a real browser, beside a real agent.

use std::fs;

use ctxpin_browser::Chromium;

use crate::bench::Bench;

#[tokio::test]
async fn an_edit_on_disk_appears_on_the_open_page() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    bench.ok(&app, &["up", "--detach"]);
    let chat = bench.json(&app, &["chat", "show"]);
    let chat = chat["id"].as_str().unwrap();
    let link = bench.ok(&app, &["open", chat, "--print"]);
    let mut browser = Chromium::start().await.unwrap();
    let until = async |browser: &mut Chromium, expression: &str| {
        browser.until(expression).await.unwrap();
    };
    browser.open(link.trim()).await.unwrap();
    until(
        &mut browser,
        &format!("location.pathname === '/chats/{chat}' && location.hash === ''"),
    )
    .await;
    let live = "document.getElementById('stream').textContent === 'live'";
    until(&mut browser, live).await;
    let state = "document.querySelector('.state h2').textContent === 'Nothing waits'";
    until(&mut browser, state).await;

    fs::write(app.join("AGENTS.md"), "Be verbose.\n").unwrap();
    let news = "document.querySelector('#diff td.added')?.textContent === 'Be verbose.'";
    until(&mut browser, news).await;
    let sentence =
        "document.querySelector('.sentence').textContent.includes('The workspace has been ahead')";
    until(&mut browser, sentence).await;

    // The link signs in once.
    browser.open_tab().await.unwrap();
    browser.open(link.trim()).await.unwrap();
    let used = "document.getElementById('sign-in-note').textContent.startsWith('This link was used already')";
    until(&mut browser, used).await;
    browser.no_errors().unwrap();
}
