//! Skills, their folders and their supporting files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::{Content, SkillFile};
use ctxpin_scan::scan;

use crate::workspace::{Workspace, skill_md};

#[test]
fn the_folders_of_skills_in_their_order() {
    let mut w = Workspace::new();
    for path in [
        ".codex/skills/d",
        ".claude/skills/c",
        ".agents/skills/b",
        "skills/z",
        "skills/a",
        "other/x",
        "skills/a/inner",
    ] {
        w.skill(&format!("project/{path}"));
    }
    w.write("project/skills/README.md", "no skill");
    w.write("project/skills/empty/skill.md", skill_md("empty"));
    w.check(&[
        "ok project/skills/a/SKILL.md",
        "ok project/skills/z/SKILL.md",
        "ok project/.agents/skills/b/SKILL.md",
        "ok project/.claude/skills/c/SKILL.md",
        "ok project/.codex/skills/d/SKILL.md",
    ]);
    w.request.directory = w.path("project/skills");
    w.skill("project/skills/skills/own");
    w.check(&[
        "ok project/skills/a/SKILL.md",
        "ok project/skills/z/SKILL.md",
        "ok project/.agents/skills/b/SKILL.md",
        "ok project/.claude/skills/c/SKILL.md",
        "ok project/.codex/skills/d/SKILL.md",
        "ok project/skills/skills/own/SKILL.md",
    ]);
}

#[test]
fn a_skill_with_its_files() {
    let w = Workspace::new();
    w.skill("project/skills/pdf");
    w.write("project/skills/pdf/scripts/run.sh", "#!/bin/sh\n");
    let script = w.path("project/skills/pdf/scripts/run.sh");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    w.write("project/skills/pdf/a.bin", b"\x00\xff");
    w.write("project/skills/pdf/scripts/SKILL.md", "a supporting file");
    for path in [
        ".hidden",
        ".git/config",
        "__pycache__/x.pyc",
        "node_modules/m/index.js",
        "lib/.env",
        "SKILL.md~",
        "#SKILL.md#",
        "scripts/run.sh~",
    ] {
        w.write(&format!("project/skills/pdf/{path}"), "SECRET");
    }
    let found = w.check(&["ok project/skills/pdf/SKILL.md"]);
    let skill = &found.snapshot.resources[0];
    assert_eq!(skill.name.as_deref(), Some("pdf"));
    assert_eq!(skill.description.as_deref(), Some("Does pdf."));
    assert_eq!(skill.body(), Some(BlobHash::of(skill_md("pdf").as_bytes())));
    let file = |path: &str, bytes: &[u8], executable| SkillFile {
        path: path.into(),
        content: Some(Content::Pinned(BlobHash::of(bytes))),
        size: bytes.len() as u64,
        executable,
        error: None,
    };
    assert_eq!(
        skill.files,
        [
            file("a.bin", b"\x00\xff", false),
            file("scripts/SKILL.md", b"a supporting file", false),
            file("scripts/run.sh", b"#!/bin/sh\n", true),
        ]
    );
    assert_eq!(found.bodies.len(), 4);
}

#[test]
fn an_invalid_skill_tells_its_reason_and_pins_nothing() {
    let w = Workspace::new();
    w.write("project/skills/pdf/SKILL.md", "---\nname: PDF\n---\n");
    w.write("project/skills/pdf/a.txt", "a");
    w.write("project/skills/none/SKILL.md", "# no frontmatter\n");
    w.write("project/skills/bytes/SKILL.md", b"---\nname: \xff\n---\n");
    let found = w.check(&[
        "invalid project/skills/bytes/SKILL.md",
        "invalid project/skills/none/SKILL.md",
        "invalid project/skills/pdf/SKILL.md",
    ]);
    assert!(found.bodies.is_empty());
    let error = w.error(&found, "project/skills/pdf/SKILL.md");
    assert_eq!(error, "`description` is missing");
    // A change of its files shows all the same.
    let file = &found.snapshot.resources[2].files[0];
    assert_eq!(file.path, "a.txt");
    assert_eq!(
        file.error.as_deref(),
        Some("left out: the skill is not used")
    );
    w.write("project/skills/pdf/a.txt", "b");
    assert_ne!(
        w.scan().snapshot.resources[2].files[0].content,
        file.content
    );
}

