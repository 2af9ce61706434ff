//! Messages of a transcript that came before the client's word of whose they are.
//!
//! Claude Code says of its own texts in attachments which they are, mostly before the request that has them. Its terminal
//! interface (2.1.332) may write attachments behind the request, up to the answer. So a message with a text that nothing
//! has explained yet is looked at again when its request is told. A reading that ends before that keeps the number of the
//! message, and the next one begins with its line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Reading;
use crate::record::{Role, Said};

/// The most bytes of such messages at a time. What is more is looked at once.
const BYTES_MAX: usize = 16 << 20;

/// What a state keeps of the messages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kept {
    pub numbers: Vec<usize>,
    is_told_more: bool,
}

/// The messages since the last answer, by their numbers.
#[derive(Debug, Default)]
pub struct Unsettled {
    messages: BTreeMap<usize, Unplaced>,
    bytes: usize,
    /// Where the first line begins, in bytes.
    at: Option<u64>,
    /// Whether the client has said since what it gives.
    is_told_more: bool,
}

#[derive(Debug, Default)]
struct Unplaced {
    /// What it says. `None` until its line is read again.
    said: Option<Vec<(Role, String)>>,
    /// Its places in the request.
    places: Vec<usize>,
}

impl Unsettled {
    /// Begins with the messages that an earlier reading left.
    pub fn of(kept: &Kept) -> Self {
        let numbers = kept.numbers.iter();
        Self {
            messages: numbers
                .map(|number| (*number, Unplaced::default()))
                .collect(),
            is_told_more: kept.is_told_more,
            ..Self::default()
        }
    }

    /// Returns whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns what the next reading begins with.
    pub fn kept(&self) -> Kept {
        Kept {
            numbers: self.messages.keys().copied().collect(),
            is_told_more: self.is_told_more,
        }
    }

    /// Returns where the first line begins, in bytes.
    pub fn at(&self) -> Option<u64> {
        self.at
    }

    /// Adds a message whose line begins at `at`.
    pub fn add(&mut self, number: usize, at: u64, said: &[Said<'_>]) {
        let bytes: usize = said.iter().map(|said| said.text.len()).sum();
        if self.bytes + bytes > BYTES_MAX {
            self.messages.remove(&number);
            return;
        }
        self.bytes += bytes;
        let said = said.iter().map(|said| (said.role, said.text.to_owned()));
        self.messages.entry(number).or_default().said = Some(said.collect());
        self.at = Some(self.at.map_or(at, |first| first.min(at)));
    }

    /// Returns whether a message waits for its line.
    pub fn awaits(&self, number: usize) -> bool {
        let message = self.messages.get(&number);
        message.is_some_and(|message| message.said.is_none())
    }

    /// Notes a place of a message in the request.
    pub fn place(&mut self, number: usize, place: usize) {
        if let Some(message) = self.messages.get_mut(&number) {
            message.places.push(place);
        }
    }

    /// Notes that the client has said what it gives.
    pub fn tell_more(&mut self) {
        self.is_told_more = !self.is_empty();
    }
}

impl Reading<'_> {
    /// Looks again at the messages of which the record has said more since.
    pub(super) fn look_again(&mut self) {
        if !self.unsettled.is_told_more {
            return;
        }
        for (number, message) in std::mem::take(&mut self.unsettled).messages {
            let Some(said) = &message.said else {
                continue;
            };
            let said = said.iter().map(|(role, text)| Said { role: *role, text });
            let said: Vec<_> = said.collect();
            let found = self.look(&said);
            let kept = &mut self.state.messages[number];
            kept.findings = found.found;
            kept.is_cut = found.is_cut;
            let is_marked = self.state.is_marked(number);
            for place in message.places {
                let is_here = self.state.request.get(place) == Some(&Some(number));
                let at = self.marked.partition_point(|marked| *marked < place);
                match (is_here && is_marked, self.marked.get(at) == Some(&place)) {
                    (true, false) => self.marked.insert(at, place),
                    (false, true) if is_here => _ = self.marked.remove(at),
                    _ => {}
                }
            }
        }
    }
}
