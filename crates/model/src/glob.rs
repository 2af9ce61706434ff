//! Globs as two tools match them: patterns of whole paths, and rules as in a `.gitignore`.
//!
//! `*` and `?` match within a name, `**` matches any number of names, `[...]` one of a set of characters, and `\`
//! takes the next character as it is. Matching takes time in the product of the lengths of pattern and path.

/// The greatest number of patterns that the braces of one pattern stand for. More stay as they are written.
const ALTERNATIVES_MAX: usize = 1_000;

/// Patterns of whole paths, of which one must match. Braces stand for each of their alternatives.
#[derive(Debug, Clone, Default)]
pub struct PathGlobs {
    patterns: Vec<(bool, Pattern)>,
}

impl PathGlobs {
    /// Reads patterns. One that begins with `!` matches every path that the rest of it does not match.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Self {
        let patterns = patterns.into_iter().flat_map(|pattern| {
            let (is_negative, pattern) = match pattern.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, pattern),
            };
            let alternatives = alternatives(pattern).into_iter();
            alternatives.map(move |pattern| (is_negative, Pattern::new(&pattern, false)))
        });
        Self {
            patterns: patterns.collect(),
        }
    }

    /// Returns whether one of the patterns matches a path.
    pub fn matches(&self, path: &str) -> bool {
        let names = Names::of(path.split('/'), false);
        let mut patterns = self.patterns.iter();
        patterns.any(|(is_negative, pattern)| {
            let is_match = pattern.reached(&names).last() == Some(&true);
            is_match != *is_negative
        })
    }
}

/// Rules as in a `.gitignore`. The last rule that matches counts.
#[derive(Debug, Clone, Default)]
pub struct IgnoreRules {
    rules: Vec<Rule>,
    is_folded: bool,
}

#[derive(Debug, Clone)]
struct Rule {
    is_negative: bool,
    /// Whether only directories match.
    is_directory: bool,
    pattern: Pattern,
}

impl IgnoreRules {
    /// Reads rules, one a line, in which upper and lower case are equal, as in the globs of tools.
    pub fn new<'p>(lines: impl IntoIterator<Item = &'p str>) -> Self {
        Self::read(lines, true)
    }

    /// Reads the rules of a `.gitignore`.
    pub fn of_git<'p>(lines: impl IntoIterator<Item = &'p str>) -> Self {
        Self::read(lines, false)
    }

    fn read<'p>(lines: impl IntoIterator<Item = &'p str>, is_folded: bool) -> Self {
        let rules = lines.into_iter();
        let rules = rules.filter_map(|line| Rule::new(line, is_folded));
        Self {
            rules: rules.collect(),
            is_folded,
        }
    }

    /// Returns whether the rules match the relative path of a file, or a directory on the way to it.
    pub fn matches(&self, path: &str) -> bool {
        self.match_path(path, false)
    }

    /// Returns whether the rules match the relative path of a directory, or one on the way to it.
    pub fn matches_directory(&self, path: &str) -> bool {
        self.match_path(path, true)
    }

    fn match_path(&self, path: &str, is_directory: bool) -> bool {
        let names = path.split('/').filter(|name| !name.is_empty());
        let names = Names::of(names, self.is_folded);
        let length = names.0.len();
        // What the last rule says that matches the first `n` names, for each `n`.
        let mut verdicts: Vec<Option<bool>> = vec![None; length + 1];
        for rule in self.rules.iter().rev() {
            if verdicts[1..].iter().all(Option::is_some) {
                break;
            }
            let reached = rule.pattern.reached(&names);
            for count in 1..=length {
                let is_directory = is_directory || count < length;
                if reached[count] && (is_directory || !rule.is_directory) {
                    verdicts[count].get_or_insert(!rule.is_negative);
                }
            }
        }
        verdicts[1..].contains(&Some(true))
    }
}

