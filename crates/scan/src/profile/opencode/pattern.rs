//! The patterns of opencode's configured instruction files, as it matches them.

use std::borrow::Cow;
use std::ffi::OsStr;

/// The greatest number of patterns that the braces of one pattern stand for.
const ALTERNATIVES_MAX: usize = 100;

/// How deep groups may lie in each other.
const GROUP_DEPTH_MAX: usize = 2;

/// How many groups of one name may say what is not there. Each is looked at for each character of a name.
const NEGATIONS_MAX: usize = 2;

/// One name of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// Exactly this name, or `..`.
    Name(String),
    /// A name that has this form.
    Form(Vec<Part>),
    /// Any number of directories.
    Any,
}

/// A part of the form of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Char(char),
    /// Any one character.
    One,
    /// Any number of characters.
    Many,
    /// One character of these ranges, or one of none of them.
    Of {
        ranges: Vec<(char, char)>,
        is_none: bool,
    },
    /// One of these forms, or several in a row.
    Group {
        choices: Vec<Vec<Part>>,
        may_be_missing: bool,
        may_repeat: bool,
    },
    /// Any number of characters, but none of these forms with the rest of the name behind it.
    Not(Vec<Vec<Part>>),
}

/// Reads a relative pattern: each list is one of its alternatives. Returns `None` if it has a form that is not
/// followed.
pub(super) fn read(pattern: &str) -> Option<Vec<Vec<Segment>>> {
    if ["[:", "[.", "[="].iter().any(|form| pattern.contains(form)) {
        return None;
    }
    // Only a directory has such a name.
    let alternatives = alternatives(pattern)?.into_iter();
    let alternatives = alternatives.filter(|pattern| !pattern.ends_with('/'));
    alternatives.map(|pattern| segments(&pattern)).collect()
}

/// Returns the patterns that the braces stand for. Returns `None` if there are too many.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let mut done = Vec::new();
    let mut waiting = vec![pattern.to_owned()];
    while let Some(pattern) = waiting.pop() {
        if done.len() + waiting.len() >= ALTERNATIVES_MAX {
            return None;
        }
        match braces(&pattern) {
            None => done.push(pattern),
            Some((begin, choices, end)) => {
                let choices = choices.iter().rev();
                waiting.extend(choices.map(|choice| format!("{begin}{choice}{end}")));
            }
        }
    }
    Some(done)
}

/// Splits a pattern at its first braces with a comma or a range: what stands before, the choices, and what stands behind.
fn braces(pattern: &str) -> Option<(&str, Vec<Cow<'_, str>>, &str)> {
    let opens = pattern.match_indices('{').map(|(at, _)| at);
    let mut opens = opens.filter(|open| !pattern[..*open].ends_with('$'));
    opens.find_map(|open| {
        let (mut depth, mut from) = (0_usize, open + 1);
        let mut choices = Vec::new();
        for (at, c) in pattern[open..].char_indices().map(|(at, c)| (open + at, c)) {
            match c {
                '{' => depth += 1,
                '}' if depth == 1 => {
                    let behind = &pattern[at + 1..];
                    choices.push(Cow::Borrowed(&pattern[from..at]));
                    let choices = match choices.len() {
                        1 => range(&pattern[from..at])?.map(Cow::Owned).collect(),
                        _ => choices,
                    };
                    return Some((&pattern[..open], choices, behind));
                }
                '}' => depth -= 1,
                ',' if depth == 1 => {
                    choices.push(Cow::Borrowed(&pattern[from..at]));
                    from = at + 1;
                }
                _ => {}
            }
        }
        None
    })
}

