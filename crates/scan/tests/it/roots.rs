//! Which roots are scanned, in which order, and what may be declared.

use std::cell::Cell;
use std::fs;

use ctxpin_scan::roots::{Declared, Request, check_source};
use ctxpin_scan::trust::Trust;
use ctxpin_scan::{ScanError, scan};

use crate::workspace::Workspace;

fn everything() -> Workspace {
    let w = Workspace::with(&[
        ("home/.claude/CLAUDE.md", "mine"),
        ("home/.codex/AGENTS.md", "codex"),
        ("home/.claude/.mcp.json", "{}"),
        ("AGENTS.md", "above the project"),
        ("project/AGENTS.md", "top"),
        ("project/.mcp.json", "{}"),
        ("project/pkg/AGENTS.md", "middle"),
        ("project/pkg/web/AGENTS.md", "working"),
        ("project/pkg/web/.mcp.json", "{}"),
        ("project/pkg/web/deeper/AGENTS.md", "below"),
    ]);
    w.skill("home/.agents/skills/mine");
    w.skill("project/skills/top");
    w
}

#[test]
fn a_package_finds_the_files_of_its_project() {
    let mut w = everything();
    w.request.directory = w.path("project/pkg/web");
    let found = w.check(&[
        "ok project/AGENTS.md",
        "ok project/skills/top/SKILL.md",
        "ok project/pkg/AGENTS.md",
        "ok project/pkg/web/AGENTS.md",
        "ok project/pkg/web/.mcp.json",
    ]);
    assert_eq!(
        found.snapshot.facts.directory,
        Some(w.text("project/pkg/web"))
    );
}

#[test]
fn user_roots_come_first_and_only_on_request() {
    let mut w = everything();
    w.check(&[
        "ok project/AGENTS.md",
        "ok project/skills/top/SKILL.md",
        "ok project/.mcp.json",
    ]);
    w.request.user_roots = true;
    w.check(&[
        "ok home/.agents/skills/mine/SKILL.md",
        "ok home/.claude/CLAUDE.md",
        "ok home/.claude/.mcp.json",
        "ok home/.codex/AGENTS.md",
        "ok project/AGENTS.md",
        "ok project/skills/top/SKILL.md",
        "ok project/.mcp.json",
    ]);
}

#[test]
fn without_a_repository_the_directory_stands_alone() {
    let mut w = everything();
    fs::remove_dir(w.path("project/.git")).unwrap();
    w.request.directory = w.path("project/pkg");
    w.check(&["ok project/pkg/AGENTS.md"]);
    // A worktree's `.git` is a file.
    w.write("project/.git", "gitdir: elsewhere");
    w.check(&[
        "ok project/AGENTS.md",
        "ok project/skills/top/SKILL.md",
        "ok project/pkg/AGENTS.md",
    ]);
}

#[test]
fn a_working_directory_behind_a_link() {
    let mut w = everything();
    w.link("shortcut", w.path("project/pkg"));
    w.request.directory = w.path("shortcut");
    let found = w.check(&[
        "ok project/AGENTS.md",
        "ok project/skills/top/SKILL.md",
        "ok project/pkg/AGENTS.md",
    ]);
    assert_eq!(found.snapshot.facts.directory, Some(w.text("project/pkg")));
}

#[test]
fn declared_sources_come_last_in_their_order_and_once() {
    let mut w = Workspace::with(&[
        ("project/AGENTS.md", "top"),
        ("project/docs/b.md", "b"),
        ("project/docs/a.mdc", "a"),
        ("project/extra/AGENTS.md", "extra"),
        ("project/extra/.mcp.json", "{}"),
        ("project/other/.mcp.json", "{}"),
    ]);
    w.skill("project/tools/skills/x");
    w.skill("project/one");
    for path in [
        "docs/b.md",
        "docs/a.mdc",
        "extra",
        "",
        "docs/../extra",
        "tools/skills",
        "one/SKILL.md",
        "other/.mcp.json",
    ] {
        w.declare(&format!("project/{path}"));
    }
    w.check(&[
        "ok project/AGENTS.md",
        "ok project/docs/b.md",
        "ok project/docs/a.mdc",
        "ok project/extra/AGENTS.md",
        "ok project/extra/.mcp.json",
        "ok project/tools/skills/x/SKILL.md",
        "ok project/one/SKILL.md",
        "ok project/other/.mcp.json",
    ]);
}

