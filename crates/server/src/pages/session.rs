//! The session of a browser: a cookie that stands for a token.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::token::{Credential, Token};
use ctxpin_protocol::problem::ProblemName;

use crate::api_error::{ApiError, ApiResult};

/// The cookie of a session.
const SESSION: &str = "ctxpin-session";

/// A session with the value that only its pages hold. A write must send it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub credential: Credential,
    pub page_value: String,
}

/// Returns the session of a request.
///
/// # Errors
///
/// Returns `unauthenticated` if there is no cookie.
pub(crate) fn session(headers: &HeaderMap) -> ApiResult<Session> {
    let token = cookie(headers, SESSION).and_then(|text| text.parse::<Token>().ok());
    let token = token
        .ok_or_else(|| ApiError::new(ProblemName::Unauthenticated, "Sign in to see this page."))?;
    Ok(Session {
        credential: token.credential(),
        page_value: BlobHash::of(format!("page {}", token.reveal()).as_bytes()).hex(),
    })
}

/// Returns whether a request has the cookie of a session.
pub(crate) fn has_session(headers: &HeaderMap) -> bool {
    cookie(headers, SESSION).is_some()
}

/// Returns the cookie that begins a session with a token.
pub(crate) fn begin(token: &Token) -> String {
    format!(
        "{SESSION}={}; Path=/; HttpOnly; SameSite=Strict",
        token.reveal()
    )
}

/// Returns the cookie that ends a session.
pub(crate) fn end() -> String {
    format!("{SESSION}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// Returns the value of a cookie.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).into_iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}
