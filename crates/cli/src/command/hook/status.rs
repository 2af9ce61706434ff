//! `ctxpin hook status`, `pause` and `resume`.

use std::env;
use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use clap::Args;
use ctxpin_agent::handed_in::handed_in_at;
use ctxpin_model::profile::Profile;
use serde::Serialize;

use super::place::Place;
use super::watched::Left;
use crate::chat_choice::current_directory;
use crate::command::Output;
use crate::command::tool::ToolHomes;
use crate::data_directory::{DataDirectory, directory_create, file_write, unwritable};
use crate::hooks::installation::Installed;
use crate::hooks::program::{Named, is_same};
use crate::hooks::{EVENTS, TOOLS};
use crate::installed::{self, Found};
use crate::say::{self, Failure};

/// Show which tools have ctxpin's hooks, and when they were last called
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    homes: ToolHomes,
    #[command(flatten)]
    output: Output,
}

/// Have all hooks do nothing until `ctxpin hook resume`; the tools keep them
#[derive(Debug, Args)]
pub struct Pause {}

/// Let the hooks work again
#[derive(Debug, Args)]
pub struct Resume {}

/// The hooks of one tool.
#[derive(Debug, Serialize)]
struct ToolHooks {
    tool: String,
    /// The version of the installed tool, if one is found.
    version: Option<String>,
    #[serde(skip)]
    is_silent: bool,
    /// The version that ctxpin was compared with.
    compared_with: Option<&'static str>,
    /// The tool's settings, or its plugin.
    settings: String,
    /// How many of the events have a hook of ctxpin's.
    events: usize,
    /// The command of the hooks, if there are any.
    command: Option<String>,
    /// Whether the tool trusts them; null if it asks for no trust.
    trusted: Option<bool>,
    /// Why the hooks cannot work, if they cannot.
    fault: Option<String>,
    /// What else a person may not expect of them.
    remarks: Vec<String>,
    paused: bool,
    /// The time at which a hook was last called.
    called_at: Option<DateTime<Utc>>,
    /// The time at which evidence about a session of the tool was last handed in.
    evidence_at: Option<DateTime<Utc>>,
}

impl Status {
    /// Prints the hooks of each tool.
    ///
    /// # Errors
    ///
    /// Fails if there is no data directory or no home.
    pub fn run(self) -> Result<(), Failure> {
        let data = DataDirectory::locate()?;
        let tools = TOOLS.iter().map(|tool| self.tool(*tool, &data));
        let tools = tools.collect::<Result<Vec<_>, _>>()?;
        if self.output.json {
            return say::print_json(&tools);
        }
        let texts: Vec<_> = tools.iter().map(text).collect();
        say::print(&texts.join("\n"))
    }

    fn tool(&self, tool: Profile, data: &DataDirectory) -> Result<ToolHooks, Failure> {
        let place = Place::of(tool, &self.homes, data)?;
        let trust = || match place.trust(tool, data) {
            Some(trust) => trust.is_given().map(Some),
            None => Ok(None),
        };
        let directory = current_directory()?;
        let fault = |found: &Option<Installed>| match found {
            Some(found) => {
                let fault = place.fault(tool, &directory);
                fault.map(|fault| fault.or_else(|| program_fault(tool, &found.command)))
            }
            None => Ok(None),
        };
        let found = place.find();
        let found = found.and_then(|found| Ok((fault(&found)?, trust()?, found)));
        let (found, trusted, fault) = match found {
            Ok((fault, trusted, found)) => (found, trusted, fault),
            Err(failure) => (None, None, Some(failure.message().to_owned())),
        };
        let remarks = match &found {
            Some(found) => remarks(tool, &place, found, &directory, data)?,
            None => Vec::new(),
        };
        let version = installed::find(tool, &directory);
        let is_silent = matches!(version, Found::Silent);
        Ok(ToolHooks {
            tool: tool.to_string(),
            version: version.installed().map(|tool| tool.version()),
            is_silent,
            compared_with: tool.compared_with(),
            settings: place.path().to_string_lossy().into_owned(),
            events: found.as_ref().map_or(0, |found| found.events),
            command: found.map(|found| found.command),
            trusted,
            fault,
            remarks,
            paused: data.hooks_paused().exists(),
            called_at: modified_at(&data.hook_called(tool)),
            evidence_at: evidence_at(tool, data)?,
        })
    }
}

/// Returns why the command of the hooks cannot run, if so.
fn program_fault(tool: Profile, command: &str) -> Option<String> {
    let program = Named::of(tool, command)?.program;
    (!program.is_file()).then(|| {
        format!(
            "there is no program {} any more; `ctxpin hook install {tool}` writes where this one is",
            say::path(&program)
        )
    })
}

