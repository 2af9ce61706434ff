//! Resources and what differs between two of them, as they are told.

use ctxpin_model::{diff, resource};
use ctxpin_protocol::convert::resources;
use ctxpin_protocol::http::resources::{Change, Resource};

/// A resource. Descriptions, tools and shapes are bodies, which not everybody is told.
pub(crate) fn resource(resource: &resource::Resource, tells_bodies: bool) -> Resource {
    let told = resources::resource(resource);
    match tells_bodies {
        true => told,
        false => without_bodies(told),
    }
}

/// What differs; the same holds for its resources.
pub(crate) fn change(change: &diff::Change<'_>, tells_bodies: bool) -> Change {
    let told = resources::change(change);
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
        ..resource
    }
}

#[cfg(test)]
mod tests {
    use ctxpin_model::resource::{Detail, Kind, ServerShape, Status};

    use super::*;

    #[test]
    fn bodies_are_told_to_those_who_may_read_them() {
        let mut skill = resource::Resource::new(Kind::Skill, "/w/skills/s/SKILL.md", Status::Ok);
        skill.name = Some("s".into());
        skill.description = Some("what it does".into());
        let mut config = resource::Resource::new(Kind::McpConfig, "/w/.mcp.json", Status::Ok);
        config.detail = Some(Detail::Shape(vec![ServerShape::default()]));
        let told = [resource(&skill, true), resource(&config, true)];
        assert!(told[0].description.is_some() && told[1].shape.is_some());
        let told = [resource(&skill, false), resource(&config, false)];
        assert!(told[0].description.is_none() && told[1].shape.is_none());
        assert_eq!(told[0].name.as_deref(), Some("s"));
        let differs = diff::Change {
            subject: diff::Subject::Resource(Kind::Skill),
            verb: diff::Verb::Added,
            pinned: None,
            head: Some(&skill),
        };
        assert!(change(&differs, true).head.unwrap().description.is_some());
        assert!(change(&differs, false).head.unwrap().description.is_none());
    }
}
