//! The readiness of a server, and its proof that it knows a token.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The proof to give. It needs both members, or none for no proof.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReadinessQuery {
    /// The id of the token that the server has to know: the first half of the token's text, after
    /// `ctxpin_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Uuid>,
    /// 32 random bytes as 64 lower-case hexadecimal digits, new for each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(min_length = 64, max_length = 64)]
    pub nonce: Option<String>,
}

/// The readiness of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// `ok`: the server can answer requests and store data.
    pub status: String,
    /// The proof, if the query asks for one: an HMAC-SHA-256 as 64 hexadecimal digits. Its key is
    /// the SHA-256 of the token's secret bytes. Its message is three lines, each with a line feed
    /// at its end: `ctxpin-server-proof-v1`, the nonce, and the host and port of the request, such
    /// as `127.0.0.1:7878`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub proof: Option<String>,
}
