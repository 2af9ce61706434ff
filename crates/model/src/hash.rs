//! Content addresses. They are SHA-256 hashes (FIPS 180-4), so people can check them with `sha256sum`.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The text before the 64 hexadecimal digits of every hash that a person or a client sees.
pub const HASH_PREFIX: &str = "sha256:";

/// The error of parsing a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is written sha256: followed by 64 lower-case hexadecimal digits")]
pub struct MalformedHash;

macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Returns the SHA-256 of `bytes`.
            pub fn of(bytes: &[u8]) -> Self {
                Self(Sha256::digest(bytes).into())
            }

            /// Returns the 32 bytes of the hash.
            pub fn bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Returns the 64 hexadecimal digits, without [`HASH_PREFIX`].
            pub fn hex(&self) -> String {
                hex::encode(self.0)
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{HASH_PREFIX}{}", self.hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.hex())
            }
        }

        impl FromStr for $name {
            type Err = MalformedHash;

            fn from_str(text: &str) -> Result<Self, MalformedHash> {
                parse(text).map(Self)
            }
        }
    )+};
}

hashes! {
    /// The hash of a blob's bytes.
    BlobHash,
    /// The hash of everything that is stored of a snapshot.
    SnapshotId,
    /// The hash of exactly what reaches a model from a pin: facts, instruction files and skills.
    ContextHash,
    /// The hash of the MCP configurations and servers of a snapshot.
    ToolsHash,
    /// A hash of a content, a context or a snapshot. No two of them are equal, so the hash alone names its object.
    AnyHash,
}

/// The fewest digits of the beginning of a hash that is searched for.
const BEGINNING_DIGITS_MIN: usize = 8;

/// The error of parsing the beginning of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the beginning of a hash has 8 to 64 hexadecimal digits, after sha256: or alone")]
pub struct MalformedBeginning;

/// The beginning of a hash, as people copy it: with or without the prefix, and in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashBeginning {
    /// The digits, in lower case.
    digits: String,
}

impl HashBeginning {
    /// Returns the least and the greatest hash that begin so.
    pub fn range(&self) -> [AnyHash; 2] {
        ["0", "f"].map(|digit| {
            let more = digit.repeat(64 - self.digits.len());
            let mut bytes = [0; 32];
            // The digits were checked when they were read.
            let _ = hex::decode_to_slice(format!("{}{more}", self.digits), &mut bytes);
            AnyHash(bytes)
        })
    }

    /// Returns the hash, if the beginning is all of it.
    pub fn whole(&self) -> Option<AnyHash> {
        let [least, greatest] = self.range();
        (least == greatest).then_some(least)
    }
}

impl FromStr for HashBeginning {
    type Err = MalformedBeginning;

    fn from_str(text: &str) -> Result<Self, MalformedBeginning> {
        let text = text.to_ascii_lowercase();
        let digits = text.strip_prefix(HASH_PREFIX).unwrap_or(&text);
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match is_hex && (BEGINNING_DIGITS_MIN..=64).contains(&digits.len()) {
            true => Ok(Self {
                digits: digits.to_owned(),
            }),
            false => Err(MalformedBeginning),
        }
    }
}

fn parse(text: &str) -> Result<[u8; 32], MalformedHash> {
    let digits = text.strip_prefix(HASH_PREFIX).ok_or(MalformedHash)?;
    // A hash has one spelling, so that texts can be compared.
    if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(MalformedHash);
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| MalformedHash)?;
    Ok(bytes)
}

/// A hasher of bytes that arrive in pieces.
#[derive(Default)]
pub struct BlobHasher(Sha256);

impl BlobHasher {
    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Returns the hash of all pieces.
    pub fn finish(self) -> BlobHash {
        BlobHash(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_sha256sum_prints() {
        let hash = BlobHash::of(b"abc");
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.parse(), Ok(hash));
        let mut pieces = BlobHasher::default();
        pieces.update(b"a");
        pieces.update(b"bc");
        assert_eq!(pieces.finish(), hash);
    }

    #[test]
    fn a_beginning_is_read_as_people_copy_it() {
        let whole = AnyHash::of(b"abc");
        let read = |text: &str| text.parse::<HashBeginning>();
        for text in [
            whole.to_string(),
            whole.hex(),
            whole.to_string().to_uppercase(),
        ] {
            assert_eq!(read(&text).unwrap().whole(), Some(whole), "{text}");
        }
        let beginning = read("BA7816bf8").unwrap();
        let [least, greatest] = beginning.range();
        assert!(least < whole && whole < greatest);
        assert_eq!(beginning.whole(), None);
        for none in [
            "",
            "sha256:",
            "ba7816b",
            "ba7816bg",
            "ba7816 bf",
            &"a".repeat(65),
        ] {
            assert_eq!(read(none), Err(MalformedBeginning), "{none}");
        }
    }

    #[test]
    fn a_hash_has_one_spelling() {
        for text in [
            "",
            "sha256:",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
            "sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ] {
            assert_eq!(text.parse::<BlobHash>(), Err(MalformedHash), "{text}");
        }
    }
}
