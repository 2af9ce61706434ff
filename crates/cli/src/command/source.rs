//! `ctxpin source`: the declared sources of the agent of this directory.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use ctxpin_agent::control::{Client, ControlError};
use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::{
    AgentStatus, DeclaredBy, ResyncReply, SourceChange, StandingStatus,
};

use super::absolute::absolute;
use super::{Output, words};
use crate::chat_choice::current_directory;
use crate::data_directory::DataDirectory;
use crate::process::Process;
use crate::say::{self, Failure, Hint, NextCommand, Setting, Table, Viewpoint, waited};

/// Declare further directories and files for the running agent of a directory
#[derive(Debug, Args)]
pub struct Noun {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    agent: LocalAgent,
}

/// The option for the running agent of this machine.
#[derive(Debug, Clone, Default, Args)]
pub struct LocalAgent {
    /// The directory that the agent watches [default: this one, or the nearest watched one above]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The profile of the agent, if several run on the directory [default: the first]
    #[arg(long, global = true, value_name = "TOOL",
          value_parser = words(Profile::ALL, Profile::as_str))]
    profile: Option<Profile>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Declare a source: a directory or a file
    Add {
        /// The path of the source, which need not exist yet
        path: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Remove a declared source
    Remove {
        /// The path of the source
        path: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// List the declared sources, in their order
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show the resources of a declared source
    Show {
        /// The path of the source
        path: PathBuf,
        #[command(flatten)]
        output: Output,
    },
}

impl LocalAgent {
    /// Finds the process that runs the agent of the named directory, or of the nearest one at or above the current one.
    /// If a profile was named, it is the process that runs an agent of that profile.
    ///
    /// # Errors
    ///
    /// Fails if no such agent runs there.
    pub async fn find(&self) -> Result<Client, Failure> {
        let mut running = self.running().await?;
        Ok(running.swap_remove(0).0)
    }

    /// Scans and pushes what the process finds, and waits at most that long for the agent of the named directory and
    /// profile, or for the first one.
    ///
    /// # Errors
    ///
    /// Fails if no such agent runs there, or its scan or push fails.
    pub async fn resync(&self, wait: Duration) -> Result<ResyncReply, Failure> {
        let (client, status) = self.running().await?.swap_remove(0);
        let is_named = self.profile.is_some() || self.dir.is_some();
        let agent = match is_named {
            true => self.agent(&status, &self.directory()?, self.profile),
            false => None,
        };
        Ok(client.resync(wait, agent).await?)
    }

    /// Returns the agent of a profile that a process runs on a directory or, if no directory was named, on the nearest
    /// one above it.
    fn agent<'s>(
        &self,
        status: &'s AgentStatus,
        directory: &Path,
        profile: Option<Profile>,
    ) -> Option<&'s StandingStatus> {
        let is_there = |agent: &&StandingStatus| match self.dir {
            Some(_) => directory == Path::new(&agent.directory),
            None => directory.starts_with(&agent.directory),
        };
        let is_named = |agent: &&StandingStatus| {
            profile.is_none_or(|profile| agent.profile_name() == profile.as_str())
        };
        let there = status.agents().filter(is_there).filter(is_named);
        there.min_by_key(|agent| Reverse(agent.directory.len()))
    }

    /// Returns the canonical path of the directory.
    fn directory(&self) -> Result<PathBuf, Failure> {
        match &self.dir {
            // The directory may have been deleted: its agent waits until it exists again.
            Some(directory) => directory
                .canonicalize()
                .or_else(|_| std::path::absolute(directory))
                .map_err(|error| {
                    Failure::usage(format!("{} cannot be found", say::path(&directory)))
                        .because(error)
                }),
            None => current_directory(),
        }
    }

    /// Finds the processes that run agents of the directory, or of the nearest one above it, each with its
    /// status. If a profile was named, they run an agent of that profile. There is at least one.
    ///
    /// # Errors
    ///
    /// Fails if no such agent runs there.
    pub async fn running(&self) -> Result<Vec<(Client, AgentStatus)>, Failure> {
        let data = DataDirectory::locate()?;
        let directory = self.directory()?;
        let (mut running, mut others) = (Vec::new(), Vec::new());
        for watched in directory.ancestors() {
            let by_up = data.agent(watched);
            let by_run = Profile::ALL.iter();
            let by_run = by_run.map(|profile| (data.run_state(watched, *profile), None));
            let by_up = (by_up.state(), Some(by_up.lock()));
            for (state, lock) in std::iter::once(by_up).chain(by_run) {
                let client = Client::new(&state);
                let process = lock.and_then(|lock| Process::noted(&lock));
                let who = process.map_or(String::new(), |process| format!(" ({})", process.name()));
                let watched = say::path(&watched);
                let status = waited(client.status(), || {
                    say::note(&format!("waiting for the agent on {watched}{who}"));
                });
                match status.await {
                    Ok(status) => match self.agent(&status, &directory, self.profile) {
                        Some(_) => running.push((client, status)),
                        None => {
                            let runs = |profile: &&Profile| {
                                let profile = Some(**profile);
                                self.agent(&status, &directory, profile).is_some()
                            };
                            let served = Profile::ALL.iter().filter(runs);
                            others.extend(served.map(ToString::to_string));
                        }
                    },
                    Err(ControlError::NotRunning { .. }) => {}
                    Err(error) => {
                        return Err(Failure::new(format!(
                            "the agent on {watched} does not respond{who}"
                        ))
                        .because(error)
                        .hint(Hint::say("it may respond again by itself"))
                        .hint(Hint::run(NextCommand::Down, "ends what `ctxpin up` runs")));
                    }
                }
            }
            if !running.is_empty() {
                return Ok(running);
            }
        }
        let shown = say::path(&directory);
        let failure = match self.profile {
            Some(profile) if !others.is_empty() => Failure::new(format!(
                "no agent of the profile `{profile}` runs on {shown}, but of {}",
                others.join(", ")
            ))
            .hint(Hint::run(
                NextCommand::Up,
                "with --profile serves a tool too",
            )),
            _ => Failure::new(format!("no agent runs on {shown}"))
                .hint(Hint::run(NextCommand::Up, "starts one")),
        };
        Err(failure.hint(Hint::set(Setting::Directory, "names another directory")))
    }
}

