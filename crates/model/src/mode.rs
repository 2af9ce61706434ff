//! Modes: whether a chat's pin decides what a model gets, or records what the chat's client read.

use crate::delivery::Delivery;
use crate::policy::Policy;
use crate::resource::{explained, spelled};

spelled! {
    /// Whether a chat's pin decides what a model gets, or records what the chat's client read.
    #[derive(Default)]
    Mode {
        /// The pin is a decision, and ctxpin delivers it.
        #[default]
        Delivered = "delivered",
        /// The client reads its files itself, and the pin records them.
        Observed = "observed",
    }
}

impl Mode {
    fn meaning(self) -> &'static str {
        match self {
            Self::Delivered => "the pin, which ctxpin delivers",
            Self::Observed => "the client, which reads its files itself while the pin records them",
        }
    }

    /// Returns a sentence about all modes, for help texts and for the API's document.
    pub fn explained() -> String {
        explained("What decides what the model gets", Self::ALL, Self::meaning)
    }

    /// Returns whether the pin records what the client read. No request chooses the pin then.
    pub fn is_observed(self) -> bool {
        match self {
            Self::Delivered => false,
            Self::Observed => true,
        }
    }

    /// Returns how the context of a turn reaches the model if the turn does not say it.
    pub fn delivery(self) -> Delivery {
        match self {
            Self::Delivered => Delivery::Delivered,
            Self::Observed => Delivery::Observed,
        }
    }

    /// Returns whether a chat of this mode may have the policy. No policy moves the pin of an observed chat.
    pub fn allows(self, policy: Policy) -> bool {
        !self.is_observed() || policy.uptake().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_policy_moves_what_a_client_read() {
        for policy in Policy::ALL {
            assert!(Mode::Delivered.allows(*policy));
            assert_eq!(Mode::Observed.allows(*policy), *policy == Policy::Manual);
        }
    }
}
