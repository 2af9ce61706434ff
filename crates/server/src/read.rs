//! The body of a request: how long it may be, how it is compressed, and what it says.

use std::error::Error as StdError;
use std::fmt;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use ctxpin_model::limits::cut;
use ctxpin_protocol::problem::{Problem, ProblemName};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use crate::respond::{Answer, Refusal};

/// Longest body of a push, in bytes, before and after it is decompressed: an agent sends up to
/// 4 MiB along, which is 6 MiB of base64, beside a manifest whose paths and reasons take about
/// 1 KiB for each of 2,000 resources and 4,096 files.
pub(crate) const PUSH_BYTES_MAX: u64 = 12 * 1024 * 1024;

/// Longest body of an upload, in bytes: no file that is stored has more than half of it, and what
/// does not compress may grow a little.
pub(crate) const UPLOAD_BYTES_MAX: u64 = 1024 * 1024;

/// Longest body that moves a pin, in bytes: it may name each of 2,000 sources of 1 KiB.
pub(crate) const MOVE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Longest body of anything else, in bytes: a few names and ids.
pub(crate) const OTHER_BYTES_MAX: u64 = 64 * 1024;

/// Longest part of a reason that is told, in bytes.
const REASON_BYTES_MAX: usize = 400;

/// The longest body of a request, decompressed. Stands in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit(pub u64);

/// A body that is longer than its limit, in bytes.
#[derive(Debug, Clone, Copy)]
struct TooLong(u64);

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body has more than {} bytes", self.0)
    }
}

impl StdError for TooLong {}

impl From<TooLong> for Refusal {
    fn from(TooLong(most): TooLong) -> Self {
        let detail =
            format!("The body may have at most {most} bytes here, before and after decompression.");
        Self::new(ProblemName::TooLarge, detail)
    }
}

/// Bounds the body as it is sent, before anything decompresses it.
pub(crate) async fn bounded(most: BodyLimit, request: Request, next: Next) -> Response {
    let told = request.headers().get(CONTENT_LENGTH);
    let told: Option<u64> = told.and_then(|length| length.to_str().ok()?.parse().ok());
    if told.is_some_and(|told| told > most.0) {
        return Refusal::from(TooLong(most.0)).into_response();
    }
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let mut left = most.0;
    let counted = body.into_data_stream().map(move |piece| {
        let piece = piece.map_err(Box::<dyn StdError + Send + Sync>::from)?;
        left = left
            .checked_sub(piece.len() as u64)
            .ok_or(TooLong(most.0))?;
        Ok::<_, Box<dyn StdError + Send + Sync>>(piece)
    });
    next.run(Request::from_parts(parts, Body::from_stream(counted)))
        .await
}

/// The bytes of a body.
pub(crate) struct Raw(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let limit = request.extensions().get::<BodyLimit>();
        let most = limit.map_or(OTHER_BYTES_MAX, |limit| limit.0);
        check_encoding(request.headers())?;
        let mut body = BytesMut::new();
        let mut pieces = request.into_body().into_data_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| unreadable(&error))?;
            if (body.len() + piece.len()) as u64 > most {
                return Err(TooLong(most).into());
            }
            body.extend_from_slice(&piece);
        }
        Ok(Self(body.freeze()))
    }
}

/// An encoding that is still named was taken off by nobody.
fn check_encoding(headers: &HeaderMap) -> Answer<()> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    match encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        true => Ok(()),
        false => Err(Refusal::new(
            ProblemName::UnsupportedMediaType,
            "A body is compressed with gzip or zstd, or not at all.",
        )),
    }
}

/// Why a body could not be read to its end.
fn unreadable(error: &(dyn StdError + 'static)) -> Refusal {
    let mut causes = std::iter::successors(Some(error), |cause| (*cause).source());
    if let Some(too_long) = causes.find_map(|cause| cause.downcast_ref::<TooLong>()) {
        return (*too_long).into();
    }
    Refusal::new(
        ProblemName::MalformedRequest,
        "The body broke off, or is not compressed as its `Content-Encoding` says.",
    )
}

/// A body in JSON.
pub(crate) struct Given<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Given<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if !is_json(request.headers()) {
            return Err(Refusal::new(
                ProblemName::UnsupportedMediaType,
                "The body is JSON: send it with `Content-Type: application/json`.",
            ));
        }
        let Raw(body) = Raw::from_request(request, state).await?;
        Ok(Self(parse(&body)?))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    if body.is_empty() {
        return Err(Refusal::new(
            ProblemName::MalformedRequest,
            "The body is empty; send a JSON object, even if it is `{}`.",
        ));
    }
    // The shapes could be read from a list too, and an empty one as an object without members:
    // nobody means that.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Refusal::new(
            ProblemName::InvalidRequest,
            "The body is a list; send a JSON object, even if it is `{}`.",
        ));
    }
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        let reason = text.strip_suffix(&place).unwrap_or(&text);
        if !error.is_data() {
            let detail = format!("The body is no JSON: {reason}, at line {line}, column {column}.");
            return Refusal::new(ProblemName::MalformedRequest, detail);
        }
        let reason = without_values(reason);
        let member = named_member(&reason).map(str::to_owned);
        let detail =
            format!("The body cannot be taken: {reason}, at line {line}, column {column}.");
        let mut problem = Problem::new(ProblemName::InvalidRequest, detail);
        if let Some(member) = member {
            problem = problem.with("member", member);
        }
        problem.into()
    })
}

