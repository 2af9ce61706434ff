//! `ctxpin check` looks at every file that a tool gives its model.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bench::Bench;
use crate::check::git;

/// A text with an invisible character, a comment and a dead link.
const BAD: &str = "z\u{200b}ero\n<!-- psst -->\n[no](no.md)\n";

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Returns a repository with these files.
fn repository(bench: &Bench, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = bench.workspace(name, "ok\n");
    fs::remove_file(root.join("AGENTS.md")).unwrap();
    git(&root, &["init", "--quiet"]);
    for (path, text) in files {
        write(&root, path, text);
    }
    root
}

fn told(bench: &Bench, root: &Path, arguments: &[&str]) -> Value {
    let said = bench.run(root, &[&["check", "--json"], arguments].concat());
    serde_json::from_str(&said.out).unwrap()
}

/// Returns the paths, lines and codes of what is found.
fn found(bench: &Bench, root: &Path, arguments: &[&str]) -> Vec<String> {
    let told = told(bench, root, arguments);
    let findings = told["findings"].as_array().unwrap().iter();
    let findings = findings.map(|finding| {
        let path = finding["path"].as_str().unwrap();
        let code = finding["code"].as_str().unwrap();
        format!(
            "{path}:{} {code}",
            finding["line"].as_u64().unwrap_or_default()
        )
    });
    findings.collect()
}

/// Returns what is found in files with [`BAD`].
fn bad(paths: &[&str]) -> Vec<String> {
    let codes = ["1 invisible-removed", "2 comment-removed", "3 file-missing"];
    let paths = paths.iter();
    let found = paths.flat_map(|path| codes.map(|code| format!("{path}:{code}")));
    found.collect()
}

#[test]
fn a_file_of_one_tool_is_checked_like_any_other() {
    let bench = Bench::new();
    for path in [
        "AGENTS.override.md",
        "CLAUDE.local.md",
        ".claude/rules/r.md",
        "CONTEXT.md",
        "pkg/a/AGENTS.md",
        "pkg/a/CLAUDE.md",
    ] {
        let name = path.replace(['/', '.'], "-");
        let root = repository(&bench, &name, &[(path, BAD)]);
        assert_eq!(found(&bench, &root, &[]), bad(&[path]));
        let said = bench.run(&root, &["check"]);
        assert_eq!((said.code, said.err.as_str()), (Some(1), ""), "{said:#?}");
        assert_eq!(told(&bench, &root, &[])["resources"], 1);
    }
}

#[test]
fn a_project_is_checked_with_its_imports_rules_and_packages() {
    let bench = Bench::new();
    let files = [
        ("AGENTS.md", "ok\n"),
        ("CLAUDE.md", "@docs/i.md\n"),
        ("docs/i.md", BAD),
        (".claude/rules/r.md", "---\npaths: src/**\n---\n@gone.md\n"),
        ("AGENTS.override.md", BAD),
        ("pkg/a/AGENTS.md", BAD),
        (
            "pkg/a/.claude/skills/s/SKILL.md",
            "---\nname: s\ndescription: d\n---\n[no](no.md)\n",
        ),
    ];
    let root = repository(&bench, "app", &files);
    let mut expected = bad(&["AGENTS.override.md", "docs/i.md", "pkg/a/AGENTS.md"]);
    expected.extend([
        ".claude/rules/r.md:4 import-missing".to_owned(),
        "CLAUDE.md:1 import-unpinned".to_owned(),
        "pkg/a/.claude/skills/s/SKILL.md:5 file-missing".to_owned(),
    ]);
    expected.sort();
    let mut all = found(&bench, &root, &[]);
    all.sort();
    assert_eq!(all, expected);
    assert_eq!(told(&bench, &root, &[])["resources"], 7);
}

#[test]
fn a_folder_of_rules_is_checked() {
    let bench = Bench::new();
    let root = repository(&bench, "app", &[(".claude/rules/r.md", BAD)]);
    let expected = bad(&[".claude/rules/r.md"]);
    assert_eq!(found(&bench, &root, &[".claude/rules"]), expected);
    assert_eq!(found(&bench, &root, &[".claude/rules/r.md"]), expected);
}

