//! Instruction files as Claude Code reads them: without frontmatter and block comments, with the globs that
//! limit a rule and the paths that a text imports.
//!
//! Every function takes time linear in the length of the text, except for the limits named here.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use crate::limits::{GLOB_BYTES_MAX, GLOBS_MAX};
use crate::skill::frontmatter_values;
use crate::skill::repair::is_blank;

/// The names of the files that a directory gives by itself, in their order.
pub const NAMES: [&str; 3] = ["CLAUDE.md", ".claude/CLAUDE.md", LOCAL_NAME];

/// The name of a person's own file in a project.
pub const LOCAL_NAME: &str = "CLAUDE.local.md";

/// The largest file that Claude Code reads, in bytes.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The largest `SKILL.md` that Claude Code reads, in bytes.
pub const SKILL_MD_BYTES_MAX: u64 = 1_000_000;

/// The longest description that is taken from a skill's text, in units of UTF-16.
const TEXT_UNITS_MAX: usize = 100;

/// What ends a description that was cut.
const CUT: &str = "...";

/// The description of a skill without any text.
const UNDESCRIBED: &str = "Skill";

/// How many files may import each other in a row, with the first one.
pub const IMPORT_DEPTH_MAX: usize = 5;

/// The greatest number of imports that are followed in one file.
pub const IMPORTS_MAX: usize = 1_000;

/// The greatest number of paths in code that are told of one file.
const PASSED_OVER_MAX: usize = 100;

/// The extensions of files that Claude Code takes for text. A file without an extension is text too.
const TEXT_EXTENSIONS: &str = "md txt text json yaml yml toml xml csv html htm css scss sass less js ts tsx jsx mjs \
    cjs mts cts py pyi pyw rb erb rake go rs java kt kts scala c cpp cc cxx h hpp hxx cs swift sh bash zsh fish \
    ps1 bat cmd env ini cfg conf config properties sql graphql gql proto vue svelte astro ejs hbs pug jade php pl \
    pm lua r dart ex exs erl hrl clj cljs cljc edn hs lhs elm ml mli f f90 f95 for cmake make makefile gradle sbt \
    rst adoc asciidoc org tex latex lock log diff patch";

/// An instruction file as Claude Code reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The text without frontmatter and block comments. The model gets it without the blanks around it.
    pub text: String,
    /// The globs of the frontmatter's `paths`. A rule with globs counts only for files that they match. `None` if
    /// there are none, or if one of them matches everything.
    pub globs: Option<Vec<String>>,
    /// The paths that the text imports, as it writes them, each once.
    pub imports: Vec<String>,
    /// The paths that would be imports if they stood in prose, and not in code or HTML, each once.
    pub passed_over: Vec<String>,
}

impl Reading {
    /// Reads the bytes of a file. Bytes that are not UTF-8 become U+FFFD.
    pub fn of(body: &[u8]) -> Self {
        let whole = String::from_utf8_lossy(body);
        let (frontmatter, content) = split(&whole);
        let globs = frontmatter.and_then(globs);
        let lines = content.replace("\r\n", "\n").replace('\r', "\n");
        let document = Document::of(&lines);
        Self {
            text: document.uncommented().unwrap_or_else(|| content.to_owned()),
            globs,
            imports: document.imports(),
            passed_over: document.passed_over(),
        }
    }

    /// Returns what the model gets: the text without the blanks around it.
    pub fn given(&self) -> &str {
        trim(&self.text)
    }
}

/// Returns whether Claude Code takes a file of this name for text.
pub fn is_text(name: &str) -> bool {
    let extension = name
        .rsplit_once('.')
        .filter(|(stem, _)| !stem.is_empty())
        .map(|(_, extension)| extension.to_lowercase());
    match extension {
        None => true,
        Some(extension) => TEXT_EXTENSIONS.split(' ').any(|known| known == extension),
    }
}

/// Returns whether the `disable-model-invocation` of a skill keeps it out of the list that Claude Code's model gets.
pub fn is_skill_hidden(skill_md: &[u8]) -> bool {
    match skill_value(skill_md, "disable-model-invocation") {
        Some(Value::Bool(flag)) => flag,
        Some(Value::String(word)) => is_yes(&word),
        Some(Value::Number(number)) => is_yes(&number.to_string()),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
    }
}

