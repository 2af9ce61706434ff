//! The changed lines of a text as a table, unified or side by side.

use std::fmt;

use askama::filters::HtmlSafe;
use ctxpin_model::diff::lines::{Hunk, Line, LineKind};

use super::text::Text;

/// The layout of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Layout {
    #[default]
    Unified,
    Split,
}

impl Layout {
    /// Returns the layout's word in a URL and in the cookie that keeps it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unified => "unified",
            Self::Split => "split",
        }
    }
}

/// The changed lines of one text.
pub(crate) struct LinesTable<'h> {
    pub hunks: &'h [Hunk],
    pub layout: Layout,
    /// The text's name on the page, from which the ids of its lines are made.
    pub key: &'h str,
    pub label: &'h str,
}

/// The lines that replace each other, or a line that both texts have.
enum Row<'h> {
    Same(&'h Line),
    Changed {
        removed: &'h [Line],
        added: &'h [Line],
    },
}

/// A side of a diff.
#[derive(Clone, Copy)]
enum Side {
    Pinned,
    Head,
}

impl Side {
    /// Returns the letter in the ids of the side's lines.
    fn letter(self) -> char {
        match self {
            Self::Pinned => 'L',
            Self::Head => 'R',
        }
    }
}

/// The numbers of the next lines of both sides, counted from 1.
#[derive(Clone, Copy)]
struct At {
    pinned: usize,
    head: usize,
}

impl At {
    /// Returns the numbers of a line that both texts have, and counts on.
    fn step(&mut self) -> (usize, usize) {
        (next(&mut self.pinned), next(&mut self.head))
    }
}

impl fmt::Display for LinesTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, columns) = match self.layout {
            Layout::Unified => ("lines", "<col class=\"no\"><col class=\"no\"><col>"),
            Layout::Split => (
                "lines split",
                "<col class=\"no\"><col><col class=\"no\"><col>",
            ),
        };
        writeln!(
            f,
            "<table class=\"{class}\"><caption class=\"unseen\">{}, changed lines</caption>\
             <colgroup>{columns}</colgroup>\n<tbody>",
            Text(self.label)
        )?;
        let mut seen = 0;
        for hunk in self.hunks {
            let before = lines_before(hunk.pinned_start, hunk.pinned_lines);
            self.gap(f, before.saturating_sub(seen))?;
            seen = before + hunk.pinned_lines;
            let mut at = At {
                pinned: before + 1,
                head: lines_before(hunk.head_start, hunk.head_lines) + 1,
            };
            for row in rows(&hunk.lines) {
                match self.layout {
                    Layout::Unified => self.unified(f, &row, &mut at)?,
                    Layout::Split => self.split(f, &row, &mut at)?,
                }
            }
        }
        f.write_str("</tbody></table>")
    }
}

impl HtmlSafe for LinesTable<'_> {}

/// Returns how many lines of a side come before a hunk. A side without lines has the number of the line
/// before.
fn lines_before(start: usize, lines: usize) -> usize {
    match lines {
        0 => start,
        _ => start.saturating_sub(1),
    }
}

/// Groups the lines of a hunk.
fn rows(lines: &[Line]) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut left = lines;
    while let Some(first) = left.first() {
        if first.kind == LineKind::Context {
            rows.push(Row::Same(first));
            left = &left[1..];
            continue;
        }
        let (removed, rest) = run_of(left, LineKind::Removed);
        let (added, rest) = run_of(rest, LineKind::Added);
        rows.push(Row::Changed { removed, added });
        left = rest;
    }
    rows
}

/// Splits off the first lines of a kind.
fn run_of(lines: &[Line], kind: LineKind) -> (&[Line], &[Line]) {
    let end = lines.iter().position(|line| line.kind != kind);
    lines.split_at(end.unwrap_or(lines.len()))
}

impl LinesTable<'_> {
    /// Writes a row that stands for unchanged lines.
    fn gap(&self, f: &mut fmt::Formatter<'_>, lines: usize) -> fmt::Result {
        let columns = match self.layout {
            Layout::Unified => 3,
            Layout::Split => 4,
        };
        let s = if lines == 1 { "" } else { "s" };
        match lines {
            0 => Ok(()),
            _ => writeln!(
                f,
                "<tr class=\"gap\"><td colspan=\"{columns}\">{lines} unchanged line{s}</td></tr>"
            ),
        }
    }

    fn unified(&self, f: &mut fmt::Formatter<'_>, row: &Row<'_>, at: &mut At) -> fmt::Result {
        match row {
            Row::Same(line) => {
                let (pinned, head) = at.step();
                self.begin(f, Side::Head, head)?;
                write!(f, "<td class=\"no\">{pinned}</td>")?;
                self.linked(f, Side::Head, head)?;
                writeln!(f, "{}</tr>", Cell("text", line))
            }
            Row::Changed { removed, added } => {
                for line in *removed {
                    let number = next(&mut at.pinned);
                    self.begin(f, Side::Pinned, number)?;
                    self.linked(f, Side::Pinned, number)?;
                    writeln!(f, "{NO_NUMBER}{}</tr>", Cell("text removed", line))?;
                }
                for line in *added {
                    let number = next(&mut at.head);
                    self.begin(f, Side::Head, number)?;
                    f.write_str(NO_NUMBER)?;
                    self.linked(f, Side::Head, number)?;
                    writeln!(f, "{}</tr>", Cell("text added", line))?;
                }
                Ok(())
            }
        }
    }

    fn split(&self, f: &mut fmt::Formatter<'_>, row: &Row<'_>, at: &mut At) -> fmt::Result {
        let (removed, added, classes) = match row {
            Row::Same(line) => {
                let line = std::slice::from_ref(*line);
                (line, line, ["text same", "text same"])
            }
            Row::Changed { removed, added } => (*removed, *added, ["text removed", "text added"]),
        };
        for index in 0..removed.len().max(added.len()) {
            let (removed, added) = (removed.get(index), added.get(index));
            let pinned = removed.map(|line| (next(&mut at.pinned), line));
            let head = added.map(|line| (next(&mut at.head), line));
            match (pinned, head) {
                (_, Some((number, _))) => self.begin(f, Side::Head, number)?,
                (Some((number, _)), None) => self.begin(f, Side::Pinned, number)?,
                (None, None) => {}
            }
            match (pinned, head) {
                (Some((number, line)), Some(_)) => {
                    let cell = Cell(classes[0], line);
                    write!(f, "<td class=\"no\">{number}</td>{cell}")?;
                }
                (Some((number, line)), None) => {
                    self.linked(f, Side::Pinned, number)?;
                    write!(f, "{}", Cell(classes[0], line))?;
                }
                (None, _) => f.write_str(NO_LINE)?,
            }
            match head {
                Some((number, line)) => {
                    self.linked(f, Side::Head, number)?;
                    write!(f, "{}", Cell(classes[1], line))?;
                }
                None => f.write_str(NO_LINE)?,
            }
            f.write_str("</tr>\n")?;
        }
        Ok(())
    }

    /// Begins the row of a line.
    fn begin(&self, f: &mut fmt::Formatter<'_>, side: Side, number: usize) -> fmt::Result {
        write!(f, "<tr id=\"{}{}{number}\">", self.key, side.letter())
    }

    /// Writes the cell of a line's number, which links to the line.
    fn linked(&self, f: &mut fmt::Formatter<'_>, side: Side, number: usize) -> fmt::Result {
        let (key, letter) = (self.key, side.letter());
        write!(
            f,
            "<td class=\"no\"><a href=\"#{key}{letter}{number}\">{number}</a></td>"
        )
    }
}

