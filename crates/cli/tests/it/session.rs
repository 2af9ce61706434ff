//! A session at a shell: its commands and everything that they print, as one text.
//!
//! A snapshot shows each command after a `$`, its standard output, its standard error below `[stderr]`, and an exit
//! status other than 0. Ids, hashes, times, ports and paths differ in every run, so [`stable`] replaces them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use regex::Regex;

use crate::bench::{Bench, Said, said};

/// A session in one workspace.
pub struct Session {
    pub bench: Bench,
    pub directory: PathBuf,
    /// The commands and their output so far.
    text: String,
}

impl Session {
    /// Starts a session in a new workspace.
    pub fn start(name: &str, agents: &str) -> Self {
        let bench = Bench::at_home();
        Self {
            directory: bench.workspace(name, agents),
            bench,
            text: String::new(),
        }
    }

    /// Writes a file of the workspace, with its directories.
    pub fn file(&self, path: &str, content: &str) {
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Installs a program of the person that prints a version.
    pub fn tool(&self, name: &str, version: &str) {
        let path = format!("../home/bin/{name}");
        self.file(&path, &format!("#!/bin/sh\necho {name} {version}\n"));
        let path = self.directory.join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Writes a file of the workspace and waits until the chat has drifted.
    pub fn edit(&mut self, path: &str, content: &str) {
        self.file(path, content);
        self.bench
            .until(&self.directory, |chat| chat["context"]["dirty"] == true);
        self.text += &format!("# {path} is edited\n\n");
    }

    /// Runs a line of a shell.
    pub fn run(&mut self, line: &str) -> Said {
        let said = said(&mut self.bench.shell(&self.directory, line));
        self.text += &format!("$ {line}\n{}", said.out);
        if !said.err.is_empty() {
            self.text += &format!("[stderr]\n{}", said.err);
        }
        match said.code {
            Some(0) => {}
            Some(code) => self.text += &format!("[exit status {code}]\n"),
            None => self.text += "[ended by a signal]\n",
        }
        self.text.push('\n');
        said
    }

    /// Returns a text with stable words, and without the directory of the test.
    pub fn stable(&self, text: &str) -> String {
        let root = self.bench.root();
        let home = root.join("home");
        let text = text
            .replace(env!("CARGO_BIN_EXE_ctxpin"), "/opt/ctxpin")
            .replace(home.to_str().unwrap(), "/home/ada")
            .replace(root.to_str().unwrap(), "/srv");
        stable(&text)
    }

    /// Compares the session with `tests/golden/sessions/<name>.snap`.
    #[track_caller]
    pub fn check(self, name: &str) {
        let text = self.stable(&self.text);
        insta::with_settings!({
            snapshot_path => "../golden/sessions",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(name, text) });
    }
}

/// Replaces ids, hashes, times, ports, processes and tokens. The n-th id and the n-th hash get the hexadecimal number n
/// in all their digits, so equal ones stay equal and columns keep their widths. An id of zeros is the test's own and
/// stays. A column of times has no stable width, so an output with one loses its other widths too.
pub fn stable(text: &str) -> String {
    let words = Regex::new(concat!(
        r"(?<page>\bhttp://ctxpin-[0-9a-f]{16}\.localhost:\d+/sign-in#code=(?:[0-9a-f]{64}|[0-9a-f]{4}\.\.\.)&next=/)",
        r"|(?<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)",
        r"|(?<token>\bctxpin_[0-9a-f]{32}_[0-9a-f]{64}\b)",
        r"|(?<hash>\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b)",
        r"|(?<id>\b[0-9a-f]{8}\b)",
        r"|(?<time>\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC(?: \([^)]*\))?|\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z",
        r"|\bjust now\b|\b\d+ (?:second|minute)s? ago\b)",
        r"|(?<port>127\.0\.0\.1:\d{4,5}\b)",
        r"|(?<process>\bprocess +\d+)",
    ))
    .unwrap();
    let (mut ids, mut hashes) = (Vec::new(), Vec::new());
    let stable = words.replace_all(text, |found: &regex::Captures<'_>| {
        let whole = &found[0];
        let is = |name| found.name(name).is_some();
        if whole.ends_with("00000000") {
            whole.to_owned()
        } else if is("uuid") {
            let word = number(&mut ids, &whole[whole.len() - 8..]).repeat(32);
            [&word[..8], &word[..4], &word[..4], &word[..4], &word[..12]].join("-")
        } else if is("page") {
            "http://ctxpin-PAGE.localhost:PORT/sign-in#CODE".to_owned()
        } else if is("token") {
            "TOKEN".to_owned()
        } else if is("hash") {
            number(&mut hashes, &whole[..12]).repeat(whole.len())
        } else if is("id") {
            number(&mut ids, whole).repeat(8)
        } else if is("time") {
            "TIME".to_owned()
        } else if is("port") {
            "127.0.0.1:7878".to_owned()
        } else {
            format!(
                "{}1000",
                whole.trim_end_matches(|c: char| c.is_ascii_digit())
            )
        }
    });
    let blanks = Regex::new(r"(?<word>\S) {2,}").unwrap();
    let outputs = stable
        .split("\n$ ")
        .map(|output| match output.contains("TIME  ") {
            true => blanks.replace_all(output, "$word  ").into_owned(),
            false => output.to_owned(),
        });
    outputs.collect::<Vec<_>>().join("\n$ ")
}

/// Returns the digit for an id or a hash, in the order in which they were first seen. A session has at most
/// 15 ids and 15 hashes.
fn number(seen: &mut Vec<String>, found: &str) -> String {
    let at = seen.iter().position(|known| known == found);
    let at = at.unwrap_or_else(|| {
        seen.push(found.to_owned());
        seen.len() - 1
    });
    char::from_digit(u32::try_from(at).unwrap() + 1, 16)
        .unwrap()
        .to_string()
}
