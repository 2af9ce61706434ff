//! A client sends a token to this machine only after the other end has proved to be the server.

use ctxpin_client::error::ClientError;
use ctxpin_client::{Client, PlainHttp};
use ctxpin_model::enrolment::EnrolmentCode;
use ctxpin_protocol::http::enrolment::AgentEnrol;
use ctxpin_protocol::http::people::Secret;
use ctxpin_testing::proofs::proof_answer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::listener::{Received, TOKEN, answer, client, receive};

const ME: &str = r#"{"user":{"id":"0192f0c1-1111-7abc-8def-0123456789ab","name":"ada","roles":[],
    "disabled":false,"created_at":"2026-01-01T00:00:00Z"},"token":null}"#;

/// Sends the same response to the first request of each connection, and returns the requests.
fn squatter(
    listener: TcpListener,
    answer: String,
    connections: usize,
) -> JoinHandle<Vec<Received>> {
    tokio::spawn(async move {
        let mut received = Vec::new();
        for _ in 0..connections {
            let (mut stream, _) = listener.accept().await.unwrap();
            received.push(receive(&mut stream).await);
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        received
    })
}

async fn unproven(client: &Client) -> String {
    let error = client.me().await.unwrap_err();
    assert!(matches!(error, ClientError::Unproven { .. }), "{error:?}");
    assert!(error.is_transient(), "the server may come back");
    let text = format!("{error} {error:?}");
    assert!(!text.contains("abab"), "{text}");
    error.to_string()
}

#[tokio::test]
async fn finding_08_who_proves_nothing_is_sent_no_token() {
    let problem = r#"{"type":"urn:ctxpin:problem:misdirected","title":"t","status":421,
"detail":"start it with `--public-url http://127.0.0.1:1`"}"#;
    let forged = format!(r#"{{"status":"ok","proof":"{}"}}"#, "0".repeat(64));
    for (answered, expected) in [
        (
            answer("200 OK", "", r#"{"status":"ok"}"#),
            "without a proof; update the server",
        ),
        (answer("200 OK", "", ME), "without a proof"),
        (
            answer("404 Not Found", "", "<html>"),
            "status 404 and without a proof",
        ),
        (answer("200 OK", "", &forged), "it does not know the token"),
        (
            answer("200 OK", "", r#"{"status":"ok","proof":""}"#),
            "without a proof",
        ),
        (
            answer("421 Misdirected", "", problem),
            "--public-url http://127.0.0.1:1",
        ),
        (
            answer("200 OK", "", &"x".repeat(70_000)),
            "more than 65536 bytes",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-le".to_owned(),
            "connection closed",
        ),
        (String::new(), "connection closed"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(&format!("http://{}", listener.local_addr().unwrap()));
        let received = squatter(listener, answered, 1);
        let text = unproven(&client).await;
        assert!(text.contains(expected), "{text}");
        for request in received.await.unwrap() {
            assert_eq!(request.header("authorization"), None);
            assert!(!request.head.contains("abab"), "{}", request.head);
            assert!(request.line().starts_with("get /readyz?token="));
        }
    }
}

/// The client requests the proof for a numeric address, since a name may have several.
#[tokio::test]
async fn finding_08_every_way_to_this_machine_is_proved() {
    for host in [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "a.localhost",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = client(&format!("http://{host}:{port}/below"));
        let received = squatter(listener, answer("200 OK", "", "{}"), 1);
        unproven(&client).await;
        let request = &received.await.unwrap()[0];
        assert_eq!(
            request.header("host"),
            Some(&*format!("127.0.0.1:{port}")),
            "{host}"
        );
        assert!(
            request.line().starts_with("get /below/readyz?token="),
            "{host}"
        );
    }
}

/// The server ends after its first response, and another process takes its port.
#[tokio::test]
async fn finding_08_a_port_that_changed_hands_between_two_requests() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = client(&format!("http://{address}"));
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..2 {
            let request = receive(&mut stream).await;
            let text = proof_answer(&request.head, TOKEN).unwrap_or_else(|| {
                assert!(request.header("authorization").is_some());
                answer("200 OK", "", "{}").replace("connection: close\r\n", "")
            });
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        drop(listener);
        stream
    });
    let first = client.me().await.unwrap_err();
    assert!(matches!(first, ClientError::Unexpected { .. }), "{first}");
    let kept_open = served.await.unwrap();
    let listener = TcpListener::bind(address).await;
    drop(kept_open);
    let listener = match listener {
        Ok(listener) => listener,
        // Some systems free the port only when its last connection has ended.
        Err(_) => TcpListener::bind(address).await.unwrap(),
    };
    let received = squatter(listener, answer("200 OK", "", r#"{"status":"ok"}"#), 2);
    // The first request may still find the connection that broke.
    let mut failures = Vec::new();
    while !received.is_finished() {
        failures.push(client.me().await.unwrap_err());
    }
    let is_unproven = |error: &ClientError| matches!(error, ClientError::Unproven { .. });
    assert!(failures.iter().any(is_unproven), "{failures:?}");
    for request in received.await.unwrap() {
        assert_eq!(request.header("authorization"), None, "{}", request.head);
    }
}

/// A server whose database is down cannot look up the token. It is not said to be a false one.
#[tokio::test]
async fn a_server_that_cannot_look_up_the_token_is_asked_again_later() {
    let problem = r#"{"type":"urn:ctxpin:problem:unavailable","title":"the server cannot answer now","status":503,
"detail":"the database is not available"}"#;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let received = squatter(listener, answer("503 Service Unavailable", "", problem), 1);
    let error = client.me().await.unwrap_err();
    assert!(
        matches!(error, ClientError::ProofDelayed { .. }),
        "{error:?}"
    );
    assert!(error.is_transient() && error.token_origin().is_none());
    let text = error.to_string();
    assert!(text.contains("cannot prove now"), "{text}");
    assert!(text.ends_with("the database is not available"), "{text}");
    for request in received.await.unwrap() {
        assert_eq!(request.header("authorization"), None);
    }
}

#[tokio::test]
async fn finding_08_what_is_no_token_is_sent_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::new(server.parse().unwrap(), Secret::new("hidden")).unwrap();
    let accepted = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut sent = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut sent)
            .await
            .unwrap();
        sent
    });
    let error = client.me().await.unwrap_err();
    assert!(
        matches!(error, ClientError::MalformedToken { .. }),
        "{error:?}"
    );
    assert!(!error.is_transient() && !format!("{error:?}").contains("hidden"));
    assert!(accepted.await.unwrap().is_empty());
}

/// The client has no token yet, and the other end must know the code.
#[tokio::test]
async fn who_does_not_know_the_code_is_not_sent_it() {
    let code = EnrolmentCode::new([0xab; 10]);
    let forged = format!(r#"{{"status":"ok","proof":"{}"}}"#, "0".repeat(64));
    for (body, expected) in [
        (forged.as_str(), "does not know this enrolment code"),
        (r#"{"status":"ok"}"#, "without a proof"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let received = squatter(listener, answer("200 OK", "", body), 1);
        let client = Client::enrolling(server.parse().unwrap(), &code, PlainHttp::Refused);
        let enrol = AgentEnrol {
            profile: None,
            code: Secret::new(code.reveal()),
            secret_hash: format!("sha256:{}", "0".repeat(64)),
        };
        let error = client.unwrap().agent_enrol(&enrol).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        for request in received.await.unwrap() {
            assert_eq!(request.header("authorization"), None);
            assert!(request.line().starts_with("get /readyz?token="));
            let sent = format!("{} {:?}", request.head, request.body).to_uppercase();
            assert!(!sent.contains(&code.reveal()), "{sent}");
        }
    }
}
