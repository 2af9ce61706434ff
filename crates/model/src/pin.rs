//! Pins, and the reasons and the steps of their moves.

use crate::drift::Hashes;
use crate::hash::{BlobHash, SnapshotId};
use crate::resource::spelled;

spelled! {
    /// The reason for which a pin moved.
    Reason {
        /// The chat was created pinned.
        Create = "create",
        /// The chat had no pin, and its agent got a head.
        Hydrate = "hydrate",
        /// A caller requested the head, or parts of it.
        Refresh = "refresh",
        /// The chat was bound to another agent.
        Rebind = "rebind",
        /// A caller moved the pin back to a snapshot that the chat had earlier.
        Rollback = "rollback",
        /// The chat was created with its parent's pin.
        Inherit = "inherit",
        /// The chat's policy took the head at a turn.
        Follow = "follow",
        /// The chat's policy took additions of the head at a turn.
        Additive = "additive",
        /// The first turn took the tools of a head whose MCP servers had settled.
        Settle = "settle",
        /// A caller cleared the pin.
        Clear = "clear",
        /// A caller requested the prompt of the latest renderer.
        Render = "render",
        /// The client of an observed chat read its files.
        Observe = "observe",
    }
}

/// A chat's pin: a snapshot and its rendered prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    pub snapshot: SnapshotId,
    pub hashes: Hashes,
    /// The prompt that was rendered when the pin was made.
    pub prompt: Rendered,
}

/// A rendered prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rendered {
    /// The hash of the prompt.
    pub prompt: BlobHash,
    /// The version of the renderer that rendered it.
    pub renderer: i64,
}

/// The snapshot to which a pin shall move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub snapshot: SnapshotId,
    pub hashes: Hashes,
}

/// The way in which a pin gets to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The pin is at the target already, and nothing is written.
    Stay,
    /// The pin moves and keeps its prompt, because both contexts are equal. So the prompt's bytes stay
    /// the same when the renderer is upgraded.
    Keep(Rendered),
    /// The pin moves and needs the target's prompt.
    Render,
}

/// Decides how a pin gets to `target`, for every move except a rollback, which restores the prompt of
/// a row of the history.
pub fn step(pin: Option<&Pin>, target: &Target) -> Step {
    match pin {
        Some(pin) if pin.snapshot == target.snapshot => Step::Stay,
        Some(pin) if pin.hashes.context == target.hashes.context => Step::Keep(pin.prompt),
        _ => Step::Render,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{ContextHash, ToolsHash};

    #[test]
    fn an_equal_context_keeps_its_prompt() {
        let target = |snapshot: &str, context: &str| Target {
            snapshot: SnapshotId::of(snapshot.as_bytes()),
            hashes: Hashes {
                context: ContextHash::of(context.as_bytes()),
                tools: ToolsHash::of(b""),
            },
        };
        let at = target("s", "c");
        let prompt = Rendered {
            prompt: BlobHash::of(b"prompt"),
            renderer: 1,
        };
        let pin = Pin {
            snapshot: at.snapshot,
            hashes: at.hashes,
            prompt,
        };
        assert_eq!(step(Some(&pin), &at), Step::Stay);
        assert_eq!(step(Some(&pin), &target("t", "c")), Step::Keep(prompt));
        assert_eq!(step(Some(&pin), &target("t", "d")), Step::Render);
        assert_eq!(step(None, &at), Step::Render);
    }
}
