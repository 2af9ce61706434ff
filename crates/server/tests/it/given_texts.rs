//! The texts that turns had by their evidence, where the server has them.

use anyhow::Result;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::context::ContextMove;
use ctxpin_testing::databases::create_postgres_database;
use ctxpin_testing::workspace::Workspace;
use reqwest::StatusCode;

use crate::browser::{Browser, between, create_chat};
use crate::evidence::{Reader, result};
use crate::flows::signed_in;
use crate::pages::check_golden;
use crate::server::{Agent, Server};

const FILE: &str = "/srv/shop/AGENTS.md";

fn workspace(text: &str) -> Workspace {
    Workspace::with_agents_md("/srv/shop", text)
}

/// Makes a chat that was pinned to "Be kind." and is pinned to "Be quick.". Its workspace had "Be slow." since, and has
/// "Be brief." now.
async fn moved_chat(server: &Server) -> ChatId {
    let mut agent = Agent::create(server).await;
    agent.push(&workspace("Before.\nBe kind.\n")).await;
    let chat = create_chat(server, Some(agent.id), "Split the payment step").await;
    agent.push(&workspace("Before.\nBe quick.\n")).await;
    let refresh = ContextMove::default();
    let moved = server.client.context_move(chat, &refresh, None).await;
    moved.unwrap();
    for text in ["Before.\nBe slow.\n", "Before.\nBe brief.\n"] {
        agent.push(&workspace(text)).await;
    }
    chat
}

/// Returns the paths of the texts to which a page of a turn leads.
fn texts(page: &str) -> Vec<&str> {
    let links = page.split("<a href=\"").skip(1);
    let links = links.filter_map(|link| Some(link.split_once('"')?.0));
    links.filter(|link| link.contains("/texts/")).collect()
}

#[tokio::test]
async fn the_texts_of_turns_on_sqlite() {
    the_texts_of_turns(Server::start().await).await;
}

#[tokio::test]
async fn the_texts_of_turns_on_postgres() {
    the_texts_of_turns(Server::start_on(Some(create_postgres_database().await)).await).await;
}

async fn the_texts_of_turns(server: Server) {
    let chat = moved_chat(&server).await;
    // A text of another workspace is none of this chat.
    let mut other = Agent::create(&server).await;
    other.push(&workspace("A secret.\n")).await;
    let reader = Reader::new(&server).await;
    let had = |outcome, text: &str| result("instruction_file", FILE, outcome, text);
    let rows = vec![
        had("newer", "Before.\nBe slow.\n"),
        had("stale", "Before.\nBe kind.\n"),
        had("stale", "A secret.\n"),
        had("absent", "Before.\nBe quick.\n"),
    ];
    let turn = reader.turn(chat, "deviates", rows).await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let path = format!("/chats/{chat}/turns/{turn}");
    let page = browser.page(&path).await;
    let links = texts(&page);
    assert_eq!(links.len(), 2, "{page}");
    for words in [
        "that of pin 1",
        "that of head 3 of the workspace",
        "no pin and no head around the turn has it, so the server cannot show it",
    ] {
        assert_eq!(page.matches(words).count(), 1, "{words} in {page}");
    }
    for (text, link) in [("Be slow.", links[0]), ("Be kind.", links[1])] {
        let shown = browser.page(link).await;
        assert!(
            shown.contains(&format!("<pre>\nBefore.\n{text}")),
            "{shown}"
        );
        for form in ["rendered", "removed"] {
            let shown = browser.page(&format!("{link}?as={form}")).await;
            assert!(shown.contains(text), "{shown}");
        }
        for end in ["raw", "download"] {
            let file = browser.get(&format!("{link}/{end}")).send().await.unwrap();
            assert_eq!(file.text().await.unwrap(), format!("Before.\n{text}\n"));
        }
        // The script asks for parts of the diff.
        let part = format!("{link}?file={}&text=0", resource(link));
        let part = browser.get(&part).header("ctxpin-fragment", "true");
        let part = part.send().await.unwrap().text().await.unwrap();
        assert!(part.contains("<table"), "{part}");
    }
    check_golden("given-text", &browser.page(links[1]).await);

    // What the turn did not have, and what is not held, has no page.
    let missing = |text: &str| {
        let hash = BlobHash::of(text.as_bytes()).hex();
        format!("{path}/texts/{}/{hash}", resource(links[0]))
    };
    let beyond = format!("{path}/texts/{}/x", resource(links[0]));
    for path in [
        missing("A secret.\n"),
        missing("Before.\nBe brief.\n"),
        missing("Before.\nBe quick.\n"),
        links[0].replace(&format!("/turns/{turn}/"), "/turns/9/"),
        beyond,
    ] {
        for end in ["", "/raw", "/download"] {
            let answer = browser.get(&format!("{path}{end}")).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}{end}");
        }
    }

    // An auditor sees that the turn deviates, and no text.
    let auditor = Browser::of_user(&server, "auditor", &["auditor"], &["read"]).await;
    let seen = auditor.page(&path).await;
    assert!(seen.contains("stale") && texts(&seen).is_empty(), "{seen}");
    for end in ["", "/raw", "/download"] {
        let refused = auditor.get(&format!("{}{end}", links[0]));
        let refused = refused.header("accept", "text/html").send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        let refused = refused.text().await.unwrap();
        assert!(
            refused.contains("You may see that this changed, not what"),
            "{refused}"
        );
    }
    server.stop().await;
}

/// Returns the id of the resource in the path of a text.
fn resource(path: &str) -> &str {
    between(path, "/texts/", "/")
}

/// A text as it is pinned is one that the turn had, too.
#[tokio::test]
async fn the_text_of_a_turn_can_be_the_pinned_one() {
    let server = Server::start().await;
    let chat = moved_chat(&server).await;
    let reader = Reader::new(&server).await;
    let given = result("instruction_file", FILE, "given", "Before.\nBe quick.\n");
    let turn = reader.turn(chat, "as-pinned", vec![given]).await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let page = browser.page(&format!("/chats/{chat}/turns/{turn}")).await;
    let text = browser.page(texts(&page)[0]).await;
    assert!(
        text.contains("which has the same text") && text.contains("Be quick."),
        "{text}"
    );
    server.stop().await;
}

/// A task of the page: which text did the turn really get?
#[tokio::test]
async fn a_stranger_finds_the_text_that_a_turn_really_had() -> Result<()> {
    let server = Server::start().await;
    let chat = moved_chat(&server).await;
    let reader = Reader::new(&server).await;
    let stale = result("instruction_file", FILE, "stale", "Before.\nBe kind.\n");
    reader.turn(chat, "deviates", vec![stale]).await;
    let mut browser = signed_in(&server, &format!("/chats/{chat}")).await?;
    browser.follow(".head a.button").await?;
    browser.follow(".results a[href*='/texts/']").await?;
    browser
        .until("document.querySelector('.view pre').textContent.includes('Be kind.')")
        .await?;
    let differs =
        "['del', 'ins'].map((name) => document.querySelector(`.lines ${name}`).textContent).join()";
    assert_eq!(browser.evaluate(differs).await?, "quick,kind");
    browser.follow(".view a[href$='as=rendered']").await?;
    browser
        .until("document.querySelector('.prose').textContent.includes('Be kind.')")
        .await?;
    browser.follow("#text-title a").await?;
    browser
        .until("document.querySelector('.results') !== null")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}
