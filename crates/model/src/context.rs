//! A chat's context as people look at it.

use std::sync::Arc;

use crate::chat::ChatRecord;
use crate::diff::effect::Sides;
use crate::diff::{Change, changes};
use crate::treatment::TreatedSnapshot;

/// A chat's pin and its drift, with what both sides hold.
#[derive(Debug, Clone)]
pub struct ContextView {
    /// The chat.
    pub chat: ChatRecord,
    /// What is pinned; `None` while the chat is unpinned.
    pub pinned: Option<Arc<TreatedSnapshot>>,
    /// The head of its agent; `None` without agent or head.
    pub head: Option<Arc<TreatedSnapshot>>,
    /// Whether descriptions, tools and shapes may be told: they are bodies.
    pub tells_bodies: bool,
    /// The number of the renderer that would render a prompt now.
    pub latest_renderer: i64,
}

impl ContextView {
    /// Returns what differs between the pin and the head. Empty exactly if the chat is not dirty.
    pub fn changes(&self) -> Vec<Change<'_>> {
        match (&self.pinned, &self.head) {
            (Some(pinned), Some(head)) => changes(pinned, head, self.chat.tools.pins_tools()),
            _ => Vec::new(),
        }
    }

    /// Returns the number of the renderer of the pin's prompt, or of the latest one while there is no pin.
    pub fn renderer(&self) -> i64 {
        let pin = self.chat.pin.as_ref();
        pin.map_or(self.latest_renderer, |pin| pin.pin.prompt.renderer)
    }

    /// Returns what is known of the bodies of both sides, under the renderer of the pin's prompt.
    pub fn sides(&self) -> Sides<'_> {
        Sides::of(
            self.pinned.as_deref(),
            self.head.as_deref(),
            self.renderer(),
        )
    }
}
