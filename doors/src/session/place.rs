//! The place of sessions: a clean home, and a project that `ctxpin up` watches.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Sessions;
use crate::client::{Client, From};
use crate::process;
use crate::standin::DONE;

/// The longest wait for a tool. A loaded machine starts one slowly.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(180);

/// The files of a project, each with its text, by their paths in it.
pub type Files = BTreeMap<String, String>;

/// What the command of a tool has besides.
#[derive(Debug, Clone, Default)]
pub struct More {
    pub arguments: Vec<String>,
    pub variables: Vec<(String, String)>,
}

impl More {
    /// Returns arguments alone.
    pub fn arguments(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
            variables: Vec::new(),
        }
    }

    /// Returns one variable of the environment.
    pub fn variable(name: &str, value: &str) -> Self {
        Self {
            arguments: Vec::new(),
            variables: vec![(name.to_owned(), value.to_owned())],
        }
    }
}

/// A clean home and a project.
pub struct Place<'a> {
    pub sessions: &'a Sessions<'a>,
    base: PathBuf,
    /// The directory in which the tool works, in the project.
    working: &'static str,
    /// The options that name a server. Empty for that of `ctxpin up`.
    server: OnceCell<Vec<String>>,
    directory: TempDir,
}

impl<'a> Place<'a> {
    /// Makes the home and an empty project. `working` is the directory in it in which the tool works.
    pub fn make(sessions: &'a Sessions<'a>, working: &'static str) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let base = directory.path().canonicalize()?;
        let place = Self {
            sessions,
            base,
            working,
            server: OnceCell::new(),
            directory,
        };
        fs::create_dir(place.base.join("home"))?;
        fs::create_dir_all(place.working())?;
        let url = sessions.standin.url();
        sessions
            .client
            .settle_session(&place.base.join("home"), &url)?;
        let git = Command::new("git")
            .args(["init", "-q"])
            .current_dir(place.project())
            .status();
        ensure!(git.context("starting git")?.success(), "git failed");
        fs::write(place.project().join("notes.txt"), "Notes.\n")?;
        Ok(place)
    }

    /// Watches the project, and installs the hooks.
    pub fn watch(&self) -> anyhow::Result<()> {
        let name = self.sessions.client.name();
        self.ctxpin(&["up", "--detach", "--profile", name])?;
        self.install()
    }

    /// Installs the hooks.
    pub fn install(&self) -> anyhow::Result<()> {
        let mut install = vec!["hook", "install", self.sessions.client.name()];
        install.extend(matches!(self.sessions.client, Client::Codex).then_some("--trust"));
        self.ctxpin_of_server(&install)?;
        Ok(())
    }

    /// Names the server that is asked from here on, instead of that of `ctxpin up`.
    pub fn ask_server(&self, url: &str, token: &Path) -> anyhow::Result<()> {
        let token = token.to_string_lossy();
        let options = ["--server", url, "--token-file", &token].map(str::to_owned);
        let named = self.server.set(options.to_vec());
        named.ok().context("a server was named before")
    }

    /// Ends what watches, and deletes the place, unless something differs or failed in it. Returns what does.
    pub fn leave(self, differences: anyhow::Result<Vec<String>>) -> Vec<String> {
        // The process ended already if everything was measured.
        let _ = self.ctxpin(&["down"]);
        let mut differences = differences.unwrap_or_else(|error| vec![format!("{error:#}")]);
        let ended = process::end_below(&self.base);
        differences.extend(ended.err().map(|error| format!("{error:#}")));
        if !differences.is_empty() {
            println!(
                "  the home and the project are kept in {}",
                self.directory.keep().display()
            );
        }
        differences
    }

    /// Returns the directory of the project.
    pub fn project(&self) -> PathBuf {
        self.base.join("project")
    }

    /// Returns the directory of everything.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Returns the directory in which the tool works.
    pub fn working(&self) -> PathBuf {
        self.project().join(self.working)
    }

    /// Returns the path of a file without a meaning.
    pub fn notes(&self) -> String {
        self.project().join("notes.txt").display().to_string()
    }

    /// Returns a command in the project, with an environment of its own.
    fn command(&self, program: &Path) -> Command {
        process::clean(program, &self.working(), &self.base.join("home"))
    }

    /// Returns the command of the tool.
    pub fn command_of_tool(&self) -> Command {
        self.command(self.sessions.program)
    }

    /// Returns the command of a container.
    pub fn command_of_container(&self) -> Command {
        self.command(Path::new("unshare"))
    }

    /// Returns the command of a terminal.
    pub fn command_of_terminal(&self) -> Command {
        self.command(Path::new("script"))
    }

    /// Returns the command of ctxpin.
    pub fn command_of_ctxpin(&self) -> Command {
        self.command(self.sessions.ctxpin)
    }

    /// Runs ctxpin with the options that name a server.
    pub fn ctxpin_of_server(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let options = self.server.get().into_iter().flatten();
        let arguments = arguments.iter().copied().chain(options.map(String::as_str));
        self.ctxpin(&arguments.collect::<Vec<_>>())
    }

