//! The process beside a workspace: it scans, compares, pushes, and repeats.
//!
//! It reads a workspace's files only through `ctxpin-scan`, and a server's data only through
//! `ctxpin-client`. It knows no SQL, no command line, no chats and no pins, and prints nothing: what
//! a person may want to see it hands to its caller as a report. Of what it holds, neither bodies
//! nor tokens nor values of a configuration stand in a report, an error or a log.

mod backoff;
mod blocking;
pub mod control;
mod debounce;
mod desk;
pub mod error;
mod failure;
mod found;
mod parcel;
mod plan;
pub mod push;
mod pusher;
pub mod readiness;
pub mod report;
pub mod run;
mod scanner;
pub mod sources;
mod standing;
mod state_directory;

pub use plan::HEARTBEAT_INTERVAL;
