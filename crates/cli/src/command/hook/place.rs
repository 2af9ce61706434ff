//! The place where a tool is told to call ctxpin: its settings, or a plugin.

use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;
use etcetera::BaseStrategy as _;

use crate::command::absolute::absolute;
use crate::command::tool::ToolHomes;
use crate::data_directory::DataDirectory;
use crate::home::home_directory;
use crate::hooks::installation::{Installation, Installed};
use crate::hooks::plugin_file::{self, PluginFile};
use crate::hooks::program::{Named, is_same};
use crate::hooks::switches::{self, Switch};
use crate::hooks::trust::Trust;
use crate::hooks::{self, EVENTS, HookCommand};
use crate::say::{self, Failure};

/// The place where a tool is told to call ctxpin.
#[derive(Debug)]
pub enum Place {
    Settings(Installation),
    Plugin(PluginFile),
}

/// Returns what install adds to a tool's settings, or its plugin.
pub fn text(command: &HookCommand) -> String {
    match command.tool {
        Profile::Opencode => plugin_file::text(command),
        Profile::Neutral | Profile::ClaudeCode | Profile::Codex => {
            hooks::settings_of(&command.line())
        }
    }
}

impl Place {
    /// Returns the place of a tool in the home of its settings.
    ///
    /// # Errors
    ///
    /// Fails if there is no home directory.
    pub fn of(tool: Profile, homes: &ToolHomes, data: &DataDirectory) -> Result<Self, Failure> {
        let (named, usual) = match tool {
            Profile::Codex => (&homes.codex_home, ".codex"),
            Profile::Opencode => {
                let home = match &homes.opencode_home {
                    Some(home) => absolute(home)?,
                    None => {
                        home_directory(true)?;
                        let usual = etcetera::choose_base_strategy().map_err(Failure::of)?;
                        usual.config_dir().join("opencode")
                    }
                };
                return Ok(Self::Plugin(PluginFile::of(&home, data)));
            }
            Profile::Neutral | Profile::ClaudeCode => (&homes.claude_home, ".claude"),
        };
        let home = match named {
            Some(home) => absolute(home)?,
            None => home_directory(true)?.join(usual),
        };
        let settings = hooks::settings_file(tool, &home);
        Ok(Self::Settings(Installation::of(tool, settings, data)))
    }

    /// Returns the path of the settings, or of the plugin.
    pub fn path(&self) -> &Path {
        match self {
            Self::Settings(installation) => installation.settings(),
            Self::Plugin(plugin) => plugin.path(),
        }
    }

    /// Returns the trust that the tool asks for before it runs hooks. Only Codex does.
    pub fn trust(&self, tool: Profile, data: &DataDirectory) -> Option<Trust> {
        let home = self.path().parent()?;
        (tool == Profile::Codex).then(|| Trust::of(home, data))
    }

    /// Says that the tool calls ctxpin.
    pub fn has_hooks(&self) -> String {
        let path = say::path(self.path());
        match self {
            Self::Settings(_) => format!("{path} has ctxpin's hooks"),
            Self::Plugin(_) => format!("{path} is ctxpin's plugin"),
        }
    }

    /// Says that the tool does not call ctxpin, now or as before.
    pub fn has_no_hooks(&self, is_changed: bool) -> String {
        let path = say::path(self.path());
        match (self, is_changed) {
            (Self::Settings(_), true) => format!("{path} has ctxpin's hooks no more"),
            (Self::Settings(_), false) => format!("{path} has no hooks of ctxpin's"),
            (Self::Plugin(_), true) => format!("{path} is deleted"),
            (Self::Plugin(_), false) => format!("there is no {path}"),
        }
    }

    /// Returns which hooks of ctxpin's are there, if any. A plugin is told of every event.
    ///
    /// # Errors
    ///
    /// Fails if the place cannot be read.
    pub fn find(&self) -> Result<Option<Installed>, Failure> {
        match self {
            Self::Settings(installation) => installation.find(),
            Self::Plugin(plugin) => Ok(plugin.find()?.map(|words| Installed {
                command: hooks::line(&words),
                events: EVENTS.len(),
                has_time: true,
            })),
        }
    }

    /// Returns the data directory to which the hooks that are there belong, if it is not this one.
    ///
    /// # Errors
    ///
    /// Fails if the place cannot be read.
    pub fn other_data(
        &self,
        tool: Profile,
        data: &DataDirectory,
    ) -> Result<Option<PathBuf>, Failure> {
        let named = self.find()?;
        let named = named.and_then(|found| Named::of(tool, &found.command)?.data);
        Ok(named.filter(|named| named != data.path() && !is_same(named, data.path())))
    }

    /// Returns why the tool may not run the hooks for a session in a working directory, if so.
    ///
    /// # Errors
    ///
    /// Fails if the place cannot be read.
    pub fn fault(&self, tool: Profile, working: &Path) -> Result<Option<String>, Failure> {
        let installation = match self {
            Self::Settings(installation) => installation,
            Self::Plugin(plugin) => {
                let is_changed = plugin.is_changed()?;
                return Ok(is_changed.then(|| "it was changed after ctxpin wrote it".to_owned()));
            }
        };
        if let Some(fault) = installation.fault()? {
            return Ok(Some(fault));
        }
        let home = self.path().parent().unwrap_or(Path::new("/"));
        let switch = switches::find(tool, home, working);
        Ok(switch.map(|Switch { settings, key }| {
            format!(
                "{tool} runs no hooks here, because of `{key}` in {}",
                say::path(&settings)
            )
        }))
    }

    /// Puts the hooks with this command there. Returns whether that changed anything.
    ///
    /// # Errors
    ///
    /// Fails if the place cannot be read, edited or written. It then stays as it is.
    pub fn install(&self, command: &HookCommand) -> Result<bool, Failure> {
        match self {
            Self::Settings(installation) => Ok(!installation.install(&command.line())?.is_none()),
            Self::Plugin(plugin) => plugin.install(command),
        }
    }

    /// Takes the hooks out. Returns whether there were any.
    ///
    /// # Errors
    ///
    /// Fails if the place cannot be read, edited or written. It then stays as it is.
    pub fn uninstall(&self) -> Result<bool, Failure> {
        match self {
            Self::Settings(installation) => Ok(!installation.uninstall()?.is_none()),
            Self::Plugin(plugin) => plugin.uninstall(),
        }
    }
}
