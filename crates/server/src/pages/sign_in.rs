//! Signing in and out.

use askama::Template;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ctxpin_model::browser;
use ctxpin_model::pass::Pass;
use ctxpin_model::token::Token;
use ctxpin_model::user::UserRecord;
use ctxpin_operations::people;
use ctxpin_operations::sign_in::{self, IssuedPass};
use ctxpin_protocol::problem::ProblemName;
use serde::Deserialize;
use url::form_urlencoded;

use super::answer::{elsewhere, see_other};
use super::caller::Choices;
use super::done::forgetting;
use super::fields::Fields;
use super::form::{PageForm, Wants, own_fields};
use super::frame::{Frame, html};
use super::local_path::local_path;
use super::parts::text::Text;
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::authority::{OwnOrigin, RequestAuthority};
use crate::page_session::{PageSession, delete_cookie, own_origin, set_cookie};
use crate::params::QueryParams;
use crate::request_memory::RequestMemory;

/// The most bytes of a path in the form. With a token, the form then has less than 1 KiB, which is the most that the
/// server reads of somebody who is not signed in.
const NEXT_BYTES_MAX: usize = 768;

/// The page that signs a browser in.
#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    next: String,
    /// Why the last attempt failed.
    failure: Option<String>,
    /// The name of the user who is signed in already.
    user: Option<String>,
    /// Whether the server is that of `ctxpin up`, whose commands find its token by themselves.
    is_of_up: bool,
    /// The command by which an admin makes a token for another user.
    make_token: String,
}

impl SignInPage {
    fn new(
        app: &App,
        authority: &RequestAuthority,
        choices: Choices,
        next: String,
        failure: Option<String>,
        user: Option<String>,
    ) -> ApiResult<Self> {
        let page_host = app.page_host.as_deref();
        let address = authority.command_address(&app.public_urls, page_host)?;
        Ok(Self {
            frame: Frame::anonymous("Sign in", choices, app.now()),
            next,
            failure,
            user,
            is_of_up: page_host.is_some(),
            make_token: format!("CTXPIN_SERVER={address} ctxpin token create --user NAME"),
        })
    }
}

/// The page that asks before a link signs in another user. A person whom somebody's link signed in unasked would
/// work in that account without noticing.
#[derive(Template)]
#[template(path = "sign_in_instead.html")]
struct SignInInsteadPage {
    frame: Frame,
    next: String,
    question: Question,
}

/// Who is signed in, and who would be.
struct Question {
    code: String,
    /// The user who is signed in.
    before: UserRecord,
    /// The user whom the code signs in.
    after: UserRecord,
}

impl Question {
    fn before(&self) -> Text<&str> {
        Text(&self.before.name)
    }

    fn after(&self) -> Text<&str> {
        Text(&self.after.name)
    }
}

