//! Renders a difference as text for people. Do not store, sign or compare the text: a later release may
//! render it differently.

use super::label;
use super::lines::{Hunk, LineKind};
use super::texts::{Difference, FileDifference, Lines, Stored};

impl Difference {
    /// Returns the difference as text: a message on each line, then unified diffs.
    pub fn text(&self) -> String {
        let sentences = self.sentences.iter().map(|line| format!("{line}\n"));
        sentences
            .chain(self.files.iter().map(FileDifference::text))
            .collect()
    }
}

impl FileDifference {
    fn text(&self) -> String {
        let path = |path: &Option<String>| path.clone().unwrap_or_else(|| "/dev/null".to_owned());
        let (pinned, head) = (path(&self.pinned), path(&self.head));
        match &self.lines {
            Lines::Hunks(hunks) => {
                let ends = self.line_ends.iter().map(|line| format!("{line}\n"));
                ends.collect::<String>() + &unified(hunks, &pinned, &head)
            }
            Lines::Binary => {
                let (pinned, head) = (label(&pinned), label(&head));
                format!("Binary files {pinned} and {head} differ\n")
            }
            Lines::TooLarge {
                pinned: before,
                head: now,
            } => {
                let side = |stored: &Option<Stored>| match stored {
                    Some(Stored { hash, size }) => format!("{size} bytes, {hash}"),
                    None => "nothing".to_owned(),
                };
                format!(
                    "{} and {} are too large to compare here ({}; {})\n",
                    label(&pinned),
                    label(&head),
                    side(before),
                    side(now)
                )
            }
        }
    }
}

/// Renders hunks as a unified diff, which is empty without hunks. It escapes the labels with [`label`].
pub fn unified(hunks: &[Hunk], pinned_label: &str, head_label: &str) -> String {
    let mut drawn = String::new();
    for hunk in hunks {
        if drawn.is_empty() {
            drawn = format!("--- {}\n+++ {}\n", label(pinned_label), label(head_label));
        }
        let range = |start: usize, lines: usize| match lines {
            1 => start.to_string(),
            lines => format!("{start},{lines}"),
        };
        drawn += &format!(
            "@@ -{} +{} @@\n",
            range(hunk.pinned_start, hunk.pinned_lines),
            range(hunk.head_start, hunk.head_lines)
        );
        for line in &hunk.lines {
            drawn.push(match line.kind {
                LineKind::Context => ' ',
                LineKind::Removed => '-',
                LineKind::Added => '+',
            });
            drawn += &line.text;
            drawn.push('\n');
            if !line.is_ended {
                drawn += "\\ No newline at end of file\n";
            }
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::diff::lines::{Bounds, CONTEXT_LINES, hunks};

    fn unified(pinned: &str, head: &str, pinned_label: &str, head_label: &str) -> String {
        let bounds = Bounds {
            bytes_max: u64::MAX,
            deadline: Instant::now() + Duration::from_secs(20),
            with_words: true,
            context_lines: CONTEXT_LINES,
        };
        let hunks = hunks(pinned, head, bounds).unwrap();
        super::unified(&hunks, pinned_label, head_label)
    }

    #[test]
    fn a_text_diff_is_unified() {
        let diff = unified("a\nb\nc\n", "a\nx\nc\n", "pinned", "head");
        assert_eq!(
            diff,
            "--- pinned\n+++ head\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"
        );
        assert_eq!(unified("a\n", "a\n", "pinned", "head"), "");
        let diff = unified("a", "b", "pinned", "head");
        let unended = "\\ No newline at end of file\n";
        let expected = format!("--- pinned\n+++ head\n@@ -1 +1 @@\n-a\n{unended}+b\n{unended}");
        assert_eq!(diff, expected);
    }

    #[test]
    fn a_carriage_return_hides_no_line_of_a_diff() {
        for (pinned, head, expected) in [
            ("x\ry\n", "x\rz\ry\n", "-x\ry\n+x\rz\ry\n"),
            ("x\r\n", "x\n", "-x\r\n+x\n"),
        ] {
            let expected = format!("--- a\n+++ b\n@@ -1 +1 @@\n{expected}");
            assert_eq!(unified(pinned, head, "a", "b"), expected);
        }
        // Not even as the last byte.
        let diff = unified("x\r", "y\r", "a", "b");
        assert!(
            diff.contains("\n-x\r\n") && diff.contains("\n+y\r\n"),
            "{diff}"
        );
    }

    #[test]
    fn a_path_writes_no_line_of_a_diff() {
        let path = "/w/a\n+++ /w/b\r\n@@ -1 +1 @@\u{2028}-x\u{85}";
        let shown = "/w/a\\n+++ /w/b\\r\\n@@ -1 +1 @@\\u{2028}-x\\u{85}";
        assert_eq!(label(path), shown);
        let expected = format!("--- {shown}\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n");
        assert_eq!(unified("a\n", "", path, "/dev/null"), expected);
        assert_eq!(label("/w/\u{e9} b"), "/w/\u{e9} b");
    }
}
