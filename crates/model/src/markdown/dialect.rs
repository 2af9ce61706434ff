//! Corrects where the parser differs from CommonMark and GitHub. Each function returns a copy of the
//! text, of the same length, from which the parser gets the blocks that the original means.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{BLANKS_COUNT, is_one_of, tag_name};

/// Replaces the tags of `<pre>`, `<script>`, `<style>` and `<textarea>` by `<pre` and `</pre>`, padded
/// to the same length. A block that begins with one of them ends with the closing tag of any, in
/// either case (CommonMark 0.31, section 4.6, condition 1), but the parser waits for the same name in
/// lower case.
pub(super) fn with_one_closing_tag(text: &str) -> Cow<'_, str> {
    let tags: Vec<_> = text.match_indices('<').filter_map(raw_tag(text)).collect();
    if !tags.iter().any(|tag| tag.closes) {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    for tag in tags {
        masked.push_str(&text[masked.len()..tag.range.start]);
        let (name, fill) = if tag.closes {
            ("</pre>", "x")
        } else {
            ("<pre", " ")
        };
        masked.push_str(name);
        masked.push_str(&fill.repeat(tag.range.len() - name.len()));
    }
    masked.push_str(&text[masked.len()..]);
    Cow::Owned(masked)
}

struct RawTag {
    /// The `<` and the name of an opening tag, or the whole of a closing one.
    range: Range<usize>,
    closes: bool,
}

fn raw_tag(text: &str) -> impl Fn((usize, &str)) -> Option<RawTag> {
    move |(at, _)| {
        let html = &text[at..];
        let name = tag_name(html).filter(|name| is_one_of(name, &BLANKS_COUNT))?;
        let closes = html.starts_with("</");
        let end = at + "<".len() + usize::from(closes) + name.len();
        let after = &text[end..];
        match closes {
            true => after.starts_with('>').then_some(RawTag {
                range: at..end + ">".len(),
                closes,
            }),
            false => {
                let ends = after.is_empty() || after.starts_with([' ', '\t', '\n', '>']);
                ends.then_some(RawTag {
                    range: at..end,
                    closes,
                })
            }
        }
    }
}

/// The indentation, in columns, of the content of each container around a line.
#[derive(Debug, Default)]
pub(super) struct Indents(Vec<usize>);

/// A tab advances to the next multiple of this column.
const TAB_COLUMNS: usize = 4;

/// The least indentation of code (CommonMark 0.31, section 4.4), and of the content of a footnote.
const CODE_COLUMNS: usize = 4;

impl Indents {
    /// Records that the parser enters or leaves a container.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only a few of the parser's events matter here"
    )]
    pub fn follow(&mut self, event: &Event<'_>, text: &str, at: usize) {
        match event {
            Event::Start(Tag::BlockQuote(_)) => self.0.push(0),
            Event::Start(Tag::Item) => self.0.push(item_columns(text, at)),
            Event::Start(Tag::FootnoteDefinition(_)) => self.0.push(self.columns() + CODE_COLUMNS),
            Event::End(TagEnd::BlockQuote(_) | TagEnd::Item | TagEnd::FootnoteDefinition) => {
                self.0.pop();
            }
            _ => {}
        }
    }

    /// Returns whether the line that contains `at` is indented as code.
    pub fn is_code(&self, text: &str, at: usize) -> bool {
        let line = &text[line_start(text, at)..];
        let blanks = line.trim_start_matches([' ', '\t', '>']);
        let prefix = &line[..line.len() - blanks.len()];
        columns(prefix) >= self.columns() + CODE_COLUMNS
    }

    fn columns(&self) -> usize {
        self.0.last().copied().unwrap_or(0)
    }
}

/// Returns the column at which the content of the list item at `at` begins, counted as in [`columns`].
fn item_columns(text: &str, at: usize) -> usize {
    let start = line_start(text, at);
    let item = &text[at..];
    let blank = item.find([' ', '\t', '\n']);
    let marker = blank.unwrap_or(item.len());
    let content = &item[marker..];
    let blanks = content.len() - content.trim_start_matches([' ', '\t']).len();
    let before = columns(&text[start..at + marker]);
    let with_blanks = columns(&text[start..at + marker + blanks]);
    let is_code = with_blanks > before + CODE_COLUMNS;
    match is_code || content[blanks..].starts_with('\n') || content[blanks..].is_empty() {
        true => before + 1,
        false => with_blanks,
    }
}

/// Returns the number of columns of `prefix`, the beginning of a line, after its last `>` and the
/// blank that belongs to the `>`.
fn columns(prefix: &str) -> usize {
    let (mut column, mut base) = (0, 0);
    let quote = prefix.rfind('>');
    for (at, byte) in prefix.bytes().enumerate() {
        column += match byte {
            b'\t' => TAB_COLUMNS - column % TAB_COLUMNS,
            _ => 1,
        };
        if quote == Some(at) {
            let has_blank = prefix[at + 1..].starts_with([' ', '\t']);
            base = column + usize::from(has_blank);
        }
    }
    column.saturating_sub(base)
}

/// Returns the offset of the beginning of the line that contains `at`.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Turns the line before each of `rows` into a heading, so that the parser ends the table there. A
/// table ends before a line that is indented as code, but the parser reads that line as a row.
pub(super) fn with_tables_ended(text: &str, rows: &[usize]) -> String {
    let mut masked = String::with_capacity(text.len());
    for row in rows {
        let end = line_start(text, *row).saturating_sub(1);
        let start = line_start(text, end);
        let line = &text[start..end];
        let content = line.trim_start_matches([' ', '\t', '>']);
        let content = start + line.len() - content.len();
        masked.push_str(&text[masked.len()..content]);
        if content < end {
            masked.push('#');
            masked.push_str(&" ".repeat(end - content - 1));
        }
    }
    masked.push_str(&text[masked.len()..]);
    masked
}
