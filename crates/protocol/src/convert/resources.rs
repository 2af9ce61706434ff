//! Snapshots, their resources and their changes.

use ctxpin_model::diff::effect::Sides;
use ctxpin_model::mcp::Detail;
use ctxpin_model::profile::Profile;
use ctxpin_model::resource::{self, Content, Kind, Status};
use ctxpin_model::snapshot::{self, Addresses, Snapshot};
use ctxpin_model::treatment::{self, Treatment, Treatments};
use ctxpin_model::{diff, limits, skill, warning};

use crate::http::agents::{KnownProfile, Limits};
use crate::http::push::Facts;
use crate::http::resources::{
    AlsoApplies, Applies, Change, Note, Removed, Resource, ServerShape, Shape, SkillFile, Tool,
    Warning,
};
use crate::http::scan::Scan;

/// Returns the wire shape of a resource, with the treatment of its body if that is known.
pub fn resource(resource: &resource::Resource, treatment: Option<&Treatment>) -> Resource {
    Resource {
        id: resource.id().to_string(),
        kind: resource.kind.to_string(),
        source: resource.source.clone(),
        status: resource.status.to_string(),
        error: resource.error.clone(),
        content_hash: content_hash(resource.content),
        size_bytes: resource.size,
        root: resource.root.clone(),
        name: resource.name.clone(),
        description: resource.description.clone(),
        files: resource.files.iter().map(skill_file).collect(),
        tools: tools(resource.detail.as_ref()),
        shape: shape(resource.detail.as_ref()),
        applies: resource.applies.as_ref().map(applies),
        imported_by: resource.imported_by.clone(),
        warnings: warnings(resource, treatment),
        removed: treatment
            .map(|treatment| treatment.removed)
            .filter(|removed| !removed.is_empty())
            .map(removed),
    }
}

/// Returns the wire shape of the files that a resource is for.
pub fn applies(applies: &resource::Applies) -> Applies {
    Applies {
        below: applies.below.clone(),
        globs: applies.globs.clone(),
        also: applies.also.iter().map(also_applies).collect(),
    }
}

fn also_applies(also: &resource::Also) -> AlsoApplies {
    AlsoApplies {
        below: also.below.clone(),
        globs: also.globs.clone(),
        behind: also.behind.clone(),
    }
}

/// Returns the warning about the place of a resource, then those about its body.
fn warnings(resource: &resource::Resource, treatment: Option<&Treatment>) -> Vec<Warning> {
    let of_body = treatment
        .into_iter()
        .flat_map(|treatment| &treatment.warnings);
    let is_skill = resource.kind == Kind::Skill && resource.status == Status::Ok;
    let name = resource.own_name().filter(|_| is_skill);
    // Before a colon can be what the tool puts before the name.
    let behind = |name: &str| {
        let directory = skill::directory_name(&resource.source)?;
        name.strip_suffix(directory)?.ends_with(':').then_some(())
    };
    let name = name.filter(|name| behind(name).is_none());
    let of_place = name.and_then(|name| skill::directory_warning(name, &resource.source));
    of_place.iter().chain(of_body).map(warning).collect()
}

/// Returns the wire shape of a warning.
pub fn warning(warning: &warning::Warning) -> Warning {
    Warning {
        code: warning.code.to_string(),
        line: warning.line,
        detail: warning.detail.clone(),
    }
}

/// Returns the wire shape of a note.
pub fn note(note: &warning::Note) -> Note {
    let Warning { code, line, detail } = warning(&note.warning);
    Note {
        source: note.source.clone(),
        code,
        line,
        detail,
    }
}

fn removed(removed: treatment::Removed) -> Removed {
    Removed {
        comment: removed.comment,
        invisible: removed.invisible,
        blank: removed.blank,
    }
}