#[test]
fn a_skill_file_that_is_no_file() {
    let w = Workspace::new();
    fs::create_dir_all(w.path("project/skills/a/SKILL.md")).unwrap();
    w.link("project/skills/b/SKILL.md", "SKILL.md");
    w.link("project/skills/c/SKILL.md", "missing");
    w.skill("outside/d");
    w.link("project/skills/d/SKILL.md", w.path("outside/d/SKILL.md"));
    w.write("project/skills/e/docs/main.md", skill_md("e"));
    w.link("project/skills/e/SKILL.md", "docs/main.md");
    let found = w.check(&[
        "invalid project/skills/a/SKILL.md",
        "unreadable project/skills/b/SKILL.md",
        "unreadable project/skills/c/SKILL.md",
        "invalid project/skills/d/SKILL.md",
        "ok project/skills/e/SKILL.md",
    ]);
    assert!(
        w.error(&found, "project/skills/a/SKILL.md")
            .contains("a directory")
    );
    assert!(
        w.error(&found, "project/skills/b/SKILL.md")
            .contains("loop")
    );
    assert!(
        w.error(&found, "project/skills/c/SKILL.md")
            .contains("dangling")
    );
    assert!(
        w.error(&found, "project/skills/d/SKILL.md")
            .contains("escapes")
    );
}

#[test]
fn linked_skills() {
    let mut w = Workspace::new();
    w.skill("project/vendor/pdf");
    w.skill("project/.agents/skills/shared");
    w.skill("outside/far");
    w.link("project/skills/pdf", "../vendor/pdf");
    w.link("project/.claude/skills", "../.agents/skills");
    w.link("project/skills/far", w.path("outside/far"));
    w.link("project/skills/loop", "loop");
    w.link("project/skills/gone", "nowhere");
    w.link("project/skills/README", "../vendor/pdf/SKILL.md");
    w.link("project/skills/elsewhere", w.path("outside"));
    w.skill("project/.hidden/cave");
    w.link("project/skills/cave", "../.hidden/cave");
    // The directory has another name than the skill; the link has the right one.
    w.write("project/vendor/v2/SKILL.md", skill_md("renamed"));
    w.link("project/skills/renamed", "../vendor/v2");
    let found = w.check(&[
        "ok project/.hidden/cave/SKILL.md",
        "invalid project/skills/far/SKILL.md",
        "unreadable project/skills/gone/SKILL.md",
        "unreadable project/skills/loop/SKILL.md",
        "ok project/vendor/pdf/SKILL.md",
        "ok project/skills/renamed/SKILL.md",
        "ok project/.agents/skills/shared/SKILL.md",
    ]);
    assert!(
        w.error(&found, "project/skills/far/SKILL.md")
            .contains("escapes")
    );
    // What escapes one root is found under its own.
    w.declare("outside");
    w.request.allowed.push(w.path("outside"));
    w.skill("outside/skills/near");
    w.link("project/skills/near", w.path("outside/skills/near"));
    let shown: Vec<_> = w
        .scan()
        .snapshot
        .resources
        .iter()
        .map(|r| w.show(r))
        .collect();
    assert!(
        shown.contains(&"ok outside/skills/near/SKILL.md".to_owned()),
        "{shown:?}"
    );
    assert!(
        !shown
            .iter()
            .any(|line| line.contains("project/skills/near")),
        "{shown:?}"
    );
}

#[test]
fn a_folder_of_skills_behind_a_link() {
    let mut w = Workspace::new();
    w.request.user_roots = true;
    w.skill("home/.agents/skills/mine");
    w.link("home/.claude/skills", "../.agents/skills");
    w.check(&["ok home/.agents/skills/mine/SKILL.md"]);
    w.skill("outside/skills/far");
    w.link("home/.codex/skills", w.path("outside/skills"));
    w.link("project/.claude", w.path("outside"));
    let found = w.check(&[
        "ok home/.agents/skills/mine/SKILL.md",
        "invalid home/.codex/skills",
        "invalid project/.claude/skills",
    ]);
    assert!(w.error(&found, "home/.codex/skills").contains("escapes"));
    assert!(
        w.error(&found, "project/.claude/skills")
            .contains(".claude: the link escapes")
    );
}

