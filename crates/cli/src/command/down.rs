//! `ctxpin down`.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use ctxpin_agent::control::Client;

use crate::data_directory::{AgentDirectory, DataDirectory};
use crate::process::{Process, Whereabouts};
use crate::running::{RunningServer, is_locked};
use crate::say::{self, Failure, Hint, NextCommand, Progress, waited};

/// Pause between two checks whether a process has ended.
const ENDED_INTERVAL: Duration = Duration::from_millis(25);

/// Maximum time for a process to end.
const ENDED_WAIT_MAX: Duration = Duration::from_secs(30);

/// Stop all your `ctxpin up` processes and their server
#[derive(Debug, Args)]
pub struct Down {}

/// A process that watches a directory.
struct Watcher {
    kept: AgentDirectory,
    process: Option<Process>,
    name: String,
}

impl Down {
    /// Stops all processes. The process that runs the server comes last, so that no other process
    /// takes over.
    ///
    /// # Errors
    ///
    /// Fails if one of the processes does not end, or runs in another container or on another
    /// machine.
    pub async fn run(self) -> Result<(), Failure> {
        let data = DataDirectory::locate()?;
        // The server is only mentioned in the output. Processes can be stopped even if it cannot be
        // read.
        let server = RunningServer::find(&data).unwrap_or_default();
        let mut watchers = Vec::new();
        for kept in data.agents()? {
            if is_locked(&kept.lock())? {
                watchers.push(Watcher::of(kept));
            }
        }
        if watchers.is_empty() && !is_locked(&data.server_lock())? {
            return say::print("nothing is running\n");
        }
        let leader = Process::noted(&data.server_lock());
        watchers.sort_by_key(|watcher| watcher.process.is_some() && watcher.pid() == pid(&leader));
        let mut progress = Progress::new();
        let mut text = String::new();
        for watcher in &watchers {
            progress.tell(&format!("stopping {}", watcher.name));
            watcher.stop(&mut progress).await?;
            text += &format!("stopped watching {}\n", watcher.name);
        }
        progress.tell("stopping the server");
        let whereabouts = leader.as_ref().map(Process::whereabouts);
        let is_elsewhere = matches!(whereabouts, Some(Whereabouts::Elsewhere));
        if is_elsewhere && is_locked(&data.server_lock())? {
            return Err(still_runs("the server", leader.as_ref()));
        }
        if !unlocked(&data.server_lock(), &mut progress, leader.as_ref()).await? {
            return Err(still_runs("the server", leader.as_ref()));
        }
        drop(progress);
        if let Some(server) = &server {
            let url = server.url.to_string();
            text += &format!("stopped the server at {}\n", url.trim_end_matches('/'));
        }
        say::print(&text)
    }
}

impl Watcher {
    fn of(kept: AgentDirectory) -> Self {
        let directory = kept.directory();
        Self {
            process: Process::noted(&kept.lock()),
            name: directory.map_or("a directory".to_owned(), |directory| {
                say::line(&directory.to_string_lossy()).into_owned()
            }),
            kept,
        }
    }

    fn pid(&self) -> Option<u32> {
        pid(&self.process)
    }

    /// Asks the agent to end, or terminates the process if the agent does not answer.
    async fn stop(&self, progress: &mut Progress) -> Result<(), Failure> {
        let what = format!("what watches {}", self.name);
        let agent = Client::new(&self.kept.state());
        let stopped = waited(agent.stop(), || {
            progress.tell(&waiting(self.process.as_ref()));
        });
        if stopped.await.is_err() && is_locked(&self.kept.lock())? {
            match self.process.as_ref().map(Process::whereabouts) {
                Some(Whereabouts::Here(running)) => running.terminate(),
                // The process is ending, or its successor holds the lock and has not written its id
                // yet.
                Some(Whereabouts::Ended) | None => {}
                Some(Whereabouts::Elsewhere) => {
                    return Err(still_runs(&what, self.process.as_ref()));
                }
            }
        }
        let process = self.process.as_ref();
        match unlocked(&self.kept.lock(), progress, process).await? {
            true => Ok(()),
            false => Err(still_runs(&what, process)),
        }
    }
}

fn pid(process: &Option<Process>) -> Option<u32> {
    process.as_ref().map(|process| process.pid)
}

fn waiting(process: Option<&Process>) -> String {
    match process {
        Some(process) => format!("waiting for {} to end", process.name()),
        None => "waiting for it to end".to_owned(),
    }
}

/// Returns the failure that a process does not end, with a hint how to end it.
fn still_runs(what: &str, process: Option<&Process>) -> Failure {
    let Some(process) = process else {
        return Failure::new(format!("{what} does not end, and its process is unknown")).hint(
            Hint::say("end the process that holds the lock in your data directory"),
        );
    };
    match process.whereabouts() {
        Whereabouts::Elsewhere => Failure::new(format!(
            "{what} runs in another container or on another machine ({})",
            process.name_with_host()
        ))
        .hint(Hint::run(NextCommand::Down, "there ends it")),
        Whereabouts::Here(_) | Whereabouts::Ended => {
            Failure::new(format!("{what} does not end ({})", process.name())).hint(Hint::say(
                format!(
                    "`kill -KILL {}` ends it at once; acknowledged data is kept",
                    process.pid
                ),
            ))
        }
    }
}

/// Waits until a lock is free. Returns `false` if that takes too long.
async fn unlocked(
    lock: &Path,
    progress: &mut Progress,
    process: Option<&Process>,
) -> Result<bool, Failure> {
    let waiting_for = async {
        while is_locked(lock)? {
            tokio::time::sleep(ENDED_INTERVAL).await;
        }
        Ok(())
    };
    let waiting_for = waited(waiting_for, || progress.tell(&waiting(process)));
    match tokio::time::timeout(ENDED_WAIT_MAX, waiting_for).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Ok(false),
    }
}
