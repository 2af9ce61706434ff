use super::*;
use crate::profile::Profile;

/// Reads a `SKILL.md` in the directory `pdf-tools`.
fn read_pdf(text: &str) -> Frontmatter {
    parse(text.as_bytes(), "pdf-tools", None, Dialect::Own)
}

/// Reads a `SKILL.md` in the directory `pdf-tools` by Claude Code's rules.
fn by_claude_code(text: &str) -> Frontmatter {
    let skill_md = text.as_bytes();
    parse(
        skill_md,
        "pdf-tools",
        Profile::ClaudeCode.described_by_text(skill_md),
        Dialect::Own,
    )
}

#[test]
fn by_claude_codes_rules_a_skill_is_described_by_its_text() {
    let check = |text: &str, expected: &str| {
        let read = by_claude_code(text);
        assert_eq!(read.refusal, None, "{text}");
        assert_eq!(read.description.as_deref(), Some(expected), "{text}");
        let neutral = read_pdf(text);
        assert!(neutral.refusal.is_some(), "{text}");
    };
    // Each was seen in a request of Claude Code 2.1.332.
    check(
        "---\nname: a\n---\n\n\n##  Deep  header \nText\n",
        "Deep  header",
    );
    check("---\nname: a\n---\n", "Skill");
    check("", "Skill");
    check("---\ndescription: [one, two]\n---\nBody\n", "Body");
    check("---\ndescription:\n---\n#nospace\n", "#nospace");
    check("---\ndescription: \"  \"\n---\n- item\n", "- item");
    check("---\nname: a\n", "---");
    check("---\nname: a\n---\n#\n# \nnext\n", "#");
    check("\u{feff}With a mark\r\nSecond\r\n", "With a mark");
    let cut = "word ".repeat(19) + "wo...";
    check(&"word ".repeat(40), &cut);
    let whole = "w".repeat(100);
    check(&whole, &whole);
    let described = by_claude_code("---\ndescription: Own.\n---\nBody\n");
    assert_eq!(described.description.as_deref(), Some("Own."));
    let unusable = parse(b"Body\n", "b b", Some("Body".into()), Dialect::Own).refusal;
    assert!(
        unusable
            .unwrap()
            .contains("its directory's name is not usable")
    );
}

/// Parses a usable skill, and checks its warnings, each written as its code, line and detail.
fn check(text: &str, expected: &[&str]) -> Frontmatter {
    let frontmatter = read_pdf(text);
    assert_eq!(frontmatter.refusal, None, "{text}");
    let shown: Vec<_> = frontmatter
        .warnings
        .iter()
        .map(|warning| {
            let line = warning.line.map_or("-".to_owned(), |line| line.to_string());
            let detail = warning.detail.as_deref().unwrap_or("-");
            format!("{} {line} {detail}", warning.code)
        })
        .collect();
    assert_eq!(shown, expected, "{text}");
    frontmatter
}

fn check_refused(text: &str, expected: &str) {
    let refusal = read_pdf(text).refusal;
    assert_eq!(refusal.as_deref(), Some(expected), "{text}");
}

#[test]
fn a_valid_skill() {
    let frontmatter = read_pdf(
        "\u{feff}---\r\nname: pdf-tools\r\ndescription: >-\r\n  Reads PDFs.\r\n  Use it for PDFs.\r\nlicense: MIT\r\nmetadata:\r\n  version: 1.0\r\nallowed-tools: Read Bash(git:*)\r\nuser-invocable: false\r\n---\r\n# Body\r\n",
    );
    assert_eq!(
        frontmatter,
        Frontmatter {
            name: Some("pdf-tools".into()),
            description: Some("Reads PDFs. Use it for PDFs.".into()),
            ..Frontmatter::default()
        }
    );
}

