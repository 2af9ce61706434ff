//! Deliveries: how the context of a turn reached the model.

use crate::resource::{explained, spelled};

spelled! {
    /// How the context of a turn reached the model.
    #[derive(Default)]
    Delivery {
        /// The model got exactly the pin, from ctxpin.
        #[default]
        Delivered = "delivered",
        /// The client read the workspace itself, and ctxpin only recorded the turn.
        Observed = "observed",
    }
}

impl Delivery {
    fn meaning(self) -> &'static str {
        match self {
            Self::Delivered => "from ctxpin exactly as pinned",
            Self::Observed => "from the workspace while ctxpin only records the turn",
        }
    }

    /// Returns a sentence about all deliveries, for the API's document.
    pub fn explained() -> String {
        explained(
            "How the model gets the context of a turn",
            Self::ALL,
            Self::meaning,
        )
    }
}
