//! Estimates how much of a model's context window a text takes.

/// The number of bytes of UTF-8 per token. It is about right for English prose and for code in today's
/// tokenisers. Other scripts differ.
const TOKEN_BYTES: u64 = 4;

/// Estimates the number of tokens in a text of that many bytes: a quarter of them, rounded up. It asks no
/// tokeniser, because each model has its own. Say that the number is an estimate when you show it.
pub fn tokens(size_bytes: u64) -> u64 {
    size_bytes.div_ceil(TOKEN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn tokens_are_a_quarter_of_the_bytes() {
        for (size_bytes, expected) in [(0, 0), (1, 1), (4, 1), (5, 2)] {
            assert_eq!(tokens(size_bytes), expected, "{size_bytes}");
        }
    }
}