#[test]
fn a_skill_without_a_usable_file_is_refused() {
    check_refused("", "no frontmatter: the first line must be `---`");
    check_refused("# Title\n", "no frontmatter: the first line must be `---`");
    check_refused(
        "---\nname: pdf-tools\n",
        "line 2: the frontmatter has no end: close it with a line `---` below this one",
    );
    check_refused(
        "---\n---\n",
        "the frontmatter is empty: a `description` is required",
    );
    check_refused(
        "---\n- a\n---\n",
        "the frontmatter must be a mapping of keys to values",
    );
    check_refused("---\nname: pdf-tools\n---\n", "`description` is missing");
    let empty = "line 2: `description` is empty";
    check_refused("---\ndescription:\n---\n", empty);
    check_refused("---\ndescription: ' '\n---\n", empty);
    check_refused(
        "---\ndescription: \"a\\0b\"\n---\n",
        "line 2: `description` contains a NUL character",
    );
    let refusal = parse(b"---\nname: \xff\n---\n", "x", None, Dialect::Own).refusal;
    assert_eq!(
        refusal.as_deref(),
        Some("not UTF-8 (first bad byte at offset 10)")
    );
    let refusal = parse(
        b"---\nname: a b\ndescription: d\n---\n",
        "c d",
        None,
        Dialect::Own,
    )
    .refusal
    .unwrap();
    assert!(refusal.starts_with("neither its name `a b` nor its directory's name is usable"));
    let refusal = parse(b"---\ndescription: d\n---\n", ".c", None, Dialect::Own)
        .refusal
        .unwrap();
    assert!(refusal.starts_with("it has no name, and its directory's name is not usable"));
}

#[test]
fn yaml_errors_are_plain_and_have_the_lines_of_the_file() {
    check_refused(
        "---\nname: b\ndescription: x\nmetadata:\n\tk: v\n---\n",
        "line 5: YAML does not allow a tab here; use spaces",
    );
    check_refused(
        "---\nname: b\ndescription: \"x\n---\n",
        "line 3: a quote is not closed",
    );
    check_refused("---\nname: [b\n---\n", "line 2: a bracket is not closed");
    check_refused(
        "---\nname: b\ndescription: \"quoted\" then more: text\n---\n",
        "line 3: this is not valid YAML; write the value in one pair of double quotes, with a backslash before each double quote in it",
    );
    check_refused(
        "---\nname: b\ndescription: a\0b\n---\n",
        "line 3: YAML does not allow the control character U+0000; remove it",
    );
    check_refused(
        "---\nname: \u{1B}b\ndescription: a\n---\n",
        "line 2: YAML does not allow the control character U+001B; remove it",
    );
    check_refused(
        "---\nname: *b\n---\n",
        "line 2: a value that begins with `*` must be quoted",
    );
    check_refused(
        "---\nname: a\n description: x\n---\n",
        "line 3: YAML does not allow `: ` here; quote the value, or correct the indentation",
    );
    for text in [
        "---\nname: a\ndescription: x\n  y: z\n---\n",
        "---\nname: a\n description: x\n---\n",
        "---\nname: [a\n---\n",
        "---\nname: \"\\q\"\n---\n",
        "---\nname: a\n...\nb: c\n---\n",
        "---\nname: - a\n---\n",
        "---\nname: a: b: c\n- d\n---\n",
        "---\n{\n---\n",
    ] {
        let refusal = read_pdf(text).refusal.unwrap();
        for word in [
            "Policy",
            "Options",
            "scanner",
            "token",
            "deserial",
            "block mapping",
            "context",
        ] {
            assert!(!refusal.contains(word), "{text}: {refusal}");
        }
        assert!(refusal.contains("line "), "{text}: {refusal}");
    }
}

