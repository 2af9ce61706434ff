//! Problems as pages: what is wrong, why, and the command to copy.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ctxpin_protocol::problem::{Problem, ProblemName};
use url::form_urlencoded;

use super::answer::see_other;
use super::caller::Choices;
use super::form::Wants;
use super::frame::{Frame, html};
use crate::app::App;

/// Nothing but files of this server, and no script or style inside a page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
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
    detail: &'p str,
    command: Option<&'static str>,
    /// Whether the page tries again by itself.
    is_passing: bool,
}

/// A problem as the answer to a write of the script.
#[derive(Template)]
#[template(path = "failed.html")]
struct Failed<'p> {
    detail: &'p str,
}

/// Shows problems as pages, and sets the headers that protect pages.
pub(crate) async fn show_problems(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    let wants = Wants::read(request.headers());
    let choices = Choices::read(request.headers());
    let path = request.uri().path_and_query().map(ToString::to_string);
    let is_read = request.method() == Method::GET;
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = match (problem.name(), wants) {
            (Some(ProblemName::Unauthenticated), Wants::Page) => {
                see_other(&sign_in_path(path.as_deref().filter(|_| is_read)))
            }
            _ => shown(&app, &problem, wants, choices),
        };
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, REFERRER);
    headers.insert(OPENER, HeaderValue::from_static("same-origin"));
    response
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

fn shown(app: &App, problem: &Problem, wants: Wants, choices: Choices) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let detail = problem.detail.as_str();
    let page = match wants {
        Wants::Fragment => html(&Failed { detail }),
        Wants::Page => {
            let (heading, command) = advice(problem.name());
            html(&ProblemPage {
                frame: Frame::anonymous(heading, choices, app.now()),
                heading,
                detail,
                command,
                is_passing: status == StatusCode::SERVICE_UNAVAILABLE,
            })
        }
    };
    let mut response = page.unwrap_or_else(IntoResponse::into_response);
    *response.status_mut() = status;
    response
}

/// Returns what is wrong in a few words, and the command that helps.
fn advice(name: Option<ProblemName>) -> (&'static str, Option<&'static str>) {
    match name {
        Some(ProblemName::NotFound) => ("This is not here", None),
        Some(ProblemName::Forbidden) => (
            "You may not do this",
            Some("ctxpin token create --scope read --scope write"),
        ),
        Some(ProblemName::Unavailable | ProblemName::Busy) => {
            ("The server cannot answer now", None)
        }
        Some(ProblemName::PreconditionFailed) => ("This has changed meanwhile", None),
        _ => ("This did not work", None),
    }
}

#[cfg(test)]
mod tests {
    use super::sign_in_path;

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
}
