//! Compares two texts by lines and words. `unified.rs` renders the result.

use std::iter::Sum;
use std::time::Instant;

use similar::{ChangeTag, DiffOp, DiffTag, InlineChangeOptions, TextDiff};

use super::pairs::pairs;
use crate::limits::json_bytes;
use crate::resource::spelled;

/// The usual number of equal lines before and after a change that a hunk includes.
pub const CONTEXT_LINES: usize = 3;

/// A number of equal lines that no text exceeds, so that its one hunk has all lines.
pub const ALL_LINES: usize = 1 << 30;

/// The greatest size, in bytes, of replaced lines whose words are compared.
const WORDS_BYTES_MAX: usize = 64 * 1024;

/// The size of a hunk as JSON besides its lines, in bytes.
const HUNK_BYTES: u64 = 96;

spelled! {
    /// The kind of a line in a hunk.
    LineKind {
        /// Both texts have it.
        Context = "context",
        /// Only the pinned text has it.
        Removed = "removed",
        /// Only the head's text has it.
        Added = "added",
    }
}

/// A line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub kind: LineKind,
    /// The text without its line feed.
    pub text: String,
    /// The ranges of bytes in which the text differs from its counterpart: the line that it replaces,
    /// or that replaces it.
    pub words: Vec<(usize, usize)>,
    /// Whether a line feed ends the line. Only the last line of a text may have none.
    pub is_ended: bool,
}

/// A group of different lines, with the equal lines around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The number of the first line in the pinned text, counted from 1. Without pinned lines, it is the
    /// number of the line before.
    pub pinned_start: usize,
    /// The number of lines of the pinned text.
    pub pinned_lines: usize,
    /// The same as `pinned_start`, for the head's text.
    pub head_start: usize,
    /// The number of lines of the head's text.
    pub head_lines: usize,
    /// The lines. Where lines replace others, the removed ones are first.
    pub lines: Vec<Line>,
}

impl Hunk {
    /// Estimates the size of the hunk as JSON, in bytes. The estimate is never too low, and at most about
    /// twice too high.
    pub fn bytes(&self) -> u64 {
        HUNK_BYTES + self.lines.iter().map(Line::bytes).sum::<u64>()
    }
}

impl Line {
    fn bytes(&self) -> u64 {
        json_bytes(&self.text) + 48 + 16 * self.words.len() as u64
    }
}

/// The number of lines that a difference adds and removes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCounts {
    pub added: u64,
    pub removed: u64,
}

impl LineCounts {
    /// Counts the lines that turn one text into the other. After the deadline, the counts may be too high.
    pub fn between(pinned: &str, head: &str, deadline: Instant) -> Self {
        let pinned: Vec<&str> = pinned.split_inclusive('\n').collect();
        let head: Vec<&str> = head.split_inclusive('\n').collect();
        let mut config = TextDiff::configure();
        config.deadline(deadline);
        let diff = config.diff_slices(&pinned, &head);
        let changed = diff.ops().iter().filter(|op| op.tag() != DiffTag::Equal);
        changed
            .map(|op| Self {
                added: op.new_range().len() as u64,
                removed: op.old_range().len() as u64,
            })
            .sum()
    }

    /// Counts the changed lines of hunks.
    pub fn of(hunks: &[Hunk]) -> Self {
        let lines = hunks.iter().flat_map(|hunk| &hunk.lines);
        let of_kind = |kind| lines.clone().filter(|line| line.kind == kind).count() as u64;
        Self {
            added: of_kind(LineKind::Added),
            removed: of_kind(LineKind::Removed),
        }
    }
}

impl Sum for LineCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |all, one| Self {
            added: all.added + one.added,
            removed: all.removed + one.removed,
        })
    }
}

/// The limits of comparing two texts.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The greatest size of all hunks, counted as by [`Hunk::bytes`].
    pub bytes_max: u64,
    /// After the deadline, hunks are coarser, but not wrong.
    pub deadline: Instant,
    /// Whether to compare the words of lines that replace each other.
    pub with_words: bool,
    /// The number of equal lines before and after a change: [`CONTEXT_LINES`] or [`ALL_LINES`].
    pub context_lines: usize,
}

/// Returns the hunks that turn one text into the other, or `None` if they exceed [`Bounds::bytes_max`].
///
/// Only LF ends a line, as in other tools.
pub fn hunks(pinned: &str, head: &str, bounds: Bounds) -> Option<Vec<Hunk>> {
    let pinned: Vec<&str> = pinned.split_inclusive('\n').collect();
    let head: Vec<&str> = head.split_inclusive('\n').collect();
    let mut config = TextDiff::configure();
    config.deadline(bounds.deadline);
    let diff = config.diff_slices(&pinned, &head);
    let mut left = bounds.bytes_max;
    let mut hunks = Vec::new();
    for ops in diff.grouped_ops(bounds.context_lines) {
        hunks.push(hunk(&diff, &ops, &mut left, bounds)?);
    }
    Some(hunks)
}

