//! Who calls: the token of a request.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use ctxpin_model::token::{Credential, Token};
use ctxpin_protocol::problem::{Problem, ProblemName};

use crate::api_error::ApiError;
use crate::app::App;
use crate::request_memory::RequestMemory;

/// What the caller presented in `Authorization: Bearer` (RFC 6750, section 2.1). Whether it opens
/// anything is for the operation to find out.
pub(crate) struct Identity(pub Credential);

impl FromRequestParts<App> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let credential = credential(&parts.headers)?;
        // Nothing behind this one has a use for the token.
        parts.headers.remove(AUTHORIZATION);
        RequestMemory::of(parts)?.identify(app, credential).await?;
        // A large body is read only if it opens anything.
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

/// The token after the scheme, which is spelled in any case (RFC 9110, section 11.1).
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
    fn tokens_that_are_read() {
        let expected = TOKEN.parse::<Token>().unwrap().credential();
        for scheme in ["Bearer ", "bearer ", "BEARER  "] {
            let found = credential(&headers(&[&format!("{scheme}{TOKEN}")]));
            assert_eq!(found.ok(), Some(expected), "{scheme}");
        }
    }

    #[test]
    fn tokens_that_are_refused() {
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
