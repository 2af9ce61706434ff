//! Extractors of JSON bodies.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use ctxpin_model::limits::cut;
use ctxpin_protocol::convert::members::MEMBER_BYTES_MAX;
use ctxpin_protocol::problem::{Problem, ProblemName};
use serde::de::DeserializeOwned;

use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::body::RawBody;
use crate::callers::KnownCaller;
use crate::limits::JSON_VALUES_MAX;

/// The most bytes of a reason in a response.
const REASON_BYTES_MAX: usize = 400;

/// An extractor of a JSON body.
pub(crate) struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let raw = RawBody::from_request(request, app).await?;
        Ok(Self(raw.process(app, parse).await?))
    }
}

/// An extractor that parses and converts a JSON body. A large body is processed in the workshop, so that
/// no other request waits for it.
pub(crate) struct ConvertedBody<T>(pub T);

impl<T: FromBody> FromRequest<App> for ConvertedBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let raw = RawBody::from_request(request, app).await?;
        let converted = raw.process(app, |body| Ok(T::from_body(parse(body)?)));
        Ok(Self(converted.await?))
    }
}

/// A type that is converted from a body.
pub(crate) trait FromBody: Sized + Send + 'static {
    type Body: DeserializeOwned;

    /// Converts the body.
    fn from_body(body: Self::Body) -> Self;
}

impl RawBody {
    /// Processes the body, in the workshop if its sender is known.
    async fn process<T: Send + 'static>(
        self,
        app: &App,
        work: impl FnOnce(&[u8]) -> ApiResult<T> + Send + 'static,
    ) -> ApiResult<T> {
        let Self { body, sender } = self;
        match sender {
            Some(KnownCaller { user, .. }) => {
                let length = body.len() as u64;
                app.service.work(user, length, move || work(&body)).await?
            }
            // The body is short.
            None => work(&body),
        }
    }
}

fn require_json(headers: &HeaderMap) -> ApiResult<()> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    if essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    Err(ApiError::new(
        ProblemName::UnsupportedMediaType,
        "Send the body as JSON with `Content-Type: application/json`.",
    ))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> ApiResult<T> {
    if body.is_empty() {
        return Err(ApiError::new(
            ProblemName::MalformedRequest,
            "The body is empty; send a JSON object, even if it is `{}`.",
        ));
    }
    // Otherwise serde would read a list as the members in their order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::new(
            ProblemName::InvalidRequest,
            "The body is a list; send a JSON object, even if it is `{}`.",
        ));
    }
    if count_values(body) > JSON_VALUES_MAX {
        return Err(ApiError::new(
            ProblemName::TooLarge,
            format!("The body may have at most {JSON_VALUES_MAX} values and members."),
        ));
    }
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        let reason = text.strip_suffix(&place).unwrap_or(&text);
        if !error.is_data() {
            let detail =
                format!("The body is not JSON: {reason}, at line {line}, column {column}.");
            return ApiError::new(ProblemName::MalformedRequest, detail);
        }
        let reason = without_values(reason);
        let detail = format!("The body is not valid: {reason}, at line {line}, column {column}.");
        let problem = Problem::new(ProblemName::InvalidRequest, detail);
        match member_at_fault::<T>(body) {
            Some(member) => problem.with("member", member).into(),
            None => problem.into(),
        }
    })
}

/// Returns the path of the member that is not valid, such as `resources[3].source`. Returns `None` if the fault
/// is not in a member.
///
/// It parses the body again. To keep the path costs an allocation for each member, and a good body should not pay
/// that.
fn member_at_fault<T: DeserializeOwned>(body: &[u8]) -> Option<String> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let error = serde_path_to_error::deserialize::<_, T>(&mut deserializer).err()?;
    let (path, reason) = (error.path().to_string(), error.inner().to_string());
    // The path of these two ends at the object. The name is one of ours.
    let named = ["missing field `", "duplicate field `"];
    let named = named.iter().find_map(|told| reason.strip_prefix(told));
    let named = named.and_then(|rest| rest.split('`').next());
    let is_body = error.path().iter().next().is_none();
    let member = match (is_body, named) {
        (true, named) => named?.to_owned(),
        (false, Some(named)) => format!("{path}.{named}"),
        (false, None) => path,
    };
    Some(cut(&member, MEMBER_BYTES_MAX).to_owned())
}

/// Returns an upper bound of the values and member names in a JSON text. Each but the first follows a comma,
/// a colon or an opening bracket outside a string.
fn count_values(body: &[u8]) -> usize {
    let (mut values, mut is_in_string, mut is_escaped) = (1, false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_in_string => is_escaped = true,
            b'"' => is_in_string = !is_in_string,
            b',' | b':' | b'[' | b'{' if !is_in_string => values += 1,
            _ => {}
        }
    }
    values
}

