//! A text by its length and its hash alone.

use serde::{Deserialize, Serialize};

use crate::polynomial::Polynomial;

/// A text by its length and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hashed {
    /// How long the text is, in bytes.
    pub length: usize,
    /// The hash under the owner's key.
    pub hash: u64,
}

impl Hashed {
    /// Returns the length and the hash of a text.
    pub fn of(polynomial: &Polynomial, text: &str) -> Self {
        Self {
            length: text.len(),
            hash: polynomial.hash(text.as_bytes()),
        }
    }
}
