//! The frontmatter of a `SKILL.md`.

use ctxpin_model::skill::{Reading, read};

/// Most breaches that can be told of one file: fewer than one for each rule.
const BREACHES_MAX: usize = 12;

/// Longest breach: texts of the file are quoted cut.
const BREACH_BYTES_MAX: usize = 1_000;

/// A `SKILL.md`, which has an answer, the right one and the same one however its lines end.
pub fn check(bytes: &[u8]) {
    let stranger = read(bytes, "directory");
    let directory = stranger.name.clone().unwrap_or_default();
    let reading = read(bytes, &directory);
    assert_eq!(reading.name, stranger.name);
    assert_eq!(reading.description, stranger.description);
    for reading in [&stranger, &reading] {
        check_told(reading);
    }
    if reading.breaches.is_empty() {
        check_valid(&reading, &directory);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        check_spellings(text, &directory, &reading);
    }
}

/// Breaches are few and short, whatever they are about.
fn check_told(reading: &Reading) {
    assert!(reading.breaches.len() <= BREACHES_MAX, "{reading:?}");
    for breach in &reading.breaches {
        assert!(breach.len() <= BREACH_BYTES_MAX, "{breach}");
    }
    for text in reading.name.iter().chain(&reading.description) {
        assert!(!text.contains('\0') && !text.trim().is_empty(), "{text:?}");
    }
}

fn check_valid(reading: &Reading, directory: &str) {
    let name = reading.name.as_deref().expect("a valid skill has a name");
    let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| !part.is_empty() && part.chars().all(is_known);
    assert!(name.split('-').all(is_part) && name.len() <= 64, "{name:?}");
    assert_eq!(name, directory);
    let description = reading.description.as_deref();
    let description = description.expect("a valid skill has a description");
    let chars = description.chars().count();
    assert!((1..=1_024).contains(&chars), "{chars}");
}

fn check_spellings(text: &str, directory: &str, reading: &Reading) {
    let again = |text: &str| read(text.as_bytes(), directory);
    if !text.starts_with('\u{feff}') {
        assert_eq!(again(&format!("\u{feff}{text}")), *reading, "a mark");
    }
    if !text.contains('\r') {
        assert_eq!(again(&text.replace('\n', "\r\n")), *reading, "CRLF");
    }
    // What follows a frontmatter that is whole says nothing of it.
    if reading.breaches.is_empty() {
        assert_eq!(again(&format!("{text}\n---\nname: x\n")), *reading, "body");
    }
}
