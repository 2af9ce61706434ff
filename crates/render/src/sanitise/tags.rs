//! Escapes ctxpin's own tags, which no content may have.

use super::characters::is_unseen;
use super::edit::{Edit, Layers};

/// The element that holds the facts and the instruction files.
pub(crate) const CONTEXT_TAG: &str = "workspace-context";

/// The element that lists the skills.
pub(crate) const SKILLS_TAG: &str = "available-skills";

/// The element that holds the content of one instruction file.
pub(crate) const FILE_TAG: &str = "context-file";

/// The reserved tags. A tag whose name only begins like one of these is escaped too. So
/// `workspace-context-update`, which reports a change to a chat, is reserved.
const TAGS: [&str; 3] = [CONTEXT_TAG, SKILLS_TAG, FILE_TAG];

/// Returns the edits that escape the `<` of each of ctxpin's tags: opening or closing, in any case and
/// spacing, ended or not. No search passes the next `<`, so all of them together take linear time.
pub(super) fn escapes(text: &str) -> Vec<Edit> {
    escapes_of(text, &TAGS)
}

/// Returns a text in which the `<` of each of these tags is escaped, as [`escapes`] does it for ctxpin's.
pub(crate) fn escaped(text: &str, tags: &[&str]) -> String {
    let mut layers = Layers::new(text);
    layers.push(escapes_of(text, tags));
    layers.text.into_owned()
}

fn escapes_of(text: &str, tags: &[&str]) -> Vec<Edit> {
    let starts = text.match_indices('<').map(|(at, _)| at);
    let ours = starts.filter(|at| {
        let after = &text[at + 1..];
        let after = &after[..after.find('<').unwrap_or(after.len())];
        let name =
            after.trim_start_matches(|c: char| c == '/' || c.is_whitespace() || is_unseen(c));
        tags.iter().any(|tag| begins_with_word(name, tag))
    });
    ours.map(|at| Edit::replace(at..at + 1, "&lt;")).collect()
}

/// Returns whether `text` begins with the ASCII `word`. Ignores case and invisible characters.
fn begins_with_word(text: &str, word: &str) -> bool {
    let mut rest = text.chars();
    word.chars().all(|expected| {
        let found = rest.find(|c| !is_unseen(*c));
        found.is_some_and(|found| case_folded(found) == expected.to_ascii_lowercase())
    })
}

/// Returns the lower case of the upper case, so that the long s is an s and the Kelvin sign a k.
fn case_folded(c: char) -> char {
    let upper = c.to_uppercase().next().unwrap_or(c);
    upper.to_lowercase().next().unwrap_or(upper)
}
