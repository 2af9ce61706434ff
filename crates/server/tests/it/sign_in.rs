//! Signing in to the web page over HTTP: cookies, hosts, origins and the value of the page.

use chrono::TimeDelta;
use ctxpin_model::pass::Pass;
use ctxpin_protocol::http::people::TokenCreate;
use ctxpin_protocol::problem::ProblemName;
use reqwest::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::raw::{connect, read};
use crate::server::{Agent, SOON, Server, problem};

/// A browser of one page.
struct Browser<'s> {
    server: &'s Server,
    http: reqwest::Client,
    /// The host and the port that the browser shows.
    authority: String,
    scheme: &'static str,
    cookie: Option<String>,
}

impl<'s> Browser<'s> {
    /// A browser at the server's address under a name of this machine.
    fn new(server: &'s Server) -> Self {
        let port = server.url.port().unwrap();
        Self::at(server, format!("ctxpin-1a2b.localhost:{port}"), "http")
    }

    fn at(server: &'s Server, authority: String, scheme: &'static str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .build()
            .unwrap();
        Self {
            server,
            http,
            authority,
            scheme,
            cookie: None,
        }
    }

    fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = self.server.url.join(path).unwrap();
        let request = self.http.request(method, url).header(HOST, &self.authority);
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// Sends a form as a page of `origin` does.
    async fn form(&self, origin: Option<&str>, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let request = self.request(Method::POST, path).body(form.finish());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = match origin {
            Some(origin) => request.header(ORIGIN, origin),
            None => request,
        };
        request.send().await.unwrap()
    }

    /// Signs in with the server's token, and keeps the cookie.
    async fn sign_in(&mut self) -> Pass {
        let token = self.server.token.trim().to_owned();
        let response = self
            .form(Some(&self.origin()), "/sign-in", &[("token", &token)])
            .await;
        self.keep_cookie(&response)
    }

    fn keep_cookie(&mut self, response: &Response) -> Pass {
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        let (pair, _) = cookie.split_once(';').unwrap();
        self.cookie = Some(pair.to_owned());
        pair.split_once('=').unwrap().1.parse().unwrap()
    }
}

#[tokio::test]
async fn a_token_signs_in_and_out() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    let page = browser.get("/sign-in?next=/chats").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["cache-control"], "no-store");
    let text = page.text().await.unwrap();
    assert!(text.contains("name=\"next\" value=\"/chats\""), "{text}");

    let fields = [("token", server.token.trim()), ("next", "/chats?x=1")];
    let response = browser
        .form(Some(&browser.origin()), "/sign-in", &fields)
        .await;
    assert_eq!(response.headers()[LOCATION], "/chats?x=1");
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("ctxpin="), "{cookie}");
    assert!(cookie.contains("; Path=/; Max-Age=6047"), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict"), "{cookie}");
    let session = browser.keep_cookie(&response);
    let me = browser.get("/api/v1/me").await;
    assert_eq!(me.status(), StatusCode::OK);
    assert_eq!(me.json::<Value>().await.unwrap()["user"]["name"], "admin");

    let value = session.page_value();
    let out = browser
        .form(Some(&browser.origin()), "/sign-out", &[("page", &value)])
        .await;
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    assert!(
        out.headers()[SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    let (name, _) = problem(browser.get("/api/v1/me").await).await;
    assert_eq!(name, ProblemName::Unauthenticated);
    server.stop().await;
}

#[tokio::test]
async fn a_watch_ends_with_the_session_that_opened_it() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    let session = browser.sign_in().await;
    let mut watch = browser.get("/api/v1/watch?state=false").await;
    let ready = watch.chunk().await.unwrap().unwrap();
    assert!(ready.starts_with(b"event: ready"), "{ready:?}");
    let value = session.page_value();
    browser
        .form(Some(&browser.origin()), "/sign-out", &[("page", &value)])
        .await;
    // An event must not be sent to a session that has ended.
    Agent::create(&server).await;
    let mut rest = Vec::new();
    while let Some(chunk) = watch.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.contains("event: closed"), "{rest}");
    assert!(!rest.contains("event: changed"), "{rest}");
    server.stop().await;
}