/// Returns the wire shape of a change.
pub fn change(change: &diff::Change<'_>, sides: Sides<'_>) -> Change {
    let shape_of = |side: Option<&resource::Resource>, treatments: &Treatments| {
        side.map(|side| resource(side, treatments.of(side, sides.renderer)))
    };
    Change {
        kind: change.subject.as_str().to_owned(),
        source: change.source().to_owned(),
        change: change.verb.to_string(),
        effect: change.effect(sides).to_string(),
        cause: change.cause().map(|cause| cause.to_string()),
        pinned: shape_of(change.pinned, sides.pinned),
        head: shape_of(change.head, sides.head),
    }
}

/// Returns the wire shape of a resource. Without `tells_bodies`, it lacks descriptions, tools,
/// shapes, globs, imports and the details of warnings, which say something of a body.
pub fn resource_within(
    found: &resource::Resource,
    treatment: Option<&Treatment>,
    tells_bodies: bool,
) -> Resource {
    let wire = resource(found, treatment);
    match tells_bodies {
        true => wire,
        false => without_bodies(wire),
    }
}

/// Returns the wire shape of a change. Without `tells_bodies`, its resources lack their bodies.
pub fn change_within(differs: &diff::Change<'_>, sides: Sides<'_>, tells_bodies: bool) -> Change {
    let wire = change(differs, sides);
    match tells_bodies {
        true => wire,
        false => Change {
            pinned: wire.pinned.map(without_bodies),
            head: wire.head.map(without_bodies),
            ..wire
        },
    }
}

fn without_bodies(resource: Resource) -> Resource {
    Resource {
        description: None,
        tools: Vec::new(),
        shape: None,
        applies: None,
        imported_by: None,
        warnings: resource
            .warnings
            .into_iter()
            .map(|warning| Warning {
                detail: None,
                ..warning
            })
            .collect(),
        ..resource
    }
}

/// Returns the wire shape of the facts about a workspace.
pub fn facts(facts: &snapshot::Facts) -> Facts {
    let rules = facts.rules.as_ref();
    Facts {
        os: facts.os.clone(),
        directory: facts.directory.clone(),
        profile: rules.map(|rules| rules.settings.profile().to_string()),
        rules: rules.map(|rules| rules.version),
        settings: rules.map(|rules| rules.settings.json()),
    }
}

/// Returns the wire shape of a scanned snapshot, with the treatments by this version of the
/// renderer.
pub fn scan(
    snapshot: &Snapshot,
    notes: &[warning::Note],
    treatments: &Treatments,
    renderer: i64,
    addresses: &Addresses,
) -> Scan {
    Scan {
        snapshot: addresses.id.to_string(),
        context_hash: addresses.context_hash.to_string(),
        tools_hash: addresses.tools_hash.to_string(),
        effective: None,
        not_effective: None,
        error: snapshot.error.clone(),
        facts: facts(&snapshot.facts),
        resources: snapshot
            .resources
            .iter()
            .map(|found| resource(found, treatments.of(found, renderer)))
            .collect(),
        notes: notes.iter().map(note).collect(),
    }
}

/// Returns the limits of the model, with the greatest size of a request to this server, in bytes.
pub fn limits(request_bytes_max: u64) -> Limits {
    Limits {
        request_bytes_max,
        upload_bytes_max: limits::AGENT_UPLOAD_BYTES_MAX,
        prompt_file_bytes_max: limits::INSTRUCTION_FILE_BYTES_MAX,
        skill_md_bytes_max: Some(limits::SKILL_MD_BYTES_MAX),
        mcp_config_bytes_max: limits::MCP_CONFIG_BYTES_MAX,
        skill_file_bytes_max: limits::SKILL_FILE_BYTES_MAX,
        skill_files_max: limits::SKILL_FILES_MAX as u64,
        skill_bytes_max: limits::SKILL_BYTES_MAX,
        skill_listed_max: limits::SKILL_LISTED_MAX as u64,
        snapshot_skill_files_max: limits::SNAPSHOT_SKILL_FILES_MAX as u64,
        snapshot_skill_bytes_max: limits::SNAPSHOT_SKILL_BYTES_MAX,
        snapshot_prompt_bytes_max: limits::SNAPSHOT_PROMPT_BYTES_MAX,
        snapshot_resources_max: limits::SNAPSHOT_RESOURCES_MAX as u64,
        snapshot_listed_max: limits::SNAPSHOT_LISTED_MAX as u64,
        notes_max: warning::NOTES_MAX as u64,
        polling_bytes_max: limits::POLLING_BYTES_MAX as u64,
        profiles: Profile::ALL.iter().map(known_profile).collect(),
    }
}

