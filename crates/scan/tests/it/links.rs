//! Links of instruction files, and everything that is no regular file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use ctxpin_model::resource::Status;
use ctxpin_model::warning::Code;
use ctxpin_scan::Scan;
use ctxpin_scan::roots::Declared;

use crate::workspace::Workspace;

#[test]
fn a_link_stands_under_its_target() {
    let w = Workspace::with(&[("project/docs/rules.md", "rules")]);
    w.link("project/AGENTS.md", "docs/rules.md");
    w.link("project/CLAUDE.md", "AGENTS.md");
    w.link(
        "project/.claude/CLAUDE.md",
        w.path("project/docs/../docs/rules.md"),
    );
    w.check(&["ok project/docs/rules.md"]);
}

#[test]
fn a_link_may_lead_anywhere_in_the_project() {
    let mut w = Workspace::with(&[
        ("project/AGENTS.md", "top"),
        ("project/rules/more.md", "more"),
    ]);
    w.link("project/pkg/AGENTS.md", "../AGENTS.md");
    w.link("project/pkg/CLAUDE.md", "../rules/more.md");
    w.request.directory = w.path("project/pkg");
    let found = w.check(&["ok project/AGENTS.md", "ok project/rules/more.md"]);
    assert_eq!(
        found.snapshot.resources[1].root,
        Some(w.text("project/pkg"))
    );
}

#[test]
fn a_link_out_of_the_root_is_invalid_and_unread() {
    let w = Workspace::with(&[
        ("outside/id_rsa", "SECRET"),
        ("project-two/AGENTS.md", "SECRET"),
    ]);
    w.link("project/AGENTS.md", w.path("outside/id_rsa"));
    w.link("project/CLAUDE.md", "../project-two/AGENTS.md");
    w.link("project/.cursorrules", "/etc/passwd");
    let found = w.check(&[
        "invalid project/.cursorrules",
        "invalid project/AGENTS.md",
        "invalid project/CLAUDE.md",
    ]);
    let error = |name: &str| w.error(&found, &format!("project/{name}"));
    let escapes = format!("the link escapes {}", w.text("project"));
    // No command reads these, for they hold secrets or are no text for a model.
    assert_eq!(error("AGENTS.md"), escapes);
    assert_eq!(error(".cursorrules"), escapes);
    let target = w.text("project-two/AGENTS.md");
    assert_eq!(
        error("CLAUDE.md"),
        format!(
            "{escapes}; --allow-root {} and `ctxpin source add {target}` read it",
            w.text("project-two")
        )
    );
    assert!(found.bodies.is_empty());
    assert!(
        found
            .snapshot
            .resources
            .iter()
            .all(|r| r.content.is_none() && r.size == 0)
    );
}

#[test]
fn a_link_through_what_holds_secrets_is_invalid() {
    let w = Workspace::with(&[
        ("project/.env", "SECRET"),
        ("project/.git/config", "SECRET"),
        ("project/.agents/rules.md", "rules"),
    ]);
    w.link("project/AGENTS.md", ".env");
    w.link("project/CLAUDE.md", ".git/config");
    w.link("project/.claude/CLAUDE.md", "../.agents/rules.md");
    let found = w.check(&[
        "ok project/.agents/rules.md",
        "invalid project/AGENTS.md",
        "invalid project/CLAUDE.md",
    ]);
    let error = w.error(&found, "project/CLAUDE.md");
    let expected = "the link leads through `.git`, which is never read for context";
    assert_eq!(error, expected);
    assert_eq!(found.bodies.len(), 1);
}

#[test]
fn a_link_may_lead_through_other_hidden_directories_of_a_project() {
    let w = Workspace::with(&[
        ("project/.github/copilot-instructions.md", "rules"),
        ("project/.ai/claude.md", "more rules"),
    ]);
    w.skill("project/.github/skills/rel");
    w.link("project/.claude/skills", "../.github/skills");
    w.link("project/AGENTS.md", ".github/copilot-instructions.md");
    w.link("project/CLAUDE.md", ".ai/claude.md");
    w.check(&[
        "ok project/.ai/claude.md",
        "ok project/.github/copilot-instructions.md",
        "ok project/.github/skills/rel/SKILL.md",
    ]);
}

