//! Responses to failed requests. Only this module maps failures to problems and so to statuses; an
//! operation's error knows nothing of HTTP.

use std::any::Any;
use std::collections::BTreeMap;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ctxpin_model::access::Refusal;
use ctxpin_model::quota::QuotaExceeded;
use ctxpin_operations::error::{Error, StoreFailure};
use ctxpin_protocol::convert::members::InvalidMember;
use ctxpin_protocol::convert::refusals::with_refusal;
use ctxpin_protocol::problem::{PROBLEM_MEDIA_TYPE, Problem, ProblemName};
use serde_json::Value;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, response};

/// The failure of a request: a problem for the caller, and a cause for the operator.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    problem: Problem,
    cause: Option<String>,
}

/// The result of a handler.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// Returns a problem. `detail` says what went wrong and what the caller can do.
    pub fn new(name: ProblemName, detail: impl Into<String>) -> Self {
        Problem::new(name, detail).into()
    }

    /// Adds an extension member, whose name must not be that of a standard member.
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.problem = self.0.problem.with(member, value);
        self
    }

    /// Returns the problem of a caller who may not do something.
    pub fn forbidden(refusal: Refusal) -> Self {
        let detail = sentence(&refusal.to_string());
        with_refusal(Problem::new(ProblemName::Forbidden, detail), refusal).into()
    }

    /// Returns the problem's name.
    pub fn name(&self) -> Option<ProblemName> {
        self.0.problem.name()
    }

    /// Logs the cause if the server failed, and returns the problem.
    pub fn into_problem(self) -> Problem {
        let Inner { problem, cause } = *self.0;
        let is_failure = match problem.name() {
            // These are not failures of the server.
            Some(ProblemName::Busy | ProblemName::QuotaExceeded | ProblemName::SyncPaused) => false,
            _ => problem.status >= 500,
        };
        if is_failure {
            let cause = cause.unwrap_or_default();
            tracing::error!(problem = %problem, cause, "a request failed");
        }
        problem
    }
}

#[cfg(test)]
impl ApiError {
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(Inner {
            problem,
            cause: None,
        }))
    }
}

impl From<InvalidMember> for ApiError {
    fn from(invalid: InvalidMember) -> Self {
        Problem::from(invalid).into()
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let mut cause = error.cause();
        let name = name_of(&error);
        let mut detail = sentence(&error.to_string());
        if name == ProblemName::Internal {
            // Internal details are for the operator only.
            cause = Some(detail);
            detail = "The server's log has the details.".into();
        }
        let mut problem = Problem::new(name, detail);
        if let Error::MissingBlobs(missing) = &error {
            problem = problem.with_missing(missing.iter().map(ToString::to_string).collect());
        }
        if let Error::Fenced { current, .. } = &error {
            problem = problem.with("epoch", *current);
        }
        if let Some(refusal) = error.refusal() {
            problem = with_refusal(problem, refusal);
        }
        if let Error::InvalidPath(_) = &error {
            problem = problem.with("member", "path");
        }
        if let Error::AgentReplaced(Some(successor)) = &error {
            problem = problem.with("agent_id", successor.to_string());
        }
        if let Error::QuotaExceeded(exceeded) = &error {
            problem = quota_problem(problem, exceeded);
        }
        Self(Box::new(Inner { problem, cause }))
    }
}

/// Adds the members that describe an exceeded quota.
fn quota_problem(problem: Problem, exceeded: &QuotaExceeded) -> Problem {
    let problem = problem
        .with("limit", exceeded.limit.as_str())
        .with("quota", exceeded.quota)
        .with("used", exceeded.used);
    match exceeded.wait_seconds() {
        Some(seconds) => problem.with(RETRY_AFTER_MEMBER, seconds),
        None => problem.without_room(),
    }
}

