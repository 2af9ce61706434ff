//! The process beside a workspace: it scans, compares, pushes, and repeats.
//!
//! A [`reading`] watches and scans one project. A [`session`] follows a reading and pushes its
//! scans as one agent with its token and epoch. [`run`] runs a reading, a session for each
//! [`standing`] and the [`control`] socket.
//!
//! The crate reads a workspace's files only through `ctxpin-scan`, and a server's data only through
//! `ctxpin-client`. It knows no SQL, no command line and no pins, and prints nothing: it hands reports to its
//! caller. Only [`hooks`] knows chats. No report, error or log holds a body, a token or a value of a
//! configuration.

mod blocking;
pub mod control;
pub mod error;
pub mod handed_in;
pub mod hooks;
mod line;
mod places;
pub mod process_stat;
pub mod push;
pub mod readiness;
pub mod reading;
pub mod report;
pub mod run;
pub mod session;
mod shared;
pub mod sources;
pub mod standing;
mod state_directory;

pub use session::HEARTBEAT_INTERVAL;
