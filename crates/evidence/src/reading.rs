//! Reads a record from where an earlier reading ended, and says for each request what was found in it.
//!
//! What a reading keeps of a message is its hash, and what was found in it. So it goes on in another process with a
//! [`State`] that holds no text.

mod state;
mod unsettled;

use std::collections::HashMap;
use std::io::{self, BufRead};

use ctxpin_model::client_version::ClientVersion;
use ctxpin_model::evidence::{Gap, Source};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::findings::{Finding, Findings, look};
use crate::known::Known;
use crate::own::Own;
use crate::record::transcript::{Due, Hash, Row, Run, SaidBy};
use crate::record::{Line, Lines, Role, Said, plugin, rollout, transcript};
use crate::spelled;
use crate::turn::{AtTurn, Begun};
use crate::used::Names;

use unsettled::Unsettled;

pub use crate::record::LineCounts;
pub use crate::record::rollout::{Parent, parent, reviewed};
pub use crate::request::{Found, Request};

/// The greatest number of messages of one record that are kept. What refers to more is not whole.
const MESSAGES_MAX: usize = 200_000;

/// The greatest number of findings in one request.
const FINDINGS_MAX: usize = 4_096;

/// The version of the form of a state.
const STATE_VERSION: u32 = 12;

/// What a reading keeps between two calls, which holds no text of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    #[serde(with = "spelled")]
    source: Source,
    /// The hash of the known texts that the findings are about.
    known: String,
    /// The id of the session, as the record gives it.
    session: Option<String>,
    /// The version of the client, as the record named it last.
    #[serde(with = "spelled::option")]
    client_version: Option<ClientVersion>,
    /// How many bytes were read.
    position: u64,
    /// Where the reading goes on: the beginning of a message that may not be complete, or else the position.
    from: u64,
    messages: Vec<Message>,
    /// What the client of a transcript has given.
    own: Own,
    /// What is used, by the client of a transcript.
    names: Names,
    /// The messages that are looked at again when their lines are read again.
    unsettled: unsettled::Kept,
    /// How many of the first messages of the last request are unknown, because the request that it goes on from is.
    unknown: usize,
    /// The messages of the last request behind these, and those since. `None` is one that the record does not hold.
    request: Vec<Option<usize>>,
    /// The message with the system prompt of the last request.
    system: Option<usize>,
    /// The id of the last request.
    last: Option<String>,
    requests: u64,
    turn: AtTurn,
    /// The turn of the last request, and what it began with.
    begun: Option<Begun>,
    /// Whether the record was broken before the next request.
    is_broken: bool,
    /// Whether a message was not the one whose hash the record states.
    is_changed: bool,
    /// Whether a request was told since the record was broken or a message changed.
    is_fault_told: bool,
    is_parent_missing: bool,
    /// Whether a message was not kept, because there are as many as are.
    is_full: bool,
    /// Whether the last item was made by the model.
    is_answering: bool,
    /// What is due in the requests of a rollout, by the first session that it names.
    due: Option<Due>,
    /// Whether a review has begun, of which the record has no request.
    is_reviewing: bool,
    pending: Option<Pending>,
    lines: LineCounts,
}

/// A message of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Message {
    hash: Option<String>,
    findings: Vec<Finding>,
    /// Whether there were more findings than are kept.
    is_cut: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_answer: bool,
    /// The nearest line of the same message that has findings, if several lines make a message.
    before: Option<usize>,
}

/// A request, until it is clear what it was for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    id: String,
    turn: Option<String>,
    /// When it was made, if a prompt of before may follow in the record.
    at: Option<String>,
    is_compacted: bool,
    due: Due,
    messages: usize,
    #[serde(with = "spelled::list")]
    gaps: Vec<Gap>,
}

/// The error of a state that is of no use for the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnusableState {
    /// Another release wrote it, or something changed it.
    #[error(
        "another release wrote the state, or it was changed; read the record from its beginning"
    )]
    Version,
    /// Its findings are about other texts, because the chat has another pin or head since.
    #[error("the known texts are others since; read the record from its beginning")]
    Known,
}

