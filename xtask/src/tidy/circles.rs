//! The modules of a folder must not use each other in a circle. If `a` uses `b` and `b` uses `a`,
//! nobody can read or change one without the other, and usually one item is in the wrong file. A
//! module and the modules below it count as one unit, and test modules do not count.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Breach;
use super::files::File;

/// A module as the names that lead to it from the root of its crate.
type Module = Vec<String>;

/// A path in one module that leads into another module of the same crate.
#[derive(Debug)]
struct Reference<'a> {
    file: &'a str,
    /// Counted from 0.
    line: usize,
    from: Module,
    to: Module,
}

/// Reports the references that are part of a circle between the modules of one folder.
pub fn check(files: &[File]) -> Vec<Breach> {
    let mut crates: BTreeMap<&str, Vec<(&File, Module)>> = BTreeMap::new();
    for file in files {
        if let Some((folder, module)) = module_of(&file.path) {
            crates.entry(folder).or_default().push((file, module));
        }
    }
    crates
        .values()
        .flat_map(|sources| circles(sources))
        .collect()
}

/// Returns the folder of the crate that a source file belongs to, and the file's module. Returns
/// none for other files and for tests.
fn module_of(path: &str) -> Option<(&str, Module)> {
    let (folder, within) = path.strip_suffix(".rs")?.split_once("/src/")?;
    let mut module: Module = within.split('/').map(str::to_owned).collect();
    if module.iter().any(|name| name == "tests") {
        return None;
    }
    let last = module.last()?;
    let is_root = module.len() == 1 && ["lib", "main"].contains(&last.as_str());
    if is_root || last == "mod" {
        module.pop();
    }
    Some((folder, module))
}

/// Returns a breach for each reference of one crate that is part of a circle.
fn circles(sources: &[(&File, Module)]) -> Vec<Breach> {
    let modules: BTreeSet<&Module> = sources.iter().map(|(_, module)| module).collect();
    let mut references = Vec::new();
    for (file, module) in sources {
        // The compiler reports a file that has no tokens.
        let Some(Ok(tokens)) = file.rust().map(str::parse::<TokenStream>) else {
            continue;
        };
        for (path, line) in paths(tokens, module) {
            let known = (0..=path.len()).rev().map(|length| &path[..length]);
            let to = known
                .map(<[String]>::to_vec)
                .find(|path| modules.contains(path));
            references.extend(to.map(|to| Reference {
                file: &file.path,
                line,
                from: module.clone(),
                to,
            }));
        }
    }
    let parents: BTreeSet<&[String]> = modules
        .iter()
        .filter_map(|module| Some(module.split_last()?.1))
        .collect();
    parents
        .iter()
        .flat_map(|parent| circles_below(parent, &references))
        .collect()
}

/// Returns a breach for each reference that is part of a circle between children of `parent`.
fn circles_below(parent: &[String], references: &[Reference]) -> Vec<Breach> {
    let child = |module: &Module| module.strip_prefix(parent)?.first().cloned();
    let between: Vec<(&Reference, String, String)> = references
        .iter()
        .filter_map(|reference| Some((reference, child(&reference.from)?, child(&reference.to)?)))
        .filter(|(_, from, to)| from != to)
        .collect();
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, from, to) in &between {
        uses.entry(from).or_default().insert(to);
    }
    let mut breaches = Vec::new();
    for (reference, from, to) in &between {
        if let Some(way) = shortest_way(&uses, to, from) {
            let says = format!(
                "a circle of modules, {from} -> {}: move what both need into a module of its own",
                way.join(" -> ")
            );
            breaches.push(Breach::at_line(reference.file, reference.line, says));
        }
    }
    breaches
}

/// Returns the modules on the shortest way between two modules, both included.
fn shortest_way<'a>(
    uses: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    from: &'a str,
    to: &str,
) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::from([from]);
    let mut waiting = VecDeque::from([vec![from]]);
    while let Some(way) = waiting.pop_front() {
        let last = *way.last()?;
        if last == to {
            return Some(way);
        }
        for next in uses.get(last).into_iter().flatten() {
            if seen.insert(next) {
                waiting.push_back([&way[..], &[*next]].concat());
            }
        }
    }
    None
}

/// Returns the paths in a module's tokens that begin at `crate`, `super` or `self`, each from the
/// root of the crate and with its line, counted from 0. The contents of macros are tokens as well.
/// Code behind `#[cfg(test)]` is left out.
fn paths(tokens: TokenStream, module: &[String]) -> Vec<(Module, usize)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_for_tests(&tokens[at..]) {
            at += 2;
            at += tokens[at..].iter().take_while(|token| !ends(token)).count() + 1;
            continue;
        }
        match &tokens[at] {
            TokenTree::Ident(word) if word == "mod" => {
                if let Some(TokenTree::Ident(name)) = tokens.get(at + 1)
                    && let Some(TokenTree::Group(body)) = tokens.get(at + 2)
                {
                    let inner = [module, &[name.to_string()]].concat();
                    found.extend(paths(body.stream(), &inner));
                    at += 2;
                }
            }
            TokenTree::Ident(word) => {
                let start = match word.to_string().as_str() {
                    "crate" => Some(Vec::new()),
                    "self" => Some(module.to_vec()),
                    "super" => module.split_last().map(|(_, parent)| parent.to_vec()),
                    _ => None,
                };
                if let Some(start) = start {
                    at = follow(&tokens, at + 1, start, &mut found);
                    continue;
                }
            }
            TokenTree::Group(group) => found.extend(paths(group.stream(), module)),
            _ => {}
        }
        at += 1;
    }
    found
}

