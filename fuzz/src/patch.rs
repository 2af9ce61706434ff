//! Applies a unified diff as a reader understands it. The lines of a hunk can be any text, so only
//! the counts of its header say where it ends.

/// Returns `old` after the changes of `diff`.
///
/// # Panics
/// Panics if `diff` is no diff of `old`.
pub fn applied(old: &str, diff: &str) -> String {
    let mut lines = diff.split_inclusive('\n').peekable();
    if diff.is_empty() {
        return old.to_owned();
    }
    for start in ["--- ", "+++ "] {
        let label = lines.next().expect("a header of two lines");
        assert!(label.starts_with(start), "{label:?} is no label");
    }
    let mut rest = old.split_inclusive('\n');
    let mut taken = 0;
    let mut new = String::new();
    while let Some(header) = lines.next() {
        let [old_range, new_range] = ranges(header);
        for line in rest.by_ref().take(old_range.before() - taken) {
            new.push_str(line);
        }
        taken = old_range.before() + old_range.count;
        let (mut old_left, mut new_left) = (old_range.count, new_range.count);
        while old_left + new_left > 0 {
            let line = lines.next().expect("a line of the hunk");
            let is_last = lines.next_if(|next| next.starts_with('\\')).is_some();
            let text = match is_last {
                true => line.strip_suffix('\n').expect("the hint is a line"),
                false => line,
            };
            let (sign, text) = text.split_at(1);
            if sign != "+" {
                old_left -= 1;
                assert_eq!(
                    rest.next(),
                    Some(text),
                    "{sign:?} is a line of the old text"
                );
            }
            if sign != "-" {
                new_left -= 1;
                new.push_str(text);
            }
            assert!([" ", "+", "-"].contains(&sign), "{sign:?} is no sign");
        }
    }
    new.extend(rest);
    new
}

/// The lines of one text that a hunk is about.
struct Range {
    start: usize,
    count: usize,
}

impl Range {
    /// Returns the number of lines before the range. An empty range names the line before it.
    fn before(&self) -> usize {
        match self.count {
            0 => self.start,
            _ => self.start - 1,
        }
    }
}

/// Reads `@@ -1,2 +3 @@`.
fn ranges(header: &str) -> [Range; 2] {
    let told = header.strip_prefix("@@ -").expect("a hunk begins");
    let told = told.strip_suffix(" @@\n").expect("a hunk's header ends");
    let (old, new) = told.split_once(" +").expect("two ranges");
    [old, new].map(|range| {
        let (start, count) = range.split_once(',').unwrap_or((range, "1"));
        let number = |text: &str| text.parse().expect("a number");
        Range {
            start: number(start),
            count: number(count),
        }
    })
}
