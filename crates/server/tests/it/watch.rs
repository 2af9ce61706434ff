//! Watches: they report changes, and end with the server.

use std::collections::BTreeMap;

use ctxpin_client::{Client, Watch};
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::{Chat, ChatCreate};
use ctxpin_protocol::http::people::{TokenCreate, TokenRevoke};
use ctxpin_protocol::problem::ProblemName;
use ctxpin_protocol::watch::Event;
use ctxpin_testing::workspace::Workspace;
use futures_util::StreamExt as _;
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::raw::head;
use crate::server::{Agent, SOON, Server};

async fn next(watch: &mut Watch) -> Option<Event> {
    let event = timeout(SOON, watch.next()).await.expect("an event in time");
    event.map(|event| event.expect("a sound event"))
}

/// Waits for an event of a chat that satisfies a condition, and returns the chat.
async fn chat_that(watch: &mut Watch, holds: impl Fn(&ctxpin_protocol::http::chats::Chat) -> bool) {
    loop {
        match next(watch).await.expect("the watch goes on") {
            Event::Chat(chat) if holds(&chat) => return,
            _ => {}
        }
    }
}

async fn open_watches(server: &Server) -> String {
    let response = server.request(Method::GET, "/metrics").send().await;
    let text = response.unwrap().text().await.unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("ctxpin_watches "));
    line.unwrap().to_owned()
}

