//! Bodies that come slowly, stop, or come slowly and honestly.

use std::time::Duration;

use bytes::Bytes;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_server::limits::Limits;
use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::raw::{connect, dripped, head, read};
use crate::server::{SOON, Server, problem, with_connections};

const CHATS: &str = "/api/v1/chats";
const JSON: &str = "content-type: application/json\r\n";

/// A limit that is soon reached.
const SHORT: Duration = Duration::from_millis(50);

async fn impatient() -> Server {
    Server::start_limited(with_connections(ctxpin_listener::Limits {
        body_pause_max: SHORT,
        ..Default::default()
    }))
    .await
}

#[tokio::test]
async fn a_body_that_stops_is_not_waited_for() {
    let server = impatient().await;
    let length = "content-length: 100\r\n";
    let chunked = "transfer-encoding: chunked\r\n";
    for (framing, sent) in [
        (length, ""),
        (length, "{\"title\": \"half of i"),
        (chunked, ""),
        (chunked, "5\r\n{\"tit"),
        (chunked, "5\r\n{\"title\": \"half of it\r\n"),
    ] {
        let mut stream = connect(&server).await;
        let head = head(&server, "POST", CHATS, &format!("{JSON}{framing}"));
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let (name, told) = read(&mut stream).await.problem();
        let expected = match sent.starts_with("5\r\n{\"title") {
            // A malformed chunk is refused at once.
            true => ProblemName::MalformedRequest,
            false => ProblemName::RequestTimeout,
        };
        assert_eq!(name, expected, "{framing}{sent}: {told}");
        let mut rest = Vec::new();
        let ended = timeout(SOON, stream.read_to_end(&mut rest)).await;
        ended.expect("the connection ends").unwrap();
        assert_eq!(rest, b"");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_drips_is_not_waited_for() {
    let limits = with_connections(ctxpin_listener::Limits {
        body_pause_max: 4 * SHORT,
        // So fast that the sent bytes gain no time.
        body_rate_min: u64::MAX,
        ..Default::default()
    });
    let server = Server::start_limited(limits).await;
    let mut stream = connect(&server).await;
    let head = head(
        &server,
        "POST",
        CHATS,
        &format!("{JSON}content-length: 60000\r\n"),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(dripped(&server, &mut stream).await, "HTTP/1.1 408");
    server.stop().await;
}

#[tokio::test]
async fn a_body_of_http_2_that_stops_is_not_waited_for() {
    let server = impatient().await;
    let second = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let pieces = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{\"title\""))]);
    let body = reqwest::Body::wrap_stream(pieces.chain(stream::pending()));
    let request = server.json(Method::POST, CHATS, body).build().unwrap();
    let answer = timeout(SOON, second.execute(request)).await;
    let answer = answer.expect("an answer in time").unwrap();
    assert_eq!(problem(answer).await.0, ProblemName::RequestTimeout);
    server.stop().await;
}

#[tokio::test]
async fn an_honest_body_may_take_longer_than_any_other_request() {
    let limits = Limits {
        request_time_max: 20 * SHORT,
        ..with_connections(ctxpin_listener::Limits {
            body_rate_min: 1,
            ..Default::default()
        })
    };
    let server = Server::start_limited(limits).await;
    let mut stream = connect(&server).await;
    let body = br#"{"title": "slowly but surely, and longer than any other request"}"#;
    let length = format!("{JSON}content-length: {}\r\n", body.len());
    let head = head(&server, "POST", CHATS, &length);
    stream.write_all(head.as_bytes()).await.unwrap();
    let begun = Instant::now();
    let mut sent = 0;
    while sent < body.len() {
        // Another caller's round trip is the clock.
        server.client.health_check().await.unwrap();
        if begun.elapsed() > SHORT * u32::try_from(sent).unwrap() {
            stream.write_all(&body[sent..=sent]).await.unwrap();
            sent += 1;
        }
    }
    assert!(begun.elapsed() > 2 * limits.request_time_max);
    assert_eq!(read(&mut stream).await.status, 201);
    server.stop().await;
}