/// Returns a hunk and subtracts its bytes from `left`. `None` if there are too few left.
fn hunk(
    diff: &TextDiff<'_, '_, str>,
    ops: &[DiffOp],
    left: &mut u64,
    bounds: Bounds,
) -> Option<Hunk> {
    let span = |ranges: Vec<std::ops::Range<usize>>| {
        let start = ranges.first().map_or(0, |range| range.start);
        let end = ranges.last().map_or(start, |range| range.end);
        // A side without lines has the number of the line before.
        (if end > start { start + 1 } else { start }, end - start)
    };
    let (pinned_start, pinned_lines) = span(ops.iter().map(DiffOp::old_range).collect());
    let (head_start, head_lines) = span(ops.iter().map(DiffOp::new_range).collect());
    *left = left.checked_sub(HUNK_BYTES)?;
    let mut lines = Vec::new();
    for op in ops {
        for line in lines_of(diff, op, bounds) {
            *left = left.checked_sub(line.bytes())?;
            lines.push(line);
        }
    }
    Some(Hunk {
        pinned_start,
        pinned_lines,
        head_start,
        head_lines,
        lines,
    })
}

fn lines_of(diff: &TextDiff<'_, '_, str>, op: &DiffOp, bounds: Bounds) -> Vec<Line> {
    let changes = diff.iter_changes(op);
    let mut lines: Vec<_> = changes
        .map(|change| line(change.tag(), change.value(), Vec::new()))
        .collect();
    let bytes = lines.iter().map(|line| line.text.len()).sum::<usize>();
    // Only lines that replace each other have words to compare.
    if !bounds.with_words || op.tag() != DiffTag::Replace || bytes > WORDS_BYTES_MAX {
        return lines;
    }
    let (removed, added) = lines.split_at_mut(op.old_range().len());
    let mut options = InlineChangeOptions::new();
    // The pairs are alike enough.
    options.min_ratio(0.0);
    let [old_lines, new_lines] =
        [&*removed, &*added].map(|lines| lines.iter().map(|line| line.text.as_str()));
    let pairs = pairs(old_lines, new_lines);
    for (old, new) in pairs {
        let pair = DiffOp::Replace {
            old_index: op.old_range().start + old,
            old_len: 1,
            new_index: op.new_range().start + new,
            new_len: 1,
        };
        let changes =
            diff.iter_inline_changes_with_options_deadline(&pair, options, Some(bounds.deadline));
        for change in changes {
            let mut text = String::new();
            let mut words = Vec::new();
            for (differs, part) in change.iter_strings_lossy() {
                let begin = text.len();
                text.push_str(&part);
                if differs {
                    words.push((begin, text.len()));
                }
            }
            let side = match change.tag() {
                ChangeTag::Delete => &mut removed[old],
                ChangeTag::Insert | ChangeTag::Equal => &mut added[new],
            };
            *side = line(change.tag(), &text, words);
        }
    }
    lines
}

