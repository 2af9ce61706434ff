//! Extractors of a request's path parameters and query.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use ctxpin_protocol::problem::ProblemName;
use serde::de::DeserializeOwned;

use crate::api_error::{ApiError, ApiResult};
use crate::json_body::without_values;

/// An extractor of the path's named parameters, decoded.
pub(crate) struct PathParams(Vec<(String, String)>);

impl PathParams {
    /// Returns the parameter of that name, or an empty text.
    pub fn text(&self, name: &str) -> &str {
        let part = self.0.iter().find(|(known, _)| known == name);
        part.map_or("", |(_, value)| value)
    }

    /// Parses the parameter of that name as an id.
    ///
    /// # Errors
    ///
    /// Returns `not-found` if it is not an id.
    pub fn id<I: FromStr>(&self, name: &str) -> ApiResult<I> {
        self.text(name).parse().map_err(|_| {
            let detail = format!("There is no such {name}.");
            ApiError::new(ProblemName::NotFound, detail)
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathParams {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // It fails for parameters that are not UTF-8, and nothing has such a name.
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::new(ProblemName::NotFound, "The path is not UTF-8."))?;
        let params = params.iter();
        Ok(Self(
            params
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        ))
    }
}

/// How axum begins the reason why a query is not valid. It says nothing to a caller.
const REJECTED: &str = "Failed to deserialize query string: ";

/// What follows the name of a parameter that is no id.
const UUID_REJECTED: &str = "UUID parsing failed";

/// An extractor of the query.
pub(crate) struct QueryParams<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let reason = rejection.body_text();
            let reason = reason.strip_prefix(REJECTED).unwrap_or(&reason);
            let reason = match reason.split_once(UUID_REJECTED) {
                Some((name, _)) => format!("{name}it must be an id"),
                None => without_values(reason),
            };
            ApiError::new(
                ProblemName::InvalidRequest,
                format!("The query is not valid: {reason}."),
            )
        })?;
        Ok(Self(query.0))
    }
}
