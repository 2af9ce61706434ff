//! Doors: the ways into the server. A pin's history and the audit log record the door of each move and operation.

use crate::access::Actor;
use crate::resource::spelled;

spelled! {
    /// The way by which an actor reached the server.
    Door {
        /// The HTTP API, with a user's token.
        Api = "api",
        /// The web page, with a session of a user's token.
        Page = "page",
        /// The HTTP API, with an agent's token.
        Agent = "agent",
        /// Background work of the server.
        System = "system",
    }
}

impl Door {
    /// Returns the door of an actor, whose token came with the request or with a session of the web page.
    pub fn of(actor: &Actor, is_session: bool) -> Self {
        match actor {
            Actor::User { .. } if is_session => Self::Page,
            Actor::User { .. } => Self::Api,
            Actor::Agent { .. } => Self::Agent,
            Actor::System => Self::System,
        }
    }
}
