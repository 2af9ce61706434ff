//! The work that a stranger can cause: the server does not even read the body.

use std::io::Write as _;

use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::http::people::{TokenCreate, TokenRevoke};
use ctxpin_protocol::problem::ProblemName;
use tokio::io::AsyncWriteExt as _;

use crate::raw::{connect, head_with, read};
use crate::server::Server;

/// Returns the routes with a large body.
fn routes() -> [(&'static str, String, &'static str); 3] {
    let hash = BlobHash::of(b"something");
    let chat = "00000000-0000-0000-0000-000000000001";
    let json = "content-type: application/json\r\n";
    [
        ("PUT", "/api/v1/agent/context".into(), json),
        (
            "PUT",
            format!("/api/v1/agent/blobs/{hash}"),
            "ctxpin-epoch: 1\r\n",
        ),
        ("PUT", format!("/api/v1/chats/{chat}/context"), json),
    ]
}

/// Returns invalid tokens, among them a revoked one of the first user.
async fn strangers(server: &Server) -> Vec<String> {
    let revoked = server.client.token_create(&TokenCreate::default()).await;
    let revoked = revoked.unwrap();
    let id = revoked.token.id.into();
    server
        .client
        .token_revoke(id, &TokenRevoke::default())
        .await
        .unwrap();
    let mut wrong = server.token.clone();
    let last = wrong.pop().unwrap();
    wrong.push(if last == '0' { '1' } else { '0' });
    vec![
        format!("ctxpin_{}_{}", "0".repeat(32), "0".repeat(64)),
        wrong,
        revoked.secret.expose().to_owned(),
    ]
}

/// Sends a head and the beginning of a body, and reads the response while the rest is missing.
async fn asked(server: &Server, head: &str, beginning: &[u8]) -> ProblemName {
    let mut stream = connect(server).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(beginning).await.unwrap();
    read(&mut stream).await.problem().0
}

#[tokio::test]
async fn a_strangers_large_body_is_not_read() {
    let server = Server::start().await;
    for token in strangers(&server).await {
        for (method, path, more) in routes() {
            // The rest never comes, so a server that waits for it would not respond.
            let told = format!("{more}content-length: 65537\r\n");
            let head = head_with(&token, method, &path, &told);
            let name = asked(&server, &head, b"").await;
            assert_eq!(name, ProblemName::Unauthenticated, "{path}");

            let untold = format!("{more}transfer-encoding: chunked\r\n");
            let head = head_with(&token, method, &path, &untold);
            let chunk = [b"10001\r\n".as_slice(), &[b' '; 0x10001]].concat();
            let name = asked(&server, &head, &chunk).await;
            assert_eq!(name, ProblemName::Unauthenticated, "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_strangers_bomb_is_not_unpacked() {
    let server = Server::start().await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    // It is no JSON, but the server must not find out.
    packed.write_all(&vec![b'x'; 1 << 20]).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 2_000);
    let (method, path, more) = &routes()[0];
    let length = packed.len();
    let more = format!("{more}content-encoding: gzip\r\ncontent-length: {length}\r\n");
    for token in strangers(&server).await {
        let head = head_with(&token, method, path, &more);
        let name = asked(&server, &head, &packed).await;
        assert_eq!(name, ProblemName::Unauthenticated);
    }
    // A known caller learns what is wrong with the body.
    let head = head_with(&server.agent_token().await, method, path, &more);
    let name = asked(&server, &head, &packed).await;
    assert_eq!(name, ProblemName::MalformedRequest);
    server.stop().await;
}

#[tokio::test]
async fn no_token_at_all_is_told_before_anything_else() {
    let server = Server::start().await;
    for (method, path, more) in routes() {
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{more}content-length: 9999\r\n\r\n");
        let name = asked(&server, &head, b"").await;
        assert_eq!(name, ProblemName::Unauthenticated, "{path}");
    }
    server.stop().await;
}