/// Returns the problem's name for an error of an operation.
fn name_of(error: &Error) -> ProblemName {
    match error {
        Error::Store(error) => store_name_of(error.into()),
        Error::NotFound(_) => ProblemName::NotFound,
        Error::Fenced { .. } => ProblemName::Fenced,
        Error::AgentReplaced(_) => ProblemName::AgentReplaced,
        Error::MissingBlobs(_) => ProblemName::MissingBlobs,
        Error::HashMismatch { .. } => ProblemName::HashMismatch,
        Error::WrongProfile { .. } => ProblemName::InvalidManifest,
        Error::OtherProfile(_) => ProblemName::OtherProfile,
        Error::Invalid(_)
        | Error::InvalidPath(_)
        | Error::WiderToken(_)
        | Error::WrongCode { .. } => ProblemName::InvalidRequest,
        Error::UnknownCode
        | Error::UnknownEnrolmentCode
        | Error::EnrolmentCodeUsed
        | Error::SessionEnded => ProblemName::Unauthenticated,
        Error::NoHead(_) => ProblemName::NoHead,
        Error::Archived => ProblemName::Archived,
        Error::ObservedChat => ProblemName::ObservedChat,
        Error::PreconditionFailed(_) => ProblemName::PreconditionFailed,
        Error::TooLarge(_) => ProblemName::TooLarge,
        Error::Conflict(_) => ProblemName::Conflict,
        Error::Busy(_) => ProblemName::Busy,
        Error::QuotaExceeded(_) => ProblemName::QuotaExceeded,
        Error::SyncPaused => ProblemName::SyncPaused,
    }
}

/// Returns the problem's name for a failure of the store.
fn store_name_of(failure: StoreFailure) -> ProblemName {
    match failure {
        StoreFailure::Unauthenticated => ProblemName::Unauthenticated,
        StoreFailure::Forbidden => ProblemName::Forbidden,
        StoreFailure::NotFound => ProblemName::NotFound,
        StoreFailure::Unavailable => ProblemName::Unavailable,
        StoreFailure::SchemaNewer => ProblemName::UpgradeNeeded,
        StoreFailure::Unexpected => ProblemName::Internal,
    }
}

/// Returns the text of an error as a sentence. If it begins with a hash or another name, its first letter
/// stays as it is.
pub(crate) fn sentence(text: &str) -> String {
    let first_word = text.split(' ').next().unwrap_or_default();
    let is_name = first_word.contains(|c: char| c.is_ascii_digit() || matches!(c, ':' | '/'));
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let end = if text.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    if is_name {
        return format!("{text}{end}");
    }
    format!("{}{}{end}", first.to_uppercase(), chars.as_str())
}

/// The member with the same number of seconds as the header `Retry-After`.
const RETRY_AFTER_MEMBER: &str = "retry_after";

/// Returns how many seconds the caller should wait before a retry, if that is known.
fn retry_after(problem: &Problem) -> Option<u64> {
    match problem.name()? {
        ProblemName::Busy | ProblemName::Unavailable => Some(1),
        // An operator must act first.
        ProblemName::SyncPaused | ProblemName::UpgradeNeeded => Some(30),
        ProblemName::QuotaExceeded => problem.members.get(RETRY_AFTER_MEMBER)?.as_u64(),
        _ => None,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        problem_response(&self.into_problem())
    }
}