#[tokio::test]
async fn a_watch_tells_and_ends_with_the_server() {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    let first = Workspace::with_agents_md("/w", "one\n");
    agent.push(&first).await;
    let create = ChatCreate {
        agent_id: Some(agent.id),
        ..ChatCreate::default()
    };
    let chat = server.client.chat_create(&create).await.unwrap().chat;
    let mut own = server.client.watch().await.unwrap();
    let id = ChatId::from(chat.id);
    let mut one = server.client.chat_watch(id).await.unwrap();
    let Some(Event::Agent(told)) = next(&mut own).await else {
        panic!("the agents come first");
    };
    assert_eq!((told.id, told.head.unwrap().seq), (agent.id, 1));
    for watch in [&mut own, &mut one] {
        let told = next(watch).await;
        assert_eq!(told, Some(Event::Chat(Box::new(chat.clone()))));
        assert_eq!(next(watch).await, Some(Event::Ready));
    }
    assert_eq!(open_watches(&server).await, "ctxpin_watches 2");

    agent.push(&first.clone().file("AGENTS.md", "two\n")).await;
    for watch in [&mut own, &mut one] {
        chat_that(watch, |chat| chat.context.dirty).await;
    }
    agent.push(&first).await;
    for watch in [&mut own, &mut one] {
        chat_that(watch, |chat| !chat.context.dirty).await;
    }

    server.shutdown.cancel();
    for watch in [&mut own, &mut one] {
        let Some(Event::Closed(problem)) = next(watch).await else {
            panic!("it says that it ends");
        };
        assert_eq!(problem.name(), Some(ProblemName::Unavailable));
        assert_eq!(next(watch).await, None);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_watch_ends_with_its_chat_and_with_its_token() {
    let server = Server::start().await;
    let create = ChatCreate::default();
    let chat = server.client.chat_create(&create).await.unwrap().chat;
    let id = ChatId::from(chat.id);
    let mut watch = server.client.chat_watch(id).await.unwrap();
    assert!(matches!(next(&mut watch).await, Some(Event::Chat(_))));
    assert_eq!(next(&mut watch).await, Some(Event::Ready));
    server.client.chat_delete(id).await.unwrap();
    let Some(Event::Deleted(deleted)) = next(&mut watch).await else {
        panic!("it tells that the chat is gone");
    };
    assert_eq!(deleted.id, chat.id);
    assert_eq!(next(&mut watch).await, None);

    let token = TokenCreate::default();
    let token = server.client.token_create(&token).await.unwrap();
    let other = Client::new(server.url.clone(), token.secret).unwrap();
    let mut watch = other.watch().await.unwrap();
    assert_eq!(next(&mut watch).await, Some(Event::Ready));
    let token = token.token.id.into();
    server
        .client
        .token_revoke(token, &TokenRevoke::default())
        .await
        .unwrap();
    // A change makes the watch look again.
    server.client.chat_create(&create).await.unwrap();
    let Some(Event::Closed(problem)) = next(&mut watch).await else {
        panic!("it says why it ends");
    };
    assert_eq!(problem.name(), Some(ProblemName::Unauthenticated));
    assert_eq!(next(&mut watch).await, None);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_hold_up_the_end() {
    let server = Server::start().await;
    let second = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let mut unread = Vec::new();
    for http in [&server.http, &second] {
        let request = server.request(Method::GET, "/api/v1/watch").build();
        let response = http.execute(request.unwrap()).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(!response.headers().contains_key("content-encoding"));
        unread.push(response);
    }
    server.stop().await;
    drop(unread);
}

/// Returns the number of chats whose last event in a stream shows a drift.
fn dirty_at_last(told: &str) -> usize {
    let states = told.lines().filter_map(|line| line.strip_prefix("data: "));
    let mut chats = BTreeMap::new();
    for state in states.filter_map(|data| serde_json::from_str::<Chat>(data).ok()) {
        chats.insert(state.id, state.context.dirty);
    }
    assert_eq!(chats.len(), CHATS);
    chats.into_values().filter(|is_dirty| *is_dirty).count()
}

const CHATS: usize = 100;

#[tokio::test]
async fn a_watcher_that_does_not_read_holds_up_nobody() {
    const PUSHES: usize = 80;
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    let workspace = Workspace::with_agents_md("/w", "one\n");
    agent.push(&workspace).await;
    for _ in 0..CHATS {
        let create = ChatCreate {
            agent_id: Some(agent.id),
            title: Some("🦀".repeat(200)),
            ..ChatCreate::default()
        };
        server.client.chat_create(&create).await.unwrap();
    }
    // The buffers of the system for a watcher are small.
    let address = server.url.socket_addrs(|| None).unwrap()[0];
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut slow = socket.connect(address).await.unwrap();
    let request = head(&server, "GET", "/api/v1/watch", "");
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    read_until(&mut slow, &mut told, "event: ready").await;

    let mut quick = server.client.watch().await.unwrap();
    while next(&mut quick).await != Some(Event::Ready) {}
    for push in 1..=PUSHES {
        let is_dirty = push % 2 == 1;
        let text = if is_dirty { "two\n" } else { "one\n" };
        agent.push(&workspace.clone().file("AGENTS.md", text)).await;
        // The other watcher gets each of 8,000 changes as it happens.
        for _ in 0..CHATS {
            chat_that(&mut quick, |chat| chat.context.dirty == is_dirty).await;
        }
    }

    // When it reads on, it ends with the present state, and did not get every state in between.
    let create = ChatCreate {
        title: Some("the end".into()),
        ..ChatCreate::default()
    };
    let last = server.client.chat_create(&create).await.unwrap().chat;
    read_until(&mut slow, &mut told, &last.id.to_string()).await;
    let told = String::from_utf8_lossy(&told);
    let states = told.matches("event: chat").count();
    assert!(states < CHATS * PUSHES / 2, "{states} were kept for it");
    let (before, _) = told.rsplit_once("event: chat").unwrap();
    assert_eq!(dirty_at_last(before), 0);
    server.stop().await;
}

async fn read_until(stream: &mut TcpStream, told: &mut Vec<u8>, text: &str) {
    let mut seen = 0;
    while !String::from_utf8_lossy(&told[seen..]).contains(text) {
        seen = told.len().saturating_sub(text.len());
        let read = timeout(SOON, stream.read_buf(told)).await;
        assert!(read.expect("more in time").unwrap() > 0, "the watch ended");
    }
}
