//! The turn to which a place in a record belongs.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::record::transcript::{Row, SaidBy};

/// How many ids of prompts are known by which work was handed back, the newest ones.
const HAND_BACKS_MAX: usize = 64;

/// A turn of which a request was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    pub turn: Option<String>,
    pub is_compacted: bool,
    /// The number of the last message of before.
    pub earlier: u64,
}

/// The turn that a reading has come to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AtTurn {
    /// The client's id of it.
    pub id: Option<String>,
    /// Whether the conversation was compacted since it began.
    pub is_compacted: bool,
    /// The id of the turn before and whether that was compacted, if an aside began this one.
    before: Option<(Option<String>, bool)>,
    /// The ids of the prompts by which work was handed back.
    hand_backs: VecDeque<String>,
}

impl AtTurn {
    /// Begins a turn.
    pub fn begin(&mut self, id: Option<String>) {
        self.id = id;
        self.is_compacted = false;
        self.before = None;
    }

    /// Begins the turn of a line of Claude Code's transcript, if it is of another one. Returns whether it is.
    ///
    /// What works behind a turn hands its result back by a prompt with an id of its own, which is no turn. The client's asides
    /// before it and the results of tools behind it have the same id.
    pub fn begin_at(&mut self, row: &Row) -> bool {
        let Some(prompt) = &row.prompt else {
            return false;
        };
        let is_present = self.id.as_ref() == Some(prompt);
        match row.said_by {
            SaidBy::HandBack => {
                if let Some((id, is_compacted)) = self.before.take().filter(|_| is_present) {
                    (self.id, self.is_compacted) = (id, is_compacted);
                }
                self.hand_backs.push_back(prompt.clone());
                let surplus = self.hand_backs.len().saturating_sub(HAND_BACKS_MAX);
                self.hand_backs.drain(..surplus);
                return false;
            }
            SaidBy::Aside if self.hand_backs.contains(prompt) => return false,
            SaidBy::Aside | SaidBy::Conversation if is_present => return false,
            SaidBy::Aside | SaidBy::Conversation => {}
        }
        let before = (self.id.take(), self.is_compacted);
        self.begin(Some(prompt.clone()));
        self.before = (row.said_by == SaidBy::Aside).then_some(before);
        true
    }
}
