//! `ctxpin hook`: the hooks of Claude Code and Codex, and the plugin of opencode.

mod install;
mod place;
mod run;
mod status;
mod watched;

use clap::{Args, Subcommand};

use crate::say::Failure;

/// Follow the sessions of Claude Code, Codex and opencode by their hooks
#[derive(Debug, Args)]
pub struct Noun {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Run),
    Install(install::Install),
    Uninstall(install::Uninstall),
    Status(status::Status),
    Pause(status::Pause),
    Resume(status::Resume),
}

impl Noun {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Fails if the command does.
    pub async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Run(run) => {
                run.run().await;
                Ok(())
            }
            Verb::Install(install) => install.run().await,
            Verb::Uninstall(uninstall) => uninstall.run(),
            Verb::Status(status) => status.run(),
            Verb::Pause(pause) => pause.run(),
            Verb::Resume(resume) => resume.run(),
        }
    }
}