fn problem_response(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let mut response = (status, body).into_response();
    // Pages show it in their own form.
    response.extensions_mut().insert(problem.clone());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = retry_after(problem) {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// Returns the response to an unknown path.
pub(crate) async fn unknown_path() -> ApiError {
    ApiError::new(
        ProblemName::NotFound,
        "This path does not exist; /api/v1/openapi.json lists all paths.",
    )
}

/// Returns the response to a method that the path does not support. The router adds `Allow`.
pub(crate) async fn unknown_method() -> ApiError {
    ApiError::new(
        ProblemName::MethodNotAllowed,
        "The path does not support this method; the header `Allow` lists the methods that it supports.",
    )
}

/// Returns the response to a request whose handler panicked.
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    ApiError(Box::new(Inner {
        problem: Problem::new(ProblemName::Internal, "The server's log has the details."),
        cause: Some(format!("a panic: {}", text.unwrap_or_default())),
    }))
    .into_response()
}

/// The response of any problem in the API's document.
pub(crate) struct Problems;

impl utoipa::IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        let problem = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .build();
        let response = ResponseBuilder::new()
            .description("The request failed; `type` names the problem.")
            .content(PROBLEM_MEDIA_TYPE, problem)
            .build();
        BTreeMap::from([("default".to_owned(), response.into())])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ctxpin_model::access::{Role, Scope};
    use ctxpin_model::hash::BlobHash;
    use ctxpin_model::quota::{Limit, Rate, Stock};

    use super::*;

    #[test]
    fn failures_of_the_store() {
        let check = |failure, name| assert_eq!(store_name_of(failure), name);
        check(StoreFailure::Unauthenticated, ProblemName::Unauthenticated);
        check(StoreFailure::Forbidden, ProblemName::Forbidden);
        check(StoreFailure::NotFound, ProblemName::NotFound);
        check(StoreFailure::Unavailable, ProblemName::Unavailable);
        check(StoreFailure::SchemaNewer, ProblemName::UpgradeNeeded);
        check(StoreFailure::Unexpected, ProblemName::Internal);
    }

    #[test]
    fn texts_as_sentences() {
        let check = |text: &str, expected: &str| assert_eq!(sentence(text), expected);
        check("MCP server", "MCP server.");
        check("the chat has no pin", "The chat has no pin.");
        check("what now?", "What now?");
        check("sha256:ab is not there", "sha256:ab is not there.");
        check("`a` is wrong", "`a` is wrong.");
        check("", "");
    }

    #[test]
    fn failures_of_operations() {
        let check = |error: Error, name, detail: &str| {
            let refusal = ApiError::from(error);
            assert_eq!(refusal.name(), Some(name));
            assert_eq!(refusal.problem().detail, detail);
            refusal
        };
        let hash = BlobHash::of(b"a");
        let refusal = check(
            Error::MissingBlobs(vec![hash]),
            ProblemName::MissingBlobs,
            "The manifest names 1 blobs that this agent has not sent; send them and push again.",
        );
        assert_eq!(refusal.problem().missing[..], [hash.to_string()]);
        check(
            Error::NotFound("chat"),
            ProblemName::NotFound,
            "There is no such chat.",
        );
        check(
            Error::Archived,
            ProblemName::Archived,
            "The chat is archived; unarchive it first.",
        );
        let refusal = check(
            Error::Fenced {
                current: 3,
                offered: 2,
            },
            ProblemName::Fenced,
            "A newer process of this agent has taken over (epoch 3, yours is 2); stop this one.",
        );
        assert_eq!(refusal.problem().members["epoch"], 3);
    }

    #[test]
    fn a_refusal_names_its_reason() {
        let check = |refusal, expected: &[(&str, &str)]| {
            let refused = ApiError::forbidden(refusal);
            let members = refused.problem().members.iter();
            let members = members.map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
            assert_eq!(members.collect::<Vec<_>>(), expected);
            assert_eq!(refused.into_response().status(), StatusCode::FORBIDDEN);
        };
        let scope = [("reason", "scope-missing"), ("scope", "write")];
        check(Refusal::ScopeMissing(Scope::Write), &scope);
        check(Refusal::RevokesWider(Scope::Write), &scope);
        check(
            Refusal::RoleMissing(Role::Admin),
            &[("reason", "role-missing"), ("role", "admin")],
        );
        check(Refusal::NotOwner, &[("reason", "not-owner")]);
    }

    #[test]
    fn finding_06_a_quota_says_what_to_do() {
        let exceeded = |limit, wait| {
            ApiError::from(Error::from(QuotaExceeded {
                limit,
                quota: 600,
                used: 600,
                wait,
            }))
        };
        let wait = Some(Duration::from_millis(12_300));
        let refusal = exceeded(Limit::Rate(Rate::Pushes), wait);
        let members = &refusal.problem().members;
        let told = (&members["limit"], &members["quota"], &members["used"]);
        assert_eq!(told, (&"pushes".into(), &600.into(), &600.into()));
        let response = refusal.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "13");
        let refusal = exceeded(Limit::Stock(Stock::Agents), None);
        assert_eq!(refusal.name(), Some(ProblemName::QuotaExceeded));
        assert!(
            refusal
                .problem()
                .detail
                .starts_with("You have 600 of 600 agents; delete those")
        );
        let response = refusal.into_response();
        assert_eq!(response.status(), StatusCode::INSUFFICIENT_STORAGE);
        assert!(!response.headers().contains_key(RETRY_AFTER));
    }

    #[test]
    fn headers_of_problem_responses() {
        let check = |name: ProblemName, header: Option<(&str, &str)>| {
            let response = ApiError::new(name, "d").into_response();
            assert_eq!(response.status().as_u16(), name.status());
            assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_MEDIA_TYPE);
            if let Some((header, value)) = header {
                assert_eq!(response.headers()[header], value);
            }
        };
        check(ProblemName::NotFound, None);
        check(
            ProblemName::Unauthenticated,
            Some(("www-authenticate", "Bearer")),
        );
        check(ProblemName::SyncPaused, Some(("retry-after", "30")));
        check(ProblemName::Unavailable, Some(("retry-after", "1")));
        check(ProblemName::Busy, Some(("retry-after", "1")));
        let response = panicked(Box::new("secret"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
