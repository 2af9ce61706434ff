//! The path of a file of a workspace, as a request names it.

use std::str::FromStr;

use crate::limits::{SOURCE_BYTES_MAX, text_fault};

/// A path that names a file: absolute, or relative to the working directory of a pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(String);

/// The error of a path that names no file of a workspace. Its text says why, and what to send instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    #[error("it is empty; name a file")]
    Empty,
    /// The text is too long, or holds a character that no text may.
    #[error("{0}")]
    Unfit(String),
    #[error("a pin without a directory has no relative paths; send an absolute one")]
    NoDirectory,
    #[error("it is the directory {0}; name a file in it")]
    Directory(String),
    #[error("it is not below {0}, the directory of the pin; name a file there")]
    Outside(String),
}

impl FromStr for FilePath {
    type Err = InvalidPath;

    fn from_str(path: &str) -> Result<Self, InvalidPath> {
        match text_fault(path, SOURCE_BYTES_MAX) {
            Some(fault) => Err(InvalidPath::Unfit(fault)),
            None if path.is_empty() => Err(InvalidPath::Empty),
            None => Ok(Self(path.to_owned())),
        }
    }
}

impl FilePath {
    /// Returns the absolute path. `.` and `..` count by name alone, because nobody here knows which directories are
    /// links. Without a directory, every absolute path is one of a file.
    ///
    /// # Errors
    ///
    /// Fails if the path leads out of `directory` or to it, or is relative without one.
    pub fn below(&self, directory: Option<&str>) -> Result<String, InvalidPath> {
        let path = match (self.0.starts_with('/'), directory) {
            (true, _) => self.0.clone(),
            (false, Some(directory)) => format!("{directory}/{}", self.0),
            (false, None) => return Err(InvalidPath::NoDirectory),
        };
        let path = resolved(&path);
        let top = resolved(directory.unwrap_or("/"));
        if path == top {
            return Err(InvalidPath::Directory(top));
        }
        let rest = path.strip_prefix(top.trim_end_matches('/'));
        match rest.is_some_and(|rest| rest.starts_with('/')) {
            true => Ok(path),
            false => Err(InvalidPath::Outside(top)),
        }
    }
}

/// Returns an absolute path without empty names, `.` and `..`.
fn resolved(path: &str) -> String {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => _ = names.pop(),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(directory: Option<&str>, path: &str, expected: Result<&str, &str>) {
        let found = path.parse::<FilePath>();
        let found = found.and_then(|path| path.below(directory));
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(found.map_err(|error| error.to_string()), expected, "{path}");
    }

    #[test]
    fn a_file_lies_below_the_directory() {
        check(Some("/w"), "src/a.rs", Ok("/w/src/a.rs"));
        check(Some("/w/"), "./src//../b.rs", Ok("/w/b.rs"));
        check(Some("/w"), "/w/a", Ok("/w/a"));
        check(Some("/"), "a", Ok("/a"));
        check(None, "/anywhere/a", Ok("/anywhere/a"));
        check(Some("/w"), "..a/...", Ok("/w/..a/..."));
    }

    #[test]
    fn what_is_no_file_of_the_workspace_is_refused() {
        let outside = Err("it is not below /w, the directory of the pin; name a file there");
        for path in ["../a", "a/../../b", "/etc/passwd", "/wa/b", "/w/../x", "/"] {
            check(Some("/w"), path, outside);
        }
        let directory = Err("it is the directory /w; name a file in it");
        for path in [".", "/w", "/w/", "a/.."] {
            check(Some("/w"), path, directory);
        }
        check(Some("/w"), "", Err("it is empty; name a file"));
        check(
            Some("/w"),
            "a\0b",
            Err("it holds a NUL character, which no text may"),
        );
        let long = "x".repeat(SOURCE_BYTES_MAX + 1);
        check(
            Some("/w"),
            &long,
            Err("it has 1025 bytes, and at most 1024 are taken"),
        );
        check(
            None,
            "a",
            Err("a pin without a directory has no relative paths; send an absolute one"),
        );
    }
}
