//! The session of the web page: its cookie, and what a request needs besides it. A browser sends the cookie by
//! itself, also for a request that another site made it send. So a request with it must name one of the server's
//! own hosts, and a write must also come from a page of this server and carry the value that only its pages hold.

use std::time::Duration;

use axum::http::header::{COOKIE, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use ctxpin_model::id::UserId;
use ctxpin_model::pass::Pass;
use ctxpin_model::token::Credential;
use ctxpin_protocol::problem::ProblemName;

use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::authority::{OwnOrigin, RequestAuthority};
use crate::request_memory::RequestMemory;

/// The header with the value of the page, which a write needs.
pub(crate) const PAGE_VALUE: HeaderName = HeaderName::from_static("ctxpin-page");

/// The name of the cookie where the browser uses TLS. The prefix binds it to the host and to TLS (RFC 6265bis,
/// section 4.1.3).
const SECURE_NAME: &str = "__Host-ctxpin";

/// The name of the cookie where the browser uses plain HTTP.
const PLAIN_NAME: &str = "ctxpin";

/// Begins the id of the user in the value of a page.
const USER_BEGIN: char = '.';

/// Returns the value of a user's page. The id at its end protects nothing: it tells whose form it is that comes after
/// the session has ended.
pub(crate) fn page_value_of(value: &str, user: UserId) -> String {
    format!("{value}{USER_BEGIN}{user}")
}

/// Returns the id of the user in the value of a page.
pub(crate) fn user_of_page_value(value: &str) -> Option<&str> {
    page_value_parts(value).1
}

/// Returns the value of the session in that of a page, and the id of the user.
fn page_value_parts(value: &str) -> (&str, Option<&str>) {
    match value.split_once(USER_BEGIN) {
        Some((value, user)) => (value, Some(user)),
        None => (value, None),
    }
}

/// Returns the text of a cookie for all pages of this server alone. Browsers keep it for some seconds, and send it over
/// plain HTTP too unless it is secure.
pub(crate) fn cookie_text(name: &str, value: &str, seconds: u64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// The session of a request, with the origin that the browser sees.
#[derive(Debug, Clone)]
pub(crate) struct PageSession {
    pub pass: Pass,
    /// The token that the session stands for.
    pub credential: Credential,
}

impl PageSession {
    /// Returns the session of a request to one of the server's own hosts. `None` if the request has no cookie of a
    /// session, or a page of another origin has made it without leading the person here.
    ///
    /// # Errors
    ///
    /// Fails if the host is not the server's, or the session has ended. Returns `malformed-request` if the cookie
    /// comes with two values: another port or a sibling of the host may have set one.
    pub async fn find(parts: &Parts, app: &App) -> ApiResult<Option<Self>> {
        let is_there = |name: &str| values(&parts.headers, name).next().is_some();
        if !is_there(SECURE_NAME) && !is_there(PLAIN_NAME) || is_of_another_page(&parts.headers) {
            return Ok(None);
        }
        let origin = own_origin(parts, app)?;
        let name = cookie_name(origin.is_secure);
        let mut texts = values(&parts.headers, name);
        let Some(text) = texts.next() else {
            return Ok(None);
        };
        if texts.any(|another| another != text) {
            let detail = format!(
                "The browser sends two sessions for this host, and one of them may be another person's. \
                 Delete the cookies `{name}` of this host in the browser, and sign in again."
            );
            return Err(ApiError::new(ProblemName::MalformedRequest, detail));
        }
        let Ok(pass) = text.parse() else {
            return Ok(None);
        };
        let credential = RequestMemory::of(parts)?.session(app, &pass).await?;
        Ok(Some(Self { pass, credential }))
    }

    /// Returns the session of an API request.
    ///
    /// # Errors
    ///
    /// Fails like [`Self::find`], and if a write does not come from a page of this session.
    pub async fn of_api(parts: &Parts, app: &App) -> ApiResult<Option<Self>> {
        let Some(session) = Self::find(parts, app).await? else {
            return Ok(None);
        };
        if !is_read(&parts.method) {
            let value = parts.headers.get(PAGE_VALUE);
            let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
            require_own_page(parts, app)?;
            session.require_page_value(value)?;
        }
        Ok(Some(session))
    }

    /// Checks the value that a page sends with a write.
    ///
    /// # Errors
    ///
    /// Fails if it is not the value of this session's pages.
    pub fn require_page_value(&self, value: &str) -> ApiResult<()> {
        match self.pass.is_page_value(page_value_parts(value).0) {
            true => Ok(()),
            false => Err(ApiError::new(
                ProblemName::Forbidden,
                "The page is of another session; reload it.",
            )),
        }
    }
}

/// Returns whether a page of another origin has sent the request, as the browser says (Fetch Metadata). A link there
/// may lead the person here, but an image, a script or a frame there gets nothing of the session. `SameSite` does not
/// keep them off, because all ports of a host are one site.
fn is_of_another_page(headers: &HeaderMap) -> bool {
    let is = |name: &str, words: &[&str]| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| words.contains(&value))
    };
    let is_visit = is("sec-fetch-mode", &["navigate"]) && is("sec-fetch-dest", &["document"]);
    is("sec-fetch-site", &["same-site", "cross-site"]) && !is_visit
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Returns the origin of the server's pages, as the browser that sent the request sees it.
///
/// # Errors
///
/// Fails if the request names a host that is not the server's.
pub(crate) fn own_origin(parts: &Parts, app: &App) -> ApiResult<OwnOrigin> {
    RequestAuthority::read(parts).own_origin(&app.public_urls, app.page_host.as_deref())
}

/// Checks that a write comes from a page of this server.
///
/// # Errors
///
/// Fails if the request names no origin or another one.
pub(crate) fn require_own_page(parts: &Parts, app: &App) -> ApiResult<()> {
    let own = own_origin(parts, app)?;
    let mut origins = parts.headers.get_all(ORIGIN).iter();
    let origin = origins.next().filter(|_| origins.next().is_none());
    let is_own = origin.is_some_and(|origin| origin.as_bytes() == own.origin.as_bytes());
    match is_own {
        true => Ok(()),
        false => Err(ApiError::new(
            ProblemName::Forbidden,
            "The request does not come from a page of this server.",
        )),
    }
}

/// Returns the first value of the cookie with that name.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    values(headers, name).next()
}

