//! What opencode's plugin hands over of requests, until it is compared. It stays in memory, because it is text.

use std::collections::VecDeque;

use serde::Deserialize;

/// The size from which what is held is compared without waiting for the end of the turn, in bytes.
const FULL_BYTES: usize = 1024 * 1024;

/// The greatest size of what is held of a session, in bytes. Behind it, a server was out of reach for long.
const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The greatest size of what is held of all sessions, in bytes.
pub(super) const HELD_OF_ALL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The greatest size of the results that later requests still have, in bytes. The oldest are forgotten.
const RESULTS_BYTES_MAX: usize = 256 * 1024;

/// What is held of a session.
#[derive(Default)]
pub(super) struct Held {
    /// The lines that no row was made of yet, in their order.
    lines: VecDeque<Line>,
    /// Results of earlier turns.
    results: VecDeque<Line>,
}

struct Line {
    kind: Kind,
    text: String,
}

/// The form of a line; `ctxpin-evidence` reads the rest.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Kind {
    System,
    Result,
    Compacted,
}

impl Held {
    /// Adds a line, if it takes at most `room` bytes. Returns whether it is time to compare what is held.
    ///
    /// # Errors
    ///
    /// Returns a message for people if it is not a line of the plugin's, or too much is held already.
    pub fn add(&mut self, text: &str, room: usize) -> Result<bool, String> {
        let kind = serde_json::from_str(text).ok();
        let kind = kind.filter(|_| !text.contains('\n'));
        let kind = kind.ok_or("what the plugin hands over is not a line that is known")?;
        if text.len() > room {
            return Err(format!(
                "{HELD_OF_ALL_BYTES_MAX} bytes of requests wait for the server, and this one is left out"
            ));
        }
        if size(&self.lines) + text.len() > HELD_BYTES_MAX {
            let requests = self.requests();
            self.lines.clear();
            return Err(format!(
                "more than {HELD_BYTES_MAX} bytes of a session waited for the server; {requests} requests are forgotten"
            ));
        }
        let text = text.to_owned();
        self.lines.push_back(Line { kind, text });
        Ok(size(&self.lines) >= FULL_BYTES)
    }

    /// Returns everything that the requests have, as a record, and the number of lines that no row was made of.
    pub fn record(&self) -> (Vec<u8>, usize) {
        let mut record = Vec::new();
        for line in self.results.iter().chain(&self.lines) {
            record.extend_from_slice(line.text.as_bytes());
            record.push(b'\n');
        }
        (record, self.lines.len())
    }

    /// Returns how many requests are held of which no row was made.
    pub fn requests(&self) -> usize {
        let lines = self.lines.iter();
        lines.filter(|line| line.kind == Kind::System).count()
    }

    /// Returns the size of everything that is held, in bytes.
    pub fn bytes(&self) -> usize {
        size(&self.lines) + size(&self.results)
    }

    /// Forgets the results of earlier turns. A file that came with one then counts as not asked for.
    pub fn forget_results(&mut self) {
        self.results.clear();
    }

    /// Forgets the first lines, of which rows were made. Later requests still have the results among them.
    pub fn forget(&mut self, count: usize) {
        for line in self.lines.drain(..count.min(self.lines.len())) {
            match line.kind {
                Kind::System => {}
                Kind::Result => self.results.push_back(line),
                Kind::Compacted => self.results.clear(),
            }
        }
        while size(&self.results) > RESULTS_BYTES_MAX {
            self.results.pop_front();
        }
    }
}

fn size(lines: &VecDeque<Line>) -> usize {
    lines.iter().map(|line| line.text.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(held: &Held) -> String {
        String::from_utf8(held.record().0).unwrap()
    }

    #[test]
    fn a_result_stays_until_the_conversation_is_compacted() {
        let system = r#"{"type":"system","request":"r"}"#;
        let result = r#"{"type":"result","texts":["a"]}"#;
        let compacted = r#"{"type":"compacted"}"#;
        let mut held = Held::default();
        for line in [system, result, system] {
            assert_eq!(held.add(line, usize::MAX), Ok(false));
        }
        assert_eq!(held.record().1, 3);
        assert_eq!(held.requests(), 2);
        held.add(system, usize::MAX).unwrap();
        held.forget(3);
        assert_eq!(texts(&held), format!("{result}\n{system}\n"));
        held.add(compacted, usize::MAX).unwrap();
        held.forget(9);
        assert_eq!(texts(&held), "");
    }

    #[test]
    fn what_is_held_has_bounds() {
        let mut held = Held::default();
        for line in ["", "{", r#"{"type":"other"}"#, "{\"type\":\n\"result\"}"] {
            assert!(held.add(line, usize::MAX).is_err(), "{line}");
        }
        let long =
            |kind: &str, bytes| format!(r#"{{"type":"{kind}","texts":["{}"]}}"#, "x".repeat(bytes));
        assert_eq!(
            held.add(&long("result", RESULTS_BYTES_MAX), usize::MAX),
            Ok(false)
        );
        assert_eq!(held.add(&long("system", FULL_BYTES), usize::MAX), Ok(true));
        held.forget(1);
        assert_eq!(held.record().1, 1);
        assert!(held.results.is_empty());
        let system = r#"{"type":"system"}"#;
        let left_out = held.add(system, system.len() - 1).unwrap_err();
        assert!(left_out.contains("this one is left out"), "{left_out}");
        assert_eq!(held.requests(), 1);
        assert!(held.add(system, system.len()).is_ok());
        let forgotten = held.add(&long("system", HELD_BYTES_MAX), usize::MAX);
        let forgotten = forgotten.unwrap_err();
        assert!(
            forgotten.contains("2 requests are forgotten"),
            "{forgotten}"
        );
        assert_eq!(held.record().1, 0);
    }
}
