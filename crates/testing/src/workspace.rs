//! Workspaces without files: the manifest that an agent would push.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::manifest::{Claims, Manifest};
use ctxpin_model::mcp::{Detail, ServerShape, Tool};
use ctxpin_model::profile::{ClaudeCodeSettings, CodexSettings, OpencodeSettings, Rules, Settings};
use ctxpin_model::resource::{Applies, Bodies, Content, Kind, Resource, SkillFile, Status};
use ctxpin_model::snapshot::{Facts, Snapshot};

/// Returns the manifest of a snapshot, with these bytes.
///
/// # Panics
///
/// Panics if the manifest is not well formed.
pub fn claimed(snapshot: &Snapshot, inline: Bodies) -> Manifest {
    Manifest::new(Claims::of(snapshot, inline)).expect("claims that are well formed")
}

/// A workspace in a directory. Its resources have the order in which they were added.
#[derive(Debug, Clone)]
pub struct Workspace {
    directory: String,
    os: String,
    resources: Vec<Resource>,
    bodies: Bodies,
    error: Option<String>,
    rules: Option<Rules>,
}

impl Workspace {
    /// Returns an empty workspace.
    pub fn new(directory: &str) -> Self {
        Self {
            directory: directory.into(),
            os: "linux".into(),
            resources: Vec::new(),
            bodies: Bodies::new(),
            error: None,
            rules: None,
        }
    }

    /// Returns a workspace of one `AGENTS.md`.
    pub fn with_agents_md(directory: &str, text: &str) -> Self {
        Self::new(directory).file("AGENTS.md", text)
    }

    /// Moves the working directory. What was added before stays where it is.
    pub fn at(mut self, directory: &str) -> Self {
        self.directory = directory.into();
        self
    }

