//! `ctxpin hook run`: what a client calls.
//!
//! A repository must not steer it: it reads no variable of ctxpin's, no settings below the working directory, and
//! starts no program. It never blocks a prompt, whatever happens.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use ctxpin_agent::control::{Client, ControlError};
use ctxpin_agent::hooks::{goes_on_there, knows_session, note_missed_start};
use ctxpin_model::profile::Profile;
use ctxpin_private_files::file;
use ctxpin_protocol::control::{HookCall, HookEvent, HookReply};
use rustix::fs::OFlags;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::watched::{Left, states};
use crate::command::words;
use crate::data_directory::{DataDirectory, directory_create};
use crate::hooks::TOOLS;
use crate::process::client_process;
use crate::running::RunningServer;
use crate::say::{self, Failure};

/// How long a hook takes at most. A client gives it 3 s or 5 s, or 2 s if an earlier release installed it.
const TIME_MAX: Duration = Duration::from_millis(1900);

/// How long a process may take to answer. Then there is still time to tell the person.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(1800);

/// The time after which the process ends in any case.
const EXIT_AFTER: Duration = Duration::from_millis(1950);

/// The greatest size of what a client writes, in bytes. A prompt is a part of it.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The size from which the log begins anew, in bytes.
const LOG_BYTES_MAX: u64 = 64 * 1024;

/// The event of a session's start.
const SESSION_START: &str = "SessionStart";

/// How the prompt begins by which a subagent hands its work back. It begins no turn.
const TASK_NOTIFICATION: &str = "<task-notification>";

/// Tell the agent of a client's session; a client calls it
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct Run {
    /// The client that calls it
    #[arg(value_name = "TOOL", value_parser = words(TOOLS, Profile::as_str))]
    tool: Profile,
    /// The data directory of the person
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The server's address [default: the server of `ctxpin up`]
    #[arg(
        long = "server",
        id = "hook_server",
        value_name = "URL",
        requires = "hook_token_file"
    )]
    server: Option<String>,
    /// A file with a token that may observe
    #[arg(
        long = "token-file",
        id = "hook_token_file",
        value_name = "FILE",
        requires = "hook_server"
    )]
    token_file: Option<PathBuf>,
}

/// What a client writes for its hook, as far as it matters here. The prompt is looked at and kept nowhere.
#[derive(Deserialize)]
struct Input {
    session_id: String,
    cwd: PathBuf,
    hook_event_name: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    prompt: String,
    /// Claude Code's name of a turn.
    #[serde(default)]
    prompt_id: Option<String>,
    /// The name of a turn from Codex and opencode's plugin.
    #[serde(default)]
    turn_id: Option<String>,
    #[serde(default)]
    agent_id: Option<String>,
    /// The session of which this one is a subagent, from opencode's plugin.
    #[serde(default)]
    parent_id: Option<String>,
    /// What a request has, from opencode's plugin.
    #[serde(default)]
    given: Option<serde_json::Value>,
    /// The file in which the client records the session.
    #[serde(default)]
    transcript_path: Option<String>,
    /// That of the subagent.
    #[serde(default)]
    agent_transcript_path: Option<String>,
}

impl Run {
    /// Tells the agent, and prints what the client shows its person.
    pub async fn run(self) {
        std::thread::spawn(exit_in_time);
        let told = tokio::time::timeout(TIME_MAX, self.told()).await;
        let told = told.unwrap_or_else(|_| Err(Failure::new("it took too long")));
        if let Err(failure) = told {
            // A hook has nobody to tell, and a full disk must not end it otherwise.
            let _ = log(&self.data_dir, failure.message());
        }
    }