/// Returns the `paths` of a skill, which Claude Code lists only after it read a file that one of these globs matches. `None`
/// if it lists the skill from the beginning.
pub fn skill_globs(skill_md: &[u8]) -> Option<Vec<String>> {
    let whole = String::from_utf8_lossy(skill_md);
    split(&whole).0.and_then(globs)
}

/// Returns whether a word of a setting turns something on.
pub fn is_yes(word: &str) -> bool {
    let word = word.trim().to_lowercase();
    ["1", "true", "yes", "on"].contains(&word.as_str())
}

/// Returns when to use a skill, which the list of skills has behind the description.
pub fn skill_when(skill_md: &[u8]) -> Option<String> {
    let when = skill_value(skill_md, "when_to_use")?;
    when.as_str().map(str::to_owned)
}

/// Returns the description of a skill whose frontmatter has none: the first line of its text that is not blank, without
/// the marks of a heading, and cut to [`TEXT_UNITS_MAX`]. Bytes that are not UTF-8 become U+FFFD.
pub fn described_by_text(skill_md: &[u8]) -> String {
    let whole = String::from_utf8_lossy(skill_md);
    let mut lines = split(&whole).1.split('\n').map(trim);
    let Some(line) = lines.find(|line| !line.is_empty()) else {
        return UNDESCRIBED.to_owned();
    };
    let heading = line.trim_start_matches('#');
    let is_heading = heading.len() < line.len() && heading.starts_with(is_blank);
    let line = if is_heading { trim(heading) } else { line };
    let units: Vec<_> = line.encode_utf16().take(TEXT_UNITS_MAX + 1).collect();
    match units.len() > TEXT_UNITS_MAX {
        true => String::from_utf16_lossy(&units[..TEXT_UNITS_MAX - CUT.len()]) + CUT,
        false => line.to_owned(),
    }
}

fn skill_value(skill_md: &[u8], key: &str) -> Option<Value> {
    let whole = String::from_utf8_lossy(skill_md);
    let values = split(&whole).0.and_then(frontmatter_values)?;
    values.get(key).cloned()
}

/// Returns what Claude Code gives its model when it uses a skill: the `SKILL.md` without frontmatter and without the
/// blanks around it.
pub fn skill_text(skill_md: &[u8]) -> String {
    let whole = String::from_utf8_lossy(skill_md);
    trim(split(&whole).1).to_owned()
}

/// Returns a text without the blanks around it. A byte order mark counts as a blank.
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// Splits a file into the text of its frontmatter, if it has one, and the content.
fn split(whole: &str) -> (Option<&str>, &str) {
    let text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
    let found = text.strip_prefix("---").and_then(|rest| {
        let blanks = rest.len() - rest.trim_start_matches(is_blank).len();
        let begin = rest[..blanks].rfind('\n')? + 1;
        let length = rest[begin..].find("---")?;
        let content = &rest[begin + length + "---".len()..];
        Some((
            &rest[begin..begin + length],
            content.trim_start_matches(is_blank),
        ))
    });
    match found {
        Some((frontmatter, content)) => (Some(frontmatter), content),
        None => (None, whole),
    }
}

/// Returns the globs of a frontmatter.
fn globs(frontmatter: &str) -> Option<Vec<String>> {
    let values = frontmatter_values(frontmatter)?;
    let mut globs = Vec::new();
    collect(values.get("paths")?, &mut globs);
    // A pattern that ends with everything below a directory is the pattern of the directory.
    for glob in &mut globs {
        if let Some(directory) = glob.strip_suffix("/**") {
            *glob = directory.to_owned();
        }
    }
    globs.retain(|glob| !glob.is_empty() && glob.len() <= GLOB_BYTES_MAX);
    globs.truncate(GLOBS_MAX);
    let is_limited = globs.iter().any(|glob| glob != "**");
    is_limited.then_some(globs)
}