#[test]
fn a_mistake_has_its_own_line_and_its_cure() {
    let check =
        |yaml: &str, expected: &str| check_refused(&format!("---\n{yaml}\n---\n"), expected);
    let no_colon = "line 2: a colon is missing after `name`";
    check("name deploy\ndescription: [a, b]", no_colon);
    check("name deploy\ndescription: Deploys: all.", no_colon);
    check("name deploy", no_colon);
    check(
        "name: deploy\ndescription Deploys.",
        "line 3: a colon is missing after `description`",
    );
    // YAML takes these words for a key.
    check(
        "name: deploy\ndescription Use it: often.",
        "line 3: a colon is missing after `description`",
    );
    check(
        "name: deploy\nDescription: Deploys.",
        "line 3: write `description` in small letters",
    );
    let no_blank = "line 2: a blank is missing after the colon of `name`";
    check("name:deploy\ndescription: Deploys.", no_blank);
    check("name:deploy", no_blank);
    check(
        "name: deploy\ndescription:Use it: often.",
        "line 3: a blank is missing after the colon of `description`",
    );
    let no_key = "line 5: a key and a colon must begin this line, as in `name: deploy`; indent the line if it belongs \
                  to the value above, or close the frontmatter with a line `---` above it";
    check(
        "name: deploy\ndescription: Deploys.\n\nText goes on.",
        no_key,
    );
    check(
        "name: deploy\ndescription: |\n  Deploys.\nall of it",
        no_key,
    );
    check(
        "name: \"deploy\ndescription: \"Deploys.\"",
        "line 2: a quote is not closed",
    );
    check(
        "name: deploy\ndescription: 'Deploys.\nlicense: MIT",
        "line 3: a quote is not closed",
    );
    check(
        "name: deploy\nallowed-tools: [Read, Write\ndescription: Deploys.",
        "line 3: a bracket is not closed",
    );
    check(
        "\"name\": \"deploy\",\n\"description\": \"Deploys.\"",
        "line 2: remove the comma behind the value",
    );
    check(
        "name: 'deploy',\ndescription: Deploys.",
        "line 2: remove the comma behind the value",
    );
    check(
        "name: deploy\ndescription: [Deploys]",
        "line 3: `description` must be a text",
    );
    check(
        "name: deploy\ndescription:\n  - Deploys.",
        "line 3: `description` must be a text",
    );
    check(
        "name: deploy\ndescription:\n\tDeploys.",
        "line 4: YAML does not allow a tab here; use spaces",
    );
    check(
        "name: deploy\ndescription: *Deploys* all.",
        "line 3: a value that begins with `*` must be quoted",
    );
    // ctxpin quotes a value with a bare colon by itself. What else is wrong is the reason.
    check(
        "name: deploy\ndescription: Use it: often.\n  And again.\nlicense: [MIT",
        "line 5: a bracket is not closed",
    );
}

#[test]
fn a_frontmatter_without_an_end_has_the_line_of_its_last_key() {
    let check = |text: &str, line: u64| {
        let expected = format!(
            "line {line}: the frontmatter has no end: close it with a line `---` below this one"
        );
        check_refused(text, &expected);
    };
    check(
        "---\nname: a\ndescription: Does it.\n\n# Title\n\nNote: this.\n",
        3,
    );
    check(
        "---\nname: a\nallowed-tools:\n- Read\n  - Write\n----\nText\n",
        5,
    );
    check(
        &format!("---\nname: a\n# Title\n{}", "Text\n".repeat(20_000)),
        2,
    );
    check("---\n", 1);
}

#[test]
fn what_is_no_mistake_stays_as_it_is() {
    // Typographic quotes are a part of the value, and a comma in a plain one.
    let frontmatter = check(
        "---\nname: pdf-tools\ndescription: “Reads PDFs”,\n---\n",
        &[],
    );
    assert_eq!(frontmatter.description.as_deref(), Some("“Reads PDFs”,"));
    let frontmatter = check(
        "\u{feff}---\nname: pdf-tools\ndescription: \"Reads\n  note: PDFs\"\nmetadata: {\n  a: b,\n}\n---\n",
        &[],
    );
    assert_eq!(frontmatter.description.as_deref(), Some("Reads note: PDFs"));
}