#[test]
fn a_file_under_two_names_is_checked_once() {
    let bench = Bench::new();
    let root = repository(&bench, "app", &[("AGENTS.md", BAD)]);
    std::os::unix::fs::symlink("AGENTS.md", root.join("CLAUDE.md")).unwrap();
    fs::create_dir_all(root.join(".claude/rules")).unwrap();
    std::os::unix::fs::symlink("../../AGENTS.md", root.join(".claude/rules/r.md")).unwrap();
    assert_eq!(found(&bench, &root, &[]), bad(&["AGENTS.md"]));
}

#[test]
fn what_a_tool_gives_and_ctxpin_cannot_read_is_a_problem() {
    let bench = Bench::new();
    let root = repository(&bench, "app", &[("AGENTS.md", "ok\n")]);
    fs::create_dir_all(root.join(".claude/rules")).unwrap();
    fs::write(root.join(".claude/rules/latin.md"), [b'a', 0xFF]).unwrap();
    let all = found(&bench, &root, &[]);
    assert_eq!(all, [".claude/rules/latin.md:0 invalid"]);
}

#[test]
fn what_git_ignores_below_is_not_checked() {
    let bench = Bench::new();
    let files = [
        ("AGENTS.md", "ok\n"),
        (".gitignore", "node_modules\nCLAUDE.local.md\n"),
        ("node_modules/m/AGENTS.md", BAD),
        ("pkg/node_modules/m/CLAUDE.md", BAD),
        ("pkg/CLAUDE.local.md", BAD),
    ];
    let root = repository(&bench, "app", &files);
    assert_eq!(bench.ok(&root, &["check"]), "no problems found\n");
    // What is committed all the same is given to everyone.
    git(&root, &["add", "--force", "node_modules/m/AGENTS.md"]);
    assert_eq!(
        found(&bench, &root, &[]),
        bad(&["node_modules/m/AGENTS.md"])
    );
}

#[test]
fn an_import_is_told_as_claude_code_reads_it() {
    let bench = Bench::new();
    let root = repository(
        &bench,
        "app",
        &[
            (
                "AGENTS.md",
                "See @docs/x.md.\n\n@pic.png [x](docs/x.md:12)\n",
            ),
            ("docs/x.md", "ok\n"),
        ],
    );
    let said = bench.run(&root, &["check"]);
    let expected = "AGENTS.md:1: problem: @docs/x.md. names a file that does not exist; `.` belongs to its name [import-missing]\n\
                    1 problem, 0 warnings\n";
    assert_eq!(said.out, expected);
}

#[test]
fn comments_of_one_file_are_one_line_for_people() {
    let bench = Bench::new();
    let text = "<!-- a -->\none\n\n<!-- b -->\ntwo\u{200b}\nthree\u{200b}\n";
    let root = repository(&bench, "app", &[("AGENTS.md", text)]);
    assert_eq!(
        found(&bench, &root, &[]),
        [
            "AGENTS.md:1 comment-removed",
            "AGENTS.md:4 comment-removed",
            "AGENTS.md:5 invisible-removed",
            "AGENTS.md:6 invisible-removed",
        ]
    );
    let said = bench.run(&root, &["check"]);
    let expected = "AGENTS.md:1: warning: 2 comments of 20 bytes together (lines 1, 4): readers do not see them, but tools that give a file whole, as Codex and opencode do, give them to their models; ctxpin's prompt leaves them out [comment-removed]\n\
                    AGENTS.md:5: problem: invisible characters (6 bytes together, lines 5, 6): readers do not see them, but tools such as Claude Code, Codex and opencode give them to their models; ctxpin's prompt leaves them out [invisible-removed]\n\
                    2 problems, 2 warnings\n";
    assert_eq!(said.out, expected);
    let github = bench.run(&root, &["check", "--format", "github"]);
    assert_eq!(github.out.lines().count(), 2, "{github:#?}");
}

#[test]
fn a_directory_that_several_tools_do_not_search_is_told_once() {
    let bench = Bench::new();
    let deep = format!("{}AGENTS.md", "d/".repeat(13));
    let root = repository(&bench, "app", &[("AGENTS.md", "ok\n"), (&deep, "ok\n")]);
    let expected = format!("{}:0 search-cut", ["d"; 12].join("/"));
    assert_eq!(found(&bench, &root, &[]), [expected]);
}