/// Adds the globs of a text, which are separated by commas outside of braces, or of a list of such texts.
fn collect(value: &Value, globs: &mut Vec<String>) {
    match value {
        Value::Array(values) => {
            for value in values {
                collect(value, globs);
            }
        }
        Value::String(text) => {
            let mut depth = 0_i64;
            let parts = text.split(|c| {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                c == ',' && depth == 0
            });
            for part in parts {
                let part = trim(part);
                if !part.is_empty() {
                    expand(part, globs);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

/// Adds a glob with its braces replaced by each of their alternatives. If there are too many, it stays as it is.
fn expand(glob: &str, globs: &mut Vec<String>) {
    let mut expanded = Vec::new();
    let mut waiting = vec![glob.to_owned()];
    while let Some(pattern) = waiting.pop() {
        let braces = pattern.split_once('{').and_then(|(before, rest)| {
            let (inside, after) = rest.split_once('}')?;
            (!inside.is_empty()).then_some((before, inside, after))
        });
        let Some((before, inside, after)) = braces else {
            expanded.push(pattern);
            continue;
        };
        if globs.len() + expanded.len() + waiting.len() + inside.len() > GLOBS_MAX {
            return globs.push(glob.to_owned());
        }
        let alternatives = inside.split(',').rev();
        waiting.extend(
            alternatives.map(|alternative| format!("{before}{}{after}", trim(alternative))),
        );
    }
    globs.extend(expanded);
}

/// What a Markdown text says, as far as it matters here.
struct Document<'t> {
    text: &'t str,
    /// The blocks of HTML outside of any other block that begin with a comment, each with the empty lines
    /// behind it.
    comments: Vec<Range<usize>>,
    /// The pieces of prose in which imports are looked for. A piece ends where its format changes.
    prose: Vec<String>,
    /// The pieces of code and of HTML that is no comment.
    code: Vec<String>,
}

/// A block that the parser is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Item,
    Paragraph,
    Html,
    Code,
    Other,
}

/// The text of a block that was read so far.
#[derive(Default)]
struct Line {
    /// From the first part of the text to the last one.
    range: Option<Range<usize>>,
    pieces: Vec<String>,
    /// The end of the last piece, if the piece goes on there.
    open: Option<usize>,
    /// How many images the parser is in. Their texts import nothing.
    images: usize,
}

impl<'t> Document<'t> {
    /// Parses a text with LF line ends.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only a few of the parser's events matter here"
    )]
    fn of(text: &'t str) -> Self {
        let mut document = Self {
            text,
            comments: Vec::new(),
            prose: Vec::new(),
            code: Vec::new(),
        };
        let mut blocks = Vec::new();
        let mut line = Line::default();
        let mut html = String::new();
        for (event, range) in Parser::new(text).into_offset_iter() {
            match event {
                Event::Start(tag) => match block(&tag) {
                    Some(block) => {
                        document.end(&mut line, &blocks);
                        blocks.push(block);
                    }
                    None => {
                        line.images += usize::from(matches!(tag, Tag::Image { .. }));
                        line.cover(range.start..range.start);
                    }
                },
                Event::End(TagEnd::HtmlBlock) => {
                    blocks.pop();
                    document.html(&std::mem::take(&mut html), range, blocks.is_empty());
                }
                Event::End(tag) if is_inline(tag) => {
                    line.images -= usize::from(tag == TagEnd::Image);
                    line.cover(range.end..range.end);
                }
                Event::End(_) => {
                    document.end(&mut line, &blocks);
                    blocks.pop();
                }
                Event::Html(part) => html += &part,
                Event::Text(_) if blocks.last() != Some(&Block::Code) => line.text(text, range),
                Event::SoftBreak => line.text(text, range),
                Event::Text(code) => {
                    document.code.push(code.into_string());
                    line.cover(range);
                }
                Event::Code(code) => {
                    document.code.push(code.into_string());
                    line.cover(range);
                }
                _ => line.cover(range),
            }
        }
        document
    }

    /// Takes a line over into the prose. In an item of a list, Claude Code also looks at the text as it is
    /// written, with the marks of its formats.
    fn end(&mut self, line: &mut Line, blocks: &[Block]) {
        let line = std::mem::take(line);
        let is_in_item = matches!(
            blocks,
            [.., Block::Item] | [.., Block::Item, Block::Paragraph]
        );
        let written = line.range.filter(|_| is_in_item);
        self.prose
            .extend(written.map(|range| self.text[range].to_owned()));
        self.prose.extend(line.pieces);
    }

    /// Takes a block of HTML.
    fn html(&mut self, html: &str, range: Range<usize>, is_outermost: bool) {
        if !is_comment(html) {
            self.code.push(html.to_owned());
            return;
        }
        let rest = uncommented(html);
        if !trim(&rest).is_empty() {
            self.prose.push(rest);
        }
        if is_outermost {
            let start = self.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
            let behind = &self.text[range.end..];
            let empty = behind.len() - behind.trim_start_matches('\n').len();
            self.comments.push(start..range.end + empty);
        }
    }

    /// Returns the text without the comments that are blocks. Returns `None` if there are none.
    fn uncommented(&self) -> Option<String> {
        let mut text = String::new();
        let mut at = 0;
        for range in &self.comments {
            text += &self.text[at..range.start];
            let rest = uncommented(&self.text[range.clone()]);
            if !trim(&rest).is_empty() {
                text += &rest;
            }
            at = range.end;
        }
        (at > 0).then(|| text + &self.text[at..])
    }

    /// Returns the imported paths, each once.
    fn imports(&self) -> Vec<String> {
        each_once(&self.prose, &[]).take(IMPORTS_MAX).collect()
    }

    /// Returns the paths in code and HTML that the text does not import elsewhere, each once.
    fn passed_over(&self) -> Vec<String> {
        let imports = each_once(&self.prose, &[]).collect::<Vec<_>>();
        let passed_over = each_once(&self.code, &imports);
        passed_over.take(PASSED_OVER_MAX).collect()
    }
}

/// Returns the paths in pieces of text, each once, without the known ones.
fn each_once<'p>(pieces: &'p [String], known: &[String]) -> impl Iterator<Item = String> + 'p {
    let mut known: HashSet<String> = known.iter().cloned().collect();
    let paths = pieces.iter().flat_map(|piece| paths(piece));
    paths.filter(move |path| known.insert(path.clone()))
}

