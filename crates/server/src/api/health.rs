//! Handlers for operators, and of the API's document.

use std::io::Write as _;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::TokenId;
use ctxpin_model::proof::{Challenge, Nonce, Proof};
use ctxpin_operations::people;
use ctxpin_protocol::convert::members::InvalidMember;
use ctxpin_protocol::http::readiness::{Readiness, ReadinessQuery};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::api_error::{ApiError, ApiResult, Problems};
use crate::app::App;
use crate::authority::RequestAuthority;
use crate::identify::Identity;
use crate::metrics::METRICS_MEDIA_TYPE;
use crate::metrics::MetricsReaders;
use crate::params::QueryParams;
use crate::preconditions::{IfNoneMatch, accepts_gzip, weak_etag};

/// The API's document as JSON. It is compressed once and shared by every response, because anyone may
/// request it and leave it unread.
#[derive(Clone)]
pub(crate) struct Document {
    hash: BlobHash,
    plain: Bytes,
    gzip: Bytes,
}

impl Document {
    /// Compresses the text.
    pub fn new(json: Bytes) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let packed = encoder.write_all(&json).and_then(|()| encoder.finish());
        Self {
            hash: BlobHash::of(&json),
            gzip: packed.unwrap_or_default().into(),
            plain: json,
        }
    }
}

/// Check that the process is up
#[utoipa::path(get, path = "/healthz", operation_id = "health", tag = "operation", security(()),
    responses((status = 200, body = Object)))]
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// Check that the database accepts writes, and prove that this server knows a token
///
/// A client that is about to send a token to a port of its own machine requests a proof first, because another
/// user may have taken that port. With `token` and `nonce` the response has a `proof`, even if it is a problem
/// because the database accepts no writes. The server proves itself at its own addresses and at those that
/// `--public-url` names; a request for any other gets 421 `misdirected`. For an unknown id the proof is one
/// that nobody can check.
#[utoipa::path(get, path = "/readyz", operation_id = "readiness", tag = "operation", security(()),
    params(ReadinessQuery), responses((status = 200, body = Readiness), Problems))]
pub(crate) async fn ready(
    State(app): State<App>,
    authority: RequestAuthority,
    QueryParams(query): QueryParams<ReadinessQuery>,
) -> ApiResult<Json<Readiness>> {
    let Some((token, nonce)) = proof_request(&query)? else {
        app.service.require_writable().await?;
        return Ok(Json(readiness(None)));
    };
    let challenge = Challenge::new(nonce, authority.own_address(&app.public_urls)?);
    let proof = app.callers.prove(&app.service, token, &challenge).await?;
    match app.service.require_writable().await {
        Ok(()) => Ok(Json(readiness(Some(proof)))),
        // The proof is valid even if the database accepts no writes.
        Err(error) => Err(ApiError::from(error).with("proof", proof.to_string())),
    }
}

/// Returns the token and the nonce of a proof, if the query requests one.
fn proof_request(query: &ReadinessQuery) -> ApiResult<Option<(TokenId, Nonce)>> {
    match (query.token, &query.nonce) {
        (None, None) => Ok(None),
        (Some(token), Some(nonce)) => {
            let nonce = nonce.parse::<Nonce>();
            let nonce = nonce.map_err(|error| InvalidMember::new("nonce", error.to_string()))?;
            Ok(Some((token.into(), nonce)))
        }
        (Some(_), None) => Err(InvalidMember::new("nonce", "send it together with `token`").into()),
        (None, Some(_)) => Err(InvalidMember::new("token", "send it together with `nonce`").into()),
    }
}

fn readiness(proof: Option<Proof>) -> Readiness {
    Readiness {
        status: "ok".to_owned(),
        proof: proof.map(|proof| proof.to_string()),
    }
}

/// Read the metrics
///
/// A request must name an IP address, `localhost`, or a host that `--public-url` names; any other host gets 421
/// `misdirected`. If the server restricts metrics, only auditors and admins may read them, under any name.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operation", security((), ("token" = [])),
    responses((status = 200, body = String, content_type = "application/openmetrics-text"), Problems))]
pub(crate) async fn metrics(
    State(app): State<App>,
    authority: RequestAuthority,
    identity: Result<Identity, ApiError>,
) -> ApiResult<Response> {
    match app.metrics_readers {
        MetricsReaders::Everybody => authority.require_host(&app.public_urls)?,
        // A web page has no token, so the host does not matter.
        MetricsReaders::Auditors => {
            people::require_metrics(&app.service, identity?.0).await?;
        }
    }
    let content_type = HeaderValue::from_static(METRICS_MEDIA_TYPE);
    let asked = app.service.counts();
    app.metrics.database(asked.statements, asked.round_trips);
    for (stock, users) in app.service.users_warned() {
        app.metrics.users_warned(stock.as_str(), users);
    }
    Ok(([(CONTENT_TYPE, content_type)], app.metrics.text()).into_response())
}

/// Read this document
///
/// Returns 304 if `If-None-Match` names it. An unknown host gets 421 `misdirected`, as for `/metrics`.
#[utoipa::path(get, path = "/openapi.json", operation_id = "document", tag = "operation", security(()),
    responses((status = 200, body = Object, headers(("ETag", description = "Its hash, in quotes"))),
        (status = 304), Problems))]
pub(crate) async fn document(
    State(app): State<App>,
    authority: RequestAuthority,
    headers: HeaderMap,
    Extension(document): Extension<Document>,
) -> ApiResult<Response> {
    authority.require_host(&app.public_urls)?;
    let Document { hash, plain, gzip } = document;
    let mut response = match IfNoneMatch::read(&headers).has(hash) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false if accepts_gzip(&headers) => ([(CONTENT_ENCODING, "gzip")], gzip).into_response(),
        false => plain.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(tag) = weak_etag(hash) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}
