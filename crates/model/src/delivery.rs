//! Deliveries: how the context of a turn reached the model.

use crate::resource::spelled;

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
