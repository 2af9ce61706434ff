//! What of a list of sound resources a snapshot takes up: one skill of each name, and no more than
//! its limits allow. The scan, the server and a partial refresh all decide it here.

use std::collections::BTreeMap;

use crate::limits::{
    SNAPSHOT_LISTED_MAX, SNAPSHOT_PROMPT_BYTES_MAX, SNAPSHOT_RESOURCES_MAX,
    SNAPSHOT_SKILL_BYTES_MAX, SNAPSHOT_SKILL_FILES_MAX, SNAPSHOT_TOOLS_BYTES_MAX,
};
use crate::resource::{Kind, Resource, Status};

/// Demotes to `excluded` whatever is shadowed or past a limit, in the order of the list. Answers
/// the line for the snapshot's error if resources had to be left out of the list altogether.
///
/// Doing it twice changes nothing.
pub fn admit(resources: &mut Vec<Resource>) -> Option<String> {
    shadow(resources);
    limit_count(resources);
    limit_skill_files(resources);
    limit_prompt_bytes(resources);
    limit_tools(resources);
    limit_listed(resources)
}

/// Of `ok` skills with one name the last root wins, within a root the first.
fn shadow(resources: &mut [Resource]) {
    let mut winners: BTreeMap<String, usize> = BTreeMap::new();
    for (index, skill) in resources.iter().enumerate() {
        let Some(name) = skill_name(skill) else {
            continue;
        };
        let winner = winners.entry(name.to_owned()).or_insert(index);
        if resources[*winner].root != skill.root {
            *winner = index;
        }
    }
    for index in 0..resources.len() {
        let Some(winner) = skill_name(&resources[index]).and_then(|name| winners.get(name)) else {
            continue;
        };
        if *winner != index {
            let reason = format!("shadowed by {}", resources[*winner].source);
            resources[index].demote(Status::Excluded, reason);
        }
    }
}

fn skill_name(resource: &Resource) -> Option<&str> {
    let is_skill = resource.kind == Kind::Skill && resource.status == Status::Ok;
    resource.name.as_deref().filter(|_| is_skill)
}

/// MCP servers are counted last, so that they crowd out no file.
fn limit_count(resources: &mut [Resource]) {
    let mut count = 0;
    for servers in [false, true] {
        for resource in resources.iter_mut() {
            let is_server = resource.kind == Kind::McpServer;
            if resource.status == Status::Excluded || is_server != servers {
                continue;
            }
            count += 1;
            if count > SNAPSHOT_RESOURCES_MAX {
                resource.demote(
                    Status::Excluded,
                    format!("a snapshot holds at most {SNAPSHOT_RESOURCES_MAX} resources"),
                );
            }
        }
    }
}

fn limit_skill_files(resources: &mut [Resource]) {
    let (mut files, mut bytes) = (0, 0_u64);
    for skill in resources
        .iter_mut()
        .filter(|r| r.status == Status::Ok && r.kind == Kind::Skill)
    {
        let of_skill = skill.files.iter().filter(|file| file.body().is_some());
        let bytes_of_skill = of_skill.fold(0_u64, |sum, file| sum.saturating_add(file.size));
        let fits = files + skill.files.len() <= SNAPSHOT_SKILL_FILES_MAX
            && bytes.saturating_add(bytes_of_skill) <= SNAPSHOT_SKILL_BYTES_MAX;
        if fits {
            files += skill.files.len();
            bytes += bytes_of_skill;
        } else {
            skill.demote(
                Status::Excluded,
                format!(
                    "the skills of a snapshot hold at most {SNAPSHOT_SKILL_FILES_MAX} files and {} MiB together",
                    SNAPSHOT_SKILL_BYTES_MAX / (1024 * 1024)
                ),
            );
        }
    }
}

/// What does not fit is excluded; something smaller after it may still fit.
fn limit_prompt_bytes(resources: &mut [Resource]) {
    let mut bytes = 0_u64;
    for resource in resources
        .iter_mut()
        .filter(|resource| resource.reaches_context())
    {
        if bytes.saturating_add(resource.size) <= SNAPSHOT_PROMPT_BYTES_MAX {
            bytes += resource.size;
        } else {
            resource.demote(
                Status::Excluded,
                format!(
                    "the instruction files and SKILL.md files of a snapshot hold at most {} MiB together",
                    SNAPSHOT_PROMPT_BYTES_MAX / (1024 * 1024)
                ),
            );
        }
    }
}

fn limit_tools(resources: &mut [Resource]) {
    let mut bytes = 0;
    for server in resources
        .iter_mut()
        .filter(|r| r.status == Status::Ok && r.kind == Kind::McpServer)
    {
        let of_server = server
            .detail
            .as_ref()
            .map_or(0, |detail| detail.canonical_json().len() as u64);
        if bytes + of_server <= SNAPSHOT_TOOLS_BYTES_MAX {
            bytes += of_server;
        } else {
            server.demote(
                Status::Excluded,
                format!(
                    "the tools of a snapshot hold at most {} MiB together",
                    SNAPSHOT_TOOLS_BYTES_MAX / (1024 * 1024)
                ),
            );
        }
    }
}

