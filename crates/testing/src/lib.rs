//! The parts that tests of several crates share: a service on each database, people and agents who
//! call it, and workspaces without files. It is only a development dependency.
//!
//! The tests always use both databases. `CTXPIN_TEST_POSTGRES`, which `cargo xtask test` sets,
//! names the PostgreSQL server. Without it a test fails and says so, because a database that is
//! skipped silently proves nothing.

pub mod chats;
pub mod databases;
pub mod people;
pub mod proofs;
pub mod standin;
pub mod workspace;