impl Line {
    /// Adds a part that ends the piece of prose before it.
    fn cover(&mut self, range: Range<usize>) {
        let start = self.range.as_ref().map_or(range.start, |known| known.start);
        let end = self
            .range
            .as_ref()
            .map_or(range.end, |known| known.end.max(range.end));
        self.range = Some(start..end);
        self.open = None;
    }

    /// Adds text, or a line break in it. A character behind a backslash is no part of a piece.
    fn text(&mut self, whole: &str, range: Range<usize>) {
        let is_break = &whole[range.clone()] == "\n";
        let is_escaped = whole[..range.start].ends_with('\\') && self.open != Some(range.start);
        let is_joined = self
            .open
            .is_some_and(|end| end == range.start || is_break || whole[..end].ends_with('\n'));
        self.cover(range.clone());
        if self.images > 0 {
            return;
        }
        let mut text = &whole[range.clone()];
        if is_escaped {
            let mut rest = text.chars();
            rest.next();
            text = rest.as_str();
        }
        match self.pieces.last_mut().filter(|_| is_joined && !is_escaped) {
            Some(piece) => piece.push_str(text),
            None => self.pieces.push(text.to_owned()),
        }
        self.open = Some(range.end);
    }
}

/// Returns the block that a tag begins. Returns `None` for a format inside a line.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only a few of the parser's tags matter here"
)]
fn block(tag: &Tag<'_>) -> Option<Block> {
    match tag {
        Tag::Item => Some(Block::Item),
        Tag::Paragraph => Some(Block::Paragraph),
        Tag::HtmlBlock => Some(Block::Html),
        Tag::CodeBlock(_) => Some(Block::Code),
        tag if is_inline(tag.to_end()) => None,
        _ => Some(Block::Other),
    }
}

fn is_inline(tag: TagEnd) -> bool {
    matches!(
        tag,
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Link | TagEnd::Image
    )
}

/// Returns whether a block of HTML begins with a comment.
fn is_comment(html: &str) -> bool {
    html.trim_start_matches(is_blank).starts_with("<!--") && html.contains("-->")
}

/// Returns HTML without its comments.
fn uncommented(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, comment)) = rest.split_once("<!--") {
        let Some((_, behind)) = comment.split_once("-->") else {
            break;
        };
        text += before;
        rest = behind;
    }
    text + rest
}