#[tokio::test]
async fn a_one_time_code_signs_in_once() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    let code = server.client.sign_in_code().await.unwrap();
    let fields = [("code", code.code.expose())];
    let response = browser
        .form(Some(&browser.origin()), "/sign-in", &fields)
        .await;
    assert_eq!(response.headers()[LOCATION], "/");
    browser.keep_cookie(&response);
    assert_eq!(browser.get("/api/v1/me").await.status(), StatusCode::OK);
    let again = browser
        .form(Some(&browser.origin()), "/sign-in", &fields)
        .await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    assert!(!again.headers().contains_key(SET_COOKIE));
    let text = again.text().await.unwrap();
    assert!(text.contains("field-error"), "{text}");
    assert!(!text.contains(code.code.expose()), "the code is not told");
    server.stop().await;
}

#[tokio::test]
async fn a_link_leads_to_no_other_site() {
    let server = Server::start().await;
    let browser = Browser::new(&server);
    for next in ["//evil.example", "https://evil.example"] {
        let fields = [("token", server.token.trim()), ("next", next)];
        let response = browser
            .form(Some(&browser.origin()), "/sign-in", &fields)
            .await;
        assert_eq!(response.headers()[LOCATION], "/", "{next}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_write_needs_the_origin_and_the_value_of_the_page() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    let session = browser.sign_in().await;
    let (origin, value) = (browser.origin(), session.page_value());
    let other = Pass::new([7; 32]).page_value();
    let port = server.url.port().unwrap();
    let create = async |origin: Option<&str>, value: Option<&str>| {
        let request = browser.request(Method::POST, "/api/v1/chats");
        let request = request
            .header("content-type", "application/json")
            .body("{}");
        let request = match origin {
            Some(origin) => request.header(ORIGIN, origin),
            None => request,
        };
        let request = match value {
            Some(value) => request.header("ctxpin-page", value),
            None => request,
        };
        request.send().await.unwrap().status()
    };
    assert_eq!(
        create(Some(&origin), Some(&value)).await,
        StatusCode::CREATED
    );
    for (origin, value) in [
        (Some(origin.as_str()), None),
        (Some(&origin), Some(other.as_str())),
        (Some(&origin), Some(session.reveal().as_str())),
        (None, Some(value.as_str())),
        (Some("null"), Some(&value)),
        (Some("https://evil.example"), Some(&value)),
        (Some(&format!("http://127.0.0.1:{port}")), Some(&value)),
        (
            Some(&format!("http://other.localhost:{port}")),
            Some(&value),
        ),
        (Some("http://ctxpin-1a2b.localhost"), Some(&value)),
    ] {
        let status = create(origin, value).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{origin:?} {value:?}");
    }
    // Nobody is signed in, or out, by another site.
    let fields = [("token", server.token.trim())];
    let response = browser
        .form(Some("https://evil.example"), "/sign-in", &fields)
        .await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let response = browser
        .form(Some(&origin), "/sign-out", &[("page", &other)])
        .await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(browser.get("/api/v1/me").await.status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn a_cookie_opens_at_the_servers_own_hosts_alone() {
    let public = "https://ctxpin.example".parse().unwrap();
    let server = Server::start_with(|settings| settings.public_urls = vec![public]).await;
    let port = server.url.port().unwrap();
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let mut check = async |authority: String, is_own: bool| {
        browser.authority = authority;
        let status = browser.get("/api/v1/me").await.status();
        let expected = match is_own {
            true => StatusCode::OK,
            false => StatusCode::MISDIRECTED_REQUEST,
        };
        assert_eq!(status, expected, "{}", browser.authority);
    };
    check(format!("localhost:{port}"), true).await;
    check(format!("127.0.0.1:{port}"), true).await;
    check(format!("evil.example:{port}"), false).await;
    check("ctxpin-1a2b.localhost".to_owned(), false).await;
    check(format!("10.0.0.1:{port}"), false).await;
    check("ctxpin.example:8443".to_owned(), false).await;
    // A token needs no host, and it goes before the cookie.
    let request = browser.request(Method::GET, "/api/v1/me");
    let bearer = format!("Bearer {}", server.token.trim());
    let response = request.header(AUTHORIZATION, bearer).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn behind_tls_the_cookie_is_bound_to_it() {
    let public = "https://ctxpin.example".parse().unwrap();
    let server = Server::start_with(|settings| settings.public_urls = vec![public]).await;
    let mut browser = Browser::at(&server, "ctxpin.example".to_owned(), "https");
    let fields = [("token", server.token.trim())];
    let response = browser
        .form(Some("http://ctxpin.example"), "/sign-in", &fields)
        .await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let response = browser
        .form(Some(&browser.origin()), "/sign-in", &fields)
        .await;
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-ctxpin="), "{cookie}");
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"),
        "{cookie}"
    );
    let session = browser.keep_cookie(&response);
    assert_eq!(browser.get("/api/v1/me").await.status(), StatusCode::OK);
    // A cookie that could have been set without TLS opens nothing there.
    browser.cookie = Some(format!("ctxpin={}", session.reveal()));
    let (name, _) = problem(browser.get("/api/v1/me").await).await;
    assert_eq!(name, ProblemName::Unauthenticated);
    server.stop().await;
}

#[tokio::test]
async fn cookies_that_open_nothing() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    let unknown = Pass::new([9; 32]).reveal();
    for cookie in [
        "ctxpin=",
        "ctxpin=x",
        &format!("ctxpin={unknown}"),
        "other=1",
    ] {
        browser.cookie = Some(cookie.to_owned());
        let (name, _) = problem(browser.get("/api/v1/me").await).await;
        assert_eq!(name, ProblemName::Unauthenticated, "{cookie}");
    }
    server.stop().await;
}

#[tokio::test]
async fn two_sessions_at_once_open_nothing() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    let own = browser.sign_in().await.reveal();
    browser.cookie = None;
    let set_elsewhere = browser.sign_in().await.reveal();
    for cookie in [
        format!("ctxpin={set_elsewhere}; ctxpin={own}"),
        format!("ctxpin={own}; other=1; ctxpin={set_elsewhere}"),
        format!("ctxpin={own}; ctxpin="),
    ] {
        browser.cookie = Some(cookie.clone());
        let (name, _) = problem(browser.get("/api/v1/me").await).await;
        assert_eq!(name, ProblemName::MalformedRequest, "{cookie}");
        // Signing in again would not help, so the page says what does.
        let page = browser.get("/chats").await;
        assert_eq!(page.status(), StatusCode::BAD_REQUEST);
        let text = page.text().await.unwrap();
        assert!(text.contains("Delete the cookies"), "{text}");
    }
    browser.cookie = Some(format!("ctxpin={own}; ctxpin={own}"));
    assert_eq!(browser.get("/api/v1/me").await.status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_ends_after_too_many_made_up_cookies() {
    let server = Server::start().await;
    let port = server.url.port().unwrap();
    let unknown = Pass::new([9; 32]).reveal();
    let head = format!(
        "GET /chats HTTP/1.1\r\nhost: localhost:{port}\r\ncookie: ctxpin={unknown}\r\n\r\n"
    );
    let mut stream = connect(&server).await;
    for _ in 0..16 {
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(read(&mut stream).await.status, 303);
    }
    let ended = timeout(SOON, stream.read(&mut [0])).await;
    assert_eq!(ended.expect("the connection ends").unwrap_or(0), 0);
    server.stop().await;
}

/// Returns how many statements the server has executed.
pub async fn statements(server: &Server) -> u64 {
    let url = server.url.join("/metrics").unwrap();
    let text = server.http.get(url).send().await.unwrap().text();
    let text = text.await.unwrap();
    let mut lines = text.lines();
    let count = lines.find_map(|line| line.strip_prefix("ctxpin_database_statements_total "));
    count.unwrap().parse().unwrap()
}

/// Returns how many statements a request costs. The least of several is without the server's own work.
async fn cost(server: &Server, request: impl AsyncFn()) -> u64 {
    let mut costs = Vec::new();
    for _ in 0..4 {
        let before = statements(server).await;
        request().await;
        costs.push(statements(server).await - before);
    }
    costs.into_iter().min().unwrap()
}

#[tokio::test]
async fn a_session_costs_no_more_statements_than_a_token() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let with_token = cost(&server, async || drop(server.client.me().await.unwrap())).await;
    let with_session = cost(&server, async || drop(browser.get("/api/v1/me").await)).await;
    assert_eq!(with_session, with_token);
    let nothing = cost(&server, async || {}).await;
    for cookie in ["ctxpin=x".to_owned(), format!("ctxpin={}", "x".repeat(64))] {
        browser.cookie = Some(cookie);
        let malformed = cost(&server, async || drop(browser.get("/chats").await)).await;
        assert_eq!(malformed, nothing);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_cookie_lives_no_longer_than_its_token() {
    let server = Server::start().await;
    let browser = Browser::new(&server);
    let other = server.client.token_create(&TokenCreate::default()).await;
    let now = other.unwrap().token.created_at;
    let request = TokenCreate {
        expires_at: Some(now + TimeDelta::minutes(10)),
        ..TokenCreate::default()
    };
    let created = server.client.token_create(&request).await.unwrap();
    let fields = [("token", created.secret.expose())];
    let response = browser
        .form(Some(&browser.origin()), "/sign-in", &fields)
        .await;
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    let (_, rest) = cookie.split_once("Max-Age=").unwrap();
    let seconds: i64 = rest.split(';').next().unwrap().parse().unwrap();
    assert!((500..=600).contains(&seconds), "{cookie}");
    server.stop().await;
}

/// A server of `ctxpin up`: its page has a host of its own.
async fn start_with_page_host() -> Server {
    Server::start_with(|settings| {
        settings.bound_sessions = true;
        settings.page_host = Some("ctxpin-1a2b.localhost".to_owned());
    })
    .await
}

#[tokio::test]
async fn the_page_of_up_is_at_its_own_host_alone() {
    let server = start_with_page_host().await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    assert_eq!(browser.get("/chats").await.status(), StatusCode::OK);
    let code = server.client.sign_in_code().await.unwrap();
    assert_eq!(code.page_host.as_deref(), Some("ctxpin-1a2b.localhost"));
    let port = server.url.port().unwrap();
    for authority in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        // The address of an earlier process.
        format!("ctxpin-3c4d.localhost:{port}"),
    ] {
        browser.authority = authority;
        let cookie = browser.cookie.take();
        let signed_in = browser
            .form(
                Some(&browser.origin()),
                "/sign-in",
                &[("token", server.token.trim())],
            )
            .await;
        assert_eq!(signed_in.status(), StatusCode::MISDIRECTED_REQUEST);
        assert!(!signed_in.headers().contains_key(SET_COOKIE));
        browser.cookie = cookie;
        for path in ["/", "/sign-in", "/chats?show=drifted"] {
            let page = browser.get(path).await;
            assert_eq!(page.status(), StatusCode::MISDIRECTED_REQUEST, "{path}");
            let text = page.text().await.unwrap();
            assert!(text.contains("ctxpin open"), "{text}");
            assert!(!text.contains("1a2b"), "others must not learn it: {text}");
        }
        let (name, problem) = problem(browser.get("/api/v1/me").await).await;
        assert_eq!(name, ProblemName::Misdirected);
        assert!(!problem.detail.contains("1a2b"), "{}", problem.detail);
        // Programs use the API where they used it before.
        let request = browser.request(Method::GET, "/api/v1/me");
        let bearer = format!("Bearer {}", server.token.trim());
        let response = request.header(AUTHORIZATION, bearer).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let document = browser.get("/api/v1/openapi.json").await.status();
        let is_known = !browser.authority.starts_with("ctxpin-3c4d");
        assert!(document == StatusCode::OK || !is_known, "{document}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_link_asks_before_it_signs_in_another_user() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    let session = browser.sign_in().await;
    let (eve, of_eve) = server.member("eve").await;
    let code = of_eve.sign_in_code().await.unwrap();
    let origin = browser.origin();
    let sign_in = async |fields: &[(&str, &str)]| {
        let fields = [&[("code", code.code.expose()), ("next", "/chats")], fields].concat();
        browser.form(Some(&origin), "/sign-in", &fields).await
    };
    let of_eve = eve.to_string();
    for fields in [
        &[][..],
        &[("instead", "x")],
        &[("instead", of_eve.as_str())],
    ] {
        let asked = sign_in(fields).await;
        assert_eq!(asked.status(), StatusCode::CONFLICT, "{fields:?}");
        assert!(!asked.headers().contains_key(SET_COOKIE), "{fields:?}");
        let page = asked.text().await.unwrap();
        assert!(page.contains("You are signed in as admin."), "{page}");
        assert!(page.contains("Sign in as eve"), "{page}");
        assert!(page.contains("href=\"/chats\">Stay"), "{page}");
    }
    let me = browser.get("/api/v1/me").await.json::<Value>().await;
    let admin = me.unwrap()["user"]["id"].as_str().unwrap().to_owned();
    let agreed = sign_in(&[("instead", &admin)]).await;
    assert_eq!(agreed.headers()[LOCATION], "/chats");
    let before = std::mem::take(&mut browser.cookie);
    browser.keep_cookie(&agreed);
    let me = browser.get("/api/v1/me").await.json::<Value>().await;
    assert_eq!(me.unwrap()["user"]["name"], "eve");
    // The session that was replaced has ended.
    assert_eq!(before, Some(format!("ctxpin={}", session.reveal())));
    browser.cookie = before;
    let (name, _) = problem(browser.get("/api/v1/me").await).await;
    assert_eq!(name, ProblemName::Unauthenticated);
    server.stop().await;
}

#[tokio::test]
async fn a_link_of_the_same_user_does_not_ask() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let code = server.client.sign_in_code().await.unwrap();
    let fields = [("code", code.code.expose())];
    let response = browser
        .form(Some(&browser.origin()), "/sign-in", &fields)
        .await;
    browser.keep_cookie(&response);
    assert_eq!(browser.get("/api/v1/me").await.status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn a_page_at_another_port_gets_nothing_of_the_session() {
    let server = Server::start().await;
    let mut browser = Browser::new(&server);
    browser.sign_in().await;
    let check = async |[site, mode, dest]: [&str; 3], expected: StatusCode| {
        let request = browser.request(Method::GET, "/api/v1/me");
        let request = request
            .header("sec-fetch-site", site)
            .header("sec-fetch-mode", mode)
            .header("sec-fetch-dest", dest);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), expected, "{site} {mode} {dest}");
        let policy = &response.headers()["cross-origin-resource-policy"];
        assert_eq!(policy, "same-origin");
    };
    check(["same-origin", "cors", "empty"], StatusCode::OK).await;
    check(["none", "navigate", "document"], StatusCode::OK).await;
    check(["same-site", "navigate", "document"], StatusCode::OK).await;
    for another in [
        ["same-site", "no-cors", "image"],
        ["same-site", "no-cors", "script"],
        ["same-site", "cors", "empty"],
        ["same-site", "navigate", "iframe"],
        ["cross-site", "no-cors", "script"],
    ] {
        check(another, StatusCode::UNAUTHORIZED).await;
    }
    server.stop().await;
}
