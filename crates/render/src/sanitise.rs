//! Makes a workspace's text fit to be read by a model: what a person would not see in it is taken
//! out, and what could pass for ctxpin's own markup is escaped.
//!
//! The steps are ordered so that no later one makes work for an earlier one again, and each leaves
//! its own result as it is. That is why sanitising twice is sanitising once. All of them are linear
//! in the length of the text.

use crate::prompt::{CONTEXT_TAG, SKILLS_TAG, SOURCE_WORD};

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

/// A sanitised text of any number of lines, without blank lines or a newline at its ends.
///
/// Line ends of every kind become LF. Control characters other than tab, invisible characters,
/// bidirectional controls and HTML comments are removed, those which only form by such a removal
/// too; a comment that never ends stays. Three things that are invisible stay where writing needs
/// them: U+200C, a variation selector after what can have one, and the tags of a subdivision's
/// flag. Blanks at the end of lines are cut, runs of blank lines become one. Last, the `<` of each
/// of ctxpin's tags (opening or closing, in any case and spacing, ended or not) becomes `&lt;`, and
/// a line that begins with `Source:` gets a backslash before it. Idempotent. Sanitised texts stay so
/// when they are put below each other: for that a `<` at the end becomes `&lt;` too.
pub fn text(text: &str) -> String {
    let visible = hidden_removed(text);
    let folded = blanks_folded(&visible);
    let untagged = tags_escaped(&folded);
    sources_escaped(&untagged)
}

/// A sanitised text of one line without blanks at its ends: as [`text`], but every C0 control,
/// U+0085, U+2028 and U+2029 is a space. For paths, facts, names and descriptions. Idempotent.
pub fn line(line: &str) -> String {
    let spaced: String = line
        .chars()
        .map(|c| match c {
            '\0'..='\u{1F}' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            other => other,
        })
        .collect();
    text(&spaced).trim().to_owned()
}

/// Line ends made LF, hidden characters and comments removed.
fn hidden_removed(text: &str) -> String {
    let mut visible = Visible::default();
    visible.kept.reserve(text.len());
    let mut after_cr = false;
    let mut rest = text;
    loop {
        let plain = rest.bytes().take_while(|byte| is_plain(*byte)).count();
        let (run, after) = rest.split_at(plain);
        if !run.is_empty() {
            visible.take_plain(run);
            after_cr = false;
        }
        let mut chars = after.chars();
        let Some(c) = chars.next() else { break };
        match c {
            '\n' if after_cr => {}
            '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => visible.take('\n'),
            other => visible.take(other),
        }
        after_cr = c == '\r';
        rest = chars.as_str();
    }
    visible.finish()
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
    fn take_plain(&mut self, run: &str) {
        self.flag_end();
        self.kept.push_str(run);
    }

    fn take(&mut self, c: char) {
        if is_tag_character(c) {
            self.take_tag(c);
        } else if is_variation_selector(c) {
            self.flag_end();
            if self.kept.chars().next_back().is_some_and(has_variations) {
                self.kept.push(c);
            }
        } else if !is_hidden(c) {
            self.flag_end();
            self.kept.push(c);
            self.comment_follow(c);
        }
    }

    /// Notes that a comment opens or closes with `c`, the last character kept.
    fn comment_follow(&mut self, c: char) {
        match (c, self.comment) {
            ('-', None) if self.kept.ends_with(COMMENT_OPEN) => {
                self.comment = Some(self.kept.len() - COMMENT_OPEN.len());
            }
            ('>', Some(start))
                if self.kept[start + COMMENT_CLOSE_OFFSET..].ends_with(COMMENT_CLOSE) =>
            {
                self.kept.truncate(start);
                self.comment = None;
            }
            _ => {}
        }
    }

    fn take_tag(&mut self, c: char) {
        if self.flag.is_none() && self.kept.ends_with(BLACK_FLAG) {
            let start = self.kept.len();
            let tags = FlagTags::Open(0);
            self.flag = Some(Flag { start, tags });
        }
        // A tag anywhere else is text that only a model would read.
        let Some(flag) = &mut self.flag else { return };
        let FlagTags::Open(count) = flag.tags else {
            return;
        };
        let is_letter = matches!(c, '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}');
        if is_letter && count < FLAG_TAGS_MAX {
            self.kept.push(c);
            flag.tags = FlagTags::Open(count + 1);
        } else if c == TAG_END && count >= FLAG_TAGS_MIN {
            self.kept.push(c);
            flag.tags = FlagTags::Complete;
        } else {
            self.kept.truncate(flag.start);
            flag.tags = FlagTags::Broken;
        }
    }

    /// No tag of the run follows any more.
    fn flag_end(&mut self) {
        if let Some(Flag {
            start,
            tags: FlagTags::Open(_),
        }) = self.flag.take()
        {
            self.kept.truncate(start);
        }
    }

    fn finish(mut self) -> String {
        self.flag_end();
        self.kept
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

/// Blanks at the ends of lines cut, runs of blank lines made one, blank lines at both ends cut.
fn blanks_folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut after_blank = false;
    for line in text.split('\n') {
        let line = line.trim_end();
        if line.is_empty() {
            after_blank = true;
            continue;
        }
        if !folded.is_empty() {
            folded.push_str(if after_blank { "\n\n" } else { "\n" });
        }
        folded.push_str(line);
        after_blank = false;
    }
    folded
}

/// The `<` of each of ctxpin's tags escaped, and one that what stands below the text could make a
/// tag. A search never passes the next `<`, which keeps all of them together linear.
fn tags_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut pieces = text.split('<').peekable();
    escaped.extend(pieces.next());
    while let Some(piece) = pieces.next() {
        let name = tag_name(piece);
        let dangling = name.is_empty() && pieces.peek().is_none();
        let ours = TAGS.iter().any(|tag| word_stripped(name, tag).is_some());
        escaped.push_str(if ours || dangling { "&lt;" } else { "<" });
        escaped.push_str(piece);
    }
    escaped
}

