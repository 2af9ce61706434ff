//! Text of others, made fit for a terminal.
//!
//! Files and titles may hold escape sequences, which would steer the terminal, and characters that
//! hide or reorder what follows, which would let a change slip past whoever reviews it. Both are
//! shown as escapes such as `\u{202e}`.

use std::borrow::Cow;

/// Makes `text` one line without anything that a terminal obeys or hides.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_unfit(character) || character == '\t')
}

/// The same for a text of several lines; tabs and line ends stay.
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_unfit(character) && character != '\n')
}

fn escaped(text: &str, is_unfit: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_unfit) {
        return Cow::Borrowed(text);
    }
    let escape = |character: char| match is_unfit(character) {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Control characters but the tab, and what is invisible or changes the direction of what follows.
/// The joiners stay, since writing systems and emoji need them.
fn is_unfit(character: char) -> bool {
    let is_hidden = matches!(
        character,
        '\u{00ad}'
            | '\u{061c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    is_hidden || (character.is_control() && character != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_or_hides_is_shown() {
        let check = |input: &str, expected_line: &str, expected_text: &str| {
            assert_eq!(line(input), expected_line, "{input:?}");
            assert_eq!(text(input), expected_text, "{input:?}");
        };
        check("plain é 👩‍💻", "plain é 👩‍💻", "plain é 👩‍💻");
        check("a\tb\nc", "a\\tb\\nc", "a\tb\nc");
        check("\u{1b}[2Jx\r", "\\u{1b}[2Jx\\r", "\\u{1b}[2Jx\\r");
        check(
            "a\u{202e}b\u{200b}",
            "a\\u{202e}b\\u{200b}",
            "a\\u{202e}b\\u{200b}",
        );
        check("\u{e0041}", "\\u{e0041}", "\\u{e0041}");
        check("a\u{e0141}", "a\\u{e0141}", "a\\u{e0141}");
    }
}
