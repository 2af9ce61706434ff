//! `ctxpin up`.

use std::path::PathBuf;

use clap::Args;
use ctxpin_agent::readiness::Readiness;
use ctxpin_model::profile::Profile;
use ctxpin_scan::trust::Trust;

use super::absolute::{absolute, absolute_paths};
use super::serve::Database;
use super::tool::ToolHomes;
use super::trust::TrustRoots;
use super::words;
use crate::log;
use crate::say::Failure;
use crate::up::{Tool, Voice, Watching, detach};

/// Watch a directory: start your server or join the running one, and pin a first chat
///
/// You have one server, which listens on this machine only. Each further `ctxpin up` adds a
/// directory to it.
#[derive(Debug, Args)]
pub struct Up {
    /// The directory to watch
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// Run in the background; `ctxpin down` stops it
    #[arg(long)]
    detach: bool,
    /// Serve this tool besides ctxpin's own profile; repeatable [default: each tool whose home or files are
    /// here]
    #[arg(long, value_name = "TOOL", value_parser = words(Profile::ALL, Profile::as_str))]
    profile: Vec<Profile>,
    #[command(flatten)]
    homes: ToolHomes,
    /// Do not scan ~/.agents, ~/.claude, ~/.codex, ~/.config/opencode and ~/.opencode
    #[arg(long)]
    no_user_roots: bool,
    #[command(flatten)]
    database: Database,
    /// A file with your token, if another machine set up the database; or put the token in
    /// CTXPIN_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    workspace: Workspace,
    /// Another process has started this one, and listens
    #[arg(long, hide = true, requires = "detach")]
    started: bool,
}

/// The options of every command that runs an agent.
#[derive(Debug, Clone, Default, Args)]
pub struct Workspace {
    /// Allow declared sources, and targets of links in the user roots (under a tool's profile, in the
    /// project too), below this directory; repeatable
    #[arg(long = "allow-root", value_name = "DIR")]
    allow_roots: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustRoots,
    /// Poll for changes every two seconds; known file systems without events are polled anyway
    #[arg(long)]
    poll: bool,
    /// Scan nothing until this file exists
    #[arg(long, value_name = "FILE", conflicts_with = "ready_command")]
    ready_file: Option<PathBuf>,
    /// Scan nothing until this shell command succeeds in the directory
    #[arg(long, value_name = "COMMAND")]
    ready_command: Option<String>,
}

impl Workspace {
    /// Returns the directories below which sources may be declared, as absolute paths.
    ///
    /// # Errors
    ///
    /// Fails if the current directory is gone.
    pub fn allowed_roots(&self) -> Result<Vec<PathBuf>, Failure> {
        absolute_paths(&self.allow_roots)
    }

    /// Returns whose directories the agent trusts.
    ///
    /// # Errors
    ///
    /// Fails if the current directory is gone, or the operator's configuration cannot be used.
    pub fn trust(&self) -> Result<Trust, Failure> {
        self.trust.get()
    }

    /// Returns whether to poll for changes every two seconds.
    pub fn poll(&self) -> bool {
        self.poll
    }

    /// Returns the condition that the first scan waits for.
    ///
    /// # Errors
    ///
    /// Fails if the current directory is gone.
    pub fn readiness(&self) -> Result<Option<Readiness>, Failure> {
        Ok(match (&self.ready_file, &self.ready_command) {
            // A path on the command line is relative to the current directory.
            (Some(file), _) => Some(Readiness::File(absolute(file)?)),
            (None, Some(command)) => Some(Readiness::Command(command.clone())),
            (None, None) => None,
        })
    }
}

impl Up {
    /// Watches the directory until the process is stopped, or starts a background process that
    /// does.
    ///
    /// # Errors
    ///
    /// Fails if the server or the agent cannot start or ends with an error.
    pub async fn run(self) -> Result<(), Failure> {
        if !self.detach {
            log::start_with("warn");
            return self.watching()?.run(&mut Voice::person()).await;
        }
        if !self.started {
            return detach::start().await;
        }
        log::start();
        let mut voice = detach::leave();
        let answer = match self.watching() {
            Ok(watching) => watching.run(&mut voice).await,
            Err(failure) => Err(failure),
        };
        // The process that started this one prints the failure. If it no longer listens, the
        // failure goes to the log.
        match answer {
            Err(failure) if voice.failed(&failure) => Ok(()),
            answer => answer,
        }
    }

    fn watching(self) -> Result<Watching, Failure> {
        let tools = Profile::ALL.iter().map(|profile| {
            Ok::<_, Failure>(Tool {
                profile: *profile,
                environment: self.homes.environment(*profile)?,
            })
        });
        Ok(Watching {
            tools: tools.collect::<Result<_, _>>()?,
            chosen: self.profile,
            directory: self.directory,
            user_roots: !self.no_user_roots,
            allowed_roots: self.workspace.allowed_roots()?,
            trust: self.workspace.trust()?,
            database: self.database.address()?,
            poll: self.workspace.poll(),
            ready: self.workspace.readiness()?,
            // The file is read after the process may have changed its directory.
            token_file: self.token_file.as_deref().map(absolute).transpose()?,
        })
    }
}
