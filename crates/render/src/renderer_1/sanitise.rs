//! How the first renderer sanitised a text: it knew no Markdown. The steps are ordered so that no later
//! one makes work for an earlier one again, and each leaves its own result as it is. All of them are linear
//! in the length of the text.

use std::ops::Range;

use crate::sanitise::edit::{Edit, Layers};
use crate::treated::{Reason, Treated};

const CONTEXT_TAG: &str = "workspace-context";
const SKILLS_TAG: &str = "available-skills";
const SOURCE_WORD: &str = "Source";

/// The tags that are ctxpin's alone. A tag whose name merely begins like one of these is escaped as
/// well; so `workspace-context-update`, which tells a chat of a change, is reserved too.
const TAGS: [&str; 2] = [CONTEXT_TAG, SKILLS_TAG];

const COMMENT_OPEN: &str = "<!--";
const COMMENT_CLOSE: &str = "-->";

/// How far into a comment its end may begin: `<!-->` and `<!--->` are whole comments (HTML Living
/// Standard, 13.2.5.43 and 13.2.5.44).
const COMMENT_CLOSE_OFFSET: usize = "<!".len();

/// The emoji that a subdivision's flag begins with.
const BLACK_FLAG: char = '\u{1F3F4}';

/// The tag character that ends a subdivision's flag.
const TAG_END: char = '\u{E007F}';

/// How many tag characters stand between the two: a region of 2 letters or 3 digits and a
/// subdivision of 1 to 3 (Unicode Technical Standard 51, annex C).
const FLAG_TAGS_MIN: usize = 3;
const FLAG_TAGS_MAX: usize = 6;

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';

/// Treats a text of any number of lines. What is left has no blank lines and no newline at its ends.
///
/// Line ends of every kind become LF. Control characters other than tab, invisible characters,
/// bidirectional controls and HTML comments are removed, those which only form by such a removal
/// too; a comment that never ends stays. Three things that are invisible stay where writing needs
/// them: U+200C, a variation selector after what can have one, and the tags of a subdivision's
/// flag. Blanks at the end of lines are cut, runs of blank lines become one. Last, the `<` of each
/// of ctxpin's tags (opening or closing, in any case and spacing, ended or not) becomes `&lt;`, and
/// a line that begins with `Source:` gets a backslash before it. Idempotent. A `<` at the end becomes
/// `&lt;` too, for what may come below it.
pub fn treated(text: &str) -> Treated {
    let mut layers = Layers::new(text);
    layers.push(hidden(&layers.text));
    layers.push(folds(&layers.text));
    layers.push(tag_escapes(&layers.text));
    layers.push(source_escapes(&layers.text));
    Treated {
        pieces: layers.pieces(),
        warnings: Vec::new(),
        text: layers.text.into_owned(),
    }
}

/// The edits that make line ends LF and remove hidden characters and comments.
fn hidden(text: &str) -> Vec<Edit> {
    let mut visible = Visible::default();
    let mut after_cr = false;
    let mut at = 0;
    loop {
        let plain = text.as_bytes()[at..].iter();
        let plain = plain.take_while(|byte| is_plain(**byte)).count();
        let run = &text[at..at + plain];
        if !run.is_empty() {
            visible.take_plain(run, at);
            after_cr = false;
        }
        at += plain;
        let Some(c) = text[at..].chars().next() else {
            break;
        };
        let range = at..at + c.len_utf8();
        match c {
            '\n' if after_cr => visible.edits.push(Edit::replace(range.clone(), "")),
            '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                visible.flag_end(at);
                visible.edits.push(Edit::replace(range.clone(), "\n"));
                visible.take('\n', range.clone());
            }
            other => visible.take(other, range.clone()),
        }
        after_cr = c == '\r';
        at = range.end;
    }
    visible.flag_end(at);
    visible.edits
}

/// Whether a byte is a character that is kept whatever stands around it, and that neither opens nor
/// closes a comment: most of most texts, which is taken in runs.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'-' && byte != b'>'
}

/// The visible text so far. What becomes of a character depends on `kept` alone, never on what was
/// removed: so nothing forbidden forms where a removal joins two ends, and `kept` itself, taken once
/// more, stays as it is. `comment` and `flag` only spare looking through `kept` again.
#[derive(Default)]
struct Visible {
    kept: String,
    /// Where runs of `kept` begin, there and in the text.
    runs: Vec<(usize, usize)>,
    /// What was done to the text so far.
    edits: Vec<Edit>,
    /// Where in `kept` the comment begins that is open.
    comment: Option<usize>,
    /// The tag characters that `kept` ends with.
    flag: Option<Flag>,
}

/// A run of tag characters after the black flag.
struct Flag {
    /// Where in the kept text its first tag stands.
    start: usize,
    tags: FlagTags,
}

