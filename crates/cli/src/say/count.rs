//! Counts with nouns.

use std::fmt::Display;

/// Returns a count with its noun. The plural ends in s.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    match count == N::from(1) {
        true => format!("1 {noun}"),
        false => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(0_u64, "chat"), "0 chats");
        assert_eq!(counted(1_usize, "chat"), "1 chat");
        assert_eq!(counted(2_usize, "chat"), "2 chats");
    }
}