/// Iterates over the values of the cookies with that name.
fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let headers = headers.get_all(COOKIE).iter();
    // Programs at other ports of the host may set cookies of any bytes, and they must not hide the others.
    let pairs = headers.flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    let texts = pairs.filter_map(|pair| std::str::from_utf8(pair).ok());
    let pairs = texts.filter_map(|pair| pair.trim().split_once('='));
    pairs.filter_map(move |(found, value)| (found == name).then_some(value))
}

fn cookie_name(is_secure: bool) -> &'static str {
    match is_secure {
        true => SECURE_NAME,
        false => PLAIN_NAME,
    }
}

/// Returns the value of `Set-Cookie` that starts a session in the browser, which keeps the cookie for `lifetime`.
pub(crate) fn set_cookie(
    session: &Pass,
    lifetime: Duration,
    origin: &OwnOrigin,
) -> Option<HeaderValue> {
    set_cookie_for(&session.reveal(), lifetime.as_secs(), origin)
}

/// Returns the value of `Set-Cookie` that deletes the session's cookie.
pub(crate) fn delete_cookie(origin: &OwnOrigin) -> Option<HeaderValue> {
    set_cookie_for("", 0, origin)
}

fn set_cookie_for(value: &str, seconds: u64, origin: &OwnOrigin) -> Option<HeaderValue> {
    let name = cookie_name(origin.is_secure);
    let text = cookie_text(name, value, seconds, origin.is_secure);
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_beside_any_others() {
        let check = |headers: &[&[u8]], expected: &[&str]| {
            let headers = headers
                .iter()
                .map(|header| (COOKIE, HeaderValue::from_bytes(header).unwrap()));
            let headers: HeaderMap = headers.collect();
            assert_eq!(values(&headers, PLAIN_NAME).collect::<Vec<_>>(), expected);
        };
        check(&[b"ctxpin=1"], &["1"]);
        check(&[b"x=\xe9; ctxpin=1"], &["1"]);
        check(&[b"ctxpin=1; x=\xc3\xa9", b"ctxpin=2"], &["1", "2"]);
        check(&[b"ctxpin=\xe9"], &[]);
        check(&[b"xctxpin=1; ctxpin =2; ;=;ctxpin"], &[]);
    }
}