#[test]
fn a_link_of_a_user_root_may_lead_where_the_operator_allows() {
    let mut w = Workspace::with(&[
        ("home/dotfiles/CLAUDE.md", "mine"),
        (
            "home/dotfiles/.cursor/rules.md",
            "hidden in what was allowed",
        ),
        ("home/dotfiles/.ssh/notes.md", "SECRET"),
        ("home/.claude/.private/AGENTS.md", "hidden in a home"),
    ]);
    w.skill("home/dotfiles/skills/own");
    w.link("home/.claude/CLAUDE.md", "../dotfiles/CLAUDE.md");
    w.link("home/.claude/skills", "../dotfiles/skills");
    w.link("home/.codex/AGENTS.md", "../dotfiles/.cursor/rules.md");
    w.link("home/.codex/CLAUDE.md", "../dotfiles/.ssh/notes.md");
    w.link("home/.claude/AGENTS.md", ".private/AGENTS.md");
    w.link("project/AGENTS.md", w.path("home/dotfiles/CLAUDE.md"));
    w.request.user_roots = true;
    let found = w.scan();
    let dotfiles = w.text("home/dotfiles");
    let error = |path: &str| w.error(&found, path);
    assert_eq!(
        error("home/.claude/CLAUDE.md"),
        format!(
            "the link escapes {}; --allow-root {dotfiles} allows it",
            w.text("home/.claude")
        )
    );
    assert!(
        error("home/.claude/skills")
            .ends_with(&format!("--allow-root {dotfiles}/skills allows it"))
    );
    assert!(
        error("home/.codex/CLAUDE.md").ends_with(".codex"),
        "no advice for secrets"
    );
    let target = w.text("home/.claude/.private/AGENTS.md");
    assert_eq!(
        error("home/.claude/AGENTS.md"),
        format!(
            "the link leads through `.private`, which is hidden; `ctxpin source add {target}` reads it"
        )
    );
    w.request.allowed.push(w.path("home/dotfiles"));
    w.check(&[
        "invalid home/.claude/AGENTS.md",
        "ok home/dotfiles/CLAUDE.md",
        "ok home/dotfiles/skills/own/SKILL.md",
        "invalid home/.codex/CLAUDE.md",
        "ok home/dotfiles/.cursor/rules.md",
    ]);
    // A repository is not let out by it, but a person can declare the file.
    w.request.user_roots = false;
    let found = w.check(&["invalid project/AGENTS.md"]);
    let error = w.error(&found, "project/AGENTS.md");
    let advice = format!("; `ctxpin source add {dotfiles}/CLAUDE.md` reads it");
    assert!(error.ends_with(&advice), "{error}");
}

#[test]
fn allowing_a_home_allows_nothing_hidden_in_it() {
    let mut w = Workspace::with(&[
        ("home/notes/CLAUDE.md", "mine"),
        ("home/.private/AGENTS.md", "SECRET"),
    ]);
    w.link("home/.claude/CLAUDE.md", "../notes/CLAUDE.md");
    w.link("home/.claude/AGENTS.md", "../.private/AGENTS.md");
    w.request.user_roots = true;
    w.request.allowed.push(w.path("home"));
    w.check(&["invalid home/.claude/AGENTS.md", "ok home/notes/CLAUDE.md"]);
}

#[test]
fn a_root_behind_a_link_is_no_escape() {
    let mut w = Workspace::with(&[("dotfiles/claude/real.md", "mine")]);
    w.link("home/.claude", "../dotfiles/claude");
    w.link("dotfiles/claude/CLAUDE.md", w.path("home/.claude/real.md"));
    w.request.user_roots = true;
    w.check(&["ok dotfiles/claude/real.md"]);
}

#[test]
fn what_cannot_be_resolved_is_unreadable() {
    let w = Workspace::new();
    w.link("project/AGENTS.md", "missing.md");
    w.link("project/CLAUDE.md", ".cursorrules");
    w.link("project/.cursorrules", "CLAUDE.md");
    let found = w.check(&[
        "unreadable project/.cursorrules",
        "unreadable project/AGENTS.md",
        "unreadable project/CLAUDE.md",
    ]);
    assert!(w.error(&found, "project/AGENTS.md").contains("dangling"));
    assert!(w.error(&found, "project/CLAUDE.md").contains("loop"));
}

