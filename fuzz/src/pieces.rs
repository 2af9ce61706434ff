//! An input that holds several texts.

/// The separator of the texts of an input: a byte that never occurs in UTF-8.
const SEPARATOR: u8 = 0xFF;

/// Returns the first `COUNT` texts of an input, and empty texts for missing ones. Bytes that are
/// not UTF-8 become U+FFFD.
pub fn texts<const COUNT: usize>(bytes: &[u8]) -> [String; COUNT] {
    let mut pieces = bytes.split(|byte| *byte == SEPARATOR);
    std::array::from_fn(|_| String::from_utf8_lossy(pieces.next().unwrap_or_default()).into_owned())
}