    /// Runs ctxpin, and returns what it prints.
    pub fn ctxpin(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command_of_ctxpin().args(arguments).output()?;
        let last_words = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "ctxpin {arguments:?}: {last_words}"
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let arguments = [arguments, &["--json"]].concat();
        Ok(serde_json::from_str(&self.ctxpin_of_server(&arguments)?)?)
    }

    /// Gives the tool a prompt, and returns its session.
    pub async fn ask(
        &self,
        from: Option<&From>,
        question: &str,
        more: &More,
    ) -> anyhow::Result<String> {
        self.ask_by(|command| command, from, question, more).await
    }

    /// Gives the tool a prompt by another command that is made from its own, and returns its session.
    pub async fn ask_by(
        &self,
        by: impl FnOnce(Command) -> Command,
        from: Option<&From>,
        question: &str,
        more: &More,
    ) -> anyhow::Result<String> {
        let mut command = self.command_of_tool();
        let url = self.sessions.standin.url();
        let client = self.sessions.client;
        client.go_on(&mut command, &url, question, from);
        let variables = more.variables.iter().map(|(name, value)| (name, value));
        command.args(&more.arguments).envs(variables);
        let answer = process::answer(by(command), ANSWER_TIME_MAX).await?;
        let is_order = question.starts_with('/');
        ensure!(
            is_order || answer.contains(DONE),
            "the tool does not answer: {answer}"
        );
        let session = client.session(&answer);
        session.with_context(|| format!("the tool names no session: {answer}"))
    }

    /// Returns the chats of the tool.
    pub fn chats(&self) -> anyhow::Result<Vec<Value>> {
        let list = self.json(&["chat", "list"])?;
        let chats = list["items"].as_array().into_iter().flatten();
        let name = self.sessions.client.name();
        Ok(chats
            .filter(|chat| chat["client"] == name)
            .cloned()
            .collect())
    }

    /// Returns the turns of the chat with a reference, the oldest first.
    pub fn turns(&self, reference: &str) -> anyhow::Result<Vec<Value>> {
        let chats = self.chats()?;
        let chat = chats.iter().find(|chat| chat["reference"] == reference);
        let Some(id) = chat.and_then(|chat| chat["id"].as_str()) else {
            return Ok(Vec::new());
        };
        let list = self.json(&["chat", "turns", "--chat", id])?;
        let list = list["items"].as_array().into_iter().flatten().rev();
        let turns = list.map(|turn| {
            let number = turn["number"].to_string();
            self.json(&["chat", "turns", &number, "--chat", id])
        });
        turns.collect()
    }

    /// Returns the file in the home in which the tool keeps its record of a session.
    pub fn record(&self, session: &str) -> anyhow::Result<PathBuf> {
        let mut directories = vec![self.base.join("home")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.file_type()?.is_dir() {
                    directories.push(entry.path());
                } else if name.ends_with(&format!("{session}.jsonl")) {
                    return Ok(entry.path());
                }
            }
        }
        bail!("the session {session} has no record");
    }

    /// Returns the command that install wrote.
    pub fn hook(&self) -> anyhow::Result<String> {
        let tools = self.ctxpin(&["hook", "status", "--json"])?;
        let tools: Value = serde_json::from_str(&tools)?;
        let mut tools = tools.as_array().into_iter().flatten();
        let tool = tools.find(|tool| tool["tool"] == self.sessions.client.name());
        let command = tool.and_then(|tool| tool["command"].as_str());
        command.map(str::to_owned).context("no hook is installed")
    }

    /// Calls a hook as the tool does, and returns the time and what it says.
    pub fn call(
        &self,
        command: &str,
        event: &str,
        number: usize,
    ) -> anyhow::Result<(Duration, String)> {
        let input = json!({
            "session_id": "measured", "cwd": self.working(), "hook_event_name": event, "source": "startup",
            "turn_id": format!("{event}-{number}"), "prompt_id": format!("{event}-{number}"), "prompt": "x",
        });
        let began = Instant::now();
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.to_string().as_bytes())?;
        }
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "the hook failed at {event}");
        Ok((began.elapsed(), String::from_utf8(output.stdout)?))
    }

    /// Returns the id of the process that watches the project.
    pub fn process(&self) -> anyhow::Result<String> {
        let status = self.ctxpin(&["agent", "status", "--json"])?;
        let status: Value = serde_json::from_str(&status)?;
        let pid = status["pid"].as_u64().context("no process watches")?;
        Ok(pid.to_string())
    }

    /// Takes the hooks out, and returns what is left of them.
    pub fn uninstalled(&self) -> anyhow::Result<Vec<String>> {
        self.ctxpin(&["hook", "uninstall", self.sessions.client.name()])?;
        let left = self.sessions.client.settings_left(&self.base.join("home"));
        Ok(left
            .into_iter()
            .map(|path| format!("uninstall leaves hooks in {}", path.display()))
            .collect())
    }
}

/// Writes files into a project.
pub fn write(project: &Path, files: &Files) -> anyhow::Result<()> {
    for (path, text) in files {
        let path = project.join(path);
        fs::create_dir_all(path.parent().context("a file lies in a directory")?)?;
        fs::write(path, text)?;
    }
    Ok(())
}
