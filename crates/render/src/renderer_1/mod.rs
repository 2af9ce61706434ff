//! Renderer number 1, as far as its pins need it: how it sanitised a text. It is frozen.

pub mod sanitise;