/// Returns what a person may not expect of hooks that work.
fn remarks(
    tool: Profile,
    place: &Place,
    found: &Installed,
    working: &Path,
    data: &DataDirectory,
) -> Result<Vec<String>, Failure> {
    let mut remarks = Vec::new();
    let Some(Named { program, .. }) = Named::of(tool, &found.command) else {
        return Ok(remarks);
    };
    let used = place.other_data(tool, data)?;
    let own = env::current_exe().map_err(Failure::of)?;
    if program.is_file() && !is_same(&program, &own) {
        remarks.push(format!(
            "they call another program than this one; `ctxpin hook install {tool}` has them call this one"
        ));
    }
    if let Some(used) = &used {
        remarks.push(format!(
            "they are those of the data directory {}, and this one is {}; `ctxpin hook install {tool}` replaces them",
            say::path(used),
            say::path(&data.path())
        ));
    }
    if !found.has_time {
        remarks.push(format!(
            "{tool} gives them other times than this ctxpin writes; `ctxpin hook install {tool}` writes these"
        ));
    }
    if used.is_none()
        && let Some(left) = Left::find(data, working, tool)
    {
        remarks.push(format!(
            "{}; `ctxpin up` there follows sessions again",
            left.reason()
        ));
    }
    Ok(remarks)
}

fn text(tool: &ToolHooks) -> String {
    let mut facts = vec![("settings", tool.settings.clone())];
    let hooks = match (tool.events, &tool.fault) {
        (0, Some(fault)) => fault.clone(),
        (0, None) => format!("none; `ctxpin hook install {}` adds them", tool.tool),
        (events, _) if events == EVENTS.len() => "installed".to_owned(),
        (events, _) => format!(
            "installed for {events} of {} events; `ctxpin hook install {}` adds the others",
            EVENTS.len(),
            tool.tool
        ),
    };
    facts.push(("hooks", hooks));
    if let Some(fault) = tool.fault.as_ref().filter(|_| tool.events > 0) {
        facts.push(("fault", fault.clone()));
    }
    let remarks = tool.remarks.iter();
    facts.extend(remarks.map(|remark| ("remark", remark.clone())));
    if let Some(command) = &tool.command {
        facts.push(("command", command.clone()));
    }
    match tool.trusted.filter(|_| tool.events > 0) {
        Some(true) => facts.push(("trusted", "yes".to_owned())),
        Some(false) => facts.push((
            "trusted",
            format!(
                "no; `ctxpin hook install {} --trust` trusts them",
                tool.tool
            ),
        )),
        None => {}
    }
    let compared = tool.compared_with.unwrap_or("none");
    facts.push((
        "version",
        match &tool.version {
            Some(version) if version == compared => format!("{version}, as compared"),
            Some(version) => format!("{version}; compared was {compared}"),
            None if tool.is_silent => format!(
                "did not answer within {} s; compared was {compared}",
                installed::ANSWER_TIME_MAX.as_secs()
            ),
            None => format!("not found; compared was {compared}"),
        },
    ));
    let called = tool.called_at.map(|time| say::ago(time, say::now()));
    facts.push(("called", called.unwrap_or_else(|| "never".to_owned())));
    let evidence = tool.evidence_at.map(|time| say::ago(time, say::now()));
    facts.push(("evidence", evidence.unwrap_or_else(|| "never".to_owned())));
    if tool.paused {
        facts.push(("paused", "`ctxpin hook resume` ends that".to_owned()));
    }
    let lines = facts.iter();
    let lines = lines.map(|(name, fact)| format!("  {name:9} {}\n", say::line(fact)));
    format!(
        "{}\n{}",
        say::paint(say::BOLD, &tool.tool),
        lines.collect::<String>()
    )
}

/// Returns when any process here last handed in evidence about a session of a tool.
fn evidence_at(tool: Profile, data: &DataDirectory) -> Result<Option<DateTime<Utc>>, Failure> {
    let states = data.states(tool)?;
    let times = states.iter().filter_map(|state| handed_in_at(state, tool));
    Ok(times.max().map(DateTime::from))
}

/// Returns the time at which a file was last written, if it exists.
fn modified_at(path: &Path) -> Option<DateTime<Utc>> {
    fs::metadata(path).ok()?.modified().ok().map(DateTime::from)
}

impl Pause {
    /// Pauses the hooks.
    ///
    /// # Errors
    ///
    /// Fails if that cannot be noted.
    pub fn run(self) -> Result<(), Failure> {
        let data = DataDirectory::locate()?;
        data.create()?;
        directory_create(&data.hooks())?;
        file_write(&data.hooks_paused(), b"")?;
        say::print("the hooks do nothing until `ctxpin hook resume`\n")
    }
}

impl Resume {
    /// Ends a pause.
    ///
    /// # Errors
    ///
    /// Fails if that cannot be noted.
    pub fn run(self) -> Result<(), Failure> {
        let path = DataDirectory::locate()?.hooks_paused();
        match fs::remove_file(&path) {
            Ok(()) => say::print("the hooks work again\n"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                say::print("the hooks are not paused\n")
            }
            Err(error) => Err(unwritable(&path, error)),
        }
    }
}