#[test]
fn a_value_with_a_bare_colon_is_read() {
    let frontmatter = check(
        "---\nname: pdf-tools\ndescription: Does it: well.\n---\n",
        &["value-unquoted 3 description"],
    );
    assert_eq!(frontmatter.description.as_deref(), Some("Does it: well."));
    let frontmatter = check(
        "---\nname: pdf-tools\ndescription: Use when:\n  the \"user\" asks: C:\\x\nmetadata:\n  author: a: b\n  note: |\n    kept: as: it is\n---\n",
        &["value-unquoted 3 description", "value-unquoted 6 author"],
    );
    assert_eq!(
        frontmatter.description.as_deref(),
        Some("Use when: the \"user\" asks: C:\\x")
    );
    let frontmatter = check(
        "---\nname: pdf-tools\ndescription: @Observable in Swift.\n---\n",
        &["value-unquoted 3 description"],
    );
    assert_eq!(
        frontmatter.description.as_deref(),
        Some("@Observable in Swift.")
    );
    // Valid YAML stays as it is.
    let frontmatter = check(
        "---\nname: pdf-tools\ndescription: 'Does it: well.'\n---\n",
        &[],
    );
    assert_eq!(frontmatter.description.as_deref(), Some("Does it: well."));
}

#[test]
fn a_malformed_optional_field_is_a_warning() {
    check(
        "---\nname: pdf-tools\ndescription: d\ncompatibility: ''\nmetadata:\n  tool:\n    requires: [curl]\nlicense: [MIT]\nallowed-tools: {}\n---\n",
        &[
            "field-form 4 compatibility",
            "field-form 5 metadata",
            "field-form 8 license",
            "field-form 9 allowed-tools",
        ],
    );
    check(
        "---\nname: pdf-tools\ndescription: d\nlicense: a\nlicense: b\nmetadata:\n  name: x\n  name: y\n---\n",
        &["field-twice 5 license"],
    );
    check(
        "---\nname: pdf-tools\ndescription: d\nmetadata:\nlicense:\n---\n",
        &[],
    );
}

#[test]
fn the_last_of_duplicate_fields_counts() {
    let frontmatter = check(
        "---\nname: x\ndescription: 1\nname: pdf-tools\ndescription: d\nlicense: a\nlicense: b\n---\n",
        &[
            "field-twice 4 name",
            "field-twice 5 description",
            "field-twice 7 license",
        ],
    );
    assert_eq!(frontmatter.name.as_deref(), Some("pdf-tools"));
    assert_eq!(frontmatter.description.as_deref(), Some("d"));
    check(
        "---\nname: A\nname: B\ndescription: d\nmetadata:\n  x: 1\n  x: 2\n---\n",
        &["field-twice 3 name", "name-form 3 B"],
    );
    check(
        "---\nname: pdf-tools\ndescription: d\nmetadata:\n  x: 1\n  x: 2\n---\n",
        &["field-twice 6 x"],
    );
}

#[test]
fn a_name_is_used_if_it_can_be() {
    let named = |name: &str, expected: &str, warnings: &[&str]| {
        let text = format!("---\nname: {name}\ndescription: d\n---\n");
        let frontmatter = check(&text, warnings);
        assert_eq!(frontmatter.name.as_deref(), Some(expected));
    };
    named("pdf", "pdf", &[]);
    named("itx:execute", "itx:execute", &["name-form 2 itx:execute"]);
    named("日本語", "日本語", &["name-form 2 日本語"]);
    named("-PDF--x", "-PDF--x", &["name-form 2 -PDF--x"]);
    // Composed and decomposed letters are the same name.
    named("cafe\u{301}", "café", &["name-form 2 café"]);
    named("Deploy Now", "pdf-tools", &["name-unfit 2 Deploy Now"]);
    named(".hidden", "pdf-tools", &["name-unfit 2 .hidden"]);
    named("a/b", "pdf-tools", &["name-unfit 2 a/b"]);
    named(&"a".repeat(64), &"a".repeat(64), &[]);
    let long = "a".repeat(65);
    named(&long, "pdf-tools", &[&format!("name-unfit 2 {long}")]);
    named("[a]", "pdf-tools", &["name-unfit 2 [\"a\"]"]);
    let frontmatter = check("---\ndescription: d\n---\n", &["name-missing - -"]);
    assert_eq!(frontmatter.name.as_deref(), Some("pdf-tools"));
    check(
        "---\nname: ''\ndescription: d\n---\n",
        &["name-missing 2 -"],
    );
}

