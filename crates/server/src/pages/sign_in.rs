//! Signing in and out.

use askama::Template;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ctxpin_model::token::Token;
use ctxpin_operations::sign_in;
use ctxpin_protocol::problem::ProblemName;
use serde::Deserialize;

use super::answer::{elsewhere, local_path, see_other};
use super::caller::Choices;
use super::form::{Fields, PageForm, Wants, own_fields};
use super::frame::{Frame, html};
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::authority::{OwnOrigin, RequestAuthority};
use crate::page_session::{delete_cookie, own_origin, set_cookie};
use crate::params::QueryParams;
use crate::request_memory::RequestMemory;

/// The page that signs a browser in.
#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    next: String,
    /// Why the last attempt failed.
    failure: Option<String>,
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
    authority: RequestAuthority,
    headers: HeaderMap,
    QueryParams(query): QueryParams<SignInQuery>,
) -> ApiResult<Response> {
    authority.own_origin(&app.public_urls, app.page_host.as_deref())?;
    html(&SignInPage {
        frame: Frame::anonymous("Sign in", Choices::read(&headers), app.now()),
        next: local_path(query.next.as_deref()).to_owned(),
        failure: None,
    })
}

/// Exchanges a token or a one-time code for a session.
pub(crate) async fn sign_in(State(app): State<App>, request: Request) -> ApiResult<Response> {
    let wants = Wants::read(request.headers());
    let choices = Choices::read(request.headers());
    let (parts, body) = request.into_parts();
    let origin = own_origin(&parts, &app)?;
    let memory = RequestMemory::of(&parts)?.clone();
    let fields = own_fields(Request::from_parts(parts, body), &app).await?;
    let next = local_path(fields.get("next")).to_owned();
    let _turn = memory.turn().await?;
    let failure = match begin(&app, &origin, &fields).await {
        Ok(cookie) => {
            let mut response = elsewhere(wants, &next);
            response.headers_mut().insert(SET_COOKIE, cookie);
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
    let mut response = html(&SignInPage {
        frame: Frame::anonymous("Sign in", choices, app.now()),
        next,
        failure: Some(problem.detail),
    })?;
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    Ok(response)
}

/// Starts a session with a one-time code or a token. Returns the cookie.
async fn begin(app: &App, origin: &OwnOrigin, fields: &Fields) -> ApiResult<HeaderValue> {
    let unknown = |detail| ApiError::new(ProblemName::Unauthenticated, detail);
    let _turn = app.callers.turn().await;
    let session = match fields.filled("code") {
        Some(code) => {
            let code = code.parse();
            let code = code.map_err(|_| unknown("This is not a one-time code of ctxpin."))?;
            sign_in::with_code(&app.service, &code).await?
        }
        None => {
            let token = fields
                .filled("token")
                .and_then(|text| text.parse::<Token>().ok());
            let token = token.ok_or_else(|| unknown("This is not a token of ctxpin."))?;
            sign_in::with_token(&app.service, token.credential()).await?
        }
    };
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
    Ok(response)
}
