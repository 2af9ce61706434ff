//! The request bodies, query parameters and response bodies of the HTTP API, a module for each
//! noun.
//!
//! Hashes are texts `sha256:<64 hexadecimal digits>`, ids are UUIDs, and times are RFC 3339 in UTC.
//!
//! In a response, an optional member is absent if it is empty. Every other member is present, and
//! null if it has no value. A newer server may add members, so a reader ignores those that it does
//! not know.
//!
//! In a request, an unknown member is an error. In many requests an absent member means "all", so a
//! misspelt one would do more than the caller asked for.

use serde::{Deserialize, Deserializer};

pub mod agents;
pub mod audit;
pub mod bulk_moves;
pub mod chats;
pub mod context;
pub mod diff;
pub mod enrolment;
pub mod evidence;
pub mod exposure;
pub mod history;
pub mod instructions;
pub mod page;
pub mod pending_changes;
pub mod people;
pub mod push;
pub mod quotas;
pub mod readiness;
pub mod resources;
pub mod scan;
pub mod sign_in;
pub mod skills;
pub mod turns;
mod words;

/// Reads a member that is present, so that null differs from an absent member. Null is an error for
/// a plain type, and `Some(None)` for an optional one.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
