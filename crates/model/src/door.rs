//! Doors: the ways into the server. A pin's history records the door of each move.

use crate::access::Actor;
use crate::resource::spelled;

spelled! {
    /// The way by which an actor reached the server.
    Door {
        /// The HTTP API, with a user's token.
        Api = "api",
        /// The HTTP API, with an agent's token.
        Agent = "agent",
        /// Background work of the server.
        System = "system",
    }
}

impl Door {
    /// Returns the door of an actor.
    pub fn of(actor: &Actor) -> Self {
        match actor {
            Actor::User { .. } => Self::Api,
            Actor::Agent { .. } => Self::Agent,
            Actor::System => Self::System,
        }
    }
}
