//! Users, tokens, and who is calling.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::present;

/// A token in clear. It is told once, and its `Debug` tells nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes over a token in clear.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token in clear: for the header of a request, the answer that tells it, and a file that
    /// its owner alone may read.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Somebody who may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// `member`, `auditor`, `admin`; they add up.
    pub roles: Vec<String>,
    /// Whether no token of the user's is taken any more.
    pub disabled: bool,
    /// When the user was created.
    pub created_at: DateTime<Utc>,
}

/// Asks for a new user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// The name, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// `member`, `auditor`, `admin`.
    pub roles: Vec<String>,
}

/// What is to change in a user. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// A new name, 1 to 200 characters.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// All the roles from now on.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Vec<String>, required = false)]
    pub roles: Option<Vec<String>>,
    /// Whether the user is locked out.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = bool, required = false)]
    pub disabled: Option<bool>,
}

/// A credential, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// The id.
    pub id: Uuid,
    /// What its owner calls it.
    #[schema(required = true)]
    pub label: Option<String>,
    /// `read`, `write`, `provision`, `admin`.
    pub scopes: Vec<String>,
    /// The user whose token it is; of an agent's, whose the agent is.
    pub user: Uuid,
    /// The agent whose token it is; left out for a user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<Uuid>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it ends, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
    /// Who made it; left out for a server's first token, and for one that an earlier release made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<Maker>,
}

/// Who made a token, and with which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Maker {
    /// The token that made it, or the nearest of that one's makers that is still kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Uuid>,
    /// The user who had that token: another one than the token's own where an admin made it for them.
    pub user: Uuid,
    /// That user's name.
    pub name: String,
}

/// How a token is revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TokenRevoke {
    /// Whether what it made ends with it, and what that made: users' tokens, and agents', which stay
    /// without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<bool>,
}

/// Asks for a new token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCreate {
    /// What to call it, 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub label: Option<String>,
    /// `read`, `write`, `provision`, `admin`; `read` and `write` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// When it ends; never without it, or with the token that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The user whose token it will be; the caller without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Uuid>,
}

/// A new token with its secret, which is told this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenCreated {
    /// The token.
    pub token: Token,
    /// What to send as `Authorization: Bearer`.
    #[schema(value_type = String)]
    pub secret: Secret,
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The user.
    pub user: User,
    /// The token that was sent.
    pub token: Token,
}
