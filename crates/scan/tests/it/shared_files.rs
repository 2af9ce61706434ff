//! Files that come with files of several directories, under the profile of Claude Code. Each case was seen in a request of
//! Claude Code 2.1.332.

use std::fs;

use ctxpin_model::on_demand::{Coming, in_order};
use ctxpin_model::profile::Profile;
use ctxpin_scan::Scan;

use crate::workspace::Workspace;

/// A workspace under the profile of Claude Code, with the working directory `project`.
fn workspace(files: &[(&str, &str)]) -> Workspace {
    let mut w = Workspace::with(files);
    w.request.profile = Profile::ClaudeCode;
    w.request.user_roots = true;
    w
}

/// Checks what comes with a file, in its order.
fn check(w: &Workspace, found: &Scan, path: &str, expected: &[&str]) {
    let path = w.text(path);
    let coming = found.snapshot.instruction_files();
    let coming = coming.filter_map(|file| Coming::with(file, &path));
    let sources = in_order(coming.collect()).into_iter();
    let project = w.text("project/");
    let sources: Vec<_> = sources
        .map(|file| file.source.replace(&project, ""))
        .collect();
    assert_eq!(sources, expected, "{path}");
}

#[test]
fn an_imported_file_comes_with_the_files_of_each_importer() {
    let w = workspace(&[
        ("project/CLAUDE.md", "top"),
        ("project/docs.md", "docs"),
        ("project/a/CLAUDE.md", "@../docs.md"),
        ("project/b/CLAUDE.md", "@x.md @../docs.md @y.md"),
        ("project/b/x.md", "x"),
        ("project/b/y.md", "y"),
        ("project/b/c/CLAUDE.md", "@../../docs.md @z.md"),
        ("project/b/c/z.md", "z"),
    ]);
    let found = w.scan();
    check(&w, &found, "project/f", &[]);
    check(&w, &found, "project/a/f", &["a/CLAUDE.md", "docs.md"]);
    let of_b = ["b/CLAUDE.md", "b/x.md", "docs.md", "b/y.md"];
    check(&w, &found, "project/b/f", &of_b);
    let of_c = [&of_b[..], &["b/c/CLAUDE.md", "b/c/z.md"]].concat();
    check(&w, &found, "project/b/c/f", &of_c);
    let docs = w.resource(&found, "project/docs.md");
    assert_eq!(docs.imported_by, Some(w.text("project/a/CLAUDE.md")));
    // One directory lies in the other.
    assert_eq!(docs.applies.as_ref().unwrap().also.len(), 1);
}

#[test]
fn what_every_request_holds_comes_with_no_file() {
    let w = workspace(&[
        ("project/CLAUDE.md", "@docs.md @1.md"),
        ("project/docs.md", "docs"),
        ("project/1.md", "@2.md"),
        ("project/2.md", "@3.md"),
        ("project/3.md", "@4.md"),
        ("project/4.md", "@5.md"),
        ("project/5.md", "too deep for the start"),
        ("project/a/CLAUDE.md", "@../docs.md @../3.md @../CLAUDE.md"),
    ]);
    let found = w.scan();
    check(&w, &found, "project/a/f", &["a/CLAUDE.md", "5.md"]);
}

#[test]
fn a_file_of_a_directory_comes_with_its_files_whoever_imports_it() {
    let w = workspace(&[
        ("project/CLAUDE.md", "top"),
        ("project/AGENTS.md", "of other tools"),
        ("project/a/CLAUDE.md", "@../p/b/CLAUDE.md @../AGENTS.md"),
        ("project/p/CLAUDE.md", "p"),
        ("project/p/b/CLAUDE.md", "@i.md"),
        ("project/p/b/i.md", "i"),
    ]);
    let found = w.scan();
    let of_a = ["a/CLAUDE.md", "p/b/CLAUDE.md", "p/b/i.md", "AGENTS.md"];
    check(&w, &found, "project/a/f", &of_a);
    let of_b = ["p/CLAUDE.md", "p/b/CLAUDE.md", "p/b/i.md"];
    check(&w, &found, "project/p/b/f", &of_b);
}

