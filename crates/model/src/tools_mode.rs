//! Tools modes: the source of a chat's tool definitions.

use crate::resource::spelled;

spelled! {
    /// The source of a chat's tool definitions.
    #[derive(Default)]
    ToolsMode {
        /// The agent's head, because a model cannot call a tool that no longer exists.
        #[default]
        Live = "live",
        /// Tools come from the pin.
        Pinned = "pinned",
    }
}

impl ToolsMode {
    /// Returns whether tools come from the pin. Only then do different tools in the head count as
    /// drift.
    pub fn pins_tools(self) -> bool {
        match self {
            Self::Live => false,
            Self::Pinned => true,
        }
    }
}
