//! `ctxpin down`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use ctxpin_agent::control::Client;
use rustix::process::{Pid, Signal, kill_process};

use crate::data_directory::{AgentDirectory, DataDirectory};
use crate::running::{RunningServer, is_locked};
use crate::say::{self, Failure, Progress};

/// How often is looked whether a process has ended.
const ENDED_INTERVAL: Duration = Duration::from_millis(25);

/// How long a process is given to end.
const ENDED_WAIT_MAX: Duration = Duration::from_secs(30);

/// Stop every `ctxpin up` of yours, and the server with them
#[derive(Debug, Args)]
pub struct Down {}

/// A process that watches a directory.
struct Watcher {
    kept: AgentDirectory,
    pid: Option<u32>,
    name: String,
}

impl Down {
    /// Stops them all. Whoever runs the server comes last, so that nobody has to take over.
    ///
    /// # Errors
    ///
    /// If one of them does not end.
    pub async fn run(self) -> Result<(), Failure> {
        let data = DataDirectory::locate()?;
        let server = RunningServer::find(&data)?;
        let mut watchers = Vec::new();
        for kept in data.agents()? {
            if is_locked(&kept.lock())? {
                watchers.push(Watcher::of(kept));
            }
        }
        if watchers.is_empty() && !is_locked(&data.server_lock())? {
            return say::print("nothing runs\n");
        }
        let leader = server.as_ref().map(|server| server.pid);
        watchers.sort_by_key(|watcher| watcher.pid == leader);
        let mut progress = Progress::new();
        let mut text = String::new();
        for watcher in &watchers {
            progress.tell(&format!("stopping {}", watcher.name));
            watcher.stop().await?;
            text += &format!("stopped watching {}\n", watcher.name);
        }
        if !unlocked(&data.server_lock()).await? {
            let pid = leader.map_or("unknown".to_owned(), |pid| pid.to_string());
            return Err(
                Failure::new(format!("the server still runs, in process {pid}"))
                    .hint("end that process"),
            );
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
        let pid = fs::read_to_string(kept.lock()).ok();
        let directory = kept.directory();
        Self {
            pid: pid.and_then(|pid| pid.trim().parse().ok()),
            name: directory.map_or("a directory".to_owned(), |directory| {
                say::line(&directory.to_string_lossy()).into_owned()
            }),
            kept,
        }
    }

    /// Asks its agent to end, or the process itself if it has no agent yet.
    async fn stop(&self) -> Result<(), Failure> {
        if Client::new(&self.kept.state()).stop().await.is_err() {
            self.terminate();
        }
        if unlocked(&self.kept.lock()).await? {
            return Ok(());
        }
        let pid = self.pid.map_or("unknown".to_owned(), |pid| pid.to_string());
        Err(Failure::new(format!(
            "what watches {} does not end (process {pid})",
            self.name
        ))
        .hint("end that process"))
    }

    /// The lock is held, so the process that wrote its number there still runs.
    fn terminate(&self) {
        let pid = self.pid.and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // If it is gone by now, so much the better.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

/// Waits until a lock is free; `false` if that takes too long.
async fn unlocked(lock: &Path) -> Result<bool, Failure> {
    let waiting = async {
        while is_locked(lock)? {
            tokio::time::sleep(ENDED_INTERVAL).await;
        }
        Ok(())
    };
    match tokio::time::timeout(ENDED_WAIT_MAX, waiting).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Ok(false),
    }
}
