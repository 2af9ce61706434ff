//! `cargo xtask tidy`: the house rules that neither the compiler nor clippy checks. Every breach
//! is reported at once. Each rule is a pure function of file texts or of cargo's metadata, in a
//! module that says why the rule is there.

mod circles;
mod comments;
mod dependencies;
mod files;
mod links;
mod manifests;
mod modules;
mod proofs;
mod purity;
mod rust_text;
mod texts;

use std::fmt;
use std::path::Path;

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// The file, relative to the repository, with `/` between its parts.
    pub path: String,
    /// The line, counted from 1, where one can be named.
    pub line: Option<usize>,
    /// What is wrong and what to do about it.
    pub says: String,
}

impl Breach {
    /// Returns a breach by a file as a whole.
    pub fn of_file(path: &str, says: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            says: says.into(),
        }
    }

    /// Returns a breach in a line. `index` counts from 0.
    pub fn at_line(path: &str, index: usize, says: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(index + 1),
            says: says.into(),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.says),
            None => write!(f, "{}: {}", self.path, self.says),
        }
    }
}

/// Checks every rule on the repository at `root` and prints the breaches. True if there are none.
pub fn run(root: &Path) -> anyhow::Result<bool> {
    let files = files::read(root)?;
    let packages = dependencies::read(root)?;

    let machine_paths = texts::machine_paths(root);

    let mut breaches = Vec::new();
    breaches.extend(dependencies::check(&packages, &files));
    breaches.extend(manifests::check(&files));
    breaches.extend(modules::check_names(&files));
    breaches.extend(modules::check_reachable(&packages, &files));
    breaches.extend(modules::check_heads(&packages, &files));
    breaches.extend(circles::check(&files));
    breaches.extend(links::check(&files));
    breaches.extend(proofs::check(&files));
    for file in &files {
        breaches.extend(comments::check(file));
        breaches.extend(purity::check(file));
        breaches.extend(texts::check(file, &machine_paths));
    }
    breaches.sort();
    breaches.dedup();

    for breach in &breaches {
        println!("{breach}");
    }
    match breaches.len() {
        0 => println!(
            "{} files and {} packages are tidy",
            files.len(),
            packages.len()
        ),
        1 => println!("1 breach of the house rules"),
        count => println!("{count} breaches of the house rules"),
    }
    Ok(breaches.is_empty())
}

/// Returns breaches as the lines that a person reads, for the rules' tests.
#[cfg(test)]
fn lines(breaches: impl IntoIterator<Item = Breach>) -> Vec<String> {
    breaches.into_iter().map(|b| b.to_string()).collect()
}

/// Returns a file for the rules' tests.
#[cfg(test)]
fn file(path: &str, text: &str) -> files::File {
    files::File {
        path: path.to_owned(),
        text: Some(text.to_owned()),
    }
}
