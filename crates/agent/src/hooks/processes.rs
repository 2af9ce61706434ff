//! The processes of clients, and what each has read.
//!
//! Claude Code reads its instruction files once in a process, and gives them to each session that it opens there. After
//! `/clear` and a compaction it reads them anew, with the next request. It was seen so in 2.1.332.

use std::collections::HashMap;
use std::time::Instant;

use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::ClientProcess;

use super::read::Listing;
use crate::process_stat::ProcessStat;

/// The greatest number of processes that are known at once. The one that was silent for longest is forgotten.
const PROCESSES_MAX: usize = 256;

/// Returns whether a process runs, as far as this one can see it.
pub(super) fn is_running(process: &ClientProcess) -> bool {
    let stat = ProcessStat::read(process.pid);
    stat.is_some_and(|stat| stat.began() == Some(process.began) && !stat.has_ended())
}

/// What is known of the processes of clients.
#[derive(Debug, Default)]
pub(super) struct Processes(HashMap<Key, Known>);

/// The id of a process, and its beginning.
type Key = (u32, u64);

fn key(process: &ClientProcess) -> Key {
    (process.pid, process.began)
}

#[derive(Debug)]
struct Known {
    seen_at: Instant,
    /// What the process has read last.
    read: Option<Listing>,
    /// The event after which the process reads anew with its next request.
    forgot: Option<ClientEvent>,
}

impl Processes {
    /// Notes an event of a process. Returns whether it had one before.
    pub fn seen(&mut self, process: &ClientProcess) -> bool {
        let is_known = self.0.contains_key(&key(process));
        if !is_known && self.0.len() >= PROCESSES_MAX {
            let silent = self.0.iter().min_by_key(|(_, known)| known.seen_at);
            let silent = silent.map(|(key, _)| *key);
            silent.and_then(|silent| self.0.remove(&silent));
        }
        let now = Instant::now();
        let known = self.0.entry(key(process)).or_insert_with(|| Known {
            seen_at: now,
            read: None,
            forgot: None,
        });
        known.seen_at = now;
        is_known
    }

    /// Notes what a process has read.
    pub fn has_read(&mut self, process: &ClientProcess, read: &Listing) {
        if let Some(known) = self.0.get_mut(&key(process)) {
            known.read = Some(read.clone());
        }
    }

    /// Notes the start of a session in a process that is known.
    pub fn started(&mut self, process: &ClientProcess, client: Profile, source: &str) {
        if let (Some(known), Profile::ClaudeCode) = (self.0.get_mut(&key(process)), client) {
            let forgets = [ClientEvent::Clear, ClientEvent::Compact];
            let forgets = forgets.into_iter().find(|event| event.as_str() == source);
            known.forgot = forgets.or(known.forgot);
        }
    }

    /// Returns what a process gives to a session that it goes on with or branches off, if it reads nothing then.
    pub fn given(&self, process: &ClientProcess, client: Profile, source: &str) -> Option<Listing> {
        let goes_on = [ClientEvent::Resume, ClientEvent::Fork];
        let goes_on = goes_on.iter().any(|event| event.as_str() == source);
        let known = self.0.get(&key(process))?;
        let is_given = client == Profile::ClaudeCode && goes_on && known.forgot.is_none();
        known.read.clone().filter(|_| is_given)
    }

    /// Returns the event after which a process reads anew with its next request.
    pub fn forgot(&self, process: &ClientProcess) -> Option<ClientEvent> {
        self.0.get(&key(process))?.forgot
    }

    /// Notes that a process has made requests, and so has read anew what it forgot.
    pub fn remembers(&mut self, process: &ClientProcess) {
        if let Some(known) = self.0.get_mut(&key(process)) {
            known.forgot = None;
        }
    }
}