/// Where the name of a tag begins in what follows its `<`, opening or closing, in any spacing.
fn tag_name(after: &str) -> &str {
    after.trim_start_matches(|c: char| c == '/' || c.is_whitespace() || is_unseen(c))
}

/// A backslash before every `Source:` that begins a line.
fn sources_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            escaped.push('\n');
        }
        let content = blanks_stripped(line);
        if is_source(content) {
            escaped.push_str(&line[..line.len() - content.len()]);
            escaped.push('\\');
            escaped.push_str(content);
        } else {
            escaped.push_str(line);
        }
    }
    escaped
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
    use proptest::prelude::*;

    use super::*;

    fn check(cases: &[(&str, &str)]) {
        for (input, expected) in cases {
            assert_eq!(text(input), *expected, "{input:?}");
            assert_eq!(text(expected), *expected, "again: {input:?}");
        }
    }

    #[test]
    fn plain_text_stays() {
        let markdown = "# Title\n\n\tindented <b>bold</b> &lt; \\\n    code: a < b && c > d\n\n- é 中文 🙂 می\u{200C}خواهم\n- `Sources: x`, resource: y\n- <workspace>, Open source: yes";
        check(&[("", ""), (" a", " a"), (markdown, markdown)]);
    }

    proptest! {
        /// Plain characters are taken in runs, which must be as if each was taken alone.
        #[test]
        fn runs_are_taken_as_their_characters(
            input in "(<!--|-->|[ -~]{0,6}|\r\n|\r|\n|\u{1F3F4}[\u{E0061}-\u{E0066}]{0,7}\u{E007F}?|\u{FE0F}|\u{200B}|é|\t){0,24}"
        ) {
            let mut one_by_one = Visible::default();
            let mut after_cr = false;
            for c in input.chars() {
                match c {
                    '\n' if after_cr => {}
                    '\r' => one_by_one.take('\n'),
                    other => one_by_one.take(other),
                }
                after_cr = c == '\r';
            }
            prop_assert_eq!(hidden_removed(&input), one_by_one.finish());
        }
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

    #[test]
    fn a_line_is_one_line() {
        for (input, expected) in [
            ("", ""),
            (" \n", ""),
            ("a\r\nb\u{85}c\u{2028}d\te\0f", "a  b c d e f"),
            ("\n\nSource: a\n", "\\Source: a"),
            (
                "/home/\u{202E}a</workspace-context>",
                "/home/a&lt;/workspace-context>",
            ),
            ("a<!--\n-->b", "ab"),
        ] {
            assert_eq!(line(input), expected, "{input:?}");
            assert_eq!(line(expected), expected, "again: {input:?}");
        }
    }
}
