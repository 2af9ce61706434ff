//! Makes text from others safe for a terminal.
//!
//! Files and titles may contain escape sequences that control the terminal, and characters that hide or
//! reorder text so that a reviewer misses a change. Both are shown as escapes such as `\u{202e}`.

use std::borrow::Cow;
use std::path::Path;

/// Returns `text` as one line, with control characters and invisible characters escaped.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_unfit(character) || character == '\t')
}

/// Returns `text` with control characters and invisible characters escaped. Tabs and line ends stay.
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_unfit(character) && character != '\n')
}

/// Returns a JSON text with the same characters written as JSON escapes (RFC 8259, section 7).
pub fn json(text: &str) -> Cow<'_, str> {
    let is_unfit = |character: char| is_unfit(character) && character != '\n';
    if !text.contains(is_unfit) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if !is_unfit(character) {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            escaped += &format!("\\u{unit:04x}");
        }
    }
    Cow::Owned(escaped)
}

/// Returns a path as one line that is safe for a terminal.
pub fn path(path: &(impl AsRef<Path> + ?Sized)) -> String {
    line(&path.as_ref().to_string_lossy()).into_owned()
}

/// Returns `text` as [`text`] does, but keeps the styles of [`super::paint`]. All output for people passes
/// through this function last, so that text which was not escaped earlier does no harm.
pub fn painted(text: &str) -> Cow<'_, str> {
    let mut cleaned = String::new();
    let mut at = 0;
    for (found, _) in text.match_indices('\u{1b}') {
        if found < at {
            continue;
        }
        let Some(style) = own_style(&text[found..]) else {
            continue;
        };
        cleaned += &self::text(&text[at..found]);
        cleaned += style;
        at = found + style.len();
    }
    match at {
        0 => self::text(text),
        _ => Cow::Owned(cleaned + &self::text(&text[at..])),
    }
}

/// Returns the escape sequence of a style at the start of `text`: `ESC [`, digits and `;`, and `m`.
fn own_style(text: &str) -> Option<&str> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    // This program does not use concealed or blinking text.
    let is_ours =
        |number: &str| matches!(number, "0" | "1" | "2" | "9" | "31" | "32" | "33" | "36");
    let is_style = numbers[end..].starts_with('m') && numbers[..end].split(';').all(is_ours);
    is_style.then(|| &text[.."\u{1b}[".len() + end + "m".len()])
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

/// Returns whether a character is a control character other than the tab, is invisible, or changes the
/// direction of text. Joiners stay, because writing systems and emoji need them.
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
    use crate::say::{ADDED, BOLD, FAINT, GOOD, HUNK, REMOVED, STRUCK, WARNING, paint};

    #[test]
    fn only_styles_pass_among_what_is_printed() {
        for style in [BOLD, FAINT, STRUCK, GOOD, WARNING, ADDED, REMOVED, HUNK] {
            let said = format!("{} b\n", paint(style, "a"));
            assert_eq!(painted(&said), said);
        }
        let hostile = format!(
            "{}\u{1b}]0;x\u{7}\u{1b}[2J\u{1b}[8mc\u{202e}",
            paint(BOLD, "a")
        );
        let expected = format!(
            "{}\\u{{1b}}]0;x\\u{{7}}\\u{{1b}}[2J\\u{{1b}}[8mc\\u{{202e}}",
            paint(BOLD, "a")
        );
        assert_eq!(painted(&hostile), expected);
        assert_eq!(path("/a\n\u{1b}[1m\u{202e}b"), "/a\\n\\u{1b}[1m\\u{202e}b");
    }

    /// `Path::display` does not escape control characters.
    #[test]
    fn paths_are_said_by_one_function() {
        let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(directory) = directories.pop() {
            for entry in directory.read_dir().unwrap() {
                let found = entry.unwrap().path();
                if found.is_dir() {
                    directories.push(found);
                    continue;
                }
                let source = std::fs::read_to_string(&found).unwrap();
                let code = source.split("#[cfg(test)]").next().unwrap();
                assert!(!code.contains(".display()"), "{found:?}: use say::path");
            }
        }
    }

    #[test]
    fn finding_18_json_means_the_same_without_what_steers_or_hides() {
        let value = serde_json::json!({ "a": "\u{9b}2J \u{202e}b\u{e0041} \u{7f} é 👩‍💻\n" });
        let printed = serde_json::to_string_pretty(&value).unwrap();
        let cleaned = json(&printed);
        assert!(!cleaned.contains(|c: char| is_unfit(c) && c != '\n'));
        assert!(
            cleaned.contains(r"\u009b2J \u202eb\udb40\udc41 \u007f é 👩‍💻"),
            "{cleaned}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&cleaned).unwrap(),
            value
        );
    }

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