#[test]
fn a_declared_source_outside_is_listed_and_not_read() {
    let mut w = Workspace::with(&[
        ("outside/notes.md", "SECRET"),
        ("outside/dir/AGENTS.md", "SECRET TOO"),
        ("project/.env", "SECRET"),
        ("project/plain.txt", "text"),
        ("home/.claude/more.md", "mine"),
    ]);
    w.link("project/linked.md", w.path("outside/notes.md"));
    w.link("project/linked", w.path("outside/dir"));
    w.link("project/hidden.md", ".env");
    w.link("project/dangling.md", "nowhere.md");
    let fifo = w.path("project/fifo.md");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let paths = [
        "outside/notes.md",
        "outside/dir",
        "outside/missing",
        "project/linked.md",
        "project/linked",
        "project/hidden.md",
        "project/plain.txt",
        "project/fifo.md",
        "project/dangling.md",
        "project/missing.md",
        "project/missing/../../outside/notes.md",
        "home/.claude/more.md",
    ];
    for path in paths {
        w.declare(path);
    }
    let found = w.check(&[
        "invalid outside/notes.md",
        "invalid outside/dir",
        "invalid outside/missing",
        "invalid project/linked.md",
        "invalid project/linked",
        "invalid project/hidden.md",
        "invalid project/plain.txt",
        "invalid project/fifo.md",
        "unreadable project/dangling.md",
        "invalid project/missing/../../outside/notes.md",
        "ok home/.claude/more.md",
    ]);
    assert_eq!(found.bodies.len(), 1);
    assert!(w.error(&found, "outside/notes.md").contains("escapes"));
    assert!(w.error(&found, "outside/notes.md").contains("--allow-root"));
    assert!(w.error(&found, "project/plain.txt").contains(".mdc"));
    for path in paths {
        let is_fine = ["project/missing.md", "home/.claude/more.md"].contains(&path);
        let checked = check_source(&w.request, &w.path(path));
        assert_eq!(checked.is_ok(), is_fine, "{path}: {checked:?}");
    }
    let error = check_source(&w.request, "../outside/dir".as_ref())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot be a source") && error.contains("--allow-root"),
        "{error}"
    );
    w.request.allowed.push(w.path("outside"));
    let kept = check_source(&w.request, "linked".as_ref()).unwrap();
    assert_eq!(kept, w.path("project/linked"), "a link stays one");
    assert_eq!(w.scan().bodies.len(), 3);
}

#[test]
fn a_source_is_checked_again_at_every_scan() {
    let mut w = Workspace::with(&[
        ("project/a/AGENTS.md", "a"),
        ("outside/b/AGENTS.md", "SECRET"),
    ]);
    w.link("project/source", "a");
    w.declare("project/source");
    assert!(check_source(&w.request, &w.path("project/source")).is_ok());
    w.check(&["ok project/a/AGENTS.md"]);
    fs::remove_file(w.path("project/source")).unwrap();
    w.link("project/source", w.path("outside/b"));
    let found = w.check(&["invalid project/source"]);
    assert!(found.bodies.is_empty());
}

#[test]
fn one_file_or_directory_alone() {
    let w = Workspace::with(&[
        ("project/AGENTS.md", "top"),
        ("project/pkg/notes.md", "notes"),
        ("project/pkg/notes.txt", "text"),
        ("project/pkg/.mcp.json", "{}"),
        ("outside/secret.md", "SECRET"),
    ]);
    w.skill("project/pkg/tool");
    w.link("project/pkg/near.md", "notes.md");
    w.link("project/pkg/far.md", w.path("outside/secret.md"));
    let check = |path: &str, expected: &[&str]| {
        let request = Request::single(w.path(path), w.path("home"), Trust::of_process());
        let found = scan(&request, &|| false).unwrap();
        let shown: Vec<_> = found.snapshot.resources.iter().map(|r| w.show(r)).collect();
        assert_eq!(shown, expected, "{path}");
        found
    };
    let found = check("project/pkg/notes.md", &["ok project/pkg/notes.md"]);
    assert_eq!(found.snapshot.facts.directory, Some(w.text("project/pkg")));
    check("project/pkg/notes.txt", &["invalid project/pkg/notes.txt"]);
    check("project/pkg/.mcp.json", &["ok project/pkg/.mcp.json"]);
    check(
        "project/pkg/tool/SKILL.md",
        &["ok project/pkg/tool/SKILL.md"],
    );
    check("project/pkg/near.md", &["ok project/pkg/notes.md"]);
    assert!(
        check("project/pkg/far.md", &["invalid project/pkg/far.md"])
            .bodies
            .is_empty()
    );
    check("project/pkg", &["ok project/pkg/.mcp.json"]);
}