/// Returns what a range such as `1..3` or `a..e..2` stands for, at most one more than there may be alternatives.
fn range(text: &str) -> Option<impl Iterator<Item = String>> {
    let mut parts = text.split("..");
    let (first, last, step) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let letter = |text: &str| {
        let mut chars = text.chars();
        let letter = chars.next().filter(char::is_ascii_alphabetic)?;
        chars
            .next()
            .is_none()
            .then_some(i64::from(u32::from(letter)))
    };
    let numbers = number(first).zip(number(last));
    let is_numeric = numbers.is_some();
    let (from, to) = numbers.or_else(|| letter(first).zip(letter(last)))?;
    let step = step.map_or(Some(1), number)?.abs().max(1);
    // A zero at the beginning of one of them fills up all of them.
    let is_padded = |text: &str| {
        let digits = text.trim_start_matches('-');
        digits.len() > 1 && digits.starts_with('0')
    };
    let width = match is_padded(first) || is_padded(last) {
        true => first.len().max(last.len()),
        false => 0,
    };
    let count = usize::try_from((to - from).abs() / step).unwrap_or(usize::MAX);
    let step = if to < from { -step } else { step };
    let values = (0_i64..).map(move |index| from + index * step);
    let values = values.take(count.saturating_add(1).min(ALTERNATIVES_MAX + 1));
    Some(values.map(move |value| {
        match is_numeric {
            true => format!("{value:0width$}"),
            false => u32::try_from(value)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or_default()
                .to_string(),
        }
    }))
}

fn number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // No range of a million files is meant.
    (is_number && digits.len() <= 6).then(|| text.parse().ok())?
}

fn segments(pattern: &str) -> Option<Vec<Segment>> {
    let names = pattern.split('/').filter(|name| !matches!(*name, "" | "."));
    let mut segments: Vec<Segment> = Vec::new();
    let up = Segment::Name("..".to_owned());
    for segment in names.map(segment) {
        let segment = segment?;
        // A name before `..` counts for nothing, even if it is no directory.
        let is_undone = segment == up && !matches!(segments.last(), None | Some(Segment::Any));
        match is_undone && segments.last() != Some(&up) {
            true => _ = segments.pop(),
            false => segments.push(segment),
        }
    }
    segments.dedup_by(|a, b| *a == Segment::Any && *b == Segment::Any);
    if segments.last() == Some(&Segment::Any) {
        segments.push(Segment::Form(vec![Part::Many]));
    }
    Some(segments)
}

fn segment(name: &str) -> Option<Segment> {
    if name == "**" {
        return Some(Segment::Any);
    }
    let mut forms = Forms {
        rest: name,
        negations_left: NEGATIONS_MAX,
    };
    let parts = forms.parts(0)?;
    let chars = parts.iter().map(|part| match part {
        Part::Char(c) => Some(*c),
        _ => None,
    });
    Some(match chars.collect::<Option<String>>() {
        Some(name) => Segment::Name(name),
        None => Segment::Form(parts),
    })
}

/// Reads the form of a name.
struct Forms<'p> {
    rest: &'p str,
    negations_left: usize,
}

impl Forms<'_> {
    /// Reads the parts up to the end of the name, or up to the end of a choice in a group. Returns `None` if the form is
    /// not followed.
    fn parts(&mut self, depth: usize) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        while let Some(c) = self.rest.chars().next() {
            if depth > 0 && matches!(c, '|' | ')') {
                break;
            }
            self.rest = &self.rest[c.len_utf8()..];
            let inner = self.rest.strip_prefix('(');
            let part = match c {
                '?' | '*' | '+' | '@' | '!' if inner.is_some() => {
                    self.rest = inner.unwrap_or_default();
                    self.group(c, depth + 1)?
                }
                '?' => Part::One,
                '*' => Part::Many,
                '\\' => match self.rest.chars().next() {
                    Some(next) => {
                        self.rest = &self.rest[next.len_utf8()..];
                        Part::Char(next)
                    }
                    None => Part::Char(c),
                },
                '[' => match set(self.rest) {
                    Some((set, behind)) => {
                        self.rest = behind;
                        set
                    }
                    None => Part::Char(c),
                },
                _ => Part::Char(c),
            };
            if part != Part::Many || parts.last() != Some(&Part::Many) {
                parts.push(part);
            }
        }
        Some(parts)
    }

    /// Reads a group behind its `(`. One that never ends, or has nothing in it, is not followed.
    fn group(&mut self, kind: char, depth: usize) -> Option<Part> {
        if depth > GROUP_DEPTH_MAX {
            return None;
        }
        let mut choices = Vec::new();
        loop {
            choices.push(self.parts(depth)?);
            let end = self.rest.chars().next()?;
            self.rest = &self.rest[end.len_utf8()..];
            if end == ')' {
                break;
            }
        }
        if choices.iter().all(Vec::is_empty) {
            return None;
        }
        if kind == '!' {
            self.negations_left = self.negations_left.checked_sub(1)?;
            // Within another group, what stands behind that one belongs to it too.
            return (depth == 1).then_some(Part::Not(choices));
        }
        Some(Part::Group {
            choices,
            may_be_missing: matches!(kind, '?' | '*'),
            may_repeat: matches!(kind, '+' | '*'),
        })
    }
}