#[test]
fn a_name_may_differ_from_its_directory() {
    let warning = |name: &str, source: &str| {
        directory_warning(name, source).map(|warning| warning.detail.unwrap_or_default())
    };
    assert_eq!(warning("pdf", "/w/skills/pdf/SKILL.md"), None);
    assert_eq!(
        warning("pdf", "/w/skills/PDF/SKILL.md").as_deref(),
        Some("its name is `pdf`, but its directory is `PDF`")
    );
    assert_eq!(warning("café", "/w/skills/cafe\u{301}/SKILL.md"), None);
}

#[test]
fn a_long_description_is_a_warning() {
    let described = |description: &str, warnings: &[&str]| {
        let text = format!("---\nname: pdf-tools\ndescription: {description}\n---\n");
        check(&text, warnings);
    };
    described(&"é".repeat(1024), &[]);
    described(&"é".repeat(1025), &["description-long 3 1025"]);
}

#[test]
fn a_plain_value_is_a_string_even_if_it_looks_like_something_else() {
    for name in ["y", "007", "1e5", "true"] {
        let text = format!("---\nname: {name}\ndescription: no\n---\n");
        let expected = Frontmatter {
            name: Some(name.into()),
            description: Some("no".into()),
            ..Frontmatter::default()
        };
        assert_eq!(parse(text.as_bytes(), name, None, Dialect::Own), expected);
    }
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("---\na0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
        bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
    }
    bomb.push_str("---\n");
    let deep = format!("---\na: {}{}\n---\n", "[".repeat(5000), "]".repeat(5000));
    for text in [bomb, deep] {
        let refusal = read_pdf(&text).refusal.unwrap();
        assert!(
            refusal.contains("nested too deeply or too long"),
            "{refusal}"
        );
    }
}

#[test]
fn a_source_names_its_directory() {
    assert_eq!(directory_name("/w/skills/pdf/SKILL.md"), Some("pdf"));
    assert_eq!(directory_name("/SKILL.md"), None);
    assert_eq!(directory_name("/w/skills/pdf/skill.md"), None);
}

#[test]
fn claude_code_describes_a_skill_by_its_text_if_it_cannot_repair_the_frontmatter() {
    let check = |frontmatter: &str, expected: &str| {
        let skill_md = format!("---\n{frontmatter}\n---\nBody\n");
        let read = parse(
            skill_md.as_bytes(),
            "a",
            Some("Body".to_owned()),
            Dialect::Own,
        );
        assert_eq!(read.description.as_deref(), Some(expected), "{frontmatter}");
    };
    // Each was seen in a request of Claude Code 2.1.332.
    for (frontmatter, expected) in [
        ("description: D\nfoo: {a: [1,", "D"),
        ("description: [tag] rest", "[tag] rest"),
        ("description: *bold* text", "*bold* text"),
        ("description: \"x", "Body"),
        ("description: - x", "Body"),
        ("description: - x: y", "- x: y"),
        ("description: a: b\nfoo: \"x", "Body"),
        ("description: D\nfoo-bar: a: b", "D"),
        ("description: D\nmetadata:\n  k: a: b", "Body"),
        ("description: a: b\n  continued", "Body"),
        ("description: D\njust words", "Body"),
        ("description: a: b\ndescription2: c: d", "Body"),
        ("description: D\nfoo: 'x': y", "D"),
        ("description: a: b # c", "a: b # c"),
        ("description: a: b\ndescription: c", "c"),
        ("description: [a, b]\nfoo: x: y", "Body"),
        ("description: a: b\r", "Body"),
    ] {
        check(frontmatter, expected);
    }
}

