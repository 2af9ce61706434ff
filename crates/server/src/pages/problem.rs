//! Problems as pages: what is wrong, why, and the command to copy.

use std::time::Duration;

use askama::Template;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ctxpin_listener::Connection;
use ctxpin_protocol::convert::refusals::{NOT_OWNER, REASON, SCOPE_MISSING};
use ctxpin_protocol::problem::{Problem, ProblemName};
use serde_json::Value;
use tokio::time::timeout;
use url::form_urlencoded;

use super::answer::see_other;
use super::caller::{Choices, FoundCaller, PageCaller};
use super::done::said;
use super::form::Wants;
use super::frame::{Frame, html};
use super::local_path::{form_path, local_path};
use super::parts::text::{PathText, Text};
use super::told::Told;
use super::unsent::{InVain, SentForm, delete_unsent, take_key};
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;

/// The longest wait for the frame of a signed-in caller. After it, the page of a problem has that of a stranger.
const FRAME_TIME_MAX: Duration = Duration::from_secs(2);

/// Nothing but files of this server, and no script or style inside a page. The icon is a `data:` URL.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// Other servers learn nothing of a page that led to them. `no-referrer` would also take the origin from the
/// server's own forms, which [`super::form`] checks.
const REFERRER: HeaderValue = HeaderValue::from_static("same-origin");

/// A page of another origin that opened ours, or that ours opened, gets no handle on it.
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The page of a problem.
#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'p> {
    frame: Frame,
    heading: &'static str,
    /// What the sentence is about: a part of the address, as the reader sees it there, or a field of a form.
    what: Option<&'p str>,
    told: &'p Told,
    command: Option<&'static str>,
    /// Whether the page tries again by itself.
    is_passing: bool,
    /// The path of the page that sent a form.
    back: Option<&'p str>,
    /// The path and the name of the list to which a page at this address would belong.
    place: (&'static str, &'static str),
}

/// The page of an address that the server does not have. Nothing on it leads to a page there.
#[derive(Template)]
#[template(path = "misdirected.html")]
struct MisdirectedPage<'p> {
    frame: Frame,
    heading: &'static str,
    told: &'p Told,
    command: Option<&'static str>,
}

/// A problem as the answer to a write of the script.
#[derive(Template)]
#[template(path = "failed.html")]
struct Failed<'p> {
    told: &'p Told,
}

/// Shows problems as pages if a person asked, and leaves them as they are for the clients of the API.
pub(crate) async fn show_problems_to_people(
    app: State<App>,
    request: Request,
    next: Next,
) -> Response {
    match is_for_people(request.uri(), request.headers()) {
        true => show_problems(app, request, next).await,
        false => next.run(request).await,
    }
}

/// Returns whether a request expects a page.
fn is_for_people(uri: &Uri, headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).iter();
    let mut accepts = accepts.filter_map(|value| value.to_str().ok());
    let is_of_api = uri.path().starts_with("/api/");
    !is_of_api && accepts.any(|value| value.contains("text/html"))
}

/// Returns the response to a path that no route has. A browser that added a slash is led to the path without it.
pub(crate) async fn unknown_page(State(app): State<App>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let mut detail = "This path does not exist; /api/v1/openapi.json lists all paths.";
    if is_for_people(&parts.uri, &parts.headers) {
        if let Some(path) = without_slash(&parts.uri).filter(|_| is_read(&parts.method)) {
            return see_other(&path);
        }
        // The page's frame is that of the caller. A stranger gets the page too.
        let _ = PageCaller::from_request_parts(&mut parts, &app).await;
        detail = "No page has this address. It may be mistyped, or of another release.";
    }
    ApiError::new(ProblemName::NotFound, detail).into_response()
}

/// Returns the response to a method that no page of the path supports. The router adds `Allow`.
pub(crate) async fn unknown_method() -> ApiError {
    ApiError::new(
        ProblemName::MethodNotAllowed,
        "This address does not answer requests of this kind. If you loaded it by itself: pages send their forms here.",
    )
}

