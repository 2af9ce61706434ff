//! Skills below the working directory, under the profile of Claude Code. Each case was seen in a request of Claude Code
//! 2.1.332.

use ctxpin_model::profile::Profile;
use ctxpin_model::resource::Applies;
use ctxpin_scan::Scan;

use crate::workspace::Workspace;

/// A workspace under the profile of Claude Code, with the working directory `project` in a repository.
fn workspace(skills: &[&str]) -> Workspace {
    let mut w = Workspace::with(&[("project/CLAUDE.md", "top")]);
    w.request.profile = Profile::ClaudeCode;
    w.request.user_roots = true;
    w.repository("project/.git");
    for skill in skills {
        w.skill(skill);
    }
    w
}

/// Returns the skills by their names, each with the directory of the files that it is for.
fn skills(w: &Workspace, found: &Scan) -> Vec<String> {
    let project = w.text("project");
    let skills = found.snapshot.skills().map(|skill| {
        let name = skill.name.as_deref().unwrap();
        let below = skill.applies.as_ref().map(|applies| {
            assert_eq!(*applies, Applies::to(applies.below.clone(), Vec::new()));
            applies.below.replace(&project, "")
        });
        format!("{name} {}", below.unwrap_or_default())
    });
    skills.collect()
}

#[test]
fn a_skill_below_is_for_the_files_of_its_directory() {
    let w = workspace(&[
        "project/.claude/skills/top",
        "project/p/.claude/skills/top",
        "project/p/.claude/skills/own",
        "project/p/q/.claude/skills/own",
        "project/a b/.claude/skills/blank",
        "project/.hidden/.claude/skills/h",
        "project/p/.claude/deep/skills/none",
    ]);
    w.link(
        "project/r/.claude/skills/linked",
        "../../../p/q/.claude/skills/own",
    );
    let found = w.scan();
    assert_eq!(
        skills(&w, &found),
        [
            "top ",
            ".hidden:h /.hidden",
            "a b:blank /a b",
            "p:own /p",
            "p:top /p",
            "r:own /r",
            "p/q:own /p/q",
        ]
    );
    let snapshot = &found.snapshot;
    let source = |name: &str| snapshot.skill(name).map(|skill| skill.source.clone());
    let path = |path: &str| Some(w.text(path));
    assert_eq!(source("top"), path("project/.claude/skills/top/SKILL.md"));
    assert_eq!(
        source("p:top"),
        path("project/p/.claude/skills/top/SKILL.md")
    );
    assert_eq!(
        source("blank"),
        path("project/a b/.claude/skills/blank/SKILL.md")
    );
    // Several have this name.
    assert_eq!(source("own"), None);
}

#[test]
fn a_directory_that_git_ignores_gives_no_skills() {
    let w = workspace(&[
        "project/out/.claude/skills/a",
        "project/p/out/.claude/skills/b",
        "project/p/kept/.claude/skills/c",
        "project/p/q/gone/.claude/skills/d",
        "project/OUT/.claude/skills/e",
        "project/p/.claude/skills/f",
    ]);
    w.write(
        "project/.gitignore",
        "# not this\nout/\n.claude\nskills\nSKILL.md\n",
    );
    w.write("project/p/.gitignore", "q/gone\nkep*\n!kept\n");
    let expected = ["OUT:e /OUT", "p:f /p", "p/kept:c /p/kept"];
    assert_eq!(skills(&w, &w.scan()), expected);
    // Where git finds no repository, it ignores nothing.
    std::fs::remove_dir_all(w.path("project/.git")).unwrap();
    assert_eq!(skills(&w, &w.scan()).len(), 6);
    w.write("project/.git", "gitdir: ../nowhere\n");
    assert_eq!(skills(&w, &w.scan()).len(), 6);
    w.repository("nowhere");
    assert_eq!(skills(&w, &w.scan()), expected);
}
