//! Decides which valid resources a snapshot uses: one skill of each name, within the limits. The scan,
//! the server and a partial refresh all use it.

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::limits::{
    SNAPSHOT_LISTED_MAX, SNAPSHOT_PROMPT_BYTES_MAX, SNAPSHOT_RESOURCES_MAX,
    SNAPSHOT_SKILL_BYTES_MAX, SNAPSHOT_SKILL_FILES_MAX, SNAPSHOT_TOOLS_BYTES_MAX, format_bytes,
};
use crate::resource::{Content, Kind, Resource, Status};
use crate::skill::{self, files};

/// What begins the reason of a skill that gives way to another one of its name, before the source of that one.
pub const SHADOWED: &str = "shadowed by ";

/// Demotes resources that are shadowed or exceed a limit to `excluded`, in the order of the list. An
/// excluded resource counts for no limit, so a smaller one after it may still fit. Returns a message
/// for the snapshot's error if it removed resources from the list.
///
/// Applying it twice changes nothing.
pub fn admit(resources: &mut Vec<Resource>) -> Option<String> {
    let mut room = Room::default();
    let mut names = Names::of(resources);
    // MCP servers come last, so that they displace no file.
    for of_servers in [false, true] {
        for index in 0..resources.len() {
            let resource = &resources[index];
            if resource.status != Status::Ok || (resource.kind == Kind::McpServer) != of_servers {
                continue;
            }
            match resource.kind {
                Kind::Skill => names.reach(index, resources, &mut room),
                Kind::InstructionFile | Kind::McpConfig | Kind::McpServer => {
                    room.admit(&mut resources[index]);
                }
            }
        }
    }
    limit_listed(resources)
}

impl Resource {
    /// Sets a status other than `ok`. The snapshot then has neither the resource's bytes nor its detail.
    /// The hash of its body stays as a claim, and those of its files as one claim, so changes still
    /// show.
    pub fn demote(&mut self, status: Status, reason: impl Into<String>) {
        let claim = |content: Option<Content>| content.map(|c| Content::Claimed(c.hash()));
        self.status = status;
        self.error = Some(reason.into());
        self.content = claim(self.content);
        self.detail = None;
        self.files = files::summarise(std::mem::take(&mut self.files));
    }
}

/// The free room and the used names of a snapshot whose resources stay as they are.
pub(crate) struct Ledger<'r> {
    room: Room,
    names: HashSet<&'r str>,
}

impl<'r> Ledger<'r> {
    /// Counts the `ok` resources.
    pub fn of(resources: &'r [Resource]) -> Self {
        let mut ledger = Self {
            room: Room::default(),
            names: HashSet::new(),
        };
        for resource in resources.iter().filter(|r| r.status == Status::Ok) {
            ledger.room.spend(&Need::of(resource));
            ledger.names.extend(skill_name(resource));
        }
        ledger
    }

    /// Reserves room and name for one more `ok` resource. Returns false, and reserves nothing, if there
    /// is not enough room or the name is in use.
    pub fn take(&mut self, resource: &'r Resource) -> bool {
        let need = Need::of(resource);
        let name = skill_name(resource);
        let is_free = name.is_none_or(|name| !self.names.contains(name));
        let fits = is_free && self.room.refusal(&need, resource.kind).is_none();
        if fits {
            self.room.spend(&need);
            self.names.extend(name);
        }
        fits
    }
}

/// The `ok` skills of each name, by precedence.
struct Names {
    /// The indices of the skills of each name that have not been tried yet, by precedence.
    candidates: BTreeMap<String, VecDeque<usize>>,
}