#[test]
fn what_is_no_regular_file_is_invalid() {
    let w = Workspace::new();
    fs::create_dir(w.path("project/AGENTS.md")).unwrap();
    let fifo = w.path("project/CLAUDE.md");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let _socket = UnixListener::bind(w.path("project/.cursorrules")).unwrap();
    w.link("project/.claude/CLAUDE.md", "../CLAUDE.md");
    w.link("project/.mcp.json", ".");
    let found = w.check(&[
        "invalid project/.claude/CLAUDE.md",
        "invalid project/.cursorrules",
        "invalid project/AGENTS.md",
        "invalid project/CLAUDE.md",
        "invalid project/.mcp.json",
    ]);
    let error = |path: &str| w.error(&found, &format!("project/{path}"));
    assert_eq!(error("AGENTS.md"), "it is a directory, not a regular file");
    assert_eq!(error("CLAUDE.md"), "it is a FIFO, not a regular file");
    assert_eq!(error(".cursorrules"), "it is a socket, not a regular file");
    assert_eq!(
        error(".claude/CLAUDE.md"),
        "the link leads to something that is no regular file"
    );
    assert_eq!(error(".mcp.json"), "it is a directory, not a regular file");
}

#[test]
fn a_valid_way_replaces_an_invalid_one() {
    let mut w = Workspace::with(&[("home/.codex/AGENTS.md", "mine")]);
    w.link("home/.claude/CLAUDE.md", "../.codex/AGENTS.md");
    w.request.user_roots = true;
    w.check(&["ok home/.codex/AGENTS.md"]);
    // In the other order too: here the valid one is found first.
    let mut w = Workspace::with(&[("home/.claude/CLAUDE.md", "mine")]);
    w.link("home/.codex/AGENTS.md", "../.claude/CLAUDE.md");
    w.request.user_roots = true;
    w.check(&["ok home/.claude/CLAUDE.md"]);
}