/// Returns the imported paths of a piece of prose: each word that begins with `@` and looks like a path. A
/// backslash before a blank makes the blank a part of the word, and a `#` ends the path.
fn paths(prose: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = prose;
    let mut is_start = true;
    while let Some(at) = rest.find('@') {
        let is_word = match rest[..at].chars().next_back() {
            None => is_start,
            Some(before) => is_blank(before),
        };
        let word = &rest[at + 1..];
        is_start = false;
        if !is_word {
            rest = word;
            continue;
        }
        let length = word_length(word);
        rest = &word[length..];
        let path = word[..length].split('#').next().unwrap_or_default();
        let path = path.replace("\\ ", " ");
        if is_path(&path) {
            paths.push(path);
        }
    }
    paths
}

/// Returns the length of a word, in bytes.
fn word_length(text: &str) -> usize {
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if c == '\\' && characters.next_if(|(_, next)| *next == ' ').is_some() {
            continue;
        }
        if c == '\\' || is_blank(c) {
            return at;
        }
    }
    text.len()
}

fn is_path(path: &str) -> bool {
    let is_rooted = path.starts_with('/') && path != "/";
    let is_named = path.starts_with(|c: char| c.is_ascii_alphanumeric() || "._-".contains(c));
    is_rooted || path.starts_with("~/") || is_named
}

