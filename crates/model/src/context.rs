//! The view of a chat's context: its pin, its agent's head, and the changes between them.

use std::sync::Arc;

use crate::chat::ChatRecord;
use crate::diff::effect::Sides;
use crate::diff::{Change, changes};
use crate::treatment::TreatedSnapshot;

/// A chat with the snapshots of its pin and its agent's head.
#[derive(Debug, Clone)]
pub struct ContextView {
    pub chat: ChatRecord,
    /// `None` if the chat has no pin.
    pub pinned: Option<Arc<TreatedSnapshot>>,
    /// `None` if the chat has no agent, or the agent no head.
    pub head: Option<Arc<TreatedSnapshot>>,
    /// Whether the caller may read bodies, which include descriptions, tools and shapes.
    pub tells_bodies: bool,
    /// The version of the latest renderer.
    pub latest_renderer: i64,
}

impl ContextView {
    /// Returns the changes from the pin to the head. They are empty exactly if the chat has not drifted.
    pub fn changes(&self) -> Vec<Change<'_>> {
        match (&self.pinned, &self.head) {
            (Some(pinned), Some(head)) => changes(pinned, head, self.chat.tools.pins_tools()),
            _ => Vec::new(),
        }
    }

    /// Returns the version of the renderer of the pin's prompt, or the latest one without a pin.
    pub fn renderer(&self) -> i64 {
        let pin = self.chat.pin.as_ref();
        pin.map_or(self.latest_renderer, |pin| pin.pin.prompt.renderer)
    }

    /// Returns the treatments of both snapshots by the renderer of the pin's prompt.
    pub fn sides(&self) -> Sides<'_> {
        Sides::of(
            self.pinned.as_deref(),
            self.head.as_deref(),
            self.renderer(),
            self.chat.mode,
        )
    }
}
