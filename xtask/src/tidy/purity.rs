//! `model`, `render` and `evidence` use no filesystem, no clock, no environment and no async. Time and bytes
//! are arguments, so that the same input always gives the same result.

use super::files::File;
use super::{Breach, rust_text};

/// The folders whose sources are pure.
const PURE: [&str; 3] = [
    "crates/model/src/",
    "crates/render/src/",
    "crates/evidence/src/",
];

/// The forbidden names, and what to do instead.
const BANNED: [(&str, &str); 8] = [
    (
        "std::fs",
        "take bytes as an argument; only scan reads files",
    ),
    ("std::env", "take the value as an argument"),
    ("std::process", "take the value as an argument"),
    ("std::net", "this crate uses no network"),
    ("SystemTime", "take a Moment as an argument"),
    ("Instant::now", "take a Moment as an argument"),
    ("Utc::now", "take a Moment as an argument"),
    ("tokio", "this crate never waits"),
];

/// Reports what the source of a pure crate uses and must not use. Its tests may read golden files:
/// a module of tests is the last item of its file, and the rule does not read past its beginning.
pub fn check(file: &File) -> Vec<Breach> {
    let Some(source) = file.rust() else {
        return Vec::new();
    };
    if !PURE.iter().any(|folder| file.path.starts_with(folder)) {
        return Vec::new();
    }
    let code = rust_text::code_only(source);
    let lines: Vec<&str> = code.lines().collect();
    let tests = lines.windows(2).position(begins_tests);
    let mut breaches = Vec::new();
    for (index, line) in lines[..tests.unwrap_or(lines.len())].iter().enumerate() {
        for (name, instead) in BANNED {
            if line.contains(name) {
                let says = format!("{name} in a pure crate: {instead}");
                breaches.push(Breach::at_line(&file.path, index, says));
            }
        }
    }
    breaches
}

/// Returns whether two lines begin a module of tests.
fn begins_tests(lines: &[&str]) -> bool {
    lines[0].trim() == "#[cfg(test)]" && lines[1].trim_start().starts_with("mod ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{file, lines};

    #[test]
    fn a_pure_crate_reads_neither_files_nor_clocks() {
        let source = "//! Knows no tokio and no std::fs.\n\
                      use std::fs::File;\n\
                      fn now() -> DateTime { chrono::Utc::now() }\n\
                      const TEXT: &str = \"std::env\";\n\
                      #[cfg(test)]\n\
                      mod tests {\n    use std::fs;\n}\n";
        let found = lines(check(&file("crates/model/src/moment.rs", source)));
        assert_eq!(
            found,
            [
                "crates/model/src/moment.rs:2: std::fs in a pure crate: take bytes as an argument; only scan reads files",
                "crates/model/src/moment.rs:3: Utc::now in a pure crate: take a Moment as an argument",
            ]
        );
        assert_eq!(
            lines(check(&file("crates/scan/src/read.rs", source))).len(),
            0
        );
    }
}
