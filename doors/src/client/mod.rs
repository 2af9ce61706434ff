//! The tools: where they come from, how they start, and where their requests have the instruction files. Each
//! tool has a module.

mod claude_code;
mod codex;
mod opencode;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ctxpin_model::profile::Profile;
use ctxpin_render::profile::Effective;
use ctxpin_scan::Scan;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::cases::{CONFIGURED_SKILLS, MANIFESTS, OFFERS, OVERRIDES, PATHS, PERMISSIONS, RULES};
use crate::standin::Received;
use crate::workspace::Workspace;

pub use opencode::Server;

/// The session with which a prompt goes on.
#[derive(Debug, Clone)]
pub enum From {
    Resume(String),
    Fork(String),
}

/// A string of a request.
#[derive(Debug, Clone)]
pub struct Said {
    /// The number of the message. The system prompt comes first.
    pub message: usize,
    /// Whether the tool itself says it. Otherwise a person, a tool of the model or the model does.
    pub is_instruction: bool,
    pub text: String,
}

/// What a person does at a tool's terminal interface before a prompt.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// Starts the tool with these arguments, and ends the one that runs.
    Open(&'static [&'static str]),
    /// Gives an order.
    Order(&'static str),
    /// Gives an order, and takes the first thing of the list that it shows.
    Choose(&'static str),
    Nothing,
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open([]) => formatter.write_str("a start"),
            Self::Open(arguments) => write!(formatter, "a start with {}", arguments.join(" ")),
            Self::Order(order) | Self::Choose(order) => write!(formatter, "the order {order}"),
            Self::Nothing => formatter.write_str("another prompt"),
        }
    }
}

/// A tool's terminal interface.
pub struct Interface {
    /// What a person does, in this order. A tool is opened first.
    pub events: &'static [Event],
    /// The order that ends the tool.
    pub end: &'static str,
    /// The arguments of the tool that end what it leaves running.
    pub leave: &'static [&'static [&'static str]],
}

/// A tool that is compared.
#[derive(Debug, Clone, Copy)]
pub enum Client {
    ClaudeCode,
    Codex,
    Opencode,
}

impl Client {
    /// Every tool, in the order in which they are compared.
    pub const ALL: [Self; 3] = [Self::ClaudeCode, Self::Codex, Self::Opencode];

    /// Returns the name of the tool's profile.
    pub fn name(self) -> &'static str {
        self.profile().as_str()
    }

    /// Returns the profile with the tool's rules.
    pub fn profile(self) -> Profile {
        match self {
            Self::ClaudeCode => Profile::ClaudeCode,
            Self::Codex => Profile::Codex,
            Self::Opencode => Profile::Opencode,
        }
    }

