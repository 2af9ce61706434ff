//! HTTP itself: its versions, unknown paths, and the headers of all responses.

use ctxpin_protocol::problem::ProblemName;
use reqwest::header::{ACCEPT_ENCODING, ALLOW, AUTHORIZATION, CONTENT_ENCODING, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode, Version};
use uuid::Uuid;

use crate::server::{Agent, Server, problem};

#[tokio::test]
async fn both_versions_of_http() {
    let server = Server::start().await;
    let second = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let url = server.url.join("/healthz").unwrap();
    for (http, version) in [(&server.http, Version::HTTP_11), (&second, Version::HTTP_2)] {
        let response = http.get(url.clone()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.version(), version);
        let text = response.text().await.unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(text, format!(r#"{{"status":"ok","version":"{version}"}}"#));
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there() {
    let server = Server::start().await;
    let none = Uuid::nil();
    for (method, path, expected) in [
        (Method::GET, "/weather", ProblemName::NotFound),
        (Method::GET, "/api/v1/weather", ProblemName::NotFound),
        (Method::GET, "/api/v1/chats/", ProblemName::NotFound),
        (Method::GET, "/api/v1/chats/7", ProblemName::NotFound),
        (Method::GET, "/api/v1/chats/%ff", ProblemName::NotFound),
        (
            Method::GET,
            &format!("/api/v1/chats/{none}"),
            ProblemName::NotFound,
        ),
        (
            Method::DELETE,
            &format!("/api/v1/agents/{none}"),
            ProblemName::NotFound,
        ),
        (
            Method::DELETE,
            &format!("/api/v1/tokens/{none}"),
            ProblemName::NotFound,
        ),
        (
            Method::GET,
            &format!("/api/v1/chats/{none}/watch"),
            ProblemName::NotFound,
        ),
        (
            Method::GET,
            "/api/v1/content/x/exposure",
            ProblemName::InvalidRequest,
        ),
        (
            Method::GET,
            "/api/v1/chats?limit=0",
            ProblemName::InvalidRequest,
        ),
        (
            Method::GET,
            "/api/v1/chats?limit=501",
            ProblemName::InvalidRequest,
        ),
        (
            Method::GET,
            "/api/v1/chats?limit=x",
            ProblemName::InvalidRequest,
        ),
        (
            Method::GET,
            "/api/v1/chats?cursor=x",
            ProblemName::InvalidRequest,
        ),
        (
            Method::GET,
            "/api/v1/chats?drity=true",
            ProblemName::InvalidRequest,
        ),
        (Method::PUT, "/api/v1/chats", ProblemName::MethodNotAllowed),
    ] {
        let response = server.request(method, path).send().await.unwrap();
        if expected == ProblemName::MethodNotAllowed {
            assert_eq!(response.headers()[ALLOW], "POST,GET,HEAD");
        }
        let (name, told) = problem(response).await;
        assert_eq!(name, expected, "{path}: {told}");
    }
    server.stop().await;
}

#[tokio::test]
async fn tokens_at_the_wrong_door() {
    let server = Server::start().await;
    let agent = Agent::create(&server).await;
    let refused = agent.client.me().await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::Forbidden));
    let refused = server.client.agent_refresh(1).await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::Forbidden));
    let detail = &refused.problem().unwrap().detail;
    assert!(detail.contains("user's token"), "{detail}");
    let refused = agent.client.agent_refresh(agent.epoch).await.unwrap_err();
    assert_eq!(refused.problem_name(), Some(ProblemName::Forbidden));
    server.stop().await;
}

#[tokio::test]
async fn headers_of_every_answer() {
    let server = Server::start().await;
    for path in ["/healthz", "/api/v1/me", "/api/v1/weather"] {
        let response = server.request(Method::GET, path).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        let id = headers["x-request-id"].to_str().unwrap();
        assert!(Uuid::parse_str(id).is_ok(), "{path}: {id}");
    }
    // An id of the caller's own would be a way into the log.
    let request = server.request(Method::GET, "/healthz");
    let response = request.header("x-request-id", "mine").send().await.unwrap();
    assert_ne!(response.headers()["x-request-id"], "mine");
    let url = server.url.join("/api/v1/me").unwrap();
    let request = server.http.get(url).header(AUTHORIZATION, "Basic eDp5");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
    server.stop().await;
}

#[tokio::test]
async fn compressed_answers() {
    let server = Server::start().await;
    for encoding in ["gzip", "zstd"] {
        let request = server.request(Method::GET, "/api/v1/openapi.json");
        let response = request.header(ACCEPT_ENCODING, encoding).send().await;
        assert_eq!(response.unwrap().headers()[CONTENT_ENCODING], encoding);
    }
    server.stop().await;
}
