//! Tools modes: the source of a chat's tool definitions.

use crate::resource::{explained, spelled};

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
    fn meaning(self) -> &'static str {
        match self {
            Self::Live => "from the agent",
            Self::Pinned => "from the pin",
        }
    }

    /// Returns a sentence about all tools modes, for help texts and for the API's document.
    pub fn explained() -> String {
        explained("Where the tools come from", Self::ALL, Self::meaning)
    }

    /// Returns whether tools come from the pin. Only then do different tools in the head count as
    /// drift.
    pub fn pins_tools(self) -> bool {
        match self {
            Self::Live => false,
            Self::Pinned => true,
        }
    }
}
