//! Which skills the profile of Claude Code finds. Each case was seen in a request of Claude Code 2.1.332.

use std::fs;

use ctxpin_model::profile::SkillListing;

use crate::claude_code::{settings, workspace};

#[test]
fn the_persons_skills_come_before_those_of_the_project() {
    let w = workspace(&[]);
    w.skill("project/.claude/skills/a");
    w.skill("project/web/.claude/skills/b");
    w.skill("project/web/.claude/skills/c/deeper");
    w.skill("project/.agents/skills/other");
    w.skill("home/.claude/skills/a");
    w.check(&[
        "excluded project/.claude/skills/a/SKILL.md",
        "ok project/web/.claude/skills/b/SKILL.md",
        "ok home/.claude/skills/a/SKILL.md",
    ]);
}

#[test]
fn skills_behind_links_that_leave_the_project_are_listed() {
    let w = workspace(&[]);
    w.skill("outside/away");
    w.skill("outside/more/one");
    w.skill("project/.claude/skills/own");
    w.link("project/.claude/skills/away", w.path("outside/away"));
    w.link("project/.claude/skills/empty", w.path("outside"));
    fs::create_dir_all(w.path("project/web/.claude")).unwrap();
    w.link("project/web/.claude/skills", w.path("outside/more"));
    w.link("home/.claude/skills", w.path("outside/more"));
    let found = w.check(&[
        "excluded project/.claude/skills/away/SKILL.md",
        "ok project/.claude/skills/own/SKILL.md",
        "excluded project/web/.claude/skills",
        "excluded home/.claude/skills",
    ]);
    let error = w.error(&found, "project/.claude/skills/away/SKILL.md");
    let begin = "the tool gives it to its model, but the link escapes ";
    assert!(error.starts_with(begin), "{error}");
    let error = w.error(&found, "project/web/.claude/skills");
    let begin = "the tool lists the skills in it to its model, but the link escapes ";
    assert!(error.starts_with(begin), "{error}");
}

#[test]
fn of_skills_with_paths_the_one_nearest_to_the_root_counts() {
    let w = workspace(&[]);
    let skill = |path: &str, line: &str| {
        let name = path.rsplit('/').next().unwrap();
        let text = format!("---\nname: {name}\ndescription: D\n{line}---\n");
        w.write(&format!("{path}/SKILL.md"), text);
    };
    let (paths, hidden) = ("paths: \"*.py\"\n", "disable-model-invocation: true\n");
    for place in ["project/.claude", "project/web/.claude", "home/.claude"] {
        skill(&format!("{place}/skills/all"), paths);
    }
    skill("project/.claude/skills/hidden", paths);
    skill("project/web/.claude/skills/hidden", hidden);
    w.check(&[
        "ok project/.claude/skills/all/SKILL.md",
        "excluded project/.claude/skills/hidden/SKILL.md",
        "excluded project/web/.claude/skills/all/SKILL.md",
        "ok project/web/.claude/skills/hidden/SKILL.md",
        "excluded home/.claude/skills/all/SKILL.md",
    ]);
}

#[test]
fn without_a_repository_skills_of_all_directories_above_count() {
    let mut w = workspace(&[]);
    fs::remove_dir_all(w.path("project/.git")).unwrap();
    w.skill("project/.claude/skills/a");
    w.skill("project/web/.claude/skills/b");
    let found = w.check(&[
        "excluded project/.claude/skills",
        "ok project/web/.claude/skills/b/SKILL.md",
    ]);
    let directory = w.path("project");
    let advice = format!(
        "the tool lists the skills in it to its model, but it lies outside of the project; --allow-root {} reads it",
        directory.display()
    );
    assert_eq!(w.error(&found, "project/.claude/skills"), advice);
    w.request.allowed = vec![directory];
    w.check(&[
        "ok project/.claude/skills/a/SKILL.md",
        "ok project/web/.claude/skills/b/SKILL.md",
    ]);
}

#[test]
fn the_last_of_the_settings_says_how_a_skill_is_listed() {
    let w = workspace(&[
        (
            "home/.claude/settings.json",
            "{\"skillOverrides\": {\"mine\": \"user-invocable-only\", \"a\": \"off\", \"b\": \"off\"}}",
        ),
        (
            "project/web/.claude/settings.json",
            "{\"skillOverrides\": {\"a\": \"on\", \"b\": \"name-only\"}}",
        ),
        (
            "project/web/.claude/settings.local.json",
            "{\"skillOverrides\": {\"c\": \"name-only\", \"d\": \"off\", \"nul\\u0000\": \"off\"}}",
        ),
        // That of the repository counts behind that of the working directory.
        (
            "project/.claude/settings.local.json",
            "{\"skillOverrides\": {\"d\": \"name-only\"}}",
        ),
    ]);
    let found = w.scan();
    assert_eq!(found.snapshot.error, None);
    let expected = [
        ("b", SkillListing::NameOnly),
        ("c", SkillListing::NameOnly),
        ("d", SkillListing::NameOnly),
        ("mine", SkillListing::UserInvocableOnly),
    ];
    let expected = expected.map(|(name, listing)| (name.to_owned(), listing));
    assert_eq!(settings(&found).skill_listings, expected.into());

    // One unknown word, and the file counts as empty.
    w.write(
        "project/web/.claude/settings.json",
        "{\"skillOverrides\": {\"b\": \"name-only\", \"d\": \"never\"}}",
    );
    let found = w.scan();
    assert_eq!(settings(&found).skill_listings["b"], SkillListing::Off);
    assert!(
        found
            .snapshot
            .error
            .unwrap()
            .contains("it ignores the file")
    );
}

