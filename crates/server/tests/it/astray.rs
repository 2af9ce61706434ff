//! Browsers that go astray: addresses that are mistyped, old, of another user or of no page at all. A person always
//! gets a page that says so, and a client of the API always gets a problem.

use ctxpin_protocol::problem::ProblemName;
use ctxpin_testing::workspace::Workspace;
use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE, COOKIE, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};

use crate::browser::{Browser, create_chat, page_value};
use crate::server::{Agent, Server, problem};

/// What browsers accept when they load a page.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A client that sends what browsers send, and follows no redirect.
struct Visitor<'s> {
    server: &'s Server,
    http: Client,
}

impl<'s> Visitor<'s> {
    fn of(server: &'s Server) -> Self {
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Self {
            server,
            http: http.build().unwrap(),
        }
    }

    /// Returns a request for a path, which is sent as it is.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.server.url.as_str().trim_end_matches('/'));
        self.http.request(method, url)
    }

    /// Loads a page with these cookies.
    async fn load(&self, cookies: &str, method: Method, path: &str) -> Response {
        let request = self.request(method, path).header(ACCEPT, BROWSER);
        request.header(COOKIE, cookies).send().await.unwrap()
    }
}

/// Checks that a response is a page in the frame of the pages, which says in its heading what is wrong.
async fn check_page(response: Response, status: StatusCode, heading: &str) -> String {
    let url = response.url().clone();
    assert_eq!(response.status(), status, "{url}");
    let content_type = response.headers()[CONTENT_TYPE].to_str().unwrap();
    assert_eq!(content_type, "text/html; charset=utf-8", "{url}");
    assert!(response.headers().contains_key("content-security-policy"));
    let page = response.text().await.unwrap();
    assert!(page.contains("<header class=\"bar\">"), "{url}: {page}");
    let heading = format!("<h1>{heading}</h1><p>");
    assert!(page.contains(&heading), "{url}: {page}");
    page
}