#[test]
fn what_keeps_a_scan_from_starting() {
    let w = Workspace::with(&[("project/AGENTS.md", "a")]);
    let fail = |path: &str| {
        let request = Request::project(w.path(path), w.path("home"), Trust::of_process());
        scan(&request, &|| false).unwrap_err().to_string()
    };
    assert_eq!(
        fail("missing"),
        format!("{} does not exist", w.text("missing"))
    );
    let file = w.text("project/AGENTS.md");
    assert_eq!(
        fail("project/AGENTS.md"),
        format!("{file} is not a directory")
    );
    w.link("loop", "loop");
    assert!(fail("loop").contains("cannot be read"));
    let request = Request::single(w.path("missing.md"), w.path("home"), Trust::of_process());
    assert!(matches!(
        scan(&request, &|| false),
        Err(ScanError::Missing(_))
    ));
}

#[test]
fn a_cancelled_scan_gives_nothing() {
    let w = Workspace::new();
    for index in 0..20 {
        w.skill(&format!("project/skills/s{index}"));
    }
    let whole = Cell::new(0);
    let count = || {
        whole.set(whole.get() + 1);
        false
    };
    scan(&w.request, &count).unwrap();
    assert!(whole.get() > 20, "it is asked before each file");
    for stop in 0..whole.get() {
        let asked = Cell::new(0);
        let cancelled = || asked.replace(asked.get() + 1) == stop;
        assert!(matches!(
            scan(&w.request, &cancelled),
            Err(ScanError::Cancelled)
        ));
    }
}

#[test]
fn the_last_root_wins_a_skill_name() {
    let mut w = Workspace::new();
    w.request.user_roots = true;
    w.skill("home/.agents/skills/deploy");
    w.skill("project/.claude/skills/deploy");
    w.skill("project/.agents/skills/deploy");
    let found = w.check(&[
        "excluded home/.agents/skills/deploy/SKILL.md",
        "ok project/.agents/skills/deploy/SKILL.md",
        "excluded project/.claude/skills/deploy/SKILL.md",
    ]);
    let winner = w.text("project/.agents/skills/deploy/SKILL.md");
    let error = w.error(&found, "home/.agents/skills/deploy/SKILL.md");
    assert_eq!(error, format!("shadowed by {winner}"));
    // One that is broken shadows nothing.
    w.write("project/.agents/skills/deploy/SKILL.md", "no frontmatter");
    w.check(&[
        "excluded home/.agents/skills/deploy/SKILL.md",
        "invalid project/.agents/skills/deploy/SKILL.md",
        "ok project/.claude/skills/deploy/SKILL.md",
    ]);
    w.request.sources.push(Declared {
        path: "no/such".into(),
    });
    assert_eq!(w.scan().snapshot.resources.len(), 3);
}

#[test]
fn the_home_itself_is_no_source() {
    let mut w = Workspace::with(&[
        ("home/AGENTS.md", "SECRET"),
        ("home/.ssh/notes.md", "SECRET"),
        ("home/.claude/CLAUDE.md", "mine"),
    ]);
    w.request.user_roots = true;
    for path in ["home", "home/AGENTS.md", "home/.ssh", "home/.ssh/notes.md"] {
        assert!(
            check_source(&w.request, &w.path(path)).is_err(),
            "{path} can be declared"
        );
        w.declare(path);
    }
    let found = w.check(&[
        "ok home/.claude/CLAUDE.md",
        "invalid home",
        "invalid home/AGENTS.md",
        "invalid home/.ssh",
        "invalid home/.ssh/notes.md",
    ]);
    assert_eq!(found.bodies.len(), 1);
}

#[test]
fn a_repository_below_gives_nothing() {
    let w = Workspace::with(&[
        ("project/AGENTS.md", "top"),
        ("project/child/.git/HEAD", "ref: refs/heads/main"),
        ("project/child/AGENTS.md", "child"),
        ("project/child/.mcp.json", "{}"),
    ]);
    w.skill("project/child/.claude/skills/a");
    w.check(&["ok project/AGENTS.md"]);
}
