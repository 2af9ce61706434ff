//! Everything that a caller can ask for, one function each. An operation takes who calls and what
//! they ask, and sequences reads, decisions of `ctxpin-model` and writes of `ctxpin-store`.
//!
//! There is no transport here: no HTTP, no status codes, no wire format. Nor is there SQL.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod agents;
pub mod chats;
pub mod clock;
pub mod contexts;
pub mod diffs;
pub mod error;
pub mod exposures;
mod frame;
mod ground;
mod moves;
pub mod people;
pub mod pins;
pub mod prompts;
pub mod pushes;
pub mod quotas;
mod rates;
pub mod refusals;
pub mod service;
pub mod skills;
pub mod treatments;
pub mod turns;
pub mod wakes;
pub mod watches;
mod workshop;
