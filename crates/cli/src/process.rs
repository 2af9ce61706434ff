//! A process that others write down to find it again. A number alone tells none: it may be another
//! process by now, or one of another container or machine that shares the home directory.

use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use ctxpin_private_files::lock::Lock;
use serde::{Deserialize, Serialize};

use crate::say;

/// Which process it is, written by itself into the lock that it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number, which says nothing without its place.
    pub pid: u32,
    /// When it wrote this.
    at: DateTime<Utc>,
    /// The name of its machine, for people.
    host: String,
    /// Where its number holds; `None` where the system does not tell.
    place: Option<Place>,
}

/// Where the number of a process means that very process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The machine, since it started.
    boot: String,
    /// The numbers that containers see.
    pid_namespace: String,
    /// The addresses that containers see.
    net_namespace: String,
    /// When the process began, in ticks since the machine started.
    began: u64,
}

/// Where a process is, seen from here.
#[derive(Debug)]
pub enum Whereabouts {
    /// Here, and it runs.
    Here(Running),
    /// It was here, and has ended.
    Ended,
    /// In another container or on another machine, or it cannot be told.
    Elsewhere,
}

/// A process that runs here. As long as this is held its number is given to no other.
#[derive(Debug)]
pub struct Running {
    #[cfg(target_os = "linux")]
    handle: rustix::fd::OwnedFd,
}

impl Process {
    /// The process that asks, as others find it again.
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

    /// Reads which process holds a lock. `None` if it has not written that yet.
    pub fn noted(lock: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(lock).ok()?).ok()
    }

    /// Writes it into a lock that it holds.
    ///
    /// # Errors
    ///
    /// If that cannot be written.
    pub fn note(&self, lock: &Lock) -> io::Result<()> {
        lock.write(&serde_json::to_vec(self)?)
    }

    /// Where it is, seen from this process.
    pub fn whereabouts(&self) -> Whereabouts {
        let Some((place, own)) = self.place.as_ref().zip(Place::of(std::process::id())) else {
            return Whereabouts::Elsewhere;
        };
        if (&place.boot, &place.pid_namespace) != (&own.boot, &own.pid_namespace) {
            return Whereabouts::Elsewhere;
        }
        // The handle comes first: what is read after that is of the process that the handle means.
        let running = Running::open(self.pid);
        match (running, began(self.pid)) {
            (Some(running), Some(began)) if began == place.began => Whereabouts::Here(running),
            _ => Whereabouts::Ended,
        }
    }

    /// Whether what it listens to on this machine's own addresses can be reached from here.
    pub fn shares_addresses(&self) -> bool {
        let own = Place::of(std::process::id());
        // Where the system does not tell, there are no containers either.
        self.place.as_ref().zip(own).is_none_or(|(place, own)| {
            (&place.boot, &place.net_namespace) == (&own.boot, &own.net_namespace)
        })
    }

    /// Which one it is, for people who look for it here.
    pub fn name(&self) -> String {
        format!("process {}, since {}", self.pid, say::date(self.at))
    }

    /// The same for people who have to look elsewhere.
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
    /// Asks it to end. If it has ended by now, so much the better.
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

/// When a process began, in ticks since the machine started (proc_pid_stat(5), the 22nd field).
fn began(pid: u32) -> Option<u64> {
    began_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn began_in(stat: &str) -> Option<u64> {
    // The second field is a name in brackets, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_process_is_read() {
        let stat = "12 (a b) c) S 1 12 12 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 8675309 1 2\n";
        assert_eq!(began_in(stat), Some(8_675_309));
        assert_eq!(began_in("12 (a) S 1"), None);
        assert_eq!(began_in(""), None);
    }

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
