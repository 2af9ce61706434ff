//! How a server proves that it knows a token, before anybody sends it one. The proof is an HMAC under the
//! hash that a server keeps of the token: whoever has neither the token nor the hash cannot make it, and
//! nothing can be learnt from it.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::id::TokenId;

/// What every input of a proof begins with, so that it is the input of nothing else.
const LABEL: &str = "ctxpin-server-proof-v1";

/// Length of a key, of a nonce and of a proof, in bytes.
const BYTES: usize = 32;

/// Length of what HMAC-SHA-256 makes of a key first, in bytes (RFC 2104, section 2).
const BLOCK_BYTES: usize = 64;

/// What a server is asked to prove something with: 32 random bytes, drawn anew each time. Written as 64
/// hexadecimal digits in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; BYTES]);

/// What a server proves. Written as 64 hexadecimal digits in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof([u8; BYTES]);

/// A text that is no nonce or no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is 64 hexadecimal digits in lower case")]
pub struct MalformedDigits;

/// What is to be proved: that whoever is asked at this address, now, knows the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    nonce: Nonce,
    authority: String,
}

impl Nonce {
    /// A nonce of random bytes.
    pub fn new(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }
}

impl Challenge {
    /// A challenge to whoever is asked at `authority`: host and port, such as `127.0.0.1:7878` or
    /// `[::1]:7878`, the port also where it is the usual one.
    pub fn new(nonce: Nonce, authority: impl Into<String>) -> Self {
        Self {
            nonce,
            authority: authority.into(),
        }
    }

    /// The proof under a token's hash.
    pub fn proof(&self, secret_hash: &[u8; BYTES]) -> Proof {
        Proof(self.mac(secret_hash).finalize().into_bytes().into())
    }

    /// Whether a proof was made for this challenge under that hash.
    pub fn is_met(&self, secret_hash: &[u8; BYTES], proof: &Proof) -> bool {
        self.mac(secret_hash).verify_slice(&proof.0).is_ok()
    }

    fn mac(&self, key: &[u8; BYTES]) -> Hmac<Sha256> {
        mac(key, self.input().as_bytes())
    }

    /// The label, the nonce and the address, a line each.
    fn input(&self) -> String {
        format!("{LABEL}\n{}\n{}\n", self.nonce, self.authority)
    }
}

/// Whether a name always leads to the machine that asks for it, where anybody may listen (RFC 6761, section
/// 6.3).
pub fn is_this_machine(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// What stands in for the hash of a token that is not known: another one for each id, so that its proofs
/// look like any other's. `random` is the server's own.
pub fn stand_in(random: &[u8; BYTES], token: TokenId) -> [u8; BYTES] {
    let mac = mac(random, token.uuid().as_bytes());
    mac.finalize().into_bytes().into()
}

fn mac(key: &[u8; BYTES], input: &[u8]) -> Hmac<Sha256> {
    // A short key is filled up with zeros: this is the same key, in a length that cannot be wrong.
    let mut block = [0; BLOCK_BYTES];
    block[..BYTES].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(input);
    mac
}

fn digits_read(text: &str) -> Result<[u8; BYTES], MalformedDigits> {
    let mut bytes = [0; BYTES];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| MalformedDigits)?;
    // The very digits are part of the input: one nonce has one text.
    match hex::encode(bytes) == text {
        true => Ok(bytes),
        false => Err(MalformedDigits),
    }
}

impl FromStr for Nonce {
    type Err = MalformedDigits;

    fn from_str(text: &str) -> Result<Self, MalformedDigits> {
        digits_read(text).map(Self)
    }
}

impl FromStr for Proof {
    type Err = MalformedDigits;

    fn from_str(text: &str) -> Result<Self, MalformedDigits> {
        digits_read(text).map(Self)
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

    /// Made by another program: `printf 'ctxpin-server-proof-v1\n%s\n127.0.0.1:7878\n' NONCE |
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
        assert!(challenge.is_met(&KEY, &proof));
        assert!(!challenge.is_met(&[0xac; BYTES], &proof));
        for (nonce, authority) in [
            (8, "127.0.0.1:7878"),
            (7, "127.0.0.1:7879"),
            (7, "[::1]:7878"),
        ] {
            let other = Challenge::new(Nonce::new([nonce; BYTES]), authority);
            assert!(!other.is_met(&KEY, &proof), "{nonce} {authority}");
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
