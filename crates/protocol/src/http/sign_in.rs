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
    /// The host of the web page, a name of the server's machine. If it is absent, the page is at the address of the
    /// request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_host: Option<String>,
}