#[test]
fn a_file_without_permission_is_unreadable() {
    let w = Workspace::with(&[
        ("project/AGENTS.md", "x"),
        ("project/.claude/CLAUDE.md", "y"),
    ]);
    let close = |path: &str, mode| {
        fs::set_permissions(w.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    close("project/AGENTS.md", 0);
    close("project/.claude", 0);
    let found = w.scan();
    let shown: Vec<_> = found.snapshot.resources.iter().map(|r| w.show(r)).collect();
    // Permissions do not bind root, for whom this shows that they are no reason of ours.
    let status = if rustix::process::geteuid().is_root() {
        "ok"
    } else {
        "unreadable"
    };
    assert!(
        shown.contains(&format!("{status} project/AGENTS.md")),
        "{shown:?}"
    );
    close("project/.claude", 0o755);
    // A link that cannot be looked through binds everybody.
    fs::remove_file(w.path("project/AGENTS.md")).unwrap();
    w.link("project/AGENTS.md", "AGENTS.md/below");
    w.check(&[
        "ok project/.claude/CLAUDE.md",
        "unreadable project/AGENTS.md",
    ]);
}

#[test]
fn what_becomes_unreadable_keeps_its_kind() {
    let w = Workspace::with(&[("project/AGENTS.md", "x"), ("project/.mcp.json", "{}")]);
    w.skill("project/skills/a");
    let ids = |status: &str| {
        let resources = w.scan().snapshot.resources;
        assert!(
            resources.iter().all(|r| r.status.as_str() == status),
            "{resources:#?}"
        );
        let ids = resources.iter().map(|r| (r.kind, r.id()));
        ids.collect::<Vec<_>>()
    };
    let before = ids("ok");
    assert_eq!(before.len(), 3);
    for path in ["AGENTS.md", ".mcp.json", "skills/a/SKILL.md"] {
        let path = format!("project/{path}");
        fs::remove_file(w.path(&path)).unwrap();
        // A loop, since permissions do not bind root.
        w.link(&path, w.path(&path));
    }
    assert_eq!(ids("unreadable"), before);
}

#[test]
fn a_target_that_appears_makes_no_second_resource() {
    let mut w = Workspace::new();
    w.link("project/CLAUDE.md", "docs/rules.md");
    w.link("project/source.md", "docs/rules.md");
    w.declare("project/source.md");
    let dangling = [
        "unreadable project/CLAUDE.md",
        "unreadable project/source.md",
    ];
    w.check(&dangling);
    w.write("project/docs/rules.md", "rules");
    w.check(&["ok project/docs/rules.md"]);
    fs::remove_file(w.path("project/docs/rules.md")).unwrap();
    w.check(&dangling);
}

/// Does what a refusal advises, and scans again.
fn as_advised(w: &mut Workspace, advice: &str) -> Scan {
    if let Some((_, allowed)) = advice.split_once("--allow-root ") {
        let allowed = allowed.split([' ', ';']).next().unwrap();
        w.request.allowed.push(allowed.into());
    }
    if let Some((_, source)) = advice.split_once("`ctxpin source add ") {
        let path = source.split('`').next().unwrap().into();
        w.request.sources.push(Declared { path });
    }
    w.scan()
}

#[test]
fn what_a_refused_link_advises_helps() {
    let file = "---\nname: x\ndescription: d\n---\n";
    for (link, target, files) in [
        ("AGENTS.md", "rules.md", &["rules.md"][..]),
        ("skills/sk", "sk", &["sk/SKILL.md"]),
        (".claude/skills", "coll", &["coll/x/SKILL.md"]),
        (".agents", "agents", &["agents/skills/x/SKILL.md"]),
        (".claude", "claude", &["claude/CLAUDE.md"]),
        ("skills", "skills", &["skills/x/SKILL.md"]),
        ("skills/team", "coll", &["coll/x/SKILL.md"]),
    ] {
        let mut w = Workspace::new();
        for path in files {
            w.write(&format!("outside/{path}"), file);
        }
        w.link(
            &format!("project/{link}"),
            w.path(&format!("outside/{target}")),
        );
        let found = w.scan();
        let errors = found.snapshot.resources.iter();
        let errors = errors.filter_map(|resource| resource.error.clone());
        let notes = found.notes.iter();
        let notes = notes.filter_map(|note| note.warning.detail.clone());
        let told: Vec<_> = errors.chain(notes).collect();
        assert!(!told.is_empty(), "{link}: {found:?}");
        let found = as_advised(&mut w, &told[0]);
        for path in files {
            let source = w.text(&format!("outside/{path}"));
            let mut resources = found.snapshot.resources.iter();
            let is_used =
                resources.any(|found| found.source == source && found.status == Status::Ok);
            assert!(is_used, "{link}: {told:?} gives {found:?}");
        }
    }
}

#[test]
fn a_refused_link_advises_nothing_that_gives_nothing() {
    let w = Workspace::with(&[
        ("outside/empty/x.txt", "x"),
        ("outside/it's/AGENTS.md", "x"),
    ]);
    w.link("project/skills/empty", w.path("outside/empty"));
    w.link("project/skills/etc", "/etc");
    w.link("project/skills/pw", "/etc/passwd");
    w.link("project/skills/quoted", w.path("outside/it's"));
    let escapes = format!("the link escapes {}", w.text("project"));
    let found = w.check(&[]);
    let told: Vec<_> = found
        .notes
        .iter()
        .map(|note| {
            assert_eq!(note.warning.code, Code::SkillAbsent);
            let source = note.source.as_deref().unwrap();
            let name = source.rsplit('/').next().unwrap();
            (name, note.warning.detail.as_deref().unwrap())
        })
        .collect();
    let quoted = format!("'{}'", w.text("outside/it's").replace('\'', "'\\''"));
    let advice =
        format!("{escapes}; --allow-root {quoted} and `ctxpin source add {quoted}` read it");
    assert_eq!(
        told,
        [
            ("empty", escapes.as_str()),
            ("etc", &escapes),
            ("pw", &escapes),
            ("quoted", &advice),
        ]
    );
}
