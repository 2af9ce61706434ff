//! The drift of chats in the reference model.

use ctxpin_model::drift::PINS_READ_MAX;
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::Reason;

use super::lifecycle::{Chat, Lifecycle};

/// The difference between a chat's pin and its agent's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    pub since: Moment,
    pub is_declined: bool,
}

impl Chat {
    /// Returns by which row the chat got its pin, and when. A move back takes a pin that the chat got before.
    fn made(&self) -> Option<(usize, Moment)> {
        let pin = self.history.last()?;
        let made_by = self
            .history
            .iter()
            .rposition(|row| row.content == pin.content && row.reason != Reason::Rollback)?;
        let made_at = match pin.reason {
            Reason::Rollback => self.history[made_by].at,
            _ => pin.pinned_at,
        };
        Some((made_by, made_at))
    }
}

impl Lifecycle {
    /// Returns the expected drift of a chat.
    pub fn drift_of(&self, chat: &Chat) -> Option<Drift> {
        let (pin, head) = (chat.pin()?, self.head_of(chat)?);
        if pin.same(head, chat.tools) {
            return None;
        }
        let (made, made_at) = chat.made()?;
        let heads = &self.agents[chat.agent?].heads;
        let pins = chat.history[..=made].iter().rev();
        let pins = pins.take(1 + PINS_READ_MAX as usize);
        let last_equal = pins
            .filter_map(|pin| pin.content.as_ref())
            .find_map(|pin| heads.iter().rposition(|(old, _)| old.same(pin, chat.tools)));
        let next = last_equal.and_then(|at| heads.get(at + 1));
        let since = next.map_or(made_at, |(_, received_at)| *received_at);
        let declined = chat.declined.as_ref();
        let is_declined = declined.is_some_and(|declined| declined.same(head, chat.tools));
        Some(Drift { since, is_declined })
    }
}
