//! A pin, and every way in which it moves.

use crate::drift::Hashes;
use crate::hash::{BlobHash, SnapshotId};
use crate::resource::spelled;

spelled! {
    /// Why a pin moved.
    Reason {
        /// The chat was created pinned.
        Create = "create",
        /// The chat had no pin, and its agent came to have a head.
        Hydrate = "hydrate",
        /// Somebody asked for the head, or for parts of it.
        Refresh = "refresh",
        /// The chat was bound to another agent.
        Rebind = "rebind",
        /// Somebody asked for an earlier snapshot of the chat's own history.
        Rollback = "rollback",
        /// The chat took over its parent's pin.
        Inherit = "inherit",
        /// The chat's policy took the head at a turn.
        Follow = "follow",
        /// The chat's policy took up additions at a turn.
        Additive = "additive",
        /// The tools of a settled head were taken up at the first turn.
        Settle = "settle",
        /// Somebody asked for the pin to be cleared.
        Clear = "clear",
        /// Somebody asked for the prompt to be rendered by the present renderer.
        Render = "render",
    }
}

/// What a chat is pinned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its hashes.
    pub hashes: Hashes,
    /// The prompt that was rendered when the pin was made.
    pub prompt: Rendered,
}

/// A rendered prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rendered {
    /// Its hash.
    pub prompt: BlobHash,
    /// The number of the renderer that made it.
    pub renderer: i64,
}

/// Where a pin is asked to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its hashes.
    pub hashes: Hashes,
}

/// What comes of asking a pin to go to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is there already: nothing is written.
    Stay,
    /// It moves and keeps the prompt that it has, since what reaches the model is the same. So the
    /// prompt's bytes outlive an upgrade of the renderer.
    Keep(Rendered),
    /// It moves and needs the target's rendered prompt.
    Render,
}

/// Decides how a pin gets to `target`. Every move but a rollback, which restores the prompt of its
/// row of the history, is decided here.
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