/// A record that is being read.
pub struct Reading<'k> {
    known: &'k Known,
    state: State,
    lines: Lines,
    /// The messages by their hash.
    held: HashMap<Hash, usize>,
    /// The places in the request that have findings.
    marked: Vec<usize>,
    /// How many messages of the request the record does not hold.
    missing: usize,
    run: Option<Run>,
    /// The last line of the run that was kept.
    run_last: Option<usize>,
    /// Where the first line of the run begins, in bytes.
    run_at: u64,
    unsettled: Unsettled,
    is_parent: bool,
    /// The number of elementary steps.
    steps: u64,
}

impl<'k> Reading<'k> {
    /// Begins with a record.
    pub fn new(known: &'k Known, source: Source) -> Self {
        let state = State {
            version: STATE_VERSION,
            source,
            known: hex::encode(known.digest()),
            session: None,
            client_version: None,
            position: 0,
            from: 0,
            messages: Vec::new(),
            own: Own::default(),
            names: Names::default(),
            unsettled: unsettled::Kept::default(),
            unknown: 0,
            request: Vec::new(),
            system: None,
            last: None,
            requests: 0,
            turn: AtTurn::default(),
            begun: None,
            is_broken: false,
            is_changed: false,
            is_fault_told: false,
            is_parent_missing: false,
            is_full: false,
            is_answering: false,
            due: None,
            is_reviewing: false,
            pending: None,
            lines: LineCounts::default(),
        };
        Self::of(known, state)
    }

    /// Goes on from a state.
    ///
    /// # Errors
    ///
    /// Fails if another release wrote the state, or if the known texts are others than those that it is about.
    pub fn resume(known: &'k Known, state: State) -> Result<Self, UnusableState> {
        if state.version != STATE_VERSION {
            return Err(UnusableState::Version);
        }
        if state.known != hex::encode(known.digest()) {
            return Err(UnusableState::Known);
        }
        if !state.is_sound(known) {
            return Err(UnusableState::Version);
        }
        Ok(Self::of(known, state))
    }

    fn of(known: &'k Known, state: State) -> Self {
        let mut reading = Self {
            known,
            lines: Lines::default(),
            held: HashMap::new(),
            marked: Vec::new(),
            missing: 0,
            run: None,
            run_last: None,
            run_at: 0,
            unsettled: Unsettled::of(&state.unsettled),
            is_parent: false,
            steps: 0,
            state,
        };
        for (index, message) in reading.state.messages.iter().enumerate() {
            let mut hash = Hash::default();
            let text = message.hash.as_deref().unwrap_or_default();
            if hex::decode_to_slice(text, &mut hash).is_ok() {
                reading.held.insert(hash, index);
            }
        }
        for message in std::mem::take(&mut reading.state.request) {
            reading.push(message);
        }
        reading
    }

    /// Returns what to keep until the next reading.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns the number of elementary steps so far, which is at most proportional to the bytes read.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Reads what a forked session goes on from. `record` is the record of the other session, and has as many bytes
    /// as [`Parent`] says. The requests there are not told. Read the forked session's own record afterwards.
    ///
    /// # Errors
    ///
    /// Fails if the record cannot be read.
    pub fn read_parent(&mut self, record: &mut impl BufRead) -> io::Result<()> {
        self.is_parent = true;
        let read = self.read(record, &mut |_| ());
        self.is_parent = false;
        self.state.position = 0;
        self.state.from = 0;
        self.state.pending = None;
        self.state.is_answering = false;
        self.unsettled = Unsettled::default();
        read
    }

