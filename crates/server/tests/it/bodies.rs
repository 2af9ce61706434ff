//! Bodies: compressed, malformed, too long, of the wrong kind.

use bytes::Bytes;
use ctxpin_protocol::http::chats::Chat;
use ctxpin_protocol::problem::ProblemName;
use futures_util::stream;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Method, StatusCode};

use crate::server::{Agent, Server, problem};

const CHATS: &str = "/api/v1/chats";

/// The output of `gzip` for `{"title":"zipped"}`.
const GZIPPED: &str =
    "1f8b0800000000000203ab562ac92cc94955b252aaca2c28484d51aa050069ab135712000000";

fn decode(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

#[tokio::test]
async fn compressed_bodies() {
    let server = Server::start().await;
    for (encoding, body) in [
        ("gzip", decode(GZIPPED)),
        ("zstd", zstd(br#"{"title":"zipped"}"#)),
        ("identity", br#"{"title":"zipped"}"#.to_vec()),
    ] {
        let request = server.json(Method::POST, CHATS, body);
        let response = request.header(CONTENT_ENCODING, encoding).send().await;
        let response = response.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED, "{encoding}");
        let chat: Chat = response.json().await.unwrap();
        assert_eq!(chat.title.as_deref(), Some("zipped"));
    }
    for (encoding, body, expected) in [
        ("br", "{}", ProblemName::UnsupportedMediaType),
        ("gzip, zstd", "{}", ProblemName::UnsupportedMediaType),
        ("zstd", "{}", ProblemName::MalformedRequest),
        ("gzip", "{}", ProblemName::MalformedRequest),
    ] {
        let request = server.json(Method::POST, CHATS, body);
        let response = request.header(CONTENT_ENCODING, encoding).send().await;
        assert_eq!(problem(response.unwrap()).await.0, expected, "{encoding}");
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_are_too_long() {
    const MOST: usize = 64 * 1024;
    let server = Server::start().await;
    let titled = |bytes: usize| {
        let frame = r#"{"title":""}"#.len();
        format!(r#"{{"title":"{}"}}"#, "a".repeat(bytes - frame))
    };
    let fits = server.json(Method::POST, CHATS, titled(MOST)).send().await;
    // It is the title that is too long now.
    assert_eq!(problem(fits.unwrap()).await.0, ProblemName::InvalidRequest);
    let told = server.json(Method::POST, CHATS, titled(MOST + 1));
    let pieces = stream::iter(
        titled(MOST + 1)
            .into_bytes()
            .chunks(1024)
            .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
            .collect::<Vec<_>>(),
    );
    let untold = server.json(Method::POST, CHATS, reqwest::Body::wrap_stream(pieces));
    let bomb = server
        .json(Method::POST, CHATS, zstd(titled(64 * MOST).as_bytes()))
        .header(CONTENT_ENCODING, "zstd");
    for request in [told, untold, bomb] {
        let (name, problem) = problem(request.send().await.unwrap()).await;
        assert_eq!(name, ProblemName::TooLarge);
        assert!(problem.detail.contains("65536 bytes"), "{}", problem.detail);
    }
    let token = server.agent_token().await;
    let long = server.push(&token, "x".repeat(13 << 20));
    let response = long.send().await.unwrap();
    assert_eq!(problem(response).await.0, ProblemName::TooLarge);
    // A push may be much longer than other bodies.
    let push = format!(r#"{{"epoch":{}"#, " ".repeat(64 * MOST));
    let long = server.push(&token, push);
    let response = long.send().await.unwrap();
    assert_eq!(problem(response).await.0, ProblemName::MalformedRequest);
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let server = Server::start().await;
    for (body, expected, detail) in [
        (
            r#"{"title": s3cret}"#,
            ProblemName::MalformedRequest,
            "The body is not JSON: expected value, at line 1, column 11.",
        ),
        (
            r#"{"titel": "s3cret"}"#,
            ProblemName::InvalidRequest,
            "The body is not valid: unknown field `titel`, expected one of",
        ),
        (
            r#"{"title": 7}"#,
            ProblemName::InvalidRequest,
            "The body is not valid: invalid type: integer, expected a string",
        ),
        (
            r#"{"title": ""}"#,
            ProblemName::InvalidRequest,
            "`title`: it must not be empty",
        ),
        (
            r#"{"policy": "sometimes"}"#,
            ProblemName::InvalidRequest,
            "`policy`: `sometimes` is not one of manual, additive, follow",
        ),
        (
            r#"{"reference": "r"}"#,
            ProblemName::InvalidRequest,
            "A `reference` is a client's own name",
        ),
        ("", ProblemName::MalformedRequest, "The body is empty;"),
    ] {
        let response = server.json(Method::POST, CHATS, body).send().await;
        let (name, problem) = problem(response.unwrap()).await;
        assert_eq!(name, expected, "{body}");
        assert!(problem.detail.starts_with(detail), "{}", problem.detail);
        assert!(!problem.detail.contains("s3cret"), "{}", problem.detail);
    }
    for content_type in ["text/plain", "application/jsonp", "multipart/form-data"] {
        let request = server.request(Method::POST, CHATS).body("{}");
        let response = request.header(CONTENT_TYPE, content_type).send().await;
        let (name, _) = problem(response.unwrap()).await;
        assert_eq!(name, ProblemName::UnsupportedMediaType, "{content_type}");
    }
    server.stop().await;
}

#[tokio::test]
async fn uploads_and_what_they_must_bring() {
    let server = Server::start().await;
    let agent = Agent::create(&server).await;
    let bytes: Bytes = "x".repeat(300 * 1024).into();
    let hash = ctxpin_model::hash::BlobHash::of(&bytes);
    let other = ctxpin_model::hash::BlobHash::of(b"other");
    agent
        .client
        .blob_upload(agent.epoch, hash, bytes.clone())
        .await
        .unwrap();
    let upload = agent.client.blob_upload(agent.epoch, other, bytes.clone());
    let refused = upload.await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::HashMismatch));
    let upload = agent.client.blob_upload(agent.epoch + 1, hash, bytes);
    let refused = upload.await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::Fenced));
    let long: Bytes = "x".repeat(1100 * 1024).into();
    let hash = ctxpin_model::hash::BlobHash::of(&long);
    let upload = agent.client.blob_upload(agent.epoch, hash, long);
    let refused = upload.await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::TooLarge));
    let path = format!("/api/v1/agent/blobs/{hash}");
    let response = server.request(Method::PUT, &path).body("x").send().await;
    let (name, told) = problem(response.unwrap()).await;
    assert_eq!(name, ProblemName::InvalidRequest);
    assert_eq!(told.members["member"], "ctxpin-epoch");
    server.stop().await;
}
