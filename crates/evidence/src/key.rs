//! The secret of an owner, under which foreign texts are named and texts are hashed for the search.

use ctxpin_model::hash::BlobHash;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

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
        let mut mac = Hmac::<Sha256>::new(&padded(&self.0).into());
        mac.update(purpose);
        mac.update(input);
        mac.finalize().into_bytes().into()
    }
}

/// Returns the key at the block size of SHA-256. HMAC pads a short key with zeros (RFC 2104, section 2), so this is
/// the same key, of a length checked at compile time.
fn padded(key: &[u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    block
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
