//! The first renderer, as far as its pins need it: how it treated a text. Frozen.

pub mod sanitise;
