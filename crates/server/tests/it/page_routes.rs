//! The routes of the pages with their policies, as reviewers read them.

use ctxpin_model::access::Operation;
use ctxpin_server::route_policy::RoutePolicy;
use ctxpin_server::routes::page_policies;
use reqwest::Method;
use reqwest::StatusCode;
use reqwest::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH};

use crate::browser::{Browser, between, page_value};
use crate::document::{check_golden, concrete};
use crate::server::Server;

/// Returns the methods of a path, as the server names them to a request by another one.
async fn methods(server: &Server, path: &str) -> Vec<String> {
    let url = server.url.join(path).unwrap();
    let refused = server
        .http
        .request(Method::TRACE, url)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    assert_eq!(refused.headers()[CACHE_CONTROL], "no-store", "{path}");
    let allowed = refused.headers()[ALLOW].to_str().unwrap();
    allowed.split(',').map(str::to_owned).collect()
}

#[tokio::test]
async fn the_routes_of_pages_are_as_reviewed() {
    let server = Server::start().await;
    let mut lines = String::new();
    for (path, policy) in page_policies() {
        let methods = methods(&server, &concrete(path)).await;
        let RoutePolicy {
            cache,
            time_max,
            body,
        } = policy;
        let (cache, seconds, bytes) = (cache.header(), time_max.as_secs(), body.bytes_max);
        let allowed = body.operation.map_or("-", Operation::as_str);
        let methods = methods.join(" ");
        lines +=
            &format!("{methods:<13} {path:<42} {seconds:>3} s {bytes:>8} {allowed:<9} {cache}\n");
    }
    check_golden("page-routes", &lines);
    server.stop().await;
}

#[tokio::test]
async fn every_page_keeps_its_policy() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let page = browser.page("/chats").await;
    let (style, value) = (
        between(&page, "rel=\"stylesheet\" href=\"", "\""),
        page_value(&page),
    );
    for (pattern, policy) in page_policies() {
        let path = match pattern {
            "/assets/{name}" => style.to_owned(),
            pattern => concrete(pattern),
        };
        let methods = methods(&server, &path).await;
        if methods.iter().any(|method| method == "GET") {
            let read = browser.get(&path).send().await.unwrap();
            let expected = match read.status() {
                StatusCode::OK => policy.cache.header(),
                _ => "no-store",
            };
            assert_eq!(read.headers()[CACHE_CONTROL], expected, "{path}");
        }
        if methods.iter().any(|method| method == "POST") {
            let request = browser.form(&path, &[("page", &value)]);
            let length = policy.body.bytes_max + 1;
            let refused = request
                .header(CONTENT_LENGTH, length)
                .body(vec![b'x'; usize::try_from(length).unwrap()])
                .send()
                .await
                .unwrap();
            assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        }
    }
    server.stop().await;
}