#[derive(Clone, Copy)]
enum FlagTags {
    /// So many tags are kept, for now: the sequence may still be broken.
    Open(usize),
    /// The sequence is a flag, and further tags are none of it.
    Complete,
    /// The sequence is no flag, and no tag of it is kept.
    Broken,
}

impl Visible {
    /// Takes a run of plain characters, as [`Self::take`] would one by one.
    fn take_plain(&mut self, run: &str, at: usize) {
        self.flag_end(at);
        self.runs.push((self.kept.len(), at));
        self.kept.push_str(run);
    }

    fn take(&mut self, c: char, range: Range<usize>) {
        if is_tag_character(c) {
            self.take_tag(c, range);
        } else if is_variation_selector(c) {
            self.flag_end(range.start);
            match self.kept.chars().next_back().is_some_and(has_variations) {
                true => self.keep(c, range.start),
                false => self.edits.push(Edit::cut(range, Reason::Invisible)),
            }
        } else if is_hidden(c) {
            self.edits.push(Edit::cut(range, Reason::Invisible));
        } else {
            self.flag_end(range.start);
            self.keep(c, range.start);
            self.comment_follow(c, range.end);
        }
    }

    fn keep(&mut self, c: char, at: usize) {
        self.runs.push((self.kept.len(), at));
        self.kept.push(c);
    }

    /// Takes back what was kept from `start` on, which the text has up to `end`.
    fn take_back(&mut self, start: usize, end: usize, reason: Reason) {
        let run = self.runs.partition_point(|(kept, _)| *kept <= start) - 1;
        let (kept, at) = self.runs[run];
        let at = at + (start - kept);
        self.kept.truncate(start);
        self.runs.truncate(run + usize::from(kept < start));
        let earlier = self.edits.partition_point(|edit| edit.range.start < at);
        self.edits.truncate(earlier);
        self.edits.push(Edit::cut(at..end, reason));
    }

    /// Notes that a comment opens or closes with `c`, the last character kept, which ends at `end`.
    fn comment_follow(&mut self, c: char, end: usize) {
        match (c, self.comment) {
            ('-', None) if self.kept.ends_with(COMMENT_OPEN) => {
                self.comment = Some(self.kept.len() - COMMENT_OPEN.len());
            }
            ('>', Some(start))
                if self.kept[start + COMMENT_CLOSE_OFFSET..].ends_with(COMMENT_CLOSE) =>
            {
                self.take_back(start, end, Reason::Comment);
                self.comment = None;
            }
            _ => {}
        }
    }

    fn take_tag(&mut self, c: char, range: Range<usize>) {
        if self.flag.is_none() && self.kept.ends_with(BLACK_FLAG) {
            let start = self.kept.len();
            let tags = FlagTags::Open(0);
            self.flag = Some(Flag { start, tags });
        }
        // A tag anywhere else is text that only a model would read.
        let Some(Flag {
            start,
            tags: FlagTags::Open(count),
        }) = self.flag
        else {
            return self.edits.push(Edit::cut(range, Reason::Invisible));
        };
        let is_letter = matches!(c, '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}');
        let tags = if is_letter && count < FLAG_TAGS_MAX {
            self.keep(c, range.start);
            FlagTags::Open(count + 1)
        } else if c == TAG_END && count >= FLAG_TAGS_MIN {
            self.keep(c, range.start);
            FlagTags::Complete
        } else {
            match count {
                0 => self.edits.push(Edit::cut(range, Reason::Invisible)),
                _ => self.take_back(start, range.end, Reason::Invisible),
            }
            FlagTags::Broken
        };
        self.flag = Some(Flag { start, tags });
    }

    /// No tag of the run follows any more; the text goes on at `at`.
    fn flag_end(&mut self, at: usize) {
        if let Some(Flag {
            start,
            tags: FlagTags::Open(_),
        }) = self.flag.take()
            && start < self.kept.len()
        {
            self.take_back(start, at, Reason::Invisible);
        }
    }
}

fn is_tag_character(c: char) -> bool {
    matches!(c, '\u{E0000}'..='\u{E00FF}')
}

/// The two variation selectors that choose between text and emoji.
fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{FE0E}' | '\u{FE0F}')
}

/// Whether a variation selector can mean something after `c`. In ASCII it does after the characters
/// of keycaps alone (Unicode's `emoji-variation-sequences.txt`).
fn has_variations(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit() || c == '#' || c == '*';
    }
    !(c.is_whitespace() || is_unseen(c) || is_tag_character(c))
}

/// Whether `c` is kept though it is not seen.
fn is_unseen(c: char) -> bool {
    c == ZERO_WIDTH_NON_JOINER || is_variation_selector(c)
}