/// Returns the path that an import names, in Unicode's composed form, with the `.` and `..` in it. `directory` is
/// the one of the file that imports.
pub fn import_path(import: &str, directory: &Path, home: &Path) -> PathBuf {
    let import: String = trim(import).nfc().collect();
    match import.strip_prefix("~/") {
        Some(below) => home.join(below),
        None => directory.join(import),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(body: &str, expected: &str) {
        assert_eq!(Reading::of(body.as_bytes()).text, expected, "{body:?}");
    }

    #[test]
    fn comments_that_are_blocks_are_cut() {
        check_text("a\n<!-- x -->\n\nb\n", "a\nb\n");
        check_text("<!-- x --> rest\nb", " rest\nb");
        check_text("<!-- a --> 1\n<!-- b -->\n2", " 1\n2");
        check_text("<!-- a\n\nb -->\n\n\nc", "c");
        check_text("   <!-- x -->\nb", "b");
        check_text("a\r\n<!-- x -->\r\nb\rc", "a\nb\nc");
        check_text("<!-- a --><!-- b -->\nc", "c");
    }

    #[test]
    fn other_comments_stay() {
        for body in [
            "a <!-- x --> b",
            "- a\n  <!-- x -->\n",
            "> <!-- x -->\n",
            "```\n<!-- x -->\n```\n",
            "    <!-- x -->\n",
            "<!-- never closed\n\nb",
            "<div>\n<!-- x -->\n</div>\n",
            "a\r\nb\r\n",
        ] {
            check_text(body, body);
        }
    }

    #[test]
    fn frontmatter_is_cut() {
        check_text("---\ntitle: x\n---\n\n\n# A\n", "# A\n");
        check_text("\u{feff}---\ntitle: x\n---\nA", "A");
        check_text("---  \n\n---\nA", "A");
        check_text("---\nnever closed", "---\nnever closed");
        check_text("----\na\n---\nb", "----\na\n---\nb");
        check_text("\n---\na\n---\nb", "\n---\na\n---\nb");
        check_text("---\na: b --- c\n---\nd", "c\n---\nd");
    }

    fn check_globs(frontmatter: &str, expected: Option<&[&str]>) {
        let body = format!("---\n{frontmatter}\n---\nA");
        let globs = Reading::of(body.as_bytes()).globs;
        let globs = globs
            .as_ref()
            .map(|globs| globs.iter().map(String::as_str).collect());
        assert_eq!(globs, expected.map(<[_]>::to_vec), "{frontmatter}");
    }

    #[test]
    fn paths_are_globs() {
        check_globs("paths: src/**/*.ts", Some(&["src/**/*.ts"]));
        check_globs(
            "paths: a/**, b/*.{ts,tsx} ,",
            Some(&["a", "b/*.ts", "b/*.tsx"]),
        );
        check_globs(
            "paths:\n  - a.md\n  - \"{x,y}/{1,2}\"",
            Some(&["a.md", "x/1", "x/2", "y/1", "y/2"]),
        );
        check_globs("paths: \"**/*.rs\"", Some(&["**/*.rs"]));
        check_globs("paths: **/*.rs", Some(&["**/*.rs"]));
        check_globs("paths: {a,b}/*.py", Some(&["a/*.py", "b/*.py"]));
        check_globs("paths: **/*.rs\r", None);
        check_globs("paths:\n  - **/*.rs", None);
        check_globs("paths: \"**\"", None);
        check_globs("paths: []", None);
        check_globs("paths: 3", None);
        check_globs("globs: a", None);
        check_globs("paths: [\"**\", a]", Some(&["**", "a"]));
    }

    fn check_imports(body: &str, expected: &[&str]) {
        assert_eq!(Reading::of(body.as_bytes()).imports, expected, "{body:?}");
    }

    #[test]
    fn words_that_look_like_paths_are_imports() {
        check_imports(
            "@a.md and\n@./b @~/c @/d @../e",
            &["a.md", "./b", "~/c", "/d", "../e"],
        );
        check_imports(
            "@docs/a.md, @b.md#part @with\\ blank.md",
            &["docs/a.md,", "b.md", "with blank.md"],
        );
        check_imports("(@a) x@b.md @@c @/ @~ @#d @*e*", &[]);
        check_imports(
            "**@a.md** [@b.md](x) *@c* # @d\n## @e.md\n> @f.md",
            &["a.md", "b.md", "c", "d", "e.md", "f.md"],
        );
        check_imports("@a.md @a.md", &["a.md"]);
        check_imports("\\@a.md \\\\@b.md", &["b.md"]);
        check_imports("@a_b.md @c*d.md", &["a_b.md", "c*d.md"]);
    }

    #[test]
    fn code_and_html_import_nothing() {
        check_imports("`@a.md` ` @b.md ` @c.md", &["c.md"]);
        check_imports("```\n@a.md\n```\n\n    @b.md\n", &[]);
        check_imports(
            "<div>@a.md</div>\n\n<!-- @b.md -->\n\n<!-- x --> @c.md\n",
            &["c.md"],
        );
        check_imports("x <b>@a.md</b> ![@b.md](c)", &["a.md"]);
    }

    #[test]
    fn an_item_of_a_list_is_read_as_it_is_written() {
        check_imports("- see ` @a.md ` or\n  @b.md\n", &["a.md", "b.md"]);
        check_imports("- x `@a.md`\n", &[]);
        check_imports("- # ` @a.md `\n- > ` @b.md `\n", &[]);
    }

    #[test]
    fn imports_start_at_the_file() {
        let check = |import, expected: &str| {
            let target = import_path(import, Path::new("/w/docs"), Path::new("/home/u"));
            assert_eq!(target, Path::new(expected));
        };
        check("a.md", "/w/docs/a.md");
        check("../a.md", "/w/docs/../a.md");
        check("~/a.md", "/home/u/a.md");
        check("/etc/a.md", "/etc/a.md");
        check("e\u{301}.md", "/w/docs/\u{e9}.md");
    }

    #[test]
    fn what_stands_in_code_is_told_apart() {
        let check = |body: &str, imports: &[&str], passed_over: &[&str]| {
            let reading = Reading::of(body.as_bytes());
            assert_eq!(reading.imports, imports, "{body:?}");
            assert_eq!(reading.passed_over, passed_over, "{body:?}");
        };
        check("@a.md `@b.md` @b.md", &["a.md", "b.md"], &[]);
        check("`@a.md` and ` @b.md `, `x@c.md`", &[], &["a.md", "b.md"]);
        check(
            "```sh\n@a.md\ncat @b.md @a.md\n```\n",
            &[],
            &["a.md", "b.md"],
        );
        check("    @a.md\n", &[], &["a.md"]);
        check("<div>\n@a.md\n</div>\n", &[], &["a.md"]);
        check("<!-- @a.md -->\n", &[], &[]);
        check("- x ` @a.md `\n", &["a.md"], &[]);
        let many: String = (0..2_000).map(|n| format!("@p{n} `@c{n}` ")).collect();
        let reading = Reading::of(many.as_bytes());
        let counts = (reading.imports.len(), reading.passed_over.len());
        assert_eq!(counts, (IMPORTS_MAX, PASSED_OVER_MAX));
    }

    #[test]
    fn names_say_what_is_text() {
        for name in ["a.md", "README", "a.R", ".env"] {
            assert!(is_text(name), "{name}");
        }
        for name in ["a.png", "a.pdf", "a.md,", "a."] {
            assert!(!is_text(name), "{name}");
        }
    }
}