/// Removes the invalid value from serde's reason, because it may be a secret and reasons are logged. The
/// expected type and the member's name stay.
pub(crate) fn without_values(reason: &str) -> String {
    const EXPECTED: &str = ", expected ";
    let told = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|told| Some((reason.find(told)?, *told)));
    let Some((at, told)) = told else {
        return cut(reason, REASON_BYTES_MAX).to_owned();
    };
    let start = at + told.len();
    // The value may contain this text, but the description of the expected type does not.
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
    fn malformed_bodies() {
        let malformed = ProblemName::MalformedRequest;
        check::<ChatCreate>("", malformed, "The body is empty;");
        check::<ChatCreate>("{", malformed, "The body is not JSON: EOF while parsing");
        check::<ChatCreate>(
            "{\"title\":\n \"s3cret\",}",
            malformed,
            "The body is not JSON: trailing comma, at line 2, column 11.",
        );
        check::<ChatCreate>(
            "{} x",
            malformed,
            "The body is not JSON: trailing characters",
        );
        check::<ChatCreate>(
            "\u{feff}{}",
            malformed,
            "The body is not JSON: expected value",
        );
        let deep = format!("{{\"title\":{}", "[".repeat(100_000));
        check::<ChatCreate>(&deep, ProblemName::InvalidRequest, "The body is not valid");
        let deep = format!("{{\"sources\":{}", "[".repeat(100_000));
        check::<ContextMove>(&deep, malformed, "The body is not JSON: recursion limit");
    }

    #[test]
    fn invalid_bodies() {
        let invalid = ProblemName::InvalidRequest;
        let problem = check::<ChatCreate>(
            r#"{"titel":"s3cret"}"#,
            invalid,
            "The body is not valid: unknown field `titel`, expected one of `client`,",
        );
        assert_eq!(problem.members["member"], "titel");
        let problem = check::<Push>(
            r#"{"epoch":1,"version":1,"facts":{}}"#,
            invalid,
            "The body is not valid: missing field `resources`",
        );
        assert_eq!(problem.members["member"], "resources");
        check::<Push>(
            r#"{"epoch":"s3cret, expected x","version":1}"#,
            invalid,
            "The body is not valid: invalid type: string, expected i64, at line 1,",
        );
        check::<ChatCreate>(
            r#"{"agent_id":"s3cret"}"#,
            invalid,
            "The body is not valid: UUID parsing failed",
        );
        // serde would read a list as the members in their order.
        for body in ["[7]", "[]", " \n[]"] {
            let detail = "The body is a list; send a JSON object, even if it is `{}`.";
            check::<ChatCreate>(body, invalid, detail);
            check::<ContextMove>(body, invalid, detail);
            check::<RefreshFilter>(body, invalid, detail);
        }
        check::<ChatCreate>(
            "\"s3cret\"",
            invalid,
            "The body is not valid: invalid type: string,",
        );
    }

    #[test]
    fn a_problem_names_the_member_at_fault() {
        fn check<T: DeserializeOwned>(body: &str, expected: Option<&str>) {
            let refusal = parse::<T>(body.as_bytes()).err().expect(body);
            let member = refusal.problem().members.get("member").cloned();
            assert_eq!(member, expected.map(Into::into), "{body}");
        }
        check::<ChatCreate>(r#"{"titel":""}"#, Some("titel"));
        check::<ChatCreate>(r#"{"title":7}"#, Some("title"));
        check::<ChatCreate>(r#"{"title":"","title":""}"#, Some("title"));
        check::<ChatCreate>("7", None);
        check::<ContextMove>(r#"{"sources":["",7]}"#, Some("sources[1]"));
        let in_push = |resource: &str| {
            format!(r#"{{"epoch":1,"version":1,"facts":{{}},"resources":[{resource}]}}"#)
        };
        check::<Push>(&in_push(r#"{"kind":[]}"#), Some("resources[0].kind"));
        check::<Push>(&in_push("{}"), Some("resources[0].kind"));
        let long = format!(r#"{{"{}":1}}"#, "n".repeat(1000));
        check::<ChatCreate>(&long, Some(&"n".repeat(MEMBER_BYTES_MAX)));
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
    fn values_are_counted() {
        let count = |body: &str, expected| {
            assert_eq!(count_values(body.as_bytes()), expected, "{body}");
        };
        count("", 1);
        count("7", 1);
        count("[1,2]", 3);
        count(r#"{"a":{"b":[]}}"#, 6);
        count(r#""a,b:[{\"\\""#, 1);
        count(r#"["\\",1]"#, 3);
        let most = format!(r#"{{"sources":[{}]}}"#, ",".repeat(JSON_VALUES_MAX - 4));
        check::<ContextMove>(&most, ProblemName::MalformedRequest, "The body is not JSON");
        let more = format!(r#"{{"sources":[{}]}}"#, ",".repeat(JSON_VALUES_MAX - 3));
        check::<ContextMove>(
            &more,
            ProblemName::TooLarge,
            "The body may have at most 500000 values",
        );
    }
}
