//! Identifies a process to other processes. A process id alone is not enough: it may be reused, or
//! belong to another container or machine that shares the home directory.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ctxpin_agent::process_stat::ProcessStat;
use ctxpin_private_files::lock::Lock;
use ctxpin_protocol::control::ClientProcess;
use serde::{Deserialize, Serialize};

use crate::say;

/// A process, as it describes itself in the lock that it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The process id, which is only valid together with `place`.
    pub pid: u32,
    /// When the process wrote this.
    at: DateTime<Utc>,
    /// The name of the machine, for people.
    host: String,
    /// The place in which the process id is valid, or `None` if the system does not say.
    place: Option<Place>,
}

/// The place in which a process id is valid, and the start of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The boot id of the machine.
    boot: String,
    /// The namespace of process ids.
    pid_namespace: String,
    /// The network namespace.
    net_namespace: String,
    /// The start time of the process, in ticks since the machine started.
    began: u64,
}

/// The place and state of a process, seen from this process.
#[derive(Debug)]
pub enum Whereabouts {
    /// It runs here.
    Here(Running),
    /// It ran here, and has ended.
    Ended,
    /// It runs in another container or on another machine, or its place is unknown.
    Elsewhere,
}

/// A process that runs here. Its process id is not reused while this handle exists.
#[derive(Debug)]
pub struct Running {
    #[cfg(target_os = "linux")]
    handle: rustix::fd::OwnedFd,
}

impl Process {
    /// Describes the calling process.
    pub fn own() -> Self {
        let pid = std::process::id();
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            pid,
            at: say::now(),
            host: host.trim().to_owned(),
            place: Place::of(pid),
        }
    }

    /// Reads which process holds a lock. Returns `None` if the process has not written it yet.
    pub fn noted(lock: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(lock).ok()?).ok()
    }

    /// Writes the process into a lock that it holds.
    ///
    /// # Errors
    ///
    /// Fails if that cannot be written.
    pub fn note(&self, lock: &Lock) -> io::Result<()> {
        lock.write(&serde_json::to_vec(self)?)
    }

    /// Returns where the process is, seen from the calling process.
    pub fn whereabouts(&self) -> Whereabouts {
        let Some((place, own)) = self.place.as_ref().zip(Place::of(std::process::id())) else {
            return Whereabouts::Elsewhere;
        };
        if (&place.boot, &place.pid_namespace) != (&own.boot, &own.pid_namespace) {
            return Whereabouts::Elsewhere;
        }
        // Open the handle first, so that the start time belongs to the process of the handle.
        let running = Running::open(self.pid);
        match (running, began(self.pid)) {
            (Some(running), Some(began)) if began == place.began => Whereabouts::Here(running),
            _ => Whereabouts::Ended,
        }
    }

    /// Returns whether the loopback addresses of the process can be reached from here.
    pub fn shares_addresses(&self) -> bool {
        let own = Place::of(std::process::id());
        // Systems that do not tell have no containers.
        self.place.as_ref().zip(own).is_none_or(|(place, own)| {
            (&place.boot, &place.net_namespace) == (&own.boot, &own.net_namespace)
        })
    }

    /// Returns a name of the process for people on the same machine.
    pub fn name(&self) -> String {
        format!("process {}, since {}", self.pid, say::date(self.at))
    }

    /// Returns a name of the process with its host, for people on another machine.
    pub fn name_with_host(&self) -> String {
        format!(
            "process {} on {}, since {}",
            self.pid,
            say::line(&self.host),
            say::date(self.at)
        )
    }
}

impl Running {
    /// Asks the process to terminate. Has no effect if the process has ended.
    pub fn terminate(&self) {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::pidfd_send_signal(&self.handle, rustix::process::Signal::TERM);
    }

    #[cfg(target_os = "linux")]
    fn open(pid: u32) -> Option<Self> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
        let flags = rustix::process::PidfdFlags::empty();
        let handle = rustix::process::pidfd_open(pid, flags).ok()?;
        Some(Self { handle })
    }

    #[cfg(not(target_os = "linux"))]
    fn open(_: u32) -> Option<Self> {
        None
    }
}

impl Place {
    fn of(pid: u32) -> Option<Self> {
        let namespace = |name: &str| {
            let target = fs::read_link(format!("/proc/self/ns/{name}")).ok()?;
            Some(target.to_str()?.to_owned())
        };
        Some(Self {
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?,
            pid_namespace: namespace("pid")?,
            net_namespace: namespace("net")?,
            began: began(pid)?,
        })
    }
}

/// Returns the start time of a process, in ticks since the machine started.
fn began(pid: u32) -> Option<u64> {
    ProcessStat::read(pid)?.began()
}

/// The programs that run a command for another one.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "zsh", "ash", "ksh", "fish", "busybox"];

/// How many processes above this one are looked at.
const ANCESTORS_MAX: usize = 8;

/// Returns the process that has called this one as a hook: the nearest above it that is no shell. `None` where the system
/// does not tell.
pub fn client_process() -> Option<ClientProcess> {
    let mut pid = std::process::id();
    for _ in 0..ANCESTORS_MAX {
        pid = ProcessStat::read(pid)?.parent()?;
        let stat = ProcessStat::read(pid)?;
        if !SHELLS.contains(&stat.name()?) {
            let began = stat.began()?;
            let began_ms = began_ms(began, &fs::read_to_string("/proc/uptime").ok()?)?;
            return Some(ClientProcess {
                pid,
                began,
                began_ms,
            });
        }
    }
    None
}

/// Returns the time of a beginning in ticks since the machine started, in milliseconds since 1970. `uptime` is
/// proc_uptime(5), in seconds.
fn began_ms(began: u64, uptime: &str) -> Option<u64> {
    let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let uptime = Duration::try_from_secs_f64(seconds).ok()?;
    let began = Duration::from_millis(began * 1000 / rustix::param::clock_ticks_per_second());
    let now = say::now().timestamp_millis();
    let ago = uptime.saturating_sub(began).as_millis();
    u64::try_from(now)
        .ok()?
        .checked_sub(u64::try_from(ago).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn case_b08_a_number_alone_is_no_process() {
        let own = Process::own();
        assert!(matches!(own.whereabouts(), Whereabouts::Here(_)));
        assert!(own.shares_addresses());
        let with = |change: &dyn Fn(&mut Place)| {
            let mut process = own.clone();
            change(process.place.as_mut().unwrap());
            process
        };
        let later = with(&|place| place.began += 1);
        assert!(matches!(later.whereabouts(), Whereabouts::Ended));
        let other = "other".to_owned();
        for elsewhere in [
            with(&|place| place.boot.clone_from(&other)),
            with(&|place| place.pid_namespace.clone_from(&other)),
            Process {
                place: None,
                ..own.clone()
            },
        ] {
            assert!(matches!(elsewhere.whereabouts(), Whereabouts::Elsewhere));
        }
        let apart = with(&|place| place.net_namespace.clone_from(&other));
        assert!(!apart.shares_addresses());
        assert!(matches!(apart.whereabouts(), Whereabouts::Here(_)));
    }

    #[test]
    fn a_process_is_found_in_its_lock() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("lock");
        assert_eq!(Process::noted(&path), None);
        fs::write(&path, "another text").unwrap();
        assert_eq!(Process::noted(&path), None);
        let own = Process::own();
        let lock = Lock::take(&path).unwrap().unwrap();
        own.note(&lock).unwrap();
        assert_eq!(Process::noted(&path), Some(own));
    }
}
