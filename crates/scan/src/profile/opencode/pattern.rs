//! The patterns of opencode's configured instruction files, as it matches them.

use std::ffi::OsStr;

/// The greatest number of patterns that the braces of one pattern stand for.
const ALTERNATIVES_MAX: usize = 100;

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
}

/// Reads a relative pattern: each list is one of its alternatives. Returns `None` if it has a form that is not
/// followed.
pub(super) fn read(pattern: &str) -> Option<Vec<Vec<Segment>>> {
    let is_extended = ["?(", "*(", "+(", "@(", "!(", "[:", "[.", "[="]
        .iter()
        .any(|form| pattern.contains(form));
    if is_extended || has_range(pattern) {
        return None;
    }
    let alternatives = alternatives(pattern)?;
    Some(
        alternatives
            .iter()
            .map(|pattern| segments(pattern))
            .collect(),
    )
}

/// Returns whether braces stand for a range, such as `{1..3}`.
fn has_range(pattern: &str) -> bool {
    let mut inner = pattern.split('{').skip(1);
    inner.any(|rest| {
        let inner = rest.split('}').next().unwrap_or_default();
        inner.contains("..") && !inner.contains([',', '/'])
    })
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

/// Splits a pattern at its first braces with a comma: what stands before, the choices, and what stands behind.
fn braces(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let opens = pattern.match_indices('{').map(|(at, _)| at);
    opens.into_iter().find_map(|open| {
        let (mut depth, mut from) = (0_usize, open + 1);
        let mut choices = Vec::new();
        for (at, c) in pattern[open..].char_indices().map(|(at, c)| (open + at, c)) {
            match c {
                '{' => depth += 1,
                '}' if depth == 1 => {
                    choices.push(&pattern[from..at]);
                    let is_choice = choices.len() > 1;
                    return is_choice.then(|| (&pattern[..open], choices, &pattern[at + 1..]));
                }
                '}' => depth -= 1,
                ',' if depth == 1 => {
                    choices.push(&pattern[from..at]);
                    from = at + 1;
                }
                _ => {}
            }
        }
        None
    })
}

fn segments(pattern: &str) -> Vec<Segment> {
    let names = pattern.split('/').filter(|name| !matches!(*name, "" | "."));
    let mut segments: Vec<Segment> = Vec::new();
    let up = Segment::Name("..".to_owned());
    for segment in names.map(segment) {
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
    segments
}

fn segment(name: &str) -> Segment {
    if name == "**" {
        return Segment::Any;
    }
    let parts = parts(name);
    let chars = parts.iter().map(|part| match part {
        Part::Char(c) => Some(*c),
        _ => None,
    });
    match chars.collect::<Option<String>>() {
        Some(name) => Segment::Name(name),
        None => Segment::Form(parts),
    }
}

fn parts(name: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let part = match c {
            '?' => Part::One,
            '*' => Part::Many,
            '\\' => match rest.chars().next() {
                Some(next) => {
                    rest = &rest[next.len_utf8()..];
                    Part::Char(next)
                }
                None => Part::Char(c),
            },
            '[' => match set(rest) {
                Some((set, behind)) => {
                    rest = behind;
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
    parts
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
    let is_hidden = name.starts_with('.') && form.first() != Some(&Part::Char('.'));
    if is_hidden && !sees_hidden {
        return false;
    }
    let name: Vec<char> = name.chars().collect();
    let (mut part, mut at) = (0, 0);
    // Where to go on if the form does not match: behind the last `*`, one character later.
    let mut retry = None;
    loop {
        match (form.get(part), name.get(at)) {
            (None, None) => return true,
            (Some(Part::Many), _) => {
                retry = Some((part + 1, at + 1));
                part += 1;
                continue;
            }
            (Some(one), Some(c)) if is_one(one, *c) => {
                (part, at) = (part + 1, at + 1);
                continue;
            }
            _ => {}
        }
        match retry {
            Some((behind, later)) if later <= name.len() => {
                (part, at) = (behind, later);
                retry = Some((behind, later + 1));
            }
            _ => return false,
        }
    }
}

fn is_one(part: &Part, c: char) -> bool {
    match part {
        Part::Char(expected) => *expected == c,
        Part::One | Part::Many => true,
        Part::Of { ranges, is_none } => {
            let mut ranges = ranges.iter();
            ranges.any(|(first, last)| (*first..=*last).contains(&c)) != *is_none
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let Segment::Form(form) = segment(pattern) else {
            panic!("{pattern} is a name");
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
    fn a_form_sees_a_hidden_name_only_where_it_may() {
        let Segment::Form(form) = segment("*.md") else {
            panic!();
        };
        assert!(!matches(&form, OsStr::new(".a.md"), false));
        let Segment::Form(form) = segment(".*.md") else {
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
        assert_eq!(read("{1..3}.md"), None);
        assert_eq!(read("@(a|b).md"), None);
        assert_eq!(read(&"{a,b}".repeat(8)), None);
    }
}
