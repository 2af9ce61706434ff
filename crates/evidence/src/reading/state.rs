//! What is kept of a reading, and what follows from it.

use ctxpin_model::evidence::Source;

use super::{FINDINGS_MAX, Message, State};
use crate::known::Known;
use crate::record::LineCounts;
use crate::turn::Begun;

impl State {
    /// Returns where the next reading begins, in bytes.
    pub fn offset(&self) -> u64 {
        self.from
    }

    /// Returns how many bytes were read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns whether a request waits for the line that says what it was for. [`Reading::end_turn`] tells it.
    pub fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// Returns the id of the session that the record names, if it names one.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Returns how many lines were read.
    pub fn lines(&self) -> LineCounts {
        self.lines
    }

    /// Returns whether all numbers name a message, or something that is known.
    pub(super) fn is_sound(&self, known: &Known) -> bool {
        let count = self.messages.len();
        let messages = self.messages.iter().enumerate();
        let mut messages = messages.map(|(index, message)| {
            let mut findings = message.findings.iter();
            message.before.is_none_or(|before| before < index)
                && findings.all(|finding| finding.what.is_of(known))
        });
        let mut named = (self.request.iter().flatten())
            .chain(&self.system)
            .chain(&self.unsettled.numbers);
        let is_waiting = self.pending.as_ref();
        messages.all(|is_sound| is_sound)
            && named.all(|message| *message < count)
            && is_waiting.is_none_or(|pending| pending.messages <= self.request.len())
            && self.from <= self.position
    }

    /// Returns the number of the last message of before the turn of a request, which has so many messages that are known. The
    /// first request of a turn has nothing of it but the prompt. A plugin hands over no prompt, and behind a compaction the
    /// conversation is another one.
    pub(super) fn earlier(
        &mut self,
        turn: &Option<String>,
        is_compacted: bool,
        messages: usize,
    ) -> u64 {
        let begun = self
            .begun
            .take()
            .filter(|begun| begun.turn == *turn && begun.is_compacted == is_compacted);
        let begun = begun.unwrap_or_else(|| {
            let is_answer = |message: &Option<usize>| {
                message.is_some_and(|message| self.messages[message].is_answer)
            };
            let earlier = match self.source {
                Source::Transcript | Source::Rollout if !is_compacted => {
                    let answered = self.request[..messages].iter().rposition(is_answer);
                    answered.map_or(0, |answered| answered + 1)
                }
                Source::Transcript | Source::Rollout | Source::Plugin => messages,
            };
            Begun {
                turn: turn.clone(),
                is_compacted,
                earlier: (self.unknown + earlier) as u64,
            }
        });
        let earlier = begun.earlier;
        self.begun = Some(begun);
        earlier
    }

    /// Returns whether a message has findings.
    pub(super) fn is_marked(&self, message: usize) -> bool {
        self.marked_at(message).is_some()
    }

    /// Returns the last line of a message up to this one that has findings.
    pub(super) fn marked_at(&self, message: usize) -> Option<usize> {
        let line = &self.messages[message];
        match line.findings.is_empty() && !line.is_cut {
            true => line.before,
            false => Some(message),
        }
    }

    /// Returns the lines of a message that have findings, in their order.
    pub(super) fn lines_of(&self, message: usize) -> Vec<&Message> {
        let mut lines = Vec::new();
        let mut next = self.marked_at(message);
        let mut count = 0;
        while let Some(line) = next.filter(|_| count <= FINDINGS_MAX) {
            let line = &self.messages[line];
            count += line.findings.len().max(1);
            lines.push(line);
            next = line.before;
        }
        lines.reverse();
        lines
    }
}
