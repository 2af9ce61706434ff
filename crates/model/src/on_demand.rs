//! The instruction files that come with a file that a model reads.

use std::collections::HashMap;

use crate::resource::Resource;

/// An instruction file that comes with a file.
#[derive(Debug, Clone, Copy)]
pub struct Coming<'r> {
    pub file: &'r Resource,
    /// The source of the instruction file behind which it comes. `None` if it comes in the snapshot's order.
    behind: Option<&'r str>,
}

impl<'r> Coming<'r> {
    /// Returns how an instruction file comes with the file at an absolute path. `None` if it does not: a file does not
    /// bring itself.
    pub fn with(file: &'r Resource, path: &str) -> Option<Self> {
        let applies = file.applies.as_ref().filter(|_| file.source != path)?;
        if applies.covers_first(path) {
            return Some(Self { file, behind: None });
        }
        let also = applies.also.iter().find(|also| also.covers(path))?;
        Some(Self {
            file,
            behind: also.behind.as_deref(),
        })
    }
}

/// Returns instruction files that come with one file in the order in which the tool gives them. They are in the order of the
/// snapshot before. One whose predecessor does not come stays where it is.
pub fn in_order(coming: Vec<Coming<'_>>) -> Vec<&Resource> {
    let places = coming.iter().enumerate();
    let places: HashMap<_, _> = places
        .map(|(place, coming)| (coming.file.source.as_str(), place))
        .collect();
    let mut followers = vec![Vec::new(); coming.len()];
    let mut first = Vec::new();
    for (place, coming) in coming.iter().enumerate() {
        match coming.behind.and_then(|behind| places.get(behind)) {
            Some(behind) => followers[*behind].push(place),
            None => first.push(place),
        }
    }
    // Two files that follow each other in a circle come last.
    let mut is_ordered = vec![false; coming.len()];
    let mut ordered = Vec::with_capacity(coming.len());
    for start in first.into_iter().chain(0..coming.len()) {
        let mut waiting = vec![start];
        while let Some(place) = waiting.pop() {
            if !std::mem::replace(&mut is_ordered[place], true) {
                ordered.push(coming[place].file);
                waiting.extend(followers[place].iter().rev());
            }
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Also, Applies, Kind, Status};

    fn file(source: &str, below: &str, also: &[(&str, Option<&str>)]) -> Resource {
        let mut applies = Applies::to(below, Vec::new());
        applies.also = also
            .iter()
            .map(|(below, behind)| Also {
                below: (*below).to_owned(),
                globs: Vec::new(),
                behind: behind.map(str::to_owned),
            })
            .collect();
        Resource {
            applies: Some(applies),
            ..Resource::new(Kind::InstructionFile, source, Status::Ok)
        }
    }

    fn check(files: &[Resource], path: &str, expected: &[&str]) {
        let coming = files.iter().filter_map(|file| Coming::with(file, path));
        let ordered = in_order(coming.collect());
        let sources: Vec<_> = ordered.iter().map(|file| file.source.as_str()).collect();
        assert_eq!(sources, expected, "{path}");
    }

    #[test]
    fn a_shared_file_comes_behind_the_file_that_brings_it() {
        let files = [
            file("/w/a/1", "/w/a", &[]),
            file("/w/x", "/w/a", &[("/w/b", Some("/w/b/1"))]),
            file("/w/y", "/w/a", &[("/w/b", Some("/w/x"))]),
            file("/w/b/1", "/w/b", &[]),
            file("/w/b/2", "/w/b", &[]),
        ];
        check(&files, "/w/a/f", &["/w/a/1", "/w/x", "/w/y"]);
        check(&files, "/w/b/f", &["/w/b/1", "/w/x", "/w/y", "/w/b/2"]);
        check(&files, "/w/f", &[]);
        check(&files, "/w/b/2", &["/w/b/1", "/w/x", "/w/y"]);
    }

    #[test]
    fn a_predecessor_that_does_not_come_moves_nothing() {
        let files = [
            file("/w/x", "/w/a", &[("/w/b", Some("/w/gone"))]),
            file("/w/b/1", "/w/b", &[]),
        ];
        check(&files, "/w/b/f", &["/w/x", "/w/b/1"]);
    }

    #[test]
    fn a_circle_loses_no_file() {
        let files = [
            file("/w/x", "/w/a", &[("/w/b", Some("/w/y"))]),
            file("/w/y", "/w/a", &[("/w/b", Some("/w/x"))]),
            file("/w/b/1", "/w/b", &[]),
        ];
        check(&files, "/w/b/f", &["/w/b/1", "/w/x", "/w/y"]);
    }
}
