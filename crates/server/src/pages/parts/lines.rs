//! The changed lines of a text as a table, unified or side by side.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use askama::filters::HtmlSafe;
use ctxpin_model::diff::lines::{CONTEXT_LINES, Hunk, Line, LineKind};

use super::text::{LongText, Text};

/// The most bytes that the lines of one table have, as [`weight`] counts them. HTML has several times as many
/// bytes as the text, and a browser is slow with more.
const TABLE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// About how many bytes the row of an empty line has.
const ROW_BYTES: usize = 100;

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
    /// The query that leads to all lines of the text.
    pub more: Option<&'h str>,
    /// The only unchanged lines to show, by their numbers in the pin.
    pub only: Option<Gap>,
}

/// Unchanged lines that are not shown, by their numbers in the pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub from: usize,
    /// `None` at the end of the text.
    pub to: Option<usize>,
}

impl Gap {
    fn has(self, line: usize) -> bool {
        self.from <= line && self.to.is_none_or(|to| line <= to)
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.from)?;
        self.to.map_or(Ok(()), |to| to.fmt(f))
    }
}

impl FromStr for Gap {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let to = Some(to).filter(|to| !to.is_empty());
        Ok(Self {
            from: from.parse()?,
            to: to.map(str::parse).transpose()?,
        })
    }
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

/// The numbers of the next lines of both sides, counted from 1, and the bytes that are left for lines.
#[derive(Clone, Copy)]
struct At {
    pinned: usize,
    head: usize,
    left: usize,
}

impl At {
    /// Returns the numbers of a line that both texts have, and counts on.
    fn step(&mut self) -> (usize, usize) {
        (next(&mut self.pinned), next(&mut self.head))
    }

