//! Resources and what differs between two of them, as they are told.

use ctxpin_model::diff::effect::Sides;
use ctxpin_model::treatment::Treatment;
use ctxpin_model::{diff, resource};
use ctxpin_protocol::convert::resources;
use ctxpin_protocol::http::resources::{Change, Resource, Warning};

/// A resource. Descriptions, tools, shapes and what is said of a body are bodies, which not everybody is
/// told.
pub(crate) fn resource(
    resource: &resource::Resource,
    treatment: Option<&Treatment>,
    tells_bodies: bool,
) -> Resource {
    let told = resources::resource(resource, treatment);
    match tells_bodies {
        true => told,
        false => without_bodies(told),
    }
}

/// What differs; the same holds for its resources.
pub(crate) fn change(change: &diff::Change<'_>, sides: Sides<'_>, tells_bodies: bool) -> Change {
    let told = resources::change(change, sides);
    match tells_bodies {
        true => told,
        false => Change {
            pinned: told.pinned.map(without_bodies),
            head: told.head.map(without_bodies),
            ..told
        },
    }
}

fn without_bodies(resource: Resource) -> Resource {
    Resource {
        description: None,
        tools: Vec::new(),
        shape: None,
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

#[cfg(test)]
mod tests {
    use ctxpin_model::hash::BlobHash;
    use ctxpin_model::resource::{Detail, Kind, ServerShape, Status};
    use ctxpin_model::treatment::{Removed, Treatments};
    use ctxpin_model::warning::{self, Code};

    use super::*;

    #[test]
    fn bodies_are_told_to_those_who_may_read_them() {
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
        let told = [
            resource(&skill, Some(&treatment), true),
            resource(&config, None, true),
        ];
        assert!(told[0].description.is_some() && told[1].shape.is_some());
        assert_eq!(told[0].warnings[0].detail.as_deref(), Some("a label"));
        let told = [
            resource(&skill, Some(&treatment), false),
            resource(&config, None, false),
        ];
        assert!(told[0].description.is_none() && told[1].shape.is_none());
        assert_eq!(told[0].name.as_deref(), Some("s"));
        assert_eq!(told[0].warnings[0].code, "definition-unused");
        assert_eq!(told[0].warnings[0].detail, None);
        let sides = Sides {
            pinned: &Treatments::NONE,
            head: &Treatments::NONE,
            renderer: 1,
        };
        let differs = diff::Change {
            subject: diff::Subject::Resource(Kind::Skill),
            verb: diff::Verb::Added,
            pinned: None,
            head: Some(&skill),
        };
        assert!(
            change(&differs, sides, true)
                .head
                .unwrap()
                .description
                .is_some()
        );
        assert!(
            change(&differs, sides, false)
                .head
                .unwrap()
                .description
                .is_none()
        );
    }
}
