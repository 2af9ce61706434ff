//! The proof that a server knows a token, which a client demands before it sends the token. The proof
//! is an HMAC whose key is the hash of the token's secret, which the server stores. Nobody can
//! compute the proof without the token or the hash, and the proof reveals neither. A client demands the same
//! proof of an enrolment code before it sends the code.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::id::TokenId;

/// The first line of every HMAC input, which separates proofs from any other use of the key.
const LABEL: &str = "ctxpin-server-proof-v1";

/// Length of a key, of a nonce and of a proof, in bytes.
const BYTES: usize = 32;

/// Block size of SHA-256, to which HMAC pads its key, in bytes (RFC 2104, section 2).
const BLOCK_BYTES: usize = 64;

/// Random bytes that a client draws for each challenge. Its text is 64 hexadecimal digits in lower
/// case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; BYTES]);

/// A server's response to a challenge. Its text is 64 hexadecimal digits in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof([u8; BYTES]);

/// The error of parsing a nonce or a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits in lower case")]
pub struct MalformedDigits;

/// A challenge: a client's demand that the server at an address proves that it knows a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    nonce: Nonce,
    authority: String,
}

impl Nonce {
    /// Makes a nonce of 32 random bytes.
    pub fn new(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }
}

impl Challenge {
    /// Makes a challenge to the server at `authority`, which is its host and port, such as
    /// `127.0.0.1:7878` or `[::1]:7878`. A default port must be written too.
    pub fn new(nonce: Nonce, authority: impl Into<String>) -> Self {
        Self {
            nonce,
            authority: authority.into(),
        }
    }

    /// Returns the proof for the token whose secret has this hash.
    pub fn proof(&self, secret_hash: &[u8; BYTES]) -> Proof {
        Proof(self.mac(secret_hash).finalize().into_bytes().into())
    }

    /// Returns whether `proof` answers this challenge for the token whose secret has this hash.
    pub fn is_answered_by(&self, secret_hash: &[u8; BYTES], proof: &Proof) -> bool {
        self.mac(secret_hash).verify_slice(&proof.0).is_ok()
    }

    fn mac(&self, key: &[u8; BYTES]) -> Hmac<Sha256> {
        mac(key, self.input().as_bytes())
    }

    /// Returns the label, the nonce and the authority, each on a line.
    fn input(&self) -> String {
        format!("{LABEL}\n{}\n{}\n", self.nonce, self.authority)
    }
}

/// Returns whether a host name always resolves to the caller's own machine, where any process may
/// listen (RFC 6761, section 6.3).
pub fn is_loopback_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Returns a hash to use in place of an unknown token's, so that its proofs look like any other's.
/// Each id has a different one, derived from `random`, a secret of the server.
pub fn decoy_hash(random: &[u8; BYTES], token: TokenId) -> [u8; BYTES] {
    let mac = mac(random, token.uuid().as_bytes());
    mac.finalize().into_bytes().into()
}

/// Returns the HMAC of an input under a key.
pub fn mac(key: &[u8; BYTES], input: &[u8]) -> Hmac<Sha256> {
    // HMAC pads a short key with zeros, so this is the same key, of a length checked at compile time.
    let mut block = [0; BLOCK_BYTES];
    block[..BYTES].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(input);
    mac
}

fn parse_digits(text: &str) -> Result<[u8; BYTES], MalformedDigits> {
    let mut bytes = [0; BYTES];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| MalformedDigits)?;
    // The digits are part of the HMAC's input, so a nonce must have only one text.
    match hex::encode(bytes) == text {
        true => Ok(bytes),
        false => Err(MalformedDigits),
    }
}

impl FromStr for Nonce {
    type Err = MalformedDigits;

    fn from_str(text: &str) -> Result<Self, MalformedDigits> {
        parse_digits(text).map(Self)
    }
}

impl FromStr for Proof {
    type Err = MalformedDigits;

    fn from_str(text: &str) -> Result<Self, MalformedDigits> {
        parse_digits(text).map(Self)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; BYTES] = [0xab; BYTES];

    /// Computed with `printf 'ctxpin-server-proof-v1\n%s\n127.0.0.1:7878\n' NONCE |
    /// openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY`.
    #[test]
    fn finding_08_a_proof_is_what_others_compute() {
        let challenge = Challenge::new(Nonce::new([7; BYTES]), "127.0.0.1:7878");
        let proof = challenge.proof(&KEY);
        assert_eq!(
            proof.to_string(),
            "33ea280a3f89d6dddc8599ed946088cc7593fb60da20f6d6125391974f4dcf2c"
        );
        assert_eq!(proof.to_string().parse(), Ok(proof));
    }

    #[test]
    fn finding_08_a_proof_is_for_one_token_one_nonce_and_one_address() {
        let challenge = Challenge::new(Nonce::new([7; BYTES]), "127.0.0.1:7878");
        let proof = challenge.proof(&KEY);
        assert!(challenge.is_answered_by(&KEY, &proof));
        assert!(!challenge.is_answered_by(&[0xac; BYTES], &proof));
        for (nonce, authority) in [
            (8, "127.0.0.1:7878"),
            (7, "127.0.0.1:7879"),
            (7, "[::1]:7878"),
        ] {
            let other = Challenge::new(Nonce::new([nonce; BYTES]), authority);
            assert!(!other.is_answered_by(&KEY, &proof), "{nonce} {authority}");
        }
    }

    #[test]
    fn digits_have_one_text() {
        let text = "0a".repeat(BYTES);
        assert_eq!(
            text.parse::<Nonce>().map(|nonce| nonce.to_string()),
            Ok(text.clone())
        );
        for wrong in [
            "",
            "0a",
            &text.to_uppercase(),
            &text[1..],
            &format!("{text}00"),
        ] {
            assert_eq!(wrong.parse::<Nonce>(), Err(MalformedDigits), "{wrong}");
            assert_eq!(wrong.parse::<Proof>(), Err(MalformedDigits), "{wrong}");
        }
    }
}
