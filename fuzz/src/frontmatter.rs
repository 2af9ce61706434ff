//! The frontmatter of a `SKILL.md`.

use ctxpin_model::profile::Profile;
use ctxpin_model::skill::{Dialect, Frontmatter, parse};
use ctxpin_model::warning::{Code, DETAIL_BYTES_MAX};

/// Most warnings of one file: one for each rule, and one for each value that had to be quoted.
const WARNINGS_MAX: usize = 8_000;

/// Longest refusal: texts of the file are quoted cut.
const REFUSAL_BYTES_MAX: usize = 1_000;

/// Checks that a `SKILL.md` has a result, that the result obeys the rules, and that line ends do
/// not change it.
pub fn check(bytes: &[u8]) {
    let frontmatter = parse(bytes, "directory", None, Dialect::Own);
    check_told(&frontmatter);
    check_described_by_text(bytes, &frontmatter);
    if frontmatter.refusal.is_none() {
        check_usable(&frontmatter);
        // A name in the frontmatter does not depend on the file's path.
        let elsewhere = parse(bytes, "elsewhere", None, Dialect::Own);
        let is_own = frontmatter.name == elsewhere.name;
        assert!(is_own || elsewhere.name.as_deref() == Some("elsewhere"));
        assert_eq!(frontmatter.warnings, elsewhere.warnings);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        check_spellings(text, &frontmatter);
    }
}

/// Checks that a tool which describes a skill by its text reads a usable skill in valid YAML as it is. What is not valid, it
/// repairs in its own way.
fn check_described_by_text(bytes: &[u8], frontmatter: &Frontmatter) {
    let described = Profile::ClaudeCode.described_by_text(bytes);
    let read = parse(bytes, "directory", described, Dialect::Own);
    check_told(&read);
    let mut warnings = frontmatter.warnings.iter();
    let is_valid = !warnings.any(|warning| warning.code == Code::ValueUnquoted);
    if frontmatter.refusal.is_none() && is_valid {
        assert_eq!(read, *frontmatter);
    } else if read.refusal.is_none() {
        check_usable(&read);
    }
}

/// Checks that warnings are short and in the order of the file.
fn check_told(frontmatter: &Frontmatter) {
    assert!(
        frontmatter.warnings.len() <= WARNINGS_MAX,
        "{frontmatter:?}"
    );
    assert!(
        frontmatter
            .warnings
            .is_sorted_by_key(|warning| warning.line)
    );
    for detail in frontmatter
        .warnings
        .iter()
        .flat_map(|warning| &warning.detail)
    {
        assert!(detail.len() <= DETAIL_BYTES_MAX, "{detail}");
    }
    if let Some(refusal) = &frontmatter.refusal {
        assert!(refusal.len() <= REFUSAL_BYTES_MAX, "{refusal}");
    }
    for text in frontmatter.name.iter().chain(&frontmatter.description) {
        assert!(!text.contains('\0') && !text.trim().is_empty(), "{text:?}");
    }
}

fn check_usable(frontmatter: &Frontmatter) {
    let name = frontmatter
        .name
        .as_deref()
        .expect("a usable skill has a name");
    let is_known = |c: char| c.is_alphabetic() || c.is_numeric() || "-_.:".contains(c);
    assert!(name.chars().all(is_known), "{name:?}");
    assert!((1..=64).contains(&name.chars().count()) && !name.starts_with('.'));
    let is_part = |part: &str| {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        !part.is_empty() && part.chars().all(is_plain)
    };
    let warned = |code| {
        frontmatter
            .warnings
            .iter()
            .any(|warning| warning.code == code)
    };
    if !name.split('-').all(is_part) {
        assert!(warned(Code::NameForm), "{frontmatter:?}");
    }
    let description = frontmatter.description.as_deref();
    let description = description.expect("a usable skill has a description");
    let is_long = description.chars().count() > 1_024;
    assert_eq!(is_long, warned(Code::DescriptionLong));
}

fn check_spellings(text: &str, frontmatter: &Frontmatter) {
    let again = |text: &str| parse(text.as_bytes(), "directory", None, Dialect::Own);
    if !text.starts_with('\u{feff}') {
        assert_eq!(again(&format!("\u{feff}{text}")), *frontmatter, "a mark");
    }
    if !text.contains('\r') {
        assert_eq!(again(&text.replace('\n', "\r\n")), *frontmatter, "CRLF");
    }
    // The text behind a complete frontmatter does not affect the result.
    if frontmatter.refusal.is_none() {
        assert_eq!(
            again(&format!("{text}\n---\nname: x\n")),
            *frontmatter,
            "body"
        );
    }
}