/// The cell of a number in a row that the side lacks.
const NO_NUMBER: &str = "<td class=\"no\"></td>";

/// The cells of a line that one side lacks.
const NO_LINE: &str = "<td class=\"no\"></td><td class=\"text none\"></td>";

/// Returns a number, and counts on.
fn next(number: &mut usize) -> usize {
    let this = *number;
    *number += 1;
    this
}

/// A line's cell of these classes, with its changed words marked.
struct Cell<'l>(&'static str, &'l Line);

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(classes, line) = self;
        write!(f, "<td class=\"{classes}\">")?;
        let mark = match line.kind {
            LineKind::Removed => "del",
            LineKind::Added | LineKind::Context => "ins",
        };
        let part = |from: usize, to: usize| line.text.get(from..to).unwrap_or_default();
        let mut written = 0;
        for (start, end) in &line.words {
            let (before, word) = (part(written, *start), part(*start, *end));
            write!(f, "{}<{mark}>{}</{mark}>", Text(before), Text(word))?;
            written = *end;
        }
        write!(f, "{}</td>", Text(part(written, line.text.len())))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use ctxpin_model::diff::lines::{Bounds, hunks};

    use super::*;

    fn table(pinned: &str, head: &str, layout: Layout) -> String {
        let bounds = Bounds {
            bytes_max: 1 << 20,
            deadline: Instant::now() + std::time::Duration::from_secs(60),
            with_words: true,
        };
        let hunks = hunks(pinned, head, bounds).unwrap();
        let table = LinesTable {
            hunks: &hunks,
            layout,
            key: "k",
            label: "AGENTS.md",
        };
        table.to_string()
    }

    /// Returns the rows without tags, so that the numbers and texts show.
    fn plain(table: &str) -> Vec<String> {
        let rows = table.lines().filter(|line| line.starts_with("<tr"));
        let row = |row: &str| {
            let cells = row.split("<td").skip(1).map(|cell| {
                let text = cell.split_once('>').map_or("", |(_, text)| text);
                let mut plain = String::new();
                let mut is_tag = false;
                for character in text.chars() {
                    match character {
                        '<' => is_tag = true,
                        '>' if is_tag => is_tag = false,
                        _ if !is_tag => plain.push(character),
                        _ => {}
                    }
                }
                plain
            });
            cells.collect::<Vec<_>>().join("|")
        };
        rows.map(row).collect()
    }

    const PINNED: &str = "1\n2\n3\n4\n5\nold word\n7\n8\n";
    const HEAD: &str = "1\n2\n3\n4\n5\nnew word\nmore\n7\n8\n";

    #[test]
    fn unified_rows() {
        let expected = [
            "2 unchanged lines",
            "3|3|3",
            "4|4|4",
            "5|5|5",
            "6||old word",
            "|6|new word",
            "|7|more",
            "7|8|7",
            "8|9|8",
        ];
        assert_eq!(plain(&table(PINNED, HEAD, Layout::Unified)), expected);
    }

    #[test]
    fn split_rows() {
        let expected = [
            "2 unchanged lines",
            "3|3|3|3",
            "4|4|4|4",
            "5|5|5|5",
            "6|old word|6|new word",
            "||7|more",
            "7|7|8|7",
            "8|8|9|8",
        ];
        assert_eq!(plain(&table(PINNED, HEAD, Layout::Split)), expected);
    }

    #[test]
    fn words_are_marked_and_markup_is_text() {
        let table = table("a <b> c\n", "a <i> c\n", Layout::Unified);
        assert!(table.contains("&lt;<del>b</del>&gt;"), "{table}");
        assert!(table.contains("&lt;<ins>i</ins>&gt;"), "{table}");
    }

    #[test]
    fn a_new_text_has_no_line_before() {
        assert_eq!(
            plain(&table("", "one\ntwo\n", Layout::Unified)),
            ["|1|one", "|2|two"]
        );
    }
}
