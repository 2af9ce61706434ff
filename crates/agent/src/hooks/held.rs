//! What opencode's plugin hands over of requests, until it is compared. It stays in memory, because it is text.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde::Deserialize;
use serde_json::Value;

/// The size from which what is held is compared without waiting for the end of the turn, in bytes.
const FULL_BYTES: usize = 1024 * 1024;

/// The greatest size of what is held of a session, in bytes. Behind it, a server was out of reach for long.
const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The greatest size of what is held of all sessions, in bytes.
pub(super) const HELD_OF_ALL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is held of a session.
#[derive(Default)]
pub(super) struct Held {
    /// The lines that no row was made of yet, in their order: one for each request.
    lines: VecDeque<String>,
    /// How many lines were added since the session is known.
    added: u64,
    /// The turn of the last line, and its number in that.
    last: (Option<String>, u64),
}

/// What was handed over of a session before a reading took its place in the line. What came behind that may be of a turn
/// that is recorded later.
#[derive(Clone, Copy)]
pub(super) struct HandedOver<'h> {
    pub held: &'h Mutex<Held>,
    /// The number of the last line, from 1.
    pub until: u64,
}

/// The form of a line; `ctxpin-evidence` reads the rest.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    System {
        turn: Option<String>,
        /// The number of the request in its turn, from 1. A plugin of an earlier release does not say it.
        number: Option<u64>,
    },
}

impl Held {
    /// Adds a line, if it takes at most `room` bytes. Returns whether it is time to compare what is held.
    ///
    /// # Errors
    ///
    /// Returns a message for people if it is not a line of the plugin's, or too much is held already.
    pub fn add(&mut self, text: &str, room: usize) -> Result<bool, String> {
        let line = serde_json::from_str(text).ok();
        let line = line.filter(|_| !text.contains('\n'));
        let Line::System { turn, number } =
            line.ok_or("what the plugin hands over is not a line that is known")?;
        if text.len() > room {
            return Err(format!(
                "{HELD_OF_ALL_BYTES_MAX} bytes of requests wait for the server, and this one is left out"
            ));
        }
        if self.bytes() + text.len() > HELD_BYTES_MAX {
            let requests = self.requests();
            self.lines.clear();
            return Err(format!(
                "more than {HELD_BYTES_MAX} bytes of a session waited for the server; {requests} requests are forgotten"
            ));
        }
        let text = match number.is_some_and(|number| self.lacks_before(turn.as_ref(), number)) {
            true => behind_others(text),
            false => text.to_owned(),
        };
        self.lines.push_back(text);
        self.last = (turn, number.unwrap_or_default());
        self.added += 1;
        Ok(self.bytes() >= FULL_BYTES)
    }

    /// Returns whether a request that comes next stands behind some of its turn that did not come.
    fn lacks_before(&self, turn: Option<&String>, number: u64) -> bool {
        let (last, last_number) = &self.last;
        let before = match last.as_ref() == turn {
            true => *last_number,
            false => 0,
        };
        number > before + 1
    }

    /// Returns the number of the last line, from 1.
    pub fn last(&self) -> u64 {
        self.added
    }

    /// Returns what the requests up to a line have, as a record, and how many are held of these.
    pub fn record(&self, until: u64) -> (Vec<u8>, usize) {
        let behind = usize::try_from(self.added.saturating_sub(until)).unwrap_or(usize::MAX);
        let count = self.requests().saturating_sub(behind);
        let mut record = Vec::new();
        for line in self.lines.iter().take(count) {
            record.extend_from_slice(line.as_bytes());
            record.push(b'\n');
        }
        (record, count)
    }

    /// Returns how many requests are held of which no row was made.
    pub fn requests(&self) -> usize {
        self.lines.len()
    }

    /// Returns the size of everything that is held, in bytes.
    pub fn bytes(&self) -> usize {
        self.lines.iter().map(String::len).sum()
    }

    /// Forgets the first requests, of which rows were made.
    pub fn forget(&mut self, count: usize) {
        self.lines.drain(..count.min(self.lines.len()));
    }
}

/// Returns a line that says that requests of its turn are missing before it.
fn behind_others(line: &str) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap_or_default();
    value["is_behind_others"] = true.into();
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_has_bounds() {
        let mut held = Held::default();
        for line in ["", "{", r#"{"type":"other"}"#, "{\"type\":\n\"system\"}"] {
            assert!(held.add(line, usize::MAX).is_err(), "{line}");
        }
        let long = |bytes| format!(r#"{{"type":"system","texts":["{}"]}}"#, "x".repeat(bytes));
        assert_eq!(held.add(&long(100), usize::MAX), Ok(false));
        assert_eq!(held.add(&long(FULL_BYTES), usize::MAX), Ok(true));
        held.forget(1);
        assert_eq!(held.requests(), 1);
        let system = r#"{"type":"system"}"#;
        let left_out = held.add(system, system.len() - 1).unwrap_err();
        assert!(left_out.contains("this one is left out"), "{left_out}");
        assert_eq!(held.requests(), 1);
        assert!(held.add(system, system.len()).is_ok());
        let forgotten = held.add(&long(HELD_BYTES_MAX), usize::MAX);
        let forgotten = forgotten.unwrap_err();
        assert!(
            forgotten.contains("2 requests are forgotten"),
            "{forgotten}"
        );
        assert_eq!(held.record(held.last()), (Vec::new(), 0));
    }

    #[test]
    fn a_line_says_that_requests_before_it_did_not_come() {
        let mut held = Held::default();
        for (turn, number, is_behind) in [
            ("a", 1, false),
            ("a", 2, false),
            ("a", 4, true),
            ("a", 5, false),
            ("b", 2, true),
            ("b", 3, false),
            // The plugin has forgotten the session meanwhile.
            ("b", 1, false),
            ("c", 1, false),
        ] {
            let line = format!(r#"{{"type":"system","turn":"{turn}","number":{number}}}"#);
            held.add(&line, usize::MAX).unwrap();
            let (record, _) = held.record(held.last());
            held.forget(1);
            let record: Value = serde_json::from_slice(&record).unwrap();
            let said = record["is_behind_others"] == true;
            assert_eq!(said, is_behind, "{turn} {number}");
        }
    }

    #[test]
    fn a_record_ends_with_a_line_of_then() {
        let mut held = Held::default();
        let line = |turn: &str| format!(r#"{{"type":"system","turn":"{turn}"}}"#);
        let check = |held: &Held, until: u64, turns: &[&str]| {
            let record: String = turns.iter().map(|turn| line(turn) + "\n").collect();
            let expected = (record.into_bytes(), turns.len());
            assert_eq!(held.record(until), expected, "{until}");
        };
        check(&held, held.last(), &[]);
        held.add(&line("a"), usize::MAX).unwrap();
        let first = held.last();
        held.add(&line("b"), usize::MAX).unwrap();
        check(&held, 0, &[]);
        check(&held, first, &["a"]);
        check(&held, held.last(), &["a", "b"]);
        held.forget(1);
        check(&held, first, &[]);
        check(&held, held.last(), &["b"]);
    }
}
