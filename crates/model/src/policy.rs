//! Policies: how a chat's pin moves at a turn without a request.

use crate::resource::{explained, spelled};

spelled! {
    /// How a chat's pin moves at a turn whose head differs from the pin.
    #[derive(Default)]
    Policy {
        /// The pin does not move without a request.
        #[default]
        Manual = "manual",
        /// The pin takes new resources and keeps the pinned ones.
        Additive = "additive",
        /// The pin moves to the head.
        Follow = "follow",
    }
}

/// The part of a drifted head that a policy takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uptake {
    /// The resources that the pin does not have.
    Additions,
    /// The whole head.
    Head,
}

impl Policy {
    fn meaning(self) -> &'static str {
        match self {
            Self::Manual => "never",
            Self::Additive => "takes new resources at the next turn",
            Self::Follow => "takes every change at the next turn",
        }
    }

    /// Returns a sentence about all policies, for help texts and for the API's document.
    pub fn explained() -> String {
        explained("When the pin moves by itself", Self::ALL, Self::meaning)
    }

    /// Returns the part of a drifted head that the chat takes when a turn begins. `None` means that the
    /// pin stays.
    pub fn uptake(self) -> Option<Uptake> {
        match self {
            Self::Manual => None,
            Self::Additive => Some(Uptake::Additions),
            Self::Follow => Some(Uptake::Head),
        }
    }

    /// Returns the policy of a chat after a rollback. It moves no pin, so that the next turn does not
    /// undo the rollback.
    pub fn after_rollback(self) -> Self {
        match self {
            Self::Manual | Self::Additive | Self::Follow => Self::Manual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_turn_undoes_a_rollback() {
        for policy in Policy::ALL {
            assert_eq!(policy.after_rollback().uptake(), None, "{policy}");
        }
    }
}
