//! The options for a tool whose rules a scan follows.

use std::path::PathBuf;

use clap::Args;
use ctxpin_model::profile::Profile;
use ctxpin_scan::roots::ToolEnvironment;
use ctxpin_scan::variables;

use super::absolute::absolute;
use super::words;
use crate::say::Failure;

/// The tool whose rules an agent follows.
#[derive(Debug, Args)]
pub struct ToolArguments {
    /// The tool whose rules decide what is found, as `ctxpin agent create --profile` fixed it
    #[arg(long, value_name = "TOOL", default_value_t = Profile::Neutral,
          value_parser = words(Profile::ALL, Profile::as_str))]
    pub profile: Profile,
    #[command(flatten)]
    homes: ToolHomes,
}

impl ToolArguments {
    /// Returns the home of the tool, and what the environment sets for it.
    ///
    /// # Errors
    ///
    /// Fails if the current directory is gone.
    pub fn environment(&self) -> Result<ToolEnvironment, Failure> {
        self.homes.environment(self.profile)
    }
}

/// The directories of the tools' settings.
#[derive(Debug, Clone, Args)]
pub struct ToolHomes {
    /// The home of Codex, if it is not ~/.codex
    #[arg(long, value_name = "DIR", env = "CODEX_HOME", hide_env_values = true)]
    pub codex_home: Option<PathBuf>,
    /// The home of Claude Code, if it is not ~/.claude
    #[arg(
        long,
        value_name = "DIR",
        env = "CLAUDE_CONFIG_DIR",
        hide_env_values = true
    )]
    pub claude_home: Option<PathBuf>,
    /// The directory of your own configuration of opencode, if it is not ~/.config/opencode
    #[arg(long, value_name = "DIR")]
    pub opencode_home: Option<PathBuf>,
}

impl ToolHomes {
    /// Returns the home of a profile's tool, and what the environment sets for it.
    ///
    /// # Errors
    ///
    /// Fails if the current directory is gone.
    pub fn environment(&self, profile: Profile) -> Result<ToolEnvironment, Failure> {
        let home = match profile {
            Profile::Neutral => None,
            Profile::ClaudeCode => self.claude_home.as_deref(),
            Profile::Codex => self.codex_home.as_deref(),
            Profile::Opencode => self.opencode_home.as_deref(),
        };
        let set = variables(profile).iter().filter_map(|name| {
            let value = std::env::var_os(name)?;
            Some((*name, value.to_string_lossy().into_owned()))
        });
        Ok(ToolEnvironment {
            home: home.map(absolute).transpose()?,
            variables: set.collect(),
        })
    }
}
