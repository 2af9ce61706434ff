//! Folds blanks without meaning: at the ends of lines, and repeated blank lines.

use std::ops::Range;

use super::edit::Edit;
use crate::treated::Reason;

/// Returns the edits that cut blanks at the ends of lines, join blank lines, and cut those at both ends of
/// the text with the last line end. Keeps what is `protected`, except for blank lines at the very end. Calls
/// `protected` only if it matters. Keeps one blank after a backslash, because a bare backslash would break
/// the line.
pub(super) fn folds(text: &str, protected: impl FnOnce() -> Vec<Range<usize>>) -> Vec<Edit> {
    if !may_fold(text) {
        let last = text.len() - usize::from(text.ends_with('\n'));
        let end = last..text.len();
        return match end.is_empty() {
            true => Vec::new(),
            false => vec![Edit::cut(end, Reason::Blank)],
        };
    }
    let protected = protected();
    let mut edits = Vec::new();
    let mut cut = |range: Range<usize>| {
        if !range.is_empty() {
            edits.push(Edit::cut(range, Reason::Blank));
        }
    };
    let body = without_last_blanks(text).len();
    let mut guards = protected.iter().peekable();
    // The end of the last line that is not blank.
    let mut content_end = None;
    // The beginning of the current run of blank lines.
    let mut run_start = None;
    let mut at = 0;
    while at < body {
        let end = text[at..body].find('\n').map_or(body, |found| at + found);
        let mut keep = at;
        let mut goes_on = false;
        while let Some(guard) = guards.next_if(|guard| guard.start <= end && guard.end <= end) {
            keep = keep.max(guard.end);
        }
        if let Some(guard) = guards.peek().filter(|guard| guard.start <= end) {
            goes_on = true;
            if guard.start < end {
                keep = end;
            }
        }
        let shown = text[at..end].trim_end_matches([' ', '\t']);
        let backslash = usize::from(shown.ends_with('\\') && at + shown.len() < end);
        keep = keep.max(at + shown.len() + backslash);
        if keep == at && !goes_on {
            run_start.get_or_insert(at);
        } else {
            if let Some(start) = run_start.take() {
                // The last blank line between two others stays.
                let stays = usize::from(content_end.is_some());
                cut(start..at - stays);
            }
            cut(keep..end);
            content_end = Some(end);
        }
        at = end + 1;
    }
    cut(content_end.unwrap_or(0)..text.len());
    edits
}

/// Returns the text up to its last line that is not blank.
pub(super) fn without_last_blanks(text: &str) -> &str {
    let content = text.trim_end_matches(['\n', ' ', '\t']).len();
    let end = text[content..].find('\n').map(|found| content + found);
    match content {
        0 => "",
        _ => &text[..end.unwrap_or(text.len())],
    }
}

/// Returns whether a text has blanks to fold if nothing is protected, apart from one last line end. This is
/// faster than finding what is protected.
fn may_fold(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.starts_with('\n') || text.ends_with(['\n', ' ', '\t']) {
        return true;
    }
    let mut before = [0_u8; 2];
    for byte in text.bytes() {
        let ends_blank = matches!(before[1], b' ' | b'\t') || before == *b"\n\n";
        if byte == b'\n' && ends_blank {
            return true;
        }
        before = [before[1], byte];
    }
    false
}
