//! Skills that a tool lists and ctxpin does not use, and the other way round. Each case was seen in a request of Claude Code
//! 2.1.332, Codex 0.171.0 or opencode 1.18.33.

use crate::workspace::Workspace;
use crate::{claude_code, codex, opencode};

/// Writes skills of every kind into a folder, and compares what the scan says of them with what is expected.
fn check(w: &Workspace, folder: &str, expected: &[(&str, &str)]) {
    let long = format!("name: {}\ndescription: D", "n".repeat(65));
    let skills = [
        ("ok", "name: ok\ndescription: D"),
        ("ok2", "name: ok\ndescription: Second"),
        (".hid", "name: .hid\ndescription: D"),
        ("empty", "name: empty\ndescription: \"\""),
        ("noname", "description: D"),
        ("num", "name: 12\ndescription: D"),
        ("dup", "name: dup\ndescription: D\ndescription: E"),
        ("long", long.as_str()),
        ("broken", "name: broken\ndescription: \"D"),
    ];
    for (name, frontmatter) in skills {
        let skill_md = format!("---\n{frontmatter}\n---\nBody\n");
        w.write(&format!("{folder}/{name}/SKILL.md"), skill_md);
    }
    let bytes = b"---\nname: inv\ndescription: a\xffb\n---\n";
    w.write(&format!("{folder}/inv/SKILL.md"), bytes);
    w.write(
        "project/elsewhere.md",
        "---\nname: link\ndescription: D\n---\n",
    );
    w.link(
        &format!("{folder}/link/SKILL.md"),
        w.path("project/elsewhere.md"),
    );
    let found = w.scan();
    let base = format!("{}/", w.path(folder).display());
    let skills = found.snapshot.resources.iter().map(|skill| {
        let name = skill.source.strip_prefix(&base).unwrap();
        let error = skill.error.as_deref().unwrap_or("ok");
        (
            name.trim_end_matches("/SKILL.md").to_owned(),
            error.replace(&base, ""),
        )
    });
    let skills: Vec<_> = skills.collect();
    for (name, begin) in expected {
        let (_, error) = skills.iter().find(|(known, _)| known == name).unwrap();
        assert!(error.starts_with(begin), "{name}: {error}");
    }
    assert_eq!(skills.len(), expected.len(), "{skills:#?}");
}

#[test]
fn claude_code_takes_any_text_for_a_skill() {
    let w = claude_code::workspace(&[]);
    check(
        &w,
        "project/web/.claude/skills",
        &[
            ("ok", "ok"),
            (
                "ok2",
                "shadowed by ok/SKILL.md; Claude Code lists both, by their directories",
            ),
            (
                ".hid",
                "the tool gives it to its model, but neither its name `.hid` nor",
            ),
            ("empty", "ok"),
            ("noname", "ok"),
            ("num", "ok"),
            ("dup", "ok"),
            ("long", "ok"),
            ("broken", "ok"),
            ("inv", "the tool gives it to its model, but not UTF-8"),
            (
                "link",
                "the tool gives it to its model, but the link escapes",
            ),
        ],
    );
}

#[test]
fn codex_passes_over_what_its_parser_refuses() {
    let w = codex::workspace(&[]);
    check(
        &w,
        "project/pkg/web/.agents/skills",
        &[
            ("ok", "ok"),
            ("ok2", "shadowed by ok/SKILL.md; Codex lists both"),
            ("empty", "line 3: `description` is empty"),
            ("noname", "ok"),
            ("num", "ok"),
            (
                "dup",
                "Codex passes over a skill whose `name` or `description` stands twice",
            ),
            (
                "long",
                "Codex passes over a skill whose name has more than 64 characters",
            ),
            ("broken", "line 3: a quote is not closed"),
            ("inv", "not UTF-8"),
        ],
    );
}

#[test]
fn opencode_wants_texts_and_each_key_once() {
    let w = opencode::workspace(&[]);
    let no_text =
        "opencode passes over a skill whose `name` or `description` is missing, or no text";
    check(
        &w,
        "project/pkg/web/.agents/skills",
        &[
            ("ok", "ok"),
            ("ok2", "shadowed by ok/SKILL.md"),
            (
                ".hid",
                "the tool gives it to its model, but neither its name `.hid` nor",
            ),
            (
                "empty",
                "the tool gives it to its model, but line 3: `description` is empty",
            ),
            ("noname", no_text),
            ("num", no_text),
            (
                "dup",
                "opencode passes over a skill with a key twice in its frontmatter",
            ),
            ("long", "ok"),
            (
                "broken",
                "line 3: a quote is not closed; the tool may give it to its model all the same",
            ),
            ("inv", "the tool gives it to its model, but not UTF-8"),
            (
                "link",
                "the tool gives it to its model, but the link escapes",
            ),
        ],
    );
}

#[test]
fn codex_and_opencode_list_a_skill_by_any_name_that_people_can_read() {
    for (w, expected) in [
        (codex::workspace(&[]), "A (b) c"),
        (opencode::workspace(&[]), "A (b)  c"),
    ] {
        let skill = |directory: &str, name: &str| {
            let path = format!("project/.agents/skills/{directory}/SKILL.md");
            let text = format!("---\nname: {name}\ndescription: D\n---\n");
            w.write(&path, text);
        };
        skill("one", "\"A (b)  c\"");
        skill("two", "a/b");
        let found = w.scan();
        let names: Vec<_> = found.snapshot.skills().map(|s| s.name.as_deref()).collect();
        assert_eq!(names, [Some(expected), Some("two")]);
        assert_eq!(
            found.snapshot.error,
            Some(format!(
                "{} lists the skill {} by a name that ctxpin does not take, and ctxpin by its directory",
                w.request.profile,
                w.text("project/.agents/skills/two/SKILL.md")
            ))
        );
    }
}
