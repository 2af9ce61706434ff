//! Where the parser reads otherwise than CommonMark and GitHub: a copy of the text, of the same length, of
//! which it makes what they make of the text itself.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{BLANKS_COUNT, is_one_of, tag_name};

/// An HTML block that `<pre>`, `<script>`, `<style>` or `<textarea>` begins ends with the closing tag of
/// any of them, in any case (CommonMark 0.31, section 4.6, condition 1). The parser wants the same name,
/// in lower case; so all of them become `<pre` and `</pre>`, filled up.
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
    /// An opening tag without what follows its name, or a whole closing one.
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

/// How far the content of the containers around a line is indented in it.
#[derive(Debug, Default)]
pub(super) struct Indents(Vec<usize>);

/// A tab goes to the next column that this divides.
const TAB_COLUMNS: usize = 4;

/// Least indentation of code (CommonMark 0.31, section 4.4), and of the content of a footnote.
const CODE_COLUMNS: usize = 4;

impl Indents {
    /// Follows the parser into containers and out of them.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most events of the parser matter to others"
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

    /// Whether the line in which `at` stands is indented as code is.
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

/// How many columns there are from the last quote around the item that begins at `at` to its content.
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

/// How many columns a beginning of a line takes behind its last mark of a quote and the blank of that.
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

/// Where the line begins in which `at` stands.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// A table ends before a line that is indented as code is, as before any other block; the parser goes on
/// with it. So what stands before such a row becomes a heading, which nothing goes on with.
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