/// Follows a path from the token behind its first word, into each branch of a `use`. Returns the
/// index of the token behind the path. A word alone, such as the receiver `self`, is no path.
fn follow(
    tokens: &[TokenTree],
    mut at: usize,
    mut path: Module,
    found: &mut Vec<(Module, usize)>,
) -> usize {
    let line = |token: &TokenTree| token.span().start().line - 1;
    let mut end = None;
    while is_separator(tokens, at) {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(word)) if word == "super" => {
                path.pop();
            }
            Some(TokenTree::Ident(word)) if word != "self" => path.push(word.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let branches: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in branches.split(is_comma) {
                    let Some(TokenTree::Ident(word)) = branch.first() else {
                        continue;
                    };
                    let mut path = path.clone();
                    if word != "self" {
                        path.push(word.to_string());
                    }
                    if follow(branch, 1, path.clone(), found) == 1 {
                        found.push((path, line(&branch[0])));
                    }
                }
                return at + 3;
            }
            _ => break,
        }
        end = Some(line(&tokens[at + 2]));
        at += 3;
    }
    if let Some(line) = end {
        found.push((path, line));
    }
    at
}

fn is_for_tests(tokens: &[TokenTree]) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = tokens else {
        return false;
    };
    hash.as_char() == '#' && attribute.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// Returns whether a token ends an item.
fn ends(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_punctuation(token, ';'),
    }
}

fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|token| is_punctuation(token, ':'))
    };
    colon(at) && colon(at + 1)
}

fn is_comma(token: &TokenTree) -> bool {
    is_punctuation(token, ',')
}

fn is_punctuation(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punctuation) if punctuation.as_char() == character)
}

#[cfg(test)]
mod tests {
    use crate::tidy::{file, lines};

    /// Returns the circles of a crate whose modules have these sources.
    fn check(sources: &[(&str, &str)]) -> Vec<String> {
        let path = |name: &str| format!("crates/x/src/{name}.rs");
        let files: Vec<_> = sources
            .iter()
            .map(|(name, source)| file(&path(name), source))
            .collect();
        lines(super::check(&files))
    }

    #[test]
    fn a_circle_is_reported_at_each_of_its_references() {
        let sources = [
            ("a", "use crate::b::B;"),
            ("b", "\nfn f() -> crate::c::C { g(|| super::c::D) }"),
            ("c", "use crate::{d, a::{self, A}};"),
            ("d", "use crate::e::E;"),
            ("e", ""),
        ];
        let says = ": move what both need into a module of its own";
        let expected = [
            "a.rs:1: a circle of modules, a -> b -> c -> a",
            "b.rs:2: a circle of modules, b -> c -> a -> b",
            "b.rs:2: a circle of modules, b -> c -> a -> b",
            "c.rs:1: a circle of modules, c -> a -> b -> c",
            "c.rs:1: a circle of modules, c -> a -> b -> c",
        ]
        .map(|line| format!("crates/x/src/{line}{says}"));
        assert_eq!(check(&sources), expected);
    }

    #[test]
    fn what_counts_as_a_circle() {
        let use_a = ("b", "use crate::a::A;");
        let circles: [&[(&str, &str)]; 6] = [
            &[("a", "use crate::b;"), use_a],
            &[("a", "fn f() { g!(1, crate::b::C) }"), use_a],
            &[("a", "use super::{c, b::C as D};"), use_a],
            &[("a", "mod c { use super::super::b::C; }"), use_a],
            &[("a/mod", ""), ("a/c", "use crate::b::C;"), use_a],
            &[
                ("d/a", "use super::b;"),
                ("d/b", "use crate::d::a::c::A;"),
                ("d/a/c", ""),
            ],
        ];
        for sources in circles {
            assert!(!check(sources).is_empty(), "{sources:?}");
        }
        let none: [&[(&str, &str)]; 7] = [
            &[("a", "use b::C;"), use_a],
            &[
                ("a", "// use crate::b;\nconst A: &str = \"crate::b\";"),
                use_a,
            ],
            &[("a", "#[cfg(test)]\nmod tests { use crate::b::C; }"), use_a],
            &[("a", "#[cfg(test)]\nuse crate::b::C;\nmod c;"), use_a],
            &[("a", ""), ("a/tests", "use crate::b::C;"), use_a],
            &[("lib", "use crate::a;"), ("a", "use crate::A;")],
            &[("a", "use self::c::C;"), ("a/c", "use super::A;")],
        ];
        for sources in none {
            assert_eq!(check(sources), Vec::<String>::new(), "{sources:?}");
        }
    }
}