/// Takes the value out of a reason for which it was not taken: a value may be a secret, and a
/// reason is kept in logs. What was expected, and the name of a member, stay.
pub(crate) fn without_values(reason: &str) -> String {
    const EXPECTED: &str = ", expected ";
    let told = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|told| Some((reason.find(told)?, *told)));
    let Some((at, told)) = told else {
        return cut(reason, REASON_BYTES_MAX).to_owned();
    };
    let start = at + told.len();
    // What was expected is in our own words, which hold no such text, unlike the value.
    let expected = reason[start..]
        .rfind(EXPECTED)
        .map_or("", |found| &reason[start + found..]);
    let value = &reason[start..reason.len() - expected.len()];
    let kind = value.split(['"', '`']).next().unwrap_or_default().trim();
    cut(
        &format!("{}{kind}{expected}", &reason[..start]),
        REASON_BYTES_MAX,
    )
    .to_owned()
}

/// The member that a reason names: it is the first thing that stands in backquotes.
fn named_member(reason: &str) -> Option<&str> {
    let named = ["unknown field `", "missing field `", "duplicate field `"];
    let rest = named.iter().find_map(|told| reason.strip_prefix(told))?;
    rest.split_once('`').map(|(member, _)| member)
}

#[cfg(test)]
mod tests {
    use ctxpin_protocol::http::chats::ChatCreate;
    use ctxpin_protocol::http::context::{ContextMove, RefreshFilter};
    use ctxpin_protocol::http::push::Push;

    use super::*;

    fn check<T: DeserializeOwned>(body: &str, name: ProblemName, detail: &str) -> Problem {
        let refusal = parse::<T>(body.as_bytes())
            .err()
            .unwrap_or_else(|| panic!("{body} was taken"));
        assert_eq!(refusal.name(), Some(name), "{body}");
        let told = &refusal.problem().detail;
        assert!(told.starts_with(detail), "{body}: {told}");
        assert!(!told.contains("s3cret"), "a value is told: {told}");
        refusal.problem().clone()
    }

    #[test]
    fn bodies_that_are_no_json() {
        let malformed = ProblemName::MalformedRequest;
        check::<ChatCreate>("", malformed, "The body is empty;");
        check::<ChatCreate>("{", malformed, "The body is no JSON: EOF while parsing");
        check::<ChatCreate>(
            "{\"title\":\n \"s3cret\",}",
            malformed,
            "The body is no JSON: trailing comma, at line 2, column 11.",
        );
        check::<ChatCreate>(
            "{} x",
            malformed,
            "The body is no JSON: trailing characters",
        );
        check::<ChatCreate>(
            "\u{feff}{}",
            malformed,
            "The body is no JSON: expected value",
        );
        let deep = format!("{{\"title\":{}", "[".repeat(100_000));
        check::<ChatCreate>(
            &deep,
            ProblemName::InvalidRequest,
            "The body cannot be taken",
        );
        let deep = format!("{{\"sources\":{}", "[".repeat(100_000));
        check::<ContextMove>(&deep, malformed, "The body is no JSON: recursion limit");
    }

    #[test]
    fn bodies_that_say_what_they_should_not() {
        let invalid = ProblemName::InvalidRequest;
        let problem = check::<ChatCreate>(
            r#"{"titel":"s3cret"}"#,
            invalid,
            "The body cannot be taken: unknown field `titel`, expected one of `client`,",
        );
        assert_eq!(problem.members["member"], "titel");
        let problem = check::<Push>(
            r#"{"epoch":1,"version":1,"facts":{}}"#,
            invalid,
            "The body cannot be taken: missing field `resources`",
        );
        assert_eq!(problem.members["member"], "resources");
        check::<Push>(
            r#"{"epoch":"s3cret, expected x","version":1}"#,
            invalid,
            "The body cannot be taken: invalid type: string, expected i64, at line 1,",
        );
        check::<ChatCreate>(
            r#"{"agent_id":"s3cret"}"#,
            invalid,
            "The body cannot be taken: UUID parsing failed",
        );
        // A list could be taken for the members in their order, and an empty one for none of them.
        for body in ["[7]", "[]", " \n[]"] {
            let detail = "The body is a list; send a JSON object, even if it is `{}`.";
            check::<ChatCreate>(body, invalid, detail);
            check::<ContextMove>(body, invalid, detail);
            check::<RefreshFilter>(body, invalid, detail);
        }
        check::<ChatCreate>(
            "\"s3cret\"",
            invalid,
            "The body cannot be taken: invalid type: string,",
        );
    }

    #[test]
    fn values_are_taken_out_of_reasons() {
        let check = |reason: &str, expected: &str| assert_eq!(without_values(reason), expected);
        check("missing field `a`", "missing field `a`");
        check(
            "invalid type: string \"a\\\", expected b\", expected u64",
            "invalid type: string, expected u64",
        );
        check(
            "invalid value: integer `-5`, expected u64",
            "invalid value: integer, expected u64",
        );
        check(
            "invalid type: null, expected a string",
            "invalid type: null, expected a string",
        );
        check("a: invalid type: string \"b\"", "a: invalid type: string");
    }

    #[test]
    fn encodings() {
        let check = |value: &'static str, ok: bool| {
            let headers = [(CONTENT_ENCODING, value.parse().unwrap())];
            let headers: HeaderMap = headers.into_iter().collect();
            assert_eq!(check_encoding(&headers).is_ok(), ok, "{value}");
        };
        check("identity", true);
        check("br", false);
        check("gzip, zstd", false);
    }
}