fn limit_listed(resources: &mut Vec<Resource>) -> Option<String> {
    let dropped = resources.len().saturating_sub(SNAPSHOT_LISTED_MAX);
    resources.truncate(SNAPSHOT_LISTED_MAX);
    (dropped > 0).then(|| {
        format!("{dropped} more resources were found than the {SNAPSHOT_LISTED_MAX} that a snapshot lists")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::BlobHash;
    use crate::resource::{Content, SkillFile};

    fn file(source: &str, size: u64) -> Resource {
        let mut resource = Resource::new(Kind::InstructionFile, source, Status::Ok);
        resource.content = Some(Content::Pinned(BlobHash::of(source.as_bytes())));
        resource.size = size;
        resource
    }

    fn skill(root: &str, container: &str, name: &str) -> Resource {
        let mut resource = file(&format!("{root}/{container}/{name}/SKILL.md"), 10);
        resource.kind = Kind::Skill;
        resource.name = Some(name.into());
        resource.root = Some(root.into());
        resource
    }

    fn statuses(resources: &[Resource]) -> Vec<(&str, Status)> {
        resources
            .iter()
            .map(|r| (r.source.as_str(), r.status))
            .collect()
    }

    #[test]
    fn the_last_root_wins_and_within_a_root_the_first_container() {
        let mut resources = vec![
            skill("/home", "skills", "a"),
            skill("/w", "skills", "a"),
            skill("/w", ".claude/skills", "a"),
            skill("/w", "skills", "b"),
        ];
        assert_eq!(admit(&mut resources), None);
        assert_eq!(
            statuses(&resources),
            [
                ("/home/skills/a/SKILL.md", Status::Excluded),
                ("/w/skills/a/SKILL.md", Status::Ok),
                ("/w/.claude/skills/a/SKILL.md", Status::Excluded),
                ("/w/skills/b/SKILL.md", Status::Ok),
            ]
        );
        assert_eq!(
            resources[0].error.as_deref(),
            Some("shadowed by /w/skills/a/SKILL.md")
        );
        assert!(matches!(resources[0].content, Some(Content::Claimed(_))));
        let again = resources.clone();
        admit(&mut resources);
        assert_eq!(resources, again);
    }

    #[test]
    fn an_invalid_skill_shadows_nothing() {
        let mut invalid = skill("/w", "skills", "a");
        invalid.demote(Status::Invalid, "broken");
        let mut resources = vec![skill("/home", "skills", "a"), invalid];
        admit(&mut resources);
        assert_eq!(resources[0].status, Status::Ok);
    }

    #[test]
    fn the_501st_resource_is_excluded_and_servers_go_first() {
        let mut resources: Vec<_> = (0..500)
            .map(|i| file(&format!("/w/{i:03}.md"), 1))
            .collect();
        resources.insert(0, Resource::new(Kind::McpServer, "files", Status::Ok));
        admit(&mut resources);
        assert_eq!(resources[0].status, Status::Excluded);
        assert!(
            resources[1..]
                .iter()
                .all(|resource| resource.status == Status::Ok)
        );
    }

    #[test]
    fn a_smaller_file_after_one_that_does_not_fit_still_fits() {
        let mut resources = vec![
            file("/a", SNAPSHOT_PROMPT_BYTES_MAX - 10),
            file("/b", 11),
            file("/c", 10),
            file("/d", 1),
        ];
        admit(&mut resources);
        assert_eq!(
            statuses(&resources),
            [
                ("/a", Status::Ok),
                ("/b", Status::Excluded),
                ("/c", Status::Ok),
                ("/d", Status::Excluded)
            ]
        );
    }

    #[test]
    fn skill_files_are_counted_over_all_skills() {
        let with_files = |name: &str, count: usize| {
            let mut skill = skill("/w", "skills", name);
            skill.files = (0..count)
                .map(|i| SkillFile {
                    path: format!("{i}"),
                    content: Some(Content::Pinned(BlobHash::of(b"x"))),
                    size: 1,
                    executable: false,
                    error: None,
                })
                .collect();
            skill
        };
        let mut resources = vec![
            with_files("a", SNAPSHOT_SKILL_FILES_MAX - 1),
            with_files("b", 2),
            with_files("c", 1),
        ];
        admit(&mut resources);
        assert_eq!(
            resources.iter().map(|r| r.status).collect::<Vec<_>>(),
            [Status::Ok, Status::Excluded, Status::Ok]
        );
    }

    #[test]
    fn what_is_not_listed_is_told() {
        let mut resources: Vec<_> = (0..2_003)
            .map(|i| file(&format!("/w/{i:04}.md"), 1))
            .collect();
        let line = admit(&mut resources).unwrap();
        assert!(line.starts_with("3 more resources"), "{line}");
        assert_eq!(resources.len(), SNAPSHOT_LISTED_MAX);
    }
}