#[test]
fn links_in_a_skill() {
    let w = Workspace::new();
    w.skill("project/skills/a");
    w.write("project/skills/a/docs/real.md", "real");
    w.write("project/skills/a/.env", "SECRET");
    w.write("project/near.md", "SECRET");
    w.link("project/skills/a/b-inside.md", "docs/real.md");
    w.link("project/skills/a/c-escapes.md", "../../near.md");
    w.link("project/skills/a/d-hidden.md", ".env");
    w.link("project/skills/a/e-folder", "docs");
    w.link("project/skills/a/f-loop", "f-loop");
    w.link("project/skills/a/g-up", "..");
    w.link("project/skills/a/h-gone", "nowhere");
    let fifo = w.path("project/skills/a/i-fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let found = w.check(&["ok project/skills/a/SKILL.md"]);
    let files = &found.snapshot.resources[0].files;
    let told: Vec<_> = files
        .iter()
        .map(|file| (file.path.as_str(), file.error.as_deref()))
        .collect();
    let escapes = format!("the link escapes {}", w.text("project/skills/a"));
    assert_eq!(
        told,
        [
            ("b-inside.md", None),
            ("c-escapes.md", Some(escapes.as_str())),
            (
                "d-hidden.md",
                Some("the link leads through `.env`, which is never read for context")
            ),
            ("docs/real.md", None),
            ("e-folder", Some("a link to a directory is not followed")),
            ("f-loop", Some("a loop of links")),
            ("g-up", Some("a link to a directory is not followed")),
            (
                "h-gone",
                Some("a dangling link: what it leads to does not exist")
            ),
            ("i-fifo", Some("it is a FIFO, not a regular file")),
        ]
    );
    assert_eq!(found.bodies.len(), 2);
}

#[test]
fn names_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let w = Workspace::new();
    w.skill("project/skills/a");
    for name in [&b"x\xff"[..], b"x\xfe"] {
        fs::write(
            w.path("project/skills/a").join(OsStr::from_bytes(name)),
            "x",
        )
        .unwrap();
        let skill = w.path("project/skills").join(OsStr::from_bytes(name));
        fs::create_dir(&skill).unwrap();
        fs::write(skill.join("SKILL.md"), skill_md("x")).unwrap();
    }
    let found = w.scan();
    let resources = &found.snapshot.resources;
    assert_eq!(resources.len(), 3);
    assert_eq!(resources[0].files.len(), 2);
    assert_ne!(resources[0].files[0].path, resources[0].files[1].path);
    assert!(
        resources[0]
            .files
            .iter()
            .all(|file| file.error.as_deref() == Some("its path is not UTF-8"))
    );
    for resource in &resources[1..] {
        assert_eq!(resource.status.as_str(), "invalid");
        assert!(
            resource.source.contains("/x\u{fffd}/SKILL.md~"),
            "{resource:?}"
        );
    }
    assert_ne!(resources[1].source, resources[2].source);
}

#[test]
fn a_backslash_is_part_of_a_name() {
    let w = Workspace::with(&[("project/secret.md", "SECRET")]);
    w.skill("project/skills/a");
    w.write("project/skills/a/x\\y.md", "one");
    w.write("project/skills/a/x/y.md", "two");
    w.write("project/skills/a/..\\..\\secret.md", "not a secret");
    let found = w.check(&["ok project/skills/a/SKILL.md"]);
    let files = &found.snapshot.resources[0].files;
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    // What begins with a point is no part of a skill, whatever follows.
    assert_eq!(paths, ["x/y.md", "x\\y.md"]);
    assert_ne!(files[0].content, files[1].content);
}

