//! Doors: the ways into the server.

use crate::access::Actor;
use crate::resource::spelled;

spelled! {
    /// Through which door an actor came.
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
    /// Returns the door that an actor came through.
    pub fn of(actor: &Actor) -> Self {
        match actor {
            Actor::User { .. } => Self::Api,
            Actor::Agent { .. } => Self::Agent,
            Actor::System => Self::System,
        }
    }
}
