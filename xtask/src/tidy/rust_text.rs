//! Rust source without comments and texts. The rules search names in code, and must not find the
//! same word elsewhere.

/// Returns the source with blanks in place of comments and of the contents of string and character
/// literals. Lines, and the bytes of a line that are code, keep their positions.
pub fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (length, is_code) = if rest.starts_with(b"//") {
            (line_length(rest), false)
        } else if rest.starts_with(b"/*") {
            (block_comment_length(rest), false)
        } else if let Some(length) = string_length(bytes, at) {
            (length, false)
        } else if rest[0] == b'\'' {
            character_length(&source[at..]).map_or((1, true), |length| (length, false))
        } else {
            (1, true)
        };
        for &byte in &rest[..length] {
            let keep = is_code || byte == b'\n';
            code.push(if keep { byte } else { b' ' });
        }
        at += length;
    }
    // Only whole tokens were blanked, each byte by a space, so that this is UTF-8 still.
    String::from_utf8_lossy(&code).into_owned()
}

fn line_length(rest: &[u8]) -> usize {
    rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())
}

/// Returns the length of a block comment, with the ones nested in it.
fn block_comment_length(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Returns the length of the string literal that begins at `start`, with its prefix (`r`, `b`, `c`,
/// `#`s), or `None` if none begins there.
fn string_length(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = &bytes[start..];
    let in_a_word =
        start > 0 && (bytes[start - 1].is_ascii_alphanumeric() || bytes[start - 1] == b'_');
    let letters = rest
        .iter()
        .take_while(|b| matches!(b, b'r' | b'b' | b'c'))
        .count();
    if letters > 2 || (letters > 0 && in_a_word) {
        return None;
    }
    let raw = rest[..letters].contains(&b'r');
    let hashes = rest[letters..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(letters + hashes) != Some(&b'"') || (hashes > 0 && !raw) {
        return None;
    }
    let opened = letters + hashes + 1;
    if raw {
        let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
        let found = rest[opened..].windows(end.len()).position(|w| w == end);
        return Some(found.map_or(rest.len(), |at| opened + at + end.len()));
    }
    let mut at = opened;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    Some(rest.len())
}

/// Returns the length of the character literal at the beginning of `rest`, or `None` for a
/// lifetime.
fn character_length(rest: &str) -> Option<usize> {
    if rest.starts_with("'\\") {
        // An escaped character may be a quote itself, so the search for the closing quote begins
        // after it.
        let closing = rest.get(3..)?.find('\'')?;
        return Some(3 + closing + 1);
    }
    let character = rest[1..].chars().next()?;
    let after = 1 + character.len_utf8();
    rest[after..].starts_with('\'').then_some(after + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_code_stays_in_place() {
        let cases = [
            ("let a = 1; // no", "let a = 1;      "),
            ("a /* x /* y */ z */ b", "a                   b"),
            (r#"f("a \" b") + c"#, "f(        ) + c"),
            ("r#\"a \" b\"# + c", "           + c"),
            ("br\"x\" + b\"y\"", "      +     "),
            ("bar\"x\"", "bar   "),
            ("'\"' + '\\'' + c", "    +      + c"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("'é' + \"ü\"\nb", "     +     \nb"),
            ("\"open", "     "),
            ("r#type", "r#type"),
        ];
        for (source, expected) in cases {
            assert_eq!(code_only(source), expected, "{source}");
        }
    }

    #[test]
    fn lines_inside_a_literal_are_still_counted() {
        assert_eq!(code_only("a\"\n\n\"b").lines().count(), 3);
    }
}
