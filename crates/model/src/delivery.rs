//! Deliveries: how the context of a turn reached the model.

use crate::resource::spelled;

spelled! {
    /// How the context of a turn reached the model.
    #[derive(Default)]
    Delivery {
        /// From ctxpin, by the pin and nothing else.
        #[default]
        Delivered = "delivered",
        /// The client read the workspace by itself; ctxpin only observed.
        Observed = "observed",
    }
}