    /// Adds an instruction file, or replaces the one of the same path.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        let source = format!("{}/{path}", self.directory);
        let mut resource = Resource::new(Kind::InstructionFile, source, Status::Ok);
        resource.content = Some(Content::Pinned(self.keep(text.as_bytes())));
        resource.size = text.len() as u64;
        resource.root = Some(self.directory.clone());
        self.put(resource);
        self
    }

    /// Adds an instruction file for the files below a directory that these globs match, or replaces the one of the same
    /// path.
    pub fn file_for(self, path: &str, text: &str, below: &str, globs: &[&str]) -> Self {
        let mut workspace = self.file(path, text);
        let source = format!("{}/{path}", workspace.directory);
        let mut resources = workspace.resources.iter_mut();
        let added = resources.find(|resource| resource.source == source);
        added.expect("it was just added").applies = Some(Applies::to(
            below,
            globs.iter().map(|glob| (*glob).into()).collect(),
        ));
        workspace
    }

    /// Adds a skill with supporting files, or replaces the one of the same name.
    pub fn skill(self, name: &str, description: &str, files: &[(&str, &str)]) -> Self {
        let files: Vec<_> = files
            .iter()
            .map(|(p, text)| (*p, text.as_bytes()))
            .collect();
        let directory = self.directory.clone();
        self.skill_of(&directory, name, description, &files)
    }

    /// Adds a skill of another root, with files of any bytes, or replaces the one of the same path.
    pub fn skill_of(
        mut self,
        root: &str,
        name: &str,
        description: &str,
        files: &[(&str, &[u8])],
    ) -> Self {
        let text = format!("---\nname: {name}\ndescription: {description}\n---\n# {name}\n");
        self.put_skill(root, (name, description), &text, files);
        self
    }

    /// Adds a skill that Claude Code keeps out of the list for its model.
    pub fn hidden_skill(mut self, name: &str, description: &str) -> Self {
        let text = format!(
            "---\nname: {name}\ndescription: {description}\ndisable-model-invocation: true\n---\n# {name}\n"
        );
        let directory = self.directory.clone();
        self.put_skill(&directory, (name, description), &text, &[]);
        self
    }

    /// Adds a skill that Claude Code lists after it read a file that a glob matches.
    pub fn skill_for(mut self, name: &str, description: &str, glob: &str) -> Self {
        let text = format!(
            "---\nname: {name}\ndescription: {description}\npaths: \"{glob}\"\n---\n# {name}\n"
        );
        let directory = self.directory.clone();
        self.put_skill(&directory, (name, description), &text, &[]);
        self
    }

    fn put_skill(
        &mut self,
        root: &str,
        (name, description): (&str, &str),
        text: &str,
        files: &[(&str, &[u8])],
    ) {
        let source = format!("{root}/.agents/skills/{name}/SKILL.md");
        let mut resource = Resource::new(Kind::Skill, source, Status::Ok);
        resource.content = Some(Content::Pinned(self.keep(text.as_bytes())));
        resource.size = text.len() as u64;
        resource.name = Some(name.into());
        resource.description = Some(description.into());
        resource.root = Some(root.into());
        for (path, bytes) in files {
            let hash = self.keep(bytes);
            resource.files.push(SkillFile {
                path: (*path).into(),
                content: Some(Content::Pinned(hash)),
                size: bytes.len() as u64,
                executable: false,
                error: None,
            });
        }
        self.put(resource);
    }

    /// Adds an MCP server with tools of these names, or replaces the one of the same name. A server
    /// without tools has no detail, as in a pushed snapshot.
    pub fn server(mut self, name: &str, tools: &[&str]) -> Self {
        let mut resource = Resource::new(Kind::McpServer, name, Status::Ok);
        let tools = tools.iter().map(|tool| Tool {
            name: (*tool).into(),
            description: None,
            input_schema: serde_json::Map::new(),
        });
        let tools: Vec<_> = tools.collect();
        resource.detail = (!tools.is_empty()).then_some(Detail::Tools(tools));
        self.put(resource);
        self
    }

    /// Adds a `.mcp.json` that declares one server. Its bytes never leave the workspace.
    pub fn mcp_config(mut self, text: &str) -> Self {
        let source = format!("{}/.mcp.json", self.directory);
        let mut resource = Resource::new(Kind::McpConfig, source, Status::Ok);
        resource.content = Some(Content::Claimed(BlobHash::of(text.as_bytes())));
        resource.size = text.len() as u64;
        resource.root = Some(self.directory.clone());
        resource.detail = Some(Detail::Shape(vec![ServerShape {
            name: "git".into(),
            transport: "stdio".into(),
            command: Some("git-mcp".into()),
            ..ServerShape::default()
        }]));
        self.put(resource);
        self
    }

    /// Adds an unusable instruction file, or replaces the one of the same path.
    pub fn broken(mut self, path: &str, error: &str) -> Self {
        let source = format!("{}/{path}", self.directory);
        let mut resource = Resource::new(Kind::InstructionFile, source, Status::Invalid);
        resource.error = Some(error.into());
        resource.root = Some(self.directory.clone());
        self.put(resource);
        self
    }

    /// Sets the operating system in the facts.
    pub fn os(mut self, os: &str) -> Self {
        self.os = os.into();
        self
    }

    /// Sets the settings of Codex, by whose rules the workspace is then read. Its home is `/home/ada/.codex`.
    pub fn codex(self, bytes_max: u64) -> Self {
        self.read_by(Settings::Codex(CodexSettings {
            bytes_max,
            ..CodexSettings::defaults("/home/ada/.codex")
        }))
    }

    /// Sets the settings of Claude Code, by whose rules the workspace is then read. Its home is `/home/ada/.claude`.
    pub fn claude_code(self, excludes: &[&str]) -> Self {
        self.read_by(Settings::ClaudeCode(ClaudeCodeSettings {
            excludes: excludes.iter().map(|glob| (*glob).into()).collect(),
            ..ClaudeCodeSettings::defaults("/home/ada/.claude")
        }))
    }

    /// Sets the settings of opencode, by whose rules the workspace is then read.
    pub fn opencode(self, instructions: &[&str]) -> Self {
        self.read_by(Settings::Opencode(OpencodeSettings {
            instructions: instructions.iter().map(|path| (*path).into()).collect(),
            ..OpencodeSettings::defaults("/home/ada/.config/opencode")
        }))
    }

    fn read_by(mut self, settings: Settings) -> Self {
        self.rules = Some(Rules::newest(settings));
        self
    }

    /// Adds a resource, or replaces the one of the same kind and source.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.put(resource);
        self
    }

    /// Removes a file.
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

    /// Returns the snapshot that the server should derive.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            facts: Facts {
                os: Some(self.os.clone()),
                directory: Some(self.directory.clone()),
                rules: self.rules.clone(),
            },
            error: self.error.clone(),
            resources: self.resources.clone(),
        }
    }

    /// Returns the snapshot that an agent pushes, with all its bytes.
    pub fn manifest(&self) -> (Snapshot, Bodies) {
        (self.snapshot(), self.bodies_in_use())
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
