//! The Unix socket through which a running agent is asked: where it is, and both of its ends.

mod client;
pub(crate) mod handler;
pub(crate) mod serve;
mod short_path;

use std::path::{Path, PathBuf};

pub use client::{Client, ControlError};

/// The name of the socket in the state directory.
const SOCKET_NAME: &str = "control.sock";

/// Where the agent of a state directory is asked.
pub fn socket_path(state_directory: &Path) -> PathBuf {
    state_directory.join(SOCKET_NAME)
}
