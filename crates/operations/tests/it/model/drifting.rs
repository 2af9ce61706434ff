//! The drift of chats in the reference model.

use ctxpin_model::drift::PINS_READ_MAX;
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::Reason;

use super::content::Content;
use super::lifecycle::{Chat, Lifecycle};

/// The difference between a chat's pin and its agent's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    pub since: Moment,
    pub is_declined: bool,
}

impl Chat {
    /// Returns the number of the row by which the chat got the pin of a row. A move back takes a pin that the chat got
    /// before.
    fn made(&self, row: usize) -> Option<usize> {
        let content = &self.history.get(row)?.content;
        self.history[..=row]
            .iter()
            .rposition(|row| row.content == *content && row.reason != Reason::Rollback)
    }

    /// Returns the number of the last head of which the chat had everything.
    fn had_whole(&self, heads: &[(Content, Moment)]) -> Option<usize> {
        let equal = |pin: &Content, until: Option<Moment>| {
            heads.iter().rposition(|(head, at)| {
                head.same(pin, self.tools) && until.is_none_or(|until| *at <= until)
            })
        };
        if let Some(head) = equal(self.pin()?, None) {
            return Some(head);
        }
        let mut composed = self.made(self.history.len() - 1)?;
        for _ in 0..PINS_READ_MAX {
            let base = self.made(composed.checked_sub(1)?)?;
            let pin = self.history[base].content.as_ref()?;
            if let Some(head) = equal(pin, Some(self.history[composed].at)) {
                return Some(head);
            }
            composed = base;
        }
        None
    }
}

impl Lifecycle {
    /// Returns the expected drift of a chat.
    pub fn drift_of(&self, chat: &Chat) -> Option<Drift> {
        let (pin, head) = (chat.pin()?, self.head_of(chat)?);
        if pin.same(head, chat.tools) {
            return None;
        }
        let row = chat.history.last()?;
        let made_at = match row.reason {
            Reason::Rollback => chat.history[chat.made(chat.history.len() - 1)?].at,
            _ => row.pinned_at,
        };
        let heads = &self.agents[chat.agent?].heads;
        let next = chat.had_whole(heads).and_then(|at| heads.get(at + 1));
        let since = next.map_or(made_at, |(_, received_at)| *received_at);
        let declined = chat.declined.as_ref();
        let is_declined = declined.is_some_and(|declined| declined.same(head, chat.tools));
        Some(Drift { since, is_declined })
    }
}
