//! Finds in a Markdown text what is code and what no reader sees.
//!
//! Markdown is CommonMark 0.31 with the tables and footnotes of GitHub, as the parser reads it but where
//! `dialect` knows better.
//! Line ends are LF: whoever has others converts them first. Every function is linear in the length
//! of the text, and total: any text is Markdown.

mod dialect;
mod hides;

use std::collections::HashSet;
use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

use self::dialect::Indents;

/// A part of a text that is not prose. Parts are disjoint and in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its bytes in the text.
    pub range: Range<usize>,
    /// What it is.
    pub kind: PartKind,
}

/// What a part is that is not prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// Fenced (with its fences), indented or inline code (with its backticks).
    Code,
    /// HTML in which blanks count: `<pre>`, `<script>`, `<style>` or `<textarea>`.
    Preformatted,
    /// The blanks that break a line, with the line feed.
    HardBreak,
    /// A comment, processing instruction, declaration or CDATA section: rendered, nobody sees it.
    Hidden,
    /// The opener of one that is not closed where it stands, to the end of the HTML around it.
    Unclosed,
}

/// How often a text is read again because a table in it ends earlier than the parser thinks.
const ENDED_TABLES_ROUNDS_MAX: usize = 4;

/// Finds the parts of a text that are not prose.
pub fn parts(text: &str) -> Vec<Part> {
    let mut read = dialect::with_one_closing_tag(text);
    let mut last = Reading::of(text, &read);
    // A table that ends earlier than the parser thinks was read well up to there.
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

/// Whether a place lies in one of some ranges, which are disjoint and in order.
fn is_within(ranges: &[Range<usize>], at: usize) -> bool {
    let next = ranges.partition_point(|range| range.end <= at);
    ranges.get(next).is_some_and(|range| range.start <= at)
}

/// What the parser makes of a text.
struct Reading {
    parts: Vec<Part>,
    /// The tables in which a row is code, up to that row.
    ended_tables: Vec<Range<usize>>,
}

impl Reading {
    /// Reads `text` as the parser reads `read`, which has the same length.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most events of the parser matter to others"
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

/// How long a comment is for a browser, which may end it before Markdown does.
fn closed_early(html: &str) -> Option<usize> {
    let comment = html.strip_prefix("<!--")?;
    comment_length(comment).map(|length| "<!--".len() + length)
}

/// Reads an HTML block, whose lines may stand behind the marks of a list or a quote.
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

/// Elements whose content HTML reads as text, so that no comment is in them. A block of Markdown
/// that begins with one of the first four ends with its closing tag only, and keeps its blanks.
const RAW_ELEMENTS: [&str; 4] = ["script", "style", "textarea", "title"];
const BLANKS_COUNT: [&str; 4] = ["pre", "script", "style", "textarea"];

/// Reads HTML as a browser does (HTML Living Standard, 13.2.5), as far as it tells what is seen.
/// `place` tells where a byte of `html` stands in the text.
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

/// Whether what stands at a `<` is seen by no reader, and how far it goes.
enum Unseen {
    No,
    Closed(usize),
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

/// How long the rest of a comment is behind its `<!--`, with the closer: `-->`, `--!>`, or `>` and
/// `->` at once (HTML Living Standard, 13.2.5.43 to 13.2.5.51).
fn comment_length(comment: &str) -> Option<usize> {
    let closes = |(at, _): &(usize, &str)| {
        let before = &comment[..*at];
        matches!(before, "" | "-") || before.ends_with("--") || before.ends_with("--!")
    };
    let close = comment.match_indices('>').find(closes);
    close.map(|(at, closer)| at + closer.len())
}

/// How long a tag is, with the content of an element that holds text alone. A `<` that begins no tag
/// has one byte; a tag without end goes to the end.
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

/// The name of the tag that `html` begins with, opening or closing.
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

/// What a text mentions, and what of its source no reader sees though it is no part of
/// [`PartKind::Hidden`]. Places are bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mentions {
    /// The targets of links and images, as they are written.
    pub links: Vec<Mention>,
    /// The contents of inline code.
    pub spans: Vec<Mention>,
    /// The labels of definitions, of links and of footnotes, that nothing refers to.
    pub unused: Vec<Mention>,
    /// The tags of elements that are not shown: `hidden`, or styled so.
    pub concealed: Vec<Mention>,
}

/// One thing that is mentioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Where it begins.
    pub at: usize,
    /// What it says.
    pub text: String,
}

/// Finds what a text mentions.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most events of the parser matter to others"
)]
pub fn mentions(text: &str) -> Mentions {
    let mut found = Mentions::default();
    let mut used: HashSet<String> = HashSet::new();
    let mut notes: Vec<Mention> = Vec::new();
    let mut block: Vec<Range<usize>> = Vec::new();
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
                used.insert(folded(&id));
                if !matches!(link_type, LinkType::Autolink | LinkType::Email) {
                    found.links.push(mention(range.start, &dest_url));
                }
            }
            Event::Code(content) => found.spans.push(mention(range.start, &content)),
            Event::FootnoteReference(label) => {
                used.insert(folded(&format!("^{label}")));
            }
            Event::Start(Tag::FootnoteDefinition(label)) => {
                notes.push(mention(range.start, &format!("^{label}")));
            }
            // A tag may go over several lines.
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

/// A label as Markdown compares it (CommonMark 0.31, section 4.7).
fn folded(label: &str) -> String {
    let words: Vec<_> = label.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// Adds the opening tags of an HTML block, or of one inline tag, whose elements are not shown.
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
