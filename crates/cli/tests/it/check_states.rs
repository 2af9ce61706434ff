//! `ctxpin check` of other states than a whole work tree: the index, a repository without commits, a sparse checkout
//! and submodules.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bench::{Bench, Said};
use crate::check::git;

const NOTHING: &str = "no problems found\n";

fn repository(bench: &Bench, name: &str, agents: &str) -> PathBuf {
    let root = bench.workspace(name, agents);
    git(&root, &["init", "--quiet"]);
    root
}

fn commit(root: &Path) {
    git(root, &["add", "--all"]);
    git(root, &["commit", "--message", "all"]);
}

fn since_head(bench: &Bench, root: &Path) -> Said {
    bench.run(root, &["check", "--since", "HEAD"])
}

#[test]
fn before_the_first_commit_everything_is_new() {
    let bench = Bench::new();
    let root = repository(&bench, "app", "[more](docs/more.md)\n");
    let said = since_head(&bench, &root);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.out.contains("AGENTS.md:1: problem"), "{said:#?}");
    fs::write(root.join("AGENTS.md"), "ok\n").unwrap();
    assert_eq!(since_head(&bench, &root).out, NOTHING);
    let error = bench.fails(&root, &["check", "--since", "HEAD~1"], 2);
    assert!(error.contains("no commit `HEAD~1`"), "{error}");
}

#[test]
fn what_begins_with_a_hyphen_is_no_commit() {
    let bench = Bench::new();
    let root = repository(&bench, "app", "ok\n");
    let error = bench.fails(&root, &["check", "--since", "-x"], 2);
    assert!(error.contains("no commit `-x`"), "{error}");
}

#[test]
fn a_hook_checks_what_is_committed() {
    let bench = Bench::new();
    let root = repository(&bench, "app", "ok\n");
    let check =
        |arguments: &[&str]| bench.run(&root, &[&["check", "--staged"], arguments].concat());
    // Nothing is staged, and nothing is committed.
    assert_eq!(check(&[]).out, "nothing was checked\n");
    commit(&root);
    // The fault is staged, and gone from the work tree.
    fs::write(root.join("AGENTS.md"), "ok\n[q](q.md)\n").unwrap();
    git(&root, &["add", "AGENTS.md"]);
    fs::write(root.join("AGENTS.md"), "ok\n").unwrap();
    let expected = "AGENTS.md:2: problem: it names q.md, which does not exist [file-missing]\n\
                    1 problem, 0 warnings\n";
    for since in [&[][..], &["--since", "HEAD"]] {
        let said = check(since);
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(1), expected),
            "{said:#?}"
        );
    }
    // The fault is in the work tree alone, and so are the exceptions.
    git(&root, &["add", "AGENTS.md"]);
    fs::write(root.join("AGENTS.md"), "ok\n[q](q.md)\n").unwrap();
    fs::write(root.join(".ctxpin.toml"), "x").unwrap();
    assert_eq!(check(&[]).out, NOTHING);
    fs::remove_file(root.join(".ctxpin.toml")).unwrap();
    // As git's hook calls it, also for `git commit -a` with an index of its own.
    let program = bench.command(&root, &[]).get_program().to_owned();
    let hook = root.join(".git/hooks/pre-commit");
    let script = format!(
        "#!/bin/sh\nexec '{}' check --staged --since HEAD\n",
        program.display()
    );
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&hook, mode).unwrap();
    let commits = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let said = std::process::Command::new("git")
            .arg("-C")
            .arg(&root)
            .args(identity)
            .args(["commit", "--quiet", "--allow-empty", "--message", "x"])
            .args(arguments)
            .env("HOME", &root)
            .output()
            .unwrap();
        said.status.success()
    };
    assert!(commits(&[]));
    assert!(!commits(&["--all"]));
    assert!(!commits(&["AGENTS.md"]));
    fs::write(root.join("AGENTS.md"), "fine\n").unwrap();
    assert!(commits(&["--all"]));
}

#[test]
fn a_file_that_a_sparse_checkout_leaves_out_is_not_missing() {
    let bench = Bench::new();
    let text = "[b](b/b.md) [d](b/deep) [no](no.md)\n\n@b/b.md\n";
    let root = repository(&bench, "app", text);
    for path in ["a/a.md", "b/b.md", "b/deep/c.md"] {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), "x\n").unwrap();
    }
    commit(&root);
    git(&root, &["sparse-checkout", "set", "a"]);
    assert!(!root.join("b").exists());
    let said = bench.run(&root, &["check"]);
    let expected = "AGENTS.md:1: problem: it names no.md, which does not exist [file-missing]\n\
                    1 problem, 0 warnings\n";
    assert_eq!(said.out, expected);
    assert_eq!(since_head(&bench, &root).out, NOTHING);
    let staged = bench.run(&root, &["check", "--staged", "--since", "HEAD"]);
    assert_eq!(staged.out, NOTHING);
}

#[test]
fn the_submodules_of_a_commit_are_checked_with_it() {
    let bench = Bench::new();
    let inner = repository(&bench, "inner", "ok\n");
    let skill = "---\nname: s\ndescription: d\n---\nRun `scripts/no.sh`.\n";
    fs::create_dir_all(inner.join("skills/s")).unwrap();
    fs::write(inner.join("skills/s/SKILL.md"), skill).unwrap();
    commit(&inner);
    let root = repository(&bench, "app", "ok\n");
    let inner = inner.to_str().unwrap();
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        inner,
        "sub",
    ];
    git(&root, &add);
    fs::create_dir(root.join(".agents")).unwrap();
    std::os::unix::fs::symlink("../sub/skills", root.join(".agents/skills")).unwrap();
    commit(&root);
    let said = bench.run(&root, &["check"]);
    assert!(said.out.contains("names scripts/no.sh"), "{said:#?}");
    assert_eq!(since_head(&bench, &root).out, NOTHING);
    // A fault that is new in the submodule is new.
    fs::write(
        root.join("sub/skills/s/SKILL.md"),
        format!("{skill}Or `scripts/two.sh`.\n"),
    )
    .unwrap();
    let said = since_head(&bench, &root);
    assert_eq!(said.out.matches("file-missing").count(), 1, "{said:#?}");
    assert!(said.out.contains("scripts/two.sh"), "{said:#?}");
}

#[test]
fn an_exception_that_excepts_nothing_is_told() {
    let bench = Bench::new();
    let root = repository(&bench, "app", "<!-- psst -->\n");
    let except = "[[check.except]]\ncode = \"comment-removed\"\npath = \"AGENTS.md\"\n\
                  [[check.except]]\ncode = \"invalid\"\npath = \"docs/**\"\n";
    fs::write(root.join(".ctxpin.toml"), except).unwrap();
    let told = "the exception of .ctxpin.toml with the code invalid and the path docs/** excepts nothing\n";
    let said = bench.run(&root, &["check", "--strict"]);
    assert_eq!((said.out.as_str(), said.err.as_str()), (NOTHING, told));
    // One path says nothing about the others.
    let said = bench.run(&root, &["check", "AGENTS.md"]);
    assert_eq!(said.err, "");
}
