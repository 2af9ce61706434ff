//! JSON with comments and commas after the last member, as opencode writes its configuration.

/// Returns the same text as JSON: comments and the last commas are blanks.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    // Where the last comma stands, if nothing but blanks follows it so far.
    let mut comma = None;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' => string_bytes(rest),
            '/' => comment_bytes(rest),
            _ => first.len_utf8(),
        };
        let (part, behind) = rest.split_at(taken);
        rest = behind;
        match first {
            '/' if taken > 1 => plain.push(' '),
            ',' => {
                comma = Some(plain.len());
                plain.push(',');
            }
            '}' | ']' => {
                if let Some(comma) = comma.take() {
                    plain.replace_range(comma..=comma, " ");
                }
                plain.push(first);
            }
            _ => {
                if !first.is_whitespace() {
                    comma = None;
                }
                plain.push_str(part);
            }
        }
    }
    plain
}

/// Returns how many bytes a string has with its quotes. A string without an end takes the rest.
fn string_bytes(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let is_end = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// Returns how many bytes a comment has. Returns 1 if none begins here.
fn comment_bytes(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find(['\n', '\r']).unwrap_or(text.len());
    }
    match text.strip_prefix("/*") {
        Some(rest) => rest.find("*/").map_or(text.len(), |end| end + 4),
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(text: &str) -> serde_json::Result<Value> {
        serde_json::from_str(&plain(text))
    }

    #[test]
    fn comments_and_last_commas_are_blanks() {
        let text = "// first\n{ /* a, \"b\" */ \"x\": [1, 2, // last\n], \"y\": \"// no, /* comment */ ,}\\\"\", }\n";
        let expected = json!({ "x": [1, 2], "y": "// no, /* comment */ ,}\"" });
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in ["", "{", "[1,,]", "{,}x", "\"open", "/", "/* open", "[1 2]"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
