//! Enrolment: a person makes a one-time code, and an agent exchanges the code for itself.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::agent::AgentRequest;
use crate::id::{AgentId, EnrolmentCodeId, TokenId};
use crate::moment::Moment;
use crate::profile::Profile;
use crate::token::Credential;

/// The digits of a code, by value: Crockford's base 32, which leaves out I, L, O and U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Number of random bytes of a code. Nobody tries 2^80 codes within the ten minutes of one.
const BYTES: usize = 10;

/// Bits of a digit.
const DIGIT_BITS: usize = 5;

/// Number of digits of a code.
const LENGTH: usize = BYTES * 8 / DIGIT_BITS;

/// Number of digits between two dashes.
const GROUP: usize = 4;

/// The beginning of the hashed text for the id of a code.
const ID_LABEL: &[u8] = b"ctxpin-enrolment-code-id-v1\n";

/// The beginning of the hashed text for the secret of a code.
const SECRET_LABEL: &[u8] = b"ctxpin-enrolment-code-secret-v1\n";

/// A one-time code that makes an agent. Its text is 16 letters and digits in groups of four, such as
/// `K7QD-M2XP-90AB-CDEF`. Only [`Self::reveal`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode([u8; BYTES]);

/// The error of parsing a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an enrolment code has 16 letters and digits, such as K7QD-M2XP-90AB-CDEF")]
pub struct MalformedEnrolmentCode;

impl EnrolmentCode {
    /// Makes a code of random bytes.
    pub fn new(secret: [u8; BYTES]) -> Self {
        Self(secret)
    }

    /// Returns the public part of the code, which names it. It does not reveal the code.
    pub fn id(&self) -> EnrolmentCodeId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.digest(ID_LABEL)[..16]);
        uuid::Builder::from_custom_bytes(id).into_uuid().into()
    }

    /// Returns the part of the code that the server stores. A server proves with it that it knows the code, as it
    /// does for a token.
    pub fn credential(&self) -> Credential {
        Credential {
            id: TokenId::from(self.id().uuid()),
            secret_hash: Sha256::digest(self.digest(SECRET_LABEL)).into(),
            is_session: false,
        }
    }

    /// Returns the text of the code. Show it to the person who made it only, once.
    pub fn reveal(&self) -> String {
        let bit = |at: usize| (self.0[at / 8] >> (7 - at % 8)) & 1;
        let mut text = String::with_capacity(LENGTH + LENGTH / GROUP);
        for digit in 0..LENGTH {
            if digit > 0 && digit % GROUP == 0 {
                text.push('-');
            }
            let bits = digit * DIGIT_BITS..(digit + 1) * DIGIT_BITS;
            let value = bits.fold(0, |value, at| (value << 1) | bit(at));
            text.push(char::from(DIGITS[usize::from(value)]));
        }
        text
    }

    fn digest(&self, label: &[u8]) -> [u8; 32] {
        Sha256::new()
            .chain_update(label)
            .chain_update(self.0)
            .finalize()
            .into()
    }
}

impl FromStr for EnrolmentCode {
    type Err = MalformedEnrolmentCode;

    /// Parses a code as people type it: the case, blanks and dashes do not matter, and letters that look like digits
    /// count as these.
    fn from_str(text: &str) -> Result<Self, MalformedEnrolmentCode> {
        let mut bytes = [0; BYTES];
        let mut length = 0;
        for char in text
            .chars()
            .filter(|char| !char.is_whitespace() && *char != '-')
        {
            let value = digit(char)
                .filter(|_| length < LENGTH)
                .ok_or(MalformedEnrolmentCode)?;
            for bit in 0..DIGIT_BITS {
                let at = length * DIGIT_BITS + bit;
                bytes[at / 8] |= ((value >> (DIGIT_BITS - 1 - bit)) & 1) << (7 - at % 8);
            }
            length += 1;
        }
        match length {
            LENGTH => Ok(Self(bytes)),
            _ => Err(MalformedEnrolmentCode),
        }
    }
}

