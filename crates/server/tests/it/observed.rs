//! Observed chats, as the API and the pages tell of them.

use ctxpin_client::error::ClientError;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::{Chat, ChatChange, ChatQuery, ChatStart};
use ctxpin_protocol::http::context::ContextMove;
use ctxpin_protocol::http::history::HistoryQuery;
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_testing::workspace::Workspace;

use crate::browser::{Browser, between, create_chat, create_observed, page_value};
use crate::pages::check_golden;
use crate::server::{Agent, Server};

fn edition(number: usize) -> Workspace {
    Workspace::with_agents_md("/w", &format!("# Rules\nEdition {number}.\n"))
}

async fn start(
    server: &Server,
    chat: ChatId,
    source: &str,
    head: Option<String>,
) -> Result<Chat, ClientError> {
    let source = source.to_owned();
    let start = ChatStart { source, head };
    server.client.chat_start(chat, &start).await
}

#[tokio::test]
async fn a_change_that_an_observed_chat_keeps_says_what_was_decided() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent
        .push(&edition(1).file("CLAUDE.md", "Be kind.\n"))
        .await;
    create_chat(&server, Some(agent.id), "Delivered").await;
    create_observed(&server, Some(agent.id), "Observed").await;
    agent
        .push(&edition(2).file("CLAUDE.md", "Be brief.\n"))
        .await;
    let inbox = browser.page("/").await;
    let path = between(&inbox, "class=\"row-link\" href=\"", "\"");
    let page = browser.page(path).await;
    let value = page_value(&page);
    let fields = [("move", "all"), ("shown", "change"), ("page", &*value)];
    let moves = browser.form(&format!("{path}/moves"), &fields);
    let taken = moves
        .header("ctxpin-fragment", "true")
        .send()
        .await
        .unwrap();
    let toast = taken.text().await.unwrap();
    let address = between(&toast, "data-address=\"", "\"").replace("&#38;", "&");
    // The page says it at each load, and leads to the next change.
    for _ in 0..2 {
        let page = browser.page(&address).await;
        assert!(page.contains("<b>Taken for 1 chat.</b>"), "{page}");
        assert!(page.contains(">Next: "), "{page}");
    }
    let made_up = browser.page(&format!("{path}?taken=7")).await;
    assert!(!made_up.contains("Taken for"), "{made_up}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_tells_of_its_sessions() {
    let server = Server::start().await;
    let client = &server.client;
    let mut agent = Agent::create(&server).await;
    let first = agent.push(&edition(1)).await.snapshot;
    let chat = create_observed(&server, Some(agent.id), "Split the payment step").await;
    let told = start(&server, chat, "startup", first.clone())
        .await
        .unwrap();
    assert_eq!(
        (told.mode.as_str(), &told.context.snapshot),
        ("observed", &first)
    );
    let second = agent.push(&edition(2)).await.snapshot;
    // The text of a refusal says what to do.
    let refused = client
        .context_move(chat, &ContextMove::default(), None)
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::ObservedChat));
    let problem = refused.problem().unwrap();
    assert_eq!(problem.status, 409);
    assert_eq!(
        problem.detail,
        "Its client reads the files itself, and the pin records what it read; it moves when the client reads them anew: when the session is resumed, or with its next prompt."
    );
    let follow = ChatChange {
        policy: Some("follow".into()),
        ..ChatChange::default()
    };
    let refused = client.chat_change(chat, &follow).await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::ObservedChat));
    let told = start(&server, chat, "resume", None).await.unwrap();
    assert_eq!(told.context.snapshot, second);
    let history = client
        .history(chat, &HistoryQuery::default())
        .await
        .unwrap();
    let rows: Vec<_> = history.items.iter().collect();
    let rows = rows
        .iter()
        .map(|row| (row.reason.as_str(), row.unconfirmed));
    let expected = [("observe", true), ("observe", false), ("create", false)];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
    let turn = client
        .turn_begin(chat, &TurnBegin::default())
        .await
        .unwrap();
    assert_eq!(turn.turn.delivery, "observed");
    for (source, head, member) in [
        ("sleep", None, "source"),
        ("resume", Some("sha256:ab".to_owned()), "head"),
    ] {
        let refused = start(&server, chat, source, head).await.unwrap_err();
        assert_eq!(refused.problem_name(), Some(ProblemName::InvalidRequest));
        assert!(refused.problem().unwrap().detail.contains(member));
    }
    create_chat(&server, Some(agent.id), "Another").await;
    let query = ChatQuery {
        mode: Some("observed".into()),
        ..ChatQuery::default()
    };
    let listed = client.chats(&query).await.unwrap().items;
    let listed: Vec<_> = listed.iter().map(|chat| chat.id).collect();
    assert_eq!(listed, [chat.uuid()]);
}

