//! Everything that a caller can ask for, one function each. An operation takes the caller and the
//! request, and orders the reads, the decisions of `ctxpin-model` and the writes of `ctxpin-store`.
//!
//! Every operation returns [`error::Error::Store`] if the token is not valid, if the caller may not do the operation
//! or know of the object, and if the database fails. The errors of a function name these only where a caller needs
//! to know more.
//!
//! This crate knows no transport (HTTP, status codes, wire formats) and no SQL.

#![deny(clippy::missing_errors_doc, clippy::wildcard_enum_match_arm)]

pub mod agents;
mod bulk_movers;
pub mod bulk_moves;
pub mod chats;
pub mod clock;
pub mod contexts;
pub mod diffs;
pub mod enrolment;
pub mod error;
pub mod evidence;
pub mod exposures;
mod frame;
pub mod given_texts;
mod ground;
pub mod history;
pub mod instructions;
mod known_sessions;
mod line_counts;
mod moves;
pub mod news;
pub mod overview;
pub mod pending_changes;
pub mod people;
pub mod pins;
mod portions;
pub mod prompts;
pub mod pushes;
mod quota_warnings;
pub mod quotas;
mod rates;
mod refusals;
pub mod service;
pub mod sign_in;
pub mod skills;
pub mod starts;
mod treatments;
pub mod turns;
pub mod upkeep;
mod wakes;
pub mod watches;
mod watching;
mod workshop;
