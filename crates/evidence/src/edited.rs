//! The notes by which Claude Code tells its model that a file has changed since it was read or given.
//!
//! A note names the file and shows the changed lines with eight lines around them, each with its number in the present
//! file. Of a short file that is the whole text. The client cuts a note behind 8 KiB, and shows nothing where all notes
//! of a prompt have more than 16 KiB, or where a file is too long for its tool for reading.

use crate::numbered::without_number;

/// What a note begins with, before the path.
pub const NOTE: &str = "Note: ";
/// What follows the path.
const CHANGED: &str = " changed on disk since you last read it.";
/// The end of the first line, if the note shows lines.
const SHOWN: &str = " (shown with line numbers):";
/// What stands between pieces of the file.
const GAP: &str = "...";
/// What a note that was cut goes on with, behind an empty line.
const CUT: &str = "... [";

/// A note that shows lines of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Edited<'s> {
    /// Where the note begins, in bytes.
    pub at: usize,
    pub path: &'s str,
    pub pieces: Vec<Piece>,
    /// Whether the client cut the last piece.
    pub is_cut: bool,
}

/// Lines of a file that stand one behind the other.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// The number of the first one, from 1.
    pub first: usize,
    /// The lines without their numbers.
    pub text: String,
}

impl Edited<'_> {
    /// Returns everything that is shown.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|piece| &*piece.text).collect()
    }

    /// Returns whether a file has the lines that are shown, and whether they are all that it has. `starts` are the places
    /// of its lines. Adds the number of elementary steps to `steps`.
    pub fn is_of(&self, file: &str, starts: &[usize], steps: &mut u64) -> Option<bool> {
        let mut shown = 0;
        for (index, piece) in self.pieces.iter().enumerate() {
            let is_cut = self.is_cut && index + 1 == self.pieces.len();
            let start = *starts.get(piece.first.checked_sub(1)?)?;
            let mut here = file[start..].lines();
            let mut lines = piece.text.lines().peekable();
            while let Some(line) = lines.next() {
                *steps += line.len() as u64 + 1;
                let there = here.next()?;
                let is_part = is_cut && lines.peek().is_none();
                if there != line && !(is_part && there.starts_with(line)) {
                    return None;
                }
                shown += 1;
            }
        }
        Some(!self.is_cut && shown == starts.len())
    }
}

/// Returns the notes of a text that show lines, in its order.
pub fn edited(text: &str) -> Vec<Edited<'_>> {
    let mut found: Vec<Edited<'_>> = Vec::new();
    let mut at = 0;
    let mut is_open = false;
    let mut is_behind = false;
    for line in text.split_inclusive('\n') {
        let shown = without_number(line);
        match (shown, found.last_mut().filter(|_| is_open)) {
            (Some((_, line)), Some(note)) if is_behind => {
                if let Some(piece) = note.pieces.last_mut() {
                    piece.text.push_str(line);
                }
            }
            (Some((first, line)), Some(note)) => note.pieces.push(Piece {
                first,
                text: line.to_owned(),
            }),
            (None, Some(note)) => {
                let line = line.trim_end();
                note.is_cut |= line.starts_with(CUT);
                // A cut note has an empty line before the word of it.
                is_open = line == GAP || line.is_empty();
            }
            (_, None) => {}
        }
        is_behind = is_open && shown.is_some();
        if let Some(path) = path(line) {
            found.push(Edited {
                at,
                path,
                pieces: Vec::new(),
                is_cut: false,
            });
            is_open = true;
            is_behind = false;
        }
        at += line.len();
    }
    found.retain(|note| !note.pieces.is_empty());
    found
}

/// Returns the path that the first line of a note names.
fn path(line: &str) -> Option<&str> {
    let named = line.strip_prefix(NOTE)?;
    let (path, behind) = named.split_once(CHANGED)?;
    behind.trim_end().ends_with(SHOWN).then_some(path)
}

/// Returns where the lines of a file begin, in bytes.
pub fn starts(file: &str) -> Vec<usize> {
    let mut at = 0;
    let lines = file.split_inclusive('\n');
    lines
        .map(|line| {
            let start = at;
            at += line.len();
            start
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(shown: &str) -> String {
        format!(
            "Note: /w/A (b).md changed on disk since you last read it. That's usually deliberate. Here are the relevant \
             changes (shown with line numbers):\n{shown}"
        )
    }

    fn check(shown: &str, file: &str, expected: Option<bool>) {
        let text = note(shown);
        let notes = edited(&text);
        assert_eq!(notes.len(), 1, "{text}");
        assert_eq!((notes[0].at, notes[0].path), (0, "/w/A (b).md"));
        let is_of = notes[0].is_of(file, &starts(file), &mut 0);
        assert_eq!(is_of, expected, "{shown}");
    }

    #[test]
    fn a_note_shows_a_whole_file_or_pieces_of_it() {
        let file = "a\n\nb\n1\tc\nd\n";
        check("1\ta\n2\t\n3\tb\n4\t1\tc\n5\td", file, Some(true));
        check(
            "1\ta\n2\t\n3\tb\n4\t1\tc\n5\td\n</system-reminder>",
            file,
            Some(true),
        );
        check("1\ta\n2\t\n...\n5\td", file, Some(false));
        check("2\t\n3\tb", file, Some(false));
        check("1\ta\n2\tb", file, None);
        check("3\tb\n4\tc", file, None);
        check("5\td\n6\te", file, None);
        check("9\ta", file, None);
        check("0\ta", file, None);
    }

    #[test]
    fn a_note_may_be_cut() {
        check(
            "1\ta\n2\tlo\n\n... [7 lines truncated] ...",
            "a\nlong\n",
            Some(false),
        );
        check(
            "1\ta\n2\tlong\n\n... [7 lines truncated] ...",
            "a\nlong\n",
            Some(false),
        );
        check("1\ta\n2\tlo", "a\nlong\n", None);
    }

    #[test]
    fn a_note_without_lines_shows_nothing() {
        let hidden = "Note: /w/A.md changed on disk since you last read it. The changes are not shown here; use Read if you \
                      need the current content.\n1\ta";
        assert_eq!(edited(hidden), []);
        assert_eq!(edited(&format!("See: {}", note("1\ta"))), []);
        let two = format!("{}\n\n{}", note("1\ta"), note("1\tb"));
        let texts: Vec<_> = edited(&two).iter().map(Edited::text).collect();
        assert_eq!(texts, ["a\n", "b"]);
    }
}
