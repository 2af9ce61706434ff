//! Watching and scanning one project.

mod debounce;
pub(crate) mod scanner;
