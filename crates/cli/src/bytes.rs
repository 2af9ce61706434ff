//! Sizes as people write them, such as `20GiB`.

use std::fmt;
use std::str::FromStr;

use ctxpin_model::limits::format_bytes;

/// The units and their sizes. A number without a unit is in bytes.
const UNITS: [(&str, u64); 6] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim_start());
        let bytes = unit.and_then(|(_, unit)| number.parse::<u64>().ok()?.checked_mul(*unit));
        bytes.map(Self).ok_or_else(|| {
            "write a whole number of bytes, KiB, MiB, GiB or TiB, such as 20GiB".into()
        })
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_bytes(self.0).replace(' ', ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_their_units() {
        let check = |text: &str, expected: Option<u64>| {
            let read = text.parse::<Bytes>().ok().map(|bytes| bytes.0);
            assert_eq!(read, expected, "{text}");
        };
        check("0", Some(0));
        check("1023", Some(1_023));
        check("20GiB", Some(20 << 30));
        check("20 MiB", Some(20 << 20));
        check("7B", Some(7));
        for text in [
            "",
            "GiB",
            "1.5GiB",
            "-1",
            "20G",
            "20gib",
            "18446744073709551616",
            "16777216TiB",
        ] {
            check(text, None);
        }
        assert_eq!(Bytes(20 << 30).to_string(), "20GiB");
    }
}