fn line(tag: ChangeTag, text: &str, words: Vec<(usize, usize)>) -> Line {
    let (text, is_ended) = match text.strip_suffix('\n') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let words = words
        .into_iter()
        .map(|(begin, end)| (begin, end.min(text.len())));
    let mut words: Vec<_> = words.filter(|(begin, end)| begin < end).collect();
    if words == [(0, text.len())] {
        // The kind of the line already says that all of it differs.
        words.clear();
    }
    Line {
        kind: match tag {
            ChangeTag::Equal => LineKind::Context,
            ChangeTag::Delete => LineKind::Removed,
            ChangeTag::Insert => LineKind::Added,
        },
        text: text.to_owned(),
        words,
        is_ended,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::diff::unified::unified;

    fn bounds() -> Bounds {
        Bounds {
            bytes_max: u64::MAX,
            deadline: Instant::now() + Duration::from_secs(20),
            with_words: true,
            context_lines: CONTEXT_LINES,
        }
    }

    fn compared(pinned: &str, head: &str) -> Vec<Hunk> {
        hunks(pinned, head, bounds()).unwrap()
    }

    #[test]
    fn lines_are_counted_as_hunks_show_them() {
        let check = |pinned: &str, head: &str, added, removed| {
            let expected = LineCounts { added, removed };
            let deadline = bounds().deadline;
            assert_eq!(LineCounts::between(pinned, head, deadline), expected);
            assert_eq!(LineCounts::of(&compared(pinned, head)), expected);
        };
        check("", "", 0, 0);
        check("one\n", "one\n", 0, 0);
        check("", "one\ntwo", 2, 0);
        check("one\ntwo\n", "", 0, 2);
        check("one\ntwo\nthree\n", "one\n2\nthree\nfour\n", 2, 1);
        check("one\n", "one", 1, 1);
    }

    #[test]
    fn the_different_words_of_a_replaced_line_are_found() {
        let hunks = compared(
            "one\nKeep functions short.\n",
            "one\nKeep functions very short.\n",
        );
        let lines: Vec<_> = hunks[0]
            .lines
            .iter()
            .map(|line| (line.kind, line.words.clone()))
            .collect();
        assert_eq!(
            lines,
            [
                (LineKind::Context, vec![]),
                (LineKind::Removed, vec![]),
                (LineKind::Added, vec![(15, 20)]),
            ]
        );
        let added = &hunks[0].lines[2];
        assert_eq!(&added.text[15..20], "very ");
        let without = Bounds {
            with_words: false,
            ..bounds()
        };
        let (pinned, head) = ("Keep it short.\n", "Keep it very short.\n");
        let plain = super::hunks(pinned, head, without).unwrap();
        assert!(plain[0].lines.iter().all(|line| line.words.is_empty()));
        assert_eq!(
            unified(&plain, "a", "b"),
            unified(&compared(pinned, head), "a", "b")
        );
        // Lines that share no word have no different words.
        for (pinned, head) in [("abc\n", "xyz\n"), ("a b\nc\n", "d e\nf\n")] {
            let hunks = compared(pinned, head);
            assert!(hunks[0].lines.iter().all(|line| line.words.is_empty()));
        }
    }

    #[test]
    fn a_line_has_its_counterpart_beside_added_and_removed_lines() {
        let check = |pinned: &str, head: &str, expected: &[&str]| {
            let hunks = compared(pinned, head);
            let lines = hunks.iter().flat_map(|hunk| &hunk.lines);
            let changed = lines.filter(|line| !line.words.is_empty());
            let marked = changed.map(|line| {
                let words = line
                    .words
                    .iter()
                    .map(|(start, end)| &line.text[*start..*end]);
                words.collect::<Vec<_>>().join("|")
            });
            assert_eq!(marked.collect::<Vec<_>>(), expected, "{pinned:?} {head:?}");
        };
        check(
            "- Log ids, never card numbers.\n",
            "- Log ids, never card numbers or names.\n- Freeze the ledger.\n- New codes.\n",
            &[" or names"],
        );
        check(
            "Never promise a date.\n",
            "The first sentence is the answer.\nNever promise a refund.\n",
            &["date", "refund"],
        );
        // Two lines in the other order: one of them stays, and the other has no counterpart.
        check(
            "run the tests\nask first\n",
            "ask twice\nrun all tests\n",
            &["the", "all"],
        );
        // The greatest likeness in total.
        check(
            "a b c d\na b c e\n",
            "a b c e f\na b x y\nz z z\n",
            &["d", "c|e", "e f", "x|y"],
        );
        check("one two three four\n", "one x y z\n", &[]);
        check("***\n", "---\n", &[]);
        // Too many lines to compare each with each: the lines at the same place.
        let many = |first: &str, word: &str| {
            let rest: String = (0..70).map(|n| format!("line {n} has {word}\n")).collect();
            format!("{first}{rest}")
        };
        let hunks = compared(&many("", "this"), &many("", "that"));
        let with_words = |hunks: &[Hunk]| {
            let lines = hunks.iter().flat_map(|hunk| &hunk.lines);
            lines.filter(|line| !line.words.is_empty()).count()
        };
        assert_eq!(with_words(&hunks), 140);
    }

    #[test]
    fn past_the_deadline_a_diff_is_coarser_and_not_wrong() {
        let pinned: String = (0..2_000).map(|n| format!("{}\n", n % 7)).collect();
        let head: String = (0..2_000).map(|n| format!("{}\n", n % 11)).collect();
        let late = Bounds {
            deadline: Instant::now(),
            ..bounds()
        };
        let hunks = hunks(&pinned, &head, late).unwrap();
        let text_of = |wanted: LineKind| -> usize {
            let lines = hunks.iter().flat_map(|hunk| &hunk.lines);
            lines
                .filter(|line| line.kind == wanted || line.kind == LineKind::Context)
                .count()
        };
        assert!(text_of(LineKind::Removed) <= 2_000 && text_of(LineKind::Added) <= 2_000);
        assert!(!hunks.is_empty());
    }

    #[test]
    fn hunks_have_no_more_bytes_than_asked_for() {
        let (pinned, head) = ("\u{1}\n".repeat(1_000), "\u{2}\n".repeat(1_000));
        let bytes: u64 = compared(&pinned, &head).iter().map(Hunk::bytes).sum();
        let fit = |bytes_max| {
            let bounds = Bounds {
                bytes_max,
                ..bounds()
            };
            hunks(&pinned, &head, bounds).is_some()
        };
        assert!(fit(bytes) && !fit(bytes - 1));
    }
}
