//! ctxpin's own tags, which no content may bear.

use super::characters::is_unseen;
use super::edit::Edit;

/// The element that holds the facts and the instruction files.
pub(crate) const CONTEXT_TAG: &str = "workspace-context";

/// The element that lists the skills.
pub(crate) const SKILLS_TAG: &str = "available-skills";

/// The element that holds the content of one instruction file.
pub(crate) const FILE_TAG: &str = "context-file";

/// The tags that are ctxpin's alone. A tag whose name merely begins like one of these is escaped as
/// well; so `workspace-context-update`, which tells a chat of a change, is reserved too.
const TAGS: [&str; 3] = [CONTEXT_TAG, SKILLS_TAG, FILE_TAG];

/// The edits that escape the `<` of each of ctxpin's tags, opening or closing, in any case and spacing,
/// ended or not. A search never passes the next `<`, which keeps all of them together linear.
pub(super) fn escapes(text: &str) -> Vec<Edit> {
    let starts = text.match_indices('<').map(|(at, _)| at);
    let ours = starts.filter(|at| {
        let after = &text[at + 1..];
        let after = &after[..after.find('<').unwrap_or(after.len())];
        let name =
            after.trim_start_matches(|c: char| c == '/' || c.is_whitespace() || is_unseen(c));
        TAGS.iter().any(|tag| begins_with_word(name, tag))
    });
    ours.map(|at| Edit::replace(at..at + 1, "&lt;")).collect()
}

/// Whether `text` begins with `word` (ASCII), in any case and whatever unseen characters stand in it.
fn begins_with_word(text: &str, word: &str) -> bool {
    let mut rest = text.chars();
    word.chars().all(|expected| {
        let found = rest.find(|c| !is_unseen(*c));
        found.is_some_and(|found| case_folded(found) == expected.to_ascii_lowercase())
    })
}

/// The lower case of the upper case: so that the long s and the Kelvin sign are an s and a k.
fn case_folded(c: char) -> char {
    let upper = c.to_uppercase().next().unwrap_or(c);
    upper.to_lowercase().next().unwrap_or(upper)
}