/// Returns the value of a digit.
fn digit(char: char) -> Option<u8> {
    let char = match char.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let value = DIGITS.iter().position(|digit| char::from(*digit) == char)?;
    u8::try_from(value).ok()
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(hidden)")
    }
}

/// A request of a new agent to exchange a code for itself.
#[derive(Debug, Clone)]
pub struct EnrolRequest {
    pub code: EnrolmentCode,
    /// The hash of the secret that the agent drew for its token.
    pub secret_hash: [u8; 32],
    /// The profile that the agent will follow.
    pub profile: Profile,
}

/// What the server stores of a code for the caller who exchanges it.
#[derive(Debug, Clone)]
pub struct Enrolment {
    pub id: EnrolmentCodeId,
    /// The token that made the code. The agent is made on its behalf.
    pub made_by: Credential,
    pub request: AgentRequest,
    /// The agent that the code has made.
    pub agent: Option<AgentId>,
}

/// A code without its secret, for its maker.
#[derive(Debug, Clone)]
pub struct EnrolmentCodeRecord {
    pub id: EnrolmentCodeId,
    /// The name of the workspace to connect.
    pub workspace: String,
    /// The profile of the agent that the code makes.
    pub profile: Profile,
    pub expires_at: Moment,
    /// The agent that the code has made.
    pub agent: Option<AgentId>,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const BYTES_OF_ALL: [u8; BYTES] = [0x9e, 0xee, 0xd2, 0x2d, 0x9d, 0xf6, 0x99, 0x8d, 0x06, 0xff];

    #[test]
    fn a_code_reads_back_and_hides_itself() {
        for bytes in [[0; BYTES], [0xff; BYTES], BYTES_OF_ALL] {
            let code = EnrolmentCode::new(bytes);
            let text = code.reveal();
            assert_eq!(text.len(), 19);
            assert_eq!(text.parse(), Ok(code.clone()), "{text}");
            assert_eq!(format!("{code:?}"), "EnrolmentCode(hidden)");
        }
        assert_eq!(
            EnrolmentCode::new([0; BYTES]).reveal(),
            "0000-0000-0000-0000"
        );
        assert_eq!(
            EnrolmentCode::new([0xff; BYTES]).reveal(),
            "ZZZZ-ZZZZ-ZZZZ-ZZZZ"
        );
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = "01AB-CDEF-GHJK-MNPQ".parse::<EnrolmentCode>();
        for typed in [
            "01abcdefghjkmnpq",
            " oiab cdef ghjk mnpq\n",
            "OLab-cdefghjk - mnpq",
        ] {
            assert_eq!(typed.parse(), code, "{typed}");
        }
        for typed in [
            "",
            "01AB-CDEF-GHJK-MNP",
            "01AB-CDEF-GHJK-MNPQ-R",
            "U1AB-CDEF-GHJK-MNPQ",
            "é1AB-CDEF-GHJK-MNPQ",
        ] {
            let malformed = Err(MalformedEnrolmentCode);
            assert_eq!(typed.parse::<EnrolmentCode>(), malformed, "{typed}");
        }
    }

    #[test]
    fn the_parts_of_a_code_reveal_nothing_of_each_other() {
        let (one, other) = (
            EnrolmentCode::new([1; BYTES]),
            EnrolmentCode::new([2; BYTES]),
        );
        assert_ne!(one.id(), other.id());
        let credential = one.credential();
        assert_ne!(credential.secret_hash, other.credential().secret_hash);
        assert_eq!(credential.id.uuid(), one.id().uuid());
        let id = one.id().uuid().simple().to_string();
        assert!(!hex::encode(credential.secret_hash).contains(&id[..8]));
    }

    /// Other clients compute the same values.
    #[test]
    fn the_parts_of_a_code_are_what_others_compute() {
        let code = EnrolmentCode::new([0; BYTES]);
        let id = Uuid::parse_str("da896a83-2530-86f4-92f6-db2e69455cb4");
        assert_eq!(Ok(code.id().uuid()), id);
        assert_eq!(
            hex::encode(code.credential().secret_hash),
            "8ee2f858798ef1a9c766c9ecf7a8adebb952f67afcfb4f4c217e5fab321796ae"
        );
    }
}
