//! Bodies and queries of the HTTP API, split by noun.
//!
//! Three rules hold for all of them. Hashes are texts `sha256:<64 hexadecimal digits>`, ids are
//! UUIDs, times are RFC 3339 in UTC. In an answer, a member that may be left out is left out when it
//! is empty, and every other member is always there, as null where there is nothing; members may be
//! added, so a reader ignores those that it does not know. A request is read strictly: a member that
//! is not known is an error, because in many of them an absent member means "all", and a misspelt
//! one would then do more than was asked for.

use serde::{Deserialize, Deserializer};

pub mod agents;
pub mod audit;
pub mod chats;
pub mod context;
pub mod diff;
pub mod exposure;
pub mod page;
pub mod people;
pub mod push;
pub mod quotas;
pub mod readiness;
pub mod resources;
pub mod scan;
pub mod skills;
pub mod turns;

/// Reads a member that is there, so that `null` is told from an absent member: for a plain type it
/// is an error, for an optional one it is `Some(None)`.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