/// Reads a set of characters, behind its `[`. Returns it with the text behind its `]`.
fn set(text: &str) -> Option<(Part, &str)> {
    let inner = text.strip_prefix(['!', '^']);
    let is_none = inner.is_some();
    let inner = inner.unwrap_or(text);
    // A `]` at the beginning is one of the characters.
    let end = inner.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
    let chars: Vec<char> = inner[..end].chars().collect();
    let (mut ranges, mut at) = (Vec::new(), 0);
    while let Some(first) = chars.get(at) {
        match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(last)) => {
                ranges.push((*first, *last));
                at += 3;
            }
            _ => {
                ranges.push((*first, *first));
                at += 1;
            }
        }
    }
    Some((Part::Of { ranges, is_none }, &inner[end + 1..]))
}

/// Returns whether a name has a form. `sees_hidden` says whether a form can stand for the dot at the beginning of
/// a name.
pub(super) fn matches(form: &[Part], name: &OsStr, sees_hidden: bool) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let name: Vec<char> = name.chars().collect();
    let hides_dot = !sees_hidden && name.first() == Some(&'.');
    Matching { name, hides_dot }.is_rest(form, 0, true)
}

/// A name that is compared with a form.
struct Matching {
    name: Vec<char>,
    /// Whether only a dot of the form stands for the one at the beginning of the name.
    hides_dot: bool,
}

impl Matching {
    /// Returns whether the name from a character on has a form. `is_first` says whether the form begins the whole one.
    fn is_rest(&self, form: &[Part], from: usize, is_first: bool) -> bool {
        let mut begins = vec![false; self.name.len() + 1];
        begins[from] = true;
        self.ends(form, begins, is_first).last() == Some(&true)
    }

    /// Returns at which characters what has a form can end, if it begins at one of `places`.
    fn ends(&self, form: &[Part], mut places: Vec<bool>, is_first: bool) -> Vec<bool> {
        for (index, part) in form.iter().enumerate() {
            let is_first = is_first && index == 0;
            places = match part {
                Part::Group {
                    choices,
                    may_be_missing,
                    may_repeat,
                } => {
                    let mut ends = self.choices(choices, &places, is_first);
                    let mut more = ends.clone();
                    while *may_repeat && more.contains(&true) {
                        let further = self.choices(choices, &more, false);
                        let is_new = |index: usize| further[index] && !ends[index];
                        more = (0..ends.len()).map(is_new).collect();
                        ends = either(&ends, &more);
                    }
                    match may_be_missing {
                        true => either(&ends, &places),
                        false => ends,
                    }
                }
                _ if is_first && self.hides_dot && !matches!(part, Part::Char(_)) => {
                    vec![false; places.len()]
                }
                Part::Many => from_first(&places),
                Part::Not(choices) => {
                    let rest = &form[index + 1..];
                    let has_choice = |from: usize| {
                        let mut forms = choices.iter().map(|choice| [choice, rest].concat());
                        forms.any(|form| self.is_rest(&form, from, false))
                    };
                    let begins = places.iter().enumerate();
                    let begins = begins.map(|(from, is_there)| *is_there && !has_choice(from));
                    from_first(&begins.collect::<Vec<_>>())
                }
                one => {
                    let is_next = |index: usize| places[index] && is_one(one, self.name[index]);
                    let ends = (0..self.name.len()).map(is_next);
                    std::iter::once(false).chain(ends).collect()
                }
            };
        }
        places
    }