impl Noun {
    /// Sends the request to the agent.
    ///
    /// # Errors
    ///
    /// Fails if no agent runs, or the agent refuses.
    pub async fn run(self) -> Result<(), Failure> {
        let agent = self.agent.find().await?;
        match self.verb {
            Verb::Add { path, output } => {
                let changed = agent.source_add(&absolute(&path)?).await?;
                said(&changed, ["declared", "already declared:"], output)
            }
            Verb::Remove { path, output } => {
                let changed = agent.source_remove(&absolute(&path)?).await?;
                said(&changed, ["removed", "not declared:"], output)
            }
            Verb::List { output } => {
                let sources = agent.source_list().await?;
                if output.json {
                    return say::print_json(&sources);
                }
                if sources.is_empty() {
                    say::note("no sources are declared; `ctxpin source add PATH` declares one");
                    return Ok(());
                }
                let viewpoint = Viewpoint::here();
                let mut table = Table::new(&["source", "declared by"]);
                for source in &sources {
                    table.row([
                        viewpoint.path(&source.path),
                        by(source.declared_by).to_owned(),
                    ]);
                }
                say::print(&table.text())
            }
            Verb::Show { path, output } => {
                let found = agent.source_show(&absolute(&path)?).await?;
                if output.json {
                    return say::print_json(&found);
                }
                let viewpoint = Viewpoint::here();
                let mut text = format!(
                    "{}, declared by {}\n",
                    viewpoint.path(&found.source.path),
                    by(found.source.declared_by)
                );
                let mut table = Table::new(&["kind", "status", "size", "source", "reason"]);
                for resource in &found.resources {
                    table.row([
                        resource.kind.clone(),
                        resource.status.clone(),
                        say::size(resource.size_bytes),
                        viewpoint.path(&resource.source),
                        resource.error.clone().unwrap_or_default(),
                    ]);
                }
                match table.is_empty() {
                    true => text += "no resources found\n",
                    false => text += &table.text(),
                }
                say::print(&text)
            }
        }
    }
}

fn by(declared_by: DeclaredBy) -> &'static str {
    match declared_by {
        DeclaredBy::Operator => "the machine's operator",
        DeclaredBy::User => "you",
    }
}

fn said(changed: &SourceChange, words: [&str; 2], output: Output) -> Result<(), Failure> {
    if output.json {
        return say::print_json(changed);
    }
    let word = if changed.changed { words[0] } else { words[1] };
    let mut text = format!("{word} {}\n", say::line(&changed.path));
    if changed.gives == Some(0) {
        text += match Path::new(&changed.path).exists() {
            true => {
                "a scan reads nothing from it: from a directory it takes AGENTS.md, CLAUDE.md, .cursorrules and folders of skills; declare other files one by one\n"
            }
            false => "it does not exist yet; the agent waits for it\n",
        };
    }
    say::print(&text)
}
