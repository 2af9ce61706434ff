//! The process beside a workspace: it scans, compares, pushes, and repeats.
//!
//! It reads a workspace's files only through `ctxpin-scan`, and a server's data only through
//! `ctxpin-client`. It knows no SQL, no command line, no chats and no pins, and prints nothing: what
//! a person may want to see it hands to its caller as a report. Of what it holds, neither bodies
//! nor tokens nor values of a configuration stand in a report, an error or a log.

mod blocking;
pub mod control;
pub mod error;
pub mod push;
pub mod readiness;
mod reading;
pub mod report;
pub mod run;
mod session;
pub mod sources;
mod standing;
mod state_directory;

pub use session::plan::HEARTBEAT_INTERVAL;
