//! A workspace: a directory with files, and the agent that scans and pushes it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use ctxpin_client::Client;
use ctxpin_protocol::convert::manifest;
use ctxpin_protocol::http::agents::{AgentCreate, SessionOpen};
use ctxpin_scan::roots::Request;
use ctxpin_scan::scan;
use ctxpin_scan::trust::Trust;
use url::Url;
use uuid::Uuid;

/// A directory of a scene, and the agent beside it.
pub struct Workspace {
    pub agent: Uuid,
    directory: PathBuf,
    /// The directory above all workspaces, and the path that readers see in its place.
    above: (String, &'static str),
    error: Option<String>,
    client: Client,
    version: i64,
}

impl Workspace {
    /// Creates an empty workspace below a directory, and its agent.
    pub async fn create(
        owner: &Client,
        server: &Url,
        above: &Path,
        shown: &'static str,
        name: &str,
    ) -> anyhow::Result<Self> {
        let above = above.canonicalize()?;
        let directory = above.join(name);
        // The mark of a repository ends the search for files above it.
        fs::create_dir_all(directory.join(".git"))?;
        let request = AgentCreate {
            workspace: name.to_owned(),
            name: None,
            may_refresh: false,
            replaces: None,
            ..AgentCreate::default()
        };
        let made = owner.agent_create(&request).await?;
        let above = above.to_str().context("a directory in UTF-8")?.to_owned();
        Ok(Self {
            agent: made.agent.id,
            directory,
            above: (above, shown),
            error: None,
            client: Client::new(server.clone(), made.token)?,
            version: 0,
        })
    }

    /// Writes a file. One that begins with `#!` is executable.
    pub fn write(&self, path: &str, text: &str) -> anyhow::Result<&Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().context("a file has a directory")?)?;
        fs::write(&path, text)?;
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(self)
    }

    /// Replaces a text of a file.
    ///
    /// # Errors
    ///
    /// Fails if the file does not contain the text.
    pub fn edit(&self, path: &str, old: &str, new: &str) -> anyhow::Result<&Self> {
        let text = fs::read_to_string(self.directory.join(path))?;
        ensure!(text.contains(old), "{path} has no {old:?}");
        self.write(path, &text.replacen(old, new, 1))
    }

    /// Lets the next pushes say that their scan is not complete.
    pub fn fail(&mut self, error: &str) {
        self.error = Some(error.to_owned());
    }

    /// Opens a session of a new process, and returns its epoch. The server counts the agent as connected for
    /// the next 90 seconds.
    pub async fn connect(&self) -> anyhow::Result<i64> {
        let open = SessionOpen {
            process: Uuid::new_v4(),
            polling: None,
        };
        Ok(self.client.session_open(&open).await?.epoch)
    }

    /// Scans the directory, and pushes the result.
    pub async fn push(&mut self) -> anyhow::Result<()> {
        let epoch = self.connect().await?;
        let request = Request::project(&self.directory, &self.above.0, Trust::of_process());
        let mut found = scan(&request, &|| false)?;
        // Readers see paths as on a person's machine, and not those of a temporary directory.
        let shown = |path: &mut String| *path = path.replace(&self.above.0, self.above.1);
        for resource in &mut found.snapshot.resources {
            shown(&mut resource.source);
            resource.root.as_mut().map(shown);
            resource.error.as_mut().map(shown);
        }
        found.snapshot.facts.directory.as_mut().map(shown);
        found.snapshot.error.clone_from(&self.error);
        self.version += 1;
        let push = manifest::push(
            epoch,
            self.version,
            true,
            &found.snapshot,
            &[],
            &found.bodies,
        );
        let answer = self.client.push(&push).await?;
        ensure!(answer.accepted, "a push was not accepted: {answer:?}");
        Ok(())
    }
}
