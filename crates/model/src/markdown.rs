//! Finds code, and what readers do not see, in Markdown.
//!
//! Markdown is CommonMark 0.31 with GitHub's tables and footnotes, as `pulldown_cmark` parses it;
//! `dialect` corrects where the parser differs from these. Line ends must be LF. Every function takes
//! time linear in the length of the text, and accepts any text.

mod dialect;
mod hides;

use std::collections::HashSet;
use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

use self::dialect::Indents;

/// A part of a text that is not prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// A range of bytes of the text.
    pub range: Range<usize>,
    pub kind: PartKind,
}

/// The kind of a [`Part`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// Fenced (with its fences), indented or inline code (with its backticks).
    Code,
    /// HTML in which blanks are significant: `<pre>`, `<script>`, `<style>` or `<textarea>`.
    Preformatted,
    /// The blanks of a hard line break, with the line feed.
    HardBreak,
    /// A comment, processing instruction, declaration or CDATA section. A browser does not show it.
    Hidden,
    /// Like [`Self::Hidden`], but not closed: from its opener to the end of the HTML around it.
    Unclosed,
}

/// The number of times that a text is parsed again because one of its tables ends earlier than the
/// parser thinks.
const ENDED_TABLES_ROUNDS_MAX: usize = 4;

/// Returns the parts of a text that are not prose. They are disjoint and in the order of the text.
pub fn parts(text: &str) -> Vec<Part> {
    let mut read = dialect::with_one_closing_tag(text);
    let mut last = Reading::of(text, &read);
    // Parts of a table are right up to the row at which it ends.
    let mut settled = Vec::new();
    let mut ended: Vec<Range<usize>> = Vec::new();
    for _ in 0..ENDED_TABLES_ROUNDS_MAX {
        if last.ended_tables.is_empty() {
            break;
        }
        let rows: Vec<_> = last.ended_tables.iter().map(|table| table.end).collect();
        read = dialect::with_tables_ended(&read, &rows).into();
        let parts = last.parts.into_iter();
        settled.extend(parts.filter(|part| is_within(&last.ended_tables, part.range.start)));
        ended.extend(last.ended_tables);
        ended.sort_by_key(|table| table.start);
        last = Reading::of(text, &read);
        last.parts
            .retain(|part| !is_within(&ended, part.range.start));
    }
    let mut parts = last.parts;
    if !settled.is_empty() {
        parts.extend(settled);
        parts.sort_by_key(|part| part.range.start);
    }
    parts
}

/// Returns whether `at` is within one of `ranges`, which must be disjoint and in order.
fn is_within(ranges: &[Range<usize>], at: usize) -> bool {
    let next = ranges.partition_point(|range| range.end <= at);
    ranges.get(next).is_some_and(|range| range.start <= at)
}

/// The result of parsing a text once.
struct Reading {
    parts: Vec<Part>,
    /// The tables that end at a row that is code, up to that row.
    ended_tables: Vec<Range<usize>>,
}

impl Reading {
    /// Parses `read`, which has the same length as `text`, and takes the content from `text`.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only a few of the parser's events matter here"
    )]
    fn of(text: &str, read: &str) -> Self {
        let mut parts = Vec::new();
        let mut ended_tables: Vec<Range<usize>> = Vec::new();
        let mut indents = Indents::default();
        let mut table = 0;
        let mut block: Option<Vec<Range<usize>>> = None;
        for (event, range) in parser(read).into_offset_iter() {
            indents.follow(&event, read, range.start);
            let kind = match event {
                Event::Start(Tag::Table(_)) => {
                    table = range.start;
                    continue;
                }
                Event::Start(Tag::TableRow) => {
                    let is_ended = ended_tables
                        .last()
                        .is_some_and(|ended| ended.start == table);
                    if !is_ended && indents.is_code(read, range.start) {
                        ended_tables.push(table..dialect::line_start(read, range.start));
                    }
                    continue;
                }
                Event::Start(Tag::HtmlBlock) => {
                    block = Some(Vec::new());
                    continue;
                }
                Event::Html(_) => {
                    block.get_or_insert_default().push(range);
                    continue;
                }
                Event::End(TagEnd::HtmlBlock) => {
                    html_block(text, &block.take().unwrap_or_default(), &mut parts);
                    continue;
                }
                Event::InlineHtml(_) if opens_hidden(&text[range.clone()]) => {
                    let end = closed_early(&text[range.clone()]).unwrap_or(range.len());
                    parts.push(Part {
                        range: range.start..range.start + end,
                        kind: PartKind::Hidden,
                    });
                    continue;
                }
                Event::Start(Tag::CodeBlock(_)) | Event::Code(_) => PartKind::Code,
                Event::HardBreak if text[range.clone()].starts_with(' ') => PartKind::HardBreak,
                _ => continue,
            };
            parts.push(Part { range, kind });
        }
        Self {
            parts,
            ended_tables,
        }
    }
}

fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES)
}

fn opens_hidden(html: &str) -> bool {
    html.starts_with("<!") || html.starts_with("<?")
}

/// Returns the length of a comment in a browser, which may close it before Markdown does. `None` if
/// `html` is no comment, or if the comment is not closed.
fn closed_early(html: &str) -> Option<usize> {
    let comment = html.strip_prefix("<!--")?;
    comment_length(comment).map(|length| "<!--".len() + length)
}

/// Adds the parts of an HTML block. Its lines may have markers of a list or a quote before them.
fn html_block(text: &str, lines: &[Range<usize>], parts: &mut Vec<Part>) {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return;
    };
    let is_whole = lines.windows(2).all(|pair| pair[0].end == pair[1].start);
    if is_whole {
        let html = &text[first.start..last.end];
        return html_parts(html, |at| first.start + at, parts);
    }
    let html: String = lines.iter().map(|line| &text[line.clone()]).collect();
    let mut starts = Vec::with_capacity(lines.len());
    let mut length = 0;
    for line in lines {
        starts.push((length, line.start));
        length += line.len();
    }
    let place = |at: usize| {
        let line = starts.partition_point(|(start, _)| *start <= at) - 1;
        let (start, in_text) = starts[line];
        in_text + (at - start)
    };
    html_parts(&html, place, parts);
}

/// Elements whose content HTML reads as text, so that it contains no comments.
const RAW_ELEMENTS: [&str; 4] = ["script", "style", "textarea", "title"];

/// Elements whose block in Markdown ends with a closing tag only, and in which blanks are significant.
const BLANKS_COUNT: [&str; 4] = ["pre", "script", "style", "textarea"];

/// Adds the parts of `html`, which it tokenises as a browser does (HTML Living Standard, 13.2.5).
/// `place` maps an offset in `html` to one in the text.
fn html_parts(html: &str, place: impl Fn(usize) -> usize, parts: &mut Vec<Part>) {
    let first = html.trim_start();
    let is_preformatted = !first.starts_with("</")
        && tag_name(first).is_some_and(|name| is_one_of(name, &BLANKS_COUNT));
    let mut add = |range: Range<usize>, kind| {
        if !range.is_empty() {
            let range = place(range.start)..place(range.end - 1) + 1;
            parts.push(Part { range, kind });
        }
    };
    let mut shown = 0;
    let mut at = 0;
    while let Some(found) = html[at..].find('<') {
        at += found;
        let rest = &html[at..];
        let (length, kind) = match unseen_length(rest) {
            Unseen::No => {
                at += tag_length(rest);
                continue;
            }
            Unseen::Closed(length) => (length, PartKind::Hidden),
            Unseen::Open => (rest.len(), PartKind::Unclosed),
        };
        if is_preformatted {
            add(shown..at, PartKind::Preformatted);
        }
        add(at..at + length, kind);
        at += length;
        shown = at;
    }
    if is_preformatted {
        add(shown..html.len(), PartKind::Preformatted);
    }
}

/// Whether a browser hides the markup at a `<`.
enum Unseen {
    No,
    /// It hides this number of bytes.
    Closed(usize),
    /// It hides everything up to the end.
    Open,
}

fn unseen_length(html: &str) -> Unseen {
    if let Some(comment) = html.strip_prefix("<!--") {
        return match comment_length(comment) {
            Some(length) => Unseen::Closed("<!--".len() + length),
            None => Unseen::Open,
        };
    }
    let is_bogus = |name: &str| !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '>');
    let (opener, closer) = if html.starts_with("<![CDATA[") {
        ("<![CDATA[", "]]>")
    } else if html.starts_with("<?") {
        ("<?", "?>")
    } else if html.starts_with("<!") {
        ("<!", ">")
    } else if html.strip_prefix("</").is_some_and(is_bogus) {
        ("</", ">")
    } else {
        return Unseen::No;
    };
    match html[opener.len()..].find(closer) {
        Some(found) => Unseen::Closed(opener.len() + found + closer.len()),
        None => Unseen::Open,
    }
}

/// Returns the length of a comment after its `<!--`, including the closer: `-->`, `--!>`, or `>` or
/// `->` directly after the opener (HTML Living Standard, 13.2.5.43 to 13.2.5.51). `None` if the
/// comment is not closed.
fn comment_length(comment: &str) -> Option<usize> {
    let closes = |(at, _): &(usize, &str)| {
        let before = &comment[..*at];
        matches!(before, "" | "-") || before.ends_with("--") || before.ends_with("--!")
    };
    let close = comment.match_indices('>').find(closes);
    close.map(|(at, closer)| at + closer.len())
}

