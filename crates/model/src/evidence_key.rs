//! The secret of an owner, under which foreign texts are named and texts are hashed for the search.

use std::fmt;
use std::str::FromStr;

use hmac::Mac as _;

use crate::hash::BlobHash;
use crate::proof;

/// What separates the names of foreign texts from any other use of the key.
const FOREIGN: &[u8] = b"ctxpin foreign text\0";

/// What separates the base of the hashes from any other use of the key.
const BASE: &[u8] = b"ctxpin substring hashes\0";

/// What separates the name of the key from any other use of it.
const NAME: &[u8] = b"ctxpin evidence key\0";

/// A secret of an owner. Who does not know it cannot make texts whose hashes collide, and cannot tell from the name of
/// a foreign text whether it is a text that he has.
#[derive(Clone, PartialEq, Eq)]
pub struct EvidenceKey([u8; 32]);

impl EvidenceKey {
    /// Takes 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes, which are secret.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the name of the key, which reveals nothing of it.
    pub fn name(&self) -> EvidenceKeyName {
        EvidenceKeyName(self.mac(NAME, &[]))
    }

    /// Returns the name of a text that is in no snapshot: an HMAC of the hash of its bytes. So the server can answer for
    /// a hash that somebody asks for, without the text.
    pub fn name_of_foreign(&self, content: BlobHash) -> ForeignName {
        ForeignName(self.mac(FOREIGN, content.bytes()))
    }

    /// Returns the number from which a search derives the base of its hashes.
    pub fn hash_base(&self) -> u64 {
        let mac = self.mac(BASE, &[]);
        let bytes = mac.first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(bytes)
    }

    fn mac(&self, purpose: &[u8], input: &[u8]) -> [u8; 32] {
        let mac = proof::mac(&self.0, purpose).chain_update(input);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for EvidenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EvidenceKey({}, secret hidden)", self.name())
    }
}

/// The error of parsing a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is written as 64 lower-case hexadecimal digits")]
pub struct MalformedName;

/// Defines a name of 32 bytes, which is written as 64 hexadecimal digits.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Returns the 32 bytes of the name.
            pub fn bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = MalformedName;

            fn from_str(text: &str) -> Result<Self, MalformedName> {
                let mut bytes = [0; 32];
                let is_upper = text.contains(|c: char| c.is_ascii_uppercase());
                match hex::decode_to_slice(text, &mut bytes) {
                    Ok(()) if !is_upper => Ok(Self(bytes)),
                    Ok(()) | Err(_) => Err(MalformedName),
                }
            }
        }
    )+};
}

names! {
    /// The name of an owner's key.
    EvidenceKeyName,
    /// The name of a text that is in no snapshot, under an owner's key.
    ForeignName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_text_and_key() {
        let name = |key: u8, text: &str| {
            EvidenceKey::new([key; 32]).name_of_foreign(BlobHash::of(text.as_bytes()))
        };
        assert_eq!(name(1, "a"), name(1, "a"));
        assert_ne!(name(1, "a"), name(2, "a"));
        assert_ne!(name(1, "a"), name(1, "b"));
    }

    #[test]
    fn a_name_reads_back_and_shows_no_key() {
        let key = EvidenceKey::new([0xab; 32]);
        let name = key.name();
        assert_eq!(name.to_string().parse(), Ok(name));
        assert!(!format!("{key:?}").contains("abab"));
        for text in ["", "ab", &"AB".repeat(32), &"ab".repeat(33)] {
            assert_eq!(
                text.parse::<EvidenceKeyName>(),
                Err(MalformedName),
                "{text}"
            );
        }
    }
}