#[test]
fn a_file_that_a_text_names_by_way_of_example_is_not_missing() {
    let bench = Bench::new();
    let of_any_skill = "Put them in `references/agents/`, and link to `references/setup.md`.\n\n\
                        Example:\n- `scripts/right.py` (right)\n- `scripts/wrong.py` (wrong)\n\nRun `scripts/gone.py`.\n";
    let skill = |text: &str| format!("---\nname: s\ndescription: d\n---\n{text}");
    let root = repository(
        &bench,
        "app",
        &[
            ("AGENTS.md", of_any_skill),
            ("scripts/here.py", ""),
            ("docs/guide.md", "ok\n"),
            (
                ".agents/skills/s/SKILL.md",
                &skill(
                    "See [the guide](docs/guide.md), [a link](./docs/guide.md) and\n`recipes`'s\n`references/one.md`.\n\n\
                     Add `references/notes.md` if you need it. Keep `references/notes.md` short.\n\n\
                     Read `references/gone.md`.\n",
                ),
            ),
            (
                ".agents/skills/recipes/SKILL.md",
                "---\nname: recipes\ndescription: d\n---\n",
            ),
            (".agents/skills/recipes/references/one.md", "ok\n"),
        ],
    );
    assert_eq!(
        found(&bench, &root, &[]),
        [
            ".agents/skills/s/SKILL.md:5 file-missing",
            ".agents/skills/s/SKILL.md:11 file-missing",
            "AGENTS.md:7 file-missing",
        ]
    );
}

#[test]
fn a_byte_order_mark_is_no_hidden_text() {
    let bench = Bench::new();
    let skill = "\u{feff}---\nname: s\ndescription: d\n---\na\u{200b}b\n";
    let files = [
        ("AGENTS.md", "\u{feff}\u{200b}ok\n"),
        ("CLAUDE.md", "\u{feff}other\n"),
        (".agents/skills/s/SKILL.md", skill),
    ];
    let root = repository(&bench, "app", &files);
    let said = bench.run(&root, &["check"]);
    let mark = "warning: it begins with a byte order mark, which readers do not see";
    let invisible = "problem: invisible characters (3 bytes): readers do not see them, but tools such as Claude Code, Codex and opencode give them to their models; ctxpin's prompt leaves them out [invisible-removed]";
    let expected = format!(
        ".agents/skills/s/SKILL.md:1: {mark}; Codex passes over such a SKILL.md; save it without [byte-order-mark]\n\
         .agents/skills/s/SKILL.md:5: {invisible}\n\
         AGENTS.md:1: {mark}; save it without [byte-order-mark]\n\
         AGENTS.md:1: {invisible}\n\
         CLAUDE.md:1: {mark}; save it without [byte-order-mark]\n\
         2 problems, 3 warnings\n"
    );
    assert_eq!(said.out, expected);
}

#[test]
fn a_file_that_a_text_claims_nothing_about_is_not_missing() {
    let bench = Bench::new();
    let text = "---\nname: s\ndescription: d\n---\n\
                Run `scripts/deep.py`, read [the rules](docs/deep.md) and `references/guide`.\n\n\
                Each extension must have `assets/preview.png`, in a page such as `references/x.md`.\n\n\
                Keep them under `assets/own`. Name one `references/filename.md` or [x](y.md).\n\n\
                Log to `scripts/local.py`, see [notes](./local/notes.md).\n\n\
                Your own list is `references/own.md` (gitignored), also [here](mine.md).\n\n\
                ```markdown\n# Template\n```sh\nrun\n```\nSee [guide](docs/GUIDE.md) and `scripts/setup.sh`.\n```\n\n\
                Read `references/one.md`.\n\n\
                Read `references/two.md`.\n\n\
                Read [three](./references/three.md).\n";
    let skill = "---\nname: s\ndescription: d\n---\n";
    let files = [
        (".agents/skills/s/SKILL.md", text),
        (".gitignore", "scripts/local.py\nlocal/\n"),
        ("opc/scripts/deep.py", ""),
        ("opc/docs/deep.md", ""),
        ("opc/references/guide.md", ""),
        (".agents/skills/s/references/other.md", ""),
        ("opc/references/three.md", ""),
        // Most skills have files of the same names, and a copy of a skill may lack some.
        (
            ".agents/skills/zebra/SKILL.md",
            "---\nname: zebra\ndescription: d\n---\n",
        ),
        (".agents/skills/zebra/references/one.md", ""),
        ("copies/s/SKILL.md", skill),
        ("copies/s/references/two.md", ""),
    ];
    let root = repository(&bench, "app", &files);
    assert_eq!(
        found(&bench, &root, &[]),
        [
            ".agents/skills/s/SKILL.md:5 file-elsewhere",
            ".agents/skills/s/SKILL.md:5 file-elsewhere",
            ".agents/skills/s/SKILL.md:5 file-elsewhere",
            ".agents/skills/s/SKILL.md:23 file-missing",
            ".agents/skills/s/SKILL.md:25 file-missing",
            ".agents/skills/s/SKILL.md:27 file-missing",
        ]
    );
    let said = bench.run(&root, &["check"]);
    let elsewhere = "warning: it names scripts/deep.py, which does not exist here, but opc/scripts/deep.py does [file-elsewhere]";
    assert!(said.out.contains(elsewhere), "{said:#?}");
}

