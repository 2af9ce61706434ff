//! Parsing a `SKILL.md` never fails to return. A frontmatter without a refusal has a usable name and
//! description, and each breach of the specification is a warning.

use std::time::{Duration, Instant};

use ctxpin_model::limits::FRONTMATTER_BYTES_MAX;
use ctxpin_model::profile::Profile;
use ctxpin_model::skill::{Dialect, Frontmatter, parse};
use ctxpin_model::warning::Code;
use proptest::prelude::*;
use proptest::sample::select;

/// Lines of a frontmatter, and lines that break one.
const LINES: [&str; 36] = [
    "---",
    "--- ",
    "----",
    "...",
    "name: pdf-tools",
    "name: 'pdf-tools'",
    "name: pdf",
    "name: PDF",
    "name: -pdf",
    "name: [pdf-tools]",
    "name:",
    "name: ~",
    "name: 7",
    "\"name\": pdf-tools",
    "? name",
    ": pdf-tools",
    "description: Reads PDFs.",
    "description: >-",
    "description: |",
    "description: ''",
    "description: \"\\u0000\"",
    "description: use when: x",
    "  more of it",
    "\tmore",
    "metadata:",
    "  version: 1.0",
    "  - x",
    "- x",
    "license: MIT",
    "allowed-tools: [Read, Write]",
    "compatibility: any",
    "a: &a [*a]",
    "b: *a",
    "<<: *a",
    "# Title",
    "\u{feff}%YAML 1.1",
];

/// Returns the specification's rule for names, implemented in another way than in the code.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        !part.is_empty() && part.chars().all(is_known)
    };
    name.chars().count() <= 64 && name.split('-').all(is_part)
}

/// Returns the rule for usable names.
fn is_usable_name(name: &str) -> bool {
    let is_known = |c: char| c.is_alphabetic() || c.is_numeric() || "-_.:".contains(c);
    (1..=64).contains(&name.chars().count()) && name.chars().all(is_known) && !name.starts_with('.')
}

fn is_description(description: &str) -> bool {
    (1..=1_024).contains(&description.chars().count()) && !description.trim().is_empty()
}

fn judge(frontmatter: &Frontmatter, directory: &str) -> Result<(), TestCaseError> {
    if frontmatter.refusal.is_none() {
        let name = frontmatter.name.as_deref().unwrap_or_default();
        let description = frontmatter.description.as_deref().unwrap_or_default();
        prop_assert!(is_usable_name(name), "{name}");
        prop_assert!(!description.trim().is_empty(), "{}", description);
        let has_warning = |code| {
            frontmatter
                .warnings
                .iter()
                .any(|warning| warning.code == code)
        };
        prop_assert_eq!(
            has_warning(Code::DescriptionLong),
            !is_description(description)
        );
        let is_own = !has_warning(Code::NameMissing) && !has_warning(Code::NameUnfit);
        prop_assert!(is_own || name == directory, "{}", name);
        prop_assert!(
            !is_own || is_name(name) != has_warning(Code::NameForm),
            "{}",
            name
        );
    }
    let lines = frontmatter.warnings.iter().map(|warning| warning.line);
    prop_assert!(lines.is_sorted(), "{:?}", frontmatter.warnings);
    Ok(())
}

/// The time limit for one file, without optimisation and on a busy machine. The slowest takes a fraction
/// of a second, and a parser that is not linear takes minutes.
const PARSING_TIME_MAX: Duration = Duration::from_secs(20);

/// Returns the largest `SKILL.md` whose frontmatter is `begin` and then `unit` repeated.
fn filled(begin: &str, unit: &str) -> String {
    let end = "\n---\n";
    let room = FRONTMATTER_BYTES_MAX - begin.len() - 1;
    format!("---\n{begin}{}{end}", unit.repeat(room / unit.len()))
}

