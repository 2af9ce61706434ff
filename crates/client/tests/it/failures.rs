//! The errors for responses of other programs, and for missing responses.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use ctxpin_client::Client;
use ctxpin_client::error::ClientError;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::page::PageQuery;
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_testing::proofs::proof_answer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::listener::{TOKEN, answer, client, listener, receive};

async fn failure(answer: String) -> ClientError {
    let (client, _received) = listener(vec![answer]).await;
    let error = client.me().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(TOKEN));
    error
}

#[tokio::test]
async fn a_problem_is_told() {
    let error = failure(answer(
        "409 Conflict",
        "content-type: application/problem+json\r\n",
        r#"{"type":"urn:ctxpin:problem:missing-blobs","title":"Bytes are missing","status":409,
"detail":"Send them.","missing":["sha256:a"]}"#,
    ))
    .await;
    assert_eq!(error.problem_name(), Some(ProblemName::MissingBlobs));
    assert_eq!(*error.problem().unwrap().missing, ["sha256:a".to_owned()]);
    assert_eq!(error.to_string(), "Bytes are missing: Send them.");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_pause_is_transient_and_has_a_length() {
    let error = failure(answer(
        "503 Service Unavailable",
        "content-type: application/problem+json\r\nretry-after: 7\r\n",
        r#"{"type":"urn:ctxpin:problem:sync-paused","title":"t","status":200}"#,
    ))
    .await;
    assert_eq!(error.problem_name(), Some(ProblemName::SyncPaused));
    assert!(error.is_transient());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn another_program_is_told_from_a_server() {
    let html = "content-type: text/html\r\n";
    let check = async |status: &str, body: &str, expected: &str, is_transient: bool| {
        let error = failure(answer(status, html, body)).await;
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(text.ends_with("is it a ctxpin server?"), "{text}");
        assert_eq!(error.is_transient(), is_transient, "{status}");
    };
    check("200 OK", "<html>", "and no response of ctxpin's", false).await;
    check("404 Not Found", "<html>", "status 404", false).await;
    check("500 Internal Server Error", "", "status 500", false).await;
    check("502 Bad Gateway", "<html>", "status 502", true).await;
    check("429 Too Many Requests", "", "status 429", true).await;
}

#[tokio::test]
async fn case_b14_a_body_that_a_proxy_refuses_tells_what_to_change() {
    let html = answer(
        "413 Request Entity Too Large",
        "content-type: text/html\r\n",
        "<html>",
    );
    let (client, _received) = listener(vec![html]).await;
    let bytes = Bytes::from_static(b"0123456789");
    let upload = client.blob_upload(1, BlobHash::of(&bytes), bytes);
    let error = upload.await.unwrap_err();
    assert!(!error.is_transient());
    let text = error.to_string();
    assert!(text.contains("a body of 10 bytes"), "{text}");
    assert!(text.contains("client_max_body_size 12m"), "{text}");
}

/// A client calls a function while a response does not come.
#[tokio::test]
async fn case_b09_whoever_waits_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let (told, mut is_told) = tokio::sync::mpsc::channel(9);
    let client =
        client(&server).on_slow_response(Duration::ZERO, move || told.try_send(()).unwrap());
    let asking = tokio::spawn(async move { client.health_check().await });
    let (mut stream, _) = listener.accept().await.unwrap();
    receive(&mut stream).await;
    is_told.recv().await.unwrap();
    let answer = answer("200 OK", "", "");
    stream.write_all(answer.as_bytes()).await.unwrap();
    asking.await.unwrap().unwrap();
}

/// A call to a server that never responds ends.
#[tokio::test]
async fn case_b09_a_wait_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let client = client(&server);
    let asking = tokio::spawn(async move { client.health_check().await });
    let (mut stream, _) = listener.accept().await.unwrap();
    receive(&mut stream).await;
    let began = tokio::time::Instant::now();
    // From here on the clock advances whenever nothing else can run.
    tokio::time::pause();
    let error = asking.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("did not respond"), "{error}");
    assert!(began.elapsed() <= Duration::from_secs(61));
}

