//! Names of plugins before those of skills, under the profile of Codex. Each case was seen in a request of Codex 0.171.0
//! or 0.150.0.

use std::ffi::OsStr;
use std::fs;

use ctxpin_model::resource::{Kind, Status};
use ctxpin_scan::Scan;

use crate::codex::workspace;
use crate::workspace::Workspace;

const SKILL: &str = "project/.agents/skills/a";

fn names(found: &Scan) -> Vec<&str> {
    let skills = found.snapshot.skills();
    skills.filter_map(|skill| skill.name.as_deref()).collect()
}

/// Checks the name of a skill with these files, whose paths begin in the project.
fn check(files: &[(&str, &str)], expected: &str) {
    let w = workspace(&[]);
    w.skill(SKILL);
    for (path, text) in files {
        w.write(&format!("project/{path}"), text);
    }
    let found = w.scan();
    assert_eq!(names(&found), [expected], "{files:?}");
    assert_eq!(found.snapshot.error, None, "{files:?}");
}

#[test]
fn the_nearest_manifest_names_a_skill() {
    let up = (".claude-plugin/plugin.json", "{\"name\":\"up\"}");
    check(&[up], "up:a");
    check(
        &[
            up,
            (".agents/.cursor-plugin/plugin.json", "{\"name\":\"near\"}"),
        ],
        "near:a",
    );
    check(
        &[
            up,
            (
                ".agents/skills/a/.codex-plugin/plugin.json",
                "{\"name\":\"own\"}",
            ),
        ],
        "own:a",
    );
    // A manifest below the directory of the skill, or of another name, is none.
    check(
        &[
            ("pkg/.codex-plugin/plugin.json", "{\"name\":\"below\"}"),
            (".other-plugin/plugin.json", "{\"name\":\"other\"}"),
            (".agents/plugins/plugin.json", "{\"name\":\"other\"}"),
            (".github/plugin/plugin.json", "{\"name\":\"other\"}"),
            ("plugin.json", "{\"name\":\"other\"}"),
        ],
        "a",
    );
}

#[test]
fn the_first_manifest_of_a_directory_counts() {
    let claude = (".claude-plugin/plugin.json", "{\"name\":\"cl\"}");
    let codex = (".codex-plugin/plugin.json", "{\"name\":\"cx\"}");
    let cursor = (".cursor-plugin/plugin.json", "{\"name\":\"cu\"}");
    check(&[claude, codex, cursor], "cx:a");
    check(&[claude, cursor], "cl:a");
    // A directory of that name is passed over.
    check(&[claude, (".codex-plugin/plugin.json/inside", "")], "cl:a");
    // One that cannot be read hides the others of its directory, but not those above.
    for unfit in [
        "",
        "{",
        "// c\n{\"name\":\"c\"}",
        "{\"name\":\"c\",}",
        "\u{feff}{\"name\":\"b\"}",
        "{\"name\":5}",
        "{\"name\":null}",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "[\"a\",\"b\"]",
        "\"a\"",
    ] {
        check(&[claude, (codex.0, unfit)], "a");
        let near = [
            ".agents/.codex-plugin/plugin.json",
            ".agents/.claude-plugin/plugin.json",
        ];
        check(&[claude, (near[0], unfit), (near[1], cursor.1)], "cl:a");
    }
}

#[test]
fn a_manifest_without_a_name_gives_that_of_the_directory() {
    let manifest = ".claude-plugin/plugin.json";
    for text in ["{}", "[]", "{\"name\":\"\"}", "{\"name\":\" \\n\"}"] {
        check(&[(manifest, text)], "project:a");
    }
    check(&[(manifest, "[\"listed\"]")], "listed:a");
    check(
        &[(manifest, "{\"name\":\" my plugin\",\"version\":[]}")],
        " my plugin:a",
    );
    // What no name has, and would begin another line, becomes a dash.
    check(
        &[(manifest, "{\"name\":\"a\\n- b<c>\\u202ed\"}")],
        "a-- b-c--d:a",
    );
    let long = "n".repeat(70);
    check(
        &[(manifest, &format!("{{\"name\":\"{long}\"}}"))],
        &format!("{long}:a"),
    );
    let longer = format!("{{\"name\":\"{}\"}}", "é".repeat(3_000));
    check(&[(manifest, &longer)], &format!("{}:a", "é".repeat(512)));
}

