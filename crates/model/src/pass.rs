//! Passes: secrets that stand for a token for a short time, so that a browser never holds the token itself.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use sha2::{Digest, Sha256};

use crate::access::Scopes;
use crate::moment::Moment;
use crate::proof::mac;
use crate::resource::spelled;

spelled! {
    /// What a pass is for.
    PassKind {
        /// A session of the web page. Its requests act with the token's scopes.
        Session = "session",
        /// A one-time code that starts a session.
        SignInCode = "sign_in_code",
        /// A one-time code that makes an agent.
        EnrolmentCode = "enrolment_code",
    }
}

impl PassKind {
    /// Returns how long a pass of this kind is valid.
    pub fn lifetime(self) -> Duration {
        const MINUTE: u64 = 60;
        Duration::from_secs(match self {
            Self::Session => 7 * 24 * 60 * MINUTE,
            // A person may look for the browser first.
            Self::SignInCode => 5 * MINUTE,
            // A person may have to sign in at the other machine.
            Self::EnrolmentCode => 10 * MINUTE,
        })
    }

    /// Returns the most passes of this kind for one user. A new one replaces the oldest.
    pub fn per_user_max(self) -> u64 {
        match self {
            Self::Session => 64,
            Self::SignInCode => 16,
            // A platform may prepare several machines at once.
            Self::EnrolmentCode => 64,
        }
    }
}

/// The input of the HMAC that makes the value of a page.
const PAGE_VALUE_LABEL: &[u8] = b"ctxpin-page-value-v1";

/// The secret of a pass: 32 random bytes, written as 64 hexadecimal digits. Only [`Self::reveal`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pass([u8; 32]);

/// The SHA-256 of a pass, which the server stores.
pub type PassHash = [u8; 32];

/// A random value that binds passes to one process of a server. The hash of a pass covers it.
#[derive(Clone, Copy)]
pub struct PassBinding(pub [u8; 32]);

impl PassBinding {
    /// Returns the name of the process, from which nobody derives the value.
    pub fn name(&self) -> String {
        hex::encode(&Sha256::digest(self.0)[..8])
    }
}

/// The error of parsing a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct MalformedPass;

/// A session of the web page, as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    pub hash: PassHash,
    /// The label of the token that the session stands for.
    pub token_label: Option<String>,
    /// The scopes of that token.
    pub scopes: Scopes,
    /// The browser in which it began, in words. `None` if it is not known.
    pub browser: Option<String>,
    pub created_at: Moment,
    /// At most about a minute old while the session is in use. `None` if it was never used.
    pub last_used_at: Option<Moment>,
    pub expires_at: Moment,
}

impl SessionRecord {
    /// Returns the name of the session among those of its user: the first 16 digits of its hash.
    pub fn key(&self) -> String {
        hex::encode(&self.hash[..8])
    }
}

impl Pass {
    /// Makes a pass of 32 random bytes.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Returns the hash to store. With a binding, only the process that has it finds the pass again.
    pub fn hash(&self, binding: Option<&PassBinding>) -> PassHash {
        let mut hasher = Sha256::new();
        if let Some(PassBinding(binding)) = binding {
            hasher.update(binding);
        }
        hasher.update(self.0);
        hasher.finalize().into()
    }

    /// Returns the pass as text. Show it to its holder only.
    pub fn reveal(&self) -> String {
        hex::encode(self.0)
    }

    /// Returns the value that the pages of a session send with each write. Other origins cannot read the pages,
    /// and nobody derives the session from the value.
    pub fn page_value(&self) -> String {
        hex::encode(self.page_mac().finalize().into_bytes())
    }

    /// Returns whether a text is [`Self::page_value`]. It takes equally long for every value.
    pub fn is_page_value(&self, text: &str) -> bool {
        let mut value = [0; 32];
        hex::decode_to_slice(text, &mut value).is_ok()
            && self.page_mac().verify_slice(&value).is_ok()
    }

    fn page_mac(&self) -> Hmac<Sha256> {
        mac(&self.0, PAGE_VALUE_LABEL)
    }
}

impl FromStr for Pass {
    type Err = MalformedPass;

    fn from_str(text: &str) -> Result<Self, MalformedPass> {
        let mut secret = [0; 32];
        hex::decode_to_slice(text, &mut secret).map_err(|_| MalformedPass)?;
        Ok(Self(secret))
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_reads_back_and_hides_itself() {
        let pass = Pass::new([0xab; 32]);
        assert_eq!(pass.reveal().parse(), Ok(pass.clone()));
        assert!(!format!("{pass:?}").contains("ab"));
        for text in ["", "ab", &pass.reveal()[1..]] {
            assert_eq!(text.parse::<Pass>(), Err(MalformedPass), "{text}");
        }
    }

    #[test]
    fn a_page_value_belongs_to_one_pass() {
        let pass = Pass::new([1; 32]);
        assert!(pass.is_page_value(&pass.page_value()));
        assert!(!pass.is_page_value(&Pass::new([2; 32]).page_value()));
        assert!(!pass.is_page_value(&pass.reveal()));
        assert!(!pass.is_page_value(""));
    }

    #[test]
    fn each_use_of_a_pass_has_another_hash() {
        let pass = Pass::new([1; 32]);
        let bound = pass.hash(Some(&PassBinding([2; 32])));
        let elsewhere = pass.hash(Some(&PassBinding([3; 32])));
        let hashes = [
            hex::encode(pass.hash(None)),
            hex::encode(bound),
            hex::encode(elsewhere),
            pass.page_value(),
            pass.reveal(),
        ];
        for (index, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(hash));
        }
    }
}
