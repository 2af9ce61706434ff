//! The token of a request, or the token that its session stands for.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use ctxpin_model::token::{Credential, Token};
use ctxpin_protocol::problem::{Problem, ProblemName};

use crate::api_error::ApiError;
use crate::app::App;
use crate::page_session::PageSession;
use crate::request_memory::RequestMemory;

/// An extractor of the token in `Authorization: Bearer` (RFC 6750, section 2.1). Without that header, it is the
/// token of the web page's session, and the session's [`Pass`](ctxpin_model::pass::Pass) becomes an extension of
/// the request. The operation checks whether the token is valid.
pub(crate) struct Identity(pub Credential);

impl FromRequestParts<App> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let credential = match parts.headers.contains_key(AUTHORIZATION) {
            true => credential(&parts.headers)?,
            false => match PageSession::of_api(parts, app).await? {
                Some(session) => {
                    parts.extensions.insert(session.pass);
                    session.credential
                }
                None => credential(&parts.headers)?,
            },
        };
        // No later code needs the token or the session.
        parts.headers.remove(AUTHORIZATION);
        parts.headers.remove(COOKIE);
        RequestMemory::of(parts)?.identify(app, credential).await?;
        // The body's extractor looks the token up before it reads a large body.
        parts.extensions.insert(credential);
        Ok(Self(credential))
    }
}

fn credential(headers: &HeaderMap) -> Result<Credential, ApiError> {
    let refused = |detail: &str| Problem::new(ProblemName::Unauthenticated, detail).into();
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(refused(
            "Send a token as `Authorization: Bearer ctxpin_...`.",
        ));
    };
    if values.next().is_some() {
        return Err(refused("Send one `Authorization` header, not several."));
    }
    let token = bearer(value)
        .ok_or_else(|| refused("Send the token as `Authorization: Bearer ctxpin_...`."))?;
    let token: Token = token
        .parse()
        .map_err(|malformed| refused(&format!("The token is {malformed}.")))?;
    Ok(token.credential())
}

/// Returns the token after the scheme, whose case does not matter (RFC 9110, section 11.1).
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "ctxpin_00000000000000000000000000000007_\
        abababababababababababababababababababababababababababababababab";

    fn headers(values: &[&str]) -> HeaderMap {
        let value = |value: &&str| (AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        values.iter().map(value).collect()
    }

    #[test]
    fn accepted_headers() {
        let expected = TOKEN.parse::<Token>().unwrap().credential();
        for scheme in ["Bearer ", "bearer ", "BEARER  "] {
            let found = credential(&headers(&[&format!("{scheme}{TOKEN}")]));
            assert_eq!(found.ok(), Some(expected), "{scheme}");
        }
    }

    #[test]
    fn refused_headers() {
        let whole = format!("Bearer {TOKEN}");
        let check = |values: &[&str], detail: &str| {
            let refusal = credential(&headers(values)).unwrap_err();
            assert_eq!(refusal.name(), Some(ProblemName::Unauthenticated));
            let told = &refusal.problem().detail;
            assert!(told.starts_with(detail), "{values:?}: {told}");
            assert!(!told.contains("abab"), "the secret is told: {told}");
        };
        check(&[], "Send a token as");
        check(&[&whole, &whole], "Send one");
        check(&[TOKEN], "Send the token as");
        check(&["Basic YWI6Y2Q="], "Send the token as");
        check(&["Bearer"], "Send the token as");
        check(&["Bearer "], "The token is not a ctxpin token");
        check(
            &[&whole[..whole.len() - 1]],
            "The token is not a ctxpin token",
        );
        check(&[&format!("{whole} x")], "The token is not a ctxpin token");
    }
}
