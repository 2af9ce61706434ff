//! Tokens: the text that a caller presents, and what the server stores of it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::access::Scopes;
use crate::id::{AgentId, TokenId, UserId};
use crate::moment::Moment;

/// The beginning of every token, by which people and scanners recognise one.
pub const TOKEN_PREFIX: &str = "ctxpin_";

/// A token: `ctxpin_<32 hexadecimal digits>_<64 hexadecimal digits>`, which are its id and a secret of
/// 32 random bytes. Only [`Self::reveal`] shows the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    id: TokenId,
    secret: [u8; 32],
}

/// The part of a token that the server stores and compares. The secret has 256 random bits, so a fast
/// hash is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    pub id: TokenId,
    /// The SHA-256 of the secret.
    pub secret_hash: [u8; 32],
    /// Whether a session of the web page presents the token, or a one-time code does.
    pub is_session: bool,
}

/// The error of parsing a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a ctxpin token: one begins with `ctxpin_` and is 104 characters long")]
pub struct MalformedToken;

impl Token {
    /// Makes a token of its id and 32 random bytes.
    pub fn new(id: TokenId, secret: [u8; 32]) -> Self {
        Self { id, secret }
    }

    /// Returns the part to store.
    pub fn credential(&self) -> Credential {
        Credential {
            id: self.id,
            secret_hash: Sha256::digest(self.secret).into(),
            is_session: false,
        }
    }

    /// Returns the token's text, including the secret. Show it to the token's holder only, once.
    pub fn reveal(&self) -> String {
        format!(
            "{TOKEN_PREFIX}{}_{}",
            self.id.uuid().simple(),
            hex::encode(self.secret)
        )
    }
}

impl FromStr for Token {
    type Err = MalformedToken;

    fn from_str(text: &str) -> Result<Self, MalformedToken> {
        let (id, secret) = text
            .strip_prefix(TOKEN_PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(MalformedToken)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(secret, &mut bytes).map_err(|_| MalformedToken)?;
        let id = Uuid::try_parse(id).map_err(|_| MalformedToken)?;
        Ok(Self {
            id: id.into(),
            secret: bytes,
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, secret hidden)", self.id)
    }
}

/// A token as the server stores it, without the hash of its secret.
#[derive(Debug, Clone)]
pub struct TokenRecord {
    pub id: TokenId,
    /// The owner of the token, or of its agent.
    pub user: UserId,
    /// The agent that the token belongs to. `None` for a user's own token.
    pub agent: Option<AgentId>,
    /// The owner's description of its purpose.
    pub label: Option<String>,
    pub scopes: Scopes,
    pub created_at: Moment,
    /// The time from which on the server rejects the token.
    pub expires_at: Option<Moment>,
    /// The time of the last use, accurate to about a minute.
    pub last_used_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
    /// `None` for a server's first token, and for one that an earlier release made.
    pub made_by: Option<Maker>,
}

/// The maker of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// The token with which this token was made. If that token is deleted, the nearest of its makers
    /// that is not deleted.
    pub token: Option<TokenId>,
    /// The user who had that token.
    pub user: UserId,
    /// The name of that user.
    pub name: String,
}

/// A request to create a token.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The token's purpose, in its owner's words.
    pub label: Option<String>,
    /// The operations that the token allows.
    pub scopes: Scopes,
    /// When the token ceases to be valid.
    pub expires_at: Option<Moment>,
    /// Another user to make it for; an admin may.
    pub user: Option<UserId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_hides_its_secret() {
        let token = Token::new(Uuid::from_u128(7).into(), [0xab; 32]);
        let text = token.reveal();
        assert_eq!(text.len(), 104);
        assert_eq!(text.parse(), Ok(token.clone()));
        assert!(!format!("{token:?}").contains("abab"));
        for text in ["", "ctxpin_", "ctxpin_x_y", &text[..103]] {
            assert_eq!(text.parse::<Token>(), Err(MalformedToken), "{text}");
        }
    }
}
