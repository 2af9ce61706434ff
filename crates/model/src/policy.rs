//! Policies: what a chat does by itself when its agent's head differs from its pin.

use crate::resource::spelled;

spelled! {
    /// What a chat does at a turn when its agent's head differs from its pin.
    Policy {
        /// Nothing: the pin moves only when asked.
        Manual = "manual",
        /// It takes up what is new and keeps what is pinned.
        Additive = "additive",
        /// It takes the head.
        Follow = "follow",
    }
}
