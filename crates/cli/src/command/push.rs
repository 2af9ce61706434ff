//! `ctxpin push`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ctxpin_agent::push;
use ctxpin_agent::report::Report;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::push::PushAnswer;
use ctxpin_scan::roots::Request;

use super::Output;
use super::tool::ToolArguments;
use super::trust::TrustRoots;
use crate::connect::AgentConnection;
use crate::home::home_directory;
use crate::say::{self, Failure, Progress};
use crate::up::directory_check;

/// Scan a directory and push the result once, with an agent's token
///
/// Use it in continuous integration and in short-lived workspaces.
#[derive(Debug, Args)]
pub struct Push {
    /// The directory of the workspace
    #[arg(default_value = ".")]
    directory: PathBuf,
    #[command(flatten)]
    tool: ToolArguments,
    /// Also scan ~/.agents, ~/.claude, ~/.codex, ~/.config/opencode and ~/.opencode
    #[arg(long)]
    user_roots: bool,
    #[command(flatten)]
    trust: TrustRoots,
    /// How long to retry a push that fails, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: AgentConnection,
}

impl Push {
    /// Scans the directory and pushes the result.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be scanned, or the server does not accept the push in time.
    pub async fn run(self) -> Result<(), Failure> {
        let directory = directory_check(&self.directory)?;
        let access = self.connection.get()?;
        let client = access.client()?;
        let needs_home = self.user_roots || self.tool.profile != Profile::Neutral;
        let home = home_directory(needs_home)?;
        let mut request = Request::project(directory, home, self.trust.get()?);
        request.profile = self.tool.profile;
        request.tool = self.tool.environment()?;
        request.user_roots = self.user_roots;
        let mut progress = Progress::new();
        progress.tell("pushing");
        let told = std::sync::Mutex::new(progress);
        let report = |report: Report| {
            if let (Report::Waiting { .. }, Ok(mut progress)) = (&report, told.lock()) {
                progress.tell(&report.to_string());
            }
        };
        let timeout = Duration::from_secs(self.timeout);
        let pushed = push::once(client, request, timeout, report).await;
        let pushed = pushed.map_err(|error| access.token.refused(error))?;
        drop(told);
        if self.output.json {
            return say::print_json(&PushAnswer {
                accepted: true,
                reason: None,
                snapshot: Some(pushed.head),
                seq: Some(pushed.seq),
                hydrated: pushed.hydrated,
            });
        }
        if let Some(error) = &pushed.snapshot.error {
            say::note(&format!("not the whole context: {}", say::text(error)));
        }
        say::print(&format!(
            "pushed {} as {}, head number {}; {} pinned to it\n",
            say::counted(pushed.snapshot.resources.len(), "resource"),
            say::hash(&pushed.head),
            pushed.seq,
            say::counted(pushed.hydrated, "chat")
        ))
    }
}
