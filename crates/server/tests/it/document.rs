//! The API's document and its routes, as reviewers read them. Every route requires a token.

use std::collections::BTreeSet;
use std::io::Read as _;

use ctxpin_model::access::Operation;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_server::route_policy::RoutePolicy;
use ctxpin_server::routes::{document, policies};
use reqwest::header::AUTHORIZATION;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::raw::{head, head_with, send};
use crate::server::{Server, problem};

/// The paths that require no token.
const OPEN: [&str; 4] = ["/api/v1/openapi.json", "/healthz", "/metrics", "/readyz"];

/// The route whose body has a code in place of a token.
const BY_CODE: &str = "/api/v1/enrolments";

/// Compares a text with its golden file.
pub fn check_golden(name: &str, found: &str) {
    insta::with_settings!({
        snapshot_path => "../golden",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, found) });
}

/// Returns every operation: its method, its path and its description in the document.
fn operations() -> Vec<(Method, String, Value)> {
    let document = serde_json::to_value(document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            operations.push((method, path.clone(), operation.clone()));
        }
    }
    operations
}

/// Returns the path with a value in place of each parameter.
pub fn concrete(path: &str) -> String {
    let hash = format!("sha256:{}", "0".repeat(64));
    let parts = path.split('/').map(|part| match part {
        "{hash}" => hash.as_str(),
        "{resource}" => "0000000000000000",
        "{number}" => "1",
        "{change}" => "00000000000000000000000000000000",
        "{agent}" | "{chat}" | "{user}" | "{token}" => "00000000-0000-0000-0000-000000000001",
        part if part.starts_with('{') => "x",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn the_document_is_as_reviewed() {
    check_golden("openapi", &document().to_pretty_json().unwrap());
}

#[test]
fn the_routes_are_as_reviewed() {
    let policies = policies();
    let lines = operations().into_iter().map(|(method, path, operation)| {
        let summary = operation["summary"].as_str().unwrap_or_default().to_owned();
        let open = if OPEN.contains(&path.as_str()) {
            " (no token)"
        } else {
            ""
        };
        let RoutePolicy {
            cache,
            time_max,
            body,
        } = policies[&(method.clone(), path.clone())];
        let (cache, seconds, bytes) = (cache.header(), time_max.as_secs(), body.bytes_max);
        let allowed = body.operation.map_or("-", Operation::as_str);
        format!(
            "{:<6} {path:<52} {cache:<8} {seconds:>3} s {bytes:>8} {allowed:<12} {summary}{open}\n",
            method.as_str()
        )
    });
    check_golden("routes", &lines.collect::<String>());
}

#[test]
fn the_document_is_whole() {
    let document = serde_json::to_value(document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations() {
        let at = format!("{method} {path}");
        assert!(operation["summary"].is_string(), "{at} says nothing");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id), "{at} has the id of another operation");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let told = response["description"].as_str().unwrap_or_default();
            assert!(!told.is_empty(), "{at}: {status} says nothing");
        }
        let is_open = operation["security"][0] == serde_json::json!({});
        let should_be_open = path == BY_CODE || OPEN.contains(&path.as_str());
        assert_eq!(is_open, should_be_open, "{at}");
        let told: Vec<_> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
            .collect();
        let there: Vec<_> = path
            .split('/')
            .filter(|part| part.starts_with('{'))
            .collect();
        assert_eq!(told, there, "{at}");
    }
}

#[tokio::test]
async fn every_route_keeps_its_policy() {
    let server = Server::start().await;
    let mut seen = policies();
    for (method, path, operation) in operations() {
        let at = format!("{method} {path}");
        let policy = seen.remove(&(method.clone(), path.clone())).expect(&at);
        let path = concrete(&path);
        // Nobody keeps a problem; `TRACE` is a method that no path has.
        for method in ["TRACE", method.as_str()] {
            let answer = send(&server, head_with("x", method, &path, "").as_bytes()).await;
            let expected = match answer.status {
                200 => policy.cache.header(),
                _ => "no-store",
            };
            let told = format!("cache-control: {expected}\r\n");
            assert!(answer.head.contains(&told), "{at}: {}", answer.head);
        }
        if operation["requestBody"].is_null() {
            continue;
        }
        let length = policy.body.bytes_max + 1;
        let lines = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
        let answer = send(
            &server,
            head(&server, method.as_str(), &path, &lines).as_bytes(),
        )
        .await;
        let (name, problem) = answer.problem();
        assert_eq!(name, ProblemName::TooLarge, "{at}: {problem}");
        let most = format!("at most {} bytes", policy.body.bytes_max);
        assert!(problem.detail.contains(&most), "{at}: {problem}");
    }
    assert!(seen.is_empty(), "a route is not in the document: {seen:?}");
    server.stop().await;
}

fn collect_references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                into.push(reference.clone());
            }
            members
                .values()
                .for_each(|value| collect_references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        _ => {}
    }
}