impl Names {
    /// Sorts skills of one name: those whose directory has that name first, then by root from the last
    /// to the first, in which the list has skills, then by the order of the list.
    fn of(resources: &[Resource]) -> Self {
        let mut roots = BTreeMap::new();
        let mut candidates: BTreeMap<String, Vec<_>> = BTreeMap::new();
        let skills = resources.iter().enumerate();
        for (index, skill) in skills.filter(|(_, resource)| resource.kind == Kind::Skill) {
            let place = roots.len();
            let root = *roots.entry(&skill.root).or_insert(place);
            let Some(name) = skill_name(skill) else {
                continue;
            };
            let own = skill.own_name().unwrap_or(name);
            let only_claims = skill::directory_warning(own, &skill.source).is_some();
            let order = (only_claims, std::cmp::Reverse(root), index);
            candidates.entry(name.to_owned()).or_default().push(order);
        }
        let in_order = candidates.into_iter().map(|(name, mut of_name)| {
            of_name.sort_unstable();
            let indices = of_name.into_iter().map(|(.., index)| index);
            (name, indices.collect())
        });
        Self {
            candidates: in_order.collect(),
        }
    }

    /// Admits the first skill of the name up to `index` that fits, by precedence, and demotes all
    /// others of the name as shadowed. Decides nothing while a skill after `index` takes precedence.
    fn reach(&mut self, index: usize, resources: &mut [Resource], room: &mut Room) {
        let name = skill_name(&resources[index]).map(str::to_owned);
        let Some(candidates) = name.and_then(|name| self.candidates.get_mut(&name)) else {
            room.admit(&mut resources[index]);
            return;
        };
        while let Some(first) = candidates.front().copied().filter(|first| *first <= index) {
            candidates.pop_front();
            if room.admit(&mut resources[first]) {
                let reason = format!("{SHADOWED}{}", resources[first].source);
                for shadowed in candidates.drain(..) {
                    resources[shadowed].demote(Status::Excluded, reason.as_str());
                }
            }
        }
    }
}

fn skill_name(resource: &Resource) -> Option<&str> {
    let is_skill = resource.kind == Kind::Skill && resource.status == Status::Ok;
    resource.name.as_deref().filter(|_| is_skill)
}

/// The free room within a snapshot's limits.
struct Room {
    resources: usize,
    prompt_bytes: u64,
    skill_files: usize,
    skill_bytes: u64,
    tools_bytes: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            resources: SNAPSHOT_RESOURCES_MAX,
            prompt_bytes: SNAPSHOT_PROMPT_BYTES_MAX,
            skill_files: SNAPSHOT_SKILL_FILES_MAX,
            skill_bytes: SNAPSHOT_SKILL_BYTES_MAX,
            tools_bytes: SNAPSHOT_TOOLS_BYTES_MAX,
        }
    }
}

/// The room that one resource needs.
struct Need {
    prompt_bytes: u64,
    skill_files: usize,
    skill_bytes: u64,
    tools_bytes: u64,
}

impl Need {
    fn of(resource: &Resource) -> Self {
        let length = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() as u64);
        let pinned = resource.files.iter().filter(|file| file.body().is_some());
        let is_skill = resource.kind == Kind::Skill;
        Self {
            prompt_bytes: match resource.kind {
                Kind::InstructionFile => resource.size,
                Kind::Skill => length(&resource.name) + length(&resource.description),
                Kind::McpConfig | Kind::McpServer => 0,
            },
            skill_files: if is_skill {
                pinned.clone().count() + 1
            } else {
                0
            },
            skill_bytes: if is_skill {
                pinned.fold(resource.size, |sum, file| sum.saturating_add(file.size))
            } else {
                0
            },
            tools_bytes: match (resource.kind, &resource.detail) {
                (Kind::McpServer, Some(detail)) => detail.canonical_json().len() as u64,
                _ => 0,
            },
        }
    }
}

impl Room {
    /// Reserves room for a resource, or demotes it. Returns whether it fits.
    fn admit(&mut self, resource: &mut Resource) -> bool {
        let need = Need::of(resource);
        if let Some(reason) = self.refusal(&need, resource.kind) {
            resource.demote(Status::Excluded, reason);
            return false;
        }
        self.spend(&need);
        true
    }