#[tokio::test]
async fn an_unknown_address_is_a_page_for_people_and_a_problem_for_clients() {
    let server = Server::start().await;
    let visitor = Visitor::of(&server);
    let browser = Browser::sign_in(&server, &server.token).await;
    for (path, for_people) in [
        ("/chatz", true),
        ("/index.html", true),
        ("/.env", true),
        ("/chats/a/b/c/d", true),
        ("/%ff", true),
        ("/sign-in/x", true),
        ("//evil.example/", true),
        ("/api", true),
        ("/api/v1", false),
        ("/api/v1/chatz", false),
        ("/api/v1/chats/", false),
    ] {
        for cookies in ["", "ctxpin=made-up", &browser.cookies] {
            let answer = visitor.load(cookies, Method::GET, path).await;
            if !for_people {
                assert_eq!(problem(answer).await.0, ProblemName::NotFound, "{path}");
                continue;
            }
            let page = check_page(answer, StatusCode::NOT_FOUND, "This is not here").await;
            let is_signed_in = *cookies == browser.cookies;
            assert_eq!(
                page.contains("action=\"/sign-out\""),
                is_signed_in,
                "{path}"
            );
            assert_eq!(!page_value(&page).is_empty(), is_signed_in, "{path}");
        }
        let answer = visitor.request(Method::GET, path).send().await.unwrap();
        assert_eq!(problem(answer).await.0, ProblemName::NotFound, "{path}");
        let head = visitor.load("", Method::HEAD, path).await;
        assert_eq!(head.status(), StatusCode::NOT_FOUND, "{path}");
        let post = visitor.load("", Method::POST, path).await;
        assert_eq!(post.status(), StatusCode::NOT_FOUND, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_slash_too_many_leads_to_the_page() {
    let server = Server::start().await;
    let visitor = Visitor::of(&server);
    for (path, to) in [
        ("/chats/", "/chats"),
        ("/chats/?show=drifted", "/chats?show=drifted"),
        ("/settings/users//", "/settings/users"),
    ] {
        let answer = visitor.load("", Method::GET, path).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        assert_eq!(answer.headers()[LOCATION], to);
    }
    server.stop().await;
}

#[tokio::test]
async fn files_that_browsers_and_robots_look_for() {
    let server = Server::start().await;
    let visitor = Visitor::of(&server);
    let icon = visitor.load("", Method::GET, "/favicon.ico").await;
    assert_eq!(icon.status(), StatusCode::SEE_OTHER);
    let icon = icon.headers()[LOCATION].to_str().unwrap().to_owned();
    let icon = visitor.load("", Method::GET, &icon).await;
    assert_eq!(icon.headers()[CONTENT_TYPE], "image/svg+xml");
    let robots = visitor.load("", Method::GET, "/robots.txt").await;
    assert_eq!(robots.text().await.unwrap(), "User-agent: *\nDisallow: /\n");
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let server = Server::start().await;
    let visitor = Visitor::of(&server);
    let browser = Browser::sign_in(&server, &server.token).await;
    for (method, path, allow) in [
        (Method::GET, "/sign-out", "POST"),
        (Method::GET, "/chats/moves", "POST"),
        (Method::GET, "/settings/tokens", "POST"),
        (Method::PUT, "/chats", "GET,HEAD,POST"),
        (Method::DELETE, "/", "GET,HEAD"),
        (Method::OPTIONS, "/search", "GET,HEAD"),
    ] {
        for cookies in ["", &browser.cookies] {
            let answer = visitor.load(cookies, method.clone(), path).await;
            assert_eq!(answer.headers()[ALLOW], allow, "{method} {path}");
            let status = StatusCode::METHOD_NOT_ALLOWED;
            check_page(answer, status, "There is nothing to see here").await;
        }
    }
    for (method, path, allow) in [
        (Method::OPTIONS, "/api/v1/chats", "POST,GET,HEAD"),
        (Method::DELETE, "/api/v1/audit", "GET,HEAD"),
    ] {
        let answer = visitor.load("", method, path).await;
        assert_eq!(answer.headers()[ALLOW], allow, "{path}");
        assert_eq!(problem(answer).await.0, ProblemName::MethodNotAllowed);
    }
    server.stop().await;
}

#[tokio::test]
async fn wrong_parameters_are_a_page_that_says_so() {
    let server = Server::start().await;
    let visitor = Visitor::of(&server);
    let owner = Browser::sign_in(&server, &server.token).await;
    let other = Browser::of_user(&server, "mira", &["member"], &["read", "write"]).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&Workspace::with_agents_md("/w", "one\n")).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    agent.push(&Workspace::with_agents_md("/w", "two\n")).await;
    let agent = agent.id;
    let nobody = "00000000-0000-0000-0000-000000000001";
    let first = "00000000-0000-7000-8000-000000000000";
    let long = "x".repeat(3_000);

    let (gone, wrong) = ("This is not here", "This address is not right");
    let check = async |browser: &Browser<'_>, path: String, heading: &str| {
        let answer = visitor.load(&browser.cookies, Method::GET, &path).await;
        let status = match heading == gone {
            true => StatusCode::NOT_FOUND,
            false => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let page = check_page(answer, status, heading).await;
        assert!(page.contains("action=\"/sign-out\""), "{path}: {page}");
    };
    let of_chat = [
        "",
        "/context",
        "/prompt",
        "/prompt/raw",
        "/turns",
        "/history",
        "/settings",
        "/delete",
        "/history/compare?from=1&to=2",
        "/context/0000000000000000/file?path=a",
    ];
    for page in of_chat {
        for id in ["x", nobody, &long, "%ff", "%00", &agent.to_string()] {
            check(&owner, format!("/chats/{id}{page}"), gone).await;
        }
        check(&other, format!("/chats/{chat}{page}"), gone).await;
    }
    for id in ["x", nobody, &long, &chat.to_string()] {
        check(&owner, format!("/workspaces/{id}"), gone).await;
    }
    check(&other, format!("/workspaces/{agent}"), gone).await;
    check(&owner, "/changes/x".into(), gone).await;
    // A change that was decided looks the same as one that never was.
    let decided = owner.get(&format!("/changes/{}", "0".repeat(32)));
    let decided = decided.send().await.unwrap();
    assert_eq!(decided.status(), StatusCode::NOT_FOUND);
    let decided = decided.text().await.unwrap();
    assert!(
        decided.contains(">This change is decided</h1>"),
        "{decided}"
    );
    // A number that somebody types says nothing.
    let made_up = owner.get(&format!("/changes/{}?taken=7", "0".repeat(32)));
    let made_up = made_up.send().await.unwrap();
    assert_eq!(made_up.status(), StatusCode::NOT_FOUND);
    assert!(!made_up.text().await.unwrap().contains("Taken for"));
    // Each list refuses the cursor of another list, and shows no empty page after its end.
    for (list, ended) in [
        ("/chats?", Some(first)),
        (
            "/chats?show=drifted&",
            Some(&format!("4000000000000000_{first}")),
        ),
        ("/workspaces?", Some(first)),
        ("/settings?", Some(first)),
        ("/settings/users?", Some(first)),
        ("/settings/audit?", Some(first)),
        (&format!("/chats/{chat}/turns?"), Some("1")),
        (&format!("/chats/{chat}/history?"), Some("1")),
        ("/?", None),
    ] {
        if let Some(ended) = ended {
            check(&owner, format!("{list}cursor={ended}"), gone).await;
        }
        for cursor in ["x", "", "0x1", "%ff", &long] {
            check(&owner, format!("{list}cursor={cursor}"), wrong).await;
        }
        check(&owner, format!("{list}page=0"), wrong).await;
        check(&owner, format!("{list}cursor=a&cursor=b"), wrong).await;
    }
    let path = format!("/chats/{chat}");
    // A place in one order is none in another, and a page has one end.
    for query in [
        format!("/chats?show=drifted&cursor={first}"),
        format!("/chats?cursor=1_{first}"),
        "/chats?before=x".to_owned(),
        format!("/chats?cursor={first}&before={first}"),
    ] {
        check(&owner, query, wrong).await;
    }
    for query in [
        "/chats?show=x",
        "/chats?agent=x",
        "/chats?show=drifted&show=error",
        "/search?p=1",
        &format!("/workspaces/{agent}?from=x"),
        &format!("{path}?x=1"),
        &format!("{path}/context?resource=x"),
        &format!("{path}/history/compare"),
        &format!("{path}/history/compare?from=1"),
        &format!("{path}/history/compare?from=1&to=99"),
        &format!("{path}/history/compare?from=0&to=1"),
        &format!("{path}/history/compare?from=x&to=1"),
        &format!("{path}/history/compare?from=99999999999999999999&to=1"),
    ] {
        check(&owner, query.to_owned(), wrong).await;
    }
    server.stop().await;
}
