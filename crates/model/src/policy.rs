//! Policies: what a chat does by itself when its agent's head differs from its pin.

use crate::resource::spelled;

spelled! {
    /// What a chat does at a turn when its agent's head differs from its pin.
    #[derive(Default)]
    Policy {
        /// Nothing: the pin moves only when asked.
        #[default]
        Manual = "manual",
        /// It takes up what is new and keeps what is pinned.
        Additive = "additive",
        /// It takes the head.
        Follow = "follow",
    }
}

/// How much of a head that has moved on a chat takes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uptake {
    /// What the pin does not have yet.
    Additions,
    /// All of it.
    Head,
}

impl Policy {
    /// Returns how much of a drifted head a chat takes when a turn begins; `None` if its pin stays.
    pub fn uptake(self) -> Option<Uptake> {
        match self {
            Self::Manual => None,
            Self::Additive => Some(Uptake::Additions),
            Self::Follow => Some(Uptake::Head),
        }
    }

    /// Returns the policy of a chat after a rollback. The next turn must not undo what somebody went
    /// back to, so only a policy that moves no pin stays.
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