/// What a form leads to.
enum Begun {
    Session(IssuedPass),
    Question(Question),
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SignInQuery {
    /// The path of the page to show then.
    next: Option<String>,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    parts: Parts,
    QueryParams(query): QueryParams<SignInQuery>,
) -> ApiResult<Response> {
    let next = next_path(query.next.as_deref()).to_owned();
    let choices = Choices::read(&parts.headers);
    let authority = RequestAuthority::read(&parts);
    let user = signed_in_user(&parts, &app).await;
    let page = SignInPage::new(&app, &authority, choices, next, None, user)?;
    html(&page)
}

/// Returns the name of the user who is signed in. The page that signs in needs nobody, and shows also if the session
/// cannot be read.
async fn signed_in_user(parts: &Parts, app: &App) -> Option<String> {
    let session = PageSession::find(parts, app).await.ok().flatten()?;
    let me = people::me(&app.service, session.credential).await;
    me.ok().map(|(user, _)| user.name)
}

/// Returns the path of the page to show after signing in. If the address is too long for the form, it is that of the
/// page without its query.
fn next_path(asked: Option<&str>) -> &str {
    let path = local_path(asked);
    let fits = |path: &&str| {
        let sent = form_urlencoded::byte_serialize(path.as_bytes());
        sent.map(str::len).sum::<usize>() <= NEXT_BYTES_MAX
    };
    let page = path.split('?').next().unwrap_or(path);
    let mut paths = [path, page].into_iter();
    paths.find(fits).unwrap_or("/")
}

/// Exchanges a token or a one-time code for a session.
pub(crate) async fn sign_in(State(app): State<App>, request: Request) -> ApiResult<Response> {
    let wants = Wants::read(request.headers());
    let choices = Choices::read(request.headers());
    let (parts, body) = request.into_parts();
    let origin = own_origin(&parts, &app)?;
    let authority = RequestAuthority::read(&parts);
    let memory = RequestMemory::of(&parts)?.clone();
    let before = session_before(&parts, &app).await?;
    let browser = parts.headers.get(USER_AGENT);
    let browser = browser.and_then(|agent| browser::in_words(agent.to_str().ok()?));
    let fields = own_fields(Request::from_parts(parts, body), &app).await?;
    let next = local_path(fields.get("next")).to_owned();
    let _turn = memory.turn().await?;
    let failure = match begin(&app, before.as_ref(), &fields, browser.as_deref()).await {
        Ok(Begun::Session(session)) => {
            if let Some(before) = before {
                sign_in::sign_out(&app.service, &before.pass).await?;
            }
            let mut response = elsewhere(wants, &next);
            let cookie = session_cookie(&app, &origin, &session)?;
            response.headers_mut().insert(SET_COOKIE, cookie);
            return Ok(forgetting(response));
        }
        Ok(Begun::Question(question)) => {
            let mut response = html(&SignInInsteadPage {
                frame: Frame::anonymous("Sign in", choices, app.now()),
                next,
                question,
            })?;
            *response.status_mut() = StatusCode::CONFLICT;
            return Ok(response);
        }
        Err(failure) => failure,
    };
    if wants == Wants::Fragment {
        return Err(failure);
    }
    let problem = failure.into_problem();
    if problem.name() != Some(ProblemName::Unauthenticated) {
        return Err(problem.into());
    }
    let failure = Some(problem.detail);
    let page = SignInPage::new(&app, &authority, choices, next, failure, None)?;
    let mut response = html(&page)?;
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    Ok(response)
}

/// Returns the session that the browser has already. `None` if it has ended.
async fn session_before(parts: &Parts, app: &App) -> ApiResult<Option<PageSession>> {
    match PageSession::find(parts, app).await {
        Err(refusal) if refusal.name() == Some(ProblemName::Unauthenticated) => Ok(None),
        found => found,
    }
}

/// Starts a session with a one-time code or a token. Asks first if a code signs in another user than `before`.
async fn begin(
    app: &App,
    before: Option<&PageSession>,
    fields: &Fields,
    browser: Option<&str>,
) -> ApiResult<Begun> {
    let unknown = |detail| ApiError::new(ProblemName::Unauthenticated, detail);
    let _turn = app.callers.turn().await;
    let Some(text) = fields.filled("code") else {
        let token = fields
            .filled("token")
            .and_then(|text| text.parse::<Token>().ok());
        let token = token.ok_or_else(|| unknown("This is not a token of ctxpin."))?;
        let session = sign_in::with_token(&app.service, token.credential(), browser).await?;
        return Ok(Begun::Session(session));
    };
    let code: Pass = text
        .parse()
        .map_err(|_| unknown("This is not a one-time code of ctxpin."))?;
    if let Some(before) = before
        && let Ok((before, _)) = people::me(&app.service, before.credential).await
    {
        let after = sign_in::code_user(&app.service, &code).await?;
        let is_agreed = fields.get("instead") == Some(before.id.to_string().as_str());
        if after.id != before.id && !is_agreed {
            return Ok(Begun::Question(Question {
                code: text.to_owned(),
                before,
                after,
            }));
        }
    }
    let session = sign_in::with_code(&app.service, &code, browser).await?;
    Ok(Begun::Session(session))
}

fn session_cookie(app: &App, origin: &OwnOrigin, session: &IssuedPass) -> ApiResult<HeaderValue> {
    let (now, end) = (app.now(), session.expires_at);
    let lifetime = end
        .since_unix_epoch()
        .saturating_sub(now.since_unix_epoch());
    let cookie = set_cookie(&session.pass, lifetime, origin);
    cookie.ok_or_else(|| ApiError::new(ProblemName::Internal, "The session has no cookie."))
}

/// Ends the session.
pub(crate) async fn sign_out(State(app): State<App>, request: Request) -> ApiResult<Response> {
    let (parts, body) = request.into_parts();
    let origin = own_origin(&parts, &app)?;
    let form = PageForm::from_request(Request::from_parts(parts, body), &app).await?;
    sign_in::sign_out(&app.service, &form.caller.session.pass).await?;
    let mut response = see_other("/sign-in").into_response();
    if let Some(cookie) = delete_cookie(&origin) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(forgetting(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_fits_into_the_form() {
        let check = |asked: &str, expected: &str| assert_eq!(next_path(Some(asked)), expected);
        check("/chats?show=drifted", "/chats?show=drifted");
        check("https://evil.example/", "/");
        let query = "%D0%B6".repeat(200);
        check(&format!("/search?q={query}"), "/search");
        check(&format!("/{query}"), "/");
        check(&format!("/{query}?q=1"), "/");
    }
}