/// Returns the path and the query of an address without the slashes at the end of the path. `None` if there is no
/// such slash, or if the rest is no path of this server.
fn without_slash(uri: &Uri) -> Option<String> {
    let path = uri.path().strip_suffix('/')?.trim_end_matches('/');
    let is_own = !path.is_empty() && local_path(Some(path)) == path;
    let query = uri.query().map(|query| format!("?{query}"));
    is_own.then(|| format!("{path}{}", query.unwrap_or_default()))
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Shows problems as pages, and sets the headers that protect pages.
pub(crate) async fn show_problems(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = FoundCaller::default();
    request.extensions_mut().insert(caller.clone());
    let sent = SentForm::default();
    request.extensions_mut().insert(sent.clone());
    // A reader who has to sign in first goes on with the key.
    let path = request.uri().path_and_query().map(ToString::to_string);
    take_key(&mut request);
    let mut delete_unsent = delete_unsent(&request);
    let wants = Wants::read(request.headers());
    let choices = Choices::read(request.headers());
    let back = form_path(request.headers());
    let is_read = is_read(request.method());
    let connection = request.extensions().get::<Connection>().cloned();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let mut told = Told::new(&problem);
        response = match (problem.name(), wants) {
            (Some(ProblemName::Unauthenticated), Wants::Page) => {
                // A browser goes to another page instead of getting 401, which would count.
                connection.unwrap_or_default().note_refused();
                let page = if is_read { path } else { back };
                let mut response = see_other(&sign_in_path(page.as_deref()));
                if let Some(cookie) = sent.kept_for_sign_in() {
                    response.headers_mut().insert(SET_COOKIE, cookie);
                }
                response
            }
            (Some(ProblemName::Misdirected), Wants::Page) => {
                let (heading, command) = match app.page_host {
                    Some(_) => LINK_NEEDED,
                    None => advice(problem.name(), is_read),
                };
                let page = MisdirectedPage {
                    frame: Frame::anonymous(heading, choices, app.now()),
                    heading,
                    told: &told,
                    command,
                };
                with_status(html(&page), response.status())
            }
            (name, Wants::Page) => {
                let is_text = is_read && is_for(&problem, NOT_OWNER);
                let (heading, command) = match name {
                    _ if is_text => ("You may see that this changed, not what", None),
                    name => advice(name, is_read),
                };
                // Another token helps where a scope is missing, and not where a role is.
                let is_helped =
                    name != Some(ProblemName::Forbidden) || is_for(&problem, SCOPE_MISSING);
                if is_text {
                    told.detail = "Texts are for the owner of the chat.".to_owned();
                }
                // The page of the form shows what is so now, with what was typed and the choices that are still possible.
                let why = match told.is_stale {
                    true => InVain::Stale,
                    false => InVain::Refused,
                };
                let back = back.filter(|_| !is_read);
                let kept = back.as_deref();
                let kept = kept.and_then(|back| sent.kept_for_link(why, back));
                let status = response.status();
                let page = ProblemPage {
                    frame: frame(&app, status, caller.get(), choices, heading).await,
                    heading,
                    what: match is_read {
                        true => told.field.as_deref(),
                        false => told.label(),
                    },
                    told: &told,
                    command: command.filter(|_| is_helped),
                    is_passing: status == StatusCode::SERVICE_UNAVAILABLE,
                    back: kept.as_ref().map(|kept| &*kept.link).or(back.as_deref()),
                    place: place(path.as_deref().unwrap_or_default()),
                };
                let mut response = with_status(html(&page), status);
                if let Some(kept) = kept {
                    response.headers_mut().insert(SET_COOKIE, kept.cookie);
                    delete_unsent = None;
                }
                response
            }
            (_, Wants::Fragment) => with_status(html(&Failed { told: &told }), response.status()),
        };
    }
    if is_read && wants == Wants::Page && caller.get().is_some_and(|caller| caller.done.is_some()) {
        response = said(response);
    }
    let headers = response.headers_mut();
    // The first page of whoever has signed in shows the form, or forgets another user's.
    if let (Some(cookie), Some(_)) = (delete_unsent, caller.get()) {
        headers.append(SET_COOKIE, cookie);
    }
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, REFERRER);
    headers.insert(OPENER, HeaderValue::from_static("same-origin"));
    response
}

/// Returns the path and the name of the list to which the page of a path belongs.
fn place(path: &str) -> (&'static str, &'static str) {
    match path.split(['/', '?']).nth(1) {
        Some("changes") => ("/", "All changes"),
        Some("workspaces") => ("/workspaces", "All workspaces"),
        Some("search") => ("/search", "Search"),
        Some("settings") => ("/settings", "Settings"),
        _ => ("/chats", "All chats"),
    }
}