#[test]
fn a_link_gives_its_text_again_with_another_directory() {
    let w = workspace(&[("project/CLAUDE.md", "top"), ("project/p/CLAUDE.md", "p")]);
    w.link("project/q/CLAUDE.md", "../p/CLAUDE.md");
    w.link("project/r/CLAUDE.md", "../CLAUDE.md");
    w.link("project/p/s/CLAUDE.md", "../CLAUDE.md");
    let found = w.scan();
    check(&w, &found, "project/q/f", &["q/CLAUDE.md"]);
    check(&w, &found, "project/r/f", &["r/CLAUDE.md"]);
    check(&w, &found, "project/p/s/f", &["p/CLAUDE.md"]);
}

#[test]
fn a_rule_comes_with_the_files_of_each_folder_that_has_it() {
    let rule = "---\npaths: \"/*.ts\"\n---\nrule";
    let w = workspace(&[
        ("project/CLAUDE.md", "top"),
        ("project/r.md", rule),
        ("project/imported.md", rule),
        ("project/a/.claude/rules/x.md", "@../../../imported.md"),
        (
            "project/b/.claude/rules/x.md",
            &format!("{rule} @../../../imported.md"),
        ),
        ("project/c/CLAUDE.md", "@../a/.claude/rules/x.md"),
    ]);
    for directory in ["a", "b", "b/deep"] {
        let up = "../".repeat(directory.split('/').count() + 2);
        w.link(
            &format!("project/{directory}/.claude/rules/l.md"),
            format!("{up}r.md"),
        );
    }
    let found = w.scan();
    check(&w, &found, "project/a/f.py", &["a/.claude/rules/x.md"]);
    let of_a = ["a/.claude/rules/x.md", "r.md", "imported.md"];
    check(&w, &found, "project/a/f.ts", &of_a);
    let of_b = ["r.md", "b/.claude/rules/x.md", "imported.md"];
    check(&w, &found, "project/b/f.ts", &of_b);
    // The folder above was looked at first, and its globs do not match.
    check(&w, &found, "project/b/deep/f.ts", &[]);
    check(
        &w,
        &found,
        "project/c/f.py",
        &["c/CLAUDE.md", "a/.claude/rules/x.md", "imported.md"],
    );
}

#[test]
fn an_agents_md_and_what_it_imports_come_once() {
    let w = workspace(&[
        ("project/AGENTS.md", "top"),
        ("project/docs.md", "docs"),
        ("project/a/AGENTS.md", "@../docs.md"),
        ("project/b/AGENTS.md", "@../docs.md @y.md"),
        ("project/b/y.md", "y"),
        ("project/b/c/AGENTS.md", "@../../docs.md @../y.md c"),
        ("project/d/CLAUDE.md", "@../docs.md"),
        ("project/d/e/AGENTS.md", "@../../docs.md e"),
    ]);
    let found = w.scan();
    check(&w, &found, "project/a/f", &["a/AGENTS.md", "docs.md"]);
    let of_b = ["b/AGENTS.md", "docs.md", "b/y.md"];
    check(&w, &found, "project/b/f", &of_b);
    check(
        &w,
        &found,
        "project/b/c/f",
        &[&of_b[..], &["b/c/AGENTS.md"]].concat(),
    );
    let of_e = ["d/CLAUDE.md", "docs.md", "d/e/AGENTS.md"];
    check(&w, &found, "project/d/e/f", &of_e);
}

#[test]
fn files_that_many_directories_bring_have_a_bound() {
    let w = workspace(&[("project/CLAUDE.md", "top")]);
    let mut imports = String::new();
    for number in 0..101 {
        imports += &format!("@../common/{number}.md ");
        w.write(&format!("project/common/{number}.md"), "shared");
        let directory = format!("project/{number:03}");
        fs::create_dir_all(w.path(&directory)).unwrap();
    }
    for number in 0..101 {
        w.write(&format!("project/{number:03}/CLAUDE.md"), &imports);
    }
    let found = w.scan();
    let groups = found.snapshot.instruction_files();
    let groups = groups.filter_map(|file| file.applies.as_ref());
    assert_eq!(
        groups.map(|applies| applies.also.len()).sum::<usize>(),
        10_000
    );
    assert_eq!(
        found.snapshot.error.as_deref(),
        Some(
            "directories below bring the same files more than 10000 times, and ctxpin looked at no more"
        )
    );
}
