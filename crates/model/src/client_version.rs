//! The version of a client, as its record names it.

use std::fmt;
use std::str::FromStr;

/// The greatest length of a version, in bytes.
pub const VERSION_BYTES_MAX: usize = 32;

/// The version of a client: two numbers with a point between them, and then ASCII letters, digits and `.+-_`. So no other
/// text of a record is one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientVersion {
    bytes: [u8; VERSION_BYTES_MAX],
    length: u8,
}

/// The error of a text that is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a version begins with two numbers and a point between them, such as 2.1, and has at most {VERSION_BYTES_MAX} ASCII \
     letters, digits and `.+-_`"
)]
pub struct MalformedVersion;

impl ClientVersion {
    /// Returns the version as the client writes it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl FromStr for ClientVersion {
    type Err = MalformedVersion;

    fn from_str(text: &str) -> Result<Self, MalformedVersion> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".+-_".contains(c);
        let behind_number = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let has_numbers = behind_number.len() < text.len()
            && behind_number.starts_with('.')
            && behind_number[1..].starts_with(|c: char| c.is_ascii_digit());
        if !has_numbers || text.len() > VERSION_BYTES_MAX || !text.chars().all(is_plain) {
            return Err(MalformedVersion);
        }
        let mut bytes = [0; VERSION_BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        let length = u8::try_from(text.len()).map_err(|_| MalformedVersion)?;
        Ok(Self { bytes, length })
    }
}

impl fmt::Display for ClientVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ClientVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_version_is_one() {
        let check = |text: &str, expected: bool| {
            let version = text.parse::<ClientVersion>();
            assert_eq!(version.is_ok(), expected, "{text:?}");
            assert!(version.is_err() || version.unwrap().to_string() == text);
        };
        check("2.1.332", true);
        check("0.171.0-alpha.12+build_7", true);
        let long = |bytes: usize| format!("1.{}", "2".repeat(bytes - 2));
        check(&long(VERSION_BYTES_MAX), true);
        check(&long(VERSION_BYTES_MAX + 1), false);
        for text in [
            "", "1", "1.", ".1", "word", "1.x", "1.2 3", "1.2\n", "1.2é", "v1.2", "1.2/3",
        ] {
            check(text, false);
        }
    }
}
