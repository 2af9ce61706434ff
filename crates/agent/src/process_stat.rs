//! What Linux tells of a process: proc_pid_stat(5).

use std::fs;

/// The line of `/proc/PID/stat`.
#[derive(Debug)]
pub struct ProcessStat(String);

impl ProcessStat {
    /// Reads the line of a process. `None` if there is no such process, or the system does not tell.
    pub fn read(pid: u32) -> Option<Self> {
        fs::read_to_string(format!("/proc/{pid}/stat"))
            .ok()
            .map(Self)
    }

    /// Returns the name of the process (the 2nd field).
    pub fn name(&self) -> Option<&str> {
        let (before, _) = self.0.rsplit_once(')')?;
        Some(before.split_once('(')?.1)
    }

    /// Returns whether the process has ended, and nobody has asked how yet.
    pub fn has_ended(&self) -> bool {
        self.field(3) == Some("Z")
    }

    /// Returns the process that started this one.
    pub fn parent(&self) -> Option<u32> {
        self.field(4)?.parse().ok()
    }

    /// Returns the start time of the process, in ticks since the machine started.
    pub fn began(&self) -> Option<u64> {
        self.field(22)?.parse().ok()
    }

    /// Returns a field behind the name, by its number in the manual.
    fn field(&self, number: usize) -> Option<&str> {
        // The name is in parentheses, and may contain any character.
        let (_, fields) = self.0.rsplit_once(')')?;
        fields.split_whitespace().nth(number - 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_process_is_read() {
        let stat = |line: &str| ProcessStat(line.to_owned());
        let line = "12 (a b) c) S 1 12 12 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 8675309 1 2\n";
        let read = stat(line);
        assert_eq!(read.began(), Some(8_675_309));
        assert_eq!((read.name(), read.parent()), (Some("a b) c"), Some(1)));
        assert!(!read.has_ended());
        assert!(stat("12 (a) Z 1").has_ended());
        assert_eq!(stat("12 (a) S 1").began(), None);
        assert_eq!(stat("").began(), None);
    }
}
