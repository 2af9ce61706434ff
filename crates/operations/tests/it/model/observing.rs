//! Observed chats in the reference model: what their clients tell, and what no request may do. Evidence is about turns of
//! any chat.

use ctxpin_model::evidence::Verdict;
use ctxpin_model::mode::Mode;
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::Reason;
use ctxpin_model::policy::Policy;

use super::content::Content;
use super::lifecycle::{Answer, Chat, Lifecycle, Why};

/// What a client says of the files that it read.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// No scan was awaited.
    Nothing,
    /// A scan found this head of the agent.
    Head(Content),
    /// The client names what no agent of the chat has pushed.
    Unknown,
}

impl Chat {
    /// Notes what the client read, unless the last row says the same.
    fn observe(&mut self, content: Content, is_unconfirmed: bool, why: &Why) {
        let last = self.history.last();
        let last = last.filter(|row| row.content.as_ref() == Some(&content));
        let is_noted = last.is_some_and(|row| {
            row.reason == Reason::Observe && row.is_unconfirmed == is_unconfirmed
        });
        let pinned_at = last.map_or(why.at, |row| row.pinned_at);
        if is_noted {
            return;
        }
        self.push_row(Some(content), self.agent, why);
        if let Some(row) = self.history.last_mut() {
            (row.is_unconfirmed, row.pinned_at) = (is_unconfirmed, pinned_at);
        }
    }
}

impl Chat {
    /// Moves an unconfirmed pin to the content that a row about a turn shows, and stamps the turns that began with it.
    fn show(
        &mut self,
        number: usize,
        verdict: Verdict,
        shows: &Told,
        why: &Why,
    ) -> Result<(), &'static str> {
        let Told::Head(content) = shows else {
            return Err("invalid");
        };
        if verdict != Verdict::AsPinned {
            return Err("invalid");
        }
        let (turn, pins) = (&self.turns[number], self.history.len());
        let is_unconfirmed = self.history.last().is_some_and(|row| row.is_unconfirmed);
        let is_open = self.mode == Mode::Observed && is_unconfirmed && turn.pins == pins;
        let is_stamped = turn.content.as_ref() == Some(content);
        if !is_open && is_stamped {
            return Ok(());
        }
        if !is_open || !is_stamped && !turn.rows.is_empty() {
            return Err("precondition-failed");
        }
        self.observe(content.clone(), false, why);
        if let Some(row) = self.history.last_mut() {
            row.evidence_turn = Some(number as i64 + 1);
        }
        let begun = self.turns.iter_mut();
        let begun = begun.filter(|turn| turn.pins == pins && turn.rows.is_empty());
        for turn in begun.filter(|_| !is_stamped) {
            turn.believed = turn.content.replace(content.clone());
            turn.pins = pins + 1;
        }
        Ok(())
    }
}

impl Lifecycle {
    /// Returns the refusal of a request that chooses the pin of an observed chat.
    pub(super) fn chosen(&self, chat: usize) -> Option<Answer> {
        let chat = &self.chats[chat];
        let is_observed = !chat.is_deleted && chat.mode == Mode::Observed;
        is_observed.then_some(Answer::Refused("observed-chat"))
    }

    /// Takes what the client says of an event at which it reads its files.
    pub fn start(&mut self, chat: usize, told: &Told, at: Moment) -> Answer {
        let state = &self.chats[chat];
        if state.is_deleted {
            return Answer::Refused("not-found");
        }
        let head = self.head_of(state).cloned();
        let is_settled = self.is_head_settled(state);
        let read = match told {
            Told::Nothing => head.clone(),
            Told::Head(content) => Some(content.clone()),
            Told::Unknown => return Answer::Refused("invalid"),
        };
        let why = |reason| Why::asked(reason, is_settled, at);
        let state = &mut self.chats[chat];
        if state.is_archived {
            (state.is_archived, state.updated_at) = (false, at);
        }
        match (state.mode, read) {
            (Mode::Observed, Some(content)) => {
                state.observe(content, *told == Told::Nothing, &why(Reason::Observe));
            }
            _ if state.pin().is_none() => {
                if let Some(head) = head {
                    state.move_pin(head, &why(Reason::Hydrate));
                }
            }
            _ => {}
        }
        Answer::Done
    }

    /// Takes a row of evidence about a turn, and the head that it shows.
    pub fn evidence(
        &mut self,
        chat: usize,
        number: usize,
        row: (u8, Verdict),
        shows: Option<&Told>,
        at: Moment,
    ) -> Answer {
        let is_settled = self.is_head_settled(&self.chats[chat]);
        let state = &mut self.chats[chat];
        let turn = state.turns.get(number).filter(|_| !state.is_deleted);
        let Some(turn) = turn else {
            return Answer::Refused("not-found");
        };
        let (requests, verdict) = row;
        if turn.content.is_none() != (verdict == Verdict::Unpinned) {
            return Answer::Refused("invalid");
        }
        let known = turn.rows.iter().find(|known| known.0 == requests);
        let is_new = match known {
            Some(known) if known.1 != verdict => return Answer::Refused("conflict"),
            known => known.is_none(),
        };
        if let (Some(shows), true) = (shows, is_new) {
            let why = Why::asked(Reason::Observe, is_settled, at);
            if let Err(refusal) = state.show(number, verdict, shows, &why) {
                return Answer::Refused(refusal);
            }
        }
        let turn = &mut state.turns[number];
        if is_new {
            turn.rows.push(row);
        }
        let worst = turn.rows.iter().map(|row| row.1).max();
        let verdict = worst.expect("the row is there");
        Answer::Evidence { is_new, verdict }
    }

    pub fn set_mode(&mut self, chat: usize, mode: Mode, at: Moment) -> Answer {
        let chat = &mut self.chats[chat];
        if chat.is_deleted {
            return Answer::Refused("not-found");
        }
        if chat.mode != mode {
            (chat.mode, chat.updated_at) = (mode, at);
        }
        if mode == Mode::Observed {
            chat.policy = Policy::Manual;
        }
        Answer::Done
    }

    pub fn set_parent(&mut self, chat: usize, parent: usize, at: Moment) -> Answer {
        let state = &self.chats[chat];
        if state.is_deleted {
            return Answer::Refused("not-found");
        }
        if state.parent == Some(parent) {
            return Answer::Done;
        }
        if state.mode == Mode::Delivered || state.parent.is_some() {
            return Answer::Refused("conflict");
        }
        if parent >= chat {
            return Answer::Refused("invalid");
        }
        if self.chats[parent].is_deleted {
            return Answer::Refused("not-found");
        }
        let state = &mut self.chats[chat];
        (state.parent, state.updated_at) = (Some(parent), at);
        Answer::Done
    }
}
