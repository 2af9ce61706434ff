//! The memory that callers can make the server use, by unfinished bodies and unread responses.

use std::time::Duration;

use bytes::Bytes;
use ctxpin_protocol::http::chats::ChatCreate;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_server::limits::Limits;
use ctxpin_testing::workspace::Workspace;
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Response};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::raw::{Answer, connect, dripped, head_with, read};
use crate::server::{Agent, SOON, Server, problem, with_connections};

const CHATS: &str = "/api/v1/chats";
const PUSH: &str = "/api/v1/agent/context";
const JSON: &str = "content-type: application/json\r\n";

/// Returns a client whose requests are streams of one HTTP/2 connection, with a small window for each.
fn http_2() -> Client {
    let client = Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(65_535)
        .http2_initial_connection_window_size(1 << 20);
    client.build().unwrap()
}

/// Sends `count` requests of a stranger on one connection, whose bodies begin with `bytes` bytes and never
/// end.
async fn endless(
    server: &Server,
    count: usize,
    bytes: usize,
) -> FuturesUnordered<impl Future<Output = Response> + use<>> {
    let client = http_2();
    // The connection is there before the requests are.
    let alive = client.get(server.url.join("/healthz").unwrap());
    alive.send().await.unwrap();
    let stranger = format!("Bearer ctxpin_{}_{}", "0".repeat(32), "ab".repeat(32));
    let requests = (0..count).map(|_| {
        let beginning = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b' '; bytes]))]);
        let body = reqwest::Body::wrap_stream(beginning.chain(stream::pending()));
        let request = client
            .post(server.url.join(CHATS).unwrap())
            .header(AUTHORIZATION, &stranger)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        async move { request.send().await.unwrap() }
    });
    requests.collect()
}

#[tokio::test]
async fn finding_04_a_strangers_bodies_are_not_kept() {
    let server = Server::start().await;
    let mut answers = endless(&server, 3, 20_000).await;
    while let Some(answer) = timeout(SOON, answers.next()).await.expect("at once") {
        assert_eq!(problem(answer).await.0, ProblemName::Unauthenticated);
    }
    // A connection may have a few short requests in progress. The server looks up the token of the next
    // one.
    let mut answers = endless(&server, 20, 1_000).await;
    for _ in 0..12 {
        let answer = timeout(SOON, answers.next()).await.expect("at once");
        let name = problem(answer.unwrap()).await.0;
        assert_eq!(name, ProblemName::Unauthenticated);
    }
    drop(answers);
    server.stop().await;
}

/// Begins a push of 12 MiB, and sends `bytes` bytes of it.
async fn push_begun(server: &Server, token: &str, bytes: usize) -> TcpStream {
    let mut stream = connect(server).await;
    let length = format!("{JSON}content-length: {}\r\n", 12 << 20);
    let head = head_with(token, "PUT", PUSH, &length);
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server does not read a refused request to the end.
    let _ = stream.write_all(&vec![b' '; bytes]).await;
    stream
}

async fn refused(server: &Server, token: &str, bytes: usize) -> Answer {
    read(&mut push_begun(server, token, bytes).await).await
}

#[tokio::test]
async fn finding_05_bodies_under_way_have_a_budget() {
    let server = Server::start_limited(Limits {
        held_by_token_max: 3_000_000,
        held_by_user_max: 4_000_000,
        ..Limits::default()
    })
    .await;
    // The server keeps no bytes of a caller who may not push.
    let (name, told) = refused(&server, &server.token, 0).await.problem();
    assert_eq!(name, ProblemName::Forbidden, "{told}");
    let (first, second) = (server.agent_token().await, server.agent_token().await);
    let (name, told) = refused(&server, &first, 3_500_000).await.problem();
    assert_eq!(name, ProblemName::Busy);
    assert!(told.detail.starts_with("This token holds"), "{told}");
    // The server counts no refused body any more, but all bodies in progress of one user.
    let mut begun = push_begun(&server, &first, 2_500_000).await;
    let (answer, (name, told)) = loop {
        // The server reads the begun body as it comes.
        let mut other = push_begun(&server, &second, 2_500_000).await;
        if let Ok(answer) = timeout(Duration::from_millis(100), read(&mut other)).await {
            let problem = answer.problem();
            // Perhaps the server has not dropped the previous one yet.
            if !problem.1.detail.starts_with("This token holds") {
                break (answer, problem);
            }
        }
        drop(other);
        // The first request of this loop may have been refused too.
        if timeout(Duration::from_millis(1), begun.readable())
            .await
            .is_ok()
        {
            begun = push_begun(&server, &first, 2_500_000).await;
        }
    };
    assert_eq!(name, ProblemName::Busy);
    assert!(told.detail.starts_with("You hold"), "{told}");
    assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    server.client.me().await.unwrap();
    drop(begun);
    server.stop().await;
}

#[tokio::test]
async fn finding_02_answers_that_nobody_takes_have_a_budget() {
    let server = Server::start_limited(Limits {
        held_by_token_max: 1_500_000,
        ..Limits::default()
    })
    .await;
    let mut agent = Agent::create(&server).await;
    let line = "A line that takes its place in the prompt.\n";
    let text = line.repeat(900_000 / line.len());
    agent.push(&Workspace::with_agents_md("/w", &text)).await;
    let request = ChatCreate {
        agent_id: Some(agent.id),
        ..ChatCreate::default()
    };
    let opened = server.client.chat_create(&request).await.unwrap();
    let chat = opened.chat.id;
    let client = http_2();
    let ask = || {
        let url = format!("/api/v1/chats/{chat}/prompt");
        let request = client.get(server.url.join(&url).unwrap());
        let request = request.header(AUTHORIZATION, format!("Bearer {}", server.token));
        async { request.send().await.unwrap() }
    };
    let unread = ask().await;
    assert_eq!(unread.status(), 200);
    assert_eq!(problem(ask().await).await.0, ProblemName::Busy);
    // Other callers get responses.
    server.client.me().await.unwrap();
    let mut taken = unread.bytes_stream();
    while taken.try_next().await.unwrap().is_some() {}
    let again = async {
        loop {
            match ask().await {
                answer if answer.status() == 200 => break,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    timeout(SOON, again)
        .await
        .expect("what was taken is held no more");
    server.stop().await;
}

#[tokio::test]
async fn what_came_quickly_is_not_held_for_somebody_who_drips() {
    let server = Server::start_limited(with_connections(ctxpin_listener::Limits {
        body_pause_max: Duration::from_millis(200),
        ..Default::default()
    }))
    .await;
    let token = server.agent_token().await;
    // At 8 KiB a second it would have a minute.
    let mut stream = push_begun(&server, &token, 500_000).await;
    assert_eq!(dripped(&server, &mut stream).await, "HTTP/1.1 408");
    server.stop().await;
}