impl Rule {
    /// Reads a line. Returns `None` for a comment and for a line without a pattern.
    fn new(line: &str, is_folded: bool) -> Option<Self> {
        let kept = line.trim_end_matches([' ', '\t']);
        let line = match kept.ends_with('\\') && kept.len() < line.len() {
            true => &line[..=kept.len()],
            false => kept,
        };
        if line.starts_with('#') {
            return None;
        }
        let (is_negative, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (is_directory, pattern) = match line.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        if pattern.is_empty() {
            return None;
        }
        let is_anchored = pattern.contains('/');
        // To Claude Code, what is below the directories of a directory is below that one.
        let mut pattern = pattern;
        while let Some(rest) = pattern
            .strip_suffix("/**")
            .filter(|_| is_directory && is_folded)
            && !rest.is_empty()
        {
            pattern = rest;
        }
        let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
        let mut pattern = Pattern::new(pattern, is_folded);
        // To Claude Code, several of them at the beginning are at least one directory.
        let parts = &mut pattern.parts;
        let is_name = |part: &Part| matches!(part, Part::Name(_));
        if let Some(2..) = parts.iter().position(is_name).filter(|_| is_folded) {
            parts[0] = Part::Name(vec![Token::Star]);
        }
        if !is_anchored {
            pattern.parts.insert(0, Part::AnyDepth);
        }
        Some(Self {
            is_negative,
            is_directory,
            pattern,
        })
    }
}

/// A pattern, split at each `/`.
#[derive(Debug, Clone)]
struct Pattern {
    parts: Vec<Part>,
    /// Whether upper and lower case are equal.
    is_folded: bool,
}

#[derive(Debug, Clone)]
enum Part {
    /// Any number of names.
    AnyDepth,
    Name(Vec<Token>),
}

#[derive(Debug, Clone)]
enum Token {
    Character(char),
    Any,
    Star,
    Set {
        is_negative: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Pattern {
    fn new(pattern: &str, is_folded: bool) -> Self {
        let pattern = match is_folded {
            true => pattern.to_lowercase(),
            false => pattern.to_owned(),
        };
        let parts = pattern.split('/').map(|part| match part {
            "**" => Part::AnyDepth,
            part => Part::Name(tokens(part, is_folded)),
        });
        Self {
            parts: parts.collect(),
            is_folded,
        }
    }

    /// Returns whether the pattern matches the first `n` names, for each `n` from 0 on.
    fn reached(&self, names: &Names) -> Vec<bool> {
        let names = &names.0;
        // The same of the parts so far.
        let mut reached = vec![false; names.len() + 1];
        reached[0] = true;
        for (index, part) in self.parts.iter().enumerate() {
            let mut next = vec![false; names.len() + 1];
            match part {
                Part::AnyDepth => {
                    // At the end of a pattern it stands for what is below a directory.
                    let is_last = index + 1 == self.parts.len();
                    let first = reached.iter().position(|reached| *reached);
                    let first = first
                        .map(|first| first + usize::from(self.is_folded && is_last && index > 0));
                    if let Some(rest) = first.and_then(|first| next.get_mut(first..)) {
                        rest.fill(true);
                    }
                }
                Part::Name(tokens) => {
                    for (before, name) in names.iter().enumerate() {
                        next[before + 1] = reached[before] && matches_name(tokens, name);
                    }
                }
            }
            reached = next;
        }
        reached
    }
}

fn matches_name(tokens: &[Token], name: &[char]) -> bool {
    // A name that is a star alone is not empty.
    if name.is_empty() && tokens.iter().any(|token| matches!(token, Token::Star)) {
        return false;
    }
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for token in tokens {
        let mut next = vec![false; name.len() + 1];
        if matches!(token, Token::Star) {
            let first = reached.iter().position(|reached| *reached);
            if let Some(rest) = first.and_then(|first| next.get_mut(first..)) {
                rest.fill(true);
            }
        } else {
            for (before, c) in name.iter().enumerate() {
                next[before + 1] = reached[before] && token.matches(*c);
            }
        }
        reached = next;
    }
    reached[name.len()]
}

/// The names of a path, which all patterns share.
struct Names(Vec<Vec<char>>);

impl Names {
    /// Reads names, in lower case if `is_folded`.
    fn of<'p>(names: impl Iterator<Item = &'p str>, is_folded: bool) -> Self {
        let names = names.map(|name| match is_folded {
            true => name.to_lowercase().chars().collect(),
            false => name.chars().collect(),
        });
        Self(names.collect())
    }
}

impl Token {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Character(own) => *own == c,
            Self::Any | Self::Star => true,
            Self::Set {
                is_negative,
                ranges,
            } => {
                let mut ranges = ranges.iter();
                ranges.any(|(first, last)| (*first..=*last).contains(&c)) != *is_negative
            }
        }
    }
}

