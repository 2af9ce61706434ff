//! Signing in and out.

use askama::Template;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ctxpin_model::token::Token;
use ctxpin_operations::people;
use ctxpin_protocol::problem::ProblemName;
use serde::Deserialize;

use super::answer::{elsewhere, local_path, see_other};
use super::caller::Choices;
use super::form::{PageForm, Wants, own_fields};
use super::frame::{Frame, html};
use super::session;
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::authority::RequestAuthority;
use crate::params::QueryParams;

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
    authority.require_host(&app.public_urls)?;
    html(&SignInPage {
        frame: Frame::anonymous("Sign in", Choices::read(&headers), app.now()),
        next: local_path(query.next.as_deref()).to_owned(),
        failure: None,
    })
}

/// Exchanges a token for a session.
pub(crate) async fn sign_in(State(app): State<App>, request: Request) -> ApiResult<Response> {
    let wants = Wants::read(request.headers());
    let choices = Choices::read(request.headers());
    let fields = own_fields(request, &app).await?;
    let next = local_path(fields.get("next")).to_owned();
    let failure = match begin(&app, fields.filled("token")).await {
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

async fn begin(app: &App, token: Option<&str>) -> ApiResult<HeaderValue> {
    let unknown = || {
        let detail =
            "This token is not known. It may have been revoked, or it belongs to another server.";
        ApiError::new(ProblemName::Unauthenticated, detail)
    };
    let token: Token = token
        .and_then(|token| token.parse().ok())
        .ok_or_else(unknown)?;
    people::identify(&app.service, token.credential(), None).await?;
    HeaderValue::from_str(&session::begin(&token)).map_err(|_| unknown())
}

/// Ends the session.
pub(crate) async fn sign_out(State(app): State<App>, request: Request) -> ApiResult<Response> {
    let _form = PageForm::from_request(request, &app).await?;
    let mut response = see_other("/sign-in").into_response();
    let cookie = HeaderValue::from_str(&session::end());
    if let Ok(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}
