//! One-time codes for the web page.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::people::Secret;

/// A one-time code that signs in to the web page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInCode {
    /// 64 hexadecimal digits. No other response shows it.
    #[schema(value_type = String)]
    pub code: Secret,
    /// When the code ceases to be valid.
    pub expires_at: DateTime<Utc>,
}