#[test]
fn a_folder_whose_skills_a_tool_lists_is_told_as_such() {
    let bench = Bench::new();
    let skill = "---\nname: deep\ndescription: d\n---\n";
    let files = [
        (".codex/skills/super/deep/SKILL.md", skill),
        (".claude/skills/super/deep/SKILL.md", skill),
        // No tool reads this folder.
        ("skills/notes/text.md", "ok\n"),
        ("skills/group/deep/SKILL.md", skill),
    ];
    let root = repository(&bench, "app", &files);
    let said = bench.run(&root, &["check"]);
    let expected = ".claude/skills/super: warning: it has no SKILL.md; opencode lists the skills in it, and Claude Code and ctxpin by its own rules look no deeper [skill-absent]\n\
                    .codex/skills/super: warning: it has no SKILL.md; Codex lists the skills in it, and ctxpin by its own rules looks no deeper [skill-absent]\n\
                    skills/group: warning: it has no SKILL.md; deep/SKILL.md is there, and ctxpin by its own rules looks no deeper [skill-absent]\n\
                    0 problems, 3 warnings\n";
    assert_eq!(said.out, expected);
}

#[test]
fn an_import_has_one_finding() {
    let bench = Bench::new();
    let text = "@a.md @b.md\n\n@c.md\n\n  - `code @d.md`\n    and\n\n  - `curl -d @/tmp/registry.json`\n    and\n\n`@e.md`\n";
    let files = ["a", "b", "c", "d", "e"].map(|name| (format!("{name}.md"), "ok\n"));
    let mut files: Vec<_> = files
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    files.push(("CLAUDE.md", text));
    let root = repository(&bench, "app", &files);
    let said = bench.run(&root, &["check"]);
    let expected = "CLAUDE.md:1: warning: ctxpin by its own rules does not follow 3 imports (lines 1, 3), so the files are not pinned; `ctxpin source add` pins Markdown files, and the profile claude-code those that Claude Code gives [import-unpinned]\n\
                    CLAUDE.md:5: warning: Claude Code does not follow @d.md: it stands in code or HTML [import-ignored]\n\
                    CLAUDE.md:11: warning: Claude Code does not follow @e.md: it stands in code or HTML [import-ignored]\n\
                    0 problems, 5 warnings\n";
    assert_eq!(said.out, expected);
}

#[test]
fn a_directory_of_a_tool_in_another_case_is_told() {
    let bench = Bench::new();
    let files = [
        ("AGENTS.md", "ok\n"),
        (".claude/Skills/s/notes.md", "ok\n"),
        (".Codex/skills/s/notes.md", "ok\n"),
        (
            ".agents/skills/s/SKILL.md",
            "---\nname: s\ndescription: d\n---\n",
        ),
    ];
    let root = repository(&bench, "app", &files);
    let all = found(&bench, &root, &[]);
    assert_eq!(all, [".Codex:0 name-case", ".claude/Skills:0 name-case"]);
}
