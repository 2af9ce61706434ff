//! How much of a model's context window a text takes, roughly.

/// Bytes of UTF-8 to one token: about right for English prose and for code in the tokenisers in
/// use. Other scripts take fewer bytes or more.
const TOKEN_BYTES: u64 = 4;

/// An estimate of the tokens in `text`: a quarter of its bytes, rounded up. No tokeniser is asked,
/// as each model has its own; whoever shows the number says that it is an estimate.
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