    async fn told(&self) -> Result<(), Failure> {
        let data = DataDirectory::named(&self.data_dir)?;
        let input = tokio::task::spawn_blocking(input).await;
        let input = input.map_err(Failure::of)??;
        if data.hooks_paused().exists() {
            self.not_followed(&data, &input)?;
            let is_start = input.hook_event_name == SESSION_START;
            let paused = || Failure::new("the hooks are paused, so a session is not followed");
            return is_start.then(paused).map_or(Ok(()), Err);
        }
        // A session is followed on a full disk too.
        let _ = directory_create(&data.hooks());
        let _ = note_now(&data.hook_called(self.tool));
        let Some(call) = self.call(&data, &input)? else {
            return self.unwatched(&data, &input);
        };
        let reply = match asked(&data, self.tool, &input, &call).await {
            Ok(Some(reply)) => reply,
            // Nobody watches the directory, so the session is none of ctxpin's business.
            Ok(None) => return self.unwatched(&data, &input),
            Err(error) if call.event == HookEvent::SessionStart => {
                let failure = Failure::from(error);
                let message = format!("ctxpin does not follow this session: {}", failure.message());
                self.answer(&HookReply {
                    chat: None,
                    message: Some(message),
                })?;
                return Err(failure);
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(chat) = reply.chat {
            // The session goes on without the variable.
            let _ = name_chat(chat);
        }
        self.answer(&reply)
    }

    /// Says that nobody follows the session, to a plugin that would hand over what its requests have, and notes a start.
    fn not_followed(&self, data: &DataDirectory, input: &Input) -> Result<(), Failure> {
        if self.tool == Profile::Opencode {
            say::print("null\n")?;
        }
        self.note_missed(data, input)
    }

    /// Notes a start that nobody was told of, for a process that follows the session later.
    fn note_missed(&self, data: &DataDirectory, input: &Input) -> Result<(), Failure> {
        if input.hook_event_name != SESSION_START {
            return Ok(());
        }
        let source = input.source.as_deref();
        for state in states(data, &input.cwd, self.tool) {
            note_missed_start(&state, self.tool, &input.session_id, source).map_err(Failure::of)?;
        }
        Ok(())
    }

    /// Notes a start that nobody was told of. Tells the person once if sessions were followed there before. The plugin
    /// has no line for that.
    fn unwatched(&self, data: &DataDirectory, input: &Input) -> Result<(), Failure> {
        self.not_followed(data, input)?;
        let is_start = input.hook_event_name == SESSION_START;
        let Some(left) = Left::find(data, &input.cwd, self.tool) else {
            return Ok(());
        };
        if !is_start || goes_on_there(input.source.as_deref()) {
            return Ok(());
        }
        let reason = left.reason();
        if self.tool != Profile::Opencode && !was_told(&left.state).map_err(Failure::of)? {
            self.answer(&HookReply {
                chat: None,
                message: Some(format!(
                    "ctxpin: {reason}, so this session is not followed; `ctxpin up` there follows the next ones"
                )),
            })?;
        }
        Err(Failure::new(reason))
    }

    /// Prints what the client does with the reply: it tells its person, and a plugin also names the chat to commands.
    fn answer(&self, reply: &HookReply) -> Result<(), Failure> {
        let line = match (self.tool, &reply.message) {
            (Profile::Opencode, _) => json!(reply),
            (_, Some(message)) => json!({ "systemMessage": message }),
            (_, None) => return Ok(()),
        };
        say::print(&format!("{line}\n"))
    }

    /// Returns the call for the agent, or `None` if the event is of no interest.
    fn call(&self, data: &DataDirectory, input: &Input) -> Result<Option<HookCall>, Failure> {
        let event = match input.hook_event_name.as_str() {
            SESSION_START => HookEvent::SessionStart,
            "UserPromptSubmit" => HookEvent::Prompt,
            "SubagentStart" => HookEvent::SubagentStart,
            "SubagentStop" => HookEvent::SubagentStop,
            "Stop" => HookEvent::Stop,
            "Given" => HookEvent::Given,
            "SessionEnd" => HookEvent::SessionEnd,
            _ => return Ok(None),
        };
        let server = match &self.server {
            Some(server) => Some(server.clone()),
            None => RunningServer::find(data)?.map(|server| server.url.to_string()),
        };
        let Some(server) = server else {
            return Ok(None);
        };
        let token_file = self.token_file.clone();
        let token_file = token_file.unwrap_or_else(|| data.hook_token(None));
        let turn = input.prompt_id.as_ref().or(input.turn_id.as_ref());
        let begins_turn = !input.prompt.starts_with(TASK_NOTIFICATION);
        let is_of_subagent = matches!(event, HookEvent::SubagentStart | HookEvent::SubagentStop);
        if input.agent_id.is_some() && !is_of_subagent {
            // Codex tells of a subagent's prompts under the id of the session. All of them are the turn that began with
            // the subagent.
            return Ok(None);
        }
        Ok(Some(HookCall {
            client: self.tool.to_string(),
            event,
            session: input.session_id.clone(),
            directory: text(&input.cwd)?,
            source: input.source.clone(),
            turn: match event {
                HookEvent::Prompt => turn.filter(|_| begins_turn).cloned(),
                HookEvent::Stop | HookEvent::SessionEnd => turn.cloned(),
                HookEvent::SessionStart
                | HookEvent::SubagentStart
                | HookEvent::SubagentStop
                | HookEvent::Given => None,
            },
            parent: input
                .parent_id
                .clone()
                .filter(|_| event == HookEvent::SessionStart),
            subagent: input.agent_id.clone().filter(|_| is_of_subagent),
            record: match event {
                HookEvent::Given => None,
                HookEvent::SubagentStop => input.agent_transcript_path.clone(),
                HookEvent::SessionStart
                | HookEvent::SubagentStart
                | HookEvent::Prompt
                | HookEvent::Stop
                | HookEvent::SessionEnd => input.transcript_path.clone(),
            },
            at_ms: say::now().timestamp_millis().try_into().ok(),
            process: client_process(),
            given: input.given.as_ref().map(ToString::to_string),
            server,
            token_file: text(&token_file)?,
        }))
    }
}

/// Ends the process when its time is over.
#[expect(
    clippy::disallowed_methods,
    reason = "a disk that hangs holds up a thread, which no timer of the runtime can end; the hook holds no lock"
)]
fn exit_in_time() {
    std::thread::sleep(EXIT_AFTER);
    std::process::exit(0);
}

