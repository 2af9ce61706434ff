//! Hostile requests: each gets the right problem, and the server continues.

use std::io::Write as _;

use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::http::chats::ChatCreate;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_server::routes::document;
use ctxpin_testing::databases::create_postgres_database;
use ctxpin_testing::workspace::Workspace;
use reqwest::{Method, StatusCode};
use tokio::io::AsyncWriteExt as _;

use crate::raw::{connect, head, read, send};
use crate::server::{Agent, Server, problem};

const CHATS: &str = "/api/v1/chats";
const PUSH: &str = "/api/v1/agent/context";
const JSON: &str = "content-type: application/json\r\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8], window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(window_log).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Sends a JSON body with that compression and returns the problem of the response.
async fn sent(server: &Server, path: &str, encoding: &str, body: Vec<u8>) -> ProblemName {
    let request = match path {
        PUSH => server.push(&server.agent_token().await, body),
        _ => server.json(Method::POST, path, body),
    };
    let response = request.header("content-encoding", encoding).send().await;
    problem(response.unwrap()).await.0
}

#[tokio::test]
async fn bodies_that_grow() {
    let server = Server::start().await;
    let (malformed, large) = (ProblemName::MalformedRequest, ProblemName::TooLarge);
    let kind = ProblemName::UnsupportedMediaType;
    let spaces = vec![b' '; 64 << 20];
    let bomb = gzip(&spaces);
    for path in [CHATS, PUSH] {
        for (encoding, body, expected) in [
            ("gzip", bomb.clone(), large),
            ("zstd", zstd(&spaces, 20), large),
            // A window beyond what HTTP allows, which is reserved before there is any text.
            ("zstd", zstd(&spaces[..10 << 20], 27), malformed),
            ("zstd", zstd(b"{}", 20)[..8].to_vec(), malformed),
            // Many small ones, one after the other.
            ("gzip", gzip(&spaces[..8 << 20]).repeat(2), large),
            ("zstd", zstd(&spaces[..8 << 20], 20).repeat(2), large),
            ("gzip", [gzip(b"{}"), b"{}".to_vec()].concat(), malformed),
            // One compression within the other: the inner one is the body, and no JSON.
            ("gzip", gzip(&bomb), malformed),
            ("gzip", gzip(&gzip(b"{}")), malformed),
            ("gzip, gzip", gzip(&gzip(b"{}")), kind),
            ("zstd, gzip", gzip(b"{}"), kind),
            ("deflate", b"{}".to_vec(), kind),
            ("gzip", Vec::new(), malformed),
            ("zstd", b"\x28\xb5\x2f\xfd\0\xff".to_vec(), malformed),
        ] {
            let length = body.len();
            let found = sent(&server, path, encoding, body).await;
            assert_eq!(found, expected, "{path} {encoding}, {length} bytes");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn lengths_that_lie() {
    let server = Server::start().await;
    let with = |more: &str, body: &str| {
        let head = head(&server, "POST", CHATS, &format!("{JSON}{more}"));
        [head.as_bytes(), body.as_bytes()].concat()
    };
    // Bytes that cannot be framed are no request. The server refuses them before it has a response
    // to give.
    for more in [
        "content-length: -1\r\n",
        "content-length: 2, 3\r\n",
        "content-length: 2\r\ncontent-length: 3\r\n",
        "content-length: 99999999999999999999999\r\n",
        "content-length: 0x2\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked, gzip\r\n",
    ] {
        let answer = send(&server, &with(more, "{}")).await;
        assert_eq!(answer.status, 400, "{more}: {answer:?}");
        assert!(answer.body.is_empty());
    }
    // A length that is shorter than the body leaves a second request that is none.
    let answer = send(&server, &with("content-length: 1\r\n", "{}")).await;
    assert_eq!(answer.problem().0, ProblemName::MalformedRequest);
    let chunked = "transfer-encoding: chunked\r\n";
    for (body, expected) in [
        ("zz\r\n{}\r\n0\r\n\r\n", ProblemName::MalformedRequest),
        ("ffffffffffffffffff\r\n{}", ProblemName::MalformedRequest),
        ("2\r\n{}XX0\r\n\r\n", ProblemName::MalformedRequest),
    ] {
        let answer = send(&server, &with(chunked, body)).await;
        assert_eq!(answer.problem().0, expected, "{body:?}");
    }
    // More than the limit, in chunks that do not announce it.
    let mut long = with(chunked, "");
    for _ in 0..65 {
        long.extend(b"400\r\n");
        long.extend([b' '; 0x400]);
        long.extend(b"\r\n");
    }
    let answer = send(&server, &long).await;
    assert_eq!(answer.problem().0, ProblemName::TooLarge);
    // The extension of a chunk must not go on for ever.
    let endless = with(chunked, &format!("2;{}", "a".repeat(1 << 20)));
    let answer = send(&server, &endless).await;
    assert_eq!(answer.problem().0, ProblemName::MalformedRequest);
    server.client.health_check().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn json_that_is_large_in_memory() {
    let server = Server::start().await;
    let (malformed, large) = (ProblemName::MalformedRequest, ProblemName::TooLarge);
    let invalid = ProblemName::InvalidRequest;
    let push = |resources: String| {
        format!(r#"{{"epoch":1,"version":1,"facts":{{}},"resources":[{resources}]}}"#)
    };
    let schema = |schema: String| {
        push(format!(
            r#"{{"kind":"mcp_server","source":"s","status":"ok","size_bytes":1,"tools":[{{"name":"t","input_schema":{{"a":{schema}}}}}]}}"#
        ))
    };
    let token = server.agent_token().await;
    let million_members: Vec<String> = (0..1_000_000).map(|n| format!(r#""{n}":0"#)).collect();
    for (body, expected) in [
        (schema("[".repeat(1 << 20)), large),
        (schema("[".repeat(100_000)), malformed),
        (schema(format!("[{}0]", "0,".repeat(3_000_000))), large),
        (schema(format!("{{{}}}", million_members.join(","))), large),
        (push("{},".repeat(1_000_000)), large),
        (push(format!("[{}]", "[],".repeat(100_000))), invalid),
        (schema("9".repeat(1 << 20)), malformed),
        (schema("1e999999999".into()), malformed),
        (schema(format!("\"{}", "\\".repeat(1 << 20))), malformed),
        (schema(format!("\"{}\"", "\\ud800".repeat(9))), malformed),
        (format!(r#"{{"epoch":{}}}"#, "9".repeat(400)), malformed),
        (r#"{"epoch":1e400}"#.into(), malformed),
        (r#"{"epoch":9223372036854775808}"#.into(), invalid),
        (r#"{"epoch":1.5}"#.into(), invalid),
        (format!(r#"{{"{}":1}}"#, "a".repeat(1 << 20)), invalid),
        (r#"{"epoch":1,"epoch":1}"#.into(), invalid),
        ("\u{0}".into(), malformed),
        ("nul".into(), malformed),
    ] {
        let begun = body[..body.len().min(160)].to_owned();
        let response = server.push(&token, body).send().await.unwrap();
        let (name, told) = problem(response).await;
        assert_eq!(name, expected, "{begun}: {told}");
        assert!(told.detail.len() < 1_000, "{}", told.detail);
    }
    let response = server.push(&token, vec![0xff; 9]).send().await;
    assert_eq!(problem(response.unwrap()).await.0, malformed);
    server.stop().await;
}

#[tokio::test]
async fn heads_that_are_too_large() {
    let server = Server::start().await;
    let with = |path: &str, more: &str| head(&server, "GET", path, more).into_bytes();
    let long = "a".repeat(15_000);
    // As long as it can be read, it is a request like any other.
    let answer = send(&server, &with(CHATS, &format!("a: {long}\r\n"))).await;
    assert_eq!(answer.status, 200);
    let answer = send(&server, &with(&format!("/{long}"), "")).await;
    assert_eq!(answer.problem().0, ProblemName::NotFound);
    let answer = send(&server, &with(&format!("{CHATS}?client={long}"), "")).await;
    assert!(matches!(answer.status, 200 | 422), "{answer:?}");
    // Past that there is no request, and so no problem of ours.
    let longer = "a".repeat(20_000);
    for (bytes, status) in [
        (with(CHATS, &format!("a: {longer}\r\n")), 431),
        (with(CHATS, &"a: b\r\n".repeat(200)), 431),
        (with(&format!("/{longer}"), ""), 431),
        (with(CHATS, "a b: c\r\n"), 400),
        (with(CHATS, "a: b\0c\r\n"), 400),
        (with(CHATS, " a: folded\r\n"), 400),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), 400),
        (b"\0\0\0\0\r\n\r\n".to_vec(), 400),
    ] {
        let answer = send(&server, &bytes).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.is_empty());
    }
    // An unexpected body is no second request.
    let mut stream = connect(&server).await;
    let with_body = [with(CHATS, "content-length: 5\r\n"), b"GET /".to_vec()].concat();
    stream.write_all(&with_body).await.unwrap();
    assert_eq!(read(&mut stream).await.status, 200);
    stream.write_all(b" x HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut stream).await.status, 400);
    server.stop().await;
}

/// Hostile segments of a path.
const SEGMENTS: [&str; 16] = [
    "..",
    ".",
    "%2e%2e",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cboot.ini",
    "%2f",
    "a%2fb",
    "%00",
    "a%00b",
    "%ff%fe",
    "%",
    "%zz",
    "%0d%0aset-cookie:%20a=b",
    "%e2%80%ae",
    "'%20or%20'1'='1",
    "%252e%252e",
];

#[tokio::test]
async fn segments_that_mean_harm() {
    for database in [None, Some(create_postgres_database().await)] {
        let server = Server::start_with(|settings| settings.database = database).await;
        let mut agent = Agent::create(&server).await;
        let workspace =
            Workspace::with_agents_md("/w", "one\n").skill("pdf", "Reads.", &[("a", "a")]);
        agent.push(&workspace).await;
        let create = ChatCreate {
            agent_id: Some(agent.id),
            ..ChatCreate::default()
        };
        let chat = server.client.chat_create(&create).await.unwrap().chat.id;
        let known = |name: &str| match name {
            "{chat}" => chat.to_string(),
            "{agent}" => agent.id.to_string(),
            "{name}" => "pdf".into(),
            "{hash}" => BlobHash::of(b"a").to_string(),
            "{path}" => "a".into(),
            other => other.trim_matches(['{', '}']).to_owned(),
        };
        let long = "a".repeat(8_000);
        let mut tried = 0;
        let document = serde_json::to_value(document()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            let parts: Vec<&str> = path.split('/').collect();
            let places = (0..parts.len()).filter(|at| parts[*at].starts_with('{'));
            for (place, method) in places.flat_map(|at| {
                let methods = item.as_object().unwrap().keys();
                methods.map(move |method| (at, method.to_uppercase()))
            }) {
                for harm in SEGMENTS.iter().copied().chain([long.as_str()]) {
                    let parts = parts.iter().enumerate().map(|(at, part)| {
                        match (at == place, part.starts_with('{')) {
                            (true, _) => harm.to_owned(),
                            (false, true) => known(part),
                            (false, false) => (*part).to_owned(),
                        }
                    });
                    let path = parts.collect::<Vec<_>>().join("/");
                    let more = format!("{JSON}ctxpin-epoch: 1\r\ncontent-length: 2\r\n");
                    let head = head(&server, &method, &path, &more);
                    let answer = send(&server, format!("{head}{{}}").as_bytes()).await;
                    let (name, _) = answer.problem();
                    assert!(
                        matches!(
                            name,
                            ProblemName::NotFound
                                | ProblemName::InvalidRequest
                                | ProblemName::Forbidden
                        ),
                        "{method} {path}: {name:?}"
                    );
                    assert!(!answer.head.contains("set-cookie"), "{}", answer.head);
                    tried += 1;
                }
            }
        }
        assert!(tried > 400, "{tried}");
        server.stop().await;
    }
}

#[tokio::test]
async fn values_that_mean_harm() {
    for database in [None, Some(create_postgres_database().await)] {
        let server = Server::start_with(|settings| settings.database = database).await;
        for query in [
            "client=%00",
            "reference=%00",
            "client=%ff",
            "client=a&client=b",
            "agent=..",
            "agent=%00",
            "cursor=%00",
            "cursor=-1",
            "limit=-1",
            "limit=1e9",
            "limit=99999999999999999999",
            "limit=0x10",
            "dirty=maybe",
            "unheard=of",
            "%00=%00",
            "=&&&=",
        ] {
            for list in [CHATS, "/api/v1/agents", "/api/v1/tokens", "/api/v1/audit"] {
                let path = format!("{list}?{query}");
                let answer = send(&server, head(&server, "GET", &path, "").as_bytes()).await;
                if answer.status != 200 {
                    assert_eq!(answer.problem().0, ProblemName::InvalidRequest, "{path}");
                }
            }
        }
        for (path, member) in [
            (CHATS, "title"),
            (CHATS, "client"),
            ("/api/v1/agents", "workspace"),
            ("/api/v1/users", "name"),
            ("/api/v1/tokens", "label"),
        ] {
            for value in [r"a\u0000b", r"\ud83d", r"\uffff\u202e", &"é".repeat(9_000)] {
                let body = format!(r#"{{"{member}":"{value}"}}"#);
                let response = server.json(Method::POST, path, body).send().await.unwrap();
                if response.status() != StatusCode::CREATED {
                    let (name, _) = problem(response).await;
                    let told = [ProblemName::InvalidRequest, ProblemName::MalformedRequest];
                    assert!(told.contains(&name), "{path} {member} {value}: {name:?}");
                }
            }
        }
        server.stop().await;
    }
}