    /// Returns the name of the npm package.
    pub fn package(self) -> &'static str {
        match self {
            Self::ClaudeCode => claude_code::PACKAGE,
            Self::Codex => codex::PACKAGE,
            Self::Opencode => opencode::PACKAGE,
        }
    }

    /// Returns the versions to compare, the newest first.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::ClaudeCode => &claude_code::VERSIONS,
            Self::Codex => &codex::VERSIONS,
            Self::Opencode => &opencode::VERSIONS,
        }
    }

    /// Returns the versions whose sessions are followed, the newest first: also the first one that writes down its requests.
    pub fn session_versions(self) -> Vec<&'static str> {
        let mut versions = self.versions().to_vec();
        if matches!(self, Self::ClaudeCode) {
            versions.insert(1, claude_code::FIRST_WITH_REQUESTS);
        }
        versions
    }

    /// Returns whether the tool may read its files behind an event, so that nobody knows whether a change then came before. It
    /// shows its model all of this change with the prompt, and so the requests have the pin of that.
    pub fn may_read_behind(self, event: &Event) -> bool {
        match (self, event) {
            // It waits for the hooks of others when it resumes a session.
            (Self::ClaudeCode, Event::Open([_, ..])) => true,
            (Self::ClaudeCode | Self::Codex | Self::Opencode, _) => false,
        }
    }

    /// Returns whether the tool takes the entries of a directory in the reverse of the order in which the file system lists
    /// them.
    pub fn reads_backwards(self) -> bool {
        match self {
            Self::ClaudeCode | Self::Codex => false,
            Self::Opencode => true,
        }
    }

    /// Returns the names of the cases that the tool has not.
    pub fn lacks(self) -> &'static [&'static str] {
        match self {
            Self::ClaudeCode => &[OVERRIDES, CONFIGURED_SKILLS, OFFERS, MANIFESTS],
            Self::Codex => &[RULES, PATHS, PERMISSIONS],
            Self::Opencode => &[
                RULES,
                OVERRIDES,
                PATHS,
                CONFIGURED_SKILLS,
                OFFERS,
                MANIFESTS,
            ],
        }
    }

    /// Returns the path of the program below `node_modules`.
    pub fn program(self) -> &'static str {
        match self {
            Self::ClaudeCode => claude_code::PROGRAM,
            Self::Codex => codex::PROGRAM,
            Self::Opencode => opencode::PROGRAM,
        }
    }

    /// Writes the settings of the tool for a generated workspace into its home.
    pub fn settle(self, random: &mut StdRng, workspace: &mut Workspace) {
        match self {
            Self::ClaudeCode => claude_code::settle(random, workspace),
            Self::Codex => codex::settle(random, workspace),
            Self::Opencode => opencode::settle(random, workspace),
        }
    }

    /// Changes a workspace so that it means the same to an older version and to the newest one.
    pub fn age(self, workspace: &mut Workspace, version: &str) {
        match self {
            Self::ClaudeCode => claude_code::age(workspace, version),
            Self::Codex | Self::Opencode => {}
        }
    }

    /// Returns the names of the files that this tool looks for.
    pub fn file_names(self) -> &'static [&'static str] {
        match self {
            Self::ClaudeCode => &claude_code::FILE_NAMES,
            Self::Codex => &codex::FILE_NAMES,
            Self::Opencode => &opencode::FILE_NAMES,
        }
    }

    /// Completes the command that asks one question in a workspace, whose directories lie at `base`, and
    /// prepares the home for it.
    pub fn ask(
        self,
        command: &mut Command,
        base: &Path,
        url: &str,
        wanted: Option<&Path>,
    ) -> anyhow::Result<()> {
        match self {
            Self::ClaudeCode => {
                claude_code::ask(command, url, wanted);
                Ok(())
            }
            Self::Codex => codex::ask(command, base, url),
            Self::Opencode => {
                opencode::ask(command, url, wanted);
                Ok(())
            }
        }
    }

    /// Completes the command that gives a prompt to a session.
    pub fn go_on(self, command: &mut Command, url: &str, question: &str, from: Option<&From>) {
        match self {
            Self::ClaudeCode => claude_code::go_on(command, url, question, from),
            Self::Codex => codex::go_on(command, question, from),
            Self::Opencode => opencode::go_on(command, url, question, from),
        }
    }

    /// Completes the environment in which a tool reaches the stand-in, if its settings are those of a session.
    pub fn reach(self, command: &mut Command, url: &str) {
        match self {
            Self::ClaudeCode => claude_code::reach(command, url),
            Self::Codex => codex::reach(command),
            Self::Opencode => opencode::reach(command, url),
        }
    }

    /// Returns the name by which people start the tool.
    pub fn command(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude",
            Self::Codex => "codex",
            Self::Opencode => "opencode",
        }
    }

    /// Returns the guide of the tool.
    pub fn guide(self) -> &'static str {
        match self {
            Self::ClaudeCode => include_str!("../../../docs/guides/claude-code.md"),
            Self::Codex => include_str!("../../../docs/guides/codex.md"),
            Self::Opencode => include_str!("../../../docs/guides/opencode.md"),
        }
    }

    /// Completes the command of a process that takes prompts as lines of JSON. Returns whether the tool has one.
    pub fn converse(self, command: &mut Command, url: &str) -> bool {
        match self {
            Self::ClaudeCode => claude_code::converse(command, url),
            Self::Codex | Self::Opencode => return false,
        }
        true
    }

    /// Returns the id of the session that answered, from what such a command prints.
    pub fn session(self, answer: &str) -> Option<String> {
        let member = match self {
            Self::ClaudeCode => "session_id",
            Self::Codex => "thread_id",
            Self::Opencode => "sessionID",
        };
        let mut lines = answer.lines();
        lines.find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            Some(line[member].as_str()?.to_owned())
        })
    }

    /// Returns the reference of the chat of the subagent that made a request, or `None` if the session itself did.
    pub fn subagent(self, received: &Received) -> Option<String> {
        let header = |name: &str| received.headers.get(name).cloned();
        match self {
            Self::ClaudeCode => {
                let agent = header("x-claude-code-agent-id")?;
                Some(format!("{}/{agent}", header("x-claude-code-session-id")?))
            }
            Self::Codex => {
                header("x-openai-subagent")?;
                Some(format!(
                    "{}/{}",
                    header("session-id")?,
                    header("thread-id")?
                ))
            }
            Self::Opencode => {
                header("x-parent-session-id")?;
                header("x-session-id")
            }
        }
    }

    /// Returns the prompts by which a person compacts and clears a session, if such a command takes them.
    pub fn orders(self) -> Option<[&'static str; 2]> {
        match self {
            Self::ClaudeCode => Some(["/compact", "/clear"]),
            Self::Codex | Self::Opencode => None,
        }
    }

    /// Returns whether a request goes on with a summary of the conversation.
    pub fn is_compacted(self, request: &Value) -> bool {
        let summary = match self {
            Self::ClaudeCode => "This session is being continued from a previous conversation",
            Self::Codex => "Another language model started to solve this problem",
            Self::Opencode => "What did we do so far?",
        };
        self.said(request)
            .iter()
            .any(|said| said.text.contains(summary))
    }

    /// Returns whether the tool tells of a request. Claude Code and opencode tell nobody how they ask for a summary, so such a
    /// request is in no turn.
    pub fn tells_of(self, request: &Value) -> bool {
        match self {
            Self::ClaudeCode => !claude_code::asks_for_summary(request),
            Self::Codex => true,
            Self::Opencode => !opencode::asks_for_summary(request),
        }
    }

    /// Returns whether a version compacts by itself when its model has no room left.
    pub fn compacts_by_itself(self, version: &str) -> bool {
        match self {
            Self::ClaudeCode => version != claude_code::OLDER,
            Self::Codex | Self::Opencode => true,
        }
    }

    /// Returns whether a request has a list of skills.
    pub fn lists_skills(self, request: &Value) -> bool {
        let list = match self {
            Self::ClaudeCode => "The following skills are available",
            Self::Codex => "<skills_instructions>",
            Self::Opencode => "<available_skills>",
        };
        let said = self.said(request);
        said.iter()
            .any(|said| said.is_instruction && said.text.contains(list))
    }

    /// Returns whether the tool reads its files anew when it compacts.
    pub fn reads_when_it_compacts(self) -> bool {
        match self {
            Self::ClaudeCode => true,
            Self::Codex | Self::Opencode => false,
        }
    }

    /// Returns whether the model has a tool that gives it the text of a skill.
    pub fn uses_skills(self) -> bool {
        match self {
            Self::ClaudeCode | Self::Opencode => true,
            Self::Codex => false,
        }
    }

    /// Returns whether such a command can fork a session.
    pub fn forks(self) -> bool {
        match self {
            Self::ClaudeCode | Self::Opencode => true,
            Self::Codex => false,
        }
    }

    /// Returns whether a version writes down its requests.
    pub fn has_evidence(self, version: &str) -> bool {
        match self {
            Self::ClaudeCode => version != claude_code::OLDER,
            Self::Codex | Self::Opencode => true,
        }
    }

    /// Returns whether the tool keeps a record of its requests in a file.
    pub fn writes_record(self) -> bool {
        match self {
            Self::ClaudeCode | Self::Codex => true,
            Self::Opencode => false,
        }
    }

    /// Returns whether a command of this version tells of the end of its turn before it ends itself. Otherwise the evidence
    /// of the turn comes with the next one.
    pub fn tells_end_of_turn(self, version: &str) -> bool {
        match self {
            Self::ClaudeCode | Self::Codex => true,
            Self::Opencode => version != opencode::OLDER,
        }
    }

    /// Returns the instruction file of a project, and its folder of skills.
    pub fn instruction_places(self) -> (&'static str, &'static str) {
        match self {
            Self::ClaudeCode => ("CLAUDE.md", ".claude/skills"),
            Self::Codex | Self::Opencode => ("AGENTS.md", ".agents/skills"),
        }
    }

    /// Writes the settings of the tool's sessions into a home.
    pub fn settle_session(self, home: &Path, url: &str) -> anyhow::Result<()> {
        match self {
            Self::ClaudeCode | Self::Opencode => Ok(()),
            Self::Codex => codex::settle_session(home, url),
        }
    }

    /// Returns the terminal interface of the tool.
    pub fn interface(self) -> &'static Interface {
        match self {
            Self::ClaudeCode => &claude_code::INTERFACE,
            Self::Codex => &codex::INTERFACE,
            Self::Opencode => &opencode::INTERFACE,
        }
    }

    /// Answers in a home what the tool's interface asks before a first prompt in a project.
    pub fn settle_terminal(self, home: &Path, project: &Path) -> anyhow::Result<()> {
        match self {
            Self::ClaudeCode => claude_code::settle_terminal(home, project),
            Self::Codex => codex::settle_terminal(home, project),
            Self::Opencode => Ok(()),
        }
    }

    /// Returns the id of the session that made a request.
    pub fn session_of(self, received: &Received) -> Option<String> {
        let header = match self {
            Self::ClaudeCode => "x-claude-code-session-id",
            Self::Codex => "thread-id",
            Self::Opencode => "x-session-id",
        };
        received.headers.get(header).cloned()
    }

    /// Returns the settings in a home that still have something of ctxpin's hooks.
    pub fn settings_left(self, home: &Path) -> Vec<PathBuf> {
        let names = match self {
            Self::ClaudeCode => &[".claude/settings.json"][..],
            Self::Codex => &[".codex/hooks.json", ".codex/config.toml"],
            Self::Opencode => &[".config/opencode/plugin/ctxpin.js"],
        };
        let paths = names.iter().map(|name| home.join(name));
        let has_hooks = |path: &PathBuf| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.contains("ctxpin") || text.contains("hooks.json")
        };
        paths.filter(has_hooks).collect()
    }

    /// Returns the size of the largest `SKILL.md` that the tool reads, in bytes, if it does not read all.
    pub fn skill_bytes_max(self) -> Option<usize> {
        match self {
            Self::ClaudeCode => Some(claude_code::SKILL_BYTES_MAX),
            Self::Codex | Self::Opencode => None,
        }
    }

    /// Starts the server of a tool that answers many questions, if the tool has one.
    pub async fn serve(self, program: &Path, url: &str) -> anyhow::Result<Option<Server>> {
        match self {
            Self::ClaudeCode | Self::Codex => Ok(None),
            Self::Opencode => Ok(Some(Server::start(program, url).await?)),
        }
    }

    /// Returns the text with the instruction files of a request. Returns an empty text if it has none.
    pub fn instructions(self, request: &Value) -> String {
        match self {
            Self::ClaudeCode => claude_code::instructions(request),
            Self::Codex => codex::instructions(request),
            Self::Opencode => opencode::instructions(request),
        }
    }

    /// Returns the strings of a request, in its order.
    pub fn said(self, request: &Value) -> Vec<Said> {
        match self {
            Self::ClaudeCode => claude_code::said(request),
            Self::Codex => codex::said(request),
            Self::Opencode => opencode::said(request),
        }
    }

    /// Returns the skills that a request lists: their paths, or if the list has none, their lines. Returns `None` if they
    /// are not compared.
    pub fn skills(self, request: &Value) -> Option<Vec<String>> {
        match self {
            Self::ClaudeCode => Some(claude_code::skills(request)),
            Self::Codex => Some(codex::skills(request)),
            Self::Opencode => Some(opencode::skills_listed(request)),
        }
    }

    /// Returns the list of skills as ctxpin says it of a scan, and a tool's list, without what cannot be equal.
    pub fn lists(self, found: &Scan, said: &Effective, skills: &[String]) -> [Vec<String>; 2] {
        match self {
            Self::ClaudeCode => claude_code::lists(found, said, skills),
            Self::Codex => codex::lists(found, said, skills),
            Self::Opencode => opencode::lists(said, skills),
        }
    }

    /// Returns the names of the skills that the tool lists and a scan may not read, if a list has names alone.
    pub fn unread_skills(self, found: &Scan) -> Vec<String> {
        match self {
            Self::ClaudeCode => claude_code::unread_skills(found),
            Self::Codex | Self::Opencode => Vec::new(),
        }
    }

    /// Returns what a request has of the files that a tool gives with a file that the model read, in its order.
    pub fn on_demand(self, request: &Value) -> Vec<String> {
        match self {
            Self::ClaudeCode => claude_code::on_demand(request),
            Self::Codex => Vec::new(),
            Self::Opencode => opencode::on_demand(request),
        }
    }

    /// Returns such a text without the files that `unread` names.
    pub fn comparable(self, text: &str, unread: &[&str]) -> String {
        match self {
            Self::ClaudeCode => claude_code::comparable(text, unread),
            Self::Codex => codex::comparable(text, unread),
            Self::Opencode => opencode::comparable(text, unread),
        }
    }
}

/// Returns the texts of a member that is a text, or a list of blocks that may have one.
fn texts(content: &Value) -> impl Iterator<Item = &str> {
    let blocks = content.as_array().into_iter().flatten();
    let texts = blocks.filter_map(|block| block["text"].as_str());
    texts.chain(content.as_str())
}

/// Returns the result of a tool, and what the client says behind it in the same string.
fn result(message: usize, text: &str, openings: &[&str]) -> [Said; 2] {
    let own = openings.iter().filter_map(|opening| text.find(opening));
    let (result, own) = text.split_at(own.min().unwrap_or(text.len()));
    [(result, false), (own, true)].map(|(text, is_instruction)| Said {
        message,
        is_instruction,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_the_one_that_people_are_told() {
        for client in Client::ALL {
            let newest = client.versions().first().copied();
            assert_eq!(newest, client.profile().compared_with());
        }
    }
}