/// Control characters other than tab and LF, what Unicode gives the property
/// `Default_Ignorable_Code_Point`, and interlinear annotation. U+200C, which Persian and other
/// scripts are written with, is not hidden; tag characters and the two variation selectors are
/// judged by what stands before them.
fn is_hidden(c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' => {
            true
        }
        '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200D}'..='\u{200F}' => true,
        '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' => true,
        '\u{FE00}'..='\u{FE0D}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' => true,
        '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0100}'..='\u{E0FFF}' => true,
        other => other.is_control(),
    }
}

/// The edits that cut blanks at the ends of lines, make runs of blank lines one, and cut those at both
/// ends.
fn folds(text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    // Where the last line that is not blank ends.
    let mut content_end = None;
    let mut at = 0;
    for line in text.split('\n') {
        let shown = line.trim_end();
        if !shown.is_empty() {
            let (mut from, stays) = match content_end {
                None => (0, 0),
                Some(end) => (end, 2),
            };
            let blanks = from..at;
            for (line_end, _) in text[blanks.clone()].match_indices('\n').take(stays) {
                let line_end = blanks.start + line_end;
                edits.push(Edit::cut(from..line_end, Reason::Blank));
                from = line_end + 1;
            }
            edits.push(Edit::cut(from..at, Reason::Blank));
            content_end = Some(at + shown.len());
        }
        at += line.len() + 1;
    }
    edits.push(Edit::cut(
        content_end.unwrap_or(0)..text.len(),
        Reason::Blank,
    ));
    edits.retain(|edit| !edit.range.is_empty());
    edits
}

/// The edits that escape the `<` of each of ctxpin's tags, and one that what stands below the text could
/// make a tag. A search never passes the next `<`, which keeps all of them together linear.
fn tag_escapes(text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut starts = text.match_indices('<').map(|(at, _)| at).peekable();
    while let Some(at) = starts.next() {
        let next = starts.peek().copied();
        let name = tag_name(&text[at + 1..next.unwrap_or(text.len())]);
        let dangling = name.is_empty() && next.is_none();
        let ours = TAGS.iter().any(|tag| word_stripped(name, tag).is_some());
        if ours || dangling {
            edits.push(Edit::replace(at..at + 1, "&lt;"));
        }
    }
    edits
}

/// Where the name of a tag begins in what follows its `<`, opening or closing, in any spacing.
fn tag_name(after: &str) -> &str {
    after.trim_start_matches(|c: char| c == '/' || c.is_whitespace() || is_unseen(c))
}

/// The edits that put a backslash before every `Source:` that begins a line.
fn source_escapes(text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut at = 0;
    for line in text.split('\n') {
        let content = blanks_stripped(line);
        if is_source(content) {
            let place = at + line.len() - content.len();
            edits.push(Edit::replace(place..place, "\\"));
        }
        at += line.len() + 1;
    }
    edits
}

fn is_source(content: &str) -> bool {
    word_stripped(content, SOURCE_WORD).is_some_and(|after| blanks_stripped(after).starts_with(':'))
}

fn blanks_stripped(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || is_unseen(c))
}

/// What follows `word` (ASCII) at the start of `text`, in any case and whatever unseen characters
/// stand in it.
fn word_stripped<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let mut rest = text.chars();
    for expected in word.chars() {
        let found = rest.find(|c| !is_unseen(*c))?;
        if case_folded(found) != expected.to_ascii_lowercase() {
            return None;
        }
    }
    Some(rest.as_str())
}

