//! Snapshots to render, with their bodies.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::mcp::{Detail, Tool};
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, Status};
use ctxpin_model::snapshot::{Facts, Snapshot};
use serde_json::Value;

/// A snapshot in the making.
#[derive(Debug, Default)]
pub struct Sample {
    pub snapshot: Snapshot,
    pub bodies: Bodies,
}

impl Sample {
    pub fn facts(mut self, os: Option<&str>, directory: Option<&str>) -> Self {
        self.snapshot.facts = Facts {
            os: os.map(str::to_owned),
            directory: directory.map(str::to_owned),
            rules: None,
        };
        self
    }

    pub fn file(self, source: &str, body: impl AsRef<[u8]>) -> Self {
        let resource = Resource::new(Kind::InstructionFile, source, Status::Ok);
        self.with_body(resource, body.as_ref())
    }

    pub fn skill(self, name: &str, description: &str) -> Self {
        let body = format!("---\nname: {name}\ndescription: {description}\n---\n");
        let mut sample = self.skill_of(name, &body);
        let skill = sample.snapshot.resources.last_mut().unwrap();
        skill.description = Some(description.to_owned());
        sample
    }

    pub fn skill_of(self, name: &str, body: &str) -> Self {
        let source = format!("/srv/.agents/skills/{name}/SKILL.md");
        let mut resource = Resource::new(Kind::Skill, source, Status::Ok);
        resource.name = Some(name.to_owned());
        self.with_body(resource, body.as_bytes())
    }

    pub fn server(self, name: &str, tools: Vec<Tool>) -> Self {
        let mut resource = Resource::new(Kind::McpServer, name, Status::Ok);
        resource.detail = Some(Detail::Tools(tools));
        self.with(resource)
    }

    pub fn with(mut self, resource: Resource) -> Self {
        self.snapshot.resources.push(resource);
        self
    }

    fn with_body(mut self, mut resource: Resource, body: &[u8]) -> Self {
        let hash = BlobHash::of(body);
        resource.content = Some(Content::Pinned(hash));
        resource.size = body.len() as u64;
        self.bodies.insert(hash, body.into());
        self.with(resource)
    }

    pub fn prompt(&self) -> String {
        ctxpin_render::prompt::render(&self.snapshot, &self.bodies)
    }
}

/// A tool whose input is described by `schema`, a JSON object.
pub fn tool(name: &str, schema: Value) -> Tool {
    Tool {
        name: name.to_owned(),
        description: Some(format!("What {name} does.")),
        input_schema: schema
            .as_object()
            .cloned()
            .expect("the test gives an object"),
    }
}
