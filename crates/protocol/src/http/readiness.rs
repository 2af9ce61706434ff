//! Whether a server can answer, and the proof that it is the one that knows a token.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What is to be proved: nothing, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReadinessQuery {
    /// The id of the token that the server is to know: the first half of its text, after `ctxpin_`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Uuid>,
    /// 32 random bytes as 64 hexadecimal digits in lower case, drawn anew each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(min_length = 64, max_length = 64)]
    pub nonce: Option<String>,
}

/// How a server stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// `ok`: it can answer and store.
    pub status: String,
    /// If it was asked for: HMAC-SHA-256, as 64 hexadecimal digits, under the SHA-256 of the token's secret
    /// bytes, over the three lines `ctxpin-server-proof-v1`, the nonce, and the host and port that were
    /// asked, such as `127.0.0.1:7878`, each with a line feed at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub proof: Option<String>,
}