#[tokio::test]
async fn case_b12_a_token_that_is_refused_says_where_it_came_from() {
    let refusal = answer(
        "401 Unauthorized",
        "content-type: application/problem+json\r\n",
        r#"{"type":"urn:ctxpin:problem:unauthenticated","title":"t","status":401}"#,
    );
    let (client, _received) = listener(vec![refusal]).await;
    let error = client
        .with_token_origin("from a test")
        .me()
        .await
        .unwrap_err();
    assert_eq!(error.token_origin(), Some("from a test"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("http://{}/", elsewhere.local_addr().unwrap());
    let error = failure(answer(
        "307 Temporary Redirect",
        &format!("location: {location}\r\n"),
        "",
    ))
    .await;
    assert!(
        error
            .to_string()
            .contains(&format!("a redirect to {location}")),
        "{error}"
    );
    // A connection of the client would be accepted first.
    let probe = tokio::net::TcpStream::connect(elsewhere.local_addr().unwrap())
        .await
        .unwrap();
    let (_, from) = elsewhere.accept().await.unwrap();
    assert_eq!(from, probe.local_addr().unwrap());
}

#[tokio::test]
async fn a_server_that_is_not_there_says_what_to_do() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let error = client(&address).me().await.unwrap_err();
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        format!(
            "no ctxpin server runs at {address}; start one with `ctxpin up` or `ctxpin serve`, or name another with --server"
        )
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_transient() {
    let error = failure("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned()).await;
    assert!(error.is_transient());
    assert!(
        error.to_string().contains("broke off its response"),
        "{error}"
    );
    let error = failure(String::new()).await;
    assert!(error.is_transient());
}

/// A server that sends the proof, responds to the first request of a connection, and closes the connection
/// at the next one without a response.
#[derive(Default)]
struct Forgetful {
    /// The requests so far, and whether each got a response.
    received: Mutex<Vec<(String, bool)>>,
}

impl Forgetful {
    async fn start() -> (Client, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(&format!("http://{}", listener.local_addr().unwrap()));
        let server = Arc::new(Self::default());
        let serving = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let server = Arc::clone(&serving);
                tokio::spawn(async move {
                    let asked = receive(&mut stream).await;
                    let proof = proof_answer(&asked.head, TOKEN).expect("a proof comes first");
                    stream.write_all(proof.as_bytes()).await.unwrap();
                    let first = receive(&mut stream).await.line().to_owned();
                    server.received.lock().unwrap().push((first, true));
                    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    let second = receive(&mut stream).await.line().to_owned();
                    server.received.lock().unwrap().push((second, false));
                });
            }
        });
        (client, server)
    }

    /// Returns how many requests had this line, and how many of them got no response.
    fn counts(&self, line: &str) -> (usize, usize) {
        let received = self.received.lock().unwrap();
        let of_line = received.iter().filter(|(received, _)| received == line);
        let unanswered = of_line.clone().filter(|(_, is_answered)| !is_answered);
        (of_line.count(), unanswered.count())
    }
}

#[tokio::test]
async fn case_b01_a_repeatable_request_is_retried_when_a_kept_connection_ends() {
    let (client, server) = Forgetful::start().await;
    // A connection is kept for a moment after a response, and is soon used again.
    let mut asked = 0;
    let line = "get /api/v1/me";
    while server.counts(line).1 == 0 {
        let error = client.me().await.unwrap_err();
        assert!(matches!(error, ClientError::Unexpected { .. }), "{error}");
        asked += 1;
    }
    assert_eq!(server.counts(line), (asked + 1, 1));
    let hash = BlobHash::of(b"x");
    let line = format!("put /api/v1/agent/blobs/{hash}");
    while server.counts(&line).1 == 0 {
        let bytes = Bytes::from_static(b"x");
        client.blob_upload(1, hash, bytes).await.unwrap();
    }
}

#[tokio::test]
async fn case_b01_a_request_with_effects_is_sent_once() {
    let (client, server) = Forgetful::start().await;
    let chat = ChatId::from(Uuid::from_u128(7));
    let line = format!("post /api/v1/chats/{chat}/turns");
    let mut asked = 0;
    while server.counts(&line).1 == 0 {
        let turn = TurnBegin::default();
        let error = client.turn_begin(chat, &turn).await.unwrap_err();
        let is_cut = matches!(error, ClientError::Unreachable { .. });
        asked += 1;
        assert_eq!(is_cut, server.counts(&line).1 == 1, "{error}");
    }
    assert_eq!(server.counts(&line), (asked, 1));
}

#[tokio::test]
async fn finding_19_an_answer_that_is_too_long_is_left() {
    const MIB: usize = 1024 * 1024;
    let user = r#"{"id":"0192f0c1-1111-7abc-8def-0123456789ab","name":"ada","roles":[],"disabled":false,
"created_at":"2026-01-01T00:00:00Z"}"#;
    let page = |bytes: usize| {
        let users = vec![user; bytes / (user.len() + 1)].join(",");
        answer(
            "200 OK",
            "",
            &format!(r#"{{"items":[{users}],"next":null}}"#),
        )
    };
    let (client, _received) = listener(vec![page(15 * MIB), page(17 * MIB)]).await;
    assert!(client.users(&PageQuery::default()).await.is_ok());
    let error = client.users(&PageQuery::default()).await.unwrap_err();
    assert!(
        error.to_string().contains("and more than 16777216 bytes"),
        "{error}"
    );
    let (client, _received) = listener(vec![answer("200 OK", "", &" ".repeat(65 * MIB))]).await;
    let chat = ChatId::from(Uuid::from_u128(7));
    let error = client.context(chat).await.unwrap_err();
    assert!(
        error.to_string().contains("and more than 67108864 bytes"),
        "{error}"
    );
}