fn known_profile(profile: &Profile) -> KnownProfile {
    KnownProfile {
        name: profile.to_string(),
        rules: profile.rules_known().to_vec(),
    }
}

/// Returns the wire shape of a supporting file of a skill.
pub fn skill_file(file: &resource::SkillFile) -> SkillFile {
    SkillFile {
        path: file.path.clone(),
        content_hash: content_hash(file.content),
        size_bytes: file.size,
        executable: file.executable,
        error: file.error.clone(),
    }
}

pub(super) fn content_hash(content: Option<Content>) -> Option<String> {
    content.map(|content| content.hash().to_string())
}

pub(super) fn tools(detail: Option<&Detail>) -> Vec<Tool> {
    let Some(Detail::Tools(tools)) = detail else {
        return Vec::new();
    };
    let tools = tools.iter().map(|tool| Tool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        input_schema: tool.input_schema.clone(),
    });
    tools.collect()
}

pub(super) fn shape(detail: Option<&Detail>) -> Option<Shape> {
    let Some(Detail::Shape(servers)) = detail else {
        return None;
    };
    let servers = servers.iter().map(|server| ServerShape {
        name: server.name.clone(),
        transport: server.transport.clone(),
        command: server.command.clone(),
        host: server.host.clone(),
        env: server.env.clone(),
        headers: server.headers.clone(),
    });
    Some(Shape {
        servers: servers.collect(),
    })
}

#[cfg(test)]
mod tests {
    use ctxpin_model::hash::BlobHash;
    use ctxpin_model::mcp::ServerShape;
    use ctxpin_model::mode::Mode;
    use ctxpin_model::treatment::Removed;
    use ctxpin_model::warning::Code;

    use super::*;

    #[test]
    fn bodies_are_left_out_without_the_right() {
        let mut skill = resource::Resource::new(Kind::Skill, "/w/skills/s/SKILL.md", Status::Ok);
        skill.name = Some("s".into());
        skill.description = Some("what it does".into());
        let mut config = resource::Resource::new(Kind::McpConfig, "/w/.mcp.json", Status::Ok);
        config.detail = Some(Detail::Shape(vec![ServerShape::default()]));
        let treatment = Treatment {
            given: BlobHash::of(b""),
            removed: Removed::default(),
            warnings: vec![warning::Warning::new(Code::DefinitionUnused).about("a label")],
        };
        let wire = [
            resource_within(&skill, Some(&treatment), true),
            resource_within(&config, None, true),
        ];
        assert!(wire[0].description.is_some() && wire[1].shape.is_some());
        assert_eq!(wire[0].warnings[0].detail.as_deref(), Some("a label"));
        let wire = [
            resource_within(&skill, Some(&treatment), false),
            resource_within(&config, None, false),
        ];
        assert!(wire[0].description.is_none() && wire[1].shape.is_none());
        assert_eq!(wire[0].name.as_deref(), Some("s"));
        assert_eq!(wire[0].warnings[0].code, "definition-unused");
        assert_eq!(wire[0].warnings[0].detail, None);
        let sides = Sides {
            pinned: &Treatments::NONE,
            head: &Treatments::NONE,
            renderer: 1,
            mode: Mode::Delivered,
        };
        let differs = diff::Change {
            subject: diff::Subject::Resource(Kind::Skill),
            verb: diff::Verb::Added,
            pinned: None,
            head: Some(&skill),
        };
        assert!(
            change_within(&differs, sides, true)
                .head
                .unwrap()
                .description
                .is_some()
        );
        assert!(
            change_within(&differs, sides, false)
                .head
                .unwrap()
                .description
                .is_none()
        );
    }
}
