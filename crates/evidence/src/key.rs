//! The secret of an owner, under which foreign texts are named and texts are hashed for the search.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::proof;
use hmac::Mac as _;

/// What separates the names of foreign texts from any other use of the key.
const FOREIGN: &[u8] = b"ctxpin foreign text\0";

/// What separates the base of the hashes from any other use of the key.
const BASE: &[u8] = b"ctxpin substring hashes\0";

/// A secret of an owner. Who does not know it cannot make texts whose hashes collide, and cannot tell from the name of
/// a foreign text whether it is a text that he has.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// Takes 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the name of a text that is in no snapshot, as 64 hexadecimal digits: an HMAC of the hash of its bytes.
    /// So the server can answer for a hash that somebody asks for, without the text.
    pub fn name_of_foreign(&self, content: BlobHash) -> String {
        hex::encode(self.mac(FOREIGN, content.bytes()))
    }

    /// Returns the number from which the base of the hashes is derived.
    pub(crate) fn base(&self) -> u64 {
        let mac = self.mac(BASE, &[]);
        let bytes = mac.first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(bytes)
    }

    fn mac(&self, purpose: &[u8], input: &[u8]) -> [u8; 32] {
        let mac = proof::mac(&self.0, purpose).chain_update(input);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_text_and_key() {
        let name = |key: u8, text: &str| {
            Key::new([key; 32]).name_of_foreign(BlobHash::of(text.as_bytes()))
        };
        assert_eq!(name(1, "a"), name(1, "a"));
        assert_ne!(name(1, "a"), name(2, "a"));
        assert_ne!(name(1, "a"), name(1, "b"));
    }
}