/// Texts that are slow to parse with backtracking, copying or expansion.
#[test]
fn the_largest_bombs_are_answered_in_time() {
    let anchors = (0..90).map(|number| format!("a{number}: &a{number} [x, x]\n"));
    let anchors: String = anchors.collect();
    let nested: String = (0..300).map(|depth| " ".repeat(depth) + "a:\n").collect();
    let mut bombs = vec![
        filled("", "k") + ": v",
        filled("name: a\ndescription: d\n", "k"),
        filled(&anchors, "- *a89\n"),
        filled(&anchors, "*a0 : *a1\n"),
        filled("x: &x {a: b}\n", "<<: *x\n"),
        filled("<<: ", "[*x, "),
        filled(&nested, "#"),
    ];
    for unit in [
        "[",
        "{",
        "]",
        "- ",
        "? ",
        ": ",
        "&a ",
        "*a ",
        "!!a ",
        "! ",
        "\"",
        "\"\\x41",
        "'",
        "''",
        "|\n",
        ">\n",
        "# \n",
        "#",
        "a: b\n",
        "a: [b, c]\n",
        "a: {b: c}\n",
        " a\n",
        "a\n\n",
        "\t",
        "%TAG ! x\n",
        "--- a\n",
        "...\n",
        "{a: ",
        "[a, ",
        "? - ",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\r",
        "\0",
        "0",
        "1e",
        "&a [*a], ",
    ] {
        bombs.push(filled("", unit));
        bombs.push(filled("name: a\ndescription: ", unit));
    }
    for bomb in bombs {
        let start = Instant::now();
        let frontmatter = parse(bomb.as_bytes(), "a", None, Dialect::Own);
        let took = start.elapsed();
        let begin = &bomb[..60.min(bomb.floor_char_boundary(60))];
        assert!(took < PARSING_TIME_MAX, "{took:?} for {begin:?}");
        assert!(judge(&frontmatter, "a").is_ok());
    }
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for profile in Profile::ALL {
            judge(&parse(&bytes, "pdf-tools", profile.described_by_text(&bytes), Dialect::Own), "pdf-tools")?;
        }
    }

    #[test]
    fn any_text_in_a_frontmatter_has_an_answer(text in any::<String>()) {
        let skill = format!("---\n{text}\n---\n");
        judge(&parse(skill.as_bytes(), "pdf-tools", None, Dialect::Own), "pdf-tools")?;
    }

    #[test]
    fn any_lines_have_an_answer(
        lines in prop::collection::vec(select(&LINES[..]), 0..10),
        end in select(&["\n", "\r\n", "\r"][..]),
    ) {
        let fenced = format!("---{end}{}{end}---{end}", lines.join(end));
        judge(&parse(fenced.as_bytes(), "pdf-tools", None, Dialect::Own), "pdf-tools")?;
        judge(&parse(lines.join(end).as_bytes(), "pdf-tools", None, Dialect::Own), "pdf-tools")?;
    }

    #[test]
    fn a_name_is_judged_by_the_rule(name in "[a-z0-9-]{1,8}|[a-z0-9]{60,68}|[0-9e.+_x-]{1,6}|[a-zA-Z0-9-]{1,6}") {
        // An unquoted name is a string, even if it looks like a number.
        for quote in ["\"", ""] {
            let skill = format!("---\nname: {quote}{name}{quote}\ndescription: d\n---\n");
            // A number that no double can hold is refused, with the advice to quote it.
            let is_held = name.parse::<f64>().map_or(true, f64::is_finite) || name.to_ascii_lowercase().starts_with("inf");
            let is_yaml_text = quote == "\"" || name.starts_with(|c: char| c.is_ascii_alphanumeric()) && is_held;
            let is_null = quote.is_empty() && name.eq_ignore_ascii_case("null");
            if is_yaml_text && !is_null {
                let frontmatter = parse(skill.as_bytes(), &name, None, Dialect::Own);
                prop_assert_eq!(frontmatter.name.as_ref(), Some(&name).filter(|name| is_usable_name(name)));
                let is_specified = frontmatter.warnings.is_empty() && frontmatter.refusal.is_none();
                prop_assert_eq!(is_specified, is_name(&name), "{:?}", frontmatter);
            }
        }
    }

    #[test]
    fn a_description_is_judged_by_its_characters(description in "[a-zé \u{1f980}]{0,20}", times in 0..120_usize) {
        let description = description.repeat(times);
        let skill = format!("---\nname: a\ndescription: \"{description}\"\n---\n");
        let frontmatter = parse(skill.as_bytes(), "a", None, Dialect::Own);
        let is_specified = frontmatter.warnings.is_empty() && frontmatter.refusal.is_none();
        prop_assert_eq!(is_specified, is_description(&description));
    }
}