#[tokio::test]
async fn finding_16_the_document_is_compressed_once_and_kept_by_who_has_it() {
    let server = Server::start().await;
    let url = server.url.join("/api/v1/openapi.json").unwrap();
    let ask = |name: &'static str, value: String| {
        let request = server.http.get(url.clone()).header(name, value);
        async { request.send().await.unwrap() }
    };
    let plain = ask("accept-encoding", "identity".into()).await;
    assert_eq!(plain.headers()["cache-control"], "no-cache");
    let tag = plain.headers()["etag"].to_str().unwrap().to_owned();
    let plain = plain.bytes().await.unwrap();
    for accepted in ["gzip", "gzip, deflate, br, zstd", "br,gzip"] {
        let packed = ask("accept-encoding", accepted.into()).await;
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        assert_eq!(packed.headers()["etag"], tag);
        let packed = packed.bytes().await.unwrap();
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_end(&mut unpacked)
            .unwrap();
        assert!(unpacked == plain);
    }
    let known = ask("if-none-match", tag).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(known.bytes().await.unwrap(), "");
    server.stop().await;
}

#[tokio::test]
async fn every_route_asks_for_a_token() {
    let server = Server::start().await;
    let stranger = format!("Bearer ctxpin_{}_{}", "0".repeat(32), "0".repeat(64));
    for (method, path, _) in operations() {
        let url = server.url.join(&concrete(&path)).unwrap();
        let request = || server.http.request(method.clone(), url.clone());
        if OPEN.contains(&path.as_str()) {
            let response = request().send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            continue;
        }
        if path == BY_CODE {
            // The code in the body is the secret, and this one is unknown.
            let hash = format!("sha256:{}", "0".repeat(64));
            let guess = json!({ "code": "0000-0000-0000-0000", "secret_hash": hash });
            let (name, _) = problem(request().json(&guess).send().await.unwrap()).await;
            assert_eq!(name, ProblemName::Unauthenticated);
            continue;
        }
        for request in [request(), request().header(AUTHORIZATION, "Bearer x")] {
            let (name, _) = problem(request.send().await.unwrap()).await;
            assert_eq!(name, ProblemName::Unauthenticated, "{method} {path}");
        }
        // The server looks a well-formed token up. It may report other faults before.
        let request = request().header(AUTHORIZATION, &stranger);
        let (name, _) = problem(request.send().await.unwrap()).await;
        let expected = [
            ProblemName::Unauthenticated,
            ProblemName::UnsupportedMediaType,
            ProblemName::InvalidRequest,
        ];
        assert!(expected.contains(&name), "{method} {path}: {name:?}");
        if method == Method::GET {
            assert_eq!(name, ProblemName::Unauthenticated, "{method} {path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn every_refusal_is_a_known_problem() {
    let server = Server::start().await;
    for (method, path, operation) in operations() {
        let path = concrete(&path);
        let response = match operation.get("requestBody") {
            Some(_) => server.json(method.clone(), &path, r#"{"unheard":"of"}"#),
            None => server.request(method.clone(), &path),
        };
        let response = response.send().await.unwrap();
        if response.status().is_success() {
            continue;
        }
        let (name, _) = problem(response).await;
        assert_ne!(name, ProblemName::Internal, "{method} {path}");
        assert_ne!(name, ProblemName::Unauthenticated, "{method} {path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_document_is_served() {
    let server = Server::start().await;
    let url = server.url.join("/api/v1/openapi.json").unwrap();
    let served: Value = server
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(served, serde_json::to_value(document()).unwrap());
    server.stop().await;
}
