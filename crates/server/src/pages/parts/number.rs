//! Numbers and sizes.

use std::fmt;

use askama::filters::HtmlSafe;

/// A number with a comma between thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(pub u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl HtmlSafe for Number {}

/// A number of bytes, as `1.1 KiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        let tenths = |unit: u64| bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit;
        let (tenths, unit) = match bytes {
            ..1024 => return write!(f, "{bytes} B"),
            1024..0x10_0000 => (tenths(0x400), "KiB"),
            0x10_0000..0x4000_0000 => (tenths(0x10_0000), "MiB"),
            _ => (tenths(0x4000_0000), "GiB"),
        };
        write!(f, "{}.{} {unit}", Number(tenths / 10), tenths % 10)
    }
}

impl HtmlSafe for Size {}

/// Returns a number with a noun, as `1 change` or `3 changes`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", Number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let check = |number, expected: &str| assert_eq!(Number(number).to_string(), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(12_345_678, "12,345,678");
        assert_eq!(counted(1, "chat"), "1 chat");
        assert_eq!(counted(2_000, "chat"), "2,000 chats");
    }

    #[test]
    fn sizes_have_one_decimal() {
        let check = |bytes, expected: &str| assert_eq!(Size(bytes).to_string(), expected);
        check(0, "0 B");
        check(1023, "1023 B");
        check(1103, "1.1 KiB");
        check(3 * 1024 * 1024 / 2, "1.5 MiB");
        check(10 << 30, "10.0 GiB");
        check(1_000_000_000_000, "931.3 GiB");
        check(u64::MAX, "17,179,869,184.0 GiB");
    }
}
