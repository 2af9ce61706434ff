//! Tools modes: where a chat's tool definitions come from.

use crate::resource::spelled;

spelled! {
    /// Where a chat's tool definitions come from.
    ToolsMode {
        /// From the agent's head, since a stale tool cannot be called.
        Live = "live",
        /// From the pin.
        Pinned = "pinned",
    }
}