#[tokio::test]
async fn pages_offer_an_observed_chat_what_it_can_do() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition(1)).await;
    let chat = create_observed(&server, Some(agent.id), "Split the payment step").await;
    start(&server, chat, "startup", None).await.unwrap();
    let path = format!("/chats/{chat}");
    check_golden("observed-clean", &browser.page(&path).await);
    agent.push(&edition(2)).await;
    check_golden("observed-drifted", &browser.page(&path).await);
    check_golden(
        "observed-history",
        &browser.page(&format!("{path}/history")).await,
    );
    check_golden(
        "observed-settings",
        &browser.page(&format!("{path}/settings")).await,
    );
    check_golden(
        "observed-chats",
        &browser.page("/chats?show=observed").await,
    );
    let inbox = browser.page("/").await;
    check_golden("observed-changes", &inbox);
    let change = between(&inbox, "href=\"/changes/", "\"").to_owned();
    let of_change = format!("/changes/{change}");
    check_golden("observed-change", &browser.page(&of_change).await);
    // With a delivered chat that waits for the same, the change can be taken, and the observed one is left alone.
    let client = &server.client;
    agent.push(&edition(1)).await;
    let delivered = create_chat(&server, Some(agent.id), "Another").await;
    agent.push(&edition(2)).await;
    let inbox = browser.page("/").await;
    assert!(inbox.contains("2 chats, 1 observed, in"), "{inbox}");
    let page = page_value(&inbox);
    let taken = browser
        .form(&format!("{of_change}/moves"), &[("move", "all")])
        .header("ctxpin-page", &page)
        .header("ctxpin-fragment", "true");
    let taken = taken.send().await.unwrap().text().await.unwrap();
    let told =
        "1 observed chat left alone: its client takes that with the next prompt of its session.";
    assert!(taken.contains(told), "{taken}");
    assert!(!client.chat(delivered).await.unwrap().context.dirty);
    assert!(client.chat(chat).await.unwrap().context.dirty);
    // So is one that somebody has chosen.
    let list = browser.page("/chats").await;
    let choice = between(&list, &format!("value=\"{chat} "), "\"");
    let choice = format!("{chat} {choice}");
    for (path, verb) in [
        ("/chats/moves", "all"),
        (&*format!("{of_change}/moves"), "chosen"),
    ] {
        let taken = browser
            .form(path, &[("move", verb), ("chat", &choice)])
            .header("ctxpin-page", &page)
            .header("ctxpin-fragment", "true");
        let taken = taken.send().await.unwrap().text().await.unwrap();
        let told = format!("<p>Nothing was there to decide. {told}</p>");
        assert!(taken.contains(&told), "{path}: {taken}");
    }
    // A mode is chosen on the page.
    let fields = [
        ("page", page.as_str()),
        ("mode", "delivered"),
        ("policy", "follow"),
    ];
    browser.post(&path, &fields).await;
    let read = client.chat(chat).await.unwrap();
    assert_eq!(
        (read.mode.as_str(), read.policy.as_str()),
        ("delivered", "follow")
    );
    let fields = [
        ("page", page.as_str()),
        ("mode", "observed"),
        ("policy", "follow"),
    ];
    browser.post(&path, &fields).await;
    let read = client.chat(chat).await.unwrap();
    assert_eq!(
        (read.mode.as_str(), read.policy.as_str()),
        ("observed", "manual")
    );
}

#[tokio::test]
async fn the_page_of_a_fork_names_its_parent() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut chats = [
        create_observed(&server, None, "Split the payment step").await,
        create_observed(&server, None, "Split it otherwise").await,
    ];
    chats.sort_unstable();
    let [parent, fork] = chats;
    let told = ChatChange {
        parent_id: Some(parent.uuid()),
        ..ChatChange::default()
    };
    server.client.chat_change(fork, &told).await.unwrap();
    let page = browser.page(&format!("/chats/{fork}")).await;
    let id = parent.to_string();
    let short = &id[id.len() - 8..];
    let link = format!("child of <a href=\"/chats/{parent}\">chat {short}</a>");
    assert!(page.contains(&link), "{page}");
    let page = browser.page(&format!("/chats/{parent}")).await;
    assert!(!page.contains("child of"), "{page}");
    server.stop().await;
}
