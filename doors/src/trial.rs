//! One comparison: a tool in a generated workspace, and what ctxpin says about it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ctxpin_render::profile::{Effective, effective, on_demand};
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

/// What a tool gives its model.
struct Texts {
    /// The text with the instruction files.
    due: String,
    /// What comes with the file that the model reads.
    on_demand: Vec<String>,
}

impl Trial<'_> {
    /// Compares both sides in the workspace of a seed. True if the instruction texts are equal, byte for byte.
    pub async fn run(&self, seed: u64, is_shown: bool) -> anyhow::Result<bool> {
        let mut workspace = generate::workspace(self.client, seed);
        self.client.age(&mut workspace, self.version);
        let directory = tempfile::tempdir()?;
        let base = directory.path().canonicalize()?;
        workspace.make(&base)?;
        let (said, effective) = self.said(&base, &workspace)?;
        let given = self.given(&base, &workspace).await?;
        let unread = effective.left_out.iter();
        let unread = unread.filter(|file| file.reason.starts_with(GIVEN_UNREAD));
        let unread: Vec<_> = unread.map(|file| file.source.as_str()).collect();
        let [said, given] = [said, given].map(|texts| self.comparable(&texts, &unread));
        let is_equal = said == given;
        if is_shown {
            workspace.print();
            println!("given by ctxpin's account: {:#?}", effective.given);
            println!("left out: {:#?}", effective.left_out);
            let diff = TextDiff::from_lines(&given, &said);
            println!("{}", diff.unified_diff().header("the tool", "ctxpin"));
        }
        Ok(is_equal)
    }

    /// Returns both texts as one, without what cannot be equal.
    fn comparable(&self, texts: &Texts, unread: &[&str]) -> String {
        let due = self.client.comparable(&texts.due, unread);
        let is_read = |text: &&String| {
            let mut unread = unread.iter();
            !unread.any(|path| text.starts_with(&format!("Contents of {path}:")))
        };
        let on_demand = texts.on_demand.iter().filter(is_read);
        // An older version may write other blanks behind a text.
        let is_newest = self.client.versions().first() == Some(&self.version);
        let on_demand = on_demand.map(|text| match is_newest {
            true => text.as_str(),
            false => text.trim_end(),
        });
        let on_demand: Vec<_> = on_demand.collect();
        format!("{due}\n\n--- on demand ---\n\n{}", on_demand.join("\n\n"))
    }

    /// Returns what ctxpin says.
    fn said(&self, base: &Path, workspace: &Workspace) -> anyhow::Result<(Texts, Effective)> {
        let (working, home) = (base.join(&workspace.working), base.join(HOME));
        let mut request = Request::project(working, home, Trust::of_process());
        request.profile = self.client.profile();
        request.user_roots = true;
        let found = scan(&request, &|| false)?;
        let effective = effective(&found.snapshot, &found.bodies);
        let wanted = workspace.wanted.iter().flat_map(|wanted| {
            let wanted = base.join(wanted);
            on_demand(&found.snapshot, &found.bodies, &wanted.to_string_lossy())
        });
        let mut on_demand: Vec<_> = wanted.map(|given| given.text).collect();
        on_demand.sort_unstable();
        let due = effective.text.clone();
        Ok((Texts { due, on_demand }, effective))
    }

    /// Returns what the tool gives its model in its first request, and in the last one with the file that the
    /// model reads.
    async fn given(&self, base: &Path, workspace: &Workspace) -> anyhow::Result<Texts> {
        let mut command = Command::new(self.program);
        command
            .current_dir(base.join(&workspace.working))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", base.join(HOME))
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        let wanted = workspace.wanted.as_ref().map(|wanted| base.join(wanted));
        let url = self.standin.url();
        self.client
            .ask(&mut command, base, &url, wanted.as_deref())?;
        let mut command = tokio::process::Command::from(command);
        let output = timeout(ANSWER_TIME_MAX, command.kill_on_drop(true).output()).await;
        let output = output.context("the tool did not end")??;
        let requests = self.standin.take()?;
        let last_words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the tool failed: {last_words}");
        let first = requests
            .first()
            .context("the tool asked its model nothing")?;
        Ok(Texts {
            due: self.client.instructions(first),
            on_demand: requests
                .last()
                .map(|last| self.client.on_demand(last))
                .unwrap_or_default(),
        })
    }
}
