//! One comparison: a tool in a generated workspace, and what ctxpin says about it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ctxpin_render::profile::{Effective, effective};
use ctxpin_scan::roots::Request;
use ctxpin_scan::scan;
use ctxpin_scan::trust::Trust;
use similar::TextDiff;
use tokio::time::timeout;

use crate::client::Client;
use crate::generate;
use crate::standin::Standin;
use crate::workspace::{HOME, Workspace};

/// The longest wait for a tool. A loaded machine starts one slowly.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);

/// How ctxpin's reason begins for a file that the tool gives its model and a scan may not read.
const GIVEN_UNREAD: &str = "the tool gives it to its model, but ";

/// A tool to compare.
pub struct Trial<'a> {
    pub client: Client,
    pub version: &'a str,
    pub program: &'a Path,
    pub standin: &'a Standin,
}

impl Trial<'_> {
    /// Compares both sides in the workspace of a seed. True if the instruction text is equal, byte for byte.
    pub async fn run(&self, seed: u64, is_shown: bool) -> anyhow::Result<bool> {
        let mut workspace = generate::workspace(self.client, seed);
        self.client.age(&mut workspace, self.version);
        let directory = tempfile::tempdir()?;
        let base = directory.path().canonicalize()?;
        workspace.make(&base)?;
        let said = self.said(&base, &workspace)?;
        let given = self.given(&base, &workspace).await?;
        let unread = said.left_out.iter();
        let unread = unread.filter(|file| file.reason.starts_with(GIVEN_UNREAD));
        let unread: Vec<_> = unread.map(|file| file.source.as_str()).collect();
        let given = self.client.comparable(&given, &unread);
        let said_text = self.client.comparable(&said.text, &unread);
        let is_equal = said_text == given;
        if is_shown {
            workspace.print();
            println!("given by ctxpin's account: {:#?}", said.given);
            println!("left out: {:#?}", said.left_out);
            let diff = TextDiff::from_lines(&given, &said_text);
            println!("{}", diff.unified_diff().header("the tool", "ctxpin"));
        }
        Ok(is_equal)
    }

    /// Returns what ctxpin says.
    fn said(&self, base: &Path, workspace: &Workspace) -> anyhow::Result<Effective> {
        let (working, home) = (base.join(&workspace.working), base.join(HOME));
        let mut request = Request::project(working, home, Trust::of_process());
        request.profile = self.client.profile();
        request.user_roots = true;
        let found = scan(&request, &|| false)?;
        Ok(effective(&found.snapshot, &found.bodies))
    }

    /// Returns what the tool gives its model in its first request.
    async fn given(&self, base: &Path, workspace: &Workspace) -> anyhow::Result<String> {
        let mut command = Command::new(self.program);
        command
            .current_dir(base.join(&workspace.working))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", base.join(HOME))
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        self.client.ask(&mut command, base, &self.standin.url())?;
        let mut command = tokio::process::Command::from(command);
        let output = timeout(ANSWER_TIME_MAX, command.kill_on_drop(true).output()).await;
        let output = output.context("the tool did not end")??;
        let requests = self.standin.take()?;
        let last_words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the tool failed: {last_words}");
        let first = requests
            .first()
            .context("the tool asked its model nothing")?;
        Ok(self.client.instructions(first))
    }
}
