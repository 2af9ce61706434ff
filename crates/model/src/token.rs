//! The text of a token: what a caller presents.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::access::Scopes;
use crate::id::{AgentId, TokenId, UserId};
use crate::moment::Moment;

/// What every token begins with, so that people and scanners recognise one.
pub const TOKEN_PREFIX: &str = "ctxpin_";

/// A whole token: `ctxpin_<32 hexadecimal digits>_<64 hexadecimal digits>`, the id by which it is
/// found and a secret of 32 random bytes. Only [`Self::reveal`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    id: TokenId,
    secret: [u8; 32],
}

/// What the server keeps of a presented token: enough to find it and to compare it. The secret has
/// 256 random bits, so that a fast hash is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// By which the token is found.
    pub id: TokenId,
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
}

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a ctxpin token: one begins with `ctxpin_` and is 104 characters long")]
pub struct MalformedToken;

impl Token {
    /// Puts a token together from its id and 32 random bytes.
    pub fn new(id: TokenId, secret: [u8; 32]) -> Self {
        Self { id, secret }
    }

    /// What to keep of it.
    pub fn credential(&self) -> Credential {
        Credential {
            id: self.id,
            secret_hash: Sha256::digest(self.secret).into(),
        }
    }

    /// The text to hand to its holder, once.
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

/// A token, without its secret.
#[derive(Debug, Clone)]
pub struct TokenRecord {
    /// Its id, which is part of its text.
    pub id: TokenId,
    /// Whose it is; of an agent's, whose the agent is.
    pub user: UserId,
    /// The agent whose it is, unless it is a user's.
    pub agent: Option<AgentId>,
    /// What it is for, in its owner's words.
    pub label: Option<String>,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Moment,
    /// From when on it opens nothing.
    pub expires_at: Option<Moment>,
    /// When it was used last, to the minute or so.
    pub last_used_at: Option<Moment>,
    /// When it was revoked.
    pub revoked_at: Option<Moment>,
    /// Who made it; `None` for a server's first token, and for one that an earlier release made.
    pub made_by: Option<Maker>,
}

/// Who made a token, and with which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// The token that made it, or the nearest of that one's makers that is still kept.
    pub token: Option<TokenId>,
    /// Who had that token.
    pub user: UserId,
    /// That user's name.
    pub name: String,
}

/// What a token is created from.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// What it is for, in its owner's words.
    pub label: Option<String>,
    /// What it may be used for.
    pub scopes: Scopes,
    /// From when on it opens nothing.
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
