//! The order of names in lists of skills.

use unicode_normalization::UnicodeNormalization as _;

/// The punctuation of ASCII in the order in which JavaScript's `localeCompare` has it, before digits and letters.
const PUNCTUATION: &str = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";

/// The marks that stand over letters in several languages of Europe, when a letter is taken apart.
const MARKS: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36F}';

/// A name by its letters, then by the marks over them with their places, then by their case.
pub(super) type Collated = (Vec<(u8, u32)>, Vec<(usize, char)>, Vec<bool>);

/// Returns a key that orders names as JavaScript's `localeCompare` does, at least those in ASCII and in languages that
/// write ASCII with marks. Of two names that differ in nothing but the case of letters, the one with the first small
/// letter comes first.
pub(super) fn collated(name: &str) -> Collated {
    let rank = |c: char| match PUNCTUATION.find(c) {
        Some(at) => (0, at as u32),
        None if c.is_ascii_digit() => (1, c.into()),
        None => (2, c.to_lowercase().next().unwrap_or(c).into()),
    };
    let (mut letters, mut marks, mut cases) = (Vec::new(), Vec::new(), Vec::new());
    for c in name.nfd() {
        if MARKS.contains(&c) {
            marks.push((letters.len(), c));
        } else {
            letters.push(rank(c));
            cases.push(c.is_uppercase());
        }
    }
    (letters, marks, cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_opencode_lists_them() {
        let expected = [
            "_x", "-y", "12", "9x", "a_b", "a-b", "a.b", "ab", "aB", "Ab", "alpha", "Alpha2",
            "ümlaut", "UPPER", "zeta", "zéta",
        ];
        let mut names = expected;
        names.sort_unstable();
        names.sort_by_cached_key(|name| collated(name));
        assert_eq!(names, expected);
    }
}