/// Returns the tokens of a part of a pattern.
fn tokens(part: &str, is_folded: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = part.chars();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' => Token::Star,
            '?' => Token::Any,
            '\\' => Token::Character(rest.next().unwrap_or('\\')),
            '[' => match set(rest.as_str(), is_folded) {
                Some((set, length)) => {
                    rest = rest.as_str()[length..].chars();
                    set
                }
                None => Token::Character('['),
            },
            c => Token::Character(c),
        });
    }
    tokens
}

/// Returns the set of characters behind a `[`, and its length with the `]`. In Claude Code's rules, no set is negative, and
/// one may be empty.
fn set(text: &str, is_folded: bool) -> Option<(Token, usize)> {
    let is_negative = !is_folded && text.starts_with(['!', '^']);
    let mut characters = text.char_indices().skip(usize::from(is_negative));
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut is_range = false;
    while let Some((at, c)) = characters.next() {
        if c == ']' && (is_folded || !ranges.is_empty()) {
            if is_range {
                ranges.push(('-', '-'));
            }
            let set = Token::Set {
                is_negative,
                ranges,
            };
            return Some((set, at + 1));
        }
        let c = match c {
            '\\' => characters.next()?.1,
            '-' if !is_range && !ranges.is_empty() => {
                is_range = true;
                continue;
            }
            c => c,
        };
        match ranges.last_mut().filter(|_| is_range) {
            Some(range) => range.1 = c,
            None => ranges.push((c, c)),
        }
        is_range = false;
    }
    None
}

/// Returns a pattern with its braces replaced by each of their alternatives.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![pattern.to_owned()];
    while let Some(next) = waiting.pop() {
        let Some((before, inside, after)) = innermost(&next) else {
            found.push(next);
            continue;
        };
        let inside: Vec<_> = inside.split(',').collect();
        if inside.len() + found.len() + waiting.len() > ALTERNATIVES_MAX {
            return vec![pattern.to_owned()];
        }
        waiting.extend(
            inside
                .iter()
                .map(|inside| format!("{before}{inside}{after}")),
        );
    }
    found
}

