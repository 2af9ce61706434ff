//! Tests of what both databases must share, of what grants refuse, of transactions that lose, of
//! connections that are lost, and of databases that are set otherwise than usual.

mod connections;
mod contention;
mod faults;
mod grants;
mod schema;
mod settings;
