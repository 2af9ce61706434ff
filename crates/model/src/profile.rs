//! Profiles: the rules by which one tool finds, orders and cuts the files that it gives its model.

use serde_json::{Value, json};

use crate::resource::spelled;

spelled! {
    /// The tool whose rules a scan follows.
    Profile {
        /// ctxpin's own rules, which no tool follows exactly.
        Neutral = "neutral",
        /// Anthropic's Claude Code.
        ClaudeCode = "claude-code",
        /// OpenAI's Codex CLI.
        Codex = "codex",
        /// The terminal agent opencode.
        Opencode = "opencode",
    }
}

impl Profile {
    /// Returns the newest version of the tool that the rules were compared with. The neutral profile has none.
    pub const fn compared_with(self) -> Option<&'static str> {
        match self {
            Self::Neutral => None,
            Self::ClaudeCode => Some("2.1.332"),
            Self::Codex => Some("0.171.0"),
            Self::Opencode => Some("1.18.33"),
        }
    }
}

/// What the hash of a snapshot covers of a profile besides the files. A snapshot under the neutral rules has
/// none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The version of the tool's rules. It grows whenever the order, the form or the cut of the files
    /// changes, because the same files then give the model something else.
    pub version: u32,
    pub settings: Settings,
}

/// The settings of a tool that decide what it gives its model, as they were at the scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    ClaudeCode(ClaudeCodeSettings),
    Codex(CodexSettings),
    Opencode(OpencodeSettings),
}

/// The settings of Claude Code that decide which instruction files it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaudeCodeSettings {
    /// The absolute path of Claude Code's home, in which a person has files for all projects.
    pub home: String,
    /// `claudeMdExcludes`: globs of the absolute paths that it does not read.
    pub excludes: Vec<String>,
    /// Which names of instruction files count.
    pub instruction_files: InstructionFiles,
    /// `CLAUDE_CODE_DISABLE_CLAUDE_MDS`: whether it reads no instruction file at all.
    pub is_disabled: bool,
    /// `hasClaudeMdExternalIncludesApproved`: whether the person lets the project import files from outside of
    /// the working directory.
    pub allows_external_imports: bool,
}

spelled! {
    /// Which names of a project's instruction files Claude Code reads.
    InstructionFiles {
        /// Only its own names.
        ClaudeMd = "claude-md",
        /// `AGENTS.md` if nothing above or in the working directory has its own name.
        ClaudeMdOrAgentsMd = "claude-md-or-agents-md",
        ClaudeMdAndAgentsMd = "claude-md-and-agents-md",
        /// None of the project or the person.
        ManagedOnly = "managed-only",
    }
}

impl ClaudeCodeSettings {
    /// Returns what Claude Code does without a configuration.
    pub fn defaults(home: impl Into<String>) -> Self {
        Self {
            home: home.into(),
            excludes: Vec::new(),
            instruction_files: InstructionFiles::ClaudeMdOrAgentsMd,
            is_disabled: false,
            allows_external_imports: false,
        }
    }
}

/// The settings of Codex that decide which instruction files it finds, and how much of them it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodexSettings {
    /// The absolute path of Codex's home, whose instruction file comes first.
    pub home: String,
    /// `project_doc_max_bytes`: how many bytes of the project's files a model gets, all files together.
    pub bytes_max: u64,
    /// `project_doc_fallback_filenames`: the names that count where a directory has no `AGENTS.md`.
    pub fallback_names: Vec<String>,
    /// `project_root_markers`: the entries that make a directory the root of a project.
    pub root_markers: Vec<String>,
}

impl CodexSettings {
    /// Returns what Codex does without a configuration.
    pub fn defaults(home: impl Into<String>) -> Self {
        Self {
            home: home.into(),
            bytes_max: 32 * 1024,
            fallback_names: Vec::new(),
            root_markers: vec![".git".to_owned()],
        }
    }
}

/// The settings of opencode that decide which instruction files it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpencodeSettings {
    /// The absolute path of the directory of a person's own configuration.
    pub home: String,
    /// `instructions`: paths, globs and addresses, as all configurations together list them. Of an address, only
    /// what names the page.
    pub instructions: Vec<String>,
    /// `OPENCODE_DISABLE_CLAUDE_CODE_PROMPT`: whether files with a name of Claude Code are passed over.
    pub is_claude_code_disabled: bool,
    /// `OPENCODE_DISABLE_PROJECT_CONFIG`: whether the project's files and configurations are passed over.
    pub is_project_disabled: bool,
}

impl OpencodeSettings {
    /// Returns what opencode does without a configuration.
    pub fn defaults(home: impl Into<String>) -> Self {
        Self {
            home: home.into(),
            instructions: Vec::new(),
            is_claude_code_disabled: false,
            is_project_disabled: false,
        }
    }
}

impl Settings {
    /// Returns the profile whose settings these are.
    pub fn profile(&self) -> Profile {
        match self {
            Self::ClaudeCode(_) => Profile::ClaudeCode,
            Self::Codex(_) => Profile::Codex,
            Self::Opencode(_) => Profile::Opencode,
        }
    }

    /// Returns the canonical JSON (RFC 8785), which is hashed. Its members have the names that the tool's own
    /// configuration gives them.
    pub fn canonical_json(&self) -> String {
        serde_jcs::to_string(&self.json()).expect("a JSON value always has a canonical form")
    }

    /// Returns the settings as JSON.
    pub fn json(&self) -> Value {
        match self {
            Self::ClaudeCode(settings) => json!({
                "home": settings.home,
                "claudeMdExcludes": settings.excludes,
                "instructionFiles": settings.instruction_files.as_str(),
                "CLAUDE_CODE_DISABLE_CLAUDE_MDS": settings.is_disabled,
                "hasClaudeMdExternalIncludesApproved": settings.allows_external_imports,
            }),
            Self::Codex(settings) => json!({
                "home": settings.home,
                "project_doc_max_bytes": settings.bytes_max,
                "project_doc_fallback_filenames": settings.fallback_names,
                "project_root_markers": settings.root_markers,
            }),
            Self::Opencode(settings) => json!({
                "home": settings.home,
                "instructions": settings.instructions,
                "OPENCODE_DISABLE_CLAUDE_CODE_PROMPT": settings.is_claude_code_disabled,
                "OPENCODE_DISABLE_PROJECT_CONFIG": settings.is_project_disabled,
            }),
        }
    }
}