/// Reads what the client has written.
fn input() -> Result<Input, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().take(INPUT_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(Failure::of)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new("the client's message cannot be read").because(error))
}

/// Asks the process that follows the session. At its start, that is the one that watches the directory, or the nearest one
/// above it. Later, the model may have changed into a directory that another process watches. Returns `None` if there is
/// none.
async fn asked(
    data: &DataDirectory,
    tool: Profile,
    input: &Input,
    call: &HookCall,
) -> Result<Option<HookReply>, ControlError> {
    let mut states = states(data, &input.cwd, tool);
    let begins = call.event == HookEvent::SessionStart && !goes_on_there(call.source.as_deref());
    let knows = |state: &PathBuf| knows_session(state, tool, &call.session);
    if !begins && states.iter().any(knows) {
        states.retain(knows);
    }
    for state in states {
        match Client::new(&state)
            .hook(call.clone(), ANSWER_TIME_MAX)
            .await
        {
            Err(ControlError::NotRunning { .. }) => {}
            asked => return asked.map(Some),
        }
    }
    Ok(None)
}

/// Returns whether a person was told that the process of a state directory has ended, and notes that. A process that
/// begins or ends changes its socket there.
fn was_told(state: &Path) -> io::Result<bool> {
    let told = state.with_file_name("unwatched");
    let at = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
    let ended = at(state)?;
    if at(&told).is_ok_and(|told| told >= ended) {
        return Ok(true);
    }
    note_now(&told)?;
    Ok(false)
}

/// Names the session's chat to the commands that the model runs, where the client takes variables.
fn name_chat(chat: Uuid) -> io::Result<()> {
    let Some(path) = std::env::var_os("CLAUDE_ENV_FILE") else {
        return Ok(());
    };
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    let options = options.append(true).create(true).custom_flags(flags);
    let mut file = options.open(path)?;
    writeln!(file, "export CTXPIN_CHAT='{chat}'")
}

/// Notes in a file that something happens now.
fn note_now(path: &Path) -> io::Result<()> {
    file::open_to_write(path)?.set_modified(SystemTime::from(say::now()))
}

/// Notes why a hook did nothing.
fn log(data: &Path, reason: &str) -> io::Result<()> {
    let path = data.join("hooks/log");
    let mut options = OpenOptions::new();
    let mut file = file::open(&path, options.append(true))?;
    if file.metadata()?.len() > LOG_BYTES_MAX {
        file.set_len(0)?;
    }
    writeln!(file, "{} {}", say::stamp(say::now()), say::line(reason))
}

fn text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str();
    text.map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("{} is not UTF-8", say::path(&path))))
}