#[test]
fn of_two_skills_of_one_name_the_persons_counts() {
    let w = workspace(&[
        ("home/.claude/CLAUDE.md", "mine"),
        ("project/CLAUDE.md", "top"),
    ]);
    for directory in ["home", "project", "project/web"] {
        w.skill(&format!("{directory}/.claude/skills/a"));
    }
    w.skill("project/.claude/skills/b");
    w.skill("project/web/.claude/skills/b");
    w.check(&[
        "ok home/.claude/CLAUDE.md",
        "ok project/CLAUDE.md",
        "excluded project/.claude/skills/a/SKILL.md",
        "excluded project/.claude/skills/b/SKILL.md",
        "excluded project/web/.claude/skills/a/SKILL.md",
        "ok project/web/.claude/skills/b/SKILL.md",
        "ok home/.claude/skills/a/SKILL.md",
    ]);
}

#[test]
fn a_skill_that_is_not_listed_hides_no_other_of_its_name() {
    let w = workspace(&[
        (
            "home/.claude/skills/a/SKILL.md",
            "---\nname: a\ndescription: d\ndisable-model-invocation: true\n---\n",
        ),
        (
            "home/.claude/skills/b/SKILL.md",
            "---\nname: b\ndescription: d\npaths: \"*.py\"\n---\n",
        ),
        (
            "home/.claude/skills/c/SKILL.md",
            "---\nname: c\ndescription: d\ndisable-model-invocation: true\n---\n",
        ),
    ]);
    w.skill("project/.claude/skills/a");
    w.skill("project/.claude/skills/b");
    let found = w.check(&[
        "ok project/.claude/skills/a/SKILL.md",
        "ok project/.claude/skills/b/SKILL.md",
        "excluded home/.claude/skills/a/SKILL.md",
        "excluded home/.claude/skills/b/SKILL.md",
        "ok home/.claude/skills/c/SKILL.md",
    ]);
    assert_eq!(
        w.error(&found, "home/.claude/skills/a/SKILL.md"),
        "Claude Code uses another skill of its name, because the frontmatter of this one keeps it out of the list at the start"
    );
}

#[test]
fn of_many_listings_of_skills_some_are_used() {
    let w = workspace(&[]);
    let all = (0..300).map(|number| format!("\"s{number:03}\": \"off\""));
    let all = all.collect::<Vec<_>>().join(", ");
    w.write(
        "project/web/.claude/settings.json",
        format!("{{\"skillOverrides\": {{{all}}}}}"),
    );
    let found = w.scan();
    assert_eq!(settings(&found).skill_listings.len(), 256);
    assert_eq!(
        found.snapshot.error.as_deref(),
        Some("of Claude Code's `skillOverrides`, only 256 are used")
    );
}

#[test]
fn a_skill_without_a_description_is_described_by_its_text() {
    let w = workspace(&[
        (
            "project/web/.claude/skills/plain/SKILL.md",
            "# Plain words\n",
        ),
        ("project/web/.claude/skills/no name/SKILL.md", "Words.\n"),
    ]);
    let found = w.check(&[
        "invalid project/web/.claude/skills/no name/SKILL.md",
        "ok project/web/.claude/skills/plain/SKILL.md",
    ]);
    let skill = w.resource(&found, "project/web/.claude/skills/plain/SKILL.md");
    assert_eq!(
        (skill.name.as_deref(), skill.description.as_deref()),
        (Some("plain"), Some("Plain words"))
    );
}

#[test]
fn a_directory_of_skills_that_is_synced_gives_none() {
    let w = workspace(&[("project/CLAUDE.md", "top")]);
    for name in ["synced", "Synced", "syncedx"] {
        w.skill(&format!("project/.claude/skills/{name}"));
    }
    let found = w.check(&[
        "ok project/CLAUDE.md",
        "excluded project/.claude/skills/Synced/SKILL.md",
        "excluded project/.claude/skills/synced/SKILL.md",
        "ok project/.claude/skills/syncedx/SKILL.md",
    ]);
    assert_eq!(
        w.error(&found, "project/.claude/skills/synced/SKILL.md"),
        "Claude Code passes over a directory of skills with the name `synced`"
    );
}
