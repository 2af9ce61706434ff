//! Doors: the ways into the server.

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