    /// Reserves room. A pin of an older release may need more than there is, so this saturates.
    fn spend(&mut self, need: &Need) {
        self.resources = self.resources.saturating_sub(1);
        self.prompt_bytes = self.prompt_bytes.saturating_sub(need.prompt_bytes);
        self.skill_files = self.skill_files.saturating_sub(need.skill_files);
        self.skill_bytes = self.skill_bytes.saturating_sub(need.skill_bytes);
        self.tools_bytes = self.tools_bytes.saturating_sub(need.tools_bytes);
    }

    fn refusal(&self, need: &Need, kind: Kind) -> Option<String> {
        if self.resources == 0 {
            return Some(format!(
                "a snapshot holds at most {SNAPSHOT_RESOURCES_MAX} resources that are used"
            ));
        }
        if need.prompt_bytes > self.prompt_bytes {
            return Some(format!(
                "the instruction files of a snapshot, and the names and descriptions of its skills, have at most {} together",
                format_bytes(SNAPSHOT_PROMPT_BYTES_MAX)
            ));
        }
        let is_past_skills =
            need.skill_files > self.skill_files || need.skill_bytes > self.skill_bytes;
        if kind == Kind::Skill && is_past_skills {
            return Some(format!(
                "the skills of a snapshot hold at most {SNAPSHOT_SKILL_FILES_MAX} files and {} together, each SKILL.md with them",
                format_bytes(SNAPSHOT_SKILL_BYTES_MAX)
            ));
        }
        (need.tools_bytes > self.tools_bytes).then(|| {
            format!(
                "the tools of a snapshot have at most {} together",
                format_bytes(SNAPSHOT_TOOLS_BYTES_MAX)
            )
        })
    }
}