#[test]
fn names_that_would_write_lines_or_turn_the_direction_are_names() {
    let mut w = Workspace::new();
    let lines = "a\nSource: b\r\n<!-- c -->.md";
    let turned = "\u{202e}dm.exe\u{2066}";
    w.skill("project/skills/a");
    for name in [lines, turned, "..\u{200b}", "...", "a\t"] {
        w.write(&format!("project/skills/a/{name}"), "x");
    }
    // A directory of such a name is a root like any other, its skill is none.
    let root = format!("project/{lines}");
    w.write(&format!("{root}/AGENTS.md"), "x");
    w.write(
        &format!("{root}/skills/{turned}/SKILL.md"),
        skill_md(turned),
    );
    w.request.directory = w.path(&root);
    let found = w.check(&[
        "ok project/skills/a/SKILL.md",
        &format!("ok {root}/AGENTS.md"),
        &format!("invalid {root}/skills/{turned}/SKILL.md"),
    ]);
    let files = &found.snapshot.resources[0].files;
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a\t", lines, turned]);
    assert!(files.iter().all(|file| file.body().is_some()));
    let directory = found.snapshot.facts.directory.as_deref();
    assert_eq!(directory, Some(w.text(&root).as_str()));
}

/// How many links lead to one skill here; each reading of it would be told by what it says of its files.
const LINKS: usize = 300;

#[test]
fn finding_15_a_linked_skill_is_read_once() {
    let w = Workspace::new();
    w.skill("project/big/a");
    for index in 0..40 {
        w.write(&format!("project/big/a/{index}"), "x");
    }
    for index in 0..LINKS {
        w.link(&format!("project/skills/s{index:03}"), "../big/a");
    }
    // The scan asks before each skill and each file whether to go on.
    let asked = |w: &Workspace| {
        let asked = std::cell::Cell::new(0);
        let go_on = || {
            asked.set(asked.get() + 1);
            false
        };
        scan(&w.request, &go_on).unwrap();
        asked.get()
    };
    let once = asked(&w);
    assert!((LINKS + 40..LINKS + 80).contains(&once), "{once}");
    w.check(&["ok project/skills/s000/SKILL.md"]);
    // One that nothing can be made of is not read under every name either.
    w.write("project/big/a/SKILL.md", "no frontmatter");
    assert_eq!(asked(&w), once);
    w.check(&["invalid project/skills/s000/SKILL.md"]);
    // But where its name alone is at fault, the first one that can be used gives it another.
    w.write("project/big/a/SKILL.md", "---\ndescription: x\n---\n");
    w.link("project/skills/a b", "../big/a");
    w.link("project/skills/a c", "../big/a");
    w.check(&["ok project/skills/s000/SKILL.md"]);
}

#[test]
fn finding_15_a_linked_folder_of_skills_is_looked_at_once() {
    let mut w = Workspace::new();
    for index in 0..20 {
        w.skill(&format!("project/all/s{index:02}"));
    }
    let mut deep = "project".to_owned();
    for _ in 0..30 {
        w.link(&format!("{deep}/skills"), w.path("project/all"));
        w.link(&format!("{deep}/.claude/skills"), w.path("project/all"));
        deep += "/d";
    }
    w.write(&format!("{deep}/AGENTS.md"), "deep");
    w.request.directory = w.path(&deep);
    let asked = std::cell::Cell::new(0);
    let go_on = || {
        asked.set(asked.get() + 1);
        false
    };
    let found = scan(&w.request, &go_on).unwrap();
    assert_eq!(found.snapshot.resources.len(), 21);
    // For each of 31 directories six times, and for each skill once.
    assert!(asked.get() < 300, "{}", asked.get());
    // A declared source that gives the same again is not empty.
    w.declare("project/d");
    w.check_notes(&[]);
}

#[test]
fn finding_15_what_is_no_skill_is_looked_at_once() {
    let w = Workspace::new();
    for index in 0..50 {
        w.write(&format!("project/none/{index}/x"), "x");
    }
    for index in 0..LINKS {
        w.link(&format!("project/skills/s{index:03}"), "../none");
    }
    let found = w.scan();
    assert!(found.snapshot.resources.is_empty());
    let told = w.notes(&found);
    assert_eq!(
        told[0],
        "skill-absent project/skills/s000: it has no SKILL.md"
    );
    assert_eq!(told.last().unwrap(), "notes-cut : 101");
}
