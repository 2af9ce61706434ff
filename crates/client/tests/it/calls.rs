//! Tests of the requests that a client sends.

use bytes::Bytes;
use ctxpin_client::{Client, Prompt};
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::{ChatCreate, ChatQuery};
use ctxpin_protocol::http::context::ContextMove;
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::http::push::{Facts, Push};
use url::Url;
use uuid::Uuid;

use crate::listener::{TOKEN, answer, listener};

const CHAT: &str = r#"{"id":"00000000-0000-0000-0000-000000000007","title":null,"agent_id":null,
"mode":"delivered","policy":"manual","tools":"live","archived":false,"created_at":"2026-01-02T03:04:05Z",
"updated_at":"2026-01-02T03:04:05Z","context":{"snapshot":null,"context_hash":null,"pinned_at":null,
"dirty":false,"dirty_since":null,"declined":false,"error":null}}"#;

fn chat() -> ChatId {
    Uuid::from_u128(7).into()
}

#[tokio::test]
async fn a_list_is_asked_for_with_token_and_query() {
    let (client, received) = listener(vec![answer(
        "200 OK",
        "",
        &format!(r#"{{"items":[{CHAT}],"next":"n"}}"#),
    )])
    .await;
    let query = ChatQuery {
        dirty: Some(true),
        reference: Some("a b&c".into()),
        limit: Some(3),
        ..ChatQuery::default()
    };
    let page = client.chats(&query).await.unwrap();
    assert_eq!((page.items.len(), page.next.as_deref()), (1, Some("n")));
    let received = received.await.unwrap();
    assert_eq!(
        received[0].line(),
        "get /api/v1/chats?dirty=true&limit=3&reference=a+b%26c"
    );
    assert_eq!(
        received[0].header("authorization"),
        Some(&*format!("bearer {TOKEN}"))
    );
}

#[tokio::test]
async fn a_chat_that_was_there_is_told_from_a_new_one() {
    let (client, received) = listener(vec![
        answer("201 Created", "", CHAT),
        answer("200 OK", "", CHAT),
    ])
    .await;
    assert!(
        client
            .chat_create(&ChatCreate::default())
            .await
            .unwrap()
            .is_new
    );
    assert!(
        !client
            .chat_create(&ChatCreate::default())
            .await
            .unwrap()
            .is_new
    );
    let received = received.await.unwrap();
    assert_eq!(received[0].body, b"{}");
    assert_eq!(received[0].header("content-type"), Some("application/json"));
    assert_eq!(received[0].header("content-encoding"), None);
}

#[tokio::test]
async fn names_in_paths_are_encoded() {
    let (client, received) = listener(vec![answer("200 OK", "", "bytes")]).await;
    let bytes = client
        .skill_file(chat(), "a/b", "dir/100% ü?#.md")
        .await
        .unwrap();
    assert_eq!(bytes, Bytes::from_static(b"bytes"));
    let received = received.await.unwrap();
    assert_eq!(
        received[0].line(),
        "get /api/v1/chats/00000000-0000-0000-0000-000000000007/skills/a%2fb/files/dir/100%25%20%c3%bc%3f%23.md"
    );
}

#[tokio::test]
async fn a_path_cannot_lead_elsewhere() {
    let (client, _received) = listener(vec![]).await;
    for path in ["../../../prompt", "a//b", ".", ""] {
        let error = client.skill_file(chat(), "s", path).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("the request cannot be sent: nothing"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_prompt_is_sent_once() {
    let (client, received) = listener(vec![
        answer(
            "200 OK",
            "etag: \"e\"\r\ncontent-type: text/markdown\r\n",
            "# Hello",
        ),
        answer("304 Not Modified", "etag: \"e\"\r\n", ""),
    ])
    .await;
    let first = client.prompt(chat(), None).await.unwrap();
    let Prompt::Bytes { bytes, etag } = first else {
        panic!("no prompt");
    };
    assert_eq!(bytes, Bytes::from_static(b"# Hello"));
    let again = client.prompt(chat(), etag.as_deref()).await.unwrap();
    assert_eq!(again, Prompt::Unchanged);
    let received = received.await.unwrap();
    assert_eq!(received[0].header("if-none-match"), None);
    assert_eq!(received[1].header("if-none-match"), Some("\"e\""));
}

#[tokio::test]
async fn a_move_can_be_conditional() {
    let context = r#"{"snapshot":null,"context_hash":null,"pinned_at":null,"dirty":false,"dirty_since":null,
"declined":false,"error":null,"head":null,"resources":[],"changes":[],"notices":null,"policy":"manual",
"tools_differ":false}"#;
    let (client, received) = listener(vec![answer("200 OK", "", context)]).await;
    let from = SnapshotId::of(b"");
    client
        .context_move(chat(), &ContextMove::default(), Some(from))
        .await
        .unwrap();
    let received = received.await.unwrap();
    assert!(received[0].line().starts_with("put "));
    assert_eq!(
        received[0].header("if-match"),
        Some(&*format!("\"{from}\""))
    );
    assert_eq!(received[0].body, b"{}");
}

#[tokio::test]
async fn a_large_push_is_compressed() {
    let done = r#"{"accepted":true,"snapshot":"s","seq":1,"hydrated":0}"#;
    let (client, received) = listener(vec![answer("200 OK", "", done)]).await;
    let push = Push {
        epoch: 1,
        version: 1,
        error: Some("long ".repeat(500)),
        mcp_settled: None,
        facts: Facts::default(),
        resources: vec![],
        notes: Vec::new(),
        blobs: Default::default(),
    };
    assert!(client.push(&push).await.unwrap().accepted);
    let received = received.await.unwrap();
    assert_eq!(received[0].line(), "put /api/v1/agent/context");
    assert_eq!(received[0].header("content-encoding"), Some("zstd"));
    let body = zstd::bulk::decompress(&received[0].body, 1 << 20).unwrap();
    assert_eq!(serde_json::from_slice::<Push>(&body).unwrap(), push);
}

#[tokio::test]
async fn an_agent_sends_its_epoch() {
    let refreshed = answer("200 OK", "", r#"{"refreshed":3,"observed":1}"#);
    let (client, received) = listener(vec![answer("204 No Content", "", ""), refreshed]).await;
    let bytes = Bytes::from_static(b"abc");
    client
        .blob_upload(5, BlobHash::of(&bytes), bytes.clone())
        .await
        .unwrap();
    assert_eq!(client.agent_refresh(5).await.unwrap().refreshed, 3);
    let received = received.await.unwrap();
    assert_eq!(received[0].header("ctxpin-epoch"), Some("5"));
    assert_eq!(
        received[0].header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(received[0].body, bytes);
    assert_eq!(received[1].header("ctxpin-epoch"), Some("5"));
}

#[tokio::test]
async fn a_probe_shows_no_token() {
    let (client, received) = listener(vec![answer("200 OK", "", "ok")]).await;
    client.readiness_check().await.unwrap();
    let received = received.await.unwrap();
    assert_eq!(received[0].line(), "get /readyz");
    assert_eq!(received[0].header("authorization"), None);
}

#[test]
fn a_server_has_an_address() {
    let check = |address: &str, reason: &str| {
        let error = Client::new(Url::parse(address).unwrap(), Secret::new(TOKEN)).unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with(reason), "{text}");
        assert!(!text.contains("hidden"), "{text}");
        assert!(!error.is_transient());
    };
    check("ftp://example.org", "begins with http:// or https://");
    check("localhost:7878", "begins with http:// or https://");
    check(
        "http://me:hidden@example.org",
        "no user or password; give the token separately",
    );
    check("http://example.org/?a=b", "it holds no query or fragment");
}

#[test]
fn a_client_does_not_show_its_token() {
    let server = Url::parse("http://127.0.0.1:1/below/").unwrap();
    let client = Client::new(server.clone(), Secret::new(TOKEN)).unwrap();
    assert_eq!(
        format!("{client:?}"),
        r#"Client { server: "http://127.0.0.1:1/below/", .. }"#
    );
    let error = Client::new(server, Secret::new("hidden\n")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hidden"));
}
