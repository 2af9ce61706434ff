//! Who asks the server for a client's hook: its token, and the key of the token's owner.

use std::path::Path;
use std::sync::Arc;

use ctxpin_client::error::ClientError;
use ctxpin_client::{Client, PlainHttp};
use ctxpin_model::evidence_key::EvidenceKey;
use ctxpin_private_files::token::{self, TokenError};
use ctxpin_protocol::convert::evidence::read_evidence_key;
use ctxpin_protocol::http::people::Secret;
use tokio::sync::OnceCell;
use url::Url;

/// A client with the token of hooks. Its connection stays open, and the owner's key is asked for once.
#[derive(Clone)]
pub(super) struct Asking {
    pub token: Secret,
    pub client: Client,
    key: Arc<OnceCell<EvidenceKey>>,
}

impl Asking {
    /// Returns a client with a token.
    pub fn with(token: Secret, server: &Url, plain_http: PlainHttp) -> Result<Self, ClientError> {
        Ok(Self {
            client: Client::with_plain_http(server.clone(), token.clone(), plain_http)?,
            token,
            key: Arc::default(),
        })
    }

    /// Returns the key under which the owner's clients name texts that no snapshot has.
    pub async fn evidence_key(&self) -> Result<&EvidenceKey, ClientError> {
        let asked = async {
            let shape = self.client.evidence_key().await?;
            read_evidence_key(&shape).map_err(|invalid| ClientError::Unexpected {
                server: self.client.server().to_string(),
                status: 200,
                reason: invalid.to_string(),
                retry_after: None,
            })
        };
        self.key.get_or_try_init(|| asked).await
    }
}

/// Reads a token that nobody else can have written.
pub(super) fn hook_token(path: &Path) -> Result<Secret, String> {
    let failed = |reason: String| format!("the token of the hook in {} {reason}", path.display());
    if !path.is_absolute() {
        return Err(failed("is not named by an absolute path".into()));
    }
    match token::read(path) {
        Ok((token, _)) => Ok(Secret::new(token)),
        Err(error) => Err(failed(match error {
            TokenError::Unreadable(error) => format!("cannot be read: {error}"),
            TokenError::Exposed(exposure) => format!("is not trusted: {exposure}"),
            TokenError::NotText => "is not UTF-8".into(),
            TokenError::Empty => "is empty".into(),
        })),
    }
}
