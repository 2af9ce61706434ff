//! What a write has done, on the page that a browser without the script sees next. A cookie carries the sentence there.

use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use ctxpin_model::limits::cut;
use url::form_urlencoded::{self, byte_serialize};

use crate::page_session::{cookie, cookie_text};

/// The cookie with the sentence that the next page shows.
const DONE_COOKIE: &str = "ctxpin-done";

/// The most bytes of such a sentence. A cookie may have 4,096, and each may become three.
const DONE_BYTES_MAX: usize = 400;

/// Lets the next page of the browser show what was done. The browser forgets it with that page, or after five seconds.
pub(crate) fn saying(response: Response, done: &str) -> Response {
    let done: String = byte_serialize(cut(done, DONE_BYTES_MAX).as_bytes()).collect();
    with_cookie(response, &done, 5)
}

/// Lets the next page say nothing of what another user has done.
pub(crate) fn forgetting(response: Response) -> Response {
    with_cookie(response, "", 0)
}

/// Lets later pages say nothing of what this one has said. A response that is no page has said nothing.
pub(crate) fn said(response: Response) -> Response {
    let kind = response.headers().get(CONTENT_TYPE);
    match kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        true => with_cookie(response, "", 0),
        false => response,
    }
}

fn with_cookie(mut response: Response, done: &str, seconds: u64) -> Response {
    let cookie = cookie_text(DONE_COOKIE, done, seconds, false);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Returns what the page before has done, if it has just done something.
pub(crate) fn done_before(headers: &HeaderMap) -> Option<String> {
    let value = cookie(headers, DONE_COOKIE)?;
    let (done, _) = form_urlencoded::parse(value.as_bytes()).next()?;
    Some(done.into_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE;

    use super::*;

    #[test]
    fn the_next_page_says_what_was_done() {
        let check = |done: &str, expected: &str| {
            let response = saying(Response::default(), done);
            let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
            let (pair, _) = cookie.split_once(';').unwrap();
            let headers = [(COOKIE, HeaderValue::from_str(pair).unwrap())];
            let found = done_before(&headers.into_iter().collect());
            assert_eq!(found.as_deref(), Some(expected));
        };
        check("Took AGENTS.md.", "Took AGENTS.md.");
        check("Renamed to 10 % = a & b; é", "Renamed to 10 % = a & b; é");
        check(&"é".repeat(900), &"é".repeat(DONE_BYTES_MAX / 2));
        assert_eq!(done_before(&HeaderMap::new()), None);
    }
}