    /// Takes the bytes of a row of the table, and returns whether enough were left.
    fn takes<'l>(&mut self, lines: impl IntoIterator<Item = &'l Line>) -> bool {
        let left = self.left.checked_sub(bytes(lines));
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// Counts the lines of a row that is not shown.
    fn skip(&mut self, row: &Row<'_>) {
        let (pinned, head) = match row {
            Row::Same(_) => (1, 1),
            Row::Changed { removed, added } => (removed.len(), added.len()),
        };
        self.pinned += pinned;
        self.head += head;
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
        let mut left = TABLE_BYTES_MAX;
        for hunk in self.hunks {
            let before = lines_before(hunk.pinned_start, hunk.pinned_lines);
            if before > seen {
                let from = seen + 1;
                let to = Some(before);
                self.gap(f, Gap { from, to })?;
            }
            seen = before + hunk.pinned_lines;
            let mut at = At {
                pinned: before + 1,
                head: lines_before(hunk.head_start, hunk.head_lines) + 1,
                left,
            };
            for row in rows(&hunk.lines) {
                if !self.shows(&row, at) {
                    at.skip(&row);
                    continue;
                }
                let is_whole = match self.layout {
                    Layout::Unified => self.unified(f, &row, &mut at)?,
                    Layout::Split => self.split(f, &row, &mut at)?,
                };
                if !is_whole {
                    self.cut(f)?;
                    return f.write_str("</tbody></table>");
                }
            }
            left = at.left;
        }
        if self.hunks.last().is_some_and(may_go_on) {
            let from = seen + 1;
            self.gap(f, Gap { from, to: None })?;
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

/// Returns whether lines may follow a hunk: fewer than the usual number of equal lines end a text.
fn may_go_on(hunk: &Hunk) -> bool {
    let equal = hunk.lines.iter().rev();
    let equal = equal.take_while(|line| line.kind == LineKind::Context);
    equal.count() == CONTEXT_LINES
}

/// Returns about how many bytes of a page the lines of hunks have.
pub(crate) fn weight(hunks: &[Hunk]) -> usize {
    hunks.iter().map(|hunk| bytes(&hunk.lines)).sum()
}

fn bytes<'l>(lines: impl IntoIterator<Item = &'l Line>) -> usize {
    let lines = lines.into_iter();
    lines.map(|line| ROW_BYTES + line.text.len()).sum()
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
    /// Returns whether the table shows a row that begins at these lines.
    fn shows(&self, row: &Row<'_>, at: At) -> bool {
        match (self.only, row) {
            (None, _) => true,
            (Some(only), Row::Same(_)) => only.has(at.pinned),
            (Some(_), Row::Changed { .. }) => false,
        }
    }

    /// Writes a row that stands for unchanged lines.
    fn gap(&self, f: &mut fmt::Formatter<'_>, gap: Gap) -> fmt::Result {
        if self.only.is_some() {
            return Ok(());
        }
        let columns = self.columns();
        let words = match gap.to.map(|to| to + 1 - gap.from) {
            Some(1) => "1 unchanged line".to_owned(),
            Some(lines) => format!("{lines} unchanged lines"),
            None => "The lines below".to_owned(),
        };
        write!(f, "<tr class=\"gap\"><td colspan=\"{columns}\">")?;
        match self.more {
            Some(more) => {
                let (more, key) = (Text(more), self.key);
                write!(
                    f,
                    "<a href=\"{more}&amp;gap={gap}#{key}\" data-more>{words}, show</a>"
                )?;
            }
            None => f.write_str(&words)?,
        }
        f.write_str("</td></tr>\n")
    }

    /// Writes a row that stands for all lines that do not fit.
    fn cut(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns();
        writeln!(
            f,
            "<tr class=\"gap\"><td colspan=\"{columns}\">The lines below are too many for a page. \
             <code>ctxpin chat diff</code> shows them.</td></tr>"
        )
    }

    fn columns(&self) -> usize {
        match self.layout {
            Layout::Unified => 3,
            Layout::Split => 4,
        }
    }

    /// Writes the lines of a row. Returns `false` if not all of them fit into the table.
    fn unified(
        &self,
        f: &mut fmt::Formatter<'_>,
        row: &Row<'_>,
        at: &mut At,
    ) -> Result<bool, fmt::Error> {
        match row {
            Row::Same(line) => {
                if !at.takes([*line]) {
                    return Ok(false);
                }
                let (pinned, head) = at.step();
                write!(f, "<tr><td class=\"no\">{pinned}</td>")?;
                self.linked(f, Side::Head, head)?;
                writeln!(f, "{}</tr>", Cell("text", line))?;
            }
            Row::Changed { removed, added } => {
                for line in *removed {
                    if !at.takes([line]) {
                        return Ok(false);
                    }
                    let number = next(&mut at.pinned);
                    f.write_str("<tr>")?;
                    self.linked(f, Side::Pinned, number)?;
                    writeln!(f, "{NO_NUMBER}{}</tr>", Cell("text removed", line))?;
                }
                for line in *added {
                    if !at.takes([line]) {
                        return Ok(false);
                    }
                    let number = next(&mut at.head);
                    write!(f, "<tr>{NO_NUMBER}")?;
                    self.linked(f, Side::Head, number)?;
                    writeln!(f, "{}</tr>", Cell("text added", line))?;
                }
            }
        }
        Ok(true)
    }

    /// Writes the lines of a row side by side. Lines that replace each other are a `tbody` of their own, in which a
    /// narrow window shows the old ones before the new ones. Returns `false` if not all of them fit into the table.
    fn split(
        &self,
        f: &mut fmt::Formatter<'_>,
        row: &Row<'_>,
        at: &mut At,
    ) -> Result<bool, fmt::Error> {
        let (removed, added, classes) = match row {
            Row::Same(line) => {
                let line = std::slice::from_ref(*line);
                (line, line, ["text same", "text same"])
            }
            Row::Changed { removed, added } => (*removed, *added, ["text removed", "text added"]),
        };
        let is_changed = matches!(row, Row::Changed { .. });
        if is_changed {
            f.write_str("</tbody><tbody class=\"block\">\n")?;
        }
        for index in 0..removed.len().max(added.len()) {
            let (removed, added) = (removed.get(index), added.get(index));
            if !at.takes(removed.into_iter().chain(added)) {
                return Ok(false);
            }
            let pinned = removed.map(|line| (next(&mut at.pinned), line));
            let head = added.map(|line| (next(&mut at.head), line));
            f.write_str("<tr>")?;
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
        if is_changed {
            f.write_str("</tbody><tbody>\n")?;
        }
        Ok(true)
    }

    /// Writes the cell of a line's number, which links to itself. A row has no id, because in a narrow window it is no
    /// box to which a browser could scroll.
    fn linked(&self, f: &mut fmt::Formatter<'_>, side: Side, number: usize) -> fmt::Result {
        let (key, letter) = (self.key, side.letter());
        write!(
            f,
            "<td class=\"no\" id=\"{key}{letter}{number}\"><a href=\"#{key}{letter}{number}\">{number}</a></td>"
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
            write!(f, "{}<{mark}>{}</{mark}>", LongText(before), LongText(word))?;
            written = *end;
        }
        write!(f, "{}</td>", LongText(part(written, line.text.len())))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use ctxpin_model::diff::lines::{ALL_LINES, Bounds, hunks};

    use super::*;

    fn table(pinned: &str, head: &str, layout: Layout) -> String {
        let bounds = Bounds {
            bytes_max: 1 << 26,
            deadline: Instant::now() + std::time::Duration::from_secs(60),
            with_words: true,
            context_lines: CONTEXT_LINES,
        };
        let hunks = hunks(pinned, head, bounds).unwrap();
        let table = LinesTable {
            hunks: &hunks,
            layout,
            key: "k",
            label: "AGENTS.md",
            more: None,
            only: None,
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
    fn a_table_has_a_limit() {
        let text = "x\n".repeat(100_000);
        for layout in [Layout::Unified, Layout::Split] {
            let table = table("", &text, layout);
            let rows = table.lines().filter(|line| line.starts_with("<tr><td"));
            assert_eq!(rows.count(), TABLE_BYTES_MAX / (ROW_BYTES + 1));
            assert!(table.len() < 2 * TABLE_BYTES_MAX, "{} bytes", table.len());
            assert!(table.contains("too many for a page"));
            assert!(table.ends_with("</tbody></table>"));
        }
    }

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
    fn a_gap_is_shown_alone() {
        let bounds = Bounds {
            bytes_max: 1 << 26,
            deadline: Instant::now() + std::time::Duration::from_secs(60),
            with_words: true,
            context_lines: ALL_LINES,
        };
        let hunks = hunks(PINNED, HEAD, bounds).unwrap();
        let check = |gap: &str, expected: &[&str]| {
            let table = LinesTable {
                hunks: &hunks,
                layout: Layout::Unified,
                key: "k",
                label: "AGENTS.md",
                more: None,
                only: Some(gap.parse().unwrap()),
            };
            assert_eq!(plain(&table.to_string()), expected, "{gap}");
        };
        check("1-2", &["1|1|1", "2|2|2"]);
        check("8-", &["8|9|8"]);
        check("9-", &[]);
        for text in ["", "-", "x-2", "1-x"] {
            assert!(text.parse::<Gap>().is_err(), "{text}");
        }
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
