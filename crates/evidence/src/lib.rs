//! What a client's record of its requests shows of the context that its model was given.
//!
//! A client that nobody changed writes down what it sends: Claude Code into its transcript, Codex into its rollout,
//! and opencode's plugin hands over the system text. [`reading::Reading`] reads such a record line by line and finds
//! in each request the texts of [`known::Known`]: the instruction files and skills of a chat's pin, of its earlier
//! pins and of the head. [`verdict`] compares what was found with the pin.
//!
//! A record is untrusted, and it holds everything that a person and a model said. So every function takes time linear
//! in the length of the record, also for texts made to collide; every size has a bound; and no text of a record leaves
//! this crate, only places, sizes, keyed hashes, and the paths that the client itself names for its files.
//!
//! This crate is pure: it reads from what it is given, and knows no file, clock, network or database.

pub mod candidates;
mod compared;
mod edited;
mod filled;
pub mod finder;
pub mod findings;
mod frame;
mod hashed;
pub mod known;
mod listing;
mod numbered;
mod own;
mod polynomial;
pub mod reading;
mod record;
mod request;
mod spelled;
mod turn;
mod used;
pub mod verdict;