    /// Reads all lines that are complete, and calls `told` with each request. `record` begins at [`State::offset`].
    ///
    /// # Errors
    ///
    /// Fails if the record cannot be read. What was read before counts.
    pub fn read(
        &mut self,
        record: &mut impl BufRead,
        told: &mut impl FnMut(&Request<'_>),
    ) -> io::Result<()> {
        let known_until = self.state.position;
        let mut at = self.state.from;
        let mut lines = std::mem::take(&mut self.lines);
        let read = loop {
            match lines.next(record) {
                Err(error) => break Err(error),
                Ok(None) => break Ok(()),
                Ok(Some((line, length))) => {
                    let place = Place { at, length };
                    self.steps += length;
                    match at < known_until {
                        true => self.take_again(&line, place),
                        false => self.take(&line, place, told),
                    }
                    at += length;
                }
            }
        };
        self.lines = lines;
        self.state.unsettled = self.unsettled.kept();
        read
    }

    /// Tells the last request of a record whose client says that the turn has ended. Otherwise a rollout does not show
    /// yet what its last request was for.
    pub fn end_turn(&mut self, told: &mut impl FnMut(&Request<'_>)) {
        self.flush(None, told);
        self.state.unsettled = self.unsettled.kept();
    }

    /// Takes a line that an earlier reading took already, to go on with the hash of its message, or to look at it again.
    fn take_again(&mut self, line: &Line<'_>, place: Place) {
        use transcript::Entry;
        let Line::Bytes(line) = line else {
            return;
        };
        match transcript::entry(line) {
            Some(Entry::Row(row)) => {
                let hash = self.run_hash(&row, place);
                self.run_last = hash.and_then(|hash| self.held.get(&hash).copied());
            }
            Some(Entry::Sent { hash, value, .. }) => {
                let held = self.held.get(&hash).copied();
                if let Some(number) = held.filter(|number| self.unsettled.awaits(*number)) {
                    self.unsettled
                        .add(number, place.at, &transcript::said(&value));
                }
            }
            _ => {}
        }
    }

    fn take(&mut self, line: &Line<'_>, place: Place, told: &mut impl FnMut(&Request<'_>)) {
        self.state.position = place.at + place.length;
        self.state.lines.read += 1;
        let is_sound = match (line, self.state.source) {
            (Line::TooLong, _) => false,
            (Line::Bytes(line), _) if line.iter().all(u8::is_ascii_whitespace) => true,
            (Line::Bytes(line), Source::Transcript) => self.take_transcript(line, place, told),
            (Line::Bytes(line), Source::Rollout) => self.take_rollout(line, place, told),
            (Line::Bytes(line), Source::Plugin) => self.take_plugin(line, told),
        };
        if !is_sound {
            self.state.lines.broken += 1;
            self.state.is_broken = true;
            self.state.is_fault_told = false;
        }
        let run_at = self.run.is_some().then_some(self.run_at);
        let begins = run_at.into_iter().chain(self.unsettled.at());
        self.state.from = begins.min().unwrap_or(self.state.position);
    }

    fn take_transcript(
        &mut self,
        line: &[u8],
        place: Place,
        told: &mut impl FnMut(&Request<'_>),
    ) -> bool {
        use transcript::Entry;
        match transcript::entry(line) {
            None => return false,
            Some(Entry::Other) => self.state.lines.passed_over += 1,
            Some(Entry::Given(given)) => {
                self.state.own.give(self.known, &given);
                self.unsettled.tell_more();
            }
            Some(Entry::Boundary) => {
                self.flush(None, told);
                self.unsettled = Unsettled::default();
                self.run = None;
                self.state.turn.is_compacted = true;
            }
            Some(Entry::Sent {
                hash,
                is_true,
                value,
            }) => {
                if is_true {
                    self.keep_sent(hash, &transcript::said(&value), place);
                } else {
                    self.state.is_changed = true;
                    self.state.is_fault_told = false;
                }
            }
            Some(Entry::Row(mut row)) => {
                row.is_skill &= self.state.names.is_skill(self.known, &row);
                if !self.settle(&row) {
                    self.flush(None, told);
                }
                self.state.is_answering = row.role == "assistant";
                if self.state.is_answering {
                    self.unsettled = Unsettled::default();
                }
                if self.state.turn.begin_at(&row) {
                    self.leave_faults();
                }
                let hash = self.run_hash(&row, place);
                let before = self.run_last.and_then(|last| self.state.marked_at(last));
                let said = transcript::said_in_row(&row);
                self.state.own.note(self.known, &row, &said);
                let kept = self.keep(hash, &said, before);
                // A resumed reading finds a line again by its hash alone.
                self.run_last = hash.and(kept);
            }
            Some(Entry::Request(request)) => self.take_request(request, told),
        }
        true
    }

    /// Returns whether a row was made before the request that waits, and gives the request to its prompt. The terminal
    /// interface of Claude Code 2.1.307 and 2.1.332 may write the prompt later than its first request.
    fn settle(&mut self, row: &transcript::Row) -> bool {
        let Some(pending) = &mut self.state.pending else {
            return false;
        };
        let is_before = row.role == "user" && row.at.is_some() && row.at <= pending.at;
        if let Some(prompt) = &row.prompt
            && is_before
            && row.said_by == SaidBy::Conversation
            && pending.turn.as_ref() != Some(prompt)
        {
            pending.turn = Some(prompt.clone());
            pending.is_compacted = false;
        }
        is_before
    }

    /// Leaves faults to the turn before. One between two turns may be of either, and the turn before has its row.
    fn leave_faults(&mut self) {
        if self.state.is_fault_told {
            self.state.is_broken = false;
            self.state.is_changed = false;
        }
    }

    /// Returns the hash of the message that a line goes on with.
    fn run_hash(&mut self, row: &Row, place: Place) -> Option<Hash> {
        if !self.run.as_ref().is_some_and(|run| run.takes(row)) {
            self.run = Some(Run::of(row));
            self.run_last = None;
            self.run_at = place.at;
        }
        self.run.as_mut()?.add(row)
    }

    fn take_request(&mut self, request: transcript::Request, told: &mut impl FnMut(&Request<'_>)) {
        self.flush(None, told);
        let mut gaps = Vec::new();
        // A request keeps messages of the one that it names, which is the one before.
        let is_next = request.base.is_none() || request.base == self.state.last;
        let known = request.keep.checked_sub(self.state.unknown);
        match known.filter(|known| is_next && *known <= self.state.request.len()) {
            Some(known) => self.shorten(known),
            None => {
                self.shorten(0);
                self.state.unknown = request.keep;
            }
        }
        for hash in &request.tail {
            let message = self.held.get(hash).copied();
            self.push(message);
        }
        let system = request.shape.and_then(|hash| self.held.get(&hash).copied());
        self.state.system = system;
        if system.is_none() {
            gaps.push(Gap::NotHeld);
        }
        if request.is_cut {
            gaps.push(Gap::Cut);
        }
        self.state.last = Some(request.id.clone());
        self.state.session = request.session;
        self.state.client_version = request.client_version;
        let turn = self.state.turn.id.clone();
        // Behind an answer, the prompt may be still to come, and the client's word of a text that was sent.
        let is_unclear = self.state.is_answering || turn.is_none() || !self.unsettled.is_empty();
        let is_waiting = request.at.is_some() && is_unclear;
        let pending = Pending {
            id: request.id,
            turn,
            at: request.at,
            is_compacted: self.state.turn.is_compacted,
            due: request.due,
            messages: self.state.request.len(),
            gaps,
        };
        match is_waiting {
            true => self.state.pending = Some(pending),
            false => self.tell(pending, told),
        }
    }

    fn take_rollout(
        &mut self,
        line: &[u8],
        place: Place,
        told: &mut impl FnMut(&Request<'_>),
    ) -> bool {
        use rollout::Entry;
        let Some(entry) = rollout::entry(line) else {
            return false;
        };
        match entry {
            Entry::Other => self.state.lines.passed_over += 1,
            Entry::Session(session) => {
                let is_read = !self.state.request.is_empty();
                self.state.is_parent_missing |= session.parent.is_some() && !is_read;
                if !self.is_parent {
                    self.state.due.get_or_insert(session.due);
                }
                self.state.system = self.keep(None, &session.said(), None);
                self.state.session = session.id;
                self.state.client_version = session.client_version;
            }
            Entry::Review => {
                self.flush(None, told);
                self.state.is_reviewing = true;
            }
            Entry::Turn(turn) => self.begin_rollout_turn(turn, told),
            Entry::TurnContext(turn) => {
                self.state.is_reviewing = false;
                self.begin_rollout_turn(turn, told);
            }
            Entry::TurnEnd => {
                self.flush(None, told);
                self.state.is_answering = false;
                self.state.is_reviewing = false;
            }
            Entry::Compacted(items) => {
                self.flush(Some(Gap::Compaction), told);
                self.shorten(0);
                self.state.turn.is_compacted = true;
                self.state.is_broken = false;
                self.state.is_parent_missing = false;
                for item in items {
                    let message = self.keep(None, &item.said(), None);
                    self.push(message);
                }
            }
            Entry::Item(item) => {
                if item.is_answer && self.state.is_reviewing {
                    self.flush(None, told);
                } else if item.is_answer && !self.state.is_answering {
                    self.flush(None, told);
                    let id = self.state.session.clone().unwrap_or_default();
                    self.state.pending = Some(Pending {
                        id: format!("{id}:{}", place.at),
                        turn: self.state.turn.id.clone(),
                        at: None,
                        is_compacted: self.state.turn.is_compacted,
                        due: self.state.due.unwrap_or_default(),
                        messages: self.state.request.len(),
                        gaps: Vec::from_iter(
                            self.state.is_parent_missing.then_some(Gap::ParentNotRead),
                        ),
                    });
                } else if !item.is_answer {
                    self.flush(None, told);
                }
                self.state.is_answering = item.is_answer;
                if item.is_summary {
                    self.flush(Some(Gap::Compaction), told);
                }
                let message = self.keep(None, &item.said(), None);
                self.push(message);
            }
        }
        true
    }

    fn begin_rollout_turn(&mut self, turn: Option<String>, told: &mut impl FnMut(&Request<'_>)) {
        self.flush(None, told);
        self.state.is_answering = false;
        if turn.is_some() && turn != self.state.turn.id {
            self.state.turn.begin(turn);
        }
    }

    /// Tells the request that was waiting for what follows it.
    fn flush(&mut self, gap: Option<Gap>, told: &mut impl FnMut(&Request<'_>)) {
        if let Some(mut pending) = self.state.pending.take() {
            pending.gaps.extend(gap);
            self.tell(pending, told);
        }
    }

    fn take_plugin(&mut self, line: &[u8], told: &mut impl FnMut(&Request<'_>)) -> bool {
        use plugin::Entry;
        match plugin::entry(line) {
            None => return false,
            Some(Entry::Other) => self.state.lines.passed_over += 1,
            Some(Entry::System(system)) => {
                if system.turn != self.state.turn.id {
                    self.state.turn.begin(system.turn.clone());
                    self.leave_faults();
                }
                self.state.session = system.session;
                self.state.client_version = system.client_version;
                let said = plugin::said(&system.texts, Role::Instruction);
                self.state.system = self.keep(None, &said, None);
                self.shorten(0);
                for added in &system.added {
                    let said = plugin::said(std::slice::from_ref(added), Role::Tool);
                    let message = self.keep(None, &said, None);
                    self.push(message);
                }
                let messages = self.state.request.len();
                let (id, turn) = (system.request, system.turn);
                let mut gaps = Vec::from_iter(system.is_cut.then_some(Gap::TooMuch));
                gaps.extend(system.is_behind_others.then_some(Gap::NotHeld));
                self.tell(
                    Pending {
                        id,
                        turn,
                        at: None,
                        is_compacted: self.state.turn.is_compacted,
                        due: system.due,
                        messages,
                        gaps,
                    },
                    told,
                );
            }
        }
        true
    }

    /// Keeps a message as it was sent. If it can have a text of the client, a later line may say so.
    fn keep_sent(&mut self, hash: Hash, said: &[Said<'_>], place: Place) {
        if !self.held.contains_key(&hash)
            && let Some((number, true)) = self.add(Some(hash), said, None)
        {
            self.unsettled.add(number, place.at, said);
        }
    }

    /// Keeps a message, and returns its number. `before` is the last line of the same message with findings.
    fn keep(
        &mut self,
        hash: Option<Hash>,
        said: &[Said<'_>],
        before: Option<usize>,
    ) -> Option<usize> {
        if let Some(held) = hash.and_then(|hash| self.held.get(&hash)) {
            return Some(*held);
        }
        self.add(hash, said, before).map(|(number, _)| number)
    }

    /// Adds a message that is not held. Returns its number, and whether a later line may say that a text is the client's.
    fn add(
        &mut self,
        hash: Option<Hash>,
        said: &[Said<'_>],
        before: Option<usize>,
    ) -> Option<(usize, bool)> {
        if self.state.messages.len() >= MESSAGES_MAX {
            self.state.is_full = true;
            return None;
        }
        let found = self.look(said);
        let index = self.state.messages.len();
        self.held.extend(hash.map(|hash| (hash, index)));
        self.state.messages.push(Message {
            hash: hash.map(hex::encode),
            findings: found.found,
            is_cut: found.is_cut,
            is_answer: said.iter().any(|said| said.role == Role::Assistant),
            before,
        });
        Some((index, found.is_unexplained))
    }

    fn look(&mut self, said: &[Said<'_>]) -> Findings {
        let client = self.state.source.profile();
        let found = look(self.known, client, said, &self.state.own);
        self.steps += found.steps;
        found
    }

    fn push(&mut self, message: Option<usize>) {
        let place = self.state.request.len();
        match message {
            None => self.missing += 1,
            Some(message) if self.state.is_marked(message) => self.marked.push(place),
            Some(_) => {}
        }
        if let Some(message) = message {
            self.unsettled.place(message, place);
        }
        self.state.request.push(message);
    }

    /// Leaves the first messages of the request.
    fn shorten(&mut self, length: usize) {
        for message in self.state.request.drain(length..) {
            self.missing -= usize::from(message.is_none());
        }
        while self.marked.last().is_some_and(|place| *place >= length) {
            self.marked.pop();
        }
    }

    fn tell(&mut self, pending: Pending, told: &mut impl FnMut(&Request<'_>)) {
        self.look_again();
        if self.is_parent {
            return;
        }
        self.state.requests += 1;
        let mut gaps = pending.gaps;
        if self.state.is_broken {
            gaps.push(Gap::BrokenLine);
        }
        if self.state.is_changed {
            gaps.push(Gap::Changed);
        }
        self.state.is_fault_told = true;
        if self.missing > 0 || self.state.unknown > 0 {
            gaps.push(Gap::NotHeld);
        }
        let earlier = self
            .state
            .earlier(&pending.turn, pending.is_compacted, pending.messages);
        let mut found = Vec::new();
        let mut is_cut = false;
        let system = self.state.system.map(|system| (0, system));
        let number = |place: usize| self.state.unknown as u64 + place as u64 + 1;
        let marked = self
            .marked
            .iter()
            .filter(|place| **place < pending.messages);
        let marked = marked.filter_map(|place| Some((number(*place), self.state.request[*place]?)));
        for (number, message) in system.into_iter().chain(marked) {
            self.steps += 1;
            for message in self.state.lines_of(message) {
                is_cut |= message.is_cut;
                let findings = message.findings.iter();
                found.extend(findings.map(|finding| Found {
                    message: number,
                    finding,
                }));
            }
            is_cut |= found.len() > FINDINGS_MAX;
            if is_cut {
                break;
            }
        }
        self.steps += found.len() as u64;
        if is_cut || self.state.is_full {
            gaps.push(Gap::TooMuch);
        }
        found.truncate(FINDINGS_MAX);
        gaps.sort_unstable();
        gaps.dedup();
        told(&Request {
            number: self.state.requests,
            id: hex::encode(Sha256::digest(&pending.id)),
            turn: pending.turn.as_deref(),
            client_version: self.state.client_version,
            is_compacted: pending.is_compacted,
            due: pending.due,
            gaps,
            earlier,
            found,
        });
    }
}

/// The place of a line in its record.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    length: u64,
}
