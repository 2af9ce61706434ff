//! The options for a tool whose rules a scan follows.

use std::path::PathBuf;

use clap::Args;
use ctxpin_model::profile::Profile;

use super::absolute::absolute;
use super::words;
use crate::say::Failure;

/// The tool whose rules an agent follows.
#[derive(Debug, Args)]
pub struct ToolArguments {
    /// The tool whose rules decide what is found, as `ctxpin agent create --profile` fixed it
    #[arg(long, value_name = "TOOL", default_value_t = Profile::Neutral,
          value_parser = words(Profile::OF_AGENTS, Profile::as_str))]
    pub profile: Profile,
    #[command(flatten)]
    homes: ToolHomes,
}

impl ToolArguments {
    /// Returns the absolute path of the directory of the tool's settings, if it is not the usual one.
    ///
    /// # Errors
    ///
    /// Fails if the current directory is gone.
    pub fn home(&self) -> Result<Option<PathBuf>, Failure> {
        self.homes.of(self.profile)
    }
}

/// The directories of the tools' settings.
#[derive(Debug, Clone, Args)]
pub struct ToolHomes {
    /// The home of Codex, if it is not ~/.codex
    #[arg(long, value_name = "DIR", env = "CODEX_HOME", hide_env_values = true)]
    codex_home: Option<PathBuf>,
    /// The home of Claude Code, if it is not ~/.claude
    #[arg(
        long,
        value_name = "DIR",
        env = "CLAUDE_CONFIG_DIR",
        hide_env_values = true
    )]
    claude_home: Option<PathBuf>,
}

impl ToolHomes {
    /// Returns the absolute path of the directory of the settings of a profile's tool, if it is not the usual one.
    ///
    /// # Errors
    ///
    /// Fails if the current directory is gone.
    pub fn of(&self, profile: Profile) -> Result<Option<PathBuf>, Failure> {
        let home = match profile {
            Profile::Neutral | Profile::Opencode => None,
            Profile::ClaudeCode => self.claude_home.as_deref(),
            Profile::Codex => self.codex_home.as_deref(),
        };
        home.map(absolute).transpose()
    }
}
