//! The text of a skill in which Claude Code has filled places: arguments (`$ARGUMENTS`, `$1`, `$name`), variables
//! (`${NAME}`), and what commands print (`` !`command` ``, and blocks that begin with three backticks and `!`).
//!
//! What stands there in a request is in no file. So a text is known by what stands between the places.

/// What begins a block whose commands are run, and what ends one.
const BLOCK: &str = "```!";
const BLOCK_END: &str = "```";

/// What begins a command that is run, and what ends one.
const COMMAND: &str = "!`";
const COMMAND_END: &str = "`";

/// The longest name of a variable or number of an argument, with its brackets, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// Returns whether a text has a place to fill.
pub fn has_places(text: &str) -> bool {
    pieces(text).nth(1).is_some()
}

/// Returns how many bytes between the places of a text stand in what a client shows, or `None` if it does not show this
/// text. Blanks at the ends do not count.
pub fn shown_bytes(text: &str, shown: &str) -> Option<usize> {
    let mut rest = shown.trim_start();
    let mut bytes = 0;
    let mut pieces = pieces(text).peekable();
    let first = pieces.next()?;
    rest = rest.strip_prefix(first)?;
    bytes += first.len();
    while let Some(piece) = pieces.next() {
        bytes += piece.len();
        rest = match pieces.peek() {
            Some(_) => &rest[rest.find(piece)? + piece.len()..],
            None if piece.is_empty() => "",
            None => {
                let begin = rest.trim_end().strip_suffix(piece)?;
                &rest[begin.len() + piece.len()..]
            }
        };
    }
    rest.trim().is_empty().then_some(bytes)
}

/// Returns the pieces of a text between its places, of which there is one more than places.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let places = text.match_indices(['$', '!', '`']);
        let mut places = places.filter_map(|(at, _)| Some((at, place(&text[at..])?)));
        let Some((at, length)) = places.next() else {
            rest = None;
            return Some(text);
        };
        rest = Some(&text[at + length..]);
        // A backslash keeps a place from being filled, and may be gone then.
        Some(text[..at].trim_end_matches('\\'))
    })
}

/// Returns the length of the place with which a text begins, if it begins with one.
fn place(text: &str) -> Option<usize> {
    let up_to = |begin: &str, end: &str| {
        let inside = text.strip_prefix(begin)?;
        Some(begin.len() + inside.find(end)? + end.len())
    };
    if text.starts_with('`') {
        return up_to(BLOCK, BLOCK_END);
    }
    let Some(name) = text.strip_prefix('$') else {
        return up_to(COMMAND, COMMAND_END);
    };
    let begin = |text: &'_ str| text.floor_char_boundary(NAME_BYTES_MAX);
    if name.starts_with('{') {
        let variable = &name[..begin(name)];
        let end = variable
            .find(['}', '\n'])
            .filter(|end| variable[*end..].starts_with('}'));
        return Some("$".len() + end? + "}".len());
    }
    let is_named = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let length = name.find(is_named).unwrap_or(name.len());
    let index = name[length..].strip_prefix('[');
    let index = index.and_then(|index| {
        let end = index[..begin(index)].find(|c: char| !c.is_ascii_digit())?;
        let is_index = index[end..].starts_with(']');
        is_index.then_some("[".len() + end + "]".len())
    });
    (length > 0).then_some("$".len() + length + index.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_what_stands_between_its_places() {
        let check = |text: &str, shown: &str, expected: Option<usize>| {
            assert_eq!(shown_bytes(text, shown), expected, "{text:?} {shown:?}");
        };
        check("Do $ARGUMENTS now.", "Do this and that now.\n", Some(8));
        check("Do $ARGUMENTS now.", "Do  now.", Some(8));
        check("Do $ARGUMENTS now.", "Do this then.", None);
        check("Do $ARGUMENTS now.", "Do this now. And more.", None);
        check("Do $ARGUMENTS now.", "Do now.", None);
        check("Do: $ARGUMENTS", "Do: ", Some(4));
        check("Do: $ARGUMENTS", "Do: a\n\nb", Some(4));
        check("$0 and $name_1[2], ${A_B}!", "a and b, c!", Some(8));
        check("Today is !`date +%F`.", "Today is Friday.", Some(10));
        check("See\n```!\nls\n```\nhere.", "See\na\nb\nhere.", Some(10));
        check("Say \\$ARGUMENTS.", "Say $ARGUMENTS.", Some(5));
        check("a $X b $Y c", "a b c", None);
        check("a $X b $X b", "a 1 b 2 b", Some(7));
        check("$X", "anything", Some(0));
        for plain in [
            "It costs 5 $.",
            "Wow!",
            "`code` and !important",
            "!`open",
            "${open",
        ] {
            assert!(!has_places(plain), "{plain}");
        }
    }
}
