//! Estimates how much of a model's context window a text takes.

/// The number of bytes of UTF-8 per token. It is about right for English prose and for code in today's
/// tokenisers. Other scripts differ.
const TOKEN_BYTES: u64 = 4;

/// Estimates the number of tokens in `text`: a quarter of its bytes, rounded up. It asks no tokeniser,
/// because each model has its own. Say that the number is an estimate when you show it.
pub fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(TOKEN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn tokens_are_a_quarter_of_the_bytes() {
        for (text, expected) in [
            ("", 0),
            ("a", 1),
            ("abcd", 1),
            ("abcde", 2),
            ("éé", 1),
            ("ééa", 2),
        ] {
            assert_eq!(tokens(text), expected, "{text:?}");
        }
    }
}