/// Returns the path of the sign-in page that leads back to `next`.
fn sign_in_path(next: Option<&str>) -> String {
    match next {
        None | Some("/") => "/sign-in".to_owned(),
        Some(next) => {
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            format!("/sign-in?next={next}")
        }
    }
}

fn with_status(page: ApiResult<Response>, status: StatusCode) -> Response {
    let mut response = page.unwrap_or_else(IntoResponse::into_response);
    *response.status_mut() = status;
    response
}

/// Returns the frame of the caller. It is that of a stranger if the server failed, because reading the caller's
/// would fail as well.
async fn frame(
    app: &App,
    status: StatusCode,
    caller: Option<&PageCaller>,
    choices: Choices,
    heading: &str,
) -> Frame {
    if let Some(caller) = caller.filter(|_| !status.is_server_error()) {
        let read = timeout(FRAME_TIME_MAX, Frame::read_of_problem(app, caller, heading)).await;
        if let Ok(Ok(frame)) = read {
            return frame;
        }
    }
    Frame::anonymous(heading, choices, app.now())
}

/// The advice for a page that only a link leads to.
const LINK_NEEDED: (&str, Option<&str>) = ("The page is not at this address", Some("ctxpin open"));

/// Returns whether a problem is a refusal for this reason.
fn is_for(problem: &Problem, reason: &str) -> bool {
    problem.members.get(REASON).and_then(Value::as_str) == Some(reason)
}

/// Returns what is wrong in a few words, and the command that helps.
fn advice(name: Option<ProblemName>, is_read: bool) -> (&'static str, Option<&'static str>) {
    match name {
        Some(ProblemName::NotFound) => ("This is not here", None),
        Some(ProblemName::Forbidden) => (
            "You may not do this",
            Some("ctxpin token create --scope read --scope write"),
        ),
        Some(ProblemName::Unavailable | ProblemName::Busy) => {
            ("The server cannot answer now", None)
        }
        Some(ProblemName::MethodNotAllowed) => ("There is nothing to see here", None),
        Some(ProblemName::InvalidRequest) if is_read => ("This address is not right", None),
        Some(ProblemName::PreconditionFailed) => ("This has changed meanwhile", None),
        Some(ProblemName::ObservedChat) => ("The chat is observed", None),
        _ => ("This did not work", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_leads_back() {
        let check = |next, expected: &str| assert_eq!(sign_in_path(next), expected);
        check(None, "/sign-in");
        check(Some("/"), "/sign-in");
        check(
            Some("/chats?show=drifted&cursor=1"),
            "/sign-in?next=%2Fchats%3Fshow%3Ddrifted%26cursor%3D1",
        );
    }

    #[test]
    fn a_page_that_is_gone_leads_to_its_list() {
        let check = |path: &str, expected: &str| assert_eq!(place(path).0, expected, "{path}");
        check("/workspaces/0198", "/workspaces");
        check("/workspaces?show=none", "/workspaces");
        check("/changes/0f85?taken=1", "/");
        check("/settings/tokens/x/revoke", "/settings");
        check("/chats/0198/turns/7", "/chats");
        check("/workspacez", "/chats");
    }

    #[test]
    fn a_slash_at_the_end_is_left_out() {
        let check = |uri: &str, expected: Option<&str>| {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(without_slash(&uri).as_deref(), expected, "{uri}");
        };
        check("/chats/", Some("/chats"));
        check("/chats//?show=drifted", Some("/chats?show=drifted"));
        for none in ["/", "//", "/chats", "//evil.example/", "/\\evil.example/"] {
            check(none, None);
        }
    }

    #[test]
    fn people_ask_for_pages() {
        let check = |path: &str, accept: Option<&'static str>, expected| {
            let accept = accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept)));
            let headers: HeaderMap = accept.into_iter().collect();
            assert_eq!(is_for_people(&path.parse().unwrap(), &headers), expected);
        };
        let browsers = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        check("/chatz", Some(browsers), true);
        check("/api/v1/chatz", Some(browsers), false);
        check("/chatz", Some("*/*"), false);
        check("/chatz", Some("application/json"), false);
        check("/chatz", None, false);
    }
}