/// Splits a pattern at its first pair of braces that has alternatives and no braces in it.
fn innermost(pattern: &str) -> Option<(&str, &str, &str)> {
    let closings = pattern.match_indices('}');
    closings.into_iter().find_map(|(close, _)| {
        let open = pattern[..close].rfind('{')?;
        let inside = &pattern[open + 1..close];
        inside
            .contains(',')
            .then(|| (&pattern[..open], inside, &pattern[close + 1..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_path(pattern: &str, yes: &[&str], no: &[&str]) {
        let globs = PathGlobs::new([pattern]);
        for path in yes {
            assert!(globs.matches(path), "{pattern} {path}");
        }
        for path in no {
            assert!(!globs.matches(path), "{pattern} {path}");
        }
    }

    #[test]
    fn patterns_match_whole_paths() {
        check_path("**", &["/a/b", "a"], &[]);
        check_path(
            "**/CLAUDE.md",
            &["/w/CLAUDE.md", "CLAUDE.md"],
            &["/w/CLAUDE.md/x"],
        );
        check_path(
            "/w/*/A.md",
            &["/w/x/A.md", "/w/.x/A.md"],
            &["/w/A.md", "/w/x/y/A.md"],
        );
        check_path("/w/**", &["/w/a", "/w/a/b", "/w"], &["/wa"]);
        check_path("/w/**/A.md", &["/w/A.md", "/w/x/y/A.md"], &["/w/x"]);
        check_path("CLAUDE.md", &["CLAUDE.md"], &["/w/CLAUDE.md"]);
        check_path("**/{a,b{1,2}}.md", &["/a.md", "/x/b2.md"], &["/b.md"]);
        check_path("**/[a-c]?.md", &["/ax.md"], &["/dx.md", "/a.md"]);
        check_path("**/[!a].md", &["/b.md"], &["/a.md"]);
        check_path("!**/a.md", &["/b.md"], &["/a.md"]);
        check_path("/w/a\\*", &["/w/a*"], &["/w/ab"]);
        check_path("/w/x{", &["/w/x{"], &["/w/x"]);
    }

    fn check_rules(rules: &[&str], yes: &[&str], no: &[&str]) {
        let matcher = IgnoreRules::new(rules.iter().copied());
        for path in yes {
            assert!(matcher.matches(path), "{rules:?} {path}");
        }
        for path in no {
            assert!(!matcher.matches(path), "{rules:?} {path}");
        }
    }

    #[test]
    fn rules_match_a_path_or_a_directory_above_it() {
        check_rules(
            &["src"],
            &["src", "src/a.ts", "lib/src/a.ts", "SRC/a"],
            &["srcs/a"],
        );
        check_rules(&["/src"], &["src/a.ts"], &["lib/src/a.ts"]);
        check_rules(&["src/api"], &["src/api/a.ts"], &["lib/src/api/a.ts"]);
        check_rules(&["*.ts"], &["a.ts", "x/y/a.ts"], &["a.tsx"]);
        check_rules(
            &["src/**/*.ts"],
            &["src/a.ts", "src/x/y/a.ts"],
            &["a.ts", "lib/src/a.ts"],
        );
        check_rules(&["**/x"], &["x", "a/b/x/c"], &["ax"]);
        check_rules(&["a/**"], &["a/b"], &["a"]);
        check_rules(&["docs/"], &["docs/a.md"], &["docs"]);
        check_rules(&["*.ts", "!b.ts"], &["a.ts"], &["b.ts"]);
        check_rules(&["a", "!a/b"], &["a/b"], &[]);
        check_rules(&["#a", "", " "], &[], &["a", "#a", " "]);
        check_rules(&["\\#a", "\\!b"], &["#a", "!b"], &["a"]);
        check_rules(&["a\\ ", "b  "], &["a ", "b"], &["a"]);
        check_rules(&["[ab].md"], &["b.md"], &["c.md"]);
        // Claude Code takes what negates a set for one of its characters.
        check_rules(&["[^ab].md"], &["b.md", "^.md"], &["c.md"]);
        check_rules(&["[!ab].md"], &["b.md", "!.md"], &["c.md"]);
        check_rules(&["[]a]b", "[!]a]b"], &["!a]b"], &["ab", "]b"]);
        check_rules(&["**a", "b**", "***/c"], &["xa", "bx", "y/c"], &["a.x"]);
        for below in ["web/**/", "web/**/**/", "**/web/**/"] {
            check_rules(&[below], &["web/a", "web/x/a"], &["web", "x"]);
        }
        for below in ["**/**/a", "**/**/**/a", "/**/**/a"] {
            check_rules(&[below], &["x/a", "x/y/a"], &["a"]);
        }
        check_rules(&["x/**/**/a"], &["x/a", "x/y/a"], &["a"]);
        check_rules(&["**/**"], &["a", "x/a"], &[]);
        for any in ["**/", "/**/", "*/", "**/**/"] {
            check_rules(&[any], &["web/a", "web/x/a"], &["a"]);
        }
        check_rules(&["./a", "../a", "a//b", "~/a"], &["~/a"], &["a", "a/b"]);
    }
}