/// Removes unused resources from the end of the list until it is within its limit.
fn limit_listed(resources: &mut Vec<Resource>) -> Option<String> {
    let dropped = resources.len().saturating_sub(SNAPSHOT_LISTED_MAX);
    let unused = resources.iter().filter(|r| r.status != Status::Ok).count();
    let mut kept = unused.saturating_sub(dropped);
    resources.retain(|resource| {
        let is_unused = resource.status != Status::Ok;
        let is_kept = !is_unused || kept > 0;
        kept -= usize::from(is_unused && is_kept);
        is_kept
    });
    (dropped > 0).then(|| {
        format!("{dropped} more resources were found than the {SNAPSHOT_LISTED_MAX} that a snapshot lists")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::BlobHash;
    use crate::resource::SkillFile;

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
    fn a_skill_in_a_directory_of_its_name_goes_before_one_that_claims_it() {
        let claiming = |root: &str, directory: &str, name: &str| {
            let mut skill = skill(root, "skills", directory);
            skill.name = Some(name.into());
            skill
        };
        let mut resources = vec![
            skill("/home", "skills", "a"),
            claiming("/w", "other", "a"),
            claiming("/w", "x", "b"),
            claiming("/w", "y", "b"),
        ];
        admit(&mut resources);
        let found: Vec<_> = resources.iter().map(|r| r.status).collect();
        let (ok, excluded) = (Status::Ok, Status::Excluded);
        assert_eq!(found, [ok, excluded, ok, excluded]);
    }

    #[test]
    fn a_skill_that_does_not_fit_shadows_nothing() {
        let sized = |root: &str, size: u64| {
            let mut skill = skill(root, "skills", "a");
            skill.size = size;
            skill
        };
        let too_large = SNAPSHOT_SKILL_BYTES_MAX + 1;
        for (sizes, used) in [
            ([1, too_large, 1], 2),
            ([1, 1, too_large], 1),
            ([1, too_large, too_large], 0),
        ] {
            let roots = ["/a", "/b", "/c"];
            let mut resources: Vec<_> = roots
                .iter()
                .zip(sizes)
                .map(|(root, size)| sized(root, size))
                .collect();
            admit(&mut resources);
            let places: Vec<_> = (0..3)
                .filter(|i| resources[*i].status == Status::Ok)
                .collect();
            assert_eq!(places, [used]);
            let again = resources.clone();
            admit(&mut resources);
            assert_eq!(resources, again);
        }
    }

    #[test]
    fn only_used_resources_count_and_servers_come_last() {
        let mut invalid = skill("/w", "skills", "broken");
        invalid.demote(Status::Invalid, "broken");
        let mut resources: Vec<_> = (0..SNAPSHOT_RESOURCES_MAX)
            .map(|i| file(&format!("/w/{i:04}.md"), 1))
            .collect();
        resources.insert(0, Resource::new(Kind::McpServer, "files", Status::Ok));
        resources.insert(1, invalid);
        admit(&mut resources);
        assert_eq!(resources[0].status, Status::Excluded);
        let is_ok = |resource: &Resource| resource.status == Status::Ok;
        assert!(resources[2..].iter().all(is_ok));
        resources.push(file("/w/one-more.md", 1));
        admit(&mut resources);
        let one_more = resources.last().unwrap();
        assert_eq!(one_more.status, Status::Excluded);
        assert!(one_more.error.as_deref().unwrap().contains("1000"));
    }

    #[test]
    fn limits_are_counted_together() {
        // A resource that exceeds one limit counts for no other.
        let described = |name: &str, bytes: usize| {
            let mut skill = skill("/w", "skills", name);
            skill.description = Some("d".repeat(bytes));
            skill
        };
        let large = 64 * 1024;
        let mut resources: Vec<_> = (0..40)
            .map(|i| described(&format!("a{i:03}"), large))
            .collect();
        let fitting = SNAPSHOT_PROMPT_BYTES_MAX as usize / (large + 4);
        let rest = SNAPSHOT_RESOURCES_MAX - fitting;
        resources.extend((0..rest + 1).map(|i| described(&format!("b{i:03}"), 1)));
        admit(&mut resources);
        let ok = resources.iter().filter(|r| r.status == Status::Ok);
        assert_eq!(ok.count(), SNAPSHOT_RESOURCES_MAX);
        assert_eq!(resources[fitting].status, Status::Excluded);
        assert_eq!(resources.last().unwrap().status, Status::Excluded);
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
        let with_files = |name: String, count: usize| {
            let mut skill = skill("/w", "skills", &name);
            skill.files = (0..count)
                .map(|i| SkillFile {
                    path: format!("{i:03}"),
                    content: Some(Content::Pinned(BlobHash::of(b"x"))),
                    size: 1,
                    executable: false,
                    error: None,
                })
                .collect();
            skill
        };
        // Seven of 513 with their SKILL.md, which leaves 505.
        let mut resources: Vec<_> = (0..7).map(|i| with_files(format!("s{i}"), 512)).collect();
        resources.extend([
            with_files("t".into(), 505),
            with_files("u".into(), 504),
            with_files("v".into(), 0),
        ]);
        admit(&mut resources);
        let found: Vec<_> = resources[7..].iter().map(|r| r.status).collect();
        assert_eq!(found, [Status::Excluded, Status::Ok, Status::Excluded]);
        assert_eq!(resources[7].files.len(), 1, "one line for all");
    }

    #[test]
    fn unused_resources_past_the_limit_are_counted_in_the_message() {
        let mut resources: Vec<_> = (0..2_001)
            .map(|i| {
                let mut invalid = file(&format!("/w/{i:04}.md"), 1);
                invalid.demote(Status::Invalid, "broken");
                invalid
            })
            .collect();
        resources.push(file("/w/last-but-one.md", 1));
        resources.push(file("/w/last.md", 1));
        let line = admit(&mut resources).unwrap();
        assert!(line.starts_with("3 more resources"), "{line}");
        assert_eq!(resources.len(), SNAPSHOT_LISTED_MAX);
        let tail: Vec<_> = resources[1_997..]
            .iter()
            .map(|r| r.source.as_str())
            .collect();
        assert_eq!(tail, ["/w/1997.md", "/w/last-but-one.md", "/w/last.md"]);
        assert_eq!(admit(&mut resources), None);
    }
}