/// The lower case of the upper case: so that the long s and the Kelvin sign are an s and a k.
fn case_folded(c: char) -> char {
    let upper = c.to_uppercase().next().unwrap_or(c);
    upper.to_lowercase().next().unwrap_or(upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cases: &[(&str, &str)]) {
        for (input, expected) in cases {
            assert_eq!(treated(input).text, *expected, "{input:?}");
            assert_eq!(treated(expected).text, *expected, "again: {input:?}");
        }
    }

    #[test]
    fn plain_text_stays() {
        let markdown = "# Title\n\n\tindented <b>bold</b> &lt; \\\n    code: a < b && c > d\n\n- é 中文 🙂 می\u{200C}خواهم\n- `Sources: x`, resource: y\n- <workspace>, Open source: yes";
        check(&[("", ""), (" a", " a"), (markdown, markdown)]);
    }

    #[test]
    fn lines_end_in_one_way() {
        check(&[
            ("a\r\nb\rc\n\rd", "a\nb\nc\n\nd"),
            ("a\u{B}b\u{C}c\u{85}d\u{2028}e\u{2029}f", "a\nb\nc\nd\ne\nf"),
            ("a\r\u{200B}\nb", "a\n\nb"),
        ]);
    }

    #[test]
    fn blanks_are_folded() {
        check(&[
            ("\n \n  a  \n\n\t\n\u{A0}\nb\u{3000}\n\n", "  a\n\nb"),
            (" \n\t\n", ""),
        ]);
    }

    #[test]
    fn hidden_characters_are_removed() {
        check(&[
            ("a\0\u{1B}[1m\u{7F}\u{9B}b\tc", "a[1mb\tc"),
            (
                "\u{FEFF}a\u{AD}\u{200B}\u{200D}\u{200E}\u{202E}\u{2066}\u{3164}b",
                "ab",
            ),
            (
                "a\u{FE00}\u{E0100}\u{E01EF}\u{FFF9}\u{1D173}\u{180F}b",
                "ab",
            ),
            ("a\u{E0001}\u{E0068}\u{E0069}\u{E007F}b", "ab"),
        ]);
    }

    #[test]
    fn a_variation_selector_stays_after_what_can_have_one() {
        check(&[
            (
                "☀\u{FE0F} 1\u{FE0F}\u{20E3} ☀\u{FE0E}",
                "☀\u{FE0F} 1\u{FE0F}\u{20E3} ☀\u{FE0E}",
            ),
            ("☀\u{FE0F}\u{FE0E}\u{FE0F}", "☀\u{FE0F}"),
            ("☀\u{FE0F}<!-- -->\u{FE0F}", "☀\u{FE0F}"),
            ("☀\u{200B}\u{FE0F}", "☀\u{FE0F}"),
            ("\u{FE0F}a\u{FE0F} \u{FE0F}\n\u{FE0F}<\u{FE0F}b", "a\n<b"),
        ]);
    }

    #[test]
    fn tags_stay_in_a_flag_only() {
        let scotland = "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}";
        check(&[
            (scotland, scotland),
            (
                &format!("{scotland}\u{E0061}\u{E007F}!"),
                &format!("{scotland}!"),
            ),
            (
                &format!("{scotland}{scotland}"),
                &format!("{scotland}{scotland}"),
            ),
            ("🏴\u{E0067}\u{E0062}\u{E0073}", "🏴"),
            ("🏴\u{E0067}\u{E0062}\u{E007F}", "🏴"),
            ("🏴\u{E0067}\u{E0062}\u{E0073}x\u{E007F}", "🏴x"),
            (
                "🏴\u{E0067}\u{E0041}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
                "🏴",
            ),
            (
                "🏴\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E007F}",
                "🏴",
            ),
            ("🙂\u{E0067}\u{E0062}\u{E0073}\u{E007F}", "🙂"),
        ]);
    }

    #[test]
    fn comments_are_removed() {
        check(&[
            ("a<!-- x\n\ny -->b", "ab"),
            ("a<!-->b<!--->c<!---->d", "abcd"),
            ("a <!-- x -->\n\n<!-- y -->\n\nb", "a\n\nb"),
            ("<!<!-- x -->-- y -->a", "a"),
            ("<!-\u{200B}- x --\u{200D}>a", "a"),
            ("<!-- <!-- x --> y -->a", " y -->a"),
            ("a <!-- b\nc", "a <!-- b\nc"),
            ("a --> b <!- c -->", "a --> b <!- c -->"),
        ]);
    }

    #[test]
    fn tags_are_escaped() {
        check(&[
            ("<workspace-context>", "&lt;workspace-context>"),
            ("</Workspace-Context >", "&lt;/Workspace-Context >"),
            ("< \n/ /\tAVAILABLE-SKILLS", "&lt;\n/ /\tAVAILABLE-SKILLS"),
            (
                "<workspace-context-update id=\"1\"/>",
                "&lt;workspace-context-update id=\"1\"/>",
            ),
            ("<<workspace-context<a", "<&lt;workspace-context<a"),
            ("<work<!-- -->space-context>", "&lt;workspace-context>"),
            ("<work\u{200B}space-context>", "&lt;workspace-context>"),
            (
                "<\u{200C}work\u{200C}space-context>",
                "&lt;\u{200C}work\u{200C}space-context>",
            ),
            (
                "<wor\u{212A}\u{17F}pace-context>",
                "&lt;wor\u{212A}\u{17F}pace-context>",
            ),
            ("<workspace context>", "<workspace context>"),
            ("a <", "a &lt;"),
            ("< / \n", "&lt; /"),
            ("<</", "<&lt;/"),
        ]);
    }

    #[test]
    fn sources_are_escaped() {
        check(&[
            ("Source: /a", "\\Source: /a"),
            ("a\n \u{3000}sOURCE\t: b", "a\n \u{3000}\\sOURCE\t: b"),
            ("a\u{2028}Source: b", "a\n\\Source: b"),
            ("Sou<!-- -->rce: a", "\\Source: a"),
            ("S\u{200C}ource: a", "\\S\u{200C}ource: a"),
            ("\\Source: a", "\\Source: a"),
            ("a Source: b", "a Source: b"),
            ("Source a: b", "Source a: b"),
        ]);
    }
}