#[test]
fn claude_code_takes_any_merge_key() {
    // Each was seen in the list of Claude Code 2.1.332.
    for (frontmatter, expected) in [
        ("<<: {description: A}", "A"),
        ("\"<<\": {description: A}", "A"),
        ("'<<': {description: A}", "A"),
        ("!!str <<: {description: A}", "A"),
        ("? \"<<\"\n: {description: A}", "A"),
        ("{\"<<\": {description: A}}", "A"),
        ("\"\\x3c<\": {description: A}", "A"),
        ("&a <<: {description: A}", "A"),
        ("base: &b\n  description: A\n\"<<\": *b", "A"),
        ("\"<<\": {\"<<\": {description: A}}", "A"),
        ("<<: {description: A}\n<<: {description: B}", "A"),
        ("\"<<\": {description: A}\n<<: {description: B}", "A"),
        ("\"<<\": [{description: A}, {description: B}]", "A"),
        ("\"<<\": [7, {description: A}]", "A"),
        ("<<: [7, {description: A}]", "A"),
        ("\"<<\": [[{description: A}]]", "Body"),
        ("\"<<\": {description: B}\ndescription: A", "A"),
        ("description: A\n\"<<\": {description: B}", "A"),
        ("\"<<\": 7\ndescription: A", "A"),
        ("<<: 7\ndescription: A", "A"),
        ("\"<<\":\ndescription: A", "A"),
        ("\"<<\": x: y\ndescription: A", "Body"),
    ] {
        let read = by_claude_code(&format!("---\n{frontmatter}\n---\nBody\n"));
        assert_eq!(read.description.as_deref(), Some(expected), "{frontmatter}");
    }
    let hidden = "---\n\"<<\": {disable-model-invocation: true}\n---\nBody\n";
    assert!(crate::claude_code::is_skill_hidden(hidden.as_bytes()));
}

#[test]
fn a_tool_names_skills_in_its_form() {
    let check = |name: &str, one_line: &str, written: &str| {
        let text = format!("---\nname: {name}\ndescription: d\n---\n");
        let named = |form| {
            let read = parse(text.as_bytes(), "own", None, form);
            let is_unfit = read.warnings.iter().any(|w| w.code == Code::NameUnfit);
            let name = read.name.expect("a name");
            assert_eq!(is_unfit, name == "own", "{text}");
            name
        };
        assert_eq!(named(Dialect::Codex), one_line, "{text}");
        assert_eq!(named(Dialect::Opencode), written, "{text}");
    };
    // Each was seen in the lists of Codex 0.171.0 and opencode 1.18.33, and `own` in neither.
    for name in [
        "A B c",
        "a(b)",
        "'x, y & z'",
        "x=y!",
        "<tag>",
        "'#x'",
        "100%",
        "emoji\u{1F389}",
    ] {
        let shown = name.trim_matches('\'');
        check(name, shown, shown);
        assert_eq!(
            read_pdf(&format!("---\nname: {name}\ndescription: d\n---\n"))
                .name
                .as_deref(),
            Some("pdf-tools")
        );
    }
    check("\"a  b\"", "a b", "a  b");
    check("\" lead \"", "lead", "own");
    check("\"tab\\tx\"", "tab x", "own");
    check("\"e\\u0301\"", "\u{e9}", "\u{e9}");
    for name in [
        "sl/ash",
        "\"zero\\u200bwidth\"",
        "\"rtl\\u202ex\"",
        ".dot",
        "\"..\"",
        "\"bell\\a\"",
    ] {
        check(name, "own", "own");
    }
}

#[test]
fn a_skill_below_has_its_directory_in_its_name() {
    let check = |directory: &str, expected: &str| {
        let name = scoped_name("foo", &format!("/w/{directory}"), Some("/w"));
        assert_eq!(name, format!("{expected}:foo"));
    };
    for directory in [
        "p",
        "p/@scope/lib",
        "x (y) [z]",
        "a+b~c$d!e&f,g=h",
        "\u{1F389}",
        "e\u{301}",
        "it's",
    ] {
        check(directory, directory);
    }
    check("a:b", "a-b");
    check("a\nb\u{202E}", "a-b-");
    assert_eq!(scoped_name("foo", "/w/p", None), "w/p:foo");
}
