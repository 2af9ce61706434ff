//! Texts from workspaces and people. HTML escapes alone leave characters that reorder the text around them;
//! here they are visible, and so are characters without a width.

use std::fmt::{self, Write};

use askama::filters::HtmlSafe;

/// A text from outside, escaped, with a visible name for each character that changes the direction of text and
/// for each control character but tab and line feed.
pub(crate) struct Text<T>(pub T);

impl<T: AsRef<str>> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.as_ref().chars() {
            write_character(f, character)?;
        }
        Ok(())
    }
}

impl<T: AsRef<str>> HtmlSafe for Text<T> {}

/// The most places at which a path may break. What a hostile path has besides breaks where the line ends.
const BREAKS_MAX: usize = 40;

/// A text from outside that is, or names, a path: escaped as [`Text`], it may break behind each `/`. It is for what an
/// element shows, and not for an attribute.
pub(crate) struct PathText<T>(pub T);

impl<T: AsRef<str>> fmt::Display for PathText<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut breaks = 0;
        let mut may_break = false;
        for part in self.0.as_ref().split_inclusive('/') {
            if may_break && breaks < BREAKS_MAX {
                f.write_str("<wbr>")?;
                breaks += 1;
            }
            Text(part).fmt(f)?;
            // No line ends with the `/` that begins a path.
            may_break = !part.ends_with(" /") && part != "/";
        }
        Ok(())
    }
}

impl<T: AsRef<str>> HtmlSafe for PathText<T> {}

/// The most characters of a word before it may break at certain places. A browser shapes the rest of a word anew at each
/// line in which the word breaks anywhere: one of 100 kB would take it half a minute.
const WORD_MAX: usize = 200;

/// The distance between these places.
const WORD_PART: usize = 100;

/// A text from outside that may have words of any length: escaped as [`Text`], a long word may break at certain places.
/// It is for what an element shows, and not for an attribute.
pub(crate) struct LongText<T>(pub T);

impl<T: AsRef<str>> fmt::Display for LongText<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Words::default().write(f, self.0.as_ref())
    }
}

impl<T: AsRef<str>> HtmlSafe for LongText<T> {}

/// Writes pieces of a [`LongText`], which may share a word.
#[derive(Default)]
pub(crate) struct Words {
    /// How many characters the last word has so far.
    length: usize,
}

impl Words {
    pub fn write(&mut self, f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
        for character in text.chars() {
            if character.is_whitespace() {
                self.length = 0;
            } else {
                if self.length >= WORD_MAX && self.length.is_multiple_of(WORD_PART) {
                    f.write_str("<wbr>")?;
                }
                self.length += 1;
            }
            write_character(f, character)?;
        }
        Ok(())
    }

    /// Ends the last word.
    pub fn end(&mut self) {
        self.length = 0;
    }
}

fn write_character(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        '<' => f.write_str("&lt;"),
        '>' => f.write_str("&gt;"),
        '&' => f.write_str("&amp;"),
        '"' => f.write_str("&#34;"),
        '\'' => f.write_str("&#39;"),
        '\t' | '\n' => f.write_char(character),
        _ if is_hidden(character) => write!(f, "[U+{:04X}]", u32::from(character)),
        _ => f.write_char(character),
    }
}

/// Returns whether a character is a control character, changes the direction of text (UAX 9), or has no width.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            // Joiners (U+200C, U+200D) are part of scripts and emoji.
            | '\u{AD}' | '\u{180E}' | '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}'
            | '\u{E0000}'..='\u{E01EF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_are_inert() {
        let check = |text: &str, expected: &str| assert_eq!(Text(text).to_string(), expected);
        check("plain\ttext\n", "plain\ttext\n");
        check(
            "<script>alert('a')</script>",
            "&lt;script&gt;alert(&#39;a&#39;)&lt;/script&gt;",
        );
        check("\" onclick=\"x", "&#34; onclick=&#34;x");
        check("a\u{202E}b\u{2069}", "a[U+202E]b[U+2069]");
        check("a\r\0", "a[U+000D][U+0000]");
        check("zero\u{200B}width\u{E0041}", "zero[U+200B]width[U+E0041]");
    }

    #[test]
    fn a_long_word_breaks() {
        let check = |text: &str, expected: &str| assert_eq!(LongText(text).to_string(), expected);
        let word = "<".repeat(WORD_MAX);
        let shown = "&lt;".repeat(WORD_MAX);
        let part = "ä".repeat(WORD_PART);
        check(&word, &shown);
        check(
            &format!("{word}{part}{part}"),
            &format!("{shown}<wbr>{part}<wbr>{part}"),
        );
        for blank in [" ", "\n", "\t"] {
            check(
                &format!("{word}{blank}{word}"),
                &format!("{shown}{blank}{shown}"),
            );
        }
    }

    #[test]
    fn a_path_breaks_behind_its_directories() {
        let check = |text: &str, expected: &str| assert_eq!(PathText(text).to_string(), expected);
        check("AGENTS.md", "AGENTS.md");
        check("/work/a/AGENTS.md", "/work/<wbr>a/<wbr>AGENTS.md");
        check("crates/<b>", "crates/<wbr>&lt;b&gt;");
        check("shadowed by /w/a.md", "shadowed by /w/<wbr>a.md");
        check("////", "////");
        let shown = PathText("a/".repeat(2_048)).to_string();
        assert_eq!(shown.matches("<wbr>").count(), BREAKS_MAX);
    }
}
