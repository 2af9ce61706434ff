//! What is an instruction file, and which of several is used.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::Content;

use crate::workspace::Workspace;

#[test]
fn the_four_places_in_path_order() {
    let w = Workspace::with(&[
        ("project/CLAUDE.md", "b"),
        ("project/AGENTS.md", "a"),
        ("project/.cursorrules", "d"),
        ("project/.claude/CLAUDE.md", "c"),
        ("project/README.md", "e"),
        ("project/docs/AGENTS.md", "f"),
        ("project/.agents/AGENTS.md", "g"),
    ]);
    let found = w.check(&[
        "ok project/.claude/CLAUDE.md",
        "ok project/.cursorrules",
        "ok project/AGENTS.md",
        "ok project/CLAUDE.md",
    ]);
    let first = &found.snapshot.resources[0];
    assert_eq!(first.content, Some(Content::Pinned(BlobHash::of(b"c"))));
    assert_eq!(first.size, 1);
    assert_eq!(first.root, Some(w.text("project")));
    assert_eq!(found.snapshot.facts.directory, Some(w.text("project")));
    assert_eq!(
        found.snapshot.facts.os.as_deref(),
        Some(std::env::consts::OS)
    );
}

#[test]
fn other_spellings_are_other_files() {
    let w = Workspace::with(&[
        ("project/agents.md", "a"),
        ("project/Agents.md", "b"),
        ("project/CLAUDE.MD", "c"),
    ]);
    w.check(&[]);
    w.write("project/AGENTS.md", "d");
    w.write("project/agents.MD", "e");
    w.check(&["ok project/AGENTS.md"]);
}

#[test]
fn equal_bytes_are_used_once_per_root() {
    let w = Workspace::with(&[
        ("project/AGENTS.md", "same"),
        ("project/CLAUDE.md", "same"),
        ("project/.claude/CLAUDE.md", "same"),
        ("project/.cursorrules", "other"),
    ]);
    let found = w.check(&[
        "excluded project/.claude/CLAUDE.md",
        "ok project/.cursorrules",
        "ok project/AGENTS.md",
        "excluded project/CLAUDE.md",
    ]);
    let expected = format!("same bytes as {}", w.text("project/AGENTS.md"));
    assert_eq!(w.error(&found, "project/CLAUDE.md"), expected);
    let mut w = Workspace::with(&[
        ("project/AGENTS.md", "same"),
        ("project/pkg/AGENTS.md", "same"),
    ]);
    w.request.directory = w.path("project/pkg");
    w.check(&["ok project/AGENTS.md", "ok project/pkg/AGENTS.md"]);
}

#[test]
fn an_empty_file_is_a_file() {
    Workspace::with(&[("project/AGENTS.md", "")]).check(&["ok project/AGENTS.md"]);
}

#[test]
fn bytes_that_are_no_text() {
    let w = Workspace::new();
    w.write("project/AGENTS.md", b"ok so far \xff\xfe");
    let found = w.check(&["invalid project/AGENTS.md"]);
    assert_eq!(
        w.error(&found, "project/AGENTS.md"),
        "it is not UTF-8 (first bad byte at offset 10)"
    );
    let content = found.snapshot.resources[0].content;
    assert_eq!(
        content,
        Some(Content::Claimed(BlobHash::of(b"ok so far \xff\xfe")))
    );
}

#[test]
fn two_scans_are_equal_whatever_came_first() {
    let files = [
        "AGENTS.md",
        "skills/a/SKILL.md",
        "skills/b/SKILL.md",
        "skills/a/x.txt",
        "skills/a/y/z.txt",
    ];
    let mut hashes = Vec::new();
    let w = Workspace::new();
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]] {
        let _ = std::fs::remove_dir_all(w.path("project/skills"));
        let _ = std::fs::remove_file(w.path("project/AGENTS.md"));
        for index in order {
            let name = if index == 2 { "b" } else { "a" };
            w.write(
                &format!("project/{}", files[index]),
                crate::workspace::skill_md(name),
            );
        }
        let found = w.scan();
        assert_eq!(found, w.scan());
        hashes.push((found.snapshot.addresses(), found.places.len()));
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_eq!(hashes[0], hashes[2]);
}