#[test]
fn the_real_path_of_a_skill_counts() {
    let w = workspace(&[
        (".claude-plugin/plugin.json", "{\"name\":\"above\"}"),
        (
            "project/lib/.codex-plugin/plugin.json",
            "{\"name\":\"lib\"}",
        ),
        ("project/pkg/real.json", "{\"name\":\"linked\"}"),
    ]);
    w.skill(SKILL);
    w.skill("project/lib/skills/b");
    w.link("project/.agents/skills/b", "../../lib/skills/b");
    w.skill("project/pkg/.agents/skills/c");
    fs::create_dir(w.path("project/pkg/.codex-plugin")).unwrap();
    w.link("project/pkg/.codex-plugin/plugin.json", "../real.json");
    w.skill("home/.agents/skills/mine");
    assert_eq!(
        names(&w.scan()),
        ["above:a", "lib:b", "linked:c", "above:mine"]
    );
}

#[test]
fn a_manifest_that_may_not_be_read_is_named() {
    let w = workspace(&[("outside/plugin.json", "{\"name\":\"out\"}")]);
    w.skill(SKILL);
    let manifest = "project/.codex-plugin/plugin.json";
    fs::create_dir(w.path("project/.codex-plugin")).unwrap();
    w.link(manifest, w.path("outside/plugin.json"));
    let told = |w: &Workspace, why: &str| {
        let found = w.scan();
        assert_eq!(names(&found), ["a"]);
        let remark = found.snapshot.error.unwrap();
        let begin = format!("ctxpin does not read {}, because {why}", w.text(manifest));
        let end = "; Codex may put a name of it before the names of skills";
        assert!(
            remark.starts_with(&begin) && remark.ends_with(end),
            "{remark}"
        );
    };
    told(&w, "the link escapes ");
    fs::remove_file(w.path(manifest)).unwrap();
    w.write(
        manifest,
        format!("{{\"name\":\"big\"}}{}", " ".repeat(1024 * 1024)),
    );
    told(&w, "it has 1048590 bytes");
}

#[test]
fn full_names_are_turned_off_and_shadow_one_another() {
    let w = workspace(&[
        (
            "project/pkg/.claude-plugin/plugin.json",
            "{\"name\":\"dd k\"}",
        ),
        ("project/.git/x", ""),
    ]);
    w.skill(SKILL);
    w.skill("project/pkg/.agents/skills/a");
    w.skill("project/pkg/web/.agents/skills/more/a");
    let found = w.scan();
    assert_eq!(names(&found), ["a", "dd k:a"]);
    let shadowed = w.error(&found, "project/pkg/.agents/skills/a/SKILL.md");
    assert!(shadowed.ends_with("; Codex lists both"), "{shadowed}");
    let off = |name: &str| {
        let rule = format!("[[skills.config]]\nname = {name:?}\nenabled = false\n");
        w.write("home/.codex/config.toml", rule);
        w.scan()
    };
    assert_eq!(names(&off("a")), ["dd k:a"]);
    let found = off("dd k:a");
    assert_eq!(names(&found), ["a"]);
    let skills = found.snapshot.resources.iter();
    let skills = skills.filter(|r| r.kind == Kind::Skill && r.status == Status::Excluded);
    assert_eq!(skills.count(), 2);
}

#[test]
fn manifests_are_watched() {
    let w = workspace(&[]);
    w.skill(SKILL);
    let is_watched = |found: &Scan, directory: &str, name: &str| {
        let mut places = found.places.iter();
        let place = places.find(|place| place.directory == w.path(directory));
        place.is_some_and(|place| place.interest.includes(OsStr::new(name)))
    };
    let before = w.scan();
    for directory in ["", "project", "project/.agents", SKILL] {
        for folder in [".codex-plugin", ".claude-plugin", ".cursor-plugin"] {
            assert!(
                is_watched(&before, directory, folder),
                "{directory} {folder}"
            );
        }
    }
    w.write("project/real.json", "{\"name\":\"one\"}");
    fs::create_dir(w.path("project/.claude-plugin")).unwrap();
    w.link("project/.claude-plugin/plugin.json", "../real.json");
    let after = w.scan();
    assert!(is_watched(&after, "project/.claude-plugin", "plugin.json"));
    assert!(is_watched(&after, "project", "real.json"));
    let hash = |found: &Scan| found.snapshot.addresses().context_hash;
    assert_ne!(hash(&before), hash(&after));
}
