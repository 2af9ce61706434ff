//! A server proves that it knows a token, at its own address only, and nobody else can use the
//! proof.

use ctxpin_client::Client;
use ctxpin_client::error::ClientError;
use ctxpin_model::proof::{Challenge, Nonce, Proof};
use ctxpin_model::token::{Credential, Token};
use ctxpin_protocol::http::readiness::Readiness;
use ctxpin_protocol::problem::ProblemName;
use reqwest::header::HOST;
use reqwest::{Response, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{Server, problem};

const NONCE: [u8; 32] = [7; 32];

fn credential(token: &str) -> Credential {
    token.parse::<Token>().unwrap().credential()
}

fn authority(server: &Server) -> String {
    server.url.authority().to_owned()
}

async fn ask(server: &Server, credential: Credential, host: &str) -> Response {
    let nonce = Nonce::new(NONCE);
    let id = credential.id.uuid().simple();
    let url = server
        .url
        .join(&format!("/readyz?token={id}&nonce={nonce}"));
    let request = server.http.get(url.unwrap()).header(HOST, host);
    request.send().await.unwrap()
}

async fn proof(response: Response) -> Proof {
    assert_eq!(response.status(), 200);
    let readiness: Readiness = response.json().await.unwrap();
    assert_eq!(readiness.status, "ok");
    readiness.proof.unwrap().parse().unwrap()
}

fn is_answered_by(credential: Credential, authority: &str, proof: &Proof) -> bool {
    let challenge = Challenge::new(Nonce::new(NONCE), authority);
    challenge.is_answered_by(&credential.secret_hash, proof)
}

async fn proves_itself(server: Server) {
    let user = credential(&server.token);
    let agent = credential(&server.agent_token().await);
    let own = authority(&server);
    for credential in [user, agent] {
        let proof = proof(ask(&server, credential, &own).await).await;
        assert!(is_answered_by(credential, &own, &proof));
    }
    // A caller without the token learns nothing, not even whether there is one.
    let mut unknown = credential(&server.token);
    unknown.id = uuid::Uuid::from_u128(7).into();
    let first = proof(ask(&server, unknown, &own).await).await;
    assert!(!is_answered_by(unknown, &own, &first));
    assert_eq!(proof(ask(&server, unknown, &own).await).await, first);
    unknown.id = uuid::Uuid::from_u128(8).into();
    assert_ne!(proof(ask(&server, unknown, &own).await).await, first);
    server.stop().await;
}

#[tokio::test]
async fn finding_08_a_server_proves_that_it_knows_a_token() {
    proves_itself(Server::start().await).await;
    let postgres = ctxpin_testing::databases::create_postgres_database().await;
    proves_itself(Server::start_on(Some(postgres)).await).await;
}

#[tokio::test]
async fn finding_08_it_vouches_for_no_other_address() {
    let public = "https://ctxpin.example".parse().unwrap();
    let server = Server::start_with(|settings| settings.public_urls = vec![public]).await;
    let known = credential(&server.token);
    let port = server.url.port().unwrap();
    for other in [
        "127.0.0.1:1".to_owned(),
        format!("127.0.0.2:{port}"),
        format!("[::1]:{port}"),
        format!("localhost:{port}"),
        "ctxpin.example:1".to_owned(),
        "a b".to_owned(),
    ] {
        let (name, problem) = problem(ask(&server, known, &other).await).await;
        assert_eq!(name, ProblemName::Misdirected, "{other}");
        assert!(!problem.members.contains_key("proof"), "{problem:?}");
        if !other.contains(' ') {
            let line = format!("`--public-url http://{other}`");
            assert!(problem.detail.contains(&line), "{problem:?}");
            assert!(problem.detail.contains(&authority(&server)), "{problem:?}");
        }
    }
    let proof = proof(ask(&server, known, "ctxpin.example").await).await;
    assert!(is_answered_by(known, "ctxpin.example:443", &proof));
    server.stop().await;
}

#[tokio::test]
async fn finding_08_by_http2_the_authority_counts() {
    let server = Server::start().await;
    let known = credential(&server.token);
    let http = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge();
    let http = http.build().unwrap();
    let nonce = Nonce::new(NONCE);
    let id = known.id.uuid().simple();
    let url = server
        .url
        .join(&format!("/readyz?token={id}&nonce={nonce}"));
    let response = http.get(url.unwrap()).send().await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert!(is_answered_by(
        known,
        &authority(&server),
        &proof(response).await
    ));
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_challenge_is_refused() {
    let server = Server::start().await;
    let id = credential(&server.token).id;
    let nonce = Nonce::new(NONCE);
    for (query, told) in [
        (format!("token={id}"), "nonce"),
        (format!("nonce={nonce}"), "token"),
        (
            format!("token={id}&nonce={}", "AB".repeat(32)),
            "64 hexadecimal digits",
        ),
        (
            format!("token={id}&nonce={nonce}00"),
            "64 hexadecimal digits",
        ),
        (format!("token=7&nonce={nonce}"), "query"),
        (format!("token={id}&nonce={nonce}&x=1"), "unknown field"),
    ] {
        let url = server.url.join(&format!("/readyz?{query}")).unwrap();
        let (name, problem) = problem(server.http.get(url).send().await.unwrap()).await;
        assert_eq!(name, ProblemName::InvalidRequest, "{query}");
        assert!(problem.detail.contains(told), "{query}: {}", problem.detail);
    }
    server.stop().await;
}

/// Somebody listens at a port of this machine, and passes everything on to the server.
#[tokio::test]
async fn finding_08_nobody_can_pass_on_a_proof() {
    let server = Server::start().await;
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = relay.local_addr().unwrap();
    let behind = authority(&server);
    // As it is first, then with the address that the server vouches for.
    let relayed = tokio::spawn(async move {
        let mut sent = Vec::new();
        for is_rewritten in [false, true] {
            let (mut near, _) = relay.accept().await.unwrap();
            let mut far = TcpStream::connect(&behind).await.unwrap();
            let mut head = vec![0; 4096];
            let length = near.read(&mut head).await.unwrap();
            let mut head = String::from_utf8(head[..length].to_vec()).unwrap();
            if is_rewritten {
                head = head.replace(&address.to_string(), &behind);
            }
            far.write_all(head.as_bytes()).await.unwrap();
            sent.push(head);
            let mut rest = [String::new(), String::new()];
            // Until the client has seen enough.
            let mut answer = vec![0; 4096];
            let length = far.read(&mut answer).await.unwrap();
            near.write_all(&answer[..length]).await.unwrap();
            let _ = near.read_to_string(&mut rest[0]).await;
            sent.extend(rest);
        }
        sent
    });
    let client = Client::new(
        format!("http://{address}").parse().unwrap(),
        ctxpin_protocol::http::people::Secret::new(&server.token),
    );
    let client = client.unwrap();
    for expected in ["--public-url", "it does not know the token"] {
        let error = client.me().await.unwrap_err();
        assert!(matches!(error, ClientError::Unproven { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    for text in relayed.await.unwrap() {
        assert!(!text.to_lowercase().contains("authorization"), "{text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn finding_26_what_needs_no_token_is_for_known_hosts() {
    let public = "https://ctxpin.example".parse().unwrap();
    let server = Server::start_with(|settings| settings.public_urls = vec![public]).await;
    let get = async |path: &str, host: &str| {
        let url = server.url.join(path).unwrap();
        server
            .http
            .get(url)
            .header(HOST, host)
            .send()
            .await
            .unwrap()
    };
    for path in ["/metrics", "/api/v1/openapi.json"] {
        for host in [
            "127.0.0.1:7878",
            "192.0.2.7",
            "localhost:1",
            "ctxpin.example",
        ] {
            assert_eq!(get(path, host).await.status(), 200, "{path} for {host}");
        }
        let (name, problem) = problem(get(path, "evil.example").await).await;
        assert_eq!(name, ProblemName::Misdirected);
        assert!(
            problem.detail.contains("--public-url http://evil.example"),
            "{problem:?}"
        );
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(path, "evil.example").await.status(), 200, "{path}");
    }
    let request = server.request(reqwest::Method::GET, "/api/v1/me");
    let answer = request.header(HOST, "evil.example").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    server.stop().await;
}
