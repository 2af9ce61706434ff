//! Tools modes: where a chat's tool definitions come from.

use crate::resource::spelled;

spelled! {
    /// Where a chat's tool definitions come from.
    #[derive(Default)]
    ToolsMode {
        /// From the agent's head, since a stale tool cannot be called.
        #[default]
        Live = "live",
        /// From the pin.
        Pinned = "pinned",
    }
}

impl ToolsMode {
    /// Returns whether the pin decides which tools a model is offered. Only then do other tools in the
    /// head count as drift.
    pub fn pins_tools(self) -> bool {
        match self {
            Self::Live => false,
            Self::Pinned => true,
        }
    }
}
