//! An input that holds several texts.

/// What stands between two texts of an input: a byte that no UTF-8 has.
const SEPARATOR: u8 = 0xFF;

/// The first `COUNT` texts of an input, the missing ones empty and the last without the rest. Bytes
/// that are not UTF-8 become U+FFFD.
pub fn texts<const COUNT: usize>(bytes: &[u8]) -> [String; COUNT] {
    let mut pieces = bytes.split(|byte| *byte == SEPARATOR);
    std::array::from_fn(|_| String::from_utf8_lossy(pieces.next().unwrap_or_default()).into_owned())
}
