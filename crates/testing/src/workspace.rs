//! Workspaces made of words: the manifest that an agent would push, without files.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, SkillFile, Status};
use ctxpin_model::snapshot::{Facts, Snapshot};

/// A workspace under a directory. Its resources stand in the order in which they were put.
#[derive(Debug, Clone)]
pub struct Workspace {
    directory: String,
    resources: Vec<Resource>,
    bodies: Bodies,
    error: Option<String>,
}

impl Workspace {
    /// An empty workspace.
    pub fn new(directory: &str) -> Self {
        Self {
            directory: directory.into(),
            resources: Vec::new(),
            bodies: Bodies::new(),
            error: None,
        }
    }

    /// A workspace of one `AGENTS.md`.
    pub fn with_agents_md(directory: &str, text: &str) -> Self {
        Self::new(directory).file("AGENTS.md", text)
    }

    /// Puts an instruction file, in the place of one of the same path.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        let source = format!("{}/{path}", self.directory);
        let mut resource = Resource::new(Kind::InstructionFile, source, Status::Ok);
        resource.content = Some(Content::Pinned(self.keep(text.as_bytes())));
        resource.size = text.len() as u64;
        resource.root = Some(self.directory.clone());
        self.put(resource);
        self
    }

    /// Puts a skill with supporting files, in the place of one of the same name.
    pub fn skill(mut self, name: &str, description: &str, files: &[(&str, &str)]) -> Self {
        let text = format!("---\nname: {name}\ndescription: {description}\n---\n# {name}\n");
        let source = format!("{}/.agents/skills/{name}/SKILL.md", self.directory);
        let mut resource = Resource::new(Kind::Skill, source, Status::Ok);
        resource.content = Some(Content::Pinned(self.keep(text.as_bytes())));
        resource.size = text.len() as u64;
        resource.name = Some(name.into());
        resource.description = Some(description.into());
        resource.root = Some(self.directory.clone());
        for (path, text) in files {
            let hash = self.keep(text.as_bytes());
            resource.files.push(SkillFile {
                path: (*path).into(),
                content: Some(Content::Pinned(hash)),
                size: text.len() as u64,
                executable: false,
                error: None,
            });
        }
        self.put(resource);
        self
    }

    /// Puts any resource, in the place of one of the same kind and source.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.put(resource);
        self
    }

    /// Takes a file away.
    pub fn without(mut self, path: &str) -> Self {
        let source = format!("{}/{path}", self.directory);
        self.resources.retain(|resource| resource.source != source);
        self
    }

    /// Sets the snapshot's error.
    pub fn error(mut self, error: &str) -> Self {
        self.error = Some(error.into());
        self
    }

    /// The snapshot as the server should see it.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            facts: Facts {
                os: Some("linux".into()),
                directory: Some(self.directory.clone()),
            },
            error: self.error.clone(),
            resources: self.resources.clone(),
        }
    }

    /// What travels: every hash is a claim, and all bytes are there.
    pub fn manifest(&self) -> (Snapshot, Bodies) {
        let mut manifest = self.snapshot();
        let claim = |content: &mut Option<Content>| {
            *content = content.map(|content| Content::Claimed(content.hash()));
        };
        for resource in &mut manifest.resources {
            claim(&mut resource.content);
            resource
                .files
                .iter_mut()
                .for_each(|file| claim(&mut file.content));
        }
        (manifest, self.bodies_in_use())
    }

    fn bodies_in_use(&self) -> Bodies {
        let used: Vec<_> = self.resources.iter().flat_map(Resource::stored).collect();
        let bodies = self.bodies.iter().filter(|(hash, _)| used.contains(hash));
        bodies.map(|(hash, bytes)| (*hash, bytes.clone())).collect()
    }

    fn keep(&mut self, bytes: &[u8]) -> BlobHash {
        let hash = BlobHash::of(bytes);
        self.bodies.insert(hash, bytes.into());
        hash
    }

    fn put(&mut self, resource: Resource) {
        let same =
            |there: &&mut Resource| there.kind == resource.kind && there.source == resource.source;
        match self.resources.iter_mut().find(same) {
            Some(there) => *there = resource,
            None => self.resources.push(resource),
        }
    }
}
