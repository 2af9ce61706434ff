//! The tools: where they come from, how they start, and where their requests have the instruction files. Each
//! tool has a module.

mod codex;

use std::path::Path;
use std::process::Command;

use ctxpin_model::profile::Profile;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::workspace::Workspace;

/// A tool that is compared.
#[derive(Debug, Clone, Copy)]
pub enum Client {
    Codex,
}

impl Client {
    /// Every tool, in the order in which they are compared.
    pub const ALL: [Self; 1] = [Self::Codex];

    /// Returns the name of the tool's profile.
    pub fn name(self) -> &'static str {
        self.profile().as_str()
    }

    /// Returns the profile with the tool's rules.
    pub fn profile(self) -> Profile {
        match self {
            Self::Codex => Profile::Codex,
        }
    }

    /// Returns the name of the npm package.
    pub fn package(self) -> &'static str {
        match self {
            Self::Codex => codex::PACKAGE,
        }
    }

    /// Returns the versions to compare, the newest first.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Codex => &codex::VERSIONS,
        }
    }

    /// Returns the path of the program below `node_modules`.
    pub fn program(self) -> &'static str {
        match self {
            Self::Codex => codex::PROGRAM,
        }
    }

    /// Writes the settings of the tool for a generated workspace into its home.
    pub fn settle(self, random: &mut StdRng, workspace: &mut Workspace) {
        match self {
            Self::Codex => codex::settle(random, workspace),
        }
    }

    /// Returns the names of the files that this tool looks for.
    pub fn file_names(self) -> &'static [&'static str] {
        match self {
            Self::Codex => &codex::FILE_NAMES,
        }
    }

    /// Completes the command that asks one question in a workspace, whose directories lie at `base`, and
    /// prepares the home for it.
    pub fn ask(self, command: &mut Command, base: &Path, url: &str) -> anyhow::Result<()> {
        match self {
            Self::Codex => codex::ask(command, base, url),
        }
    }

    /// Returns the text with the instruction files of a request. Returns an empty text if it has none.
    pub fn instructions(self, request: &Value) -> String {
        match self {
            Self::Codex => codex::instructions(request),
        }
    }
}
