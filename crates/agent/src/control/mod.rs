//! The control socket: a Unix socket through which other processes of the user send requests to a
//! running agent.

mod client;
pub(crate) mod handler;
mod resync;
pub(crate) mod serve;
mod short_path;

use std::path::{Path, PathBuf};

pub use client::{Client, ControlError};

/// The name of the socket in the state directory.
const SOCKET_NAME: &str = "control.sock";

/// Returns the path of the control socket in a state directory.
pub fn socket_path(state_directory: &Path) -> PathBuf {
    state_directory.join(SOCKET_NAME)
}