    /// Returns at which characters one of several forms can end.
    fn choices(&self, choices: &[Vec<Part>], places: &[bool], is_first: bool) -> Vec<bool> {
        let ends = choices.iter();
        let ends = ends.map(|choice| self.ends(choice, places.to_vec(), is_first));
        ends.fold(vec![false; places.len()], |all, ends| either(&all, &ends))
    }
}

/// Returns the places of both.
fn either(one: &[bool], other: &[bool]) -> Vec<bool> {
    one.iter()
        .zip(other)
        .map(|(one, other)| *one || *other)
        .collect()
}

/// Returns all places from the first one on.
fn from_first(places: &[bool]) -> Vec<bool> {
    let first = places.iter().position(|is_there| *is_there);
    let places = 0..places.len();
    places
        .map(|place| first.is_some_and(|first| place >= first))
        .collect()
}

fn is_one(part: &Part, c: char) -> bool {
    match part {
        Part::Char(expected) => *expected == c,
        Part::One | Part::Many => true,
        Part::Of { ranges, is_none } => {
            let mut ranges = ranges.iter();
            ranges.any(|(first, last)| (*first..=*last).contains(&c)) != *is_none
        }
        Part::Group { .. } | Part::Not(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let Some(Segment::Form(form)) = segment(pattern) else {
            panic!("{pattern} is no form");
        };
        for name in matching {
            assert!(matches(&form, OsStr::new(name), true), "{pattern} {name}");
        }
        for name in other {
            assert!(!matches(&form, OsStr::new(name), true), "{pattern} {name}");
        }
    }

    #[test]
    fn a_form_matches_names() {
        check("*.md", &["a.md", ".md", "a.b.md"], &["a.txt", "md"]);
        check("a*b*c", &["abc", "aXbXbc"], &["ab", "abcd"]);
        check("?.md", &["é.md"], &["ab.md", ".md"]);
        check("[a-c!].md", &["b.md", "!.md"], &["d.md"]);
        check("[!a-c].md", &["d.md"], &["a.md"]);
        check("[]]x*", &["]xy"], &["x"]);
        check("\\*?", &["*a"], &["ba"]);
        check("*[x", &["a[x"], &["ax"]);
    }

    #[test]
    fn a_form_has_groups() {
        // Each was seen with the matcher of opencode 1.18.33.
        check("@(ab|b).md", &["ab.md", "b.md"], &["a.md", "abb.md", ".md"]);
        check("+(a|b).md", &["a.md", "abba.md"], &[".md", "abc.md"]);
        check("*(a|b).md", &[".md", "ba.md"], &["c.md"]);
        check("?(a)b.md", &["ab.md", "b.md"], &["aab.md", "a.md"]);
        check("!(a*).md", &["b.md", ".hid.md", ".md"], &["a.md", "ab.md"]);
        check("!(a1|b).md", &["ab.md", "a1.b.md"], &["a1.md", "b.md"]);
        check("!(a1).!(b).md", &[".hid.md", "a.c.md"], &["a1.md", "x.md"]);
        check("!(a)*", &["b.md", "ba"], &["a", "a.md"]);
        check("x!(x).md", &["x.md", "xy.md"], &["xx.md", "y.md"]);
        check("*!(d).md", &["d.md", "a.md"], &["d.txt"]);
        check("a?(1|.b).md", &["a.md", "a1.md", "a.b.md"], &["ab.md"]);
        check("@(a@(1|2)|b).md", &["a1.md", "b.md"], &["a.md"]);
        check("@([ab]|x)*.md", &["a.b.md", "xx.md"], &["c.md"]);
        check("!(@(a)*).md", &["b.md"], &["ab.md"]);
        check("+([a-z]).md", &["lib.md"], &["b10.md"]);
        check("a+b.md*", &["a+b.md"], &["aab.md"]);
        check("@\\(q)?md", &["@(q).md"], &["q.md"]);
        check("*(x|a+(b))", &["x", "abbxab", ""], &["a", "axb"]);
    }

    #[test]
    fn a_group_sees_a_hidden_name_only_where_it_may() {
        for (pattern, name, expected) in [
            ("@(.a|x).md", ".a.md", true),
            ("*(.a|*).md", ".b.md", false),
            ("+(?|b).md", ".b.md", false),
            ("!(a).md", ".b.md", false),
            ("@(|.a).md", ".a.md", true),
        ] {
            let Some(Segment::Form(form)) = segment(pattern) else {
                panic!("{pattern} is no form");
            };
            assert_eq!(
                matches(&form, OsStr::new(name), false),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_form_takes_time_for_the_length_of_a_name() {
        let name = "a".repeat(255);
        for pattern in ["*a*a*a*a*a*a*a*a*b", "*(*(a|aa)|a*)b", "!(*a*a*b)!(*a*b)*b"] {
            check(pattern, &[&format!("{name}b")], &[&name]);
        }
    }

    #[test]
    fn a_form_sees_a_hidden_name_only_where_it_may() {
        let Some(Segment::Form(form)) = segment("*.md") else {
            panic!();
        };
        assert!(!matches(&form, OsStr::new(".a.md"), false));
        let Some(Segment::Form(form)) = segment(".*.md") else {
            panic!();
        };
        assert!(matches(&form, OsStr::new(".a.md"), false));
    }

    #[test]
    fn a_pattern_is_a_list_of_names_for_each_alternative() {
        let names = |pattern: &str| -> Vec<String> {
            let alternatives = read(pattern).unwrap().into_iter();
            let shown = alternatives.map(|segments| {
                let shown = segments.iter().map(|segment| match segment {
                    Segment::Name(name) => name.clone(),
                    Segment::Form(_) => "form".to_owned(),
                    Segment::Any => "**".to_owned(),
                });
                shown.collect::<Vec<_>>().join("/")
            });
            shown.collect()
        };
        assert_eq!(
            names("./docs//{a,b{1,2}}.md"),
            ["docs/a.md", "docs/b1.md", "docs/b2.md"]
        );
        assert_eq!(names("../{a}/**/**"), ["../{a}/**/form"]);
        assert_eq!(names("a**b/{c"), ["form/{c"]);
        assert_eq!(names("../a/*/../b/../../c"), ["../c"]);
        assert_eq!(names("{1..3}.md"), ["1.md", "2.md", "3.md"]);
        assert_eq!(names("{c..a..2}{x}"), ["c{x}", "a{x}"]);
        assert_eq!(names("a{08..10..2}"), ["a08", "a10"]);
        assert_eq!(names("{1..2,b}"), ["1..2", "b"]);
        assert_eq!(names("${a,b}"), ["${a,b}"]);
        assert_eq!(names("@(a|{b,c})/x"), ["form/x", "form/x"]);
        assert_eq!(names("!docs/a.md"), ["!docs/a.md"]);
        assert_eq!(names("docs/a.md/"), [""; 0]);
        for unfollowed in [
            "[[:alpha:]].md",
            "@(a|b",
            "@(a/b)",
            "@().md",
            "@(!(a)).md",
            "@(a@(b@(c)))",
        ] {
            assert_eq!(read(unfollowed), None, "{unfollowed}");
        }
        assert_eq!(read("{1..1000}"), None);
        assert_eq!(read(&"{a,b}".repeat(8)), None);
    }
}
