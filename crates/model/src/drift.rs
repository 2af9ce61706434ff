//! Drift: the difference of a chat's pin from its agent's head. It is derived and never stored.

use crate::hash::{ContextHash, ToolsHash};
use crate::moment::Moment;
use crate::tools_mode::ToolsMode;

/// The hashes of a snapshot's context and tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashes {
    pub context: ContextHash,
    pub tools: ToolsHash,
}

impl Hashes {
    /// Returns whether two snapshots are the same to a chat. Tools count only if `mode` pins them.
    pub fn same(self, other: Self, mode: ToolsMode) -> bool {
        self.context == other.context && (!mode.pins_tools() || self.tools == other.tools)
    }
}

/// The drift of a chat: its pin and its agent's head have different contexts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    /// When the workspace moved on from what the chat has. Taking a part of the changes and another head leave it as
    /// it is, and a move back brings back that of the pin. Only a head that is equal to the pin ends the drift.
    pub since: Moment,
    /// Whether a caller has declined this head to keep the pin.
    pub declined: bool,
}

/// How many pins from which the present one was composed are read to find when a drift began.
pub const PINS_READ_MAX: u32 = 64;

/// The facts from which [`drift`] is derived.
#[derive(Debug, Clone, Copy)]
pub struct DriftFacts {
    pub pinned: Hashes,
    /// When the chat got its pin. A move back to a pin is none by which the chat got it.
    pub made_at: Moment,
    pub head: Hashes,
    /// The hashes of the head that was declined last.
    pub declined: Option<Hashes>,
    /// The time at which the server received the first head that the chat has not taken whole: the one after
    /// the last head equal to the pin. If the pin is composed of parts, that is a head which was equal to the pin from
    /// which it was composed while the chat had that one, or to the pin before that, up to [`PINS_READ_MAX`].
    /// `None` if none of these was a head of the agent.
    pub first_other_at: Option<Moment>,
    pub tools: ToolsMode,
}

/// Returns the drift of a chat that has a pin and whose agent has a head. `None` if the pin and the
/// head are the same.
pub fn drift(facts: &DriftFacts) -> Option<Drift> {
    if facts.pinned.same(facts.head, facts.tools) {
        return None;
    }
    let since = facts.first_other_at.unwrap_or(facts.made_at);
    let declined = facts
        .declined
        .is_some_and(|d| d.same(facts.head, facts.tools));
    Some(Drift { since, declined })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(context: &str, tools: &str) -> Hashes {
        Hashes {
            context: ContextHash::of(context.as_bytes()),
            tools: ToolsHash::of(tools.as_bytes()),
        }
    }

    fn at(seconds: i64) -> Moment {
        Moment::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    fn facts() -> DriftFacts {
        DriftFacts {
            pinned: hashes("a", "t"),
            made_at: at(10),
            head: hashes("b", "t"),
            declined: None,
            first_other_at: Some(at(20)),
            tools: ToolsMode::Live,
        }
    }

    #[test]
    fn a_drift_begins_with_the_first_other_head_or_else_with_the_pin() {
        assert_eq!(
            drift(&facts()),
            Some(Drift {
                since: at(20),
                declined: false
            })
        );
        let early = DriftFacts {
            first_other_at: Some(at(5)),
            ..facts()
        };
        assert_eq!(drift(&early).unwrap().since, at(5));
        let never_equal = DriftFacts {
            first_other_at: None,
            ..facts()
        };
        assert_eq!(drift(&never_equal).unwrap().since, at(10));
    }

    #[test]
    fn the_same_content_is_no_drift() {
        assert_eq!(
            drift(&DriftFacts {
                head: hashes("a", "t"),
                ..facts()
            }),
            None
        );
        let tools = DriftFacts {
            head: hashes("a", "u"),
            ..facts()
        };
        assert_eq!(drift(&tools), None);
        assert!(
            drift(&DriftFacts {
                tools: ToolsMode::Pinned,
                ..tools
            })
            .is_some()
        );
    }

    #[test]
    fn a_decline_holds_until_the_head_changes() {
        let declined = DriftFacts {
            declined: Some(hashes("b", "x")),
            ..facts()
        };
        assert!(drift(&declined).unwrap().declined);
        assert!(
            !drift(&DriftFacts {
                tools: ToolsMode::Pinned,
                ..declined
            })
            .unwrap()
            .declined
        );
        assert!(
            !drift(&DriftFacts {
                head: hashes("c", "t"),
                ..declined
            })
            .unwrap()
            .declined
        );
    }
}
