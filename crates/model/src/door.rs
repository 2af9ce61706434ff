//! Doors: the ways into the server.

use crate::access::Actor;
use crate::resource::spelled;

spelled! {
    /// The way by which an actor reached the server.
    Door {
        /// The HTTP API.
        Api = "api",
        /// An agent's own requests.
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