/// Returns the length of the tag at the beginning of `html`, including the content of one of
/// [`RAW_ELEMENTS`]. It is 1 for a `<` that begins no tag, and the whole length for an unclosed tag.
fn tag_length(html: &str) -> usize {
    let Some(name) = tag_name(html) else {
        return 1;
    };
    let mut quote = None;
    let end = html.bytes().position(|byte| match (quote, byte) {
        (None, b'>') => true,
        (None, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        (Some(open), close) if open == close => {
            quote = None;
            false
        }
        _ => false,
    });
    let Some(end) = end.map(|end| end + 1) else {
        return html.len();
    };
    if html.starts_with("</") || !is_one_of(name, &RAW_ELEMENTS) {
        return end;
    }
    let closes = |(at, _): &(usize, &str)| {
        let after = html[end + at + "</".len()..].get(..name.len());
        after.is_some_and(|after| after.eq_ignore_ascii_case(name))
    };
    let close = html[end..].match_indices("</").find(closes);
    close.map_or(html.len(), |(at, _)| end + at)
}

/// Returns the name of the opening or closing tag at the beginning of `html`.
fn tag_name(html: &str) -> Option<&str> {
    let name = html.strip_prefix('<')?;
    let name = name.strip_prefix('/').unwrap_or(name);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric());
    let name = &name[..end.unwrap_or(name.len())];
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        .then_some(name)
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The links and inline code of a text, and what it hides from readers besides [`PartKind::Hidden`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mentions {
    /// The targets of links and images.
    pub links: Vec<Mention>,
    /// The contents of inline code outside of the labels of links and images, which say what their target is.
    pub spans: Vec<Mention>,
    /// The labels of definitions of links and footnotes to which nothing refers.
    pub unused: Vec<Mention>,
    /// The tag name of each element that the `hidden` attribute or an inline style hides.
    pub concealed: Vec<Mention>,
}

/// A piece of a text, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The byte offset at which the link, code, definition or tag begins.
    pub at: usize,
    pub text: String,
}

/// Returns what a text mentions, each list in the order of the text.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only a few of the parser's events matter here"
)]
pub fn mentions(text: &str) -> Mentions {
    let mut found = Mentions::default();
    let mut used: HashSet<String> = HashSet::new();
    let mut notes: Vec<Mention> = Vec::new();
    let mut block: Vec<Range<usize>> = Vec::new();
    // A link can have an image in its label.
    let mut labels = 0_usize;
    let read = dialect::with_one_closing_tag(text);
    let parser = parser(&read);
    let definitions: Vec<Mention> = parser
        .reference_definitions()
        .iter()
        .map(|(label, definition)| mention(definition.span.start, label))
        .collect();
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(
                Tag::Link {
                    link_type,
                    dest_url,
                    id,
                    ..
                }
                | Tag::Image {
                    link_type,
                    dest_url,
                    id,
                    ..
                },
            ) => {
                labels += 1;
                used.insert(folded(&id));
                if !matches!(link_type, LinkType::Autolink | LinkType::Email) {
                    found.links.push(mention(range.start, &dest_url));
                }
            }
            Event::End(TagEnd::Link | TagEnd::Image) => labels = labels.saturating_sub(1),
            Event::Code(content) if labels == 0 => found.spans.push(mention(range.start, &content)),
            Event::FootnoteReference(label) => {
                used.insert(folded(&format!("^{label}")));
            }
            Event::Start(Tag::FootnoteDefinition(label)) => {
                notes.push(mention(range.start, &format!("^{label}")));
            }
            // A tag may span several lines, so the lines of a block are collected first.
            Event::Start(Tag::HtmlBlock) => block.clear(),
            Event::Html(_) => block.push(range),
            Event::End(TagEnd::HtmlBlock) => concealed(text, &block, &mut found.concealed),
            Event::InlineHtml(_) => concealed(text, &[range], &mut found.concealed),
            _ => {}
        }
    }
    let unused = definitions.into_iter().chain(notes);
    found.unused = unused
        .filter(|definition| !used.contains(&folded(&definition.text)))
        .collect();
    found.unused.sort_by_key(|definition| definition.at);
    found
}

fn mention(at: usize, text: &str) -> Mention {
    Mention {
        at,
        text: text.to_owned(),
    }
}

/// Returns a label in the form in which Markdown compares it (CommonMark 0.31, section 4.7).
fn folded(label: &str) -> String {
    let words: Vec<_> = label.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// Adds the hidden elements among the opening tags of an HTML block or of an inline tag.
fn concealed(text: &str, lines: &[Range<usize>], found: &mut Vec<Mention>) {
    let html: String = lines.iter().map(|line| &text[line.clone()]).collect();
    let mut length = 0;
    let mut lines = lines.iter().peekable();
    for (at, _) in html.match_indices('<') {
        while let Some(line) = lines.next_if(|line| length + line.len() <= at) {
            length += line.len();
        }
        let tag = &html[at..];
        if let (Some(name), Some(line)) = (tag_name(tag), lines.peek())
            && hides::is_concealed(&tag[..tag_length(tag)])
        {
            found.push(mention(line.start + (at - length), name));
        }
    }
}

#[cfg(test)]
mod tests;
