//! Tests of what both databases must share, of what grants refuse, of transactions that lose, and of
//! connections that are lost.

mod connections;
mod contention;
mod grants;
mod schema;
